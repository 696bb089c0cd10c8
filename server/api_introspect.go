package server

import (
	"errors"
	"net/http"
	"slices"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/server/client"
)

// An introspectionAnswer says what a token stands for (RFC 7662 section 2.2).
// Dates are in seconds.
type introspectionAnswer struct {
	Active    bool     `json:"active"`
	Subject   string   `json:"sub"`
	Username  string   `json:"username"`
	SessionID string   `json:"sid"`
	Issuer    string   `json:"iss"`
	Expires   int64    `json:"exp"`
	AuthTime  int64    `json:"auth_time"`
	Methods   []string `json:"amr"`

	// What only access tokens have.
	TokenType string   `json:"token_type,omitempty"`
	Audience  []string `json:"aud,omitempty"`
	IssuedAt  int64    `json:"iat,omitempty"`
	ID        string   `json:"jti,omitempty"`
}

func newIntrospectionAnswer(i counterfoil.Introspection, issuer string) introspectionAnswer {
	a := introspectionAnswer{
		Active:    true,
		Subject:   i.Session.User(),
		Username:  i.Session.Name(),
		SessionID: i.Session.ID(),
		Issuer:    issuer,
		Expires:   i.Expires.Unix(),
		AuthTime:  i.Session.AuthTime().Unix(),
		Methods:   i.Session.Methods(),
	}
	if c := i.Access; c != nil {
		a.TokenType, a.Issuer, a.Audience, a.IssuedAt, a.ID = "Bearer", c.Issuer, c.Audience, c.IssuedAt.Unix(), c.ID
	}
	return a
}

// apiIntrospect tells a resource server what a token stands for (RFC 7662). Of a
// token that does not work it tells nothing, not even why.
func (s *Server) apiIntrospect(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Pragma", "no-cache")
	asked, err := askedToken(r)
	if err != nil {
		s.failOAuth(w, r, err)
		return
	}
	known, err := s.sessions.Introspect(r.Context(), asked)
	switch {
	case errors.Is(err, counterfoil.ErrInvalidToken), err == nil && !mayLearn(senderOf(r).client, known):
		answer(w, http.StatusOK, map[string]bool{"active": false})
	case err != nil:
		s.failOAuth(w, r, err)
	default:
		answer(w, http.StatusOK, newIntrospectionAnswer(known, s.sessions.Issuer()))
	}
}

// mayLearn reports whether the client learns about this token. A client with an
// audience learns of tokens for that: it can try no other, and no refresh token
// is anybody's but the program's that it was given to.
func mayLearn(c client.Client, i counterfoil.Introspection) bool {
	if len(c.Audience) == 0 {
		return true
	}
	return i.Access != nil && slices.ContainsFunc(i.Access.Audience, func(a string) bool { return slices.Contains(c.Audience, a) })
}

// apiRevoke ends the session of a token (RFC 7009). It answers the same for what
// is no token.
func (s *Server) apiRevoke(w http.ResponseWriter, r *http.Request) {
	asked, err := askedToken(r)
	if err == nil {
		err = s.sessions.Revoke(r.Context(), asked)
	}
	if err != nil {
		s.failOAuth(w, r, err)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// askedToken returns the token that a request is about. What kind it is shows by
// itself, so token_type_hint is passed over.
func askedToken(r *http.Request) (string, error) {
	token := senderOf(r).form["token"]
	if token == "" {
		return "", errUnreadable
	}
	return token, nil
}
