package server_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestBadInput: what a client sends wrongly is the client's error (req 46), and
// the status says which.
func TestBadInput(t *testing.T) {
	s := openSite(t)
	login := func(contentType, body string) func(c *client) reply {
		return func(c *client) reply {
			return c.do("POST", "/v1/login", http.Header{"Content-Type": {contentType}}, body)
		}
	}
	const good = `{"username":"john","password":"` + password + `"}`
	form := func(edit func(body string) (contentType, newBody string)) func(c *client) reply {
		return func(c *client) reply {
			contentType, body := edit("csrf_token=" + c.token("/login"))
			return c.do("POST", "/login", http.Header{"Content-Type": {contentType}}, body)
		}
	}
	const urlencoded = "application/x-www-form-urlencoded"
	for _, tc := range []struct {
		why    string
		send   func(c *client) reply
		status int
	}{
		{"a charset is fine", login("application/json; charset=UTF-8", good), 200},
		{"members in another order, and space", login("application/json", " {\"password\":\""+password+"\",\n\"username\":\"john\"} "), 200},
		{"unknown members are passed over", login("application/json", `{"x":{"y":[1,null]},`+good[1:]), 200},
		{"no content type", login("", good), 415},
		{"a form's content type", login(urlencoded, good), 415},
		{"text/plain, which other sites may send", login("text/plain", good), 415},
		{"another charset", login("application/json; charset=utf-16", good), 415},
		{"a broken content type", login("application/json;;", good), 415},
		{"two content types", func(c *client) reply {
			return c.do("POST", "/v1/login", http.Header{"Content-Type": {"application/json", "text/plain"}}, good)
		}, 415},
		{"an empty body", login("application/json", ""), 400},
		{"no JSON", login("application/json", "username=john"), 400},
		{"half an object", login("application/json", good[:20]), 400},
		{"a list", login("application/json", "["+good+"]"), 400},
		{"a string", login("application/json", `"john"`), 400},
		{"null", login("application/json", `null`), 400},
		{"something behind it", login("application/json", good+"x"), 400},
		{"a second object", login("application/json", good+good), 400},
		{"req 22: a name twice", login("application/json", `{"username":"jane",`+good[1:]), 400},
		{"req 22: a name twice, once escaped", login("application/json", `{"user\u006eame":"jane",`+good[1:]), 400},
		{"names count to the letter", login("application/json", strings.Replace(good, "username", "Username", 1)), 400},
		{"no password", login("application/json", `{"username":"john"}`), 400},
		{"a null password", login("application/json", `{"username":"john","password":null}`), 400},
		{"a number for a password", login("application/json", `{"username":"john","password":1}`), 400},
		{"bytes that are no UTF-8", login("application/json", "{\"username\":\"john\",\"password\":\"\xff\"}"), 400},
		{"too large", login("application/json", `{"x":"`+strings.Repeat("a", 20<<10)+`",`+good[1:]), 413},
		{"deep nesting", login("application/json", `{"x":`+strings.Repeat("[", 12<<10)+`}`), 400},
		{"NUL and the like in a name", login("application/json", `{"username":"jo\u0000hn\u202e","password":"x"}`), 401},
		{"a long name", login("application/json", `{"username":"`+strings.Repeat("j", 10<<10)+`","password":"x"}`), 401},

		{"a form with a field twice", form(func(b string) (string, string) { return urlencoded, b + "&username=john&username=jane&password=x" }), 400},
		{"a form with broken escapes", form(func(b string) (string, string) { return urlencoded, b + "&username=%zz" }), 400},
		{"a form that is no UTF-8", form(func(b string) (string, string) { return urlencoded, b + "&username=%ff" }), 400},
		{"a form with semicolons", form(func(b string) (string, string) { return urlencoded, b + ";username=john" }), 400},
		{"a form that is too large", form(func(b string) (string, string) { return urlencoded, b + "&username=" + strings.Repeat("a", 20<<10) }), 413},
		{"a form with nothing in it", form(func(b string) (string, string) { return urlencoded, b }), 401},
		{"a multipart form without an end", form(func(b string) (string, string) { return "multipart/form-data; boundary=x", "--x\r\n" }), 403},
		{"a multipart form without a boundary", form(func(b string) (string, string) { return "multipart/form-data", b }), 400},
		{"a multipart form", form(func(b string) (string, string) {
			return "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"csrf_token\"\r\n\r\n" + strings.TrimPrefix(b, "csrf_token=") + "\r\n--x--\r\n"
		}), 415},

		{"a cookie in an odd case", withHeader("GET", "/v1/session", "Cookie", "Counterfoil=x"), 401},
		{"a cookie in quotes", withHeader("GET", "/v1/session", "Cookie", cookieName+`="x"`), 401},
		{"$Version", withHeader("GET", "/v1/session", "Cookie", "$Version=1; "+cookieName+"=x"), 401},
		{"a huge cookie", withHeader("GET", "/v1/session", "Cookie", cookieName+"="+strings.Repeat("x", 20<<10)), 400},
		{"two cookies that differ", withHeader("GET", "/login", "Cookie", cookieName+"=x; "+cookieName+"=y"), 400},
		{"headers beyond all bounds", withHeader("GET", "/login", "X-Filler", strings.Repeat("x", 64<<10)), 431},
		{"a token with a NUL's worth of dots", withHeader("GET", "/v1/session", "Authorization", "Bearer "+strings.Repeat(".", 10<<10)), 401},
		{"a wild Origin", withHeader("POST", "/logout", "Origin", "%%%://"), 403},
		{"no session id", withHeader("DELETE", "/v1/sessions/..%2f..%2fetc", "Authorization", "Bearer "+s.apiLogin().AccessToken), 404},
	} {
		if answer := tc.send(s.newClient()); answer.StatusCode != tc.status {
			t.Errorf("%s: status %d, want %d\n%s", tc.why, answer.StatusCode, tc.status, answer.body)
		}
	}
}

