package account

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ccojocar/zxcvbn-go"
	"github.com/ccojocar/zxcvbn-go/matching"
)

// The rules for passwords. There are none on composition: length and not being
// guessable are what counts (ASVS 6.2.5, NIST SP 800-63B-4 §3.1.1.2).
//
// A password is used exactly as it came (ASVS 6.2.8): any characters, NUL
// among them, no trimming, no truncation, no Unicode normalisation.
const (
	MinPassword = 15   // characters, as it is the only factor (NIST)
	MaxPassword = 1024 // bytes

	// minBits is how unpredictable a password must be, in bits. Three or four
	// unrelated words pass; the 3,000 most common passwords, repeated or filled
	// up with digits and symbols, do not (ASVS 6.2.4).
	minBits = 40
)

// A PasswordError says why a new password is refused.
type PasswordError struct {
	Reason string // a sentence for the user
}

func (e *PasswordError) Error() string { return "account: password refused: " + e.Reason }

// checkPassword judges a new password. The words are those that a guesser who
// knows the user and the service would try.
func checkPassword(password string, words []string) error {
	if n := utf8.RuneCountInString(password); n < MinPassword {
		return &PasswordError{fmt.Sprintf("Use at least %d characters: this has %d. A few unrelated words make a good password.", MinPassword, n)}
	}
	if len(password) > MaxPassword {
		return &PasswordError{fmt.Sprintf("Use at most %d bytes: this has %d.", MaxPassword, len(password))}
	}
	if bits(password, words) < minBits {
		return &PasswordError{"This is easy to guess: it is a common password, or made of common words, names, dates, repetitions or rows of keys. A few unrelated words make a good password."}
	}
	return nil
}

// bits estimates how unpredictable a password is to somebody who tries common
// passwords first, then words, names, dates, repetitions and rows of keys.
//
// The lists and the patterns are zxcvbn's: 7,000 common passwords, 32,000
// English words, 45,000 names. That catches more than a list of whole
// passwords of 15 characters would, and takes no upkeep.
func bits(password string, words []string) float64 {
	runes := []rune(password)
	unit := period([]rune(strings.ToLower(password)))
	best := 0.0
	// The time of an estimate grows with the square of the length, so a long
	// password is as good as its best piece.
	for piece := range slices.Chunk(runes[:unit], 64) {
		whole, odd, even := string(piece), everySecond(piece), everySecond(piece[1:])
		best = max(best, min(
			estimate(whole, words),
			estimate(plainLetters.Replace(whole), words),
			estimate(odd, words)+estimate(even, words), // q1w2e3r4t5y6
		))
	}
	return best + math.Log2(float64(len(runes))/float64(unit))
}

func estimate(s string, words []string) float64 {
	// The library's own way with look-alike letters takes exponential time.
	return zxcvbn.PasswordStrength(s, words, matching.FilterL33tMatcher).Entropy
}

func everySecond(s []rune) string {
	var b strings.Builder
	for i := 0; i < len(s); i += 2 {
		b.WriteRune(s[i])
	}
	return b.String()
}

var plainLetters = strings.NewReplacer("4", "a", "@", "a", "3", "e", "1", "i", "!", "i", "0", "o", "5", "s", "$", "s", "7", "t", "+", "t")

// period returns the length of the shortest beginning that the whole repeats,
// at least twice, the last time perhaps in part; else the whole length.
func period(s []rune) int {
	border := make([]int, len(s)) // Knuth, Morris, Pratt
	for i, k := 1, 0; i < len(s); i++ {
		for k > 0 && s[i] != s[k] {
			k = border[k-1]
		}
		if s[i] == s[k] {
			k++
		}
		border[i] = k
	}
	if len(s) == 0 {
		return 0
	}
	if p := len(s) - border[len(s)-1]; 2*p <= len(s) {
		return p
	}
	return len(s)
}

// nameWords are the name and the words in it.
func nameWords(name string) []string {
	return append(strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) }), name)
}
