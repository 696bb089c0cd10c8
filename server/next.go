package server

import (
	"net/url"
	"strings"
)

const (
	afterLogin = "/account" // where a login leads to unless a page was asked for
	maxNext    = 2048
)

// destination returns next if it is a page of this site or of an application
// behind the front door, and otherwise where a login leads to by default.
func (s *Server) destination(next string) string {
	if s.front != nil && s.front.MayReturnTo(next) {
		return next
	}
	return localPath(next)
}

// localPath returns next if it is the path of a page on this site, and
// otherwise where a login leads to by default (ASVS 3.7.2). Browsers read URLs
// more kindly than the standards, so it takes what can't be misread: one slash
// in front, printable ASCII, no backslash, not even an encoded one.
func localPath(next string) string {
	if len(next) > maxNext || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsFunc(next, isMisread) {
		return afterLogin
	}
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil || u.Opaque != "" {
		return afterLogin
	}
	if strings.HasPrefix(u.Path, "//") || strings.ContainsFunc(u.Path, isMisread) {
		return afterLogin
	}
	return next
}

// isMisread reports whether a character means different things to different
// readers of a URL.
func isMisread(c rune) bool { return c <= ' ' || c >= 0x7f || c == '\\' }
