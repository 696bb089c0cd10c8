package counterfoil

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A cookie has one spelling: what is read is written the same.
func FuzzCookie(f *testing.F) {
	c := cookieValue{secret: newSecret()}
	f.Add("a=b; counterfoil=" + c.encode())
	f.Add(`counterfoil="x"; counterfoil=x`)
	f.Add("$Version=1;counterfoil;=;;")
	f.Fuzz(func(t *testing.T, header string) {
		value, found, err := findCookie(http.Header{"Cookie": {header}}, LoopbackCookieName)
		if err != nil || !found {
			return
		}
		if !strings.Contains(header, LoopbackCookieName) {
			t.Errorf("found %q", value)
		}
		if c, ok := decodeCookie(value); ok && c.encode() != value {
			t.Errorf("%q is read as %q", value, c.encode())
		}
	})
}

// Only the session's own token matches, in whatever mask.
func FuzzCSRFToken(f *testing.F) {
	s := secret{1, 2, 3}
	token := s.csrfToken()
	f.Add(token.mask())
	f.Add(strings.Repeat("A", csrfLength))
	f.Add("")
	f.Fuzz(func(t *testing.T, masked string) {
		raw, err := base64.RawURLEncoding.Strict().DecodeString(masked)
		want := err == nil && len(raw) == 2*len(token)
		for i := 0; want && i < len(token); i++ {
			want = raw[i]^raw[len(token)+i] == token[i]
		}
		// DecodeString skips line breaks, which a token never has.
		want = want && !strings.ContainsAny(masked, "\r\n")
		if got := token.matches(masked); got != want {
			t.Errorf("matches %v, want %v", got, want)
		}
	})
}

// A form without the token is refused, whatever else it holds, and never panics.
func FuzzForm(f *testing.F) {
	m, err := New(Config{PublicURL: "http://localhost:8080"})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { m.Close() })
	h := m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { CSRFToken(r.Context()) }))
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest("GET", "/", nil))
	cookie := rec.Result().Cookies()[0]
	f.Add("application/x-www-form-urlencoded", "csrf_token=x&a=b")
	f.Add("multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"csrf_token\"\r\n\r\nx\r\n--b--\r\n")
	f.Add("text/plain", "csrf_token=x")
	f.Fuzz(func(t *testing.T, contentType, body string) {
		r := httptest.NewRequest("POST", "http://localhost:8080/", strings.NewReader(body))
		r.Header["Content-Type"] = []string{contentType}
		r.AddCookie(cookie)
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		if rec.Code < 400 || rec.Code >= 500 {
			t.Errorf("status %d", rec.Code)
		}
	})
}

// Values that were damaged in the store never panic, and what was set is read.
func FuzzValues(f *testing.F) {
	f.Add([]byte(nil), "k", []byte("1"))
	f.Add(applyChanges(nil, &change{"b", []byte("2"), &change{key: "a", json: []byte("1")}}), "b", []byte("3"))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, "k", []byte("1"))
	f.Fuzz(func(t *testing.T, data []byte, key string, json []byte) {
		before := bytes.Clone(data)
		if json == nil {
			json = []byte{}
		}
		changed := applyChanges(data, &change{key: key, json: json})
		if !bytes.Equal(data, before) {
			t.Fatal("the old values were written to")
		}
		if got := findValue(changed, key); !bytes.Equal(got, json) {
			t.Errorf("set %q, read %q", json, got)
		}
		if gone := applyChanges(changed, &change{key: key}); findValue(gone, key) != nil {
			t.Error("a deleted value is there")
		}
	})
}

// Plain values are what encoding/json would make of them.
func FuzzPlain(f *testing.F) {
	f.Add("Grüße", int64(-17), []byte(`"a"`))
	f.Add("a<b>\u2028\xff", int64(0), []byte("-0"))
	f.Fuzz(func(t *testing.T, text string, n int64, raw []byte) {
		checkPlain(t, text)
		checkPlain(t, n)
		checkPlain(t, int(n))
		checkDecodePlain(t, raw)
	})
}

func FuzzRefreshToken(f *testing.F) {
	t := refreshToken{secret: newSecret()}
	f.Add(t.encode())
	f.Add(strings.Repeat("A", refreshLength))
	f.Fuzz(func(t *testing.T, text string) {
		if token, ok := decodeRefresh(text); ok && token.encode() != text {
			t.Errorf("%q is read as %q", text, token.encode())
		}
	})
}
