package faults

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// patience is how long a client waits for an answer. It is longer than any
// process is stopped: what that process answers when it goes on is what counts.
const patience = 8 * time.Second

// A client speaks to one process.
type client struct {
	process *Process
	http    http.Client
	slots   chan struct{} // a token for each request under way
}

func newClient(p *Process) *client {
	const most = 512
	return &client{
		process: p,
		http:    http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: most, DisableCompression: true}},
		slots:   make(chan struct{}, most),
	}
}

// credentials are what one session is known by. Those of a browser have Cookie
// and CSRF, those of a client Refresh.
type credentials struct {
	User, Access, Refresh, Cookie, CSRF string
}

// A request is what is sent to a process.
type request struct {
	method, path string
	access       string // a bearer token
	cookie, csrf string
	body         string
}

// do sends a request and returns what the answer means. Call and return are
// taken here, next to the network.
func (c *client) do(h *History, q request) (op Op, answer credentials) {
	c.slots <- struct{}{}
	defer func() { <-c.slots }()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	op.Call = h.now()
	op.Outcome, answer = c.send(ctx, q)
	op.Return = h.now()
	return op, answer
}

func (c *client) send(ctx context.Context, q request) (Outcome, credentials) {
	r, err := http.NewRequestWithContext(ctx, q.method, "http://"+c.process.address+q.path, strings.NewReader(q.body))
	if err != nil {
		return Unclear, credentials{}
	}
	r.GetBody = nil // a request that was lost is not sent again behind our back
	if q.access != "" {
		r.Header.Set("Authorization", "Bearer "+q.access)
	}
	if q.cookie != "" {
		r.Header.Set("Cookie", q.cookie)
		r.Header.Set("X-CSRF-Token", q.csrf)
	}
	response, err := c.http.Do(r)
	if err != nil {
		return Unclear, credentials{}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return Unclear, credentials{}
	}
	return outcome(response.StatusCode), read(response, body)
}

// outcome is what a status means. Where a status is none of ours nothing is
// concluded from it.
func outcome(status int) Outcome {
	switch status {
	case http.StatusOK:
		return Yes
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusBadRequest:
		return No
	}
	return Unclear
}

func read(response *http.Response, body []byte) (c credentials) {
	if response.Header.Get("Content-Type") == "application/json" {
		_ = json.Unmarshal(body, &c) // what can't be read is empty, and then nothing can be done with it
	}
	for _, cookie := range response.Cookies() {
		c.Cookie = cookie.Name + "=" + cookie.Value
	}
	return c
}

// login makes a session: of a browser, by the form, or of a client that keeps
// tokens.
func (c *client) login(h *History, user string, browser bool) (Op, credentials) {
	if !browser {
		return c.do(h, request{method: "POST", path: "/login?user=" + url.QueryEscape(user)})
	}
	op, form := c.do(h, request{method: "GET", path: "/form"})
	if op.Outcome != Yes {
		return op, form
	}
	return c.do(h, request{method: "POST", path: "/enter?user=" + url.QueryEscape(user), cookie: form.Cookie, csrf: form.CSRF})
}

// check asks whether the session is live.
func (c *client) check(h *History, k Kind, s credentials) Op {
	q := request{method: "GET", path: "/check"}
	if k == CheckCookie {
		q.cookie = s.Cookie
	} else {
		q.access = s.Access
	}
	op, _ := c.do(h, q)
	return op
}

// end ends the session, in the way that the kind says.
func (c *client) end(h *History, k Kind, s credentials) Op {
	q := request{method: "POST", path: "/logout", cookie: s.Cookie, csrf: s.CSRF}
	if s.Cookie == "" {
		q.access = s.Access
	}
	switch k {
	case LogoutEverywhere:
		q.path += "?everywhere"
	case EndUser:
		q = request{method: "POST", path: "/end?user=" + url.QueryEscape(s.User)}
	}
	op, _ := c.do(h, q)
	return op
}

// refresh exchanges the refresh token.
func (c *client) refresh(h *History, s credentials) (Op, credentials) {
	return c.do(h, request{method: "POST", path: "/refresh", body: s.Refresh})
}
