package faults

import (
	"cmp"
	"slices"
	"time"
)

// A Result is what a round has shown.
type Result struct {
	Database, Nemesis string
	Seed              uint64
	Violations        []Violation
	Numbers
}

// Numbers are what can be counted and measured in a round.
type Numbers struct {
	Sessions, Ops, Checks, Accepted int
	Faults                          int
	Lost                            int // sessions that nobody ended and that the store has lost

	// Closed is the longest time between a cut and the call of the last check
	// that was accepted during it; Refused that between a cut and the first
	// answer that was no acceptance.
	Closed, Refused time.Duration
	// False is for how long processes did not accept sessions that were live,
	// all processes together; LongestFalse one of them at a time.
	False, LongestFalse time.Duration
	// Recovery is the longest time between the end of a fault and the answer
	// to the first check that was called, and accepted, after it.
	Recovery time.Duration
}

// count fills in the numbers.
func (h *History) count(r *Numbers) {
	r.Ops, r.Faults = len(h.ops), len(h.faults)
	for _, op := range h.ops {
		if op.Kind == Login && op.Outcome == Yes {
			r.Sessions++
		}
		if op.Kind.checks() {
			r.Checks++
			if op.Outcome == Yes {
				r.Accepted++
			}
		}
	}
	for _, ops := range h.perSession() {
		ended := slices.ContainsFunc(ops, func(op Op) bool { return op.Kind.ends() })
		if !ended && slices.ContainsFunc(ops, func(op Op) bool { return op.Outcome == No }) {
			r.Lost++
		}
	}
}

// closing measures how processes close when they are cut off.
func (h *History) closing() (closed, refused time.Duration) {
	for _, f := range h.faults {
		if !f.Cut {
			continue
		}
		first := never
		for _, op := range h.ops {
			if !f.hits(op.At) || !op.Kind.checks() || op.Call < f.Begin || op.Call > f.End {
				continue
			}
			if op.Outcome == Yes && op.Return < f.End {
				closed = max(closed, op.Call-f.Begin)
			} else if op.Outcome == Unclear {
				first = min(first, op.Return-f.Begin)
			}
		}
		if first < f.End-f.Begin {
			refused = max(refused, first)
		}
	}
	return closed, refused
}

// falseRefusals adds up the spells in which a process did not accept a session
// that was live: from the call of the first such check to the return of the
// first accepted one after.
func falseRefusals(answers []Op) (total, longest time.Duration) {
	slices.SortFunc(answers, func(a, b Op) int { return cmp.Compare(a.Call, b.Call) })
	since, refusing := time.Duration(0), false
	for _, op := range answers {
		switch {
		case op.Outcome != Yes && !refusing:
			since, refusing = op.Call, true
		case op.Outcome == Yes && refusing:
			total += op.Return - since
			longest = max(longest, op.Return-since)
			refusing = false
		}
	}
	return total, longest
}
