package sockets

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil/bench/internal/child"
)

const (
	users    = 20
	password = "three unrelated words: kettle, gravel, tuba"
)

func userName(i int) string { return fmt.Sprintf("user%03d", i) }

// A program is a running counterfoil serve, as people run it: on SQLite, behind a
// proxy on this machine.
type program struct {
	*process
	url            string
	cookie, bearer target // GET /v1/session
}

// startProgram builds the server, gives it users, starts it and logs in.
func startProgram(ctx context.Context, dir string) (*program, error) {
	binary, err := build(ctx, dir)
	if err != nil {
		return nil, err
	}
	if err := addUsers(ctx, binary); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close() // the process has it, too
	cmd := exec.Command(binary, "serve", "--listen", "127.0.0.1:0", "--token-life", "1h", "--trusted-proxy", "127.0.0.1/32")
	cmd.Dir, cmd.Stderr = dir, log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &program{process: &process{&child.Process{Cmd: cmd}}}
	if p.url, err = address(ctx, log.Name()); err == nil {
		err = p.logIn(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, p.Stop())
	}
	return p, nil
}

func build(ctx context.Context, dir string) (binary string, err error) {
	const module = "github.com/counterfoil/counterfoil"
	source, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return "", fmt.Errorf("find the server's source: %w", err)
	}
	binary = filepath.Join(dir, "counterfoil")
	out, err := exec.CommandContext(ctx, "go", "-C", strings.TrimSpace(string(source)), "build", "-o", binary, "./cmd/counterfoil").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the server: %w\n%s", err, out)
	}
	return binary, nil
}

// addUsers adds them as an operator does.
func addUsers(ctx context.Context, binary string) error {
	for i := range users {
		cmd := exec.CommandContext(ctx, binary, "user", "add", userName(i), "--password-stdin")
		cmd.Dir, cmd.Stdin = filepath.Dir(binary), strings.NewReader(password+"\n")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("add a user: %w\n%s", err, out)
		}
	}
	return nil
}

var listening = regexp.MustCompile(`msg=listening url=(\S+)`)

// address waits for the line of the log that says where the server listens.
func address(ctx context.Context, log string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		text, err := os.ReadFile(log)
		if err != nil {
			return "", err
		}
		if found := listening.FindSubmatch(text); found != nil {
			return string(found[1]), nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return "", fmt.Errorf("the server does not listen:\n%s", text)
		}
	}
}

var csrfField = regexp.MustCompile(`name="csrf_token" value="([^"]+)"`)

// logIn gets a cookie as a browser does, and a token as a program does.
func (p *program) logIn(ctx context.Context) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	client := &http.Client{Jar: jar, Timeout: 30 * time.Second}
	page, err := do(ctx, client, http.MethodGet, p.url+"/login", "", "")
	if err != nil {
		return err
	}
	field := csrfField.FindSubmatch(page)
	if field == nil {
		return errors.New("the login form has no CSRF token")
	}
	form := url.Values{"csrf_token": {string(field[1])}, "username": {userName(0)}, "password": {password}}
	if _, err := do(ctx, client, http.MethodPost, p.url+"/login", "application/x-www-form-urlencoded", form.Encode()); err != nil {
		return err
	}
	home, err := url.Parse(p.url)
	if err != nil {
		return err
	}
	for _, c := range jar.Cookies(home) {
		if c.Name == "counterfoil" {
			p.cookie = target{p.url + "/v1/session", cookieLine + c.String()}
		}
	}
	grant, err := do(ctx, client, http.MethodPost, p.url+"/v1/login", "application/json", credentials(userName(0), password))
	if err != nil {
		return err
	}
	var token struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(grant, &token); err != nil {
		return err
	}
	p.bearer = target{p.url + "/v1/session", bearerLine + token.AccessToken}
	return nil
}

func credentials(name, password string) string {
	body, err := json.Marshal(map[string]string{"username": name, "password": password})
	if err != nil {
		panic(err) // two strings
	}
	return string(body)
}

// do returns the body of an answer that is good.
func do(ctx context.Context, c *http.Client, method, url, contentType, body string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	answer, err := c.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s: %s", method, url, answer.Status, bytes.TrimSpace(text))
	}
	return text, err
}
