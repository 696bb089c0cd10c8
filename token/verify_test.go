package token_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/token"
)

// payload is the claims set of a valid token. Each of the replacements, pairs
// of old and new, must be in it.
func payload(tb testing.TB, replacements ...string) string {
	tb.Helper()
	p := fmt.Sprintf(`{"iss":"%s","sub":"user-7f3a","aud":"%s","sid":"sid-1","jti":"jti-1","iat":%d,"exp":%d}`,
		issuer, api, start.Unix(), start.Add(life).Unix())
	for pair := range slices.Chunk(replacements, 2) {
		if !strings.Contains(p, pair[0]) {
			tb.Fatalf("%s is not in %s", pair[0], p)
		}
		p = strings.Replace(p, pair[0], pair[1], 1)
	}
	return p
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// refuse checks that a token is refused for that reason, the second time too,
// and that the error gives nothing of it away.
func refuse(t *testing.T, v *token.Verifier, tok string, now time.Time, want error) {
	t.Helper()
	for range 2 {
		claims, err := v.Verify(tok, now)
		if !errors.Is(err, want) || !errors.Is(err, token.ErrInvalid) {
			t.Fatalf("Verify: %v, want %v", err, want)
		}
		if claims.Subject != "" || claims.SessionID != "" || claims.Audience != nil {
			t.Errorf("a refused token has claims: %+v", claims)
		}
		for segment := range strings.SplitSeq(tok, ".") {
			if len(segment) > 8 && strings.Contains(err.Error(), segment[:8]) {
				t.Errorf("the error quotes the token: %v", err)
			}
		}
	}
}

func TestVerifyAccepts(t *testing.T) {
	for _, alg := range algorithms {
		t.Run(string(alg), func(t *testing.T) {
			keys := newKeyring(t, alg)
			want := someClaims()
			want.ID = "jti-1"
			want.IssuedAt = start
			want.NotBefore = start
			tok := sign(t, keys, want, start)
			v := newVerifier(keys)
			for range 2 {
				got, err := v.Verify(tok, start)
				if err != nil {
					t.Fatal(err)
				}
				if fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("got  %v\nwant %v", got, want)
				}
			}
		})
	}
}

