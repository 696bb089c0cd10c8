package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// TestFrontDoor: the main path, through each proxy with its file.
func TestFrontDoor(t *testing.T) {
	onEveryProxy(t, func(t *testing.T, g *gate) {
		v := g.visitor()
		address := appURL + "/reports?year=2026&sort=name%26more"
		s := seenIn(t, v.logIn("john", address))
		if s.URI != "/reports?year=2026&sort=name%26more" || s.Method != "GET" {
			t.Errorf("the application was asked for %s %s", s.Method, s.URI)
		}
		if asked := g.app.asked.Load(); asked != 1 {
			t.Errorf("the application was asked %d times: before the login, too?", asked)
		}
		id := strings.Fields(g.user("john"))
		for name, value := range map[string]string{"X-Auth-User": id[0], "X-Auth-Name": "john"} {
			if got := s.Header[name]; len(got) != 1 || got[0] != value {
				t.Errorf("%s is %q, want %q", name, got, value)
			}
		}
		if len(s.Header["X-Auth-Session"]) != 1 {
			t.Errorf("X-Auth-Session is %q", s.Header["X-Auth-Session"])
		}
		g.mustPassCookiesOn(v)

		g.mustJudgeByOrigin(v)
		g.mustLetTokensIn()
		g.mustEnd(v, address)
	})
}

// mustPassCookiesOn: who gets the session's cookie could be the user, so the
// application gets its own cookies, and none of ours.
func (g *gate) mustPassCookiesOn(v *visitor) {
	g.t.Helper()
	fill := strings.NewReplacer(
		"SESSION", proxiedCookie+"="+v.cookie(appURL, proxiedCookie),
		"DEVICE", proxiedCookie+"-device="+v.cookie(appURL, proxiedCookie+"-device"),
	)
	for _, sent := range []string{
		"SESSION", "SESSION; DEVICE", "DEVICE; SESSION",
		"SESSION; DEVICE; theme=dark", "theme=dark; SESSION; DEVICE", "SESSION; theme=dark; DEVICE", "DEVICE;SESSION;theme=dark",
		"theme=dark; SESSION; language=en; DEVICE; size=2",
		// What the application or a sibling host plants is not taken out in the place of ours.
		"SESSION; counterfoil=planted; theme=dark", "counterfoil=planted; SESSION", "__Secure-counterfoil=planted; SESSION; counterfoil=planted",
		"SESSION; __Secure-counterfoil=planted; counterfoil-device=planted; DEVICE", "SESSION; SESSION",
		"SESSION; counterfoil=1; __Secure-counterfoil=2; counterfoil-device=3; SESSION; DEVICE",
		// What only looks like ours is the application's.
		"mycounterfoil=1; SESSION; theme=dark", "SESSION; my-counterfoil=1; DEVICE; counterfoils=2; __Host-mycounterfoil=3",
		"theme=counterfoil=1; SESSION", "SESSION; a-counterfoil-device=1",
	} {
		s := seenIn(g.t, g.visitor().do("GET", appURL+"/", http.Header{"Cookie": {fill.Replace(sent)}}, ""))
		var want []string
		for cookie := range strings.FieldsSeq(strings.ReplaceAll(sent, ";", " ")) {
			if !isOurCookie.MatchString(cookie) {
				want = append(want, cookie)
			}
		}
		// To the letter: some applications stop reading at a sign that begins it.
		got := strings.TrimRight(strings.Join(s.Header["Cookie"], "; "), "; ")
		if got != strings.Join(want, "; ") {
			g.t.Errorf("of the cookies %q the application gets %q, want %q", sent, s.Header["Cookie"], want)
		}
	}
}

var isOurCookie = regexp.MustCompile(`^(SESSION|DEVICE|(__Host-|__Secure-)?counterfoil(-device)?=)`)

// user returns the line about a user.
func (g *gate) user(name string) string {
	c, err := loginAPI(g.auth.url, name, password)
	check(g.t, err)
	a, err := request{method: "GET", path: "/v1/session", bearer: c.access}.send(g.auth.url)
	check(g.t, err)
	_, rest, _ := strings.Cut(a.body, `"sub":"`)
	sub, _, _ := strings.Cut(rest, `"`)
	return sub
}

