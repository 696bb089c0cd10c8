package tokens

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/counterfoil/counterfoil/bench/internal/env"
	"github.com/counterfoil/counterfoil/bench/internal/measure"
	"github.com/counterfoil/counterfoil/bench/internal/report"
)

// The rows.
const (
	raw       = "crypto/ed25519 alone"
	ours      = "Counterfoil"
	golangJWT = "golang-jwt"
	goJose    = "go-jose"
	jwx       = "jwx"
)

const perToken = "CPU per token"

// Run compares the libraries.
func Run(ctx context.Context, p measure.Plan) (report.Section, error) {
	s := report.Section{
		ID:    "tokens",
		Title: "Access tokens",
		Text: []string{
			"JWTs signed with Ed25519 (EdDSA), with the claims of RFC 9068, the session's id and the user's name. Each library checks the same tokens, which were issued by Counterfoil: signature, issuer, audience, expiry. The others are given the one right key and keep their parser; crypto/ed25519 alone is the signature of the same bytes and nothing else, which is the limit for everybody.",
			fmt.Sprintf("Ours is package verify as it runs in a service: it follows a node over a socket, knows of %s sessions that have ended, and looks at that and at its lease on every check. The others know nothing of logouts.", report.Count.Format(float64(ended(p)))),
		},
	}
	err := env.Use(ctx, func(tb testing.TB) error {
		b := newBench(tb, p)
		for _, table := range []func() (report.Table, error){b.issuing, b.first, b.again} {
			t, err := table()
			if err != nil {
				return err
			}
			s.Tables = append(s.Tables, t)
		}
		return nil
	})
	return s, err
}

// ended is of how many ended sessions the verifier knows, live how many tokens
// of sessions that live are checked in turn.
func ended(p measure.Plan) int {
	if p.Quick {
		return 1_000
	}
	return 100_000
}

func live(p measure.Plan) int {
	if p.Quick {
		return 20_000
	}
	return 1_000_000
}

// hot is how many tokens are in use where few are.
const hot = 64

type bench struct {
	tb   testing.TB
	plan measure.Plan
	node *node
	// others are the rows of the first check: the others have no other one.
	others []report.Row
}

func newBench(tb testing.TB, p measure.Plan) *bench {
	b := &bench{tb: tb, plan: p, node: startNode(tb)}
	if err := b.node.end(tb.Context(), ended(p)); err != nil {
		tb.Fatal(err)
	}
	return b
}

// A kindCase is a case and whose row it is.
type kindCase struct {
	measure.Case
	kind report.Kind
}

// table measures the cases and makes a table of them.
func (b *bench) table(id, title string, cases []kindCase) (report.Table, error) {
	t := report.Table{
		ID: id, Title: title,
		Metrics: []report.Metric{{Name: perToken, Unit: report.Nanoseconds}, measure.AllocsMetric},
	}
	plain := make([]measure.Case, len(cases))
	for i, c := range cases {
		plain[i] = c.Case
	}
	b.plan.Logf("%s: %d cases", title, len(cases))
	results, err := measure.Run(b.tb.Context(), b.plan, plain)
	if err != nil {
		return report.Table{}, err
	}
	for i, r := range results {
		row := r.Row(cases[i].kind)
		row.Samples[perToken] = r.CPU
		t.Rows = append(t.Rows, row)
	}
	return t, nil
}

func (b *bench) issuing() (report.Table, error) {
	cases := []kindCase{{measure.Case{Name: ours, Run: func(n int) (err error) {
		b.node.visit(b.tb, func(ctx context.Context) error {
			for range n {
				if _, err = b.node.sessions.IssueToken(ctx); err != nil {
					break
				}
			}
			return nil
		})
		return err
	}}, report.Ours}}
	for _, i := range issuers(b.tb, b.node.url) {
		cases = append(cases, kindCase{measure.Case{Name: i.name, Run: func(n int) error {
			for range n {
				if _, err := i.sign(); err != nil {
					return err
				}
			}
			return nil
		}}, i.kind})
	}
	t, err := b.table("issue", "Issuing a token", cases)
	t.Baseline = raw
	t.Targets = []report.Target{{Row: ours, Metric: perToken, Against: raw, Limit: 1.06, Words: "at most 1.06 of the raw signature"}}
	return t, err
}

// maxFirst bounds the tokens that are made for one round of first checks.
const maxFirst = 5000

// first checks tokens that nobody has seen before. The others get the same
// number of different ones, too.
func (b *bench) first() (report.Table, error) {
	key := b.node.publicKey(b.tb)
	var fresh []string
	prepare := func(n int) error {
		fresh = b.node.issue(b.tb, n)
		return nil
	}
	checks := append([]checker{b.node.checker(b.tb, 0)}, checkers(b.node.url, key)...)
	var cases []kindCase
	for _, c := range checks {
		cases = append(cases, kindCase{measure.Case{Name: c.name, Max: maxFirst, Prepare: prepare, Run: func(n int) error {
			for _, token := range fresh[:n] {
				if _, err := c.check(token); err != nil {
					return err
				}
			}
			return nil
		}}, c.kind})
	}
	var rawOne func(int) error
	cases = append(cases, kindCase{measure.Case{
		Name: raw, Max: maxFirst,
		Prepare: func(n int) (err error) {
			rawOne, err = rawCheck(key, b.node.issue(b.tb, n))
			return err
		},
		Run: func(n int) error {
			for i := range n {
				if err := rawOne(i); err != nil {
					return err
				}
			}
			return nil
		},
	}, report.Limit})
	t, err := b.table("first", "The first check of a token", cases)
	for _, r := range t.Rows {
		if r.Kind == report.Peer {
			b.others = append(b.others, r)
		}
	}
	t.Text = []string{"Ours has the default Config.CacheSize, and remembers what it has checked, which is a part of the figure."}
	t.Baseline = raw
	t.Targets = []report.Target{{Row: ours, Metric: perToken, Against: raw, Limit: 1.05, Words: "at most 1.05 of the raw check"}}
	return t, err
}

