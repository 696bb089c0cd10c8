package server_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil/server"
)

// TestRoundTrip walks the five steps that the server exists for, on every
// store.
func TestRoundTrip(t *testing.T) {
	onEveryStore(t, func(t *testing.T, use func(*server.Config)) {
		s := openSite(t, use)
		c := s.newClient()

		// 1. The first visit to a page with a form makes a session: its id goes
		// to the browser as a cookie, its CSRF token into a hidden field.
		token := c.token("/login")
		anonymous := c.cookie()
		if len(anonymous) < 64 || strings.Contains(anonymous, token) || strings.Contains(token, anonymous) {
			t.Fatalf("cookie %q, token %q: want two long and different things", anonymous, token)
		}

		// 2. The form comes back. No cookie, an unknown cookie, another CSRF
		// token: refused. Otherwise it is processed.
		credentials := []string{"username", "john", "password", password}
		want(t, s.withCookie("").post("/login", token, credentials...), 403)
		want(t, s.withCookie("A"+anonymous[1:]+"A").post("/login", token, credentials...), 403)
		unknown := flip(anonymous)
		want(t, s.withCookie(unknown).post("/login", token, credentials...), 403)
		want(t, c.post("/login", s.newClient().token("/login"), credentials...), 403)
		want(t, c.post("/login", token, "username", "john", "password", "wrong"), 401)

		// 3. Good credentials: the session says who it is, under a new id, and a
		// JWT is made whose claims say who it is and which session it is of.
		answer := c.post("/login", token, credentials...)
		want(t, answer, 303)
		active := c.cookie()
		if active == anonymous {
			t.Fatal("the login kept the cookie")
		}
		csrf := decode[map[string]string](t, c.get("/v1/csrf"))["csrf_token"]
		answer = c.do("POST", "/v1/session/token", http.Header{"X-Csrf-Token": {csrf}}, "")
		want(t, answer, 200)
		jwt := decode[grant](t, answer).AccessToken
		claims := claimsOf(t, jwt)
		session := decode[map[string]any](t, c.get("/v1/session"))
		if claims["sub"] != s.john.ID || claims["preferred_username"] != "john" || claims["sid"] != session["id"] || claims["iss"] != s.url {
			t.Fatalf("claims %v, session %v", claims, session)
		}

		// 4. Requests bring the cookie or the JWT, and the server knows.
		api := s.withCookie("")
		want(t, c.get("/account"), 200)
		byToken := api.do("GET", "/v1/session", bearer(jwt), "")
		want(t, byToken, 200)
		if got := decode[map[string]any](t, byToken)["user"]; got != "john" {
			t.Fatalf("user %v, want john", got)
		}

		// 5. Logout destroys the session. The cookie is dead, and so is the JWT,
		// at once, though its exp lies ahead.
		answer = c.post("/logout", c.token("/account"))
		want(t, answer, 303)
		if answer.Header.Get("Clear-Site-Data") == "" || c.cookie() != "" {
			t.Fatalf("the logout left the cookie %q", c.cookie())
		}
		want(t, s.withCookie(active).get("/v1/session"), 401)
		want(t, api.do("GET", "/v1/session", bearer(jwt), ""), 401)
	})
}

// flip changes one letter of a cookie's secret half.
func flip(cookie string) string {
	b := []byte(cookie)
	if b[40] == 'x' {
		b[40] = 'y'
	} else {
		b[40] = 'x'
	}
	return string(b)
}

func claimsOf(t *testing.T, jwt string) (claims map[string]any) {
	t.Helper()
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no JWT", jwt)
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	check(t, err)
	check(t, json.Unmarshal(raw, &claims))
	return claims
}
