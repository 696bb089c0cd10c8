package account

import (
	"math"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/ccojocar/zxcvbn-go/frequency"
)

// bits estimates how unpredictable a password is to somebody who tries common
// passwords first, then words and names, repetitions, sequences and rows of
// keys, alone and in combination. The idea is zxcvbn's (Wheeler, USENIX
// Security 2016), and so are the lists: 7,000 common passwords, 32,000 English
// words, 45,000 names. It refuses more than a list of whole passwords could,
// and takes no upkeep.
//
// The words are those that a guesser of this password would try first. The time
// it takes grows with the length and not faster.
func bits(password string, words []string) float64 {
	context := make(map[string]bool, len(words))
	for _, w := range words {
		context[strings.ToLower(w)] = true
	}
	s := []rune(password)
	return min(cheapest(s, context), cheapest(everySecond(s), context)+cheapest(everySecond(s[min(1, len(s)):]), context))
}

// cheapest returns the cost, in bits, of the cheapest way to put s together
// from pieces that a guesser tries.
func cheapest(s []rune, context map[string]bool) float64 {
	lower := make([]rune, len(s))
	plain := make([]rune, len(s)) // with letters for look-alikes
	for i, r := range s {
		lower[i] = unicode.ToLower(r)
		plain[i] = lower[i]
		if letter, ok := lookalikes[lower[i]]; ok {
			plain[i] = letter
		}
	}
	costs := make([]float64, len(s)+1) // of the first i characters
	for i := range costs[1:] {
		costs[i+1] = math.Inf(1)
	}
	for i := range s {
		offer := func(length int, cost float64) {
			costs[i+length] = min(costs[i+length], costs[i]+cost)
		}
		offer(1, oneRune(s[i]))
		capitals, disguised := 0.0, false
		for length := 1; length <= min(longestWord, len(s)-i); length++ {
			end := i + length
			if s[end-1] != lower[end-1] {
				capitals = 1
			}
			offer(length, wordBits(string(lower[i:end]), context)+capitals)
			if disguised = disguised || plain[end-1] != lower[end-1]; disguised {
				offer(length, wordBits(string(plain[i:end]), context)+capitals+1)
			}
		}
		offerWalk(lower[i:], 0, sequenceStep, offer)
		offerWalk(lower[i:], 1, keyStep, offer)
		offerRepeats(lower, i, costs)
	}
	return costs[len(s)]
}

// oneRune is the cost of a character that is part of nothing.
func oneRune(r rune) float64 {
	switch {
	case r >= '0' && r <= '9':
		return math.Log2(10)
	case unicode.IsLower(r):
		return math.Log2(26)
	}
	return math.Log2(33) // symbols, capitals; other scripts about as much
}

// longestWord is in characters; the lists hold few that are longer.
const longestWord = 24

func wordBits(word string, context map[string]bool) float64 {
	if context[word] {
		return 1
	}
	if rank, ok := ranks()[word]; ok {
		return math.Log2(float64(rank) + 1)
	}
	if len(word) == 4 && word >= "1900" && word <= "2039" && strings.Trim(word, "0123456789") == "" {
		return 7 // a year
	}
	return math.Inf(1)
}

// ranks gives the place of each word in the list where it stands first. It is
// made when it is needed: most processes never do.
var ranks = sync.OnceValue(func() map[string]int {
	best := make(map[string]int)
	for _, list := range frequency.Lists {
		for i, word := range list.List {
			word = strings.ToLower(word)
			if old, ok := best[word]; !ok || i+1 < old {
				best[word] = i + 1
			}
		}
	}
	return best
})

var lookalikes = map[rune]rune{
	'4': 'a', '@': 'a', '3': 'e', '1': 'i', '!': 'i', '0': 'o', '5': 's', '$': 's', '7': 't', '+': 't',
}

// A step leads from one character of a walk to the next. The zero step leads
// nowhere.
type step struct{ rows, columns int }

// offerWalk offers what begins s and goes on step by step: its beginning, its
// length, and every turn cost.
func offerWalk(s []rune, turns int, next func(from, to rune) step, offer func(length int, cost float64)) {
	const start, turn = 5, 3
	cost, last := float64(start), step{}
	for n := 1; n < len(s); n++ {
		st := next(s[n-1], s[n])
		if st == (step{}) {
			return
		}
		if st != last && n > 1 {
			if turns == 0 {
				return
			}
			cost += turn
		}
		last = st
		if n >= 2 {
			offer(n+1, cost+math.Log2(float64(n)))
		}
	}
}

// sequenceStep: abc, 321.
func sequenceStep(from, to rune) step {
	if d := to - from; d == 1 || d == -1 {
		return step{columns: int(d)}
	}
	return step{}
}

// keyStep: from a key to its neighbour.
func keyStep(from, to rune) step {
	a, okA := keys[from]
	b, okB := keys[to]
	st := step{b.rows - a.rows, b.columns - a.columns}
	if !okA || !okB || max(st.rows, -st.rows) > 1 || max(st.columns, -st.columns) > 1 {
		return step{}
	}
	return st
}

// keys are the places of the keys on a keyboard.
var keys = func() map[rune]step {
	places := make(map[rune]step)
	for row, line := range []string{"1234567890-=", "qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./", "!@#$%^&*()_+"} {
		for column, r := range line {
			places[r] = step{row % 4, column} // the symbols are the digits' row
		}
	}
	return places
}()

// longestBlock is in characters. A longer one that repeats is long enough.
const longestBlock = 64

// offerRepeats offers the repetitions, in a row, of what stands before i.
func offerRepeats(s []rune, i int, costs []float64) {
	for length := 1; length <= min(i, longestBlock); length++ {
		block := s[i-length : i]
		if i >= 2*length && slices.Equal(block, s[i-2*length:i-length]) {
			continue // offered from the first of the row
		}
		for n := 1; i+n*length <= len(s) && slices.Equal(block, s[i+(n-1)*length:i+n*length]); n++ {
			end := i + n*length
			costs[end] = min(costs[end], costs[i]+math.Log2(float64(n+1))+1)
		}
	}
}

func everySecond(s []rune) []rune {
	var half []rune
	for i := 0; i < len(s); i += 2 {
		half = append(half, s[i])
	}
	return half
}
