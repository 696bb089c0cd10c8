package server

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"
)

// withHeaders puts the security headers on every answer, redirects and errors
// too (ASVS 3.4.1–3.4.8, 14.3.2).
func (s *Server) withHeaders(next http.Handler) http.Handler {
	// Browsers ask of a redirect after a form, too, whether the page allows it:
	// a login leads back to the application.
	formAction := strings.Join(append([]string{"'self'"}, s.appOrigins...), " ")
	type header struct{ name, value string }
	always := []header{
		{"X-Content-Type-Options", "nosniff"},
		// Not no-referrer: browsers would send our own forms with a null Origin.
		{"Referrer-Policy", "same-origin"},
		{"X-Frame-Options", "DENY"},
		{"Cross-Origin-Opener-Policy", "same-origin"},
		{"Cross-Origin-Resource-Policy", "same-origin"},
		{"Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"},
		{"Cache-Control", "no-store"},
	}
	if s.secure {
		always = append(always, header{"Strict-Transport-Security", "max-age=63072000; includeSubDomains"})
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		values := make([]string, len(always)) // each header's own, in one allocation
		for i, header := range always {
			values[i] = header.value
			h[header.name] = values[i : i+1 : i+1]
		}
		if isAPI(r) {
			h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'; sandbox")
		} else {
			nonce := rand.Text()
			r = r.WithContext(context.WithValue(r.Context(), nonceKey{}, nonce))
			h.Set("Content-Security-Policy", "default-src 'none'; style-src 'nonce-"+nonce+"'; img-src 'self'; "+
				"form-action "+formAction+"; base-uri 'none'; frame-ancestors 'none'; object-src 'none'")
		}
		next.ServeHTTP(w, r)
	})
}

type nonceKey struct{}

// nonceOf returns the nonce in the Content-Security-Policy of a page.
func nonceOf(r *http.Request) string {
	nonce, _ := r.Context().Value(nonceKey{}).(string)
	return nonce
}
