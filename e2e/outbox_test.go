package e2e

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const receiverVersion = "3.4.0"

// TestReceiverThatIsNotOurs hands logout tokens to an app that takes them with
// express-openid-connect: what we send is what others understand.
func TestReceiverThatIsNotOurs(t *testing.T) {
	modules := npmPackages(t, "express-openid-connect@"+receiverVersion, "express@5.2.1")
	site := newSite(t, "john")

	// The library wants the metadata of an OpenID provider; a proxy adds them.
	var backend string
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		issuer := "http://" + r.Host
		if r.URL.Path == "/.well-known/openid-configuration" {
			check(t, json.NewEncoder(w).Encode(map[string]any{
				"issuer": issuer, "jwks_uri": issuer + "/.well-known/jwks.json", "authorization_endpoint": issuer + "/none",
				"response_types_supported": []string{"id_token"}, "response_modes_supported": []string{"form_post"},
				"subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"EdDSA"},
			}))
			return
		}
		to, err := url.Parse(backend)
		check(t, err)
		httputil.NewSingleHostReverseProxy(to).ServeHTTP(w, r)
	}))
	defer front.Close()

	// The app's client is registered before the app, which needs its id. So its
	// port is chosen first, and another server holds it until the app is there.
	hold, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	relay := "http://" + hold.Addr().String()
	var app string
	go http.Serve(hold, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // ends with hold
		to, err := url.Parse(app)
		check(t, err)
		httputil.NewSingleHostReverseProxy(to).ServeHTTP(w, r)
	}))
	defer hold.Close()
	id := field(site.must(site.command("client", "add", "app", "--logout-url="+relay+"/backchannel-logout")), "client_id")

	node := exec.Command(find(t, "node"), "testdata/receiver.mjs", modules, front.URL, id)
	stdout, err := node.StdoutPipe()
	check(t, err)
	stderr := &strings.Builder{}
	node.Stderr = stderr
	check(t, node.Start())
	defer func() {
		node.Process.Kill()
		node.Wait() // it was killed
	}()
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() {
		t.Fatalf("the app does not start: %s", stderr)
	}
	app = "http://127.0.0.1:" + lines.Text()

	p := site.serve("--public-url="+front.URL, "--receiver-network=127.0.0.0/8")
	backend = p.url
	session, token := apiLogin(t, p.url, "john")
	apiLogout(t, p.url, token)
	accepted := make(chan string, 1)
	go func() {
		lines.Scan()
		accepted <- lines.Text()
	}()
	select {
	case line := <-accepted:
		if !strings.Contains(line, `"sid":"`+session+`"`) {
			t.Errorf("the app has accepted %s, and not the end of %s", line, session)
		}
	case <-time.After(20 * time.Second):
		t.Errorf("the app has accepted nothing\n%s\n%s", site.must(site.command("outbox", "list")), p.log)
	}
}

// npmPackages installs packages from npm into the user's cache, once, and
// returns the directory that they are in.
func npmPackages(t testing.TB, packages ...string) string {
	t.Helper()
	dir := filepath.Join(cacheDir(t), strings.NewReplacer("/", "_", "@", "_").Replace(strings.Join(packages, "+")))
	check(t, npmInstall(t, dir, packages...))
	return dir
}

