package middleware

import (
	"crypto/rand"
	"encoding/gob"
	"io"
	"net/http"
	"time"

	"github.com/gorilla/sessions"

	"github.com/counterfoil/counterfoil/bench/internal/report"
)

func init() { gob.Register(time.Time{}) } // its values are gob-encoded behind interfaces

// newGorilla mounts gorilla/sessions with its cookie store, signed and not
// encrypted: that is the cheaper one of the two that its README shows. It has
// no middleware.
func newGorilla(name string) app {
	key := make([]byte, 32)
	rand.Read(key)
	store := sessions.NewCookieStore(key)
	store.Options.Secure = true
	store.Options.HttpOnly = true
	var other nextNote
	with := func(use func(http.ResponseWriter, *http.Request, *sessions.Session)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			s, err := store.Get(r, "session")
			if err != nil {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			use(w, r, s)
		}
	}
	known := func(w http.ResponseWriter, s *sessions.Session) bool {
		if name, _ := s.Values["user"].(string); name != user {
			w.WriteHeader(http.StatusUnauthorized)
			return false
		}
		return true
	}
	save := func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
		if err := s.Save(r, w); err != nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}
	return app{name: name, kind: report.Peer, routes: routes{
		login: with(func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			s.Values["user"], s.Values["login"], s.Values["note"] = user, loginTime, notes[0]
			save(w, r, s)
		}),
		identity: with(func(w http.ResponseWriter, _ *http.Request, s *sessions.Session) { known(w, s) }),
		read: with(func(w http.ResponseWriter, _ *http.Request, s *sessions.Session) {
			if !known(w, s) {
				return
			}
			if note, _ := s.Values["note"].(string); len(note) != noteSize {
				w.WriteHeader(http.StatusInternalServerError)
			}
		}),
		change: with(func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			if known(w, s) {
				s.Values["note"] = other.next()
				save(w, r, s)
			}
		}),
		show: with(func(w http.ResponseWriter, _ *http.Request, s *sessions.Session) {
			name, _ := s.Values["user"].(string)
			at, _ := s.Values["login"].(time.Time)
			note, _ := s.Values["note"].(string)
			io.WriteString(w, shown(name, at, note))
		}),
	}}
}
