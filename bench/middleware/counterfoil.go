package middleware

import (
	"io"
	"log/slog"
	"net/http"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/bench/internal/report"
	"github.com/counterfoil/counterfoil/bench/internal/web"
	"github.com/counterfoil/counterfoil/store"
)

var noteKey = counterfoil.NewKey[string]("note")

// newCounterfoil mounts ours, with its defaults, but that all others who are logged
// in are the same user, too. The user and the time of his login are the session's
// own.
func newCounterfoil(tb testing.TB, name string, s store.Store) app {
	m, err := counterfoil.New(counterfoil.Config{Store: s, PublicURL: web.Origin, MaxSessions: -1, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := m.Close(); err != nil {
			tb.Error(err)
		}
	})
	var other nextNote
	return app{name: name, kind: report.Ours, keepsOnServer: true, routes: wrap(m.Handler, map[string]http.HandlerFunc{
		form: func(w http.ResponseWriter, r *http.Request) {
			if _, err := counterfoil.CSRFToken(r.Context()); err != nil {
				counterfoil.WriteError(w, r, err)
			}
		},
		login: func(w http.ResponseWriter, r *http.Request) {
			if err := m.Login(r.Context(), counterfoil.Login{User: user, InsecureAllowGET: true}); err != nil {
				counterfoil.WriteError(w, r, err)
				return
			}
			if err := noteKey.Set(r.Context(), notes[0]); err != nil {
				counterfoil.WriteError(w, r, err)
			}
		},
		identity: func(w http.ResponseWriter, r *http.Request) {
			if counterfoil.FromContext(r.Context()).User() != user {
				w.WriteHeader(http.StatusUnauthorized)
			}
		},
		read: func(w http.ResponseWriter, r *http.Request) {
			if counterfoil.FromContext(r.Context()).User() != user {
				w.WriteHeader(http.StatusUnauthorized)
			} else if note, err := noteKey.Get(r.Context()); err != nil || len(note) != noteSize {
				w.WriteHeader(http.StatusInternalServerError)
			}
		},
		change: func(w http.ResponseWriter, r *http.Request) {
			if counterfoil.FromContext(r.Context()).User() != user {
				w.WriteHeader(http.StatusUnauthorized)
			} else if err := noteKey.Set(r.Context(), other.next()); err != nil {
				counterfoil.WriteError(w, r, err)
			}
		},
		show: func(w http.ResponseWriter, r *http.Request) {
			note, err := noteKey.Get(r.Context())
			if err != nil {
				counterfoil.WriteError(w, r, err)
				return
			}
			session := counterfoil.FromContext(r.Context())
			io.WriteString(w, shown(session.User(), session.AuthTime(), note))
		},
	})}
}
