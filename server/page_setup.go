package server

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/server/account"
	"github.com/counterfoil/counterfoil/server/pages"
)

// setupLife is how long the link to make the first user works.
const setupLife = time.Hour

// A setupCode proves that a visitor can read what the server prints (ASVS
// 6.4.1). It is in memory only: another start prints another one.
type setupCode struct {
	mu      sync.Mutex
	digest  [sha256.Size]byte
	expires time.Time
}

// SetupPath returns the path and query of the page that makes the first user,
// with a new code that works once, for an hour; empty where there is a user.
// Show it to the operator alone.
func (s *Server) SetupPath(ctx context.Context) (string, error) {
	if empty, err := s.accounts.Empty(ctx); err != nil || !empty {
		return "", err
	}
	return "/setup?" + url.Values{"code": {s.setup.renew()}}.Encode(), nil
}

func (c *setupCode) renew() string {
	code := rand.Text()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.digest, c.expires = sha256.Sum256([]byte(code)), time.Now().Add(setupLife)
	return code
}

func (c *setupCode) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.digest, c.expires = [sha256.Size]byte{}, time.Time{}
}

func (c *setupCode) matches(code string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	digest := sha256.Sum256([]byte(code))
	return subtle.ConstantTimeCompare(digest[:], c.digest[:]) == 1 && time.Now().Before(c.expires)
}

// setupForm is there only as long as there is no user.
func (s *Server) setupForm(w http.ResponseWriter, r *http.Request) {
	switch empty, err := s.accounts.Empty(r.Context()); {
	case err != nil:
		s.fail(w, r, err)
	case !empty:
		s.notFound(w, r)
	default:
		s.showSetup(w, r, http.StatusOK, pages.Setup{Code: r.URL.Query().Get("code")})
	}
}

func (s *Server) showSetup(w http.ResponseWriter, r *http.Request, status int, p pages.Setup) {
	token, err := counterfoil.CSRFToken(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p.CSRF, p.PasswordMin = token, account.MinPassword
	s.show(w, r, status, p)
}

func (s *Server) setUp(w http.ResponseWriter, r *http.Request) {
	form, err := postedForm(w, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p := pages.Setup{Code: form["code"], Username: form["username"]}
	if !s.setup.matches(strings.TrimSpace(form["code"])) {
		p.Problem = pages.Problem{Field: "code", Text: "The code is wrong, or older than an hour. Start the server again for a new one."}
		s.showSetup(w, r, http.StatusForbidden, p)
		return
	}
	// The code is used up by what it makes: of two at once, one wins.
	user, err := s.accounts.AddFirst(r.Context(), form["username"], form["password"])
	if err == nil || errors.Is(err, account.ErrNotEmpty) {
		s.setup.forget() // nor does it work when there is no user once more
	}
	if err != nil {
		s.setUpAgain(w, r, err, p)
		return
	}
	s.log.LogAttrs(r.Context(), slog.LevelInfo, "audit", slog.String("event", "first_user_added"),
		slog.String("user", user.ID), slog.String("name", user.Name), slog.String("address", s.clientAddress(r).String()))
	if err := notice.Set(r.Context(), "The user is made. Log in to see that it works."); err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// setUpAgain shows the form once more where another try may help.
func (s *Server) setUpAgain(w http.ResponseWriter, r *http.Request, err error, p pages.Setup) {
	refused := (*account.PasswordError)(nil)
	switch {
	case errors.As(err, &refused):
		p.Problem = pages.Problem{Field: "password", Text: refused.Reason}
	case errors.Is(err, account.ErrNameInvalid):
		p.Problem = pages.Problem{Field: "username", Text: "Use letters, digits and punctuation, without spaces, 64 at most."}
	case errors.Is(err, account.ErrNotEmpty):
		s.notFound(w, r)
		return
	default:
		s.fail(w, r, err)
		return
	}
	s.showSetup(w, r, http.StatusUnprocessableEntity, p)
}
