package server

import (
	"net/http"
	"strings"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/server/pages"
)

// notice is good news that the next page shows once.
var notice = counterfoil.NewKey[string]("notice")

// takeNotice returns the news and forgets it.
func takeNotice(r *http.Request) (string, error) {
	text, err := notice.Get(r.Context())
	if err != nil || text == "" {
		return "", err
	}
	return text, notice.Delete(r.Context())
}

// start leads to where a visitor most likely wants to go.
func (s *Server) start(w http.ResponseWriter, r *http.Request) {
	if counterfoil.FromContext(r.Context()).Active() {
		http.Redirect(w, r, "/account", http.StatusSeeOther)
		return
	}
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

func (s *Server) loginForm(w http.ResponseWriter, r *http.Request) {
	news, err := takeNotice(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.showLogin(w, r, http.StatusOK, pages.Login{Next: s.destination(r.URL.Query().Get("next")), Notice: news})
}

// showLogin shows the form. Its CSRF token begins the visitor's session.
func (s *Server) showLogin(w http.ResponseWriter, r *http.Request, status int, p pages.Login) {
	token, err := counterfoil.CSRFToken(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p.CSRF = token
	s.show(w, r, status, p)
}

func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	form, err := postedForm(w, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	remember := isTicked(form["remember"])
	login, err := s.authenticate(r, form["username"], form["password"], s.deviceOf(r))
	if err == nil {
		login.Remember = remember
		err = s.sessions.Login(r.Context(), login)
	}
	if err != nil {
		s.loginAgain(w, r, err, pages.Login{Next: s.destination(form["next"]), Username: form["username"], Remember: remember})
		return
	}
	s.rememberDevice(w, r, login.User)
	http.Redirect(w, r, s.destination(form["next"]), http.StatusSeeOther)
}

// isTicked reads a box of a form. One that is not ticked is not sent; programs
// may say so in words.
func isTicked(value string) bool {
	return value != "" && value != "0" && !strings.EqualFold(value, "false")
}

// loginAgain shows the form once more where another try may help.
func (s *Server) loginAgain(w http.ResponseWriter, r *http.Request, err error, p pages.Login) {
	p.Problem, p.Wait = credentialsProblem(err)
	if p.Problem.Text == "" && p.Wait == 0 {
		s.fail(w, r, err)
		return
	}
	status := problemFor(err).Status
	setRetryAfter(w, status, err)
	s.showLogin(w, r, status, p)
}