// TestKill9LosesNoLogout kills the server in the middle of logouts and of telling
// of them, again and again, while receivers answer badly. In the end both have
// been told of every session whose logout was acknowledged.
func TestKill9LosesNoLogout(t *testing.T) {
	const sessions, rounds = 64, 8
	site := newSite(t, "john")
	told := map[string]map[string]bool{"logout": {}, "push": {}} // by way, session
	refusals := map[string]int{}                                 // by way, in a row
	var mu sync.Mutex
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		way, signed := "push", string(body)
		if form, err := url.ParseQuery(signed); err == nil && form.Has("logout_token") {
			way, signed = "logout", form.Get("logout_token")
		}
		if rand.IntN(4) == 0 {
			time.Sleep(rand.N(50 * time.Millisecond)) // it has it, and the server dies before it knows
		}
		mu.Lock()
		defer mu.Unlock()
		// Never more than twice in a row: a receiver is left alone for twice as
		// long each time, soon longer than a test waits.
		if refusals[way] < 2 && rand.IntN(4) == 0 {
			refusals[way]++
			w.WriteHeader(500)
			return
		}
		refusals[way] = 0
		told[way][sessionIn(signed)] = true
	}))
	defer receiver.Close()
	site.must(site.command("client", "add", "app", "--logout-url="+receiver.URL, "--events-url="+receiver.URL+"/events"))

	flags := []string{"--max-sessions=0", "--receiver-network=127.0.0.0/8"}
	p := site.serve(flags...)
	open := make(chan [2]string, sessions) // id, token
	for range sessions {
		id, token := apiLogin(t, p.url, "john")
		open <- [2]string{id, token}
	}
	p.stop()
	var ended []string
	for range rounds {
		p := site.serve(flags...)
		var work sync.WaitGroup
		for range 4 {
			work.Go(func() {
				for range sessions / rounds / 4 * 2 {
					var s [2]string
					select {
					case s = <-open:
					default:
						return
					}
					if tryLogout(p.url, s[1]) {
						mu.Lock()
						ended = append(ended, s[0])
						mu.Unlock()
					}
				}
			})
		}
		time.Sleep(rand.N(300 * time.Millisecond))
		p.kill()
		work.Wait()
	}
	if len(ended) < rounds {
		t.Fatalf("only %d logouts were acknowledged: this shows too little", len(ended))
	}
	site.serve(flags...)
	missing := func() (missing []string) {
		mu.Lock()
		defer mu.Unlock()
		for way, sessions := range told {
			for _, id := range ended {
				if !sessions[id] {
					missing = append(missing, way+" "+id)
				}
			}
		}
		return missing
	}
	// What a server claimed that was killed is another's after 15 seconds.
	for end := time.Now().Add(2 * time.Minute); len(missing()) > 0; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("of %d logouts were not told of: %v\n%s", len(ended), missing(), site.must(site.command("outbox", "list")))
		}
	}
	t.Logf("%d kills, %d logouts acknowledged, all told of twice", rounds, len(ended))
}

// sessionIn returns the session that a token is about.
func sessionIn(signed string) string {
	parts := strings.Split(signed, ".")
	var claims struct {
		Sid   string
		SubID struct{ Session struct{ ID string } } `json:"sub_id"`
	}
	if len(parts) != 3 {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(payload, &claims) != nil {
		return ""
	}
	return claims.Sid + claims.SubID.Session.ID
}

// apiLogin logs in by the API.
func apiLogin(t testing.TB, base, name string) (session, token string) {
	t.Helper()
	body := fmt.Sprintf(`{"username":%q,"password":%q}`, name, password)
	answer, err := http.Post(base+"/v1/login", "application/json", strings.NewReader(body))
	check(t, err)
	defer answer.Body.Close()
	var grant struct {
		AccessToken string `json:"access_token"`
		Session     struct{ ID string }
	}
	check(t, json.NewDecoder(answer.Body).Decode(&grant))
	if answer.StatusCode != 200 {
		t.Fatalf("login: %s", answer.Status)
	}
	return grant.Session.ID, grant.AccessToken
}

func apiLogout(t testing.TB, base, token string) {
	t.Helper()
	if !tryLogout(base, token) {
		t.Fatal("the logout was not acknowledged")
	}
}

// tryLogout reports whether a logout was acknowledged.
func tryLogout(base, token string) bool {
	r, err := http.NewRequest("DELETE", base+"/v1/session", nil)
	if err != nil {
		return false
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	return answer.StatusCode == 204
}

// field returns the value in a line "name=value".
func field(text, name string) string {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+"="); ok {
			return value
		}
	}
	return ""
}