// A header that is not ours is refused although our own key signed the token.
func TestVerifyHeader(t *testing.T) {
	var requests atomic.Int32
	canary := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	defer canary.Close()

	for _, alg := range algorithms {
		keys := newKeyring(t, alg)
		kid := keys.Keys()[0].ID
		jwk := strings.TrimSuffix(strings.TrimPrefix(string(keys.JWKS()), `{"keys":[`), `]}`)
		header := func(alg, rest string) string { return `{"alg":"` + alg + `","kid":"` + kid + `",` + rest + `}` }
		of := func(typ string) string { return header(string(alg), `"typ":"`+typ+`"`) }

		for _, c := range []struct{ why, header string }{
			{"9.2.2: an ID token is no access token", of("JWT")},
			{"9.2.2: nor is a token without a type", `{"alg":"` + string(alg) + `","kid":"` + kid + `"}`},
			{"9.2.2, req 21: nor a logout token", of("logout+jwt")},
			{"req 21: nor a security event", of("secevent+jwt")},
			{"req 21: nor a device-bound registration", of("dbsc+jwt")},
			{"req 21: nor a refresh token", of("refresh+jwt")},
			{"req 21: nor a status list", of("statuslist+jwt")},
			{"one spelling: the type is at+jwt, not its long form", of("application/at+jwt")},
			{"one spelling: nor in capitals", of("AT+JWT")},
			{"9.1.2, req 18: there is no alg none", header("none", `"typ":"at+jwt"`)},
			{"9.1.2: nor in any spelling", header("nOnE", `"typ":"at+jwt"`)},
			{"9.1.1, req 18: the algorithm is the key's, not the token's", header("HS256", `"typ":"at+jwt"`)},
			{"9.1.1: nor a relative of the key's algorithm", header("PS256", `"typ":"at+jwt"`)},
			{"9.1.3, req 19: a key in the header is ignored", header(string(alg), `"typ":"at+jwt","jwk":`+jwk)},
			{"9.1.3: an address of keys is not followed", header(string(alg), `"typ":"at+jwt","jku":"`+canary.URL+`"`)},
			{"9.1.3: nor one of certificates", header(string(alg), `"typ":"at+jwt","x5u":"`+canary.URL+`"`)},
			{"9.1.3: nor certificates taken from the header", header(string(alg), `"typ":"at+jwt","x5c":["MIIB"]`)},
			{"9.1.3: kid is looked up, it opens no file", strings.Replace(of("at+jwt"), kid, "../../../../dev/null", 1)},
			{"9.1.3: kid reaches no database", strings.Replace(of("at+jwt"), kid, "' OR '1'='1", 1)},
			{"9.1.3: kid fetches nothing", strings.Replace(of("at+jwt"), kid, canary.URL, 1)},
			{"9.1.3: kid is one of ours", strings.Replace(of("at+jwt"), kid, "", 1)},
			{"D13: an unknown crit is refused", header(string(alg), `"typ":"at+jwt","crit":["exp2"],"exp2":1`)},
			{"D13: so is a known one, b64", header(string(alg), `"typ":"at+jwt","crit":["b64"],"b64":false`)},
			{"D13: nothing is decompressed", header(string(alg), `"typ":"at+jwt","zip":"DEF"`)},
			{"req 22: a duplicate name", header(string(alg), `"alg":"none","typ":"at+jwt"`)},
			{"one spelling: the order of the members", `{"typ":"at+jwt","alg":"` + string(alg) + `","kid":"` + kid + `"}`},
			{"one spelling: white space", strings.Replace(of("at+jwt"), ":", ": ", 1)},
			{"one spelling: escapes", strings.Replace(of("at+jwt"), "at+jwt", `at\u002bjwt`, 1)},
			{"an empty header", ""},
			{"a header that is no object", `[]`},
		} {
			t.Run(string(alg)+"/"+c.why, func(t *testing.T) {
				refuse(t, newVerifier(keys), keys.SignRaw(c.header, payload(t)), start, token.ErrUnknownKey)
			})
		}
		if _, err := newVerifier(keys).Verify(keys.SignRaw(of("at+jwt"), payload(t)), start); err != nil {
			t.Errorf("%s: the header that is ours is refused, so the cases show nothing: %v", alg, err)
		}
	}
	if n := requests.Load(); n != 0 {
		t.Errorf("9.1.3: a token made the verifier send %d requests", n)
	}
}

// 9.1.1, RFC 8725 section 2.1: a public key is no HMAC secret.
func TestVerifyKeyConfusion(t *testing.T) {
	for _, alg := range algorithms {
		keys := newKeyring(t, alg)
		der, err := x509.MarshalPKIXPublicKey(keys.Public())
		if err != nil {
			t.Fatal(err)
		}
		secrets := map[string][]byte{
			"DER":  der,
			"PEM":  pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}),
			"JWKS": keys.JWKS(),
			"none": nil,
		}
		for name, secret := range secrets {
			for _, header := range []string{keys.Header(), strings.Replace(keys.Header(), string(alg), "HS256", 1)} {
				signed := b64(header) + "." + b64(payload(t))
				mac := hmac.New(sha256.New, secret)
				mac.Write([]byte(signed))
				_, err := newVerifier(keys).Verify(signed+"."+b64(string(mac.Sum(nil))), start)
				if !errors.Is(err, token.ErrInvalid) {
					t.Errorf("%s, public key as %s: accepted an HMAC under %s", alg, name, header)
				}
			}
		}
	}
}

