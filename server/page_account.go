package server

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/server/account"
	"github.com/counterfoil/counterfoil/server/pages"
)

func (s *Server) account(w http.ResponseWriter, r *http.Request) {
	news, err := takeNotice(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.showAccount(w, r, http.StatusOK, pages.Account{Notice: news})
}

func (s *Server) showAccount(w http.ResponseWriter, r *http.Request, status int, p pages.Account) {
	ctx := r.Context()
	me := counterfoil.FromContext(ctx)
	sessions, err := s.sessions.Sessions(ctx, me.User())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if p.CSRF, err = counterfoil.CSRFToken(ctx); err != nil {
		s.fail(w, r, err)
		return
	}
	p.Name, p.PasswordMin = me.Name(), account.MinPassword
	for _, session := range slices.SortedFunc(slices.Values(sessions), currentThenNewest) {
		p.Sessions = append(p.Sessions, ticket(session))
	}
	s.show(w, r, status, p)
}

func currentThenNewest(a, b *counterfoil.Session) int {
	switch {
	case a.Current():
		return -1
	case b.Current():
		return 1
	}
	return cmp.Or(b.LastSeen().Compare(a.LastSeen()), cmp.Compare(b.ID(), a.ID()))
}

// ticket is a session as the page shows it.
func ticket(session *counterfoil.Session) pages.Session {
	return pages.Session{
		ID:         session.ID(),
		Device:     pages.DeviceName(session.UserAgent()),
		Address:    session.Address(),
		Started:    session.Created(),
		LastSeen:   session.LastSeen(),
		Expires:    session.Expires(),
		Current:    session.Current(),
		Persistent: session.Persistent(),
		Client:     !session.HasCookie(),
	}
}

func (s *Server) endSession(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("sid")
	if id == counterfoil.FromContext(r.Context()).ID() {
		s.logout(w, r)
		return
	}
	switch err := s.sessions.EndOwn(r.Context(), id); {
	case errors.Is(err, counterfoil.ErrNotFound): // the page was old: what lives by now is what counts
		gone := pages.Problem{Text: "That session had ended before. These are the ones that you have now."}
		s.showAccount(w, r, http.StatusNotFound, pages.Account{Problem: gone})
	case err != nil:
		s.fail(w, r, err)
	default:
		s.toAccount(w, r, "That session has ended.")
	}
}

func (s *Server) endOtherSessions(w http.ResponseWriter, r *http.Request) {
	n, err := s.sessions.EndOthers(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.toAccount(w, r, fmt.Sprintf("Your other sessions have ended: %d.", n))
}

// toAccount leads back to the account page, which shows the news.
func (s *Server) toAccount(w http.ResponseWriter, r *http.Request, news string) {
	if err := notice.Set(r.Context(), news); err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, "/account", http.StatusSeeOther)
}
