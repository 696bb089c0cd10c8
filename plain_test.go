package counterfoil

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
)

// What is plain is written to the byte as encoding/json writes it, and read as
// encoding/json reads it.
func TestPlainValues(t *testing.T) {
	for _, c := range []struct {
		why   string
		value any
		plain bool
	}{
		{"the empty string", "", true},
		{"a word", "john", true},
		{"letters of any language", "Grüße, мир, 世界, 🎉", true},
		{"DEL, which JSON takes as it is", "\x7f", true},
		{"a quote is escaped", `say "yes"`, false},
		{"a backslash is escaped", `C:\`, false},
		{"a line break is escaped", "a\nb", false},
		{"NUL is escaped", "\x00", false},
		{"HTML's own characters are escaped", "a<b>c&d", false},
		{"a line break of JavaScript is escaped", "\u2028\u2029", false},
		{"bytes that are not UTF-8 are replaced", "\xff", false},
		{"a character that is cut off is replaced", "世"[:2], false},
		{"a surrogate is not UTF-8", "\xed\xa0\x80", false},
		{"zero", 0, true},
		{"a number", -17, true},
		{"the largest int64", int64(math.MaxInt64), true},
		{"the smallest int64", int64(math.MinInt64), true},
		{"yes", true, true},
		{"no", false, true},
		{"a fraction", 1.5, false},
		{"a list", []string{"a"}, false},
		{"a type of its own may have a JSON of its own", json.Number("1"), false},
		{"nothing", nil, false},
	} {
		if raw := encodePlain(c.value); (raw != nil) != c.plain {
			t.Errorf("%s: encoded as %q, plain is %v", c.why, raw, c.plain)
		}
		checkPlain(t, c.value)
	}
}

// Each character of the basic plane, and each byte, within a word.
func TestPlainStrings(t *testing.T) {
	for r := range rune(1 << 16) {
		checkPlain(t, "a"+string(r)+"z")
	}
	for b := range 1 << 8 {
		checkPlain(t, "a"+string([]byte{byte(b)})+"z")
	}
}

func checkPlain(t *testing.T, value any) {
	t.Helper()
	want, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	if raw := encodePlain(value); raw != nil && string(raw) != string(want) {
		t.Errorf("%q is encoded as %s, want %s", value, raw, want)
	}
	checkDecodePlain(t, want)
	if text, ok := value.(string); ok {
		checkDecodePlain(t, []byte(`"`+text+`"`))
	}
}

// checkDecodePlain takes bytes that need not be JSON.
func checkDecodePlain(t *testing.T, raw []byte) {
	t.Helper()
	decodesAlike[string](t, raw)
	decodesAlike[int](t, raw)
	decodesAlike[int64](t, raw)
	decodesAlike[bool](t, raw)
}

func decodesAlike[T comparable](t *testing.T, raw []byte) {
	t.Helper()
	var got, want T
	if !decodePlain(raw, &got) {
		return
	}
	if err := json.Unmarshal(raw, &want); err != nil || got != want {
		t.Errorf("%q is read as %v, want %v, %v", raw, got, want, err)
	}
}

// The stored text need not be ours: what is plain to nobody else is not to us.
func TestPlainIsReadStrictly(t *testing.T) {
	for _, c := range []struct {
		raw   string
		plain bool
	}{
		{`"john"`, true}, {`"`, false}, {`""`, true}, {`"a"b"`, false}, {`"a\"`, false}, {` "a"`, false}, {`"a" `, false},
		{`0`, true}, {`-1`, true}, {`-0`, false}, {`+1`, false}, {`01`, false}, {`1_0`, false}, {`1e3`, false}, {`1.0`, false}, {`0x1`, false}, {`-`, false},
		{`9223372036854775807`, true}, {`9223372036854775808`, false},
		{`true`, true}, {`false`, true}, {`True`, false}, {`null`, false}, {``, false},
		{strings.Repeat("9", 100), false},
	} {
		var s string
		var i int64
		var b bool
		plain := decodePlain([]byte(c.raw), &s) || decodePlain([]byte(c.raw), &i) || decodePlain([]byte(c.raw), &b)
		if plain != c.plain {
			t.Errorf("%q: plain is %v, want %v", c.raw, plain, c.plain)
		}
		checkDecodePlain(t, []byte(c.raw))
	}
}
