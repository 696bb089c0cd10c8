package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestWalk is a visit as most people make it, in a real browser.
func TestWalk(t *testing.T) {
	site := newSite(t, "john")
	p := site.serve()
	b := newBrowser(t)

	// In.
	b.open(p.url + "/")
	b.mustShow("/login", "Log in")
	anonymous := b.cookie(p.url, cookieName)
	if status := b.logIn("john", another); status != http.StatusUnauthorized {
		t.Errorf("a wrong password: status %d, want 401", status)
	}
	b.mustShow("/login", "The name or the password is wrong.")
	if typed := read(b, chromedp.Value(chromedp.ID("username"))); typed != "john" {
		t.Errorf("after a wrong password the form has forgotten the name: %q", typed)
	}
	b.logIn("john", password)
	b.mustShow("/account", "You are logged in as john", "This session")
	cookie := b.cookie(p.url, cookieName)
	site.secrets.add("a session cookie", anonymous.Value, cookie.Value)
	if cookie.Value == anonymous.Value {
		t.Error("7.2.4, req 2: the login kept the cookie")
	}
	if !cookie.HTTPOnly || cookie.SameSite != "Lax" || !cookie.Session || cookie.Path != "/" {
		t.Errorf("3.3.1–3.3.5, req 3: cookie %+v", cookie)
	}

	// Another device, and a program: their sessions are in the list, and end there.
	phone, script := p.mustLoginForm("john"), p.mustLoginAPI("john")
	b.open(p.url + "/account")
	if n := read(b, chromedp.Evaluate[int](`document.querySelectorAll("li.ticket").length`)); n != 3 {
		t.Errorf("7.5.2: the page lists %d sessions, want 3", n)
	}
	b.follow(chromedp.Click(chromedp.CSS(`form[action="/account/sessions/` + phone.sid + `/end"] button`)))
	b.mustShow("/account", "That session has ended.")
	p.mustRefuse(phone, "7.5.2: ended from the account page")
	p.mustAccept(script, "not ended")
	b.open(p.url + "/account")
	b.mustShow("/account", "You are logged in as john")
	if strings.Contains(b.text(), "That session has ended.") {
		t.Error("the news is shown again")
	}
	b.follow(chromedp.Click(chromedp.CSS(`form[action="/account/sessions/end-others"] button`)))
	b.mustShow("/account", "Your other sessions have ended: 1.")
	p.mustRefuse(script, "7.4.3, 7.5.2: ended with all others")

	// Back works as long as one is logged in: the browser has kept the page as it
	// was, although it is not to be stored.
	b.do(chromedp.Evaluate[chromedp.Void](`window.kept = true`))
	b.open(p.url + "/nowhere")
	b.back()
	b.mustShow("/account", "You are logged in as john")
	if !read(b, chromedp.Evaluate[bool](`window.kept === true`)) {
		t.Error("the browser does not keep pages for Back, so that the next step shows nothing")
	}

	// Out, and no way back.
	b.open(p.url + "/account") // what was kept is not fit to be driven
	b.follow(chromedp.Click(chromedp.CSS(`form[action="/logout"] button`)))
	b.mustShow("/login", "Log in")
	b.back()
	if at := b.text(); strings.Contains(at, "You are logged in") || strings.Contains(at, "Your account") {
		t.Errorf("14.3.1: after the logout, Back shows the account:\n%s", at)
	}
	b.mustShow("/login?next=%2Faccount", "Log in")
	p.mustRefuse(&client{cookie: cookie.Value}, "7.4.1, req 24: the old cookie after the logout")
	p.mustRefuse(&client{cookie: anonymous.Value}, "7.2.4: the cookie from before the login")

	// And in again, to where Back wanted to go.
	b.logIn("john", password)
	b.mustShow("/account", "You are logged in as john")
	site.secrets.add("a session cookie", b.cookie(p.url, cookieName).Value)
}

// TestWalkByKeyboard: WCAG 2.2, 2.1.1: everything can be done without a mouse.
func TestWalkByKeyboard(t *testing.T) {
	site := newSite(t, "john")
	p := site.serve()
	b := newBrowser(t)
	focus := func() string {
		return read(b, chromedp.Evaluate[string](`document.activeElement.textContent.trim() || document.activeElement.id`))
	}
	tabTo := func(name string) {
		t.Helper()
		for range 20 {
			if focus() == name {
				return
			}
			b.do(chromedp.KeyEvent(kb.Tab))
		}
		t.Fatalf("the tab key does not lead to %q", name)
	}

	b.open(p.url + "/login")
	if at := focus(); at != "username" {
		t.Errorf("the login form begins at %q, want the name", at)
	}
	b.do(chromedp.KeyEvent("john" + kb.Tab + password + kb.Tab + " ")) // the last ticks "Keep me signed in"
	b.follow(chromedp.KeyEvent(kb.Enter))
	b.mustShow("/account", "You are logged in as john", "Kept signed in")
	if c := b.cookie(p.url, cookieName); c.Session {
		t.Errorf("3.3.5: the cookie of a login that asked to be kept ends with the browser")
	}
	tabTo("Log out")
	b.follow(chromedp.KeyEvent(kb.Enter))
	b.mustShow("/login", "Log in")
}

