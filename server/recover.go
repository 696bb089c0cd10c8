package server

import (
	"fmt"
	"net/http"
	"runtime/debug"
)

// withRecovery answers 500 when a handler panics, and logs the stack.
func (s *Server) withRecovery(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tracked := &trackedWriter{ResponseWriter: w}
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if cause == http.ErrAbortHandler { // a handler's way to cut the connection
				panic(cause)
			}
			s.log.ErrorContext(r.Context(), "a handler panicked", "path", r.URL.Path, "panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
			if tracked.wrote {
				panic(http.ErrAbortHandler) // half an answer must not look whole
			}
			s.fail(w, r, errInternal)
		}()
		next.ServeHTTP(tracked, r)
	})
}

// A trackedWriter knows whether the answer has begun.
type trackedWriter struct {
	http.ResponseWriter
	wrote bool
}

func (t *trackedWriter) Unwrap() http.ResponseWriter { return t.ResponseWriter }

func (t *trackedWriter) WriteHeader(status int) {
	t.wrote = true
	t.ResponseWriter.WriteHeader(status)
}

func (t *trackedWriter) Write(b []byte) (int, error) {
	t.wrote = true
	return t.ResponseWriter.Write(b)
}
