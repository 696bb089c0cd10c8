package server_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/counterfoil/counterfoil/server"
)

// RFC 8414 section 2: every address that the metadata tells is there, and what is
// said of it is so (TestClientAuthentication and TestRevocation show the methods).
func TestMetadata(t *testing.T) {
	s, _ := openOAuth(t)
	answer := s.withCookie("").get("/.well-known/oauth-authorization-server")
	want(t, answer, 200)
	if kind := answer.Header.Get("Content-Type"); kind != "application/json" {
		t.Errorf("Content-Type %q", kind)
	}
	got := decode[map[string]any](t, answer)
	if got["issuer"] != s.url {
		t.Errorf("RFC 8414 section 3.3: the issuer is %v, and was asked at %s", got["issuer"], s.url)
	}
	for name, value := range got {
		if list, ok := value.([]any); ok && len(list) == 0 && name != "response_types_supported" {
			t.Errorf("%s is empty", name)
		}
	}
	for _, c := range []struct{ name, method string }{
		{"token_endpoint", "POST"}, {"introspection_endpoint", "POST"}, {"revocation_endpoint", "POST"}, {"jwks_uri", "GET"},
	} {
		address, _ := got[c.name].(string)
		r, err := http.NewRequest(c.method, address, nil)
		check(t, err)
		res, err := http.DefaultClient.Do(r)
		check(t, err)
		res.Body.Close()
		if status := map[string]int{"POST": 415, "GET": 200}[c.method]; res.StatusCode != status {
			t.Errorf("%s: %s %s: %s", c.name, c.method, address, res.Status)
		}
	}
	if resources := got["protected_resources"].([]any); !slices.Equal(resources, []any{orders}) {
		t.Errorf("RFC 9728 section 4: %v", resources)
	}
}

// Without a public URL there is nothing to be sure of.
func TestNoMetadataWithoutAPublicURL(t *testing.T) {
	s := openSite(t, func(c *server.Config) { c.Sessions.PublicURL = "" })
	want(t, s.withCookie("").get("/.well-known/oauth-authorization-server"), 404)
}

// What is public may be kept for a while, and asked for again by its ETag.
func TestPublicDocumentsMayBeKept(t *testing.T) {
	s, _ := openOAuth(t)
	for path, cache := range map[string]string{
		"/.well-known/oauth-authorization-server": "public, max-age=300",
		"/.well-known/jwks.json":                  "public, max-age=60",
		"/v1/openapi.json":                        "public, max-age=300",
	} {
		first := s.withCookie("").get(path)
		want(t, first, 200)
		tag := first.Header.Get("ETag")
		if first.Header.Get("Cache-Control") != cache || len(tag) < 20 {
			t.Errorf("%s: Cache-Control %q, ETag %q", path, first.Header.Get("Cache-Control"), tag)
		}
		for _, c := range []struct {
			why, asked string
			status     int
		}{
			{"the same", tag, 304},
			{"one of several", `"other", ` + tag, 304},
			{"another", `"other"`, 200},
		} {
			answer := s.withCookie("").do("GET", path, http.Header{"If-None-Match": {c.asked}}, "")
			if answer.StatusCode != c.status || answer.Header.Get("ETag") != tag || answer.Header.Get("Cache-Control") != cache {
				t.Errorf("%s: %s: %s, %v", path, c.why, answer.Status, answer.Header)
			}
		}
		if head := s.withCookie("").do("HEAD", path, nil, ""); head.StatusCode != 200 || head.body != "" || head.Header.Get("ETag") != tag {
			t.Errorf("%s: HEAD: %s", path, head.Status)
		}
		want(t, s.withCookie("").do("POST", path, nil, ""), 405)
	}
}