func withHeader(method, path, name, value string) func(c *client) reply {
	return func(c *client) reply { return c.do(method, path, http.Header{name: {value}}, "") }
}

// FuzzRequests sends anything to the routes that read a body or a header.
// Nobody may get in, and nothing may be the server's failure.
func FuzzRequests(f *testing.F) {
	s := openSite(f)
	handler := s.server.Handler()
	f.Add("POST", "/v1/login", "application/json", `{"username":"mary","password":"x"}`, cookieName+"=a", "")
	f.Add("POST", "/v1/token", "application/x-www-form-urlencoded", "grant_type=refresh_token&refresh_token=a", "", "")
	f.Add("POST", "/login", "multipart/form-data; boundary=x", "--x--", cookieName+"="+strings.Repeat("A", 64), "http://localhost")
	f.Add("GET", "/login?next=//evil.test", "", "", cookieName+`="`, "")
	f.Add("GET", "/v1/session", "", "", "", "Bearer eyJ.e30.AA")
	f.Add("DELETE", "/v1/sessions/%00?others=true", "", "", "a=b; ;;=", "Basic")
	f.Fuzz(func(t *testing.T, method, target, contentType, body, cookie, authorization string) {
		r, err := http.NewRequest(method, "http://localhost/", strings.NewReader(body))
		if err != nil {
			return // no client can send that
		}
		if r.URL, err = r.URL.Parse(target); err != nil || r.URL.Host != "localhost" {
			return
		}
		r.RequestURI, r.RemoteAddr = r.URL.RequestURI(), "192.0.2.1:1"
		r.Header = http.Header{"Content-Type": {contentType}, "Cookie": {cookie}, "Authorization": {authorization}}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Errorf("%s %q: %d %s", method, target, w.Code, w.Body)
		}
		if w.Code == 200 && strings.HasPrefix(r.URL.Path, "/v1/") {
			t.Errorf("%s %q: let in: %s", method, target, w.Body)
		}
		if w.Header().Get("Content-Security-Policy") == "" {
			t.Errorf("%s %q: %d without the security headers", method, target, w.Code)
		}
	})
}

// TestMissingFieldIsTold: who writes a client need not guess what can't be read.
func TestMissingFieldIsTold(t *testing.T) {
	s := openSite(t)
	json := http.Header{"Content-Type": {"application/json"}}
	for body, want := range map[string]string{
		`{"username":"john"}`: "each field that is asked for",
		`{`:                   "can't be read",
	} {
		answer := s.newClient().do("POST", "/v1/login", json, body)
		if detail := decode[map[string]any](t, answer)["detail"].(string); !strings.Contains(detail, want) {
			t.Errorf("%s: the answer says %q, want %q", body, detail, want)
		}
	}
}
