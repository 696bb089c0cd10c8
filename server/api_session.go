package server

import (
	"net/http"
	"time"

	"github.com/counterfoil/counterfoil"
)

// sessionAnswer is a session as programs see it.
type sessionAnswer struct {
	ID         string   `json:"id"`
	User       string   `json:"user"` // the name; the stable id is sub, as in tokens
	Subject    string   `json:"sub"`
	CreatedAt  string   `json:"created_at"`
	LastSeenAt string   `json:"last_seen_at"`
	ExpiresAt  string   `json:"expires_at"`
	AuthTime   string   `json:"auth_time"`
	AMR        []string `json:"amr"`
	Current    bool     `json:"current"`
}

func newSessionAnswer(s *counterfoil.Session) *sessionAnswer {
	return &sessionAnswer{
		ID:         s.ID(),
		User:       s.Name(),
		Subject:    s.User(),
		CreatedAt:  timestamp(s.Created()),
		LastSeenAt: timestamp(s.LastSeen()),
		ExpiresAt:  timestamp(s.Expires()),
		AuthTime:   timestamp(s.AuthTime()),
		AMR:        s.Methods(),
		Current:    s.Current(),
	}
}

// timestamp is what time.Time.MarshalJSON writes, in UTC. That package json reads
// again, as it does with everybody's JSON, which takes twice as long.
func timestamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

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

// apiSessionToken signs an access token for the session at hand. A body may say
// for which resource.
func (s *Server) apiSessionToken(w http.ResponseWriter, r *http.Request) {
	resource, err := readResource(w, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	token, err := s.sessions.IssueTokenFor(r.Context(), resource)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, newTokenAnswer(token))
}

// readResource returns the resource of a form or a JSON object; empty: there is
// no body, or it names none.
func readResource(w http.ResponseWriter, r *http.Request) (string, error) {
	if r.ContentLength == 0 || r.Header.Get("Content-Type") == "" {
		return "", nil
	}
	if checkContentType(r, jsonType) != nil {
		form, err := postedForm(w, r)
		return form["resource"], err
	}
	body, err := readBody(w, r, jsonType)
	if err != nil {
		return "", err
	}
	fields, err := parseObject(body, nil, "resource")
	return fields["resource"], err
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
