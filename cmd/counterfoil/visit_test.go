package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"
)

// The scripts have a few commands of their own. Where one takes a URL, it is
// the name of the file that holds it.

// awaitMain is "await LOG": it waits until the server with that log listens, and
// prints its address.
func awaitMain() {
	listening := regexp.MustCompile(`msg=listening url=(\S+)`)
	eventually(func() bool {
		log, err := os.ReadFile(os.Args[1])
		url := listening.FindSubmatch(log)
		if err != nil || url == nil {
			return false
		}
		fmt.Printf("%s", url[1])
		return true
	})
}

// visitMain is "visit URL PATH": it prints the status of a page.
//
// "visit URL login NAME PASSWORD TOKEN" logs in by the API, prints the status
// and keeps the access token in the file TOKEN. "visit URL session TOKEN" prints
// the status of that token's session.
func visitMain() {
	url, args := read(os.Args[1]), os.Args[2:]
	switch args[0] {
	case "login":
		fmt.Println(logIn(url, args[1], args[2], args[3]))
	case "session":
		fmt.Println(sessionStatus(url, read(args[1])))
	default:
		fmt.Println(send(request("GET", url+args[0], nil)).StatusCode)
	}
}

// endedMain is "ended URL TOKEN": it waits until the token's session has ended.
func endedMain() {
	url, token := read(os.Args[1]), read(os.Args[2])
	eventually(func() bool { return sessionStatus(url, token) == http.StatusUnauthorized })
}

// followMain is "follow URL CREDENTIALS STATUS": it waits until a client with
// these credentials gets that status for the snapshot of ended sessions.
func followMain() {
	url, status := read(os.Args[1]), os.Args[3]
	lines := strings.Fields(read(os.Args[2]))
	r := request("GET", url+"/v1/feed/snapshot", nil)
	r.SetBasicAuth(strings.TrimPrefix(lines[0], "client_id="), strings.TrimPrefix(lines[1], "client_secret="))
	eventually(func() bool { return fmt.Sprint(send(r).StatusCode) == status })
}

// mistakeMain is "mistake ARGS…": it runs counterfoil, which must exit with 2 and
// one line on standard error.
func mistakeMain() {
	var stderr bytes.Buffer
	command := exec.Command("counterfoil", os.Args[1:]...)
	command.Stderr = &stderr
	err := command.Run()
	os.Stderr.Write(stderr.Bytes())
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 2 {
		fail("it ended with %v, want exit status 2", err)
	}
	if strings.Count(stderr.String(), "\n") != 1 {
		fail("want one line")
	}
}

func logIn(url, name, password, keep string) (status int) {
	body := must(json.Marshal(map[string]string{"username": name, "password": password}))
	r := request("POST", url+"/v1/login", body)
	r.Header.Set("Content-Type", "application/json")
	answer := send(r)
	var grant struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&grant); err != nil {
		fail("%v", err)
	}
	if err := os.WriteFile(keep, []byte(grant.AccessToken), 0o600); err != nil {
		fail("%v", err)
	}
	return answer.StatusCode
}

func sessionStatus(url, token string) int {
	r := request("GET", url+"/v1/session", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return send(r).StatusCode
}

func request(method, url string, body []byte) *http.Request {
	return must(http.NewRequest(method, url, bytes.NewReader(body)))
}

// send follows no redirect. The process ends soon, and the connection with it.
func send(r *http.Request) *http.Response { return must(http.DefaultTransport.RoundTrip(r)) }

func read(path string) string { return string(must(os.ReadFile(path))) }

// eventually asks again and again, for ten seconds: another process does it.
func eventually(done func() bool) {
	for range 500 {
		if done() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	fail("it did not happen within 10 seconds")
}

func must[T any](value T, err error) T {
	if err != nil {
		fail("%v", err)
	}
	return value
}

func fail(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(1)
}
