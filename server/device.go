package server

import (
	"net/http"
	"time"
)

// deviceLife is how long a browser keeps the cookie by which the throttle knows
// it: as long as package account remembers the device.
const deviceLife = 180 * 24 * time.Hour

func (s *Server) deviceCookieName() string {
	if s.secure {
		return "__Host-counterfoil-device"
	}
	return "counterfoil-device"
}

// deviceOf returns the secret by which the throttle knows the browser, or
// nothing. It opens nothing: whoever presents it still needs the password.
func (s *Server) deviceOf(r *http.Request) string {
	const longest = 128
	cookie, err := r.Cookie(s.deviceCookieName())
	if err != nil || len(cookie.Value) > longest {
		return ""
	}
	return cookie.Value
}

// rememberDevice lets the browser in after a login, when strangers have used up
// the user's tries. If that fails, the login still counts.
func (s *Server) rememberDevice(w http.ResponseWriter, r *http.Request, user string) {
	secret, err := s.accounts.RememberDevice(r.Context(), user, s.deviceOf(r))
	if err != nil {
		s.log.WarnContext(r.Context(), "a device could not be remembered", "error", err)
		return
	}
	cookie := s.newCookie(s.deviceCookieName())
	cookie.Value, cookie.MaxAge = secret, int(deviceLife/time.Second)
	http.SetCookie(w, cookie)
}

// newCookie is a cookie with the attributes that all of ours have (ASVS
// 3.3.1–3.3.4).
func (s *Server) newCookie(name string) *http.Cookie {
	return &http.Cookie{Name: name, Path: "/", Secure: s.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}
