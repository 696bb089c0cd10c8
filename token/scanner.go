package token

import (
	"slices"
	"strconv"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	maxDepth   = 8  // of objects and arrays in each other
	maxMembers = 64 // of one object
)

// A scanner reads JSON (RFC 8259) and is stricter than encoding/json: no name
// twice in an object, no invalid UTF-8, no unpaired surrogate, no deep nesting.
//
// Its methods read one value each, at the current place. After the first error
// the scanner is at the end of its input and bad; what methods return then is
// meaningless. Ask atEnd last.
type scanner struct {
	in  string
	at  int
	bad bool
}

// newScanner returns no pointer, so that the scanner need not be allocated.
func newScanner(in string) scanner {
	s := scanner{in: in}
	if !utf8.ValidString(in) {
		s.fail()
	}
	return s
}

func (s *scanner) fail() {
	s.bad = true
	s.at = len(s.in)
}

// atEnd reports whether all of the input has been read without an error.
func (s *scanner) atEnd() bool {
	s.peek()
	return !s.bad && s.at == len(s.in)
}

// peek passes over white space and returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	for ; s.at < len(s.in); s.at++ {
		switch c := s.in[s.at]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

// take passes over the byte c, after white space, if it is next.
func (s *scanner) take(c byte) bool {
	if s.peek() != c || s.at == len(s.in) {
		return false
	}
	s.at++
	return true
}

// object calls member for each name; member reads the value.
func (s *scanner) object(depth int, member func(name string)) {
	if depth == 0 || !s.take('{') {
		s.fail()
		return
	}
	if s.take('}') {
		return
	}
	names := make([]string, 0, 16)
	for range maxMembers {
		name := s.string()
		if slices.Contains(names, name) || !s.take(':') {
			s.fail()
			return
		}
		names = append(names, name)
		member(name)
		if s.take('}') {
			return
		}
		if !s.take(',') {
			break
		}
	}
	s.fail()
}

// array calls element for each element; element reads it.
func (s *scanner) array(depth int, element func()) {
	if depth == 0 || !s.take('[') {
		s.fail()
		return
	}
	if s.take(']') {
		return
	}
	for {
		element()
		if s.take(']') {
			return
		}
		if !s.take(',') {
			s.fail()
			return
		}
	}
}

// skip passes over a value of any kind.
func (s *scanner) skip(depth int) {
	switch c := s.peek(); c {
	case '{':
		s.object(depth, func(string) { s.skip(depth - 1) })
	case '[':
		s.array(depth, func() { s.skip(depth - 1) })
	case '"':
		s.string()
	case 't':
		s.word("true")
	case 'f':
		s.word("false")
	case 'n':
		s.word("null")
	default:
		s.number()
	}
}

func (s *scanner) word(w string) {
	if len(s.in)-s.at < len(w) || s.in[s.at:s.at+len(w)] != w {
		s.fail()
		return
	}
	s.at += len(w)
}

func (s *scanner) number() {
	s.option("-")
	if !s.option("0") {
		s.digits()
	}
	if s.option(".") {
		s.digits()
	}
	if s.option("eE") {
		s.option("+-")
		s.digits()
	}
}

// option passes over one byte if it is one of those in set.
func (s *scanner) option(set string) bool {
	if s.at == len(s.in) {
		return false
	}
	for i := range len(set) {
		if s.in[s.at] == set[i] {
			s.at++
			return true
		}
	}
	return false
}

// digits passes over at least one digit and returns them.
func (s *scanner) digits() string {
	from := s.at
	for s.at < len(s.in) && '0' <= s.in[s.at] && s.in[s.at] <= '9' {
		s.at++
	}
	if s.at == from {
		s.fail()
		return ""
	}
	return s.in[from:s.at]
}

// date reads a NumericDate (RFC 7519 section 2): whole seconds, not before
// 1970, not after 9999. Fractions are allowed there, and nobody needs them.
func (s *scanner) date() time.Time {
	s.peek()
	digits := s.digits()
	seconds, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || seconds > maxDate || digits[0] == '0' && len(digits) > 1 {
		s.fail()
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

// stringOrStrings reads one string or an array of them.
func (s *scanner) stringOrStrings() []string {
	if s.peek() == '"' {
		return []string{s.string()}
	}
	return s.strings()
}

// strings reads an array of at most maxStrings strings.
func (s *scanner) strings() []string {
	var list []string
	s.array(1, func() {
		if len(list) == maxStrings {
			s.fail()
			return
		}
		list = append(list, s.string())
	})
	return slices.Clip(list) // callers share it, and may append
}

// string reads a string. Without escapes, it is a part of the input.
func (s *scanner) string() string {
	if !s.take('"') {
		s.fail()
		return ""
	}
	rest := s.in[s.at:]
	i := 0
	for i < len(rest) && !endsPlain[rest[i]] {
		i++
	}
	switch {
	case i < len(rest) && rest[i] == '"':
		s.at += i + 1
		return rest[:i]
	case i < len(rest) && rest[i] == '\\':
		s.at += i
		return s.escapedString(rest[:i])
	}
	s.fail()
	return ""
}

// endsPlain has the bytes that do not stand for themselves in a string: a table,
// because each token that is issued or checked for the first time has some
// hundred bytes.
var endsPlain = func() (ends [256]bool) {
	for c := range ' ' {
		ends[c] = true
	}
	ends['"'], ends['\\'] = true, true
	return ends
}()

// escapedString reads the rest of a string from its first escape on.
func (s *scanner) escapedString(start string) string {
	b := []byte(start)
	for s.at < len(s.in) && s.in[s.at] >= ' ' {
		c := s.in[s.at]
		s.at++
		switch c {
		case '"':
			return string(b)
		case '\\':
			b = utf8.AppendRune(b, s.escape())
		default:
			b = append(b, c)
		}
	}
	s.fail()
	return ""
}

// escape reads what follows a backslash.
func (s *scanner) escape() rune {
	if s.at == len(s.in) {
		s.fail()
		return 0
	}
	c := s.in[s.at]
	s.at++
	switch c {
	case '"', '\\', '/':
		return rune(c)
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'u':
		return s.escapedRune()
	}
	s.fail()
	return 0
}

// escapedRune reads four hexadecimal digits, and a second escape where they are
// the first half of a surrogate pair.
func (s *scanner) escapedRune() rune {
	r := s.hex()
	if !utf16.IsSurrogate(r) {
		return r
	}
	s.word(`\u`)
	r = utf16.DecodeRune(r, s.hex())
	if r == utf8.RuneError { // half a pair has no meaning in UTF-8
		s.fail()
	}
	return r
}

func (s *scanner) hex() rune {
	if len(s.in)-s.at < 4 {
		s.fail()
		return 0
	}
	r, err := strconv.ParseUint(s.in[s.at:s.at+4], 16, 16)
	if err != nil {
		s.fail()
		return 0
	}
	s.at += 4
	return rune(r)
}
