package e2e

import (
	"net/http"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFullDisk takes the server's space away, and gives it back.
func TestFullDisk(t *testing.T) {
	site := newSite(t, "john")
	p := site.serve()
	stays, goes := p.mustLoginAPI("john"), p.mustLoginForm("john")

	p.limitFiles(1)
	for _, c := range []struct {
		name, why string
		request
		or int // also good; zero: none
	}{
		{"token", "16.5.3: who can't be checked is not refused: 401 would log him out",
			request{method: "GET", path: "/v1/session", bearer: stays.access}, http.StatusOK},
		{"cookie", "16.5.3: by cookie as well",
			request{method: "GET", path: "/v1/session", cookie: goes.cookie}, http.StatusOK},
		{"first visit", "a session that is not kept is not begun",
			request{method: "GET", path: "/login"}, 0},
		{"login", "G0: nor is one that is not kept acknowledged",
			request{method: "POST", path: "/v1/login", json: map[string]string{"username": "john", "password": password}}, 0},
		{"refresh", "10.4.5: a refresh that is not kept is not answered, and its token stays good",
			stays.doors()[1].request, 0},
		{"logout", "G0: a logout that is not kept is not acknowledged",
			request{method: "DELETE", path: "/v1/session", cookie: goes.cookie, csrf: goes.csrf}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := p.must(c.request)
			switch {
			case c.or != 0 && a.status == c.or:
			case a.status != http.StatusServiceUnavailable:
				t.Errorf("%s: status %d, want 503: %s", c.why, a.status, a.body)
			case a.header.Get("Retry-After") == "":
				t.Errorf("%s: 503 without Retry-After", c.why)
			}
		})
	}

	p.limitFiles(unix.RLIM_INFINITY)
	eventually(t, "the server goes on when there is space again", func() bool {
		return p.must(request{method: "GET", path: "/readyz"}).status == http.StatusOK &&
			p.must(request{method: "GET", path: "/login"}).status == http.StatusOK
	})
	p.mustAccept(stays, "with space again")
	p.mustAccept(p.mustLoginForm("john"), "a login with space again")
	in, err := letsIn(p.url, goes)
	check(t, err)
	p.kill()

	p = site.serve()
	p.mustAccept(stays, "after a restart")
	switch again, err := letsIn(p.url, goes); {
	case err != nil:
		t.Error(err)
	case in != again:
		t.Errorf("G0: a logout that was not acknowledged left the session in: %v, and after a restart: %v", in, again)
	}
}

// limitFiles lets the process write no file beyond this size, in bytes. That is
// a full disk without filling one.
func (p *process) limitFiles(size uint64) {
	p.t.Helper()
	check(p.t, unix.Prlimit(p.cmd.Process.Pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: size, Max: unix.RLIM_INFINITY}, nil))
}
