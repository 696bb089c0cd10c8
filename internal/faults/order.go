package faults

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// searchTime bounds the search for an order, of which there are many.
const searchTime = 10 * time.Second

// unordered judges one session by the rule of order, process by process. The
// refreshes, which are the store's to judge, are a history of their own.
func unordered(ops []Op, t Terms, lossFrom time.Duration) (found []Violation) {
	places := map[int]bool{atStore: true}
	for _, op := range ops {
		places[op.At] = true
	}
	for place := range places {
		said := saidAt(place, ops)
		history := append(endings(place, ops, t, lossFrom), answers(said)...)
		if porcupine.CheckOperationsTimeout(oneSession, history, searchTime) != porcupine.Ok {
			found = append(found, Violation{"order", said[len(said)-1], "it and the others fit no order: " + list(place, ops)})
		}
	}
	return found
}

// atStore is the place where refreshes are judged.
const atStore = -1

// A state of a session, as one place sees it. While it ends the place may say
// either: within the bound it may know of the end by one way and not yet by
// another, as when a verifier whose lease has lapsed asks its node.
type state int

const (
	live state = iota
	ending
	ended
)

// What an ending does, in two steps.
type step int

const (
	begins step = iota // from now on the session may have ended
	counts             // and from now on it has
)

var oneSession = porcupine.Model{
	Init: func() any { return live },
	Step: func(s, input, output any) (bool, any) {
		now := s.(state)
		switch {
		case input == begins:
			return true, max(now, ending)
		case input == counts:
			return now != live, ended
		case output == Yes:
			return now != ended, now
		}
		return now != live, now
	},
}

// saidAt returns what one place has said about a session, in the order of calls.
func saidAt(place int, ops []Op) (said []Op) {
	for _, op := range ops {
		atPlace := op.Kind.checks() && op.At == place || op.Kind == Refresh && place == atStore
		if atPlace && op.Outcome != Unclear {
			said = append(said, op)
		}
	}
	slices.SortFunc(said, func(a, b Op) int { return cmp.Compare(a.Call, b.Call) })
	return said
}

// answers are the operations of what was said. Of those that overlap and say the
// same only the strictest are there, since the search grows with what overlaps:
// an acceptance says that the session was live when it was called, or later; a
// refusal that it had ended when it returned, or earlier.
func answers(said []Op) (history []porcupine.Operation) {
	for _, op := range said {
		implied := slices.ContainsFunc(said, func(other Op) bool {
			switch {
			case other.Outcome != op.Outcome || other == op:
				return false
			case op.Outcome == Yes:
				return op.Call < other.Call && other.Call <= op.Return
			}
			return op.Call <= other.Return && other.Return < op.Return
		})
		if !implied {
			history = append(history, porcupine.Operation{Input: op.Kind, Output: op.Outcome, Call: int64(op.Call), Return: int64(op.Return)})
		}
	}
	return history
}

// endings are the steps of what ends a session, each for as long as it may take
// at a place.
func endings(place int, ops []Op, t Terms, lossFrom time.Duration) (history []porcupine.Operation) {
	begin, count := lossFrom, known(ops, lossFrom)+t.within()
	for _, op := range ops {
		if op.Kind.ends() {
			begin = min(begin, op.Call)
		}
		if op.Kind.ends() && op.Outcome == Yes {
			count = min(count, effective(place, op, t))
		}
	}
	if begin == never {
		return nil
	}
	return []porcupine.Operation{
		{Input: begins, Call: int64(begin), Return: int64(count)},
		{Input: counts, Call: int64(begin), Return: int64(count)},
	}
}

// known is when it was first known that the session had ended: somebody refused
// it. So an ending whose answer was unclear can't take effect later than that. Not
// where the session may have been lost instead: verifiers don't hear of that.
func known(ops []Op, lossFrom time.Duration) time.Duration {
	first := never - time.Hour // so that a bound can be added
	for _, op := range ops {
		if op.Outcome == No && !op.Kind.ends() && op.Return < lossFrom {
			first = min(first, op.Return)
		}
	}
	return first
}

// effective is when an ending that has succeeded counts at a place.
func effective(place int, end Op, t Terms) time.Duration {
	if place == atStore || place == end.At || end.Kind == LogoutEverywhere {
		return end.Return
	}
	return end.Return + t.within()
}

// list shows what was judged, for whoever wants to see why.
func list(place int, ops []Op) string {
	var b strings.Builder
	for _, op := range ops {
		if op.At == place || op.Kind.ends() || op.Kind == Refresh && place == atStore {
			fmt.Fprintf(&b, "\n\t%v", op)
		}
	}
	return b.String()
}
