package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestPages looks at every page, in light and dark, wide and narrow as a phone:
// axe-core has nothing to complain about (all its rules: WCAG 2.2 and best
// practices), and no page has to be scrolled sideways (WCAG 2.2, 1.4.10).
//
// If COUNTERFOIL_SCREENSHOTS names a directory, it gets a picture of each page.
func TestPages(t *testing.T) {
	axe, pictures := axeSource(t), os.Getenv("COUNTERFOIL_SCREENSHOTS")
	everyPage(t, func(t *testing.T, b *browser, name string) {
		for _, v := range b.violations(axe) {
			t.Errorf("%s: %s: %s", v.ID, v.Help, strings.Join(v.Where, ", "))
		}
		if over := read(b, chromedp.Evaluate[int](`document.documentElement.scrollWidth - innerWidth`)); over > 0 {
			t.Errorf("the page is %d pixels too wide", over)
		}
		if pictures != "" {
			check(t, os.WriteFile(filepath.Join(pictures, name+".png"), read(b, chromedp.FullScreenshot(100)), 0o644))
		}
	})
}

func everyPage(t *testing.T, do func(t *testing.T, b *browser, name string)) {
	site := newSite(t, "john")
	p := site.serve()
	first := newSite(t).serve()
	eventually(t, "the link to make the first user", func() bool { return first.setupLink() != "" })
	b := newBrowser(t)
	for _, page := range []struct {
		name string
		open func()
	}{
		{"login", func() { b.open(p.url + "/login") }},
		{"login-wrong", func() { b.open(p.url + "/login"); b.logIn("john", another) }},
		{"not-found", func() { b.open(p.url + "/nowhere") }},
		{"wrong-method", func() { b.open(p.url + "/logout") }},
		{"forbidden", func() {
			b.open(p.url + "/login")
			b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("[name=csrf_token]").value = "forged"`))
			if status := b.logIn("john", password); status != http.StatusForbidden {
				t.Errorf("a forged token: status %d, want 403", status)
			}
		}},
		{"setup", func() { b.open(first.setupLink()) }},
		{"setup-weak", func() {
			b.open(first.setupLink())
			b.do(chromedp.SendKeys(chromedp.ID("username"), "john"), chromedp.SendKeys(chromedp.ID("password"), "password password"))
			b.follow(chromedp.Click(chromedp.CSS("main button[type=submit]")))
		}},
		{"account", func() {
			p.mustLoginForm("john")
			p.mustLoginAPI("john")
			b.open(p.url + "/login")
			b.logIn("john", password)
		}},
		{"account-wrong", func() {
			b.do(chromedp.SendKeys(chromedp.ID("old_password"), another), chromedp.SendKeys(chromedp.ID("new_password"), another))
			b.follow(chromedp.Click(chromedp.CSS(`form[action="/account/password"] button`)))
		}},
		{"account-news", func() {
			b.open(p.url + "/account")
			b.follow(chromedp.Click(chromedp.CSS(`form[action="/account/sessions/end-others"] button`)))
		}},
	} {
		page.open()
		for _, colours := range []string{"light", "dark"} {
			b.colours(colours)
			for _, width := range []int64{360, 1280} {
				b.do(chromedp.EmulateViewport(width, 800))
				name := fmt.Sprintf("%s-%s-%d", page.name, colours, width)
				t.Run(name, func(t *testing.T) { do(t, b, name) })
			}
		}
	}
}
