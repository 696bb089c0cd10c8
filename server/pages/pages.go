// Package pages renders the server's HTML pages.
//
// Fill in a page and render it:
//
//	err := pages.Login{CSRF: token, Next: next}.Render(w, nonce)
//
// Mount [Static] at [StaticPath] for the stylesheet and the icon.
//
// The pages need no JavaScript, hold no inline style and name no other host, so
// they work under
//
//	default-src 'none'; style-src 'nonce-…'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'
//
// Whatever a visitor sent is escaped by html/template. The words that never
// change live in the templates; the server passes in what it knows.
package pages

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"time"
)

// Problem is one thing that the visitor has to put right before the form can be
// accepted. The zero value means that there is none.
type Problem struct {
	// Field is the name of the form field that it is about. Empty: the form as
	// a whole, as for wrong credentials, where naming a field would tell a
	// stranger which half was right (ASVS 6.3.8).
	Field string
	// Text is a sentence to the visitor.
	Text string
}

// Login is the page with the login form. It posts csrf_token, username,
// password, remember ("1" or absent) and next to /login.
type Login struct {
	CSRF     string        // the session's CSRF token
	Next     string        // where to go afterwards; the server checks it again when it comes back
	Username string        // what was typed before
	Remember bool          // whether the box was ticked before
	Notice   string        // good news from the step before, if any
	Problem  Problem       // what was wrong with the last try
	Wait     time.Duration // over zero: too many tries, the next one counts after this long; takes Problem's place
}

// Render writes the page. The nonce is the one in the answer's
// Content-Security-Policy. When rendering fails, nothing is written.
func (l Login) Render(w io.Writer, nonce string) error {
	if l.Wait > 0 {
		l.Problem = Problem{Text: "Too many wrong tries. Wait " + humanDuration(l.Wait) + ", then try again."}
	}
	return render(w, "login.html", view{Nonce: nonce, Title: "Log in", Erring: l.Problem.Text != "", Page: l})
}

// Setup is the page that makes the first user. It posts csrf_token, code,
// username and password to /setup.
type Setup struct {
	CSRF        string  // the session's CSRF token
	Code        string  // the one-time code, where it is known already
	Username    string  // what was typed before
	PasswordMin int     // least length of a password, in characters; zero: the page names none
	Problem     Problem // what was wrong with the last try
}

// Render writes the page, as [Login.Render] does.
func (s Setup) Render(w io.Writer, nonce string) error {
	return render(w, "setup.html", view{Nonce: nonce, Title: "Make the first user", Erring: s.Problem.Text != "", Page: s})
}

// Account is the page that shows a user the sessions and takes a new password.
// Its forms post csrf_token to /account/sessions/{sid}/end and
// /account/sessions/end-others, and with old_password and new_password to
// /account/password. The password form also posts the username, which is there
// for password managers: the server ignores it.
type Account struct {
	CSRF        string    // the session's CSRF token
	Name        string    // who is logged in
	Sessions    []Session // in the order in which they are to be shown
	PasswordMin int       // least length of a password, in characters; zero: the page names none
	Notice      string    // good news from the step before, if any
	Problem     Problem   // what was wrong with the password form
	Now         time.Time // what "3 minutes ago" counts from; zero: the wall clock
}

// Session is one line of the [Account] page.
type Session struct {
	ID         string    // the public session id, never the secret
	Device     string    // from [DeviceName]; empty: "Unknown device"
	Address    string    // the network address; empty: not shown
	Started    time.Time // when the login happened
	LastSeen   time.Time // when the last request came
	Expires    time.Time // when the session ends if it is used no more
	Current    bool      // the session that asks for the page
	Persistent bool      // "keep me signed in" was ticked
	Client     bool      // an API client with tokens, not a browser with a cookie
}

// Render writes the page, as [Login.Render] does.
func (a Account) Render(w io.Writer, nonce string) error {
	if a.Now.IsZero() {
		a.Now = time.Now()
	}
	return render(w, "account.html", view{
		Nonce: nonce, Title: "Your account", Erring: a.Problem.Text != "",
		CSRF: a.CSRF, Name: a.Name, Page: a,
	})
}

// Others counts the sessions that "end all others" would end.
func (a Account) Others() int {
	n := 0
	for _, s := range a.Sessions {
		if !s.Current {
			n++
		}
	}
	return n
}

// view is what the layout around every page needs.
type view struct {
	Nonce  string
	Title  string
	Erring bool   // a problem is shown: the title says so first, for those who hear the page
	CSRF   string // for the log-out form
	Name   string // empty: nobody is logged in, so no log-out form
	Page   any
}

//go:embed templates
var templateFiles embed.FS

// templates holds one complete set for each page: the layout with that page's
// "main" in it.
var templates = parse("login.html", "setup.html", "account.html", "message.html", "demo.html")

func parse(pages ...string) map[string]*template.Template {
	layout := template.Must(template.New("layout.html").Funcs(template.FuncMap{
		"about":      about,
		"wrong":      wrong,
		"moment":     momentOf,
		"stylesheet": func() file { return stylesheet },
		"icon":       func() file { return icon },
	}).ParseFS(templateFiles, "templates/layout.html"))

	set := make(map[string]*template.Template, len(pages))
	for _, page := range pages {
		set[page] = template.Must(template.Must(layout.Clone()).ParseFS(templateFiles, "templates/"+page))
	}
	return set
}

func render(w io.Writer, page string, v view) error {
	var whole bytes.Buffer // so that a failure leaves room for an error page
	if err := templates[page].Execute(&whole, v); err != nil {
		return fmt.Errorf("pages: render %s: %w", page, err)
	}
	_, err := whole.WriteTo(w)
	return err
}

// about reports whether the problem concerns the field.
func about(p Problem, field string) bool {
	return p.Text != "" && (p.Field == "" || p.Field == field)
}

// wrong returns what is to be said beside the field itself: on a long page the
// problem at the top is out of sight.
func wrong(p Problem, field string) string {
	if p.Field != field {
		return ""
	}
	return p.Text
}