// mustJudgeByOrigin: the application knows no CSRF token, so the browser's word
// about the origin has to do (req 16).
func (g *gate) mustJudgeByOrigin(v *visitor) {
	g.t.Helper()
	for _, c := range []struct {
		why    string
		header http.Header
		status int
	}{
		{"a form of the application's own page", http.Header{"Origin": {appURL}, "Sec-Fetch-Site": {"same-origin"}}, 200},
		{"of an older browser", http.Header{"Origin": {appURL}}, 200},
		{"another site's", http.Header{"Origin": {"https://evil.test"}, "Sec-Fetch-Site": {"cross-site"}}, 403},
		{"a sibling's, which carries the cookie", http.Header{"Origin": {"https://wiki.example.com"}, "Sec-Fetch-Site": {"same-site"}}, 403},
		{"the scheme counts", http.Header{"Origin": {"http://app.example.com"}}, 403},
		{"an origin that hides", http.Header{"Origin": {"null"}, "Sec-Fetch-Site": {"cross-site"}}, 403},
		{"nobody says where it comes from", http.Header{}, 403},
		{"two origins", http.Header{"Origin": {appURL, "https://evil.test"}}, 403},
	} {
		for _, method := range []string{"POST", "PUT", "DELETE"} {
			a := v.do(method, appURL+"/reports", c.header, "a=b")
			if a.status != c.status {
				g.t.Errorf("%s: %s is answered with %d, want %d: %s", c.why, method, a.status, c.status, a.body)
			} else if c.status == 200 && (seenIn(g.t, a).Body != "a=b" || seenIn(g.t, a).Method != method) {
				g.t.Errorf("%s: the application gets another request: %s", c.why, a.body)
			}
		}
	}
}

// mustLetTokensIn: programs come with a bearer token, and without one get 401.
func (g *gate) mustLetTokensIn() {
	g.t.Helper()
	c, err := loginAPI(g.auth.url, "mary", password)
	check(g.t, err)
	program := g.visitor()
	s := seenIn(g.t, program.do("POST", appURL+"/api", http.Header{"Authorization": {"Bearer " + c.access}}, "x"))
	if s.Header.Get("X-Auth-Name") != "mary" || s.Header.Get("Authorization") != "" {
		g.t.Errorf("a program's request comes as %v", s.Header)
	}
	before := g.app.asked.Load()
	for why, header := range map[string]http.Header{
		"nothing":                  {"Accept": {"application/json"}},
		"a script's request":       {"Accept": {"*/*"}, "Sec-Fetch-Mode": {"cors"}},
		"a token that is none":     {"Authorization": {"Bearer no.such.token"}, "Accept": {"text/html"}},
		"an altered token":         {"Authorization": {"Bearer " + altered(c.access)}},
		"a cookie that is unknown": {"Cookie": {proxiedCookie + "=" + strings.Repeat("A", 64)}},
	} {
		if a := program.do("GET", appURL+"/api", header, ""); a.status != 401 {
			g.t.Errorf("%s: a program is answered with %d, want 401", why, a.status)
		}
	}
	if g.app.asked.Load() != before {
		g.t.Error("a request that was refused has reached the application")
	}
	_, err = request{method: "DELETE", path: "/v1/session", bearer: c.access}.send(g.auth.url)
	check(g.t, err)
	if a := program.do("GET", appURL+"/api", http.Header{"Authorization": {"Bearer " + c.access}}, ""); a.status != 401 {
		g.t.Errorf("req 24: after the logout the token gets %d", a.status)
	}
}

// mustEnd logs out, and sees the very next request refused.
func (g *gate) mustEnd(v *visitor, address string) {
	g.t.Helper()
	stolen := http.Header{"Cookie": {proxiedCookie + "=" + v.cookie(appURL, proxiedCookie)}}
	account := v.do("GET", appURL+"/account", navigation, "")
	want(g.t, "the account page", account, 200)
	want(g.t, "the stolen cookie, before", g.visitor().do("GET", address, stolen, ""), 200)
	a := v.do("POST", appURL+"/logout", http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "Origin": {appURL},
	}, url.Values{"csrf_token": {account.csrf()}}.Encode())
	want(g.t, "the logout", a, 303)
	before := g.app.asked.Load()
	want(g.t, "req 24: the next request", v.do("GET", address, navigation, ""), 303)
	want(g.t, "req 24: the next request with the old cookie", g.visitor().do("GET", address, stolen, ""), 401)
	if g.app.asked.Load() != before {
		g.t.Error("req 24: after the logout a request has reached the application")
	}
}

