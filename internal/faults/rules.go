package faults

import (
	"fmt"
	"slices"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// Terms are what the rules are judged by.
type Terms struct {
	Bound time.Duration // Δ
	// LosesSessions: the nemesis takes sessions out of the store that nobody
	// ended. From the first fault on, a refusal is a loss and no violation.
	LosesSessions bool
}

// within is Δ(1+ρ).
func (t Terms) within() time.Duration {
	return t.Bound + time.Duration(store.ClockError*float64(t.Bound))
}

// A Violation is an operation that breaks a rule.
type Violation struct {
	Rule string
	Op   Op
	Why  string
}

func (v Violation) String() string { return fmt.Sprintf("%s: %v (%s)", v.Rule, v.Op, v.Why) }

// Violations judges a history by all of the rules: see the package comment.
func (h *History) Violations(t Terms) []Violation {
	var found []Violation
	for _, ops := range h.perSession() {
		found = append(found, judge(ops, t, h.lossFrom(t))...)
		found = append(found, unordered(ops, t, h.lossFrom(t))...)
	}
	found = append(found, h.opened(t)...)
	slices.SortFunc(found, func(a, b Violation) int { return int(a.Op.Call - b.Op.Call) })
	return found
}

const never = time.Duration(1<<63 - 1)

// lossFrom is the time from which sessions may be lost.
func (h *History) lossFrom(t Terms) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !t.LosesSessions || len(h.faults) == 0 {
		return never
	}
	return h.faults[0].Begin
}

// judge applies the plain rules to the operations of one session.
func judge(ops []Op, t Terms, lossFrom time.Duration) (found []Violation) {
	firstEnd := lossFrom
	for _, end := range ops {
		if end.Kind.ends() {
			firstEnd = min(firstEnd, end.Call)
		}
	}
	for _, op := range ops {
		if op.Outcome == No && !op.Kind.ends() && op.Return < firstEnd {
			found = append(found, Violation{"live", op, "nobody had called its logout"})
		}
		if op.Outcome != Yes {
			continue
		}
		if first := known(ops, lossFrom); op.Kind != Login && !op.Kind.ends() && op.Call > first+t.within() {
			found = append(found, Violation{"bounded", op, fmt.Sprintf("somebody had refused it at %v", first)})
			continue
		}
		for _, end := range ops {
			if end.Kind.ends() && end.Outcome == Yes && op.Call > deadline(end, op, t) {
				found = append(found, Violation{ruleOf(op, end), op, fmt.Sprintf("%v after the return of: %v", op.Call-end.Return, end)})
				break
			}
		}
	}
	return found
}

// deadline is until when an operation may begin that still succeeds.
func deadline(end, op Op, t Terms) time.Duration {
	switch {
	case op.Kind.ends() || op.Kind == Login:
		return never
	case op.Kind.checks() && op.At != end.At && end.Kind != LogoutEverywhere:
		return end.Return + t.within()
	}
	return end.Return
}

func ruleOf(op, end Op) string {
	switch {
	case op.Kind == Refresh:
		return "durable"
	case end.Kind == LogoutEverywhere:
		return "everywhere"
	}
	return "bounded"
}

// opened finds what processes accepted that were cut off from the store.
func (h *History) opened(t Terms) (found []Violation) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range h.faults {
		for _, op := range h.ops {
			if f.Cut && f.hits(op.At) && op.Kind.checks() && op.Outcome == Yes && op.Call > f.Begin+t.within() && op.Return < f.End {
				found = append(found, Violation{"closed", op, fmt.Sprintf("the cut was at %v", f.Begin)})
			}
		}
	}
	return found
}

func (f Fault) hits(process int) bool { return f.Process == everybody || f.Process == process }
