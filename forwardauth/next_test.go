package forwardauth_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// TestMayReturnTo holds the corpus of open redirects to other origins (3.7.2,
// req 38).
func TestMayReturnTo(t *testing.T) {
	front := newSite(t).front
	for _, good := range []string{
		appURL + "/", appURL + "/a/b?c=d&e=//f#g", appURL + "/a%20b", appURL + "/caf%C3%A9", authURL + "/account", appURL + "//a", appURL + "/?u=https://evil.test/",
	} {
		if !front.MayReturnTo(good) {
			t.Errorf("%q is refused", good)
		}
	}
	for _, bad := range []string{
		"", "/", "/a", "//app.example.com/", appURL, appURL + "?x", appURL + "#x", "app.example.com/", "https:/app.example.com/", "https:app.example.com/",
		"https://evil.test/", "http://app.example.com/", "HTTPS://app.example.com/", "https://APP.example.com/", appURL + ":443/", appURL + ":8443/",
		appURL + ".evil.test/", appURL + "@evil.test/", appURL + ":x@evil.test/", appURL + "evil.test/", appURL + ".", appURL + "./", "https://evil.test/" + appURL + "/",
		"https://evil.test?" + appURL + "/", "https://evil.test#" + appURL + "/", "https://user@app.example.com/", "https://evil.test\\" + "@app.example.com/",
		appURL + `\evil.test/`, appURL + `\@evil.test/`, appURL + `/\evil.test`, appURL + "/%5cevil", appURL + "/%0d%0aSet-Cookie:a=b", appURL + "/\r\nSet-Cookie:a=b",
		appURL + "/\t", appURL + "\t/", " " + appURL + "/", appURL + "/a b", appURL + "/é", appURL + "/\x00", appURL + "/%zz", appURL + "/%00",
		"javascript:alert(1)//" + appURL + "/", "data:text/html," + appURL + "/", "https://app.example.com\u3002evil.test/", "https://app.example.com%2eevil.test/",
		"https://wiki.example.com/", "https://example.com/", "https://[::1]/", appURL + "/" + strings.Repeat("a", 2048),
	} {
		if front.MayReturnTo(bad) {
			t.Errorf("%q is allowed", bad)
		}
	}
}

// FuzzMayReturnTo: wherever a login leads, a browser stays on a listed origin.
func FuzzMayReturnTo(f *testing.F) {
	front := newSite(f).front
	for _, seed := range []string{appURL + "/", appURL + "@evil.test/", appURL + `/\evil.test`, "//evil.test", authURL + "/a?b#c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, next string) {
		if !front.MayReturnTo(next) {
			return
		}
		w := httptest.NewRecorder()
		http.Redirect(w, httptest.NewRequest("POST", authURL+"/login", nil), next, http.StatusSeeOther)
		// What browsers do to a URL before they read it (WHATWG URL, basic parser).
		location := strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(strings.Trim(w.Header().Get("Location"), " "))
		u, err := url.Parse(location)
		if err != nil || u.User != nil || u.Scheme+"://"+u.Host != appURL && u.Scheme+"://"+u.Host != authURL {
			t.Errorf("%q leads to %q", next, location)
		}
	})
}

// FuzzQuestion: whatever a proxy may be made to ask, nobody comes in without a
// session, and the login URL stays ours.
func FuzzQuestion(f *testing.F) {
	s := newSite(f)
	f.Add("GET", "https", "app.example.com", "/a?b=c", appURL+"/a", "uri=/a")
	f.Add("POST", "http", "evil.test", "//", "https://evil.test@app.example.com", "redirect")
	f.Fuzz(func(t *testing.T, method, proto, host, uri, full, query string) {
		r := httptest.NewRequest("GET", "/auth", nil)
		r.RemoteAddr, r.URL.RawQuery = proxy, query
		for name, value := range map[string]string{
			"X-Forwarded-Method": method, "X-Forwarded-Proto": proto, "X-Forwarded-Host": host, "X-Forwarded-Uri": uri, "X-Original-Url": full,
		} {
			if value != "" {
				r.Header[name] = []string{value}
			}
		}
		w := httptest.NewRecorder()
		s.front.ServeHTTP(w, r)
		login := w.Header().Get("X-Login-URL") + w.Header().Get("Location")
		if w.Code == http.StatusOK || login != "" && !strings.HasPrefix(login, authURL+"/login") {
			t.Errorf("%d, to %q", w.Code, login)
		}
		u, err := url.Parse(login)
		if err != nil {
			t.Fatal(err)
		}
		if next := u.Query().Get("next"); next != "" && !s.front.MayReturnTo(next) {
			t.Errorf("the login leads to %q", next)
		}
	})
}
