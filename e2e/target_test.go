package e2e

import (
	"net/http"
	"net/url"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// A target is a site under attack.
type target interface {
	protected() bool
	host() string
	bait() bait
	prepare(loggedIn bool) // puts everything back, and logs the victim in, or out
	passwordIs(want string) bool
}

// ours is the site that has to stand the attacks.
type ours struct {
	b      *browser
	p      *process
	origin string
	victim string // his cookie
	lures  *bait
}

const ourCookie = "__Host-counterfoil"

func (*ours) protected() bool { return true }
func (*ours) host() string    { return ourHost }

// bait has the cookie and the token of a session of the attacker's own.
func (o *ours) bait() bait {
	if o.lures != nil {
		return *o.lures
	}
	page, err := request{method: "GET", path: "/login"}.send(o.p.url)
	check(o.p.t, err)
	anonymous, _ := page.setCookieNamed(ourCookie)
	answer, err := request{method: "POST", path: "/login", cookieName: ourCookie, cookie: anonymous, form: url.Values{
		"csrf_token": {page.csrf()}, "username": {"attacker"}, "password": {password},
	}}.send(o.p.url)
	check(o.p.t, err)
	cookie, _ := answer.setCookieNamed(ourCookie)
	account, err := request{method: "GET", path: "/account", cookieName: ourCookie, cookie: cookie}.send(o.p.url)
	check(o.p.t, err)
	if cookie == "" || account.csrf() == "" {
		o.p.t.Fatalf("the attacker's own login: status %d", answer.status)
	}
	o.lures = &bait{Target: o.origin, CookieName: ourCookie, Cookie: cookie, CSRF: account.csrf()}
	return *o.lures
}

func (o *ours) prepare(loggedIn bool) {
	o.b.t.Helper()
	if !loggedIn {
		forgetCookies(o.b)
		o.b.open(o.origin + "/login") // an anonymous session
		return
	}
	if c := o.b.cookie(o.origin, ourCookie); c != nil && c.Value == o.victim {
		return // from the attack before, which did no harm
	}
	forgetCookies(o.b)
	o.b.open(o.origin + "/login")
	o.b.logIn("victim", password)
	o.b.mustShow("/account", "You are logged in as victim")
	o.victim = o.b.cookie(o.origin, ourCookie).Value
}

func (o *ours) passwordIs(want string) bool {
	return o.p.tryLogin("victim", want).status == http.StatusOK
}

// theirs is the site without protection.
type theirs struct {
	*naive
	b *browser
	f *front
}

func (*theirs) protected() bool { return false }
func (*theirs) host() string    { return naiveHost }

func (n *theirs) bait() bait {
	return bait{Target: n.f.serve(naiveHost, n.naive), CookieName: naiveCookie, Cookie: "attacker", CSRF: "any"}
}

func (n *theirs) prepare(loggedIn bool) {
	n.reset()
	url := n.bait().Target + "/account" // wherever the cookie was planted, it is sent there
	_, err := chromedp.Call(n.b.ctx, network.DeleteCookies, network.DeleteCookiesParams{Name: naiveCookie, URL: url})
	check(n.b.t, err)
	if loggedIn {
		secure := true
		_, err := chromedp.Call(n.b.ctx, network.SetCookie, network.SetCookieParams{
			Name: naiveCookie, Value: "victim", URL: url, Path: "/", Secure: &secure, SameSite: network.CookieSameSiteNone})
		check(n.b.t, err)
	}
}

func forgetCookies(b *browser) {
	_, err := chromedp.Call(b.ctx, network.ClearBrowserCookies, cdp.Empty{})
	check(b.t, err)
}
