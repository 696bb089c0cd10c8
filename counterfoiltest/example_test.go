package counterfoiltest_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/counterfoiltest"
)

// A test of a page that greets its user.
func ExampleBrowser() {
	_ = func(t *testing.T) {
		sessions, err := counterfoil.New(counterfoil.Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer sessions.Close()
		greeting := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "Hello %s", counterfoil.FromContext(r.Context()).Name())
		})

		b := counterfoiltest.NewBrowser(t, sessions.Handler(greeting))
		b.LogIn(sessions, counterfoil.Login{User: "u1", Name: "John"})
		if got := text(b.Get("/")); got != "Hello John" {
			t.Errorf("the page says %q", got)
		}
	}
}
