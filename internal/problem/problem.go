// Package problem answers requests with application/problem+json (RFC 9457).
package problem

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// Write answers with a problem. The code ends its type; the detail is for the
// client, and holds nothing that it could use against us.
func Write(w http.ResponseWriter, status int, code, detail string) {
	Problem{Type: "urn:counterfoil:problem:" + code, Title: http.StatusText(status), Status: status, Detail: detail}.Send(w)
}

// A Problem is the members of RFC 9457 that we use.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

// Send answers with it, and the headers that belong to every problem.
func (p Problem) Send(w http.ResponseWriter) {
	body, err := json.Marshal(p)
	if err != nil { // four plain fields: can't happen
		body = []byte(`{"title":"Internal Server Error"}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(p.Status)
	w.Write(body) // nobody is left to tell if the client has gone
}
