package e2e

import (
	"bytes"
	"cmp"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

const cookieName = "counterfoil" // on http://localhost

// A request is what a client sends. The zero value of each field sends nothing.
type request struct {
	method, path string
	bearer       string // access token
	cookie       string // value of the session cookie
	cookieName   string // empty: the one on http://localhost
	csrf         string // X-CSRF-Token
	form         url.Values
	json         any
}

// An answer is what came back, whole.
type answer struct {
	status int
	header http.Header
	body   string
}

// plain follows no redirect and keeps no cookie: tests say what is sent.
var plain = &http.Client{
	Timeout:       20 * time.Second,
	Transport:     &http.Transport{MaxIdleConnsPerHost: 16},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// send sends the request. An error means that no whole answer came back: what
// the server did is then unclear.
func (r request) send(base string) (answer, error) {
	req, err := r.build(base)
	if err != nil {
		return answer{}, err
	}
	resp, err := plain.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return answer{resp.StatusCode, resp.Header, string(body)}, err
}

func (r request) build(base string) (*http.Request, error) {
	var body io.Reader
	var contentType string
	switch {
	case r.form != nil:
		body, contentType = strings.NewReader(r.form.Encode()), "application/x-www-form-urlencoded"
	case r.json != nil:
		raw, err := json.Marshal(r.json)
		if err != nil {
			return nil, err
		}
		body, contentType = bytes.NewReader(raw), "application/json"
	}
	req, err := http.NewRequest(r.method, base+r.path, body)
	if err != nil {
		return nil, err
	}
	for name, value := range map[string]string{"Content-Type": contentType, "X-CSRF-Token": r.csrf} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	if r.bearer != "" {
		req.Header.Set("Authorization", "Bearer "+r.bearer)
	}
	if r.cookie != "" {
		req.AddCookie(&http.Cookie{Name: cmp.Or(r.cookieName, cookieName), Value: r.cookie})
	}
	return req, nil
}

// must sends the request to the server and ends the test unless an answer comes.
func (p *process) must(r request) answer {
	p.t.Helper()
	a, err := r.send(p.url)
	check(p.t, err)
	return a
}

// setCookie returns the session cookie that the answer sets. Empty and true: it
// takes the cookie away.
func (a answer) setCookie() (value string, found bool) { return a.setCookieNamed(cookieName) }

func (a answer) setCookieNamed(name string) (value string, found bool) {
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.Name == name {
			return c.Value, true
		}
	}
	return "", false
}

var csrfField = regexp.MustCompile(`name="csrf_token" value="([^"]+)"`)

// csrf returns the token in the first form of the page.
func (a answer) csrf() string {
	if m := csrfField.FindStringSubmatch(a.body); m != nil {
		return html.UnescapeString(m[1])
	}
	return ""
}