func TestVerifySpelling(t *testing.T) {
	keys := newKeyring(t, token.EdDSA)
	tok := keys.SignRaw(keys.Header(), payload(t))
	header, payloadSegment, signature := segments(tok)
	text, _ := strings.CutSuffix(tok, signature)

	for _, c := range []struct {
		why, tok string
		want     error
	}{
		{"nothing", "", token.ErrMalformed},
		{"three segments, not one", header, token.ErrMalformed},
		{"nor two", header + "." + payloadSegment, token.ErrMalformed},
		{"nor four", tok + ".", token.ErrMalformed},
		{"nor five: a JWE is not for us", tok + ".a.b", token.ErrMalformed},
		{"nor the JSON serialisation", `{"payload":"` + payloadSegment + `"}`, token.ErrMalformed},
		{"9.1.2: a signature is required", text, token.ErrSignature},
		{"no payload", header + ".." + signature, token.ErrSignature},
		{"no header", "." + payloadSegment + "." + signature, token.ErrUnknownKey},
		{"D13, CVE-2025-30204: memory by dots", strings.Repeat(".", 1<<20), token.ErrMalformed},
		{"D13: dots within the limit", strings.Repeat(".", token.MaxLength), token.ErrMalformed},
		{"req 22: oversize", tok + strings.Repeat("A", token.MaxLength), token.ErrMalformed},
		{"req 22: padding", tok + "==", token.ErrMalformed},
		{"req 22: standard base64", text + "+/" + signature[2:], token.ErrMalformed},
		{"req 22: a space", text + " " + signature, token.ErrMalformed},
		{"req 22: a space before", " " + tok, token.ErrUnknownKey},
		{"req 22: a line break, which the decoder passes over", tok + "\n", token.ErrMalformed},
		{"req 22: a carriage return within the signature", text + signature[:40] + "\r" + signature[40:], token.ErrMalformed},
		{"req 22: a line break within the payload", header + "." + payloadSegment[:9] + "\n" + payloadSegment[9:] + "." + signature, token.ErrSignature},
		{"req 22: a line break after the header", header + "\n." + payloadSegment + "." + signature, token.ErrUnknownKey},
		{"req 22: a NUL", tok + "\x00", token.ErrMalformed},
		{"req 22: a letter from elsewhere", text + "А" + signature[2:], token.ErrMalformed},
		{"D12: another spelling of the same signature", text + looseTwin(signature), token.ErrMalformed},
		{"a signature too short", text + strings.Repeat("A", 84), token.ErrSignature},
		{"a signature too long", tok + "AAAA", token.ErrSignature},
		{"the prefix is the header's business", "Bearer " + tok, token.ErrUnknownKey},
	} {
		t.Run(c.why, func(t *testing.T) {
			v := newVerifier(keys)
			if _, err := v.Verify(tok, start); err != nil { // the original is in the cache
				t.Fatal(err)
			}
			refuse(t, v, c.tok, start, c.want)
		})
	}
}

// D12: base64 that a lax decoder takes for the same bytes is refused even where
// the signature covers that very spelling.
func TestVerifyNonCanonicalPayload(t *testing.T) {
	keys := newKeyring(t, token.EdDSA)
	p := payload(t)
	for len(p)%3 == 0 {
		p += " "
	}
	for _, spelling := range []string{looseTwin(b64(p)), b64(p)[:8] + "\n" + b64(p)[8:], b64(p) + "="} {
		signed := b64(keys.Header()) + "." + spelling
		tok := signed + "." + b64(string(keys.SignBytes([]byte(signed))))
		refuse(t, newVerifier(keys), tok, start, token.ErrMalformed)
	}
}

// looseTwin flips a spare bit at the end of a base64url segment.
func looseTwin(segment string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	if len(segment)%4 == 0 {
		panic("no spare bits")
	}
	last := strings.IndexByte(alphabet, segment[len(segment)-1])
	return segment[:len(segment)-1] + alphabet[last^1:last^1+1]
}

func segments(tok string) (header, payload, signature string) {
	s := strings.Split(tok, ".")
	return s[0], s[1], s[2]
}

