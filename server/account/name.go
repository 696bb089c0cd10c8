package account

import (
	"crypto/sha256"
	"fmt"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
)

// MaxName is the longest name, in characters.
const MaxName = 64

// canonicalName returns the name as it is shown and as it is looked up, by the
// rules for user names of RFC 8265: no spaces, no control characters, no
// symbols beyond ASCII; full-width letters become ordinary ones, and everything
// is put into Unicode's form NFC. The name keeps its letter case and the key
// does not, so "John" logs in as "john".
//
// Names that merely look alike (a Cyrillic "а" for a Latin "a") stay different
// users: the operator chooses the names, visitors don't.
func canonicalName(s string) (name, key string, err error) {
	if s == "" || len(s) > MaxName*utf8.UTFMax {
		return "", "", fmt.Errorf("%w: it takes 1 to %d characters", ErrNameInvalid, MaxName)
	}
	if name, err = precis.UsernameCasePreserved.String(s); err != nil {
		return "", "", fmt.Errorf("%w: use letters, digits and punctuation, without spaces", ErrNameInvalid)
	}
	if key, err = precis.UsernameCaseMapped.String(s); err != nil {
		return "", "", fmt.Errorf("%w: use letters, digits and punctuation, without spaces", ErrNameInvalid)
	}
	if utf8.RuneCountInString(name) > MaxName || utf8.RuneCountInString(key) > MaxName {
		return "", "", fmt.Errorf("%w: it takes 1 to %d characters", ErrNameInvalid, MaxName)
	}
	return name, key, nil
}

// lookupKey returns the key of a name that a visitor typed. One that no user
// can have gets a key that no user has, and goes the same way as all others.
func lookupKey(typed string) string {
	_, key, err := canonicalName(typed)
	if err != nil {
		return fmt.Sprintf(" %x", sha256.Sum256([]byte(typed)))
	}
	return key
}
