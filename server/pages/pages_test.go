package pages

import (
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

func someSessions() []Session {
	return []Session{
		{ID: "0192f3a0-0000-7000-8000-000000000001", Device: "Firefox on Windows", Address: "203.0.113.7",
			Started: now.Add(-2 * time.Hour), LastSeen: now, Expires: now.Add(time.Hour), Current: true},
		{ID: "0192f3a0-0000-7000-8000-000000000002", Address: "2001:db8::1",
			Started: now.Add(-72 * time.Hour), LastSeen: now.Add(-3 * time.Minute), Expires: now.Add(7 * day), Persistent: true},
		{ID: "0192f3a0-0000-7000-8000-000000000003", Device: "curl", Client: true,
			Started: now.Add(-time.Hour), LastSeen: now.Add(-time.Hour), Expires: now.Add(time.Hour)},
	}
}

// everyPage is one of each kind, and each kind with something wrong.
func everyPage() map[string]page {
	all := map[string]page{
		"login":         Login{CSRF: "token", Next: "/account"},
		"login, wrong":  Login{CSRF: "token", Username: "ada", Remember: true, Problem: Problem{Text: "No."}},
		"login, wait":   Login{CSRF: "token", Username: "ada", Wait: 8 * time.Second},
		"login, notice": Login{CSRF: "token", Notice: "You are logged out."},
		"setup":         Setup{CSRF: "token", Code: "K7QF", PasswordMin: 15},
		"setup, wrong":  Setup{CSRF: "token", PasswordMin: 15, Problem: Problem{"password", "It is too short."}},
		"account":       Account{CSRF: "token", Name: "ada", Sessions: someSessions(), PasswordMin: 15, Now: now},
		"account, wrong": Account{CSRF: "token", Name: "ada", Sessions: someSessions(), Now: now,
			Problem: Problem{"old_password", "It is another."}},
		"message, logged in": Message{Title: "Hello", Text: "There.", CSRF: "token", Name: "ada"},
	}
	for status := range messages {
		m := ForStatus(status)
		m.ID = "7f3a9c21"
		all[fmt.Sprintf("status %d", status)] = m
	}
	return all
}

// The rules that every page keeps.
var rules = []struct {
	why   string
	check func(t *testing.T, doc *element)
}{
	{"3.5.1, http.md: every form posts and carries the session's CSRF token in a hidden field", func(t *testing.T, doc *element) {
		for _, form := range doc.all("form") {
			if form.attr["method"] != "post" {
				t.Errorf("form to %s has method %q", form.attr["action"], form.attr["method"])
			}
			field := form.one(t, "input", "name", "csrf_token")
			if field.attr["type"] != "hidden" || field.attr["value"] != "token" {
				t.Errorf("form to %s: %v", form.attr["action"], field.attr)
			}
		}
	}},
	{"14.2.1: the CSRF token is in form fields alone, never in a URL", func(t *testing.T, doc *element) {
		for _, e := range doc.within {
			for _, name := range []string{"href", "action", "formaction", "src"} {
				if strings.Contains(e.attr[name], "token") {
					t.Errorf("<%s %s=%q>", e.name, name, e.attr[name])
				}
			}
		}
	}},
	{"3.4.3: no script and no inline style, so the policy can forbid both", func(t *testing.T, doc *element) {
		for _, e := range doc.within {
			if e.name == "script" || e.name == "style" || e.has("style") {
				t.Errorf("<%s> %v", e.name, e.attr)
			}
			for name := range e.attr {
				if strings.HasPrefix(name, "on") {
					t.Errorf("<%s %s>", e.name, name)
				}
			}
		}
	}},
	{"3.4.3: the stylesheet carries the answer's nonce and its own hash", func(t *testing.T, doc *element) {
		sheet := doc.one(t, "link", "rel", "stylesheet")
		sum := sha512.Sum384(stylesheet.body)
		if want := "sha384-" + base64.StdEncoding.EncodeToString(sum[:]); sheet.attr["integrity"] != want {
			t.Errorf("integrity %q, want %q", sheet.attr["integrity"], want)
		}
		if sheet.attr["nonce"] != testNonce {
			t.Errorf("nonce %q, want %q", sheet.attr["nonce"], testNonce)
		}
	}},
	{"nothing leaves for another host: every URL is a path of ours or a place on the page", func(t *testing.T, doc *element) {
		for _, e := range doc.within {
			for _, name := range []string{"href", "src", "action", "formaction", "data", "poster", "srcset"} {
				u, ok := e.attr[name]
				if ok && (!strings.HasPrefix(u, "/") || strings.HasPrefix(u, "//")) && !strings.HasPrefix(u, "#") {
					t.Errorf("<%s %s=%q>", e.name, name, u)
				}
			}
		}
	}},
	{"WCAG 3.1.1, 2.4.2, 1.3.1: language, title, landmarks, one main heading", func(t *testing.T, doc *element) {
		if html := doc.all("html"); len(html) != 1 || html[0].attr["lang"] != "en" {
			t.Error("no <html lang=en>")
		}
		for _, name := range []string{"title", "header", "main", "h1"} {
			if found := doc.all(name); len(found) != 1 || strings.TrimSpace(found[0].text) == "" {
				t.Errorf("%d <%s>, want one with text", len(found), name)
			}
		}
	}},
	{"WCAG 1.3.1, 4.1.2: every field has a label, every button a name", func(t *testing.T, doc *element) {
		for _, in := range doc.all("input") {
			if in.attr["type"] == "hidden" || in.has("hidden") {
				continue
			}
			if label := doc.one(t, "label", "for", in.attr["id"]); label.text == "" {
				t.Errorf("%s has an empty label", in.attr["name"])
			}
		}
		for _, b := range doc.all("button") {
			if b.text == "" || b.attr["type"] != "submit" {
				t.Errorf("button %q, type %q", b.text, b.attr["type"])
			}
		}
	}},
	{"WCAG 4.1.2: ids are unique, and what points at one finds it", func(t *testing.T, doc *element) {
		ids := map[string]bool{}
		for _, e := range doc.within {
			if id, ok := e.attr["id"]; ok && ids[id] {
				t.Errorf("id %q twice", id)
			} else if ok {
				ids[id] = true
			}
		}
		for _, e := range doc.within {
			refs := strings.Fields(e.attr["aria-describedby"] + " " + e.attr["aria-labelledby"] + " " + e.attr["for"])
			if place, ok := strings.CutPrefix(e.attr["href"], "#"); ok {
				refs = append(refs, place)
			}
			for _, id := range refs {
				if !ids[id] {
					t.Errorf("<%s> %v points at %q, which is not there", e.name, e.attr, id)
				}
			}
		}
	}},
	{"WCAG 1.3.5: what the browser can fill in says what it is", func(t *testing.T, doc *element) {
		for _, in := range doc.all("input") {
			want, ok := map[string]string{
				"username": "username", "old_password": "current-password", "new_password": "new-password",
				"password": "current-password",
			}[in.attr["name"]]
			if in.attr["name"] == "password" && doc.all("form")[0].attr["action"] == "/setup" {
				want = "new-password"
			}
			if ok && in.attr["autocomplete"] != want {
				t.Errorf("%s: autocomplete %q, want %q", in.attr["name"], in.attr["autocomplete"], want)
			}
			if strings.Contains(in.attr["name"], "password") && (in.attr["type"] != "password" || in.has("value") || in.has("maxlength")) {
				t.Errorf("%v: a password is masked, never sent back and never cut short", in.attr)
			}
		}
	}},
}

// why: each rule holds on each page, whatever its state.
func TestEveryPage(t *testing.T) {
	for name, p := range everyPage() {
		t.Run(name, func(t *testing.T) {
			doc := document(t, p)
			for _, rule := range rules {
				t.Run(rule.why, func(t *testing.T) { rule.check(t, doc) })
			}
		})
	}
}

func TestLogOut(t *testing.T) {
	tests := []struct {
		why  string
		page page
		want bool
	}{
		{"7.4.4: whoever is logged in can log out", Account{CSRF: "token", Name: "ada"}, true},
		{"7.4.4: from an error page too", Message{Title: "Gone", CSRF: "token", Name: "ada"}, true},
		{"who is not logged in has nothing to log out of", Message{Title: "Gone", CSRF: "token"}, false},
		{"who is not logged in has nothing to log out of", Login{CSRF: "token"}, false},
	}
	for _, tt := range tests {
		offered := false
		for _, form := range document(t, tt.page).all("form") {
			offered = offered || form.attr["action"] == "/logout" && len(form.all("button")) == 1
		}
		if offered != tt.want {
			t.Errorf("%T: offered: %v, want %v; %s", tt.page, offered, tt.want, tt.why)
		}
	}
}

func TestNewPasswordHint(t *testing.T) {
	const why = "6.2.1: the least length is told before it is asked for, and the browser checks it too"
	for _, p := range []page{Setup{PasswordMin: 15}, Account{Name: "ada", PasswordMin: 15}} {
		for _, in := range document(t, p).all("input") {
			if in.attr["autocomplete"] == "new-password" && in.attr["minlength"] != "15" {
				t.Errorf("%T: %v; %s", p, in.attr, why)
			}
		}
		if text := document(t, p).text; !strings.Contains(text, "At least 15 characters") {
			t.Errorf("%T names no length; %s", p, why)
		}
	}
	if text := document(t, Setup{}).text; strings.Contains(text, "At least") {
		t.Error("a length of zero is named")
	}
}

func TestLoginStartsAtTheFirstEmptyField(t *testing.T) {
	for username, want := range map[string]string{"": "username", "ada": "password"} {
		doc := document(t, Login{Username: username})
		for _, in := range doc.all("input") {
			if in.has("autofocus") != (in.attr["name"] == want) {
				t.Errorf("with username %q: %v", username, in.attr)
			}
		}
	}
}

func TestTitlesAreUnique(t *testing.T) {
	const why = "WCAG 2.4.2: the title alone says which page this is, and that something is wrong"
	seen := map[string]string{}
	for name, p := range everyPage() {
		if strings.HasPrefix(name, "login, ") && name != "login, wrong" {
			continue // another state of a page that is there already
		}
		title := document(t, p).all("title")[0].text
		if other, dup := seen[title]; dup {
			t.Errorf("%s and %s are both %q; %s", name, other, title, why)
		}
		if strings.HasPrefix(title, "Problem: ") != strings.HasSuffix(name, ", wrong") {
			t.Errorf("%s: title %q; %s", name, title, why)
		}
		seen[title] = name
	}
}

func TestFields(t *testing.T) {
	account := Account{CSRF: "token", Name: "ada", Sessions: someSessions(), PasswordMin: 15, Now: now}
	tests := []struct {
		why    string
		page   page
		action string
		fields map[string]string // name and value
		ticked bool
	}{
		{"http.md: the login form's fields", Login{CSRF: "token", Next: "/a?b=c&d", Username: "ada"},
			"/login", map[string]string{"csrf_token": "token", "next": "/a?b=c&d", "username": "ada", "password": "", "remember": "1"}, false},
		{"what was ticked stays ticked", Login{CSRF: "token", Remember: true},
			"/login", map[string]string{"csrf_token": "token", "next": "", "username": "", "password": "", "remember": "1"}, true},
		{"6.4.1: the first user takes the one-time code", Setup{CSRF: "token", Code: "K7QF", Username: "ada"},
			"/setup", map[string]string{"csrf_token": "token", "code": "K7QF", "username": "ada", "password": ""}, false},
		{"7.5.1: a new password asks for the old one", account,
			"/account/password", map[string]string{"csrf_token": "token", "username": "ada", "old_password": "", "new_password": ""}, false},
		{"7.5.2: each of the other sessions can be ended", account,
			"/account/sessions/0192f3a0-0000-7000-8000-000000000002/end", map[string]string{"csrf_token": "token"}, false},
		{"7.4.3: all the others can be ended", account,
			"/account/sessions/end-others", map[string]string{"csrf_token": "token"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.why, func(t *testing.T) {
			form := document(t, tt.page).one(t, "form", "action", tt.action)
			inputs := form.all("input")
			if len(inputs) != len(tt.fields) {
				t.Errorf("%d fields, want %d", len(inputs), len(tt.fields))
			}
			for name, value := range tt.fields {
				in := form.one(t, "input", "name", name)
				if in.attr["value"] != value {
					t.Errorf("%s is %q, want %q", name, in.attr["value"], value)
				}
				if in.attr["type"] == "checkbox" && in.has("checked") != tt.ticked {
					t.Errorf("%s ticked: %v, want %v", name, in.has("checked"), tt.ticked)
				}
			}
		})
	}
}

func TestProblems(t *testing.T) {
	tests := []struct {
		why    string
		page   page
		says   string
		fields []string // marked as invalid
	}{
		{"6.3.8: wrong credentials blame both fields alike",
			Login{Problem: Problem{Text: "They don’t belong together."}}, "They don’t belong together.", []string{"username", "password"}},
		{"a throttled visitor is told how long to wait",
			Login{Problem: Problem{Text: "Wrong."}, Wait: 1500 * time.Millisecond}, "Wait 2 seconds", []string{"username", "password"}},
		{"WCAG 3.3.1: the field in error is named",
			Setup{Problem: Problem{"code", "The code is not that."}}, "The code is not that.", []string{"code"}},
		{"WCAG 3.3.1: the field in error is named, and no other",
			Account{Problem: Problem{"new_password", "Too short."}, PasswordMin: 15}, "Too short.", []string{"new_password"}},
		{"no problem, no mark", Login{}, "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.why, func(t *testing.T) {
			doc := document(t, tt.page)
			var marked []string
			beside := 0 // the problem is said beside the one field that it names
			for _, p := range doc.all("p") {
				if p.attr["class"] == "wrong" && p.text == tt.says {
					beside++
				}
			}
			if one := len(tt.fields) == 1; (beside == 1) != one || beside > 1 {
				t.Errorf("said beside %d fields; one field is in error: %v", beside, one)
			}
			for _, in := range doc.all("input") {
				if !in.has("aria-invalid") {
					continue
				}
				marked = append(marked, in.attr["name"])
				if !strings.Contains(" "+in.attr["aria-describedby"]+" ", " problem ") {
					t.Errorf("%s is not described by the problem", in.attr["name"])
				}
			}
			if fmt.Sprint(marked) != fmt.Sprint(tt.fields) {
				t.Errorf("marked %v, want %v", marked, tt.fields)
			}
			if tt.says == "" {
				return
			}
			if alert := doc.one(t, "p", "role", "alert"); !strings.Contains(alert.text, tt.says) {
				t.Errorf("alert says %q, want %q", alert.text, tt.says)
			}
		})
	}
}

func TestHostileText(t *testing.T) {
	const why = "3.2.2: what a visitor sent is shown as text, whatever it says"
	for _, evil := range []string{
		`<script>alert(1)</script>`,
		`"><img src=x onerror=alert(1)>`,
		`' autofocus onfocus='alert(1)`,
		`</title></textarea><svg/onload=alert(1)>`,
		`{{.CSRF}} {{template "csrf"}}`,
		`javascript:alert(1)`,
		`&lt;b&gt;&#x3c;b`,
	} {
		sessions, evilSessions := someSessions(), someSessions()
		for i := range sessions {
			sessions[i].Device, sessions[i].Address, sessions[i].ID = "x", "x", "x"
			evilSessions[i].Device, evilSessions[i].Address, evilSessions[i].ID = evil, evil, evil
		}
		p := Problem{Text: evil}
		tests := map[string]struct{ harmless, hostile page }{
			"login": {
				Login{CSRF: "x", Next: "x", Username: "x", Notice: "x", Problem: Problem{Text: "x"}},
				Login{CSRF: evil, Next: evil, Username: evil, Notice: evil, Problem: p}},
			"setup": {
				Setup{CSRF: "x", Code: "x", Username: "x", Problem: Problem{Text: "x"}},
				Setup{CSRF: evil, Code: evil, Username: evil, Problem: p}},
			"account": {
				Account{CSRF: "x", Name: "x", Sessions: sessions, Notice: "x", Problem: Problem{Text: "x"}, Now: now},
				Account{CSRF: evil, Name: evil, Sessions: evilSessions, Notice: evil, Problem: p, Now: now}},
			"message": {
				Message{Title: "x", Text: "x", Advice: "x", ActionURL: "/x", ActionText: "x", ID: "x", CSRF: "x", Name: "x"},
				Message{Title: evil, Text: evil, Advice: evil, ActionURL: evil, ActionText: evil, ID: evil, CSRF: evil, Name: evil}},
		}
		for name, tt := range tests {
			t.Run(name+" "+evil, func(t *testing.T) {
				doc := document(t, tt.hostile)
				if got, want := shape(doc), shape(document(t, tt.harmless)); got != want {
					t.Errorf("the elements are\n%s\nwant\n%s\n%s", got, want, why)
				}
				if !strings.Contains(doc.text, evil) {
					t.Errorf("%q is not shown as it was sent; %s", evil, why)
				}
				for _, e := range doc.within {
					if e.name == "script" || e.name == "img" || e.has("onfocus") || e.has("onload") || strings.HasPrefix(e.attr["href"], "javascript:") {
						t.Errorf("<%s> %v; %s", e.name, e.attr, why)
					}
				}
				for _, in := range doc.all("input") {
					if v := in.attr["value"]; in.attr["type"] != "checkbox" && v != "" && v != evil {
						t.Errorf("field %s came back as %q, want %q; %s", in.attr["name"], v, evil, why)
					}
				}
			})
		}
	}
}

// shape is the order of a page's elements and their attributes' number.
func shape(doc *element) string {
	var b strings.Builder
	for _, e := range doc.within {
		fmt.Fprintf(&b, "%s/%d ", e.name, len(e.attr))
	}
	return b.String()
}

func TestAccountSessions(t *testing.T) {
	doc := document(t, Account{CSRF: "token", Name: "ada", Sessions: someSessions(), Now: now})
	tickets := doc.all("li")
	tests := []struct {
		why    string
		ticket *element
		says   []string
		ends   bool
	}{
		{"http.md: this session is marked, and is left by logging out", tickets[0],
			[]string{"Firefox on Windows", "This session", "203.0.113.7", "2 hours ago", "just now", "in 1 hour"}, false},
		{"7.5.2: device, address, started and last seen", tickets[1],
			[]string{"Unknown device", "Kept signed in", "2001:db8::1", "3 days ago", "3 minutes ago", "in 7 days"}, true},
		{"a client's session looks like one", tickets[2], []string{"curl", "API client", "1 hour ago"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.why, func(t *testing.T) {
			for _, s := range tt.says {
				if !strings.Contains(tt.ticket.text, s) {
					t.Errorf("%q is not in %q", s, tt.ticket.text)
				}
			}
			if ends := len(tt.ticket.all("form")) == 1; ends != tt.ends {
				t.Errorf("can be ended: %v, want %v", ends, tt.ends)
			}
			for _, e := range tt.ticket.all("time") {
				if _, err := time.Parse(time.RFC3339, e.attr["datetime"]); err != nil || !strings.HasSuffix(e.attr["title"], " UTC") {
					t.Errorf("time %v, %v", e.attr, err)
				}
			}
		})
	}

	alone := document(t, Account{CSRF: "token", Name: "ada", Sessions: someSessions()[:1], Now: now})
	for _, form := range alone.all("form") {
		if form.attr["action"] == "/account/sessions/end-others" {
			t.Error("who has one session is asked to end the others")
		}
	}
}

func TestForStatus(t *testing.T) {
	tests := []struct {
		why    string
		status int
		says   string
	}{
		{"http.md: a refused form gets a page that says how to go on", 403, "Open a fresh page and try again"},
		{"an unknown address", 404, "nothing here"},
		{"a GET on a POST route", 405, "takes a form"},
		{"a throttled visitor is told what to do", 429, "Wait a little"},
		{"16.5.1: an error tells the visitor nothing about its cause", 500, "Something went wrong"},
		{"while the store is out of reach nobody is logged out", 503, "You have not been logged out"},
		{"an error that has no words of its own", 502, "Something went wrong"},
		{"a refusal that has no words of its own", 415, "Nothing was changed"},
	}
	for _, tt := range tests {
		t.Run(tt.why, func(t *testing.T) {
			m := ForStatus(tt.status)
			m.ID = "7f3a9c21"
			doc := document(t, m)
			for _, s := range []string{tt.says, fmt.Sprint(tt.status), "7f3a9c21"} {
				if !strings.Contains(doc.text, s) {
					t.Errorf("%q is not in %q", s, doc.text)
				}
			}
			if len(doc.all("main")[0].all("a")) != 1 {
				t.Error("there is no way on")
			}
		})
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestRenderReportsTheWritersError(t *testing.T) {
	if err := (Login{}).Render(brokenPipe{}, "x"); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Render: %v, want %v", err, os.ErrClosed)
	}
}