// Req 23: of the two valid ECDSA signatures, only ours is accepted.
func TestVerifyES256Twin(t *testing.T) {
	keys := newKeyring(t, token.ES256)
	order, _ := new(big.Int).SetString("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", 16)
	v := newVerifier(keys)
	for range 50 {
		tok := sign(t, keys, someClaims(), start)
		_, _, signature := segments(tok)
		sig, err := base64.RawURLEncoding.DecodeString(signature)
		if err != nil {
			t.Fatal(err)
		}
		s := new(big.Int).SetBytes(sig[32:])
		s.Sub(order, s).FillBytes(sig[32:])
		twin := strings.TrimSuffix(tok, signature) + b64(string(sig))
		if _, err := v.Verify(tok, start); err != nil {
			t.Fatalf("ours is refused: %v", err)
		}
		refuse(t, v, twin, start, token.ErrSignature)

		// RFC 7518 section 3.4: r and s take 32 bytes each, not more.
		sig, _ = base64.RawURLEncoding.DecodeString(signature)
		longer := slices.Insert(sig, 32, 0)
		refuse(t, v, strings.TrimSuffix(tok, signature)+b64(string(longer)), start, token.ErrSignature)
	}
}

func TestVerifySignature(t *testing.T) {
	for _, alg := range algorithms {
		t.Run(string(alg), func(t *testing.T) {
			keys, others := newKeyring(t, alg), newKeyring(t, alg)
			v := newVerifier(keys)
			tok := sign(t, keys, someClaims(), start)
			if _, err := v.Verify(tok, start); err != nil {
				t.Fatal(err)
			}
			header, p, signature := segments(tok)
			otherHeader, _, otherSignature := segments(sign(t, others, someClaims(), start))
			refuse(t, v, header+"."+b64(payload(t, "user-7f3a", "admin"))+"."+signature, start, token.ErrSignature)
			refuse(t, v, header+"."+p+"."+otherSignature, start, token.ErrSignature)
			refuse(t, v, otherHeader+"."+p+"."+signature, start, token.ErrUnknownKey)
			refuse(t, v, others.SignRaw(keys.Header(), payload(t)), start, token.ErrSignature)
		})
	}
}

