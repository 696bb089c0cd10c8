package counterfoiltest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/counterfoiltest"
)

// site is what somebody may want to test: a page with a form, and what the form
// does.
func site(t *testing.T, c counterfoil.Config) (*counterfoil.Manager, http.Handler) {
	t.Helper()
	m, err := counterfoil.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		field, err := counterfoil.CSRFField(r.Context())
		if err != nil {
			counterfoil.WriteError(w, r, err)
			return
		}
		fmt.Fprintf(w, "<form>%s</form>", field)
	})
	mux.HandleFunc("POST /hello", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "Hello %s from %s", r.PostFormValue("to"), counterfoil.FromContext(r.Context()).User())
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		if err := m.Logout(r.Context()); err != nil {
			counterfoil.WriteError(w, r, err)
		}
	})
	return m, m.Handler(mux)
}

func TestBrowser(t *testing.T) {
	for _, c := range []struct {
		why    string
		config counterfoil.Config
	}{
		{"on https", counterfoil.Config{PublicURL: "https://app.example.com"}},
		{"on localhost", counterfoil.Config{PublicURL: "http://localhost:8080"}},
		{"without a public URL", counterfoil.Config{}},
	} {
		t.Run(c.why, func(t *testing.T) {
			m, handler := site(t, c.config)
			b := counterfoiltest.NewBrowser(t, handler)
			if res := b.Post("/hello", nil); res.StatusCode != http.StatusForbidden {
				t.Errorf("a form before the first visit: %s", res.Status)
			}
			b.Get("/")
			if got := text(b.Post("/hello", url.Values{"to": {"Mary"}})); got != "Hello Mary from " {
				t.Errorf("as a visitor: %q", got)
			}
			b.LogIn(m, counterfoil.Login{User: "john"})
			if got := b.Session(m).User(); got != "john" {
				t.Errorf("the session is %q's", got)
			}
			if got := text(b.Post("/hello", url.Values{"to": {"Mary"}})); got != "Hello Mary from john" {
				t.Errorf("as a user: %q", got)
			}
			if res := b.Post("/hello", url.Values{counterfoil.CSRFFieldName: {"forged"}}); res.StatusCode != http.StatusForbidden {
				t.Errorf("a forged form: %s", res.Status)
			}
			b.Post("/logout", nil)
			if b.Session(m).Active() {
				t.Error("still logged in")
			}
		})
	}
}

func text(res *http.Response) string {
	body, _ := io.ReadAll(res.Body)
	return string(body)
}
