package counterfoil

import (
	"strconv"
	"unicode/utf8"
)

// Most values are strings, numbers or flags, and most of their JSON is plain:
// the text in quotes, the digits, a word. That is written and read here in 50
// ns, where encoding/json takes a microsecond. All the rest is left to
// encoding/json, which would have done the same here.

// special is not zero for the bytes that encoding/json escapes in a string or
// refuses there. 0xe2 is one since U+2028 and U+2029, which it escapes, begin with
// it.
var special = func() (special [256]byte) {
	for c := range special {
		if c < ' ' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' || c == 0xe2 {
			special[c] = 1
		}
	}
	return special
}()

// isPlain goes through the whole string at once: most are plain, and without a
// branch at each byte that takes half the time.
func isPlain(s string) bool {
	found := byte(0)
	for i := range len(s) {
		found |= special[s[i]]
	}
	return found == 0 && utf8.ValidString(s)
}

// encodePlain returns the JSON of a value, or nil where it is not plain.
func encodePlain(value any) []byte {
	switch v := value.(type) {
	case string:
		if !isPlain(v) {
			return nil
		}
		raw := make([]byte, 0, len(v)+2)
		raw = append(raw, '"')
		raw = append(raw, v...)
		return append(raw, '"')
	case int:
		return strconv.AppendInt(nil, int64(v), 10)
	case int64:
		return strconv.AppendInt(nil, v, 10)
	case bool:
		return strconv.AppendBool(nil, v)
	}
	return nil
}

// decodePlain decodes JSON into the variable that pointer points to, or returns
// false where it is not plain.
func decodePlain(raw []byte, pointer any) (ok bool) {
	switch p := pointer.(type) {
	case *string:
		if len(raw) < 2 || raw[0] != '"' || raw[len(raw)-1] != '"' {
			return false
		}
		text := string(raw[1 : len(raw)-1])
		if ok = isPlain(text); ok {
			*p = text
		}
	case *int:
		var n int64
		if n, ok = parseInt(raw, strconv.IntSize); ok {
			*p = int(n)
		}
	case *int64:
		var n int64
		if n, ok = parseInt(raw, 64); ok {
			*p = n
		}
	case *bool:
		*p = string(raw) == "true"
		ok = *p || string(raw) == "false"
	}
	return ok
}

// parseInt takes the one spelling that we write. Others are JSON as well (-0,
// 1e3), or are taken by package strconv alone (+1, 01).
func parseInt(raw []byte, bits int) (n int64, ok bool) {
	n, err := strconv.ParseInt(string(raw), 10, bits)
	var ours [20]byte
	return n, err == nil && string(strconv.AppendInt(ours[:0], n, 10)) == string(raw)
}
