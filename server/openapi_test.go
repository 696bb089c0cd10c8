package server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	clients "github.com/counterfoil/counterfoil/server/client"
)

// A described is what openapi.json says. The kit holds every answer of every test
// against it.
type described struct {
	operations []promise
}

// A promise is one operation.
type promise struct {
	id, method string
	path       []string // segments; one in braces is any
	responses  map[string]promisedAnswer
}

type promisedAnswer struct {
	headers []string                      // the required ones
	content map[string]*jsonschema.Schema // by media type; empty: no body
}

var contract = sync.OnceValue(func() *described {
	text, err := os.ReadFile("openapi.json")
	if err == nil {
		var d *described
		if d, err = readContract(text); err == nil {
			return d
		}
	}
	panic(err)
})

func readContract(text []byte) (*described, error) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	closeObjects(document)
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("openapi.json", document); err != nil {
		return nil, err
	}
	r := reader{document.(map[string]any), compiler}
	d := &described{}
	for path, methods := range r.object("paths") {
		for method := range methods.(map[string]any) {
			o, err := r.operation(path, method)
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", method, path, err)
			}
			d.operations = append(d.operations, o)
		}
	}
	return d, nil
}

// closeObjects lets objects have no members but those that are described: to
// clients the document promises less, since there may be more in time.
func closeObjects(v any) {
	switch v := v.(type) {
	case map[string]any:
		if _, ok := v["properties"]; ok && v["type"] == "object" {
			v["additionalProperties"] = false
		}
		for _, member := range v {
			closeObjects(member)
		}
	case []any:
		for _, element := range v {
			closeObjects(element)
		}
	}
}

// A reader finds things in the document.
type reader struct {
	document map[string]any
	compiler *jsonschema.Compiler
}

// object returns the object at a place, and follows one reference there.
func (r reader) object(place ...string) map[string]any {
	object, _ := r.resolve(place)
	return object
}

func (r reader) resolve(place []string) (map[string]any, []string) {
	at := r.document
	for _, name := range place {
		at, _ = at[name].(map[string]any)
	}
	if target, ok := at["$ref"].(string); ok {
		return r.resolve(strings.Split(strings.TrimPrefix(target, "#/"), "/"))
	}
	return at, place
}

func (r reader) operation(path, method string) (promise, error) {
	place := []string{"paths", path, method}
	id, _ := r.object(place...)["operationId"].(string)
	o := promise{id: id, method: strings.ToUpper(method), path: strings.Split(path, "/"), responses: map[string]promisedAnswer{}}
	for status := range r.object(append(place, "responses")...) {
		response, at := r.resolve(slices.Concat(place, []string{"responses", status}))
		a := promisedAnswer{content: map[string]*jsonschema.Schema{}}
		for name := range r.object(append(at, "headers")...) {
			if r.object(slices.Concat(at, []string{"headers", name})...)["required"] == true {
				a.headers = append(a.headers, name)
			}
		}
		content, _ := response["content"].(map[string]any)
		for kind := range content {
			schema, err := r.compiler.Compile(pointer(slices.Concat(at, []string{"content", kind, "schema"})))
			if err != nil {
				return o, err
			}
			a.content[kind] = schema
		}
		o.responses[status] = a
	}
	return o, nil
}

func pointer(place []string) string {
	escaped := "openapi.json#"
	for _, name := range place {
		name = strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
		escaped += "/" + strings.NewReplacer("{", "%7B", "}", "%7D").Replace(name)
	}
	return escaped
}

func (d *described) find(method, path string) *promise {
	segments := strings.Split(path, "/")
	for i, o := range d.operations {
		same := func(a, b string) bool { return strings.HasPrefix(a, "{") || a == b }
		if o.method == method && slices.EqualFunc(o.path, segments, same) {
			return &d.operations[i]
		}
	}
	return nil
}

