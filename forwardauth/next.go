package forwardauth

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// maxNext bounds the URL that a login leads back to, in bytes. A longer one leads
// to the front page of its site.
const maxNext = 2048

// loginURL is where somebody logs in, and then comes back to what he asked for.
// It is ready to be put into a Location header: what a proxy would have to escape
// is escaped.
func (h *Handler) loginURL(o original) string {
	origin, ok := h.allowed(o)
	if !ok {
		return h.config.LoginURL
	}
	next := origin + o.uri
	if o.method != http.MethodGet && o.method != http.MethodHead || !h.MayReturnTo(next) {
		next = origin + "/" // what was sent with the request is gone
	}
	return h.config.LoginURL + "?next=" + url.QueryEscape(next)
}

// allowed returns the origin of the original, if it is one of those configured.
func (h *Handler) allowed(o original) (string, bool) {
	origin, ok := originOf(o.scheme, o.host)
	return origin, ok && slices.Contains(h.origins, origin)
}

// MayReturnTo reports whether a login may lead to a URL: one that begins with a
// configured origin, to the letter, and a slash. The login page must ask before
// it redirects (ASVS 3.7.2).
func (h *Handler) MayReturnTo(next string) bool {
	if len(next) > maxNext || strings.ContainsFunc(next, isMisread) {
		return false
	}
	for _, origin := range h.origins {
		// The slash ends the host: there is nothing left that could name another.
		if path, ok := strings.CutPrefix(next, origin); ok && strings.HasPrefix(path, "/") {
			u, err := url.Parse(next)
			return err == nil && u.Scheme+"://"+u.Host == origin && !strings.ContainsFunc(u.Path, isControl)
		}
	}
	return false
}

// Origins returns where a login may lead to: the origin of the login page, then
// the others. Browsers follow the redirect after a login form only if the form's
// page allows it: they belong into form-action of its Content-Security-Policy.
func (h *Handler) Origins() []string { return slices.Clone(h.origins) }

// isMisread reports whether a character means different things to different
// readers of a URL.
func isMisread(c rune) bool { return c <= ' ' || c >= 0x7f || c == '\\' }

// isControl reports whether a character that was encoded would break lines or
// turn into a slash.
func isControl(c rune) bool { return c < ' ' || c == 0x7f || c == '\\' }

// originOf writes an origin as browsers do (RFC 6454 section 6.2): lower case,
// without the scheme's own port.
func originOf(scheme, host string) (string, bool) {
	if scheme != "http" && scheme != "https" || host == "" || len(host) > 255+6 {
		return "", false
	}
	host = strings.ToLower(host)
	name := host
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		port, err := strconv.ParseUint(host[i+1:], 10, 16)
		if err != nil || strconv.FormatUint(port, 10) != host[i+1:] {
			return "", false
		}
		name = host[:i]
		if scheme == "http" && port == 80 || scheme == "https" && port == 443 {
			host = name
		}
	}
	return scheme + "://" + host, isHost(name)
}

// isHost takes names of letters, digits, "-", "_" and ".", and IPv6 addresses in
// brackets.
func isHost(name string) bool {
	if inside, ok := strings.CutPrefix(name, "["); ok {
		inside, ok = strings.CutSuffix(inside, "]")
		return ok && net.ParseIP(inside) != nil && strings.Contains(inside, ":")
	}
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == ""
}
