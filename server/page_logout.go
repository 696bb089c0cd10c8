package server

import (
	"errors"
	"net/http"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/server/pages"
)

func (s *Server) logout(w http.ResponseWriter, r *http.Request) {
	if err := s.sessions.Logout(r.Context()); err != nil {
		s.failLogout(w, r, err)
		return
	}
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// failLogout says plainly that the session may live on: who walks away from a
// shared computer has to know.
func (s *Server) failLogout(w http.ResponseWriter, r *http.Request, err error) {
	m := pages.ForStatus(problemFor(err).Status)
	m.Title = "You are not logged out"
	m.Text = "The server could not reach the place where it keeps sessions, so yours may still be open."
	m.Advice = "Try again in a few seconds, and don’t leave this computer before."
	m.ActionURL, m.ActionText = "/account", "Back to your account"
	s.showMessage(w, r, m, err)
}

// isLogoutAgain reports whether somebody logs out who is logged out already,
// say in a second tab. There is nothing to protect then, and a refusal would
// only make him wonder. A form from another site is refused all the same: the
// answer takes the cookie out of the browser, which may hold a good one that
// was not sent along.
func (s *Server) isLogoutAgain(r *http.Request, err error) bool {
	if r.Method != http.MethodPost || r.URL.Path != "/logout" || s.origin.Check(r) != nil {
		return false
	}
	switch {
	case errors.Is(err, counterfoil.ErrNoSession), errors.Is(err, counterfoil.ErrUnknownSession):
		return true
	case errors.Is(err, counterfoil.ErrCSRF): // a form from before, and a visitor's session by now
		return !counterfoil.FromContext(r.Context()).Active()
	}
	return false
}
