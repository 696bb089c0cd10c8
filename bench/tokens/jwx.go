package tokens

import (
	"crypto/ed25519"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/lestrrat-go/jwx/v3/jwt"

	"github.com/counterfoil/counterfoil/bench/internal/report"
)

// jwxIssuer signs as the documentation of jwx shows.
func jwxIssuer(url string, key ed25519.PrivateKey) (issuer, error) {
	headers := jws.NewHeaders()
	for name, value := range map[string]string{jws.TypeKey: "at+jwt", jws.KeyIDKey: "bench"} {
		if err := headers.Set(name, value); err != nil {
			return issuer{}, err
		}
	}
	withKey := jwt.WithKey(jwa.EdDSA(), key, jws.WithProtectedHeaders(headers))
	return issuer{jwx, report.Peer, func() (string, error) {
		now := time.Now()
		token, err := jwt.NewBuilder().Issuer(url).Subject(user).Audience([]string{url}).JwtID(newID()).
			IssuedAt(now).Expiration(now.Add(life)).
			Claim("sid", session).Claim("auth_time", now.Unix()).Claim("amr", methods).Claim("preferred_username", username).
			Build()
		if err != nil {
			return "", err
		}
		signed, err := jwt.Sign(token, withKey)
		return string(signed), err
	}}, nil
}

// jwxChecker names key and algorithm, and has the claims checked that ours
// checks.
func jwxChecker(url string, key ed25519.PublicKey) checker {
	options := []jwt.ParseOption{
		jwt.WithKey(jwa.EdDSA(), key), jwt.WithValidate(true), jwt.WithIssuer(url), jwt.WithAudience(url), jwt.WithRequiredClaim(jwt.ExpirationKey),
	}
	return checker{jwx, report.Peer, func(token string) (string, error) {
		parsed, err := jwt.Parse([]byte(token), options...)
		if err != nil {
			return "", err
		}
		var id string
		err = parsed.Get("sid", &id)
		return id, err
	}}
}
