package server

import (
	"context"
	"errors"
	"net/http"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/server/client"
)

// The routes that take forms of OAuth and know who sends them.

// A sender is who sent a form, and the form.
type sender struct {
	client client.Client // zero: nobody has said who he is
	form   map[string]string
}

type senderKey struct{}

func senderOf(r *http.Request) sender {
	from, _ := r.Context().Value(senderKey{}).(sender)
	return from
}

// introspectors lets clients in that may introspect.
func (s *Server) introspectors(next http.Handler) http.Handler {
	return s.senders(next, func(from sender) bool { return from.client.May(client.Introspect) })
}

// holders lets everybody in: the token itself shows who may revoke it. Whoever
// says that he is a client has to prove it (RFC 7009 section 2.1).
func (s *Server) holders(next http.Handler) http.Handler {
	return s.senders(next, func(sender) bool { return true })
}

func (s *Server) senders(next http.Handler, mayEnter func(sender) bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from, err := s.readSender(w, r)
		if err == nil && !mayEnter(from) {
			err = client.ErrDenied
		}
		if errors.Is(err, client.ErrDenied) {
			s.auditClient(r, from.client.ID)
		}
		if err != nil {
			s.failOAuth(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), senderKey{}, from)))
	})
}

// readSender reads the form and finds out who sends it. On ErrDenied the sender's
// id is what he says, for the log.
func (s *Server) readSender(w http.ResponseWriter, r *http.Request) (sender, error) {
	if r.URL.RawQuery != "" { // a token there would stand in logs
		return sender{}, errParameter
	}
	body, err := readBody(w, r, formType)
	if err != nil {
		return sender{}, err
	}
	form, err := parseForm(body)
	if err != nil {
		return sender{}, err
	}
	from := sender{form: form}
	from.client, err = s.identifyClient(r, form)
	return from, err
}

// identifyClient judges how a client proves who it is: one of client_secret_basic,
// client_secret_post (RFC 6749 section 2.3.1) and private_key_jwt (RFC 7523). The
// zero client: nobody has said who he is.
func (s *Server) identifyClient(r *http.Request, form map[string]string) (client.Client, error) {
	_, basic := r.Header["Authorization"]
	_, post := form["client_secret"]
	_, assertion := form["client_assertion"]
	if basic && (post || assertion) || post && assertion {
		return client.Client{}, errUnreadable // RFC 6749 section 2.3: one at a time
	}
	id := form["client_id"]
	var c client.Client
	var err error
	switch {
	case basic:
		c, err = s.identifyByBasic(r)
	case post:
		c, err = s.identifyBySecret(r.Context(), id, form["client_secret"])
	case assertion:
		c, err = s.identifyByAssertion(r, form)
	case client.IsID(id): // it is registered, and proves nothing
		return client.Client{ID: id}, client.ErrDenied
	default: // a program that is not registered may have a name all the same
		return client.Client{}, nil
	}
	if err == nil && id != "" && id != c.ID {
		err = client.ErrDenied
	}
	return c, err
}

func (s *Server) identifyByBasic(r *http.Request) (client.Client, error) {
	id, secret, err := basicCredentials(r)
	if err != nil {
		return client.Client{}, err
	}
	return s.identifyBySecret(r.Context(), id, secret)
}

func (s *Server) identifyBySecret(ctx context.Context, id, secret string) (client.Client, error) {
	c, err := s.programs.Identify(ctx, id, secret)
	if err != nil {
		c.ID = id
	}
	return c, err
}

// identifyByAssertion takes our name and the address that was asked as the
// audience: clients differ in which they write.
func (s *Server) identifyByAssertion(r *http.Request, form map[string]string) (client.Client, error) {
	if form["client_assertion_type"] != client.AssertionType {
		return client.Client{}, client.ErrDenied
	}
	issuer := s.sessions.Issuer()
	return s.programs.IdentifyByAssertion(r.Context(), form["client_assertion"], []string{issuer, issuer + r.URL.Path})
}

// failOAuth answers with an error of RFC 6749 section 5.2.
func (s *Server) failOAuth(w http.ResponseWriter, r *http.Request, err error) {
	status, code := problemFor(err).Status, "invalid_request"
	switch {
	case errors.Is(err, errGrantType):
		status, code = http.StatusBadRequest, "unsupported_grant_type"
	case errors.Is(err, counterfoil.ErrInvalidGrant):
		code = "invalid_grant"
		Audit(s.log)(r.Context(), counterfoil.Event{Kind: counterfoil.RequestRefused, Address: s.clientAddress(r).String(), Err: counterfoil.ErrInvalidGrant})
	case errors.Is(err, counterfoil.ErrResource):
		code = "invalid_target" // RFC 8707 section 2
	case errors.Is(err, client.ErrDenied):
		code = "invalid_client"
		w.Header().Set("WWW-Authenticate", basicChallenge)
	case status >= 500:
		code = "temporarily_unavailable"
	}
	s.incident(r, status, err)
	setRetryAfter(w, status, err)
	said := map[string]string{"error": code}
	if code == "invalid_request" {
		said["error_description"] = mistakeIn(err)
	}
	answer(w, status, said)
}

// mistakeIn tells whoever writes a client what to send instead.
func mistakeIn(err error) string {
	switch {
	case errors.Is(err, errParameter):
		return "Put all fields into the body, and none into the URL."
	case errors.Is(err, errContentType):
		return "Send a form, application/x-www-form-urlencoded."
	case errors.Is(err, errTooLarge):
		return "The form is too large."
	}
	return "Send every field that is needed, each once, and say in one way only who you are."
}
