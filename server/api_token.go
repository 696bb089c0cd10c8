package server

import (
	"errors"
	"net/http"
)

// apiToken exchanges a refresh token (RFC 6749 section 6).
func (s *Server) apiToken(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Pragma", "no-cache") // RFC 6749 section 5.1, beside Cache-Control
	form, err := readRefresh(w, r)
	if err != nil {
		s.failOAuth(w, r, err)
		return
	}
	grant, err := s.sessions.RefreshFor(r.Context(), form["refresh_token"], form["resource"])
	if err != nil {
		s.failOAuth(w, r, err)
		return
	}
	answerGrant(w, grant)
}

var errGrantType = errors.New("server: unknown grant type")

func readRefresh(w http.ResponseWriter, r *http.Request) (map[string]string, error) {
	body, err := readBody(w, r, formType)
	if err != nil {
		return nil, err
	}
	form, err := parseForm(body)
	switch {
	case err != nil:
		return nil, err
	case form["grant_type"] == "":
		return nil, errUnreadable
	case form["grant_type"] != "refresh_token":
		return nil, errGrantType
	case form["refresh_token"] == "":
		return nil, errUnreadable
	}
	return form, nil
}
