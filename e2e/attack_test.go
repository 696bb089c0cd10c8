package e2e

import (
	"cmp"
	"fmt"
	"html/template"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// The hosts of the attacks. To browsers, a site is the domain that was bought,
// so the blog is the same site as ours: its pages carry our cookie, whatever
// SameSite says (req 16).
const (
	ourHost     = "id.shop.test"
	naiveHost   = "naive.shop.test"
	siblingHost = "blog.shop.test"
	foreignHost = "evil.test"
)

// An attack is a page of another origin, and the request that it makes the
// victim's browser send.
type attack struct {
	name string
	why  string
	page string // a template over bait

	arrives   string // method and path of the request: it does reach us
	loggedOut bool   // the victim is not logged in: he shall become somebody else
	siblings  bool   // only a page of the same site can do it
	framed    bool   // our page shall be in a frame; the victim clicks into it
	reports   bool   // the page's title says at its end: "harmed", or "done"
}

// bait is what the attacker knows when he writes his page. He has an account of
// his own, too.
type bait struct {
	Target     string // origin of the site under attack
	CookieName string
	Cookie     string // of his own session
	CSRF       string // the token of that session
}

const submit = `<script>document.forms[0].submit()</script>`

var attacks = []attack{
	{name: "form: log out", why: "3.5.1, req 15: a form without a token is refused", arrives: "POST /logout",
		page: `<form method="post" action="{{.Target}}/logout"></form>` + submit},
	{name: "form: log out, with a token of another session", why: "3.5.1, req 15: a token belongs to one session", arrives: "POST /logout",
		page: `<form method="post" action="{{.Target}}/logout"><input name="csrf_token" value="{{.CSRF}}"></form>` + submit},
	{name: "form: log out, with the token in the URL", why: "3.5.1, req 15: no token is taken from a URL", arrives: "POST /logout",
		page: `<form method="post" action="{{.Target}}/logout?csrf_token={{.CSRF}}"></form>` + submit},
	{name: "form: log out, multipart", why: "3.5.1, req 15: in whatever encoding", arrives: "POST /logout",
		page: `<form method="post" enctype="multipart/form-data" action="{{.Target}}/logout"><input name="csrf_token" value="{{.CSRF}}"></form>` + submit},
	{name: "form: log out, with a null Origin", why: "D11: an origin that is hidden is not ours", arrives: "POST /logout",
		page: `<meta name="referrer" content="no-referrer"><form method="post" action="{{.Target}}/logout"></form>` + submit},
	{name: "form: log out, from a sandbox", why: "D11: nor is one that has none", arrives: "POST /logout",
		page: `<iframe sandbox="allow-forms allow-scripts" srcdoc='<form method="post" action="{{.Target}}/logout"></form>` + submit + `'></iframe>`},
	{name: "form: another password", why: "3.5.1, req 12, 15", arrives: "POST /account/password",
		page: `<form method="post" action="{{.Target}}/account/password"><input name="old_password" value="` + password +
			`"><input name="new_password" value="` + another + `"></form>` + submit},
	{name: "form by GET: another password", why: "3.5.3, req 17: GET changes nothing", arrives: "GET /account/password",
		page: `<form action="{{.Target}}/account/password"><input name="old_password" value="` + password +
			`"><input name="new_password" value="` + another + `"></form>` + submit},
	{name: "form: method override", why: "req 15: no parameter changes the method", arrives: "POST /v1/session",
		page: `<form method="post" action="{{.Target}}/v1/session?_method=DELETE"><input name="_method" value="DELETE"></form>` + submit},
	{name: "form: log in as the attacker", why: "3.5.1, req 17: login CSRF", arrives: "POST /login", loggedOut: true,
		page: `<form method="post" action="{{.Target}}/login"><input name="username" value="attacker"><input name="password" value="` + password +
			`"><input name="csrf_token" value="{{.CSRF}}"></form>` + submit},
	{name: "text/plain: log in as the attacker", why: "req 15, 17: JSON is taken as application/json only, which a form can't send", arrives: "POST /v1/login", loggedOut: true,
		page: `<form method="post" enctype="text/plain" action="{{.Target}}/v1/login"><input name='{"username":"attacker","password":"` + password +
			`","x":"' value='"}'></form>` + submit},
	{name: "image: log out", why: "3.5.3, req 14, 17: a logout is a POST", arrives: "GET /logout",
		page: `<img src="{{.Target}}/logout">`},
	{name: "window: log out", why: "3.5.3, req 14, 17: a top-level GET carries the cookie, and changes nothing", arrives: "GET /logout",
		page: `<script>open("{{.Target}}/logout")</script>`},
	{name: "beacon: log out", why: "3.5.1, req 16", arrives: "POST /logout",
		page: `<script>navigator.sendBeacon("{{.Target}}/logout", new URLSearchParams({csrf_token: "{{.CSRF}}"}))</script>`},
	{name: "fetch without CORS: log out", why: "3.5.1, req 16", arrives: "POST /logout",
		page: `<script>fetch("{{.Target}}/logout", {method: "POST", mode: "no-cors", credentials: "include", body: new URLSearchParams({csrf_token: "{{.CSRF}}"})})</script>`},
	{name: "fetch: log out by DELETE", why: "3.4.2, 3.5.2: who asks first is told no", arrives: "OPTIONS /v1/session", reports: true,
		page: `<script>fetch("{{.Target}}/v1/session", {method: "DELETE", credentials: "include"})
			.then(() => document.title = "harmed", () => document.title = "done")</script>`},
	{name: "fetch: log in by JSON", why: "3.5.2, req 17", arrives: "OPTIONS /v1/login", loggedOut: true, reports: true,
		page: `<script>fetch("{{.Target}}/v1/login", {method: "POST", credentials: "include", headers: {"Content-Type": "application/json"},
			body: JSON.stringify({username: "attacker", password: "` + password + `"})})
			.then(() => document.title = "harmed", () => document.title = "done")</script>`},
	{name: "fetch: read the account page", why: "3.4.2: no other origin reads our answers", arrives: "GET /account", reports: true,
		page: `<script>fetch("{{.Target}}/account", {credentials: "include"}).then(r => r.text())
			.then(t => document.title = t.includes("logged in as") ? "harmed" : "done", () => document.title = "done")</script>`},
	{name: "window: keep a handle of our page", why: "3.4.8, req 8: our pages share no browsing context with others", arrives: "GET /account", reports: true,
		page: `<script>const w = open("{{.Target}}/account"); let left = 100
			const look = setInterval(() => {
				if (w.closed || --left == 0) { clearInterval(look); document.title = "done"; return }
				try { w.document } catch { clearInterval(look); setTimeout(() => document.title = w.closed ? "done" : "harmed", 200) }
			}, 20)</script>`},
	{name: "frame: click on log out", why: "3.4.6, req 8: nobody frames our pages", arrives: "GET /account", framed: true,
		page: `<style>body{margin:0}</style><iframe src="{{.Target}}/account" width="700" height="500" style="opacity:0.01"></iframe>`},
	{name: "planted cookie", why: "3.3.3, D10: a sibling can't give the victim a session of his own choice", arrives: "GET /account", siblings: true,
		page: `<script>document.cookie = "{{.CookieName}}={{.Cookie}}; Domain=shop.test; Path=/account; Secure"
			document.cookie = "{{.CookieName}}={{.Cookie}}; Domain=shop.test; Path=/; Secure"
			location = "{{.Target}}/account"</script>`},
	{name: "planted cookie, for a visitor", why: "3.3.3, D10: nor before the login", arrives: "GET /account", siblings: true, loggedOut: true,
		page: `<script>document.cookie = "{{.CookieName}}={{.Cookie}}; Domain=shop.test; Path=/; Secure"
			location = "{{.Target}}/account"</script>`},
}

// TestAttacksFromOtherOrigins plays each attack from a foreign site and from a
// sibling of ours, on ours and, to see that it is one, on a site without
// protection.
func TestAttacksFromOtherOrigins(t *testing.T) {
	f := newFront(t)
	site := newSite(t, "victim", "attacker")
	p := site.serve("--public-url="+f.origin(ourHost), "--trusted-proxy=127.0.0.1/32")
	var stage stage
	origins := []struct{ name, url string }{
		{"foreign", f.serve(foreignHost, &stage)},
		{"sibling", f.serve(siblingHost, &stage)},
	}
	b := newBrowser(t,
		chromedp.Flag("ignore-certificate-errors-spki-list", f.pin),
		chromedp.Flag("disable-site-isolation-trials", true)) // frames of all sites are in one tree
	targets := []target{
		&ours{b: b, p: p, origin: f.serve(ourHost, proxyTo(t, p.url))},
		&theirs{b: b, naive: newNaive(), f: f},
	}
	for _, a := range attacks {
		for _, from := range origins {
			if a.siblings && from.name != "sibling" {
				continue
			}
			t.Run(a.name+", "+from.name, func(t *testing.T) {
				b.t = t // the browser is the same for all, so its failures are this attack's
				for _, target := range targets {
					harm := play(t, b, f, &stage, a, from.url, target)
					switch {
					case target.protected() && harm != "":
						t.Errorf("%s: %s", a.why, harm)
					case !target.protected() && harm == "":
						t.Error("the attack does no harm to a site without protection: it is none")
					}
				}
			})
		}
	}
	for _, c := range []struct{ why, reason string }{
		{"3.3.2: SameSite keeps the cookie out of what foreign sites send", "the request has no session"},
		{"req 16: a sibling's requests carry the cookie, and are refused all the same", "the request comes from another origin"},
	} {
		if !strings.Contains(p.log.String(), c.reason) {
			t.Errorf("%s: the log does not say that %s", c.why, c.reason)
		}
	}
}

// A stage shows the page of the attack that is on.
type stage struct {
	mu   sync.Mutex
	page string
}

func (s *stage) set(page string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.page = page
}

func (s *stage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if r.URL.Path == "/" {
		fmt.Fprint(w, "<!DOCTYPE html>", s.page)
	}
}

// play plays the attack and says what harm it did, if any.
func play(t *testing.T, b *browser, f *front, s *stage, a attack, origin string, on target) (harm string) {
	t.Helper()
	on.prepare(!a.loggedOut)
	bait := on.bait()
	cookie := b.cookie(bait.Target, bait.CookieName)
	var page strings.Builder
	check(t, template.Must(template.New("").Parse(a.page)).Execute(&page, bait))
	s.set(page.String())

	method, path, _ := strings.Cut(a.arrives, " ")
	before := f.count(method, on.host(), path)
	b.do(chromedp.Navigate(origin + "/"))
	eventually(t, a.arrives+" reaches "+on.host(), func() bool { return f.count(method, on.host(), path) > before })
	if a.reports {
		title := ""
		eventually(t, "the attack reports", func() bool { title = read(b, chromedp.Title()); return title != "" })
		if title == "harmed" {
			harm = "the attacker's page read what is ours"
		}
	}
	if a.framed {
		if slices.ContainsFunc(b.frames(), func(u string) bool { return strings.HasPrefix(u, bait.Target) }) {
			harm = "our page is in the attacker's frame"
			posts := f.count("POST", on.host(), "/logout")
			b.do(chromedp.MouseClickXY(300, 200))
			eventually(t, "the click comes through", func() bool { return f.count("POST", on.host(), "/logout") > posts })
		}
	}
	if path == "/account/password" && !on.passwordIs(password) {
		return "the victim's password has changed"
	}
	return cmp.Or(harm, look(b, bait, cookie, a.loggedOut))
}

var loggedInAs = regexp.MustCompile(`You are logged in as (\w+)`)

// look visits the site as the victim does after the attack, and says what he
// finds changed.
func look(b *browser, bait bait, before *network.Cookie, loggedOut bool) string {
	b.t.Helper()
	b.open(bait.Target + "/account")
	who, text := "", b.text()
	if m := loggedInAs.FindStringSubmatch(text); m != nil {
		who = m[1]
	}
	after := b.cookie(bait.Target, bait.CookieName)
	switch {
	case !loggedOut && who != "victim":
		return fmt.Sprintf("the victim is logged in as %q", who)
	case loggedOut && who != "":
		return fmt.Sprintf("the visitor is logged in as %q", who)
	case !loggedOut && (after == nil || after.Value != before.Value):
		return "the victim's cookie has changed"
	}
	return ""
}
