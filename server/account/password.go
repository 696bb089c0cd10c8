package account

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
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

// wordsOf returns a name, of a user or a host, and the words in it.
func wordsOf(name string) []string {
	return append(strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) }), name)
}
