package server

import (
	"net/http"
	"time"

	"github.com/counterfoil/counterfoil"
)

// sessionAnswer is a session as programs see it. Times are in UTC.
type sessionAnswer struct {
	ID         string    `json:"id"`
	User       string    `json:"user"` // the name; the stable id is sub, as in tokens
	Subject    string    `json:"sub"`
	CreatedAt  time.Time `json:"created_at"`
	LastSeenAt time.Time `json:"last_seen_at"`
	ExpiresAt  time.Time `json:"expires_at"`
	AuthTime   time.Time `json:"auth_time"`
	AMR        []string  `json:"amr"`
	Current    bool      `json:"current"`
}

func newSessionAnswer(s *counterfoil.Session) *sessionAnswer {
	return &sessionAnswer{
		ID:         s.ID(),
		User:       s.Name(),
		Subject:    s.User(),
		CreatedAt:  s.Created().UTC(),
		LastSeenAt: s.LastSeen().UTC(),
		ExpiresAt:  s.Expires().UTC(),
		AuthTime:   s.AuthTime().UTC(),
		AMR:        s.Methods(),
		Current:    s.Current(),
	}
}

func (s *Server) apiSession(w http.ResponseWriter, r *http.Request) {
	answer(w, http.StatusOK, newSessionAnswer(counterfoil.FromContext(r.Context())))
}

// apiCSRF gives a program that keeps a cookie the token for its unsafe requests.
func (s *Server) apiCSRF(w http.ResponseWriter, r *http.Request) {
	token, err := counterfoil.CSRFToken(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, map[string]string{counterfoil.CSRFFieldName: token})
}

// apiSessionToken signs an access token for the session at hand.
func (s *Server) apiSessionToken(w http.ResponseWriter, r *http.Request) {
	token, err := s.sessions.IssueToken(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, newTokenAnswer(token))
}

// apiLogout ends the session at hand. With wait=everywhere it answers when no
// node and no verifier accepts the session any more.
func (s *Server) apiLogout(w http.ResponseWriter, r *http.Request) {
	logout := s.sessions.Logout
	switch wait := r.URL.Query()["wait"]; {
	case len(wait) == 1 && wait[0] == "everywhere":
		logout = s.sessions.LogoutEverywhere
	case len(wait) > 0:
		s.fail(w, r, errParameter) // he would believe that it is true everywhere
		return
	}
	if err := logout(r.Context()); err != nil {
		s.fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
