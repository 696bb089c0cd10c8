package server_test

import (
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// TestSetup: the first user is made by who can read what the server prints, and
// by nobody else (6.3.2, 6.4.1, req 37).
func TestSetup(t *testing.T) {
	s := openSite(t)
	c := s.newClient()
	if path, err := s.server.SetupPath(t.Context()); path != "" || err != nil {
		t.Fatalf("there is a user, and the path is %q, %v", path, err)
	}
	want(t, c.get("/setup"), 404)
	want(t, c.post("/setup", c.token("/login"), "code", "", "username", "eve", "password", another), 403)

	_, err := s.accounts.Delete(t.Context(), s.john.ID)
	check(t, err)
	want(t, c.post("/setup", c.token("/setup"), "code", "", "username", "eve", "password", another), 403)
	path, err := s.server.SetupPath(t.Context())
	check(t, err)
	u, err := url.Parse(path)
	check(t, err)
	code := u.Query().Get("code")
	s.secrets.add(code)
	for why, wrong := range map[string]string{"none": "", "another": strings.Repeat("A", len(code)), "half": code[:13]} {
		if answer := c.post("/setup", c.token(path), "code", wrong, "username", "eve", "password", another); answer.StatusCode != 403 {
			t.Errorf("the code is %s: %s", why, answer.Status)
		}
	}
	want(t, c.post("/setup", c.token(path), "code", code, "username", "jane", "password", "short"), 422)
	want(t, c.post("/setup", c.token(path), "code", code, "username", "j a n e", "password", another), 422)

	var made atomic.Int32
	var tries sync.WaitGroup
	start := make(chan struct{}) // when all have the form, which goes with the first user
	for _, name := range []string{"jane", "jill", "joan", "judy"} {
		visitor := s.newClient()
		token := visitor.token(path)
		tries.Go(func() {
			<-start
			if visitor.post("/setup", token, "code", code, "username", name, "password", another).StatusCode == 303 {
				made.Add(1)
			}
		})
	}
	close(start)
	tries.Wait()
	users, err := s.accounts.List(t.Context(), "", 10)
	check(t, err)
	if made.Load() != 1 || len(users) != 1 {
		t.Fatalf("6.4.1: the code worked %d times and made %d users", made.Load(), len(users))
	}
	want(t, c.get(path), 404)
	want(t, c.login(users[0].Name, another), 303)

	// The code is spent, even when there is no user once more.
	_, err = s.accounts.Delete(t.Context(), users[0].ID)
	check(t, err)
	visitor := s.newClient()
	want(t, visitor.post("/setup", visitor.token("/setup"), "code", code, "username", "thief", "password", another), 403)
}
