package server_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/counterfoil/counterfoil/server"
	clients "github.com/counterfoil/counterfoil/server/client"
	"github.com/counterfoil/counterfoil/store/memory"
)

// TestDrain: a request that is under way when the server is told to stop is
// answered.
func TestDrain(t *testing.T) {
	s := openSite(t)
	connection, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	check(t, err)
	defer connection.Close()
	const body = `{"username":"mary","password":"wrong"}`
	fmt.Fprintf(connection, "POST /v1/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+
		"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(body))
	answers := bufio.NewReader(connection)
	if line, err := answers.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("%q, %v: the handler does not wait for the body", line, err)
	}
	_, err = answers.ReadString('\n') // the empty line behind it
	check(t, err)

	var stopped sync.WaitGroup
	stopped.Go(s.stop)
	for { // until no more connections are taken
		another, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			break
		}
		another.Close()
	}
	_, err = connection.Write([]byte(body))
	check(t, err)
	answer, err := http.ReadResponse(answers, nil)
	check(t, err)
	defer answer.Body.Close()
	if answer.StatusCode != 401 {
		t.Errorf("it is answered with %s", answer.Status)
	}
	stopped.Wait()
}

// TestDrainEndsPolls: who waits for events is answered when the server is told to
// stop, and holds nobody up.
func TestDrainEndsPolls(t *testing.T) {
	sessions := memory.New(memory.Config{})
	t.Cleanup(func() { check(t, sessions.Close()) })
	siem, secret, err := clients.Add(t.Context(), sessions, clients.Client{Name: "siem", Can: []clients.Capability{clients.Poll}})
	check(t, err)
	s := openSite(t, func(c *server.Config) { c.Sessions.Store = sessions })
	s.secrets.add(secret)
	connection, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	check(t, err)
	defer connection.Close()
	r, err := http.NewRequest("POST", s.url+"/v1/events/poll", strings.NewReader(`{}`))
	check(t, err)
	r.SetBasicAuth(siem.ID, secret)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Expect", "100-continue")
	check(t, r.Write(connection))
	answers := bufio.NewReader(connection)
	if line, err := answers.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("%q, %v: the body is not read", line, err)
	}
	_, err = answers.ReadString('\n') // the empty line behind it
	check(t, err)
	s.stop() // returns when every request is answered, or cut off
	answer, err := http.ReadResponse(answers, nil)
	check(t, err)
	defer answer.Body.Close()
	if answer.StatusCode != 200 && answer.StatusCode != 503 { // if the events were just being read
		t.Errorf("it is answered with %s", answer.Status)
	}
}
