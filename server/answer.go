package server

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
)

// A page is one of package pages.
type page interface {
	Render(w io.Writer, nonce string) error
}

// show answers with a page. Whatever the page needs of the session, its CSRF
// token above all, has to be asked for before: here the answer begins.
func (s *Server) show(w http.ResponseWriter, r *http.Request, status int, p page) {
	var body bytes.Buffer
	if err := p.Render(&body, nonceOf(r)); err != nil {
		s.log.ErrorContext(r.Context(), "a page could not be rendered", "path", r.URL.Path, "error", err)
		http.Error(w, "Something went wrong.", http.StatusInternalServerError)
		return
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer") // RFC 9110 asks for one; browsers pass over it
	}
	send(w, status, "text/html; charset=utf-8", body.Bytes())
}

// answer sends JSON.
func answer(w http.ResponseWriter, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		panic("server: an answer of ours is no JSON: " + err.Error()) // plain structs: a bug
	}
	send(w, status, "application/json", body)
}

func send(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body) // nobody is left to tell if the client has gone
}