// TestFrontDoorHeaders: what a client says about itself has no effect (req 43–45).
func TestFrontDoorHeaders(t *testing.T) {
	onEveryProxy(t, func(t *testing.T, g *gate) {
		v := g.visitor()
		s := seenIn(t, v.logIn("john", appURL+"/"))
		john, session := s.Header.Get("X-Auth-User"), s.Header.Get("X-Auth-Session")
		cookie := "Cookie: " + proxiedCookie + "=" + v.cookie(appURL, proxiedCookie) + "\r\n"
		for _, c := range []struct{ why, header string }{
			{"a forged user", "X-Auth-User: mary\r\n"},
			{"in odd case", "x-AUTH-uSER: mary\r\n"},
			{"twice", "X-Auth-User: mary\r\nX-Auth-User: root\r\n"},
			{"with underscores", "X_Auth_User: mary\r\nX-Auth_User: mary\r\nX_AUTH_USER: mary\r\n"},
			{"a name and a session", "X-Auth-Name: mary\r\nX-Auth-Session: mary\r\nX-Auth-Token: mary\r\n"},
			{"an empty one", "X-Auth-User:\r\n"},
			{"what a proxy says to another", "X-Forwarded-Host: mary.test\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Uri: /mary\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Method: GET\r\n"},
			{"the same in other words", "X-Original-URL: https://mary.test/\r\nX-Original-URI: /mary\r\nX-Original-Method: GET\r\n"},
			{"named as ending at the next hop", "Connection: close, X-Auth-User, X-Auth-Session\r\n"},
			{"the user's in a second line, which not every proxy can see", "Connection: close\r\nConnection: X-Auth-User\r\n"},
			{"named with the cookie", "Connection: X-Auth-User, Cookie\r\nX-Auth-User: mary\r\n"},
			{"named: what the question holds", "Connection: X-Forwarded-Method, X-Forwarded-Uri, X-Forwarded-Host\r\n"},
		} {
			for _, who := range []string{"", cookie} {
				a := g.raw("GET /a HTTP/1.1\r\nHost: app.example.com\r\nAccept: */*\r\n" + who + c.header + "\r\n")
				switch {
				case a.status == 200 && who == "":
					t.Errorf("%s: let in without a login: %s", c.why, a.body)
				case a.status == 200:
					s := seenIn(t, a)
					if got := s.Header; len(got["X-Auth-User"]) != 1 || got.Get("X-Auth-User") != john || len(got["X-Auth-Session"]) != 1 || got.Get("X-Auth-Session") != session {
						t.Errorf("%s: the application sees %v", c.why, got)
					}
					for name, values := range s.Header {
						isOurs := strings.HasPrefix(strings.ToLower(strings.ReplaceAll(name, "_", "-")), "x-auth-")
						if isOurs && strings.Contains(strings.Join(values, " "), "mary") {
							t.Errorf("%s: the application sees %s: %q", c.why, name, values)
						}
					}
				case a.status == 400 || a.status == 401 || a.status == 403 || a.status == 0:
				default:
					t.Errorf("%s: status %d", c.why, a.status)
				}
				if strings.HasPrefix(c.why, "named") && a.status == 200 {
					t.Errorf("%s: req 45: let through", c.why)
				}
			}
		}

		// The method of the original request counts, whatever the client says.
		a := g.raw("POST /a HTTP/1.1\r\nHost: app.example.com\r\nContent-Length: 0\r\nX-Forwarded-Method: GET\r\nX-Original-Method: GET\r\n" + cookie + "\r\n")
		if a.status != 403 && a.status != 400 {
			t.Errorf("req 16: a POST that says it is a GET: status %d", a.status)
		}
		// Large headers either fit or are refused.
		for _, size := range []int{4 << 10, 12 << 10, 40 << 10, 200 << 10} {
			a := g.raw("GET /a HTTP/1.1\r\nHost: app.example.com\r\nX-Large: " + strings.Repeat("x", size) + "\r\n" + cookie + "\r\n")
			if a.status == 200 && seenIn(t, a).Header.Get("X-Auth-User") != john {
				t.Errorf("%d bytes of headers: %s", size, a.body)
			}
			if size == 4<<10 && a.status != 200 {
				t.Errorf("%d bytes of headers: status %d", size, a.status)
			}
		}
		many := g.raw("GET /a HTTP/1.1\r\nHost: app.example.com\r\nCookie: " + strings.Repeat("a=b; ", 1000) + "\r\n" + cookie + "\r\n")
		if many.status == 200 && seenIn(t, many).Header.Get("X-Auth-User") != john {
			t.Errorf("many cookies: %s", many.body)
		}
	})
}

