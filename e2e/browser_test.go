package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// browserTimeout bounds the life of a browser: longer than any test needs.
const browserTimeout = 90 * time.Second

// A browser is a headless Chromium with a profile of its own, and one tab.
type browser struct {
	t   testing.TB
	ctx context.Context
}

// Debian's Chromium keeps third-party cookies back. Other browsers don't, so an
// attack that needs one must be able to have it.
const preferences = `{"profile":{"block_third_party_cookies":false,"cookie_controls_mode":0}}`

// newBrowser starts a browser, which ends with the test. Names under .test are
// this machine; there is no other.
func newBrowser(t testing.TB, flags ...chromedp.ExecAllocatorOption) *browser {
	t.Helper()
	profile := t.TempDir()
	check(t, os.Mkdir(filepath.Join(profile, "Default"), 0o700))
	check(t, os.WriteFile(filepath.Join(profile, "Default", "Preferences"), []byte(preferences), 0o600))
	ctx, stop := context.WithTimeout(context.Background(), browserTimeout)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewExecAllocator(ctx, append([]chromedp.ExecAllocatorOption{
		chromedp.ExecPath(find(t, "chromium", "chromium-browser", "google-chrome")),
		chromedp.UserDataDir(profile),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-popup-blocking", true), // an attacker gets somebody to click
		chromedp.Flag("disable-background-timer-throttling", true),
		chromedp.Flag("host-resolver-rules", "MAP *.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"),
	}, flags...)...)
	t.Cleanup(stop) // waits until the browser has ended
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	b := &browser{t: t, ctx: ctx}
	b.do() // starts it
	return b
}

// newTab opens another tab of the same browser.
func (b *browser) newTab() *browser {
	ctx, stop := chromedp.NewContext(b.ctx)
	b.t.Cleanup(stop)
	return &browser{t: b.t, ctx: ctx}
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	check(b.t, chromedp.Do(b.ctx, steps...))
}

// read runs an action that returns something.
func read[T any](b *browser, action chromedp.Action[T]) T {
	b.t.Helper()
	value, err := chromedp.Run(b.ctx, action)
	check(b.t, err)
	return value
}

// open goes to an address and returns the status of the page.
func (b *browser) open(url string) int64 {
	b.t.Helper()
	return read(b, chromedp.NavigateResponse(url)).Status
}

// follow does what leads to another page, and returns its status once it is
// there.
func (b *browser) follow(steps ...chromedp.Action[chromedp.Void]) int64 {
	b.t.Helper()
	answer, err := chromedp.RunResponse(b.ctx, steps...)
	check(b.t, err)
	return answer.Status
}

// logIn types into the login form, which is open, and returns the status of the
// page after it.
func (b *browser) logIn(user, password string) int64 {
	b.t.Helper()
	b.do(
		chromedp.Clear(chromedp.ID("username")),
		chromedp.SendKeys(chromedp.ID("username"), user),
		chromedp.SendKeys(chromedp.ID("password"), password),
	)
	return b.follow(chromedp.Click(chromedp.CSS("main button[type=submit]")))
}

// back goes back in the history and waits for the page, which need not be loaded
// for that: the browser may have kept it.
func (b *browser) back() {
	b.t.Helper()
	from := read(b, chromedp.Location())
	b.do(chromedp.Evaluate[chromedp.Void](`history.back()`))
	eventually(b.t, "Back leads to another page", func() bool {
		there, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](`document.readyState == "complete" && location.href != `+strconv.Quote(from)))
		return err == nil && there // an error: the page went away while it was asked
	})
}

func (b *browser) text() string {
	b.t.Helper()
	return read(b, chromedp.Evaluate[string](`document.body.innerText`))
}

// mustShow fails unless the page has all of these texts and is at this path.
func (b *browser) mustShow(path string, texts ...string) {
	b.t.Helper()
	at := read(b, chromedp.Location())
	if !strings.HasSuffix(at, path) {
		b.t.Errorf("the browser is at %s, want %s", at, path)
	}
	shown := b.text()
	for _, text := range texts {
		if !strings.Contains(shown, text) {
			b.t.Errorf("%s does not say %q, but:\n%s", at, text, shown)
		}
	}
}

// cookie returns the session cookie that the browser would send to this address,
// or nil.
func (b *browser) cookie(url, name string) *network.Cookie {
	b.t.Helper()
	got, err := chromedp.Call(b.ctx, network.GetCookies, network.GetCookiesParams{URLs: []string{url}})
	check(b.t, err)
	for _, c := range got.Cookies {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// scripts allows scripts in pages, or doesn't.
func (b *browser) scripts(allowed bool) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !allowed})
	check(b.t, err)
}

// colours sets whether the visitor likes "light" or "dark" pages. They change at
// once, without a transition.
func (b *browser) colours(scheme string) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme},
			{Name: "prefers-reduced-motion", Value: "reduce"},
		},
	})
	check(b.t, err)
}

// frames lists the addresses of the page's frames. One that failed to load has
// an address of the browser's own.
func (b *browser) frames() []string {
	b.t.Helper()
	var all []string
	tree, err := chromedp.Call(b.ctx, page.GetFrameTree, cdp.Empty{})
	check(b.t, err)
	var visit func(*page.FrameTree)
	visit = func(f *page.FrameTree) {
		all = append(all, f.Frame.URL)
		for _, child := range f.ChildFrames {
			visit(child)
		}
	}
	visit(tree.FrameTree)
	return all
}
