package e2e

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
)

// addService registers a service, and returns its id and, unless it has keys, its
// secret.
func (s *site) addService(args ...string) (id, secret string) {
	s.t.Helper()
	printed := s.must(s.command(append([]string{"client", "add"}, args...)...))
	m := regexp.MustCompile(`^client_id=(\S+)\n(?:client_secret=(\S+)\n)?$`).FindStringSubmatch(printed)
	if m == nil {
		s.t.Fatalf("client add printed %q", printed)
	}
	if m[2] != "" {
		s.secrets.add("a client's secret", m[2])
	}
	return m[1], m[2]
}

// script runs a program for Node, which finds the packages of a directory; empty:
// none.
func script(t *testing.T, packages, source string, env ...string) string {
	t.Helper()
	dir := t.TempDir()
	if packages != "" {
		check(t, os.Symlink(filepath.Join(packages, "node_modules"), filepath.Join(dir, "node_modules")))
	}
	file := filepath.Join(dir, "script.mjs")
	check(t, os.WriteFile(file, []byte(source), 0o600))
	cmd := exec.Command(find(t, "node"), file)
	cmd.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	return string(out)
}

// TestOpenIDClient: npm's openid-client, which nobody here wrote, finds its way by
// the metadata (RFC 8414), introspects (RFC 7662) and revokes (RFC 7009), in each
// way that a client may prove who it is, and refreshes for another service
// (RFC 8707). As a service it takes our access tokens for what they are
// (RFC 9068).
func TestOpenIDClient(t *testing.T) {
	const orders = "https://orders.example.com"
	library := npmPackages(t, "openid-client@6.9.0")
	source, err := os.ReadFile("testdata/openid.mjs")
	check(t, err)
	s := newSite(t, "john")
	id, secret := s.addService("shop", "--can", "introspect")
	signers := map[string][]string{} // by algorithm: the environment of one that signs
	for alg, private := range newKeys(t) {
		key := jose.JSONWebKey{Key: private, KeyID: alg, Algorithm: alg}
		set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}})
		check(t, err)
		file := filepath.Join(t.TempDir(), "public.json")
		check(t, os.WriteFile(file, set, 0o600))
		signs, none := s.addService("signs-"+alg, "--can", "introspect", "--jwks", file)
		if none != "" {
			t.Errorf("%s: it has a secret as well", alg)
		}
		jwk, err := json.Marshal(key)
		check(t, err)
		signers[alg] = []string{"CLIENT_ID=" + signs, "CLIENT_JWK=" + string(jwk)}
	}
	p := s.serve("--resource", orders)

	type asked struct {
		Active             bool
		Username, Sub, Sid string
		Exp                int64
		Aud                []string
		TokenType          string `json:"token_type"`
	}
	type told struct {
		Issuer string
		Claims struct {
			Sub, Sid string
			ClientID string `json:"client_id"`
		}
		Access, Refresh, Unknown asked
		Revoked                  []asked
		Refreshed                struct{ Access, Refresh string }
	}
	run := func(t *testing.T, method string, c *client, env ...string) (told told) {
		t.Helper()
		out := script(t, library, string(source), append(env, "SERVER="+p.url, "METHOD="+method,
			"ACCESS="+c.access, "REFRESH="+c.refresh, "RESOURCE="+orders)...)
		if err := json.Unmarshal([]byte(out), &told); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if told.Issuer != p.url {
			t.Errorf("the issuer is %q", told.Issuer)
		}
		if told.Claims.Sid != c.sid || told.Claims.ClientID != p.url {
			t.Errorf("the token, read by a service: %+v", told.Claims)
		}
		return told
	}
	confidential := func(t *testing.T, method string, env ...string) {
		t.Helper()
		c := p.mustLoginAPI("john")
		told := run(t, method, c, env...)
		if a := told.Access; !a.Active || a.Username != "john" || a.Sid != c.sid || a.TokenType != "Bearer" || len(a.Aud) != 1 || a.Aud[0] != p.url || a.Exp == 0 {
			t.Errorf("the access token: %+v", a)
		}
		if r := told.Refresh; !r.Active || r.Sid != c.sid || r.TokenType != "" || r.Aud != nil {
			t.Errorf("the refresh token: %+v", r)
		}
		for _, a := range append(told.Revoked, told.Unknown) {
			if a.Active || a.Sub != "" {
				t.Errorf("what does not work: %+v", a)
			}
		}
		p.mustRefuse(c, "revoked by "+method)
	}
	for _, method := range []string{"client_secret_basic", "client_secret_post"} {
		t.Run(method, func(t *testing.T) { confidential(t, method, "CLIENT_ID="+id, "CLIENT_SECRET="+secret) })
	}
	for alg, env := range signers {
		t.Run("private_key_jwt by "+alg, func(t *testing.T) { confidential(t, "private_key_jwt", env...) })
	}
	t.Run("a program that is not registered", func(t *testing.T) {
		c := p.mustLoginAPI("john")
		told := run(t, "none", c, "CLIENT_ID=my-app")
		s.secrets.add("tokens of a library", told.Refreshed.Access, told.Refreshed.Refresh)
		claims := jwt.RegisteredClaims{}
		_, _, err := jwt.NewParser().ParseUnverified(told.Refreshed.Access, &claims)
		check(t, err)
		if len(claims.Audience) != 1 || claims.Audience[0] != orders {
			t.Errorf("the token is for %v", claims.Audience)
		}
		p.mustRefuse(c, "revoked by the program itself")
	})
}

// newKeys makes a private key for each algorithm that a client may sign with.
func newKeys(t *testing.T) map[string]crypto.Signer {
	t.Helper()
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	check(t, err)
	return map[string]crypto.Signer{"EdDSA": ed, "ES256": ec, "RS256": rs, "PS256": rs}
}

// TestDocumentedClients: the programs that docs/clients.md shows do what they say.
func TestDocumentedClients(t *testing.T) {
	document, err := os.ReadFile("../docs/clients.md")
	check(t, err)
	block := func(language string) string {
		m := regexp.MustCompile("(?s)```" + language + "\n(.*?)```").FindStringSubmatch(string(document))
		if m == nil {
			t.Fatalf("docs/clients.md shows no %s", language)
		}
		return m[1]
	}
	s := newSite(t, "john")
	id, secret := s.addService("shop", "--can", "introspect")
	p := s.serve()
	env := []string{"SERVER=" + p.url, "NAME=john", "PASSWORD=" + password, "CLIENT_ID=" + id, "CLIENT_SECRET=" + secret}
	const want = "active: true, john\nactive: false\n"
	if out := script(t, "", block("js"), env...); out != want {
		t.Errorf("JavaScript printed %q", out)
	}
	find(t, "curl")
	find(t, "jq")
	shell := exec.Command("sh", "-eu", "-c", block("sh"))
	shell.Env = append(os.Environ(), env...)
	if out, err := shell.CombinedOutput(); err != nil || string(out) != want {
		t.Errorf("curl: %v, %q", err, out)
	}
}