// TestFrontDoorPaths: no spelling of a path comes past the question (req 45).
func TestFrontDoorPaths(t *testing.T) {
	onEveryProxy(t, func(t *testing.T, g *gate) {
		v := g.visitor()
		v.logIn("john", appURL+"/")
		cookie := "Cookie: " + proxiedCookie + "=" + v.cookie(appURL, proxiedCookie) + "\r\n"
		for _, path := range []string{
			"//secret", "/a//secret", "/./secret", "/a/../secret", "/%2e/secret", "/a/%2e%2e/secret", "/%2E%2E/secret",
			"/login/../secret", "/login/%2e%2e/secret", "/login/..;/secret", "/login;/secret", "/login%2f..%2fsecret",
			"/account/../secret", "/account/%2e%2e/secret", "/account/..%2fsecret", "/account/..;/secret", "/account/../../secret",
			"/static/style.0123456789abcdef.css/../../secret", "/static/..%2fsecret", "/%2f/secret", "/%5csecret", `/a\..\secret`,
			"/secret;jsessionid=1", "/a%00secret", "/a%0d%0aX-Auth-User:%20mary", "/%252e%252e/secret",
			"/_auth", "/_auth/", "/auth", "//_auth", "/login\t", "/secret?redirect", "/secret?uri=/login", "/secret?next=/login", "/?/login", "/#/login",
		} {
			for _, who := range []string{"", cookie} {
				before := g.app.asked.Load()
				a := g.raw("GET " + path + " HTTP/1.1\r\nHost: app.example.com\r\nAccept: */*\r\n" + who + "\r\n")
				reached := g.app.asked.Load() != before
				ambiguous := !strings.Contains(path, "?") && !strings.Contains(path, "auth") && !strings.Contains(path, "#")
				switch {
				case reached && who == "":
					t.Errorf("%q reaches the application without a login", path)
				case reached && ambiguous:
					t.Errorf("%q reaches the application, as %s: it can be read in more than one way", path, seenIn(t, a).URI)
				case a.status >= 500:
					t.Errorf("%q is answered with %d", path, a.status)
				}
			}
		}
		for _, line := range []string{
			"GET /secret HTTP/1.1\r\nHost: app.example.com\r\nHost: evil.test\r\n",
			"GET https://evil.test/secret HTTP/1.1\r\nHost: app.example.com\r\n",
			"GET /a\rX-Auth-User: mary HTTP/1.1\r\nHost: app.example.com\r\n",
			"GET /a HTTP/1.1\r\nHost: app.example.com\r\n X-Auth-User: mary\r\n",
			"GET /a HTTP/1.1\r\nHost: app.example.com\r\nX-Auth-User : mary\r\n",
			"TRACE /a HTTP/1.1\r\nHost: app.example.com\r\n" + cookie,
			"CONNECT app.example.com:443 HTTP/1.1\r\nHost: app.example.com:443\r\n" + cookie,
		} {
			before := g.app.asked.Load()
			if a := g.raw(line + "\r\n"); g.app.asked.Load() != before {
				t.Errorf("%q reaches the application: %s", line, a.body)
			}
		}
	})
}

