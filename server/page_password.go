package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/server/account"
	"github.com/counterfoil/counterfoil/server/pages"
)

func (s *Server) changePassword(w http.ResponseWriter, r *http.Request) {
	form, err := postedForm(w, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	switch changed, err := s.replacePassword(r, form["old_password"], form["new_password"]); {
	case err == nil:
		s.toAccount(w, r, "Your password is changed, and your other sessions have ended.")
	case changed:
		s.failCutoff(w, r, err)
	default:
		s.changePasswordAgain(w, r, err)
	}
}

// replacePassword changes the password and ends the user's other sessions. The
// password may be changed and an error returned: then the sessions are not
// ended yet.
func (s *Server) replacePassword(r *http.Request, old, new string) (changed bool, err error) {
	s.passwords.RLock()
	defer s.passwords.RUnlock()
	me := counterfoil.FromContext(r.Context())
	cutoff, err := s.accounts.ChangePassword(r.Context(), account.Change{
		UserID:  me.User(),
		Old:     old,
		New:     new,
		Address: s.clientAddress(r),
		Device:  s.deviceOf(r),
	})
	if err != nil {
		s.auditFailure(r.Context(), r, "password_change_failed", me.Name(), err)
		return false, err
	}
	s.log.LogAttrs(r.Context(), slog.LevelInfo, "audit", slog.String("event", "password_changed"),
		slog.String("session", me.ID()), slog.String("user", me.User()), slog.String("name", me.Name()),
		slog.String("address", s.clientAddress(r).String()))
	return true, s.keepOnlyThisSession(r.Context(), cutoff)
}

// keepOnlyThisSession ends the user's other sessions and gives this one a new
// id and cookie (ASVS 7.2.4, 7.4.3): whoever had the old cookie is out as well.
// If it fails half-way, the debt stays and the server ends this session, too.
func (s *Server) keepOnlyThisSession(ctx context.Context, c account.Cutoff) error {
	if _, err := s.sessions.EndOthers(ctx); err != nil {
		return err
	}
	if err := s.sessions.Rotate(ctx); err != nil {
		return err
	}
	return s.accounts.CutoffDone(context.WithoutCancel(ctx), c)
}

// changePasswordAgain shows the form once more where another try may help.
func (s *Server) changePasswordAgain(w http.ResponseWriter, r *http.Request, err error) {
	status := problemFor(err).Status
	var p pages.Account
	if refused := (*account.PasswordError)(nil); errors.As(err, &refused) {
		status = http.StatusUnprocessableEntity
		p.Problem = pages.Problem{Field: "new_password", Text: refused.Reason}
	} else {
		problem, wait := credentialsProblem(err)
		switch {
		case wait > 0:
			problem.Text = fmt.Sprintf("Too many wrong tries. Wait %v, then try again.", wait.Round(time.Second))
		case errors.Is(err, account.ErrCredentials):
			problem = pages.Problem{Field: "old_password", Text: "The old password is wrong."}
		case problem.Text == "":
			s.fail(w, r, err)
			return
		}
		p.Problem = problem
	}
	setRetryAfter(w, status, err)
	s.showAccount(w, r, status, p)
}

func (s *Server) failCutoff(w http.ResponseWriter, r *http.Request, err error) {
	m := pages.ForStatus(http.StatusServiceUnavailable)
	m.Title = "Your password is changed"
	m.Text = "Your other sessions could not be ended yet. The server keeps trying; you may have to log in again."
	m.Advice = "Use the new password from now on."
	s.showMessage(w, r, m, err)
}

// credentialsProblem says to a visitor why his password was not accepted, or
// how long to wait. Neither: the form can't help.
func credentialsProblem(err error) (pages.Problem, time.Duration) {
	if throttled := (*account.ThrottledError)(nil); errors.As(err, &throttled) {
		return pages.Problem{}, throttled.RetryAfter
	}
	for _, e := range []error{account.ErrCredentials, account.ErrBusy, counterfoil.ErrSuperseded} {
		if errors.Is(err, e) {
			return pages.Problem{Text: problemFor(e).Detail}, 0
		}
	}
	return pages.Problem{}, 0
}
