package server

import (
	"net/http"
	"time"

	"github.com/counterfoil/counterfoil"
)

// tokenAnswer is what a program gets that keeps tokens (RFC 6749 section 5.1).
type tokenAnswer struct {
	AccessToken  string         `json:"access_token"`
	TokenType    string         `json:"token_type"`
	ExpiresIn    int            `json:"expires_in"` // seconds
	RefreshToken string         `json:"refresh_token,omitempty"`
	Session      *sessionAnswer `json:"session,omitempty"`
}

func newTokenAnswer(t counterfoil.AccessToken) tokenAnswer {
	return tokenAnswer{AccessToken: t.Token, TokenType: "Bearer", ExpiresIn: int(t.ExpiresIn / time.Second)}
}

func answerGrant(w http.ResponseWriter, g counterfoil.Grant) {
	a := newTokenAnswer(g.AccessToken)
	a.RefreshToken, a.Session = g.RefreshToken, newSessionAnswer(g.Session)
	answer(w, http.StatusOK, a)
}

// apiLogin takes credentials for tokens. It sets and reads no cookie, and a
// page of another site can't send this content type without asking first, so
// there is nothing to forge.
func (s *Server) apiLogin(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(w, r, jsonType)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	fields, err := parseObject(body, []string{"username", "password"}, "resource")
	if err != nil {
		s.fail(w, r, err)
		return
	}
	login, err := s.authenticate(r, fields["username"], fields["password"], "")
	if err != nil {
		s.fail(w, r, err)
		return
	}
	grant, err := s.sessions.LoginClient(r.Context(), login, counterfoil.Client{
		UserAgent: r.UserAgent(),
		Address:   s.clientAddress(r).String(),
		Resource:  fields["resource"],
	})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	answerGrant(w, grant)
}
