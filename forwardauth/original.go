package forwardauth

import (
	"cmp"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// An original is the request that a proxy asks about.
type original struct {
	method string // an unsafe one, if anybody says so
	scheme string // empty: where the request went is not known
	host   string
	uri    string // path and query, as the client wrote them
}

// request is the original as [counterfoil.Manager.Admit] takes it.
func (o original) request(question *http.Request) *http.Request {
	r := *question
	r.Method, r.Host, r.URL = o.method, o.host, &url.URL{Scheme: o.scheme, Host: o.host}
	return &r
}

// The headers of a question, as net/http spells them.
const (
	methodHeader   = "X-Forwarded-Method"
	protoHeader    = "X-Forwarded-Proto"
	hostHeader     = "X-Forwarded-Host"
	uriHeader      = "X-Forwarded-Uri"
	originalMethod = "X-Original-Method"
	originalURL    = "X-Original-Url"
	originalURI    = "X-Original-Uri"
)

// original returns the request that the question is about. What is not known is
// left empty; who knows less is let in to less.
//
// Errors: errForwarded, errPath, errMethod.
func (h *Handler) original(r *http.Request) (original, error) {
	o := original{method: method(r)}
	if o.method == http.MethodTrace {
		return o, errMethod
	}
	if !h.isTrusted(r) {
		return o, nil
	}
	var c claims
	if err := c.read(r); err != nil {
		return o, err
	}
	if _, ok := originOf(c.scheme, c.host); ok {
		o.scheme, o.host = c.scheme, c.host
	}
	o.uri = c.uri
	if !h.config.AmbiguousPaths && isAmbiguous(o.uri) {
		return o, errPath
	}
	return o, nil
}

// method is the original's: an unsafe one, if anybody says so. That makes us
// stricter, so it need not come from a trusted proxy.
func method(r *http.Request) string {
	method := r.Method
	for _, name := range []string{methodHeader, originalMethod} {
		for _, m := range r.Header[name] {
			if isSafe(method) {
				method = m
			}
		}
	}
	return method
}

// claims are what a trusted proxy says of where the original went.
type claims struct {
	scheme, host, uri string
}

// read takes them from the headers, or with Envoy from the question's own URL.
func (c *claims) read(r *http.Request) error {
	for _, header := range []struct {
		name string
		at   *string
	}{{protoHeader, &c.scheme}, {hostHeader, &c.host}, {uriHeader, &c.uri}, {originalURI, &c.uri}} {
		value, ok := single(r.Header, header.name)
		if !ok || !agree(header.at, value) {
			return errForwarded
		}
	}
	full, ok := single(r.Header, originalURL)
	if !ok {
		return errForwarded
	}
	if full != "" {
		scheme, host, uri := splitURL(full)
		if !agree(&c.scheme, scheme) || !agree(&c.host, host) || !agree(&c.uri, uri) {
			return errForwarded
		}
	}
	if _, uri := ownQuery(r); uri != "" && c.uri == "" {
		c.uri, c.host = uri, cmp.Or(c.host, r.Host)
	}
	return nil
}

// single returns a header that may come once, and with one value. In a URL a
// comma separates nothing.
func single(header http.Header, name string) (value string, ok bool) {
	lines := header[name]
	switch {
	case len(lines) == 0:
		return "", true
	case len(lines) > 1:
		return "", false
	}
	isURL := name == uriHeader || name == originalURI || name == originalURL
	return lines[0], isURL || !strings.Contains(lines[0], ",")
}

// agree takes what a header says over, and reports whether another has not said
// something else: then one of the two is the client's.
func agree(at *string, value string) bool {
	if value == "" {
		return true
	}
	*at = cmp.Or(*at, value)
	return *at == value
}

// splitURL takes the URL of a request apart, without reading more into it.
func splitURL(full string) (scheme, host, uri string) {
	scheme, host, _ = strings.Cut(full, "://")
	if i := strings.IndexAny(host, "/?#"); i >= 0 {
		host, uri = host[:i], host[i:]
	}
	return scheme, host, uri
}

// ownQuery reads the query of the question: whether it asks for redirects, and
// the original's URI, which reaches to the end. Some proxies append what the
// client has written, so nothing rests on it that a client may not decide.
func ownQuery(r *http.Request) (redirect bool, uri string) {
	for query := r.URL.RawQuery; query != ""; {
		if rest, ok := strings.CutPrefix(query, "uri="); ok {
			return redirect, rest
		}
		var name string
		name, query, _ = strings.Cut(query, "&")
		redirect = redirect || name == "redirect"
	}
	return redirect, ""
}

func (h *Handler) isTrusted(r *http.Request) bool {
	connection, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	addr := connection.Addr().Unmap().WithZone("") // networks have none
	return slices.ContainsFunc(h.config.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// ambiguous are the spellings that one program takes out or decodes where the
// next leaves them in, so that a rule about paths looks at another path than the
// application.
var ambiguous = []string{"//", "\\", ";", "%2e", "%2f", "%5c", "%3b", "%00", "%0a", "%0d", "%25"}

// isAmbiguous reports whether the path of a URI means different things to
// different programs. The query does not count.
func isAmbiguous(uri string) bool {
	if uri == "" || uri == "*" {
		return false
	}
	path, _, _ := strings.Cut(uri, "?")
	if path == "" || path[0] != '/' || strings.ContainsFunc(path, func(c rune) bool { return c <= ' ' || c == 0x7f || c == '#' }) {
		return true
	}
	lower := strings.ToLower(path)
	if slices.ContainsFunc(ambiguous, func(s string) bool { return strings.Contains(lower, s) }) {
		return true
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

func isSafe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}
