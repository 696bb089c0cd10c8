package faults

import (
	"fmt"
	"sync"
	"time"
)

// The number of processes in a cluster: first the nodes, then the verifiers.
const (
	Nodes     = 3
	Verifiers = 2
)

// A Kind is what a client asks for.
type Kind int

const (
	Login            Kind = iota
	Check                 // by access token
	CheckCookie           // by session cookie
	Refresh               // the exchange of a refresh token
	Logout                // Manager.Logout
	LogoutEverywhere      // Manager.LogoutEverywhere
	EndUser               // Manager.EndUser, noted for each session of the user
)

func (k Kind) String() string {
	return [...]string{"login", "check", "check by cookie", "refresh", "logout", "logout everywhere", "end of the user"}[k]
}

func (k Kind) checks() bool { return k == Check || k == CheckCookie }
func (k Kind) ends() bool   { return k == Logout || k == LogoutEverywhere || k == EndUser }

// An Outcome is what the answer says.
type Outcome int

const (
	Unclear Outcome = iota // 503, or no answer: it says nothing
	Yes                    // accepted; done
	No                     // refused: there is no such session
)

func (o Outcome) String() string { return [...]string{"unclear", "yes", "no"}[o] }

// An Op is one call and its answer.
type Op struct {
	Session int
	Kind    Kind
	At      int // the process, by number
	Call    time.Duration
	Return  time.Duration
	Outcome Outcome
}

func (o Op) String() string {
	return fmt.Sprintf("%s of session %d at process %d, %v to %v: %v", o.Kind, o.Session, o.At, o.Call, o.Return, o.Outcome)
}

// A History holds what happened, in the order of returns. It is safe for
// concurrent use.
type History struct {
	start time.Time

	mu     sync.Mutex
	ops    []Op
	faults []Fault
}

// A Fault is one blow of a nemesis.
type Fault struct {
	Process int           // whom it hit; everybody: all
	Begin   time.Duration // when it was complete
	End     time.Duration // when it began to be undone
	Cut     bool          // in between there was no way to the store
}

// everybody stands for all processes in a [Fault].
const everybody = -1

func newHistory() *History { return &History{start: time.Now()} }

// now is the time in the history.
func (h *History) now() time.Duration { return time.Since(h.start) }

func (h *History) add(ops ...Op) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, ops...)
}

func (h *History) addFault(f Fault) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = append(h.faults, f)
}

// perSession returns the operations by session.
func (h *History) perSession() map[int][]Op {
	h.mu.Lock()
	defer h.mu.Unlock()
	by := map[int][]Op{}
	for _, op := range h.ops {
		by[op.Session] = append(by[op.Session], op)
	}
	return by
}
