package verify

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil/token"
)

// A Policy says what happens to a good token, whose session is not known to have
// ended, while the lease has lapsed: nobody has proved that there was no logout.
// The zero value is Introspect. A Policy above zero is made by [AllowStale].
type Policy time.Duration

const (
	// Introspect asks the issuer about each token: GET /v1/session with the
	// token itself, or with a Config.Audience of its own POST /v1/introspect,
	// which the client must be allowed to use. If it does not answer in time, or
	// not this client, the token is refused with ErrUnavailable.
	Introspect Policy = 0

	// Strict refuses with ErrUnavailable. It puts no load on an issuer that
	// may be in trouble.
	Strict Policy = -1
)

// AllowStale is dangerous: it accepts tokens whose session may have ended, for
// at most that long after the lease has lapsed, and then refuses with
// ErrUnavailable. What is known to have ended is refused all the same. An
// attacker who can cut this service from the issuer prolongs a stolen token by
// it. Use it for what does no harm, such as showing a public page with a name
// on it. Where no proof ever came, or a clock has jumped, nothing is accepted.
// Zero or less is Strict.
func AllowStale(max time.Duration) Policy {
	if max <= 0 {
		return Strict
	}
	return Policy(max)
}

const (
	maxAsking     = 64 // questions to the issuer at once
	maxSessionDoc = 64 << 10
)

// ask asks the issuer whether the token's session lives. It waits no longer than
// a bound, the turn included.
func (v *Verifier) ask(ctx context.Context, claims *token.Claims, signed string) error {
	ctx, cancel := context.WithTimeout(ctx, v.config.Bound)
	defer cancel()
	select {
	case v.asking <- struct{}{}:
		defer func() { <-v.asking }()
	case <-ctx.Done():
		return fmt.Errorf("%w: too many questions to it wait", ErrUnavailable)
	}
	r, err := v.question(ctx, signed)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	res, err := v.client.Do(r)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	defer res.Body.Close()
	var known struct {
		ID        string `json:"id"`     // of the session
		Active    bool   `json:"active"` // and here what an introspection says
		SessionID string `json:"sid"`
	}
	err = json.NewDecoder(io.LimitReader(res.Body, maxSessionDoc)).Decode(&known)
	switch {
	case res.StatusCode == http.StatusUnauthorized && v.introspects():
		return fmt.Errorf("%w: it does not let this client ask: allow it to introspect (client add --can verify,introspect)", ErrUnavailable)
	case res.StatusCode == http.StatusUnauthorized:
		return ErrEnded
	case res.StatusCode != http.StatusOK || err != nil:
		return fmt.Errorf("%w: it answers %s to a question about a session", ErrUnavailable, res.Status)
	case v.introspects() && !known.Active:
		return ErrEnded
	case cmp.Or(known.ID, known.SessionID) != claims.SessionID:
		return fmt.Errorf("%w: it answers about another session", ErrUnavailable)
	}
	return nil
}

// introspects reports whether the issuer is asked as a client: tokens for another
// audience than itself open nothing there.
func (v *Verifier) introspects() bool { return v.config.Audience != v.config.Issuer }

// question asks with the token itself, or as a client about it (RFC 7662).
func (v *Verifier) question(ctx context.Context, signed string) (*http.Request, error) {
	if !v.introspects() {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, v.config.Issuer+"/v1/session", nil)
		if err == nil {
			r.Header.Set("Authorization", "Bearer "+signed)
		}
		return r, err
	}
	form := url.Values{"token": {signed}}.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, v.config.Issuer+"/v1/introspect", strings.NewReader(form))
	if err == nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth(v.config.ClientID, v.config.ClientSecret)
	}
	return r, err
}
