package server

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/counterfoil/counterfoil/server/client"
)

// metadata is what programs find out about us (RFC 8414 section 2; the last
// member RFC 9728 section 4).
type metadata struct {
	Issuer                  string                    `json:"issuer"`
	TokenEndpoint           string                    `json:"token_endpoint"`
	TokenMethods            []string                  `json:"token_endpoint_auth_methods_supported"`
	GrantTypes              []string                  `json:"grant_types_supported"`
	ResponseTypes           []string                  `json:"response_types_supported"` // required; none: nobody is sent here to log in
	JWKS                    string                    `json:"jwks_uri"`
	IntrospectionEndpoint   string                    `json:"introspection_endpoint"`
	IntrospectionMethods    []string                  `json:"introspection_endpoint_auth_methods_supported"`
	IntrospectionAlgorithms []jose.SignatureAlgorithm `json:"introspection_endpoint_auth_signing_alg_values_supported"`
	RevocationEndpoint      string                    `json:"revocation_endpoint"`
	RevocationMethods       []string                  `json:"revocation_endpoint_auth_methods_supported"`
	RevocationAlgorithms    []jose.SignatureAlgorithm `json:"revocation_endpoint_auth_signing_alg_values_supported"`
	Resources               []string                  `json:"protected_resources,omitempty"`
}

func newMetadata(issuer string, resources []string) metadata {
	known := []string{"client_secret_basic", "client_secret_post", "private_key_jwt"}
	return metadata{
		Issuer:                  issuer,
		TokenEndpoint:           issuer + "/v1/token",
		TokenMethods:            []string{"none"},
		GrantTypes:              []string{"refresh_token"},
		ResponseTypes:           []string{},
		JWKS:                    issuer + "/.well-known/jwks.json",
		IntrospectionEndpoint:   issuer + "/v1/introspect",
		IntrospectionMethods:    known,
		IntrospectionAlgorithms: client.Algorithms,
		RevocationEndpoint:      issuer + "/v1/revoke",
		RevocationMethods:       append(known, "none"),
		RevocationAlgorithms:    client.Algorithms,
		Resources:               resources,
	}
}

// newWellKnown answers with the metadata. Without a public URL there is none: an
// address that the request names is not ours to vouch for.
func (s *Server) newWellKnown(publicURL string, resources []string) http.HandlerFunc {
	if publicURL == "" {
		return s.notFound
	}
	body, err := json.Marshal(newMetadata(s.sessions.Issuer(), resources))
	if err != nil {
		panic("server: the metadata is no JSON: " + err.Error()) // plain strings: a bug
	}
	return fixed("application/json", 5*time.Minute, body)
}

//go:embed openapi.json
var openAPIDocument []byte

// openAPI serves the description of every route that is for programs.
var openAPI = fixed("application/json", 5*time.Minute, openAPIDocument)

// fixed serves bytes that stay the same while the server runs, and may be kept.
func fixed(contentType string, life time.Duration, body []byte) http.HandlerFunc {
	digest := sha256.Sum256(body)
	tag := `"` + base64.RawURLEncoding.EncodeToString(digest[:16]) + `"`
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", contentType)
		h.Set("Cache-Control", "public, max-age="+strconv.Itoa(int(life.Seconds())))
		h.Set("ETag", tag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	}
}