// check holds an answer against the document. Pages, and requests that no
// operation is for, are not its business.
func (d *described) check(r *http.Request, answer *http.Response, body []byte) error {
	o := d.find(r.Method, r.URL.Path)
	if o == nil {
		return nil
	}
	a, ok := o.responses[fmt.Sprint(answer.StatusCode)]
	if !ok && answer.StatusCode < 400 {
		return errors.New("no such status")
	}
	if !ok {
		a = o.responses["default"]
	}
	for _, name := range a.headers {
		if answer.Header.Get(name) == "" {
			return fmt.Errorf("the header %s is missing", name)
		}
	}
	if len(a.content) == 0 {
		if len(body) > 0 {
			return errors.New("there is a body")
		}
		return nil
	}
	kind, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	schema := a.content[kind]
	if err != nil || schema == nil {
		return fmt.Errorf("no such content type: %q", answer.Header.Get("Content-Type"))
	}
	var value any = string(body)
	if kind == "application/json" || strings.HasSuffix(kind, "+json") {
		if value, err = jsonschema.UnmarshalJSON(bytes.NewReader(body)); err != nil {
			return err
		}
	}
	return schema.Validate(value)
}

var programsRoute = regexp.MustCompile(`"(?:([A-Z]+) )?(/(?:v1|\.well-known)/[^"]*|/healthz|/readyz|/auth)"`)

// Every route that is for programs is an operation, and every operation a route.
func TestOpenAPIHasEveryRoute(t *testing.T) {
	code, err := os.ReadFile("routes.go")
	check(t, err)
	var routes, operations []string
	for _, m := range programsRoute.FindAllStringSubmatch(string(code), -1) {
		if m[1] != "" { // a route for all methods is told by its GET
			routes = append(routes, m[1]+" "+m[2])
		}
	}
	for _, o := range contract().operations {
		operations = append(operations, o.method+" "+strings.Join(o.path, "/"))
	}
	slices.Sort(routes)
	slices.Sort(operations)
	if len(routes) < 18 || !slices.Equal(routes, operations) {
		t.Errorf("the routes are\n%q\nopenapi.json has\n%q", routes, operations)
	}
}

// The document is served as it is, and each operation does what it says, when all
// is well. What the other tests see is held against it, too.
func TestOpenAPIOperations(t *testing.T) {
	s, sessions := openOAuth(t)
	introspector, introspectorSecret := s.addClient(sessions, "introspector", clients.Introspect)
	verifier, verifierSecret := s.addClient(sessions, "verifier", clients.Verify)
	poller, pollerSecret := s.addClient(sessions, "poller", clients.Poll)
	seen := map[string]bool{}
	try := func(c *client, method, path string, header http.Header, body string) reply {
		t.Helper()
		answer := c.do(method, path, header, body)
		o := contract().find(method, answer.Request.URL.Path)
		if answer.StatusCode >= 300 || o == nil {
			t.Errorf("%s %s: %s %s", method, path, answer.Status, answer.body)
			return answer
		}
		seen[o.id] = true
		return answer
	}
	nobody := s.withCookie("")
	served := try(nobody, "GET", "/v1/openapi.json", nil, "")
	if file, err := os.ReadFile("openapi.json"); err != nil || served.body != string(file) {
		t.Error("the document is not served as it is")
	}
	for _, path := range []string{"/.well-known/jwks.json", "/.well-known/oauth-authorization-server", "/healthz", "/readyz"} {
		try(nobody, "GET", path, nil, "")
	}
	login := decode[grant](t, try(nobody, "POST", "/v1/login", jsonHeader, `{"username":"john","password":"`+password+`"}`))
	try(nobody, "GET", statusPath(t, login.AccessToken), nil, "")
	login = decode[grant](t, try(nobody, "POST", "/v1/token", formHeader, "grant_type=refresh_token&refresh_token="+login.RefreshToken))
	for _, path := range []string{"/v1/session", "/v1/sessions"} {
		try(nobody, "GET", path, bearer(login.AccessToken), "")
	}
	asked := formHeader.Clone()
	asked["Authorization"] = basic(introspector, introspectorSecret)["Authorization"]
	for _, token := range []string{login.AccessToken, login.RefreshToken, "x"} {
		try(nobody, "POST", "/v1/introspect", asked, "token="+token)
	}
	try(nobody, "POST", "/v1/revoke", asked, "token="+login.RefreshToken)

	browser, other := s.loggedIn(), s.apiLogin()
	csrf := decode[map[string]string](t, try(browser, "GET", "/v1/csrf", nil, ""))["csrf_token"]
	unsafe := http.Header{"X-Csrf-Token": {csrf}}
	try(browser, "POST", "/v1/session/token", unsafe, "")
	try(browser, "DELETE", "/v1/sessions/"+other.Session["id"].(string), unsafe, "")
	try(browser, "DELETE", "/v1/sessions?others=true", unsafe, "")
	try(browser, "DELETE", "/v1/session?wait=everywhere", unsafe, "")

	follows := basic(verifier, verifierSecret)
	try(nobody, "GET", "/v1/feed/snapshot", follows, "")
	follows["Content-Type"] = jsonHeader["Content-Type"]
	zeros := strings.Repeat("0", 32)
	try(nobody, "POST", "/v1/feed/renew", follows, `{"follower":"`+strings.Repeat("a", 32)+`","nonce":"`+zeros+`","after":{"pos":0,"id":"`+zeros+`"},"limit":10}`)
	polls := basic(poller, pollerSecret)
	polls["Content-Type"] = jsonHeader["Content-Type"]
	try(nobody, "POST", "/v1/events/poll", polls, `{"returnImmediately":true}`)
	seen["followFeed"] = s.streams(follows)
	try(nobody, "GET", "/auth", bearer(s.apiLogin().AccessToken), "")

	for _, o := range contract().operations {
		if !seen[o.id] {
			t.Errorf("%s was not tried", o.id)
		}
	}
}

