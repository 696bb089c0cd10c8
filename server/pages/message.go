package pages

import (
	"io"
	"net/http"
)

// Message is a page that tells the visitor one thing, most often why something
// did not happen, and how to go on. [ForStatus] has the usual ones.
type Message struct {
	Status     int    // the HTTP status, printed on the stub; zero: none
	Title      string // the heading
	Text       string // what happened
	Advice     string // how to go on; may be empty
	ActionURL  string // where the way on leads, a path of this server; empty: no link
	ActionText string // what the link says
	ID         string // the incident, for the operator to find in the log; may be empty

	CSRF string // the session's CSRF token, for the log-out form
	Name string // who is logged in; empty: nobody, and no log-out form
}

// Render writes the page, as [Login.Render] does. It does not set the status.
func (m Message) Render(w io.Writer, nonce string) error {
	return render(w, "message.html", view{Nonce: nonce, Title: m.Title, CSRF: m.CSRF, Name: m.Name, Page: m})
}

// ForStatus returns the message for an HTTP status. It tells the visitor nothing
// about the cause: that belongs in the log, beside the message's ID.
func ForStatus(status int) Message {
	m, ok := messages[status]
	switch {
	case ok:
	case status >= 500:
		m = messages[http.StatusInternalServerError]
	default:
		m = messages[http.StatusBadRequest]
	}
	m.Status = status
	m.ActionURL = "/" // which leads to the account or to the login form
	if m.ActionText == "" {
		m.ActionText = "Go to the start page"
	}
	return m
}

var messages = map[int]Message{
	http.StatusBadRequest: {
		Title:  "We couldn’t read that",
		Text:   "The request was not one that this server understands. Nothing was changed.",
		Advice: "Go back to the start and try again.",
	},
	http.StatusForbidden: {
		Title: "We couldn’t accept that form",
		Text: "It didn’t come with the session it was made for. The page may have been open for a long time, " +
			"you may have logged in or out in another tab, or your browser may be blocking cookies. Nothing was changed.",
		Advice:     "Open a fresh page and try again. If this happens again, allow cookies for this site.",
		ActionText: "Start again",
	},
	http.StatusNotFound: {
		Title: "There’s nothing here",
		Text:  "The page has gone, or there is a slip in its address.",
	},
	http.StatusMethodNotAllowed: {
		Title: "That door opens another way",
		Text:  "This address takes a form that was filled in on one of our pages; it can’t be opened by itself. Nothing was changed.",
	},
	http.StatusTooManyRequests: {
		Title:      "Too many tries",
		Text:       "There were too many requests from you or from your network in a short time. Nothing was changed.",
		Advice:     "Wait a little, then try again.",
		ActionText: "Try again",
	},
	http.StatusInternalServerError: {
		Title:      "Something went wrong",
		Text:       "The mistake is ours, not yours. What you asked for may not have happened.",
		Advice:     "Try again in a moment. If it happens again, tell the people who run this server.",
		ActionText: "Try again",
	},
	http.StatusServiceUnavailable: {
		Title:      "We can’t check your session right now",
		Text:       "The server has lost touch with the place where it keeps sessions, and it won’t guess. You have not been logged out.",
		Advice:     "Try again in a few seconds.",
		ActionText: "Try again",
	},
}
