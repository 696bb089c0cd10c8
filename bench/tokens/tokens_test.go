package tokens

import (
	"crypto/ed25519"
	"errors"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/bench/internal/report"
	"github.com/counterfoil/counterfoil/verify"
)

// Each checker does the work that is measured: it reads the session's id out of
// good tokens and refuses others.
func TestCheckersDoTheWork(t *testing.T) {
	n := startNode(t)
	key := n.publicKey(t)
	foreign, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	tokens := n.issue(t, 2)
	token := tokens[0]
	if tokens[1] == token {
		t.Fatal("two tokens are the same")
	}
	mine := n.checker(t, 0)
	want, err := mine.check(token)
	if err != nil || want == "" {
		t.Fatalf("ours: %q, %v", want, err)
	}
	for _, c := range append(checkers(n.url, key), mine) {
		if got, err := c.check(token); err != nil || got != want {
			t.Errorf("%s: session %q, %v; want %q", c.name, got, err, want)
		}
		changed := []byte(token)
		changed[len(changed)/2] ^= 1
		if _, err := c.check(string(changed)); err == nil {
			t.Errorf("%s accepts a token that was changed", c.name)
		}
		if _, err := c.check(tokens[1][:len(tokens[1])-4] + "AAAA"); err == nil {
			t.Errorf("%s accepts another signature", c.name)
		}
	}
	for _, c := range checkers(n.url, foreign) {
		if _, err := c.check(token); err == nil {
			t.Errorf("%s accepts a token of another key", c.name)
		}
	}
	for _, c := range checkers("https://other.example", key) {
		if _, err := c.check(token); err == nil {
			t.Errorf("%s accepts a token of another issuer", c.name)
		}
	}

	rawOne, err := rawCheck(key, tokens)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(rawOne(0), rawOne(1)); err != nil {
		t.Error(err)
	}
	if rawOne, err = rawCheck(foreign, tokens); err != nil || rawOne(0) == nil {
		t.Errorf("the raw check accepts a token of another key (%v)", err)
	}
}

// Ours looks at revocation: a token that was just accepted is refused once its
// session has ended.
func TestOursSeesTheLogout(t *testing.T) {
	n := startNode(t)
	mine := n.checker(t, 0)
	token := n.issue(t, 1)[0]
	if _, err := mine.check(token); err != nil {
		t.Fatal(err)
	}
	if ended, err := n.sessions.EndUser(t.Context(), user); err != nil || ended != 1 {
		t.Fatalf("ended %d sessions: %v", ended, err)
	}
	for begun := time.Now(); ; time.Sleep(time.Millisecond) {
		_, err := mine.check(token)
		if errors.Is(err, verify.ErrEnded) {
			return
		}
		if time.Since(begun) > 5*time.Second {
			t.Fatalf("after 5 seconds: %v", err)
		}
	}
}

// Each issuer signs a token that says what ours says: each checker reads it.
func TestIssuersDoTheWork(t *testing.T) {
	public, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	const url = "https://issuer.example"
	all := []issuer{jwtIssuer(url, key)}
	for _, open := range []func(string, ed25519.PrivateKey) (issuer, error){joseIssuer, jwxIssuer} {
		i, err := open(url, key)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, i)
	}
	for _, i := range all {
		token, err := i.sign()
		if err != nil {
			t.Fatalf("%s: %v", i.name, err)
		}
		if again, err := i.sign(); err != nil || again == token {
			t.Errorf("%s: two tokens are the same (%v)", i.name, err)
		}
		for _, c := range checkers(url, public) {
			if got, err := c.check(token); err != nil || got != session {
				t.Errorf("%s of %s: %q, %v", c.name, i.name, got, err)
			}
		}
	}
	for _, i := range issuers(t, url) {
		if _, err := i.sign(); err != nil || (i.kind == report.Limit) != (i.name == raw) {
			t.Errorf("%s: %v", i.name, err)
		}
	}
}

// The row of a million checks each token, and its limit only reads them.
func TestBatchesCheckEveryToken(t *testing.T) {
	tokens := newTexts([]string{"a", "b", "c", "d", "e", "f", "g"})
	seen := map[string]int{}
	check := func(token string) (string, error) {
		seen[token]++
		return "", nil
	}
	if err := batches("", tokens, check).Run(3 * tokens.len()); err != nil {
		t.Fatal(err)
	}
	for i := range tokens.len() {
		if n := seen[tokens.at(i)]; n != 3 {
			t.Errorf("%s was checked %d times", tokens.at(i), n)
		}
	}
	refused := errors.New("refused")
	if err := batches("", tokens, func(string) (string, error) { return "", refused }).Run(1); err != refused {
		t.Errorf("a token that is refused: %v", err)
	}
}

func TestStrideComesToEveryPlace(t *testing.T) {
	for _, count := range []int{1, 2, 64, 1000, 1_000_000} {
		if step := stride(count); gcd(step, count) != 1 {
			t.Errorf("%d in steps of %d", count, step)
		}
	}
}
