package counterfoil_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"

	"github.com/counterfoil/counterfoil"
)

// A site with a login form, a page for users, and a logout; and John, who uses
// them.
func Example() {
	sessions, err := counterfoil.New(counterfoil.Config{PublicURL: "http://localhost:8080"})
	if err != nil {
		panic(err)
	}
	defer sessions.Close()

	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		token, err := counterfoil.CSRFToken(r.Context()) // for the form's hidden field
		if err != nil {
			counterfoil.WriteError(w, r, err)
			return
		}
		io.WriteString(w, token)
	})
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		// Check the password here.
		if err := sessions.Login(r.Context(), counterfoil.Login{User: "john"}); err != nil {
			counterfoil.WriteError(w, r, err)
			return
		}
		fmt.Fprintln(w, "Welcome")
	})
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "You are %q\n", counterfoil.FromContext(r.Context()).User())
	})

	server := httptest.NewServer(sessions.Handler(mux))
	defer server.Close()
	jar, _ := cookiejar.New(nil)
	john := &http.Client{Jar: jar}

	fmt.Print(show(john.Get(server.URL + "/")))
	csrf := show(john.Get(server.URL + "/login"))
	fmt.Print(show(john.PostForm(server.URL+"/login", url.Values{"csrf_token": {csrf}})))
	fmt.Print(show(john.Get(server.URL + "/")))
	// Output:
	// You are ""
	// Welcome
	// You are "john"
}

func show(res *http.Response, err error) string {
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	return string(body)
}

// Keys give the session's values a type.
func ExampleKey() {
	cart := counterfoil.NewKey[[]string]("cart")
	add := func(w http.ResponseWriter, r *http.Request) {
		err := cart.Update(r.Context(), func(items []string) ([]string, error) {
			return append(items, r.FormValue("item")), nil
		})
		if err != nil {
			counterfoil.WriteError(w, r, err)
			return
		}
		items, _ := cart.Get(r.Context())
		fmt.Println(items)
	}

	sessions, err := counterfoil.New(counterfoil.Config{})
	if err != nil {
		panic(err)
	}
	defer sessions.Close()
	sessions.Handler(http.HandlerFunc(add)).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/?item=pen", nil))
	// Output: [pen]
}
