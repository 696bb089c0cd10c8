package server

import (
	"net/http"

	"github.com/counterfoil/counterfoil"
)

func (s *Server) apiSessions(w http.ResponseWriter, r *http.Request) {
	sessions, err := s.sessions.Sessions(r.Context(), counterfoil.FromContext(r.Context()).User())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	list := make([]*sessionAnswer, len(sessions))
	for i, session := range sessions {
		list[i] = newSessionAnswer(session)
	}
	answer(w, http.StatusOK, map[string]any{"sessions": list})
}

func (s *Server) apiEndSession(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("sid")
	if id == counterfoil.FromContext(r.Context()).ID() {
		s.apiLogout(w, r)
		return
	}
	if asksToWait(r) {
		s.fail(w, r, errParameter)
		return
	}
	if err := s.sessions.EndOwn(r.Context(), id); err != nil {
		s.fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// asksToWait reports whether a request asks for what only the logout of the
// session at hand can do. Who was answered as usual would believe that it was done.
func asksToWait(r *http.Request) bool { return r.URL.Query().Has("wait") }

// apiEndSessions ends all sessions of the user, or all but the one at hand.
func (s *Server) apiEndSessions(w http.ResponseWriter, r *http.Request) {
	var n int
	var err error
	switch others := r.URL.Query()["others"]; {
	case asksToWait(r):
		err = errParameter
	case len(others) == 1 && others[0] == "true":
		n, err = s.sessions.EndOthers(r.Context())
	case len(others) == 0:
		n, err = s.endEverySession(r)
	default:
		err = errParameter // too much is at stake to guess
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, map[string]int{"ended": n})
}

func (s *Server) endEverySession(r *http.Request) (int, error) {
	n, err := s.sessions.EndUser(r.Context(), counterfoil.FromContext(r.Context()).User())
	if err != nil {
		return 0, err
	}
	return n, s.sessions.Logout(r.Context()) // for the cookie: the session has ended
}