// TestFrontDoorWebSocket: any page may begin one, and read what comes (4.4.2, req 46).
func TestFrontDoorWebSocket(t *testing.T) {
	onEveryProxy(t, func(t *testing.T, g *gate) {
		v := g.visitor()
		v.logIn("john", appURL+"/")
		cookie := "Cookie: " + proxiedCookie + "=" + v.cookie(appURL, proxiedCookie) + "\r\n"
		const handshake = "GET /live HTTP/1.1\r\nHost: app.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
		for _, c := range []struct {
			why, header string
			status      int
		}{
			{"the application's own page", cookie + "Origin: https://app.example.com\r\n", 101},
			{"another site's", cookie + "Origin: https://evil.test\r\n", 403},
			{"a sibling's", cookie + "Origin: https://wiki.example.com\r\n", 403},
			{"no origin", cookie, 403},
			{"two", cookie + "Origin: https://app.example.com\r\nOrigin: https://evil.test\r\n", 403},
			{"nobody is logged in", "Origin: https://app.example.com\r\n", 401},
		} {
			before := g.app.asked.Load()
			a := g.raw(handshake + c.header + "\r\n")
			if a.status != c.status || (g.app.asked.Load() != before) != (c.status == 101) {
				t.Errorf("%s: status %d, want %d; reached the application: %t", c.why, a.status, c.status, g.app.asked.Load() != before)
			}
		}
	})
}

// freeze stops the process, and returns when it has stopped.
func (p *process) freeze() {
	p.t.Helper()
	check(p.t, p.cmd.Process.Signal(syscall.SIGSTOP))
	eventually(p.t, "the server has stopped", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
		check(p.t, err)
		return strings.Contains(string(stat), ") T ")
	})
}

// TestFrontDoorIsClosed: where nobody can say who asks, nobody gets in (16.5.3, req 46).
func TestFrontDoorIsClosed(t *testing.T) {
	onEveryProxy(t, func(t *testing.T, g *gate) {
		v := g.visitor()
		v.logIn("john", appURL+"/")
		refused := func(when string) {
			t.Helper()
			before, start := g.app.asked.Load(), time.Now()
			a := v.do("GET", appURL+"/", navigation, "")
			if a.status < 500 || g.app.asked.Load() != before {
				t.Errorf("%s: status %d, reached the application: %t", when, a.status, g.app.asked.Load() != before)
			}
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("%s: the answer took %v", when, took)
			}
		}
		g.auth.freeze()
		refused("the server hangs")
		check(t, g.auth.cmd.Process.Signal(syscall.SIGCONT))
		want(t, "it goes on", v.do("GET", appURL+"/", navigation, ""), 200)
		check(t, g.auth.cmd.Process.Signal(os.Kill))
		<-g.auth.ended
		refused("the server is down")
	})
}

// TestSingleSignOn: one login for the hosts of a domain, and one logout, with
// nginx and its file for that. Each application gets a signed word that is for
// it alone.
func TestSingleSignOn(t *testing.T) {
	const authURL, wikiURL, shared = "https://auth.example.com", "https://wiki.example.com", "__Secure-counterfoil"
	auth := newSite(t, "john").serve("--public-url="+authURL, "--cookie-domain=example.com", "--identity-token",
		"--app-origin="+appURL, "--app-origin="+wikiURL, "--trusted-proxy=127.0.0.1/32,::1/128")
	g := &gate{t: t, auth: auth, app: newApp(t)}
	g.open("nginx", "-sso")
	v := g.visitor()
	atApp := seenIn(t, v.logIn("john", appURL+"/reports?a=b"))
	atWiki := seenIn(t, v.do("GET", wikiURL+"/", navigation, ""))
	keys := v.do("GET", authURL+"/.well-known/jwks.json", nil, "")
	for origin, s := range map[string]seen{appURL: atApp, wikiURL: atWiki} {
		if s.Header.Get("X-Auth-Name") != "john" || strings.Contains(strings.Join(s.Header["Cookie"], ";"), shared+"=") {
			t.Errorf("%s sees %v", origin, s.Header)
		}
		var set jose.JSONWebKeySet
		check(t, json.Unmarshal([]byte(keys.body), &set))
		signed, err := jwt.ParseSigned(s.Header.Get("X-Auth-Token"), []jose.SignatureAlgorithm{jose.EdDSA})
		check(t, err)
		var claims jwt.Claims
		check(t, signed.Claims(&set, &claims))
		check(t, claims.Validate(jwt.Expected{
			Issuer: authURL, Subject: s.Header.Get("X-Auth-User"), AnyAudience: jwt.Audience{origin}, Time: time.Now(),
		}))
		if a := g.visitor().do("GET", authURL+"/v1/session", http.Header{"Authorization": {"Bearer " + s.Header.Get("X-Auth-Token")}}, ""); a.status != 401 {
			t.Errorf("req 21: what %s is told opens the API: %d", origin, a.status)
		}
	}
	want(t, "req 16: a sibling's form", v.do("POST", wikiURL+"/", http.Header{"Origin": {appURL}, "Sec-Fetch-Site": {"same-site"}}, "a=b"), 403)
	want(t, "the proxy's question, from outside", v.do("GET", authURL+"/auth", nil, ""), 404)

	account := v.do("GET", authURL+"/account", navigation, "")
	want(t, "the account page", account, 200)
	stolen := http.Header{"Cookie": {shared + "=" + v.cookie(appURL, shared)}}
	want(t, "the logout", v.do("POST", authURL+"/logout", http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "Origin": {authURL},
	}, url.Values{"csrf_token": {account.csrf()}}.Encode()), 303)
	for _, origin := range []string{appURL, wikiURL} {
		want(t, "req 24: "+origin, v.do("GET", origin+"/", navigation, ""), 303)
		want(t, "req 24: "+origin+" with the old cookie", g.visitor().do("GET", origin+"/", stolen, ""), 401)
	}
}

