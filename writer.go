package counterfoil

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// The exchange is the http.ResponseWriter that the handler gets. Whatever way
// the first byte takes, the session is committed before it (D4): its values are
// saved and its cookie is in the headers. If that fails, the error goes out and
// nothing of what the handler wrote (D5).

// errNotCommitted is what the handler's writes return after a failed commit.
var errNotCommitted = errors.New("counterfoil: the session could not be saved: an error was answered instead")

// Unwrap lets http.ResponseController reach the deadlines of the connection.
// Flush and Hijack it finds here first.
func (x *exchange) Unwrap() http.ResponseWriter { return x.underlying }

func (x *exchange) Header() http.Header { return x.underlying.Header() }

func (x *exchange) WriteHeader(status int) {
	if status >= 100 && status < 200 && status != http.StatusSwitchingProtocols {
		x.underlying.WriteHeader(status) // informational: the answer is still to come
		return
	}
	if x.ready() {
		x.underlying.WriteHeader(status)
	}
}

func (x *exchange) Write(p []byte) (int, error) {
	if !x.ready() {
		return 0, errNotCommitted
	}
	return x.underlying.Write(p)
}

func (x *exchange) WriteString(s string) (int, error) {
	if !x.ready() {
		return 0, errNotCommitted
	}
	return io.WriteString(x.underlying, s)
}

// ReadFrom keeps sendfile working for io.Copy.
func (x *exchange) ReadFrom(src io.Reader) (int64, error) {
	if !x.ready() {
		return 0, errNotCommitted
	}
	return io.Copy(x.underlying, src)
}

func (x *exchange) Flush() {
	// http.Flusher has no way to tell an error; FlushError does.
	_ = x.FlushError()
}

func (x *exchange) FlushError() error {
	if !x.ready() {
		return errNotCommitted
	}
	return http.NewResponseController(x.underlying).Flush()
}

// Hijack hands the connection over. The cookie of a session that began in this
// request is in the headers for the handler to send.
func (x *exchange) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if !x.ready() {
		return nil, nil, errNotCommitted
	}
	return http.NewResponseController(x.underlying).Hijack()
}

// CloseNotify is for gin, whose Context.Stream panics without it: see
// http.CloseNotifier, which is deprecated. The channel gets one value when the
// client has gone away, or the request is over.
func (x *exchange) CloseNotify() <-chan bool {
	gone := make(chan bool, 1)
	context.AfterFunc(x.Context, func() { gone <- true })
	return gone
}

// ready commits once, and reports whether the handler's answer may go out.
func (x *exchange) ready() bool {
	ok, err := x.commitOnce()
	if err != nil {
		x.replaceAnswer(err) // calls the application: not under the lock
	}
	return ok
}

// commitOnce commits, the first time. The error is returned to one caller only.
func (x *exchange) commitOnce() (ok bool, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.committed {
		x.committed = true
		err = x.commit()
		x.failed = err != nil
	}
	return !x.failed, err
}

// commit saves what the handler changed and puts the cookie into the headers.
func (x *exchange) commit() error {
	if x.unsaved || x.changes() != nil {
		if err := x.save(); err != nil {
			return err
		}
	}
	h := x.Header()
	switch x.cookieAction {
	case cookieSet:
		h.Add("Set-Cookie", x.m.sessionCookie(x.session(), x.secret()).String())
	case cookieExpire:
		h.Add("Set-Cookie", x.m.expiredCookie().String())
		h.Set("Clear-Site-Data", `"cache","cookies","storage"`)
	}
	x.keepFromOthers(h)
	return nil
}

// keepFromOthers sees to it that an answer made for one visitor is not shown to
// the next (ASVS 14.3.2): it is not stored. The handler may say otherwise, unless
// a cookie goes along; then, and for visitors without a session, caches learn
// that the answer depends on who asks. What is not stored need not vary (RFC 9110
// section 12.5.5).
func (x *exchange) keepFromOthers(h http.Header) {
	caching := headerValue(h, "Cache-Control")
	if x.cookieAction != cookieKeep || (x.via != viaNothing && caching == "") {
		caching = "no-store"
		x.header[0] = caching
		h["Cache-Control"] = x.header[:]
	}
	if caching != "no-store" {
		x.varyByCookie(h)
	}
}

const saveTimeout = 10 * time.Second

// save writes what the handler changed. It goes on when the client hangs up:
// the handler has done its work, and half of it must not be lost.
func (x *exchange) save() error {
	ctx := context.WithoutCancel(x)
	if !x.m.store.InProcess() { // which keeps nobody waiting
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, saveTimeout)
		defer cancel()
	}
	if x.unsaved {
		return x.saveAnonymous(ctx)
	}
	return x.saveChanges(ctx)
}

// replaceAnswer sends the error in the place of the handler's answer, of which
// neither a header nor a byte goes out.
func (x *exchange) replaceAnswer(err error) {
	x.noteUnsaved(err)
	h := x.Header()
	clear(h)
	if x.rare != nil {
		for b := x.rare.headersBefore; b != nil; b = b.before {
			h[b.name] = b.values
		}
	}
	x.m.config.ErrorHandler(x.underlying, &x.request, err)
}

// noteUnsaved tells the operator. That the session ended meanwhile, by a logout
// in another tab, is nothing wrong; nor is it the store's fault when values are
// too large or change too often.
func (x *exchange) noteUnsaved(err error) {
	const what = "the session could not be saved"
	switch {
	case errors.Is(err, ErrUnavailable) || errors.Is(err, ErrIndeterminate):
		x.m.report(x, what, err)
		return
	case !errors.Is(err, ErrEnded):
		x.m.config.Logger.WarnContext(x, what, "error", err, "route", x.request.Pattern)
	}
	x.m.noteRefusal(&x.request, err)
}

// varyByCookie tells caches that the answer depends on who asks.
func (x *exchange) varyByCookie(h http.Header) {
	lines := h["Vary"]
	if lines == nil {
		lines = x.header[:0]
	}
	for _, line := range lines {
		for have := range strings.SplitSeq(line, ",") {
			if have = strings.TrimSpace(have); have == "*" || strings.EqualFold(have, "Cookie") {
				return
			}
		}
	}
	h["Vary"] = append(lines, "Cookie")
}

// headerValue is h.Get(name) for a name in its canonical form, which Get would
// make first.
func headerValue(h http.Header, name string) string {
	if values := h[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}
