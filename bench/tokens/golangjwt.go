package tokens

import (
	"crypto/ed25519"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/counterfoil/counterfoil/bench/internal/report"
)

type jwtClaims struct {
	jwt.RegisteredClaims
	Session  string           `json:"sid"`
	AuthTime *jwt.NumericDate `json:"auth_time"`
	Methods  []string         `json:"amr"`
	Username string           `json:"preferred_username"`
}

// jwtIssuer signs as the documentation of golang-jwt shows, with a struct of
// claims, which is faster than a map.
func jwtIssuer(url string, key ed25519.PrivateKey) issuer {
	return issuer{golangJWT, report.Peer, func() (string, error) {
		now := time.Now()
		token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, &jwtClaims{
			RegisteredClaims: jwt.RegisteredClaims{
				Issuer: url, Subject: user, Audience: jwt.ClaimStrings{url}, ID: newID(),
				IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(life)),
			},
			Session: session, AuthTime: jwt.NewNumericDate(now), Methods: methods, Username: username,
		})
		token.Header["typ"], token.Header["kid"] = "at+jwt", "bench"
		return token.SignedString(key)
	}}
}

// jwtChecker keeps one parser, names the algorithm, as the documentation tells
// to, and has the claims checked that ours checks. It is given the one key; a
// lookup by kid would cost it more.
func jwtChecker(url string, key ed25519.PublicKey) checker {
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"EdDSA"}), jwt.WithIssuer(url), jwt.WithAudience(url), jwt.WithExpirationRequired())
	keyFunc := func(*jwt.Token) (any, error) { return key, nil }
	return checker{golangJWT, report.Peer, func(token string) (string, error) {
		var claims jwtClaims
		if _, err := parser.ParseWithClaims(token, &claims, keyFunc); err != nil {
			return "", err
		}
		return claims.Session, nil
	}}
}