// streams reports whether the feed begins as it is described. It has no end.
func (s *site) streams(header http.Header) bool {
	ctx, cancel := context.WithCancel(s.t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", s.url+"/v1/feed", nil)
	check(s.t, err)
	r.Header = header
	answer, err := http.DefaultTransport.RoundTrip(r)
	check(s.t, err)
	defer answer.Body.Close()
	return answer.StatusCode == 200 && answer.Header.Get("Content-Type") == "text/event-stream"
}

// What holds answers against the document notices what is wrong with them.
func TestOpenAPICheckFails(t *testing.T) {
	json200 := http.Header{"Content-Type": {"application/json"}}
	problem := http.Header{"Content-Type": {"application/problem+json"}}
	for _, c := range []struct {
		why, method, path string
		status            int
		header            http.Header
		body              string
		good              bool
	}{
		{"as it is", "POST", "/v1/introspect", 200, json200, inactive, true},
		{"one member more", "POST", "/v1/introspect", 200, json200, `{"active":false,"why":"expired"}`, false},
		{"one member less", "GET", "/v1/csrf", 200, json200, `{}`, false},
		{"another type", "GET", "/v1/csrf", 200, json200, `{"csrf_token":1}`, false},
		{"no JSON", "GET", "/v1/csrf", 200, json200, `x`, false},
		{"another content type", "GET", "/v1/csrf", 200, http.Header{"Content-Type": {"text/html"}}, `{"csrf_token":"x"}`, false},
		{"another status", "GET", "/v1/csrf", 202, json200, `{"csrf_token":"x"}`, false},
		{"a body where there is none", "DELETE", "/v1/session", 204, json200, `{}`, false},
		{"a session of one's own, by a template", "DELETE", "/v1/sessions/x", 204, nil, "", true},
		{"503 without Retry-After", "GET", "/v1/csrf", 503, problem, `{"type":"urn:counterfoil:problem:unavailable","title":"x","status":503,"detail":"x"}`, false},
		{"a status that has its default", "GET", "/v1/csrf", 500, problem, `{"type":"urn:counterfoil:problem:internal","title":"x","status":500,"detail":"x"}`, true},
		{"another problem", "GET", "/v1/csrf", 500, problem, `{"type":"about:blank","title":"x","status":500,"detail":"x"}`, false},
	} {
		r, err := http.NewRequest(c.method, "http://localhost"+c.path, nil)
		check(t, err)
		err = contract().check(r, &http.Response{StatusCode: c.status, Header: c.header}, []byte(c.body))
		if (err == nil) != c.good {
			t.Errorf("%s: %v", c.why, err)
		}
	}
}
