package sockets

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/bench/internal/report"
)

// Each server finds the user by the credential, and nobody without one or with
// another.
func TestServersDoTheirWork(t *testing.T) {
	for _, s := range servers {
		t.Run(s.name, func(t *testing.T) {
			var handler http.Handler
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
			defer server.Close()
			var header string
			var err error
			if handler, header, err = s.open(strings.Replace(server.URL, "127.0.0.1", "localhost", 1)); err != nil {
				t.Fatal(err)
			}
			guarded := s.kind != report.Limit
			if err := (target{server.URL, header}).works(t.Context(), userID, guarded); err != nil {
				t.Fatal(err)
			}
			if !guarded {
				return
			}
			forged := target{server.URL, header[:len(header)-8] + "AAAAAAAA"}
			if status, body, err := forged.get(t.Context()); err != nil || status == http.StatusOK || strings.Contains(body, userID) {
				t.Errorf("a forged credential: %d %q, %v", status, body, err)
			}
		})
	}
}

// The crowd counts a login only where a password was looked at.
func TestCrowdTellsAnswersApart(t *testing.T) {
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(status) }))
	defer server.Close()
	var s seen
	for _, status = range []int{200, 401, 401, 429, 503, 500} {
		s.try(t.Context(), server.Client(), server.URL, 3)
	}
	got := s.tally(time.Second)
	got.P50, got.Max = 0, 0
	if want := (tally{Seconds: 1, LoggedIn: 1, Wrong: 2, Refused: 2, Failed: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
