package sockets

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// ErrNoWrk says what is missing.
var ErrNoWrk = errors.New("wrk is missing: install it, on Debian by apt-get install wrk")

// A load is how wrk asks. Its connections are kept open.
type load struct {
	connections int
	// pause is the mean time between an answer and the next question of a
	// connection. Zero: none, as fast as the server answers.
	pause time.Duration
}

var (
	// saturation takes all that there is.
	saturation = load{connections: 64}
	// moderate is some 2,500 requests a second, as long as they are answered
	// in far less time than the pause.
	moderate = load{connections: 40, pause: 16 * time.Millisecond}
)

// A result is what one run of wrk says.
type result struct {
	Requests int
	Took     float64 `json:"us"` // µs
	P50, P99 float64 // µs
	Bad      int     // not 2xx
	Broken   int     // connections that failed, and answers that did not come

	cpu time.Duration // of the server
}

func (r *result) rate() float64 { return float64(r.Requests) / r.Took * 1e6 }

// script makes wrk say what we want to know. The pauses vary, or the connections
// would ask all at once.
const script = `local pause = %d
if pause > 0 then
  function delay() return math.random(pause / 2, pause * 3 / 2) end
end
function done(s, latency, requests)
  local e = s.errors
  io.write(string.format(
    '\n{"requests":%%d,"us":%%d,"p50":%%d,"p99":%%d,"bad":%%d,"broken":%%d}\n',
    s.requests, s.duration, latency:percentile(50), latency:percentile(99),
    e.status, e.connect + e.read + e.write + e.timeout))
end
`

// ask runs wrk for that long. All answers must be good.
func ask(ctx context.Context, t target, l load, d time.Duration) (r result, err error) {
	program, err := exec.LookPath("wrk")
	if err != nil {
		return r, ErrNoWrk
	}
	dir, err := os.MkdirTemp("", "wrk")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "say.lua")
	if err := os.WriteFile(file, fmt.Appendf(nil, script, l.pause.Milliseconds()), 0o600); err != nil {
		return r, err
	}
	args := []string{"-t1", fmt.Sprintf("-c%d", l.connections), "-d" + d.String(), "-s", file}
	if t.Header != "" {
		args = append(args, "-H", t.Header)
	}
	out, err := exec.CommandContext(ctx, program, append(args, t.URL)...).CombinedOutput()
	if err != nil {
		return r, fmt.Errorf("wrk: %w\n%s", err, out)
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	if err := json.Unmarshal(lines[len(lines)-1], &r); err != nil {
		return r, fmt.Errorf("wrk: %w\n%s", err, out)
	}
	if r.Bad > 0 || r.Broken > 0 || r.Requests == 0 {
		return r, fmt.Errorf("%d answers of %s are not good, %d did not come, of %d", r.Bad, t.URL, r.Broken, r.Requests)
	}
	return r, nil
}
