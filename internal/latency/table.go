package latency

import (
	"fmt"
	"io"
	"strconv"
	"time"
)

// WriteTable writes the report as a table in Markdown. Times are milliseconds.
func (r *Report) WriteTable(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%d nodes, %d verifiers, bound %v; load: %d sessions a second. Milliseconds from the logout's return until a check is refused\n(everywhere: until a logout that waits for all has returned).\n\n"+
		"| where | run | logouts | p50 | p99 | p99.9 | max |\n|---|---|---:|---:|---:|---:|---:|\n", r.Nodes, r.Verifiers, r.Bound, r.Load)
	for i := range r.Series {
		if err != nil {
			return err
		}
		s := &r.Series[i]
		_, err = fmt.Fprintf(w, "| %s | %s | %d | %s | %s | %s | %s |\n", s.Where, s.run(), s.Count(),
			milliseconds(s.Quantile(.5)), milliseconds(s.Quantile(.99)), milliseconds(s.Quantile(.999)), milliseconds(s.Quantile(1)))
	}
	return err
}

func (s *Series) run() string {
	if s.Load {
		return "load"
	}
	return "idle"
}

// milliseconds gives three digits.
func milliseconds(d time.Duration) string {
	if d == 0 {
		return "0"
	}
	ms := float64(d) / float64(time.Millisecond)
	if ms >= 100 {
		return strconv.FormatFloat(ms, 'f', 0, 64)
	}
	return strconv.FormatFloat(ms, 'g', 3, 64)
}
