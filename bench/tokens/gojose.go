package tokens

import (
	"crypto/ed25519"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/counterfoil/counterfoil/bench/internal/report"
)

type joseClaims struct {
	jwt.Claims
	Session  string           `json:"sid"`
	AuthTime *jwt.NumericDate `json:"auth_time"`
	Methods  []string         `json:"amr"`
	Username string           `json:"preferred_username"`
}

// joseIssuer signs as the documentation of go-jose shows, with one signer for
// all tokens.
func joseIssuer(url string, key ed25519.PrivateKey) (issuer, error) {
	options := (&jose.SignerOptions{}).WithType("at+jwt").WithHeader("kid", "bench")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: key}, options)
	if err != nil {
		return issuer{}, err
	}
	return issuer{goJose, report.Peer, func() (string, error) {
		now := time.Now()
		return jwt.Signed(signer).Claims(&joseClaims{
			Claims: jwt.Claims{
				Issuer: url, Subject: user, Audience: jwt.Audience{url}, ID: newID(),
				IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(life)),
			},
			Session: session, AuthTime: jwt.NewNumericDate(now), Methods: methods, Username: username,
		}).Serialize()
	}}, nil
}

// joseChecker names the algorithm, which go-jose demands, and has the claims
// checked that ours checks.
func joseChecker(url string, key ed25519.PublicKey) checker {
	algorithms := []jose.SignatureAlgorithm{jose.EdDSA}
	return checker{goJose, report.Peer, func(token string) (string, error) {
		parsed, err := jwt.ParseSigned(token, algorithms)
		if err != nil {
			return "", err
		}
		var claims joseClaims
		if err := parsed.Claims(key, &claims); err != nil {
			return "", err
		}
		expected := jwt.Expected{Issuer: url, AnyAudience: jwt.Audience{url}, Time: time.Now()}
		if err := claims.ValidateWithLeeway(expected, 0); err != nil {
			return "", err
		}
		return claims.Session, nil
	}}
}