// TestSingleSignOnInABrowser: a real browser keeps the shared cookie, follows the
// redirect after the login form to another host, and says where requests come
// from.
func TestSingleSignOnInABrowser(t *testing.T) {
	const authURL, wikiURL = "https://auth.example.com", "https://wiki.example.com"
	auth := newSite(t, "john").serve("--public-url="+authURL, "--cookie-domain=example.com",
		"--app-origin="+appURL, "--app-origin="+wikiURL, "--trusted-proxy=127.0.0.1/32,::1/128")
	g := &gate{t: t, auth: auth, app: newApp(t)}
	g.open("nginx", "-sso")
	b := newBrowser(t,
		chromedp.Flag("host-resolver-rules", "MAP *.example.com "+g.address+", MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
		chromedp.Flag("ignore-certificate-errors-spki-list", g.pin))
	at := func(url string, texts ...string) {
		t.Helper()
		if there := read(b, chromedp.Location()); !strings.HasPrefix(there, url) {
			t.Errorf("the browser is at %s, want %s\n%s", there, url, b.text())
		}
		for _, text := range texts {
			if !strings.Contains(b.text(), text) {
				t.Errorf("the page lacks %q:\n%s", text, b.text())
			}
		}
	}
	script := func(text, want string) {
		t.Helper()
		if got := read(b, chromedp.Evaluate[string](text, chromedp.EvalAwaitPromise)); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	post := func(url string) string {
		return `fetch("` + url + `", {method: "POST", credentials: "include"}).then(a => String(a.status), e => "blocked")`
	}
	socket := func(path string) string {
		return `new Promise(done => { const s = new WebSocket("wss://app.example.com` + path + `"); s.onopen = () => done("open"); s.onerror = () => done("refused") })`
	}

	b.open(appURL + "/reports?a=b")
	at(authURL + "/login?next=")
	b.logIn("john", password)
	at(appURL+"/reports?a=b", `"X-Auth-Name":["john"]`)
	script(post("/save"), "200")
	script(socket("/live"), "open")
	b.open(wikiURL + "/")
	at(wikiURL+"/", `"X-Auth-Name":["john"]`)
	script(post(appURL+"/from-sibling"), "blocked")
	script(socket("/from-sibling"), "refused")
	if _, reached := g.app.paths.Load("/from-sibling"); reached {
		t.Error("req 16: what a sibling's page sends reaches the application")
	}
	b.open(authURL + "/account")
	b.follow(chromedp.Click(chromedp.CSS(`form[action="/logout"] button`)))
	for _, url := range []string{appURL, wikiURL} {
		b.open(url + "/")
		at(authURL + "/login?next=")
	}
}

// altered is a token with another character in the middle of its signature.
func altered(token string) string {
	at, other := len(token)-40, byte('A')
	if token[at] == other {
		other = 'B'
	}
	return token[:at] + string(other) + token[at+1:]
}
