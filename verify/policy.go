package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/counterfoil/counterfoil/token"
)

// A Policy says what happens to a good token, whose session is not known to have
// ended, while the lease has lapsed: nobody has proved that there was no logout.
// The zero value is Introspect. A Policy above zero is made by [AllowStale].
type Policy time.Duration

const (
	// Introspect asks the issuer about each token: GET /v1/session with the
	// token itself. If it does not answer in time, the token is refused with
	// ErrUnavailable.
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
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, v.config.Issuer+"/v1/session", nil)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	r.Header.Set("Authorization", "Bearer "+signed)
	res, err := v.client.Do(r)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	defer res.Body.Close()
	var session struct {
		ID string `json:"id"`
	}
	err = json.NewDecoder(io.LimitReader(res.Body, maxSessionDoc)).Decode(&session)
	switch {
	case res.StatusCode == http.StatusUnauthorized:
		return ErrEnded
	case res.StatusCode != http.StatusOK || err != nil:
		return fmt.Errorf("%w: it answers %s to a question about a session", ErrUnavailable, res.Status)
	case session.ID != claims.SessionID:
		return fmt.Errorf("%w: it answers about another session", ErrUnavailable)
	}
	return nil
}