// TestWalkWithoutScripts: no page needs a script.
func TestWalkWithoutScripts(t *testing.T) {
	site := newSite(t, "john")
	p := site.serve()
	b := newBrowser(t)
	b.scripts(false)
	b.open(p.url + "/")
	b.logIn("john", password)
	phone := p.mustLoginForm("john")
	b.open(p.url + "/account")
	b.mustShow("/account", "You are logged in as john")
	b.follow(chromedp.Click(chromedp.CSS(`form[action="/account/sessions/` + phone.sid + `/end"] button`)))
	b.mustShow("/account", "That session has ended.")
	p.mustRefuse(phone, "7.5.2: ended from the account page")

	b.do(
		chromedp.SendKeys(chromedp.ID("old_password"), password),
		chromedp.SendKeys(chromedp.ID("new_password"), another),
	)
	b.follow(chromedp.Click(chromedp.CSS(`form[action="/account/password"] button`)))
	b.mustShow("/account", "Your password is changed")
	if a := p.tryLogin("john", password); a.status != http.StatusUnauthorized {
		t.Errorf("D9: the old password gets %d, want 401", a.status)
	}
	b.follow(chromedp.Click(chromedp.CSS(`form[action="/logout"] button`)))
	b.mustShow("/login", "Log in")
	b.logIn("john", another)
	b.mustShow("/account", "You are logged in as john")
}

// TestTwoTabs: what is done in one tab counts in the other, and nobody gets
// stuck there.
func TestTwoTabs(t *testing.T) {
	site := newSite(t, "john")
	p := site.serve()
	one := newBrowser(t)
	two := one.newTab()
	one.open(p.url + "/login")
	two.open(p.url + "/login")
	one.logIn("john", password)
	one.mustShow("/account", "You are logged in as john")

	if status := two.logIn("john", password); status != http.StatusForbidden {
		t.Errorf("3.5.1: a form from before the login: status %d, want 403", status)
	}
	two.mustShow("/login", "We couldn’t accept that form")
	two.follow(chromedp.Click(chromedp.CSS("main a.button")))
	two.mustShow("/account", "You are logged in as john")

	logOut := chromedp.Click(chromedp.CSS(`form[action="/logout"] button`))
	one.follow(logOut)
	one.mustShow("/login", "Log in")
	two.follow(chromedp.Click(chromedp.CSS(`form[action="/logout"] button`)))
	two.mustShow("/login", "Log in") // as if it had been the first
	if strings.Contains(two.text(), "couldn’t") {
		t.Error("7.4.4: a second logout is told off")
	}
}

// TestFirstRun: 6.3.2, 6.4.1, req 37: there is no default account, and who can
// read what the server prints makes the first user, once.
func TestFirstRun(t *testing.T) {
	site := newSite(t)
	p := site.serve()
	eventually(t, "the server prints a link to make the first user", func() bool { return p.setupLink() != "" })
	link := p.setupLink()
	b := newBrowser(t)
	b.open(strings.ReplaceAll(link, "code=", "code=X"))
	b.do(chromedp.SendKeys(chromedp.ID("username"), "eve"), chromedp.SendKeys(chromedp.ID("password"), another))
	if status := b.follow(chromedp.Click(chromedp.CSS("main button[type=submit]"))); status != http.StatusForbidden {
		t.Errorf("a wrong code: status %d, want 403", status)
	}
	b.open(link)
	b.do(chromedp.SendKeys(chromedp.ID("username"), "john"), chromedp.SendKeys(chromedp.ID("password"), password))
	b.follow(chromedp.Click(chromedp.CSS("main button[type=submit]")))
	b.mustShow("/login", "The user is made.")
	b.logIn("john", password)
	b.mustShow("/account", "You are logged in as john")
	if status := b.open(link); status != http.StatusNotFound {
		t.Errorf("the link, used up: status %d, want 404", status)
	}
	if a := p.must(request{method: "GET", path: strings.TrimPrefix(link, p.url)}); a.status != http.StatusNotFound {
		t.Errorf("the link, used up, for somebody else: status %d, want 404", a.status)
	}
	again := site.serve()
	again.must(request{method: "GET", path: "/login"}) // by now it has printed what it prints
	if again.setupLink() != "" {
		t.Error("another server prints a link, too, though there is a user")
	}
}
