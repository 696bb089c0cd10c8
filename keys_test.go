package counterfoil_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/token"
)

// The signing keys outlive the process with a secret, and not without.
func TestKeysOverARestart(t *testing.T) {
	secret, other := &[32]byte{1}, &[32]byte{2}
	st := newMemory()
	first := newSite(t, counterfoil.Config{Store: st, Secret: secret})
	grant := first.client("john")

	again := newSite(t, counterfoil.Config{Store: st, Secret: secret})
	wantStatus(t, "after a restart", again.bearer(grant.Token), 200)

	moved := newSite(t, counterfoil.Config{Store: st, Secret: secret, PublicURL: "http://localhost:9999"})
	wantStatus(t, "after a restart on another port", moved.bearer(grant.Token), 200)

	keyless := newSite(t, counterfoil.Config{Store: st})
	wantStatus(t, "without the secret", keyless.bearer(grant.Token), 401)
	keyless.refresh(grant.RefreshToken) // sessions don't depend on keys

	if m, err := counterfoil.New(counterfoil.Config{Store: st, Secret: other}); !errors.Is(err, token.ErrWrongSecret) {
		t.Errorf("another secret: %v", err)
		m.Close()
	}
}

// D14, req 51: a rotation is followed by every process, in time, and undoes no
// login.
func TestKeyRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, secret := newMemory(), &[32]byte{1}
		a := newSite(t, counterfoil.Config{Store: st, Secret: secret, KeyLife: 24 * time.Hour})
		b := newSite(t, counterfoil.Config{Store: st, Secret: secret, KeyLife: 24 * time.Hour})
		old := a.client("john")
		if err := a.RotateKeys(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantStatus(t, "the old token at once", b.bearer(old.Token), 200)
		seen := map[string]bool{}
		for range 20 {
			time.Sleep(time.Minute)
			fresh := a.client("john")
			wantStatus(t, "a new token, elsewhere", b.bearer(fresh.Token), 200)
			seen[kid(t, fresh.Token)] = true
		}
		if len(seen) != 2 {
			t.Errorf("%d keys signed, want the old and the new", len(seen))
		}
		time.Sleep(25 * time.Hour)
		keys := a.Keys()
		if newest := keys[len(keys)-1]; time.Since(newest.Created) > 24*time.Hour {
			t.Errorf("the newest key is %v old", time.Since(newest.Created))
		}
		if same := b.Keys(); same[len(same)-1].ID != keys[len(keys)-1].ID {
			t.Error("two processes have two newest keys")
		}
	})
}

func kid(t *testing.T, signed string) string {
	head, _, _ := strings.Cut(signed, ".")
	raw, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		t.Fatal(err)
	}
	var header struct{ Kid string }
	if err := json.Unmarshal(raw, &header); err != nil {
		t.Fatal(err)
	}
	return header.Kid
}

// A token that was signed just before the new key took over is good until it
// runs out.
func TestKeysOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, counterfoil.Config{})
		if err := s.RotateKeys(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(token.Lead - time.Second)
		last := s.client("john")
		time.Sleep(2 * time.Second)
		if kid(t, s.client("john").Token) == kid(t, last.Token) {
			t.Fatal("the new key has not taken over")
		}
		time.Sleep(last.ExpiresIn - 3*time.Second)
		wantStatus(t, "the old key's last token", s.bearer(last.Token), 200)
	})
}

// Config.TokenAlgorithm: a key of the new kind takes over like any other, and
// undoes no login.
func TestAlgorithmChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, secret := newMemory(), &[32]byte{1}
		before := newSite(t, counterfoil.Config{Store: st, Secret: secret}).client("john")
		s := newSite(t, counterfoil.Config{Store: st, Secret: secret, TokenAlgorithm: token.ES256})
		wantAlgorithm := func(when string, want token.Algorithm) {
			t.Helper()
			keys, signer := s.Keys(), kid(t, s.client("john").Token)
			i := slices.IndexFunc(keys, func(k token.KeyInfo) bool { return k.ID == signer })
			if i < 0 || keys[i].Algorithm != want {
				t.Errorf("%s a key %d of %v signs, want %s", when, i, keys, want)
			}
		}
		wantAlgorithm("at first", token.EdDSA)
		time.Sleep(token.Lead + time.Second)
		wantAlgorithm("after token.Lead", token.ES256)
		wantStatus(t, "a token from before", s.bearer(before.Token), 200)
		if again := newSite(t, counterfoil.Config{Store: st, Secret: secret, TokenAlgorithm: token.ES256}); len(again.Keys()) != 2 {
			t.Errorf("%d keys after another start, want 2", len(again.Keys()))
		}
	})
}

