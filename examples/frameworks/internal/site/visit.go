package site

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// Visit logs in, is known, logs out and is nobody, on a site at that address.
func Visit(t *testing.T, address string) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	v := &visitor{t: t, address: address, http: http.Client{
		Jar:           jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	right := url.Values{"name": {"john"}, "password": {"correct horse battery staple"}}
	wrong := url.Values{"name": {"john"}, "password": {"open sesame"}}

	v.want("no session", v.post("/login", right), 403, "no-session")
	v.want("no such page", v.get("/nothing"), 404, "")
	v.want("first visit", v.get("/"), 200, "Log in")
	v.want("wrong password", v.post("/login", wrong), 401, "wrong")
	v.want("login", v.post("/login", right), 303, "")
	before := v.cookies()
	v.want("a form from before the login", v.post("/logout", nil), 403, "csrf")
	v.want("logged in", v.get("/"), 200, "Hello, john.")
	v.want("a value is kept", v.get("/count"), 200, "1")
	v.want("a value is kept", v.get("/count"), 200, "2")
	v.want("no forged post", v.foreign("/logout"), 403, "cross-origin")
	v.get("/")
	v.want("logout", v.post("/logout", nil), 303, "")
	v.want("logged out", v.get("/"), 200, "Log in")
	v.http.Jar = nil
	v.want("the cookie of before", v.with(before, "/"), 200, "Log in")
}

type reply struct {
	status int
	body   string
}

func (v *visitor) want(what string, r reply, status int, text string) {
	v.t.Helper()
	if r.status != status || !strings.Contains(r.body, text) {
		v.t.Errorf("%s: status %d, want %d and %q:\n%s", what, r.status, status, text, r.body)
	}
}

type visitor struct {
	t       *testing.T
	address string
	http    http.Client
	token   string
}

var tokenField = regexp.MustCompile(`name="csrf_token" value="([^"]+)"`)

func (v *visitor) do(method, path string, form url.Values, header http.Header) reply {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), method, v.address+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header = header
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer, err := v.http.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	if match := tokenField.FindSubmatch(text); match != nil {
		v.token = string(match[1])
	}
	if strings.Contains(string(text), "Hello") && answer.Header.Get("Cache-Control") != "no-store" {
		v.t.Error("a page made for one visitor may be stored")
	}
	return reply{answer.StatusCode, string(text)}
}

func (v *visitor) get(path string) reply { return v.do("GET", path, nil, http.Header{}) }

func (v *visitor) post(path string, form url.Values) reply {
	fields := url.Values{"csrf_token": {v.token}}
	for name, values := range form {
		fields[name] = values
	}
	return v.do("POST", path, fields, http.Header{})
}

func (v *visitor) foreign(path string) reply {
	return v.do("POST", path, url.Values{"csrf_token": {v.token}}, http.Header{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}})
}

func (v *visitor) with(cookies []*http.Cookie, path string) reply {
	r := &http.Request{Header: http.Header{}}
	for _, c := range cookies {
		r.AddCookie(c)
	}
	return v.do("GET", path, nil, r.Header)
}

func (v *visitor) cookies() []*http.Cookie {
	u, err := url.Parse(v.address)
	if err != nil {
		v.t.Fatal(err)
	}
	return v.http.Jar.Cookies(u)
}
