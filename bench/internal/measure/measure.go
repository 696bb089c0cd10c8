// Package measure times operations within this process, one against the other.
//
// What counts is the CPU time of the whole process, user and system: it
// includes the garbage collector's, which runs beside the operation and which
// a wall clock does not see, and it leaves out what other processes of a busy
// machine take. The cases run interleaved: each round runs every case once, in
// an order that rotates, so that a machine that changes its speed changes it
// for all.
package measure

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"time"
)

// A Plan says how much is measured.
type Plan struct {
	Rounds int           // how often each case is measured
	Time   time.Duration // about how long, each time
	Quick  bool          // small data sets, for a first look
	Log    io.Writer     // told what is being done; nil: nobody
}

// Logf tells how far the run has come.
func (p Plan) Logf(format string, args ...any) {
	if p.Log != nil {
		fmt.Fprintf(p.Log, format+"\n", args...)
	}
}

// A Case is an operation to measure.
type Case struct {
	Name string

	// Run does the operation n times. An error ends the measurement: nothing
	// that fails is timed.
	Run func(n int) error

	// Prepare makes ready what n operations will use up, such as tokens that
	// nobody has seen yet. It is not timed. Nil: there is nothing.
	Prepare func(n int) error

	// Elsewhere does it in another process, where Once measures it, in the place
	// of Run. Nil: it is done here.
	Elsewhere func(n int) (Sample, error)

	// Max bounds the operations of one round, for what Prepare must not make
	// too much of. Zero: no bound.
	Max int
}

// A Result is what one case took, per operation, one sample a round.
type Result struct {
	Name   string
	CPU    []float64 // nanoseconds of the whole process
	Wall   []float64 // nanoseconds
	Allocs []float64
	Bytes  []float64
}

// Run measures the cases. The results are in the order of the cases, and their
// samples in that of the rounds: the same index is the same round.
func Run(ctx context.Context, p Plan, cases []Case) ([]Result, error) {
	results := make([]Result, len(cases))
	counts := make([]int, len(cases))
	for i, c := range cases {
		results[i].Name = c.Name
		n, err := warmUp(ctx, p, c)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		}
		counts[i] = n
	}
	for round := range max(p.Rounds, 1) {
		for k := range cases {
			i := (k + round) % len(cases)
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			s, err := Once(cases[i], counts[i])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", cases[i].Name, err)
			}
			results[i].add(s)
		}
	}
	return results, nil
}

// warmUp runs a case, unmeasured, until it knows how many operations take the
// planned time: first times may take far longer than others.
func warmUp(ctx context.Context, p Plan, c Case) (int, error) {
	most := 1 << 30
	if c.Max > 0 {
		most = c.Max
	}
	for n, long := min(64, most), 0; ; {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		s, err := Once(c, n)
		if err != nil {
			return 0, err
		}
		fits := max(1, min(int(float64(p.Time)/max(s.Wall, 1)), most))
		if fits <= 2*n {
			long++
		}
		if long == 2 {
			return fits, nil
		}
		n = min(fits, 16*n)
	}
}

// A Sample is what one operation took, of many that were measured together.
type Sample struct {
	CPU    float64 // nanoseconds of the whole process
	Wall   float64 // nanoseconds
	Allocs float64
	Bytes  float64
}

func (r *Result) add(s Sample) {
	r.CPU = append(r.CPU, s.CPU)
	r.Wall = append(r.Wall, s.Wall)
	r.Allocs = append(r.Allocs, s.Allocs)
	r.Bytes = append(r.Bytes, s.Bytes)
}

// Once runs n operations of a case and returns what one took.
func Once(c Case, n int) (Sample, error) {
	if c.Elsewhere != nil {
		return c.Elsewhere(n)
	}
	if c.Prepare != nil {
		if err := c.Prepare(n); err != nil {
			return Sample{}, err
		}
	}
	runtime.GC() // what came before is not this case's to clear away
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, wall := CPU(), time.Now()
	err := c.Run(n)
	took, spent := time.Since(wall), CPU()-cpu
	runtime.ReadMemStats(&after)
	if err != nil {
		return Sample{}, err
	}
	each := float64(n)
	return Sample{
		CPU:    float64(spent) / each,
		Wall:   float64(took) / each,
		Allocs: float64(after.Mallocs-before.Mallocs) / each,
		Bytes:  float64(after.TotalAlloc-before.TotalAlloc) / each,
	}, nil
}
