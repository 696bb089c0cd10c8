package forwardauth_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/forwardauth"
)

// A proxy on this machine asks about a page that nobody has logged in for.
func Example() {
	sessions, err := counterfoil.New(counterfoil.Config{PublicURL: "https://app.example.com"})
	if err != nil {
		log.Fatal(err)
	}
	defer sessions.Close()
	front, err := forwardauth.New(forwardauth.Config{
		Sessions:       sessions,
		LoginURL:       "https://app.example.com/login",
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/auth", front)
	// The application's login page, within sessions.Handler, asks
	// front.MayReturnTo before it redirects to next.

	question := httptest.NewRequest("GET", "/auth", nil)
	question.RemoteAddr = "127.0.0.1:4711"
	question.Header.Set("X-Forwarded-Proto", "https")
	question.Header.Set("X-Forwarded-Host", "app.example.com")
	question.Header.Set("X-Forwarded-Uri", "/reports?year=2026")
	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, question)
	fmt.Println(answer.Code, answer.Header().Get("X-Login-URL"))
	// Output:
	// 401 https://app.example.com/login?next=https%3A%2F%2Fapp.example.com%2Freports%3Fyear%3D2026
}
