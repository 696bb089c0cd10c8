package latency

import (
	"slices"
	"time"
)

// A Sample is measures of one kind.
type Sample struct {
	delays []time.Duration
	sorted bool
}

func (s *Sample) add(d time.Duration) {
	s.delays = append(s.delays, d)
	s.sorted = false
}

// Count is how many measures there are.
func (s *Sample) Count() int { return len(s.delays) }

// Quantile returns the smallest measure that a share q of all do not exceed; 1
// is the largest of them. Without measures it is zero.
func (s *Sample) Quantile(q float64) time.Duration {
	if len(s.delays) == 0 {
		return 0
	}
	if !s.sorted {
		slices.Sort(s.delays)
		s.sorted = true
	}
	rank := int(q * float64(len(s.delays)))
	if float64(rank) < q*float64(len(s.delays)) {
		rank++ // the nearest rank, rounded up
	}
	return s.delays[min(max(rank, 1), len(s.delays))-1]
}

// between counts the measures from low on and below high.
func (s *Sample) between(low, high time.Duration) (n int) {
	for _, d := range s.delays {
		if d >= low && d < high {
			n++
		}
	}
	return n
}