// again checks tokens that were checked before.
func (b *bench) again() (report.Table, error) {
	b.plan.Logf("logging %d users in", live(b.plan))
	tokens, err := b.logInAll(live(b.plan))
	if err != nil {
		return report.Table{}, err
	}
	mine := b.node.checker(b.tb, 2*live(b.plan))
	b.plan.Logf("checking their tokens for the first time")
	if err := checkAll(tokens, mine); err != nil {
		return report.Table{}, err
	}
	few, many := "few in use", "a million in use"
	if b.plan.Quick {
		many = report.Count.Format(float64(tokens.len())) + " in use"
	}
	t, err := b.table("again", "Another check of a token", []kindCase{
		{cycle(ours+", "+few, tokens, hot, mine), report.Ours},
		{batches(ours+", "+many, tokens, mine.check), report.Ours},
		{batches("reading the texts, "+many, tokens, onlyRead), report.Limit},
	})
	if err != nil {
		return report.Table{}, err
	}
	checked, read := t.Rows[1].Samples, t.Rows[2].Samples
	checked[perToken] = report.Minus(checked[perToken], read[perToken])
	t.Rows = append(t.Rows, b.others...)
	t.Text = []string{
		fmt.Sprintf("Most checks are of tokens that were checked before. Ours remembers that the signature was good and what the token says, and looks at revocation, lease and expiry again each time; few are %d tokens of as many sessions, many are a million, and what is remembered of them is in memory that no cache of the processor holds. Its Config.CacheSize is twice as many. A token that comes in a request has just been copied from the socket; so the texts of the million are read in batches of %d before they are checked, and the row in italics, which is that reading alone, has been taken off. The others remember nothing: their rows are those of the first check, and were measured with little else in memory, so that the million tokens are no burden to their garbage collector.", hot, hot),
	}
	t.Baseline = golangJWT
	t.Targets = []report.Target{
		{Row: ours + ", " + few, Metric: perToken, Limit: 400, Words: "at most 0.4 µs"},
		{Row: ours + ", " + few, Metric: measure.AllocsMetric.Name, Limit: 0.01, Words: "no allocation"},
		{Row: ours + ", " + many, Metric: perToken, Limit: 1100, Words: "at most 1.1 µs"},
		{Row: ours + ", " + many, Metric: measure.AllocsMetric.Name, Limit: 0.01, Words: "no allocation"},
	}
	return t, nil
}

// cycle checks the first count tokens in turn, in steps that no processor
// foresees.
func cycle(name string, tokens *texts, count int, c checker) measure.Case {
	at, step := 0, stride(count)
	return measure.Case{Name: name, Run: func(n int) error {
		for range n {
			if _, err := c.check(tokens.at(at)); err != nil {
				return err
			}
			at = (at + step) % count
		}
		return nil
	}}
}

// batches checks all tokens in turn, as cycle does, and reads each text shortly
// before, so that it is in the processor's cache.
func batches(name string, tokens *texts, check func(string) (string, error)) measure.Case {
	at, step := 0, stride(tokens.len())
	return measure.Case{Name: name, Run: func(n int) error {
		var buf [hot]string
		for n > 0 {
			batch := buf[:min(n, hot)]
			for i := range batch {
				batch[i] = tokens.at(at)
				at = (at + step) % tokens.len()
				if strings.Contains(batch[i], "\n") {
					return errors.New("a text is no token")
				}
			}
			for _, token := range batch {
				if _, err := check(token); err != nil {
					return err
				}
			}
			n -= len(batch)
		}
		return nil
	}}
}

func onlyRead(string) (string, error) { return "", nil }

// stride is a step that comes to every place.
func stride(count int) int {
	for step := count*5/8 | 1; ; step += 2 {
		if gcd(step, count) == 1 {
			return step
		}
	}
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// logInAll makes a session for each of count users and returns their tokens.
func (b *bench) logInAll(count int) (*texts, error) {
	tokens := make([]string, count)
	err := parallel(count, func(i int) error {
		grant, err := b.node.logInClient(b.tb.Context(), fmt.Sprint("u_", i))
		tokens[i] = grant.Token
		return err
	})
	return newTexts(tokens), err
}

func checkAll(tokens *texts, c checker) error {
	return parallel(tokens.len(), func(i int) error {
		_, err := c.check(tokens.at(i))
		return err
	})
}

// parallel calls do with every number below count, on all processors.
func parallel(count int, do func(i int) error) error {
	workers := runtime.GOMAXPROCS(0)
	errs := make([]error, workers)
	var wait sync.WaitGroup
	for w := range workers {
		wait.Go(func() {
			for i := w; i < count && errs[w] == nil; i += workers {
				errs[w] = do(i)
			}
		})
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// texts are many strings in one piece, which costs the garbage collector
// nothing, whoever makes it run.
type texts struct {
	all  string
	ends []int
}

func newTexts(list []string) *texts {
	t := &texts{ends: make([]int, len(list))}
	var b bytes.Buffer
	for i, s := range list {
		b.WriteString(s)
		t.ends[i] = b.Len()
	}
	t.all = b.String()
	return t
}

func (t *texts) len() int { return len(t.ends) }

func (t *texts) at(i int) string {
	begin := 0
	if i > 0 {
		begin = t.ends[i-1]
	}
	return t.all[begin:t.ends[i]]
}
