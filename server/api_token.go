package server

import (
	"errors"
	"net/http"

	"github.com/counterfoil/counterfoil"
)

// apiToken exchanges a refresh token (RFC 6749 section 6).
func (s *Server) apiToken(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Pragma", "no-cache") // RFC 6749 section 5.1, beside Cache-Control
	token, err := readRefreshToken(w, r)
	if err != nil {
		s.failToken(w, r, err)
		return
	}
	grant, err := s.sessions.Refresh(r.Context(), token)
	if err != nil {
		s.failToken(w, r, err)
		return
	}
	answerGrant(w, grant)
}

var errGrantType = errors.New("server: unknown grant type")

func readRefreshToken(w http.ResponseWriter, r *http.Request) (string, error) {
	body, err := readBody(w, r, formType)
	if err != nil {
		return "", err
	}
	form, err := parseForm(body)
	switch {
	case err != nil:
		return "", err
	case form["grant_type"] == "":
		return "", errUnreadable
	case form["grant_type"] != "refresh_token":
		return "", errGrantType
	case form["refresh_token"] == "":
		return "", errUnreadable
	}
	return form["refresh_token"], nil
}

// failToken answers with an error of RFC 6749 section 5.2.
func (s *Server) failToken(w http.ResponseWriter, r *http.Request, err error) {
	status, code := problemFor(err).Status, "invalid_request"
	switch {
	case errors.Is(err, errGrantType):
		status, code = http.StatusBadRequest, "unsupported_grant_type"
	case errors.Is(err, counterfoil.ErrInvalidGrant):
		code = "invalid_grant"
		Audit(s.log)(r.Context(), counterfoil.Event{Kind: counterfoil.RequestRefused, Address: s.clientAddress(r).String(), Err: counterfoil.ErrInvalidGrant})
	case status >= 500:
		code = "temporarily_unavailable"
	}
	s.incident(r, status, err)
	setRetryAfter(w, status, err)
	answer(w, status, map[string]string{"error": code})
}