// Two processes that start at once on a new store agree, whoever comes first.
func TestTwoStartAtOnce(t *testing.T) {
	for _, c := range []struct {
		why  string
		swap int // before which write of a document the other one starts
	}{
		{"both are about to write the keys", 1},
		{"both are about to write the issuers", 2},
	} {
		t.Run(c.why, func(t *testing.T) {
			st, secret := newMemory(), &[32]byte{1}
			var other *site
			swaps := 0
			s := newSite(t, counterfoil.Config{Store: st, Secret: secret, OnStore: func(ctx context.Context, method string) (context.Context, func(error)) {
				if method == "SwapDocument" {
					if swaps++; swaps == c.swap {
						other = newSite(t, counterfoil.Config{Store: st, Secret: secret})
					}
				}
				return ctx, nil
			}})
			wantStatus(t, "one's token, at the other", other.bearer(s.client("john").Token), 200)
			wantStatus(t, "the other's token, here", s.bearer(other.client("john").Token), 200)
		})
	}
}

// The list of public URLs that a store has had does not grow for ever; the
// newest come first.
func TestIssuersAreBounded(t *testing.T) {
	st, secret := newMemory(), &[32]byte{1}
	var last string
	for port := range 20 {
		last = fmt.Sprintf("http://localhost:%d", 9000+port)
		newSite(t, counterfoil.Config{Store: st, Secret: secret, PublicURL: last})
	}
	data, _, err := st.Document(t.Context(), "issuers")
	if err != nil {
		t.Fatal(err)
	}
	var issuers []string
	if err := json.Unmarshal(data, &issuers); err != nil {
		t.Fatal(err)
	}
	if len(issuers) != 16 || issuers[0] != last {
		t.Errorf("%d issuers, the first is %q", len(issuers), issuers[0])
	}
}

// Config.Secret: the caller may clear his copy; ours still seals the keys.
func TestSecretIsCopied(t *testing.T) {
	st, secret := newMemory(), &[32]byte{7}
	s := newSite(t, counterfoil.Config{Store: st, Secret: secret})
	clear(secret[:])
	if err := s.RotateKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	sealed, _, err := st.Document(t.Context(), "keys")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := token.OpenKeyring(sealed, &[32]byte{}); !errors.Is(err, token.ErrWrongSecret) {
		t.Errorf("the keys open with zeros: %v", err)
	}
	if _, err := token.OpenKeyring(sealed, &[32]byte{7}); err != nil {
		t.Errorf("the keys don't open with the secret: %v", err)
	}
}

// why: "No check takes it for an access token, whatever its claims are."
func TestSignedJWTOpensNothing(t *testing.T) {
	s := newSite(t, counterfoil.Config{})
	john := s.user("john")
	access := john.me().Token
	var claims map[string]any
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(access, ".")[1])
	if err != nil || json.Unmarshal(payload, &claims) != nil {
		t.Fatal(err)
	}
	signed, err := s.SignJWT("logout+jwt", claims)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.CheckToken(t.Context(), signed); !errors.Is(err, counterfoil.ErrInvalidToken) {
		t.Errorf("a logout token with the claims of an access token: %v", err)
	}
	for typ, claims := range map[string]any{"at+jwt": claims, "JWT": []string{"no object"}} {
		if _, err := s.SignJWT(typ, claims); err == nil {
			t.Errorf("typ %s, claims %v: signed", typ, claims)
		}
	}
}