func TestVerifyClaims(t *testing.T) {
	keys := newKeyring(t, token.EdDSA)
	exp := fmt.Sprintf(`"exp":%d`, start.Add(life).Unix())
	iat := fmt.Sprintf(`"iat":%d`, start.Unix())
	iss, aud := `"iss":"`+issuer+`"`, `"aud":"`+api+`"`
	after := func(d time.Duration) int64 { return start.Add(d).Unix() }
	var accept error

	for _, c := range []struct {
		why     string
		payload string
		want    error
	}{
		{"it is as it should be", payload(t), accept},

		{"9.2.1: exp is required", payload(t, ","+exp, ""), token.ErrClaims},
		{"9.2.1: expired at exp, not later", payload(t, exp, fmt.Sprintf(`"exp":%d`, after(0))), token.ErrExpired},
		{"9.2.1: valid a second before", payload(t, exp, fmt.Sprintf(`"exp":%d`, after(time.Second))), accept},
		{"9.2.1: long expired", payload(t, exp, `"exp":0`), token.ErrExpired},
		{"exp is a number", payload(t, exp, `"exp":"9999999999"`), token.ErrMalformed},
		{"exp is no fraction", payload(t, exp, exp+".5"), token.ErrMalformed},
		{"exp has no exponent", payload(t, exp, `"exp":1e11`), token.ErrMalformed},
		{"exp is not negative", payload(t, exp, `"exp":-1`), token.ErrMalformed},
		{"exp has no leading zero", payload(t, exp, `"exp":09999999999`), token.ErrMalformed},
		{"exp is a date", payload(t, exp, `"exp":999999999999`), token.ErrMalformed},
		{"exp does not wrap around", payload(t, exp, `"exp":18446744073709551615`), token.ErrMalformed},
		{"exp is not null", payload(t, exp, `"exp":null`), token.ErrMalformed},
		{"exp is not a list", payload(t, exp, `"exp":[1]`), token.ErrMalformed},
		{"exp is not empty", payload(t, exp, `"exp":`), token.ErrMalformed},

		{"9.2.1: nbf in the future", payload(t, iat, iat+fmt.Sprintf(`,"nbf":%d`, after(time.Minute))), token.ErrNotYetValid},
		{"9.2.1: nbf now", payload(t, iat, iat+fmt.Sprintf(`,"nbf":%d`, after(0))), accept},
		{"9.2.1: nbf ahead by what clocks may differ", payload(t, iat, iat+fmt.Sprintf(`,"nbf":%d`, after(5*time.Second))), accept},
		{"9.2.1: and a second more", payload(t, iat, iat+fmt.Sprintf(`,"nbf":%d`, after(6*time.Second))), token.ErrNotYetValid},
		{"nbf is a number", payload(t, iat, iat+`,"nbf":"1"`), token.ErrMalformed},
		{"iat is required", payload(t, iat+",", ""), token.ErrClaims},
		{"iat in the future", payload(t, iat, fmt.Sprintf(`"iat":%d`, after(time.Minute))), token.ErrNotYetValid},
		{"auth_time is a number", payload(t, iat, iat+`,"auth_time":true`), token.ErrMalformed},

		{"req 20: iss is required", payload(t, iss+",", ""), token.ErrClaims},
		{"req 20: iss is ours", payload(t, issuer, "https://evil.example"), token.ErrIssuer},
		{"req 20: to the last byte", payload(t, issuer, issuer+"/"), token.ErrIssuer},
		{"req 20: and in this case", payload(t, issuer, strings.ToUpper(issuer)), token.ErrIssuer},
		{"iss is not empty", payload(t, issuer, ""), token.ErrClaims},
		{"iss is one string", payload(t, iss, `"iss":["`+issuer+`"]`), token.ErrMalformed},

		{"9.2.3: aud is required", payload(t, aud+",", ""), token.ErrClaims},
		{"9.2.3: aud is ours", payload(t, api, "https://other.example"), token.ErrAudience},
		{"9.2.3: no prefix of ours", payload(t, api, api+".evil.example"), token.ErrAudience},
		{"D13, CVE-2020-26160: an empty list is for nobody", payload(t, aud, `"aud":[]`), token.ErrClaims},
		{"D13: an empty string is for nobody", payload(t, api, ""), token.ErrAudience},
		{"aud is one of several", payload(t, aud, `"aud":["https://other.example","`+api+`"]`), accept},
		{"aud is none of several", payload(t, aud, `"aud":["a","b"]`), token.ErrAudience},
		{"aud is a list of strings", payload(t, aud, `"aud":["`+api+`",1]`), token.ErrMalformed},
		{"aud is no nested list", payload(t, aud, `"aud":[["`+api+`"]]`), token.ErrMalformed},
		{"aud is no object", payload(t, aud, `"aud":{"`+api+`":1}`), token.ErrMalformed},
		{"aud is a bounded list", payload(t, aud, `"aud":["`+api+`"`+strings.Repeat(`,"x"`, 15)+`]`), accept},
		{"aud is not longer", payload(t, aud, `"aud":["`+api+`"`+strings.Repeat(`,"x"`, 16)+`]`), token.ErrMalformed},

		{"req 20: sub is required", payload(t, `"sub":"user-7f3a",`, ""), token.ErrClaims},
		{"sub is not empty", payload(t, "user-7f3a", ""), token.ErrClaims},
		{"sub is a string", payload(t, `"user-7f3a"`, "7"), token.ErrMalformed},
		{"D13: sid is required, or nothing could be revoked", payload(t, `"sid":"sid-1",`, ""), token.ErrClaims},
		{"sid is not empty", payload(t, "sid-1", ""), token.ErrClaims},
		{"sid is a string", payload(t, `"sid-1"`, "null"), token.ErrMalformed},
		{"RFC 9068: jti is required", payload(t, `"jti":"jti-1",`, ""), token.ErrClaims},
		{"amr is a list", payload(t, iat, iat+`,"amr":"pwd"`), token.ErrMalformed},
		{"amr is a list of strings", payload(t, iat, iat+`,"amr":["pwd",{}]`), token.ErrMalformed},
		{"names are told apart by case: EXP is not exp", payload(t, `"exp"`, `"EXP"`), token.ErrClaims},

		{"RFC 7519 4: an unknown claim is passed over", payload(t, iat, iat+`,"x":{"a":[1,-2.5e+3,true,false,null,"\u00e9"]}`), accept},
		{"req 22: a duplicate name", payload(t, iat, iat+`,"sub":"admin"`), token.ErrMalformed},
		{"req 22: the same in disguise", payload(t, iat, iat+`,"s\u0075b":"admin"`), token.ErrMalformed},
		{"req 22: of an unknown claim too", payload(t, iat, iat+`,"x":1,"x":1`), token.ErrMalformed},
		{"req 22: and further inside", payload(t, iat, iat+`,"x":{"y":1,"y":1}`), token.ErrMalformed},
		{"bounded: depth", payload(t, iat, iat+`,"x":`+strings.Repeat("[", 7)+strings.Repeat("]", 7)), accept},
		{"bounded: and no deeper", payload(t, iat, iat+`,"x":`+strings.Repeat("[", 8)+strings.Repeat("]", 8)), token.ErrMalformed},
		{"bounded: depth of objects", payload(t, iat, iat+`,"x":`+strings.Repeat(`{"x":`, 6)+`{}`+strings.Repeat("}", 6)), accept},
		{"bounded: and no deeper", payload(t, iat, iat+`,"x":`+strings.Repeat(`{"x":`, 7)+`{}`+strings.Repeat("}", 7)), token.ErrMalformed},
		{"bounded: depth without an end", payload(t, iat, iat+`,"x":`+strings.Repeat("[", 5000)), token.ErrMalformed},
		{"bounded: members", payload(t, iat, iat+members(57)), accept},
		{"bounded: and no more", payload(t, iat, iat+members(58)), token.ErrMalformed},
		{"strict: nothing behind", payload(t) + `{}`, token.ErrMalformed},
		{"strict: nor a NUL", payload(t) + "\x00", token.ErrMalformed},
		{"strict: white space is no matter", " \t\r\n" + payload(t, ":", " : ") + "\n", accept},
		{"strict: no byte order mark", "\ufeff" + payload(t), token.ErrMalformed},
		{"strict: no invalid UTF-8", payload(t, "user-7f3a", "user\xff"), token.ErrMalformed},
		{"strict: no overlong UTF-8", payload(t, "user-7f3a", "user\xc0\xaf"), token.ErrMalformed},
		{"strict: no half surrogate", payload(t, "user-7f3a", `user\ud800`), token.ErrMalformed},
		{"strict: nor two first halves", payload(t, "user-7f3a", `user\ud800\ud800`), token.ErrMalformed},
		{"strict: a pair is fine", payload(t, "user-7f3a", `user\ud83d\ude00`), accept},
		{"strict: no unknown escape", payload(t, "user-7f3a", `user\x41`), token.ErrMalformed},
		{"strict: no raw control character", payload(t, "user-7f3a", "user\n"), token.ErrMalformed},
		{"strict: no trailing comma", payload(t, exp, exp+","), token.ErrMalformed},
		{"strict: no comment", payload(t, exp, exp+"/**/"), token.ErrMalformed},
		{"strict: no single quotes", payload(t, `"sid-1"`, `'sid-1'`), token.ErrMalformed},
		{"strict: an object", "[" + payload(t) + "]", token.ErrMalformed},
		{"strict: a whole one", strings.TrimSuffix(payload(t), "}"), token.ErrMalformed},
		{"strict: not nothing", "", token.ErrMalformed},
		{"strict: not null", "null", token.ErrMalformed},
		{"strict: not empty", "{}", token.ErrClaims},
		{"strict: no number cut short", payload(t, iat, iat+`,"x":-`), token.ErrMalformed},
		{"strict: no word misspelt", payload(t, iat, iat+`,"x":nul`), token.ErrMalformed},
	} {
		t.Run(c.why, func(t *testing.T) {
			tok := keys.SignRaw(keys.Header(), c.payload)
			if c.want != nil {
				refuse(t, newVerifier(keys), tok, start, c.want)
				return
			}
			if _, err := newVerifier(keys).Verify(tok, start); err != nil {
				t.Error(err)
			}
		})
	}
}

