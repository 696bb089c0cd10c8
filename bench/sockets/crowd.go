package sockets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	crowdName = "crowd"
	clients   = 200
)

// A crowd is a process of clients that try to log in, each again as soon as it
// has its answer. Half of them know a password, a quarter guess at a user's, and
// a quarter guess names too. A guess comes from another address each time: else
// the throttle would answer it without a hash.
type crowd struct{ *process }

// A tally is what a crowd has seen.
type tally struct {
	Seconds  float64
	LoggedIn int     // 200
	Wrong    int     // 401
	Refused  int     // 429 and 503
	Failed   int     // anything else
	P50, Max float64 // seconds until 200 or 401
}

func (t *tally) rate() float64 { return float64(t.LoggedIn+t.Wrong) / t.Seconds }

func (t tally) String() string {
	return fmt.Sprintf("%.1f passwords a second, of which %d right and %d wrong, after %.1f s (median) to %.1f s; %d refused",
		t.rate(), t.LoggedIn, t.Wrong, t.P50, t.Max, t.Refused)
}

// startCrowd returns when all clients are at it.
func startCrowd(url string) (*crowd, error) {
	var begun bool
	p, err := startChild(crowdName, &begun, url)
	return &crowd{p}, err
}

// end stops the crowd and returns what it has seen.
func (c *crowd) end() (t tally, err error) {
	if err = c.HangUp(); err == nil {
		err = c.Hear(&t)
	}
	return t, errors.Join(err, c.Stop())
}

// runCrowd is the crowd's main.
func runCrowd(args []string) error {
	url := args[0]
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var s seen
	var work sync.WaitGroup
	begun := time.Now()
	for i := range clients {
		c := &http.Client{Transport: &http.Transport{}}
		work.Go(func() {
			for ctx.Err() == nil {
				s.try(ctx, c, url, i)
			}
		})
	}
	if _, err := fmt.Println(true); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	t := s.tally(time.Since(begun))
	cancel()
	work.Wait()
	return json.NewEncoder(os.Stdout).Encode(t)
}

// seen gathers the answers of all clients.
type seen struct {
	mu    sync.Mutex
	t     tally
	times []time.Duration
}

func (s *seen) tally(d time.Duration) tally {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.t
	t.Seconds = d.Seconds()
	if slices.Sort(s.times); len(s.times) > 0 {
		t.P50, t.Max = s.times[len(s.times)/2].Seconds(), s.times[len(s.times)-1].Seconds()
	}
	return t
}

// try is one client's try, and its rest if it is told to wait.
func (s *seen) try(ctx context.Context, c *http.Client, url string, i int) {
	name, password, address := userName(rand.IntN(users)), password, fmt.Sprintf("198.51.100.%d", i)
	switch i % 4 {
	case 0:
		password, address = "wrong", elsewhere()
	case 1:
		name, address = fmt.Sprintf("nobody%x", rand.Uint64()), elsewhere()
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/login", strings.NewReader(credentials(name, password)))
	if err != nil {
		panic(err) // the server's own address
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Forwarded-For", address)
	begun := time.Now()
	answer, err := c.Do(r)
	if err != nil {
		s.count(ctx, 0, 0)
		return
	}
	_, _ = io.Copy(io.Discard, answer.Body) // so that the connection is kept
	answer.Body.Close()
	s.count(ctx, answer.StatusCode, time.Since(begun))
	if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil {
		// An impatient client: he waits for a second at most.
		select {
		case <-time.After(min(time.Duration(seconds)*time.Second, time.Second)):
		case <-ctx.Done():
		}
	}
}

func elsewhere() string {
	return fmt.Sprintf("10.%d.%d.%d", rand.IntN(256), rand.IntN(256), rand.IntN(256))
}

func (s *seen) count(ctx context.Context, status int, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case ctx.Err() != nil:
	case status == http.StatusOK:
		s.t.LoggedIn++
		s.times = append(s.times, took)
	case status == http.StatusUnauthorized:
		s.t.Wrong++
		s.times = append(s.times, took)
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		s.t.Refused++
	default:
		s.t.Failed++
	}
}