func members(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"x%d":0`, i)
	}
	return b.String()
}

func TestVerifierConfig(t *testing.T) {
	keys := newKeyring(t, token.EdDSA)
	tok := sign(t, keys, someClaims(), start)
	iss, aud := []string{issuer}, []string{api}
	for _, c := range []struct {
		why    string
		config token.Config
		now    time.Time
		want   error
	}{
		{"no issuers: nothing is accepted", token.Config{Audiences: aud}, start, token.ErrIssuer},
		{"no audiences: nothing is accepted", token.Config{Issuers: iss}, start, token.ErrAudience},
		{"one of the issuers", token.Config{Issuers: []string{"x", issuer}, Audiences: aud}, start, nil},
		{"one of the audiences", token.Config{Issuers: iss, Audiences: []string{"x", api}}, start, nil},
		{"whatever the audience, where that is asked for", token.Config{Issuers: iss, AnyAudience: true}, start, nil},
		{"any audience is not any issuer", token.Config{AnyAudience: true}, start, token.ErrIssuer},
		{"as long as it may be", token.Config{Issuers: iss, Audiences: aud, MaxLength: len(tok)}, start, nil},
		{"longer than it may be", token.Config{Issuers: iss, Audiences: aud, MaxLength: len(tok) - 1}, start, token.ErrMalformed},
		{"a clock 5 s behind, by default", token.Config{Issuers: iss, Audiences: aud}, start.Add(-5 * time.Second), nil},
		{"a clock 6 s behind, by default", token.Config{Issuers: iss, Audiences: aud}, start.Add(-6 * time.Second), token.ErrNotYetValid},
		{"a clock 6 s behind, by choice", token.Config{Issuers: iss, Audiences: aud, Leeway: 6 * time.Second}, start.Add(-6 * time.Second), nil},
		{"no leeway", token.Config{Issuers: iss, Audiences: aud, Leeway: -1}, start.Add(-1), token.ErrNotYetValid},
		{"no leeway is not less than none", token.Config{Issuers: iss, Audiences: aud, Leeway: -time.Hour}, start, nil},
		{"no leeway for exp", token.Config{Issuers: iss, Audiences: aud, Leeway: time.Hour}, start.Add(life), token.ErrExpired},
		{"without a cache", token.Config{Issuers: iss, Audiences: aud, CacheSize: -1}, start, nil},
		{"a cache too small to use", token.Config{Issuers: iss, Audiences: aud, CacheSize: 1}, start, nil},
	} {
		t.Run(c.why, func(t *testing.T) {
			v := token.NewVerifier(c.config)
			v.SetKeyring(keys)
			for range 2 {
				if _, err := v.Verify(tok, c.now); !errors.Is(err, c.want) {
					t.Errorf("Verify: %v, want %v", err, c.want)
				}
			}
		})
	}
}

func TestVerifyWithoutKeyring(t *testing.T) {
	v := token.NewVerifier(token.Config{Issuers: []string{issuer}, Audiences: []string{api}})
	refuse(t, v, sign(t, newKeyring(t, token.EdDSA), someClaims(), start), start, token.ErrUnknownKey)
}
