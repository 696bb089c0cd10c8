package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"
)

// A front serves several host names under .test on one port, with TLS, as
// browsers meet sites on the internet. It notes which requests came.
type front struct {
	port    string
	pin     string // digest of the key, for browsers to trust
	server  *httptest.Server
	mu      sync.Mutex
	hosts   map[string]http.Handler
	arrived map[string]int // how many requests were answered, by "METHOD host/path"
}

func newFront(t testing.TB) *front {
	t.Helper()
	f := &front{hosts: map[string]http.Handler{}, arrived: map[string]int{}}
	certificate, spki := selfSigned(t)
	digest := sha256.Sum256(spki)
	f.pin = base64.StdEncoding.EncodeToString(digest[:])
	f.server = httptest.NewUnstartedServer(f)
	f.server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	f.server.StartTLS()
	t.Cleanup(f.server.Close)
	_, port, err := net.SplitHostPort(f.server.Listener.Addr().String())
	check(t, err)
	f.port = port
	return f
}

// serve serves a host, and returns its origin.
func (f *front) serve(host string, handler http.Handler) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hosts[host] = handler
	return f.origin(host)
}

func (f *front) origin(host string) string { return "https://" + net.JoinHostPort(host, f.port) }

// proxyTo is a reverse proxy to a server, as it would stand before it.
func proxyTo(t testing.TB, base string) http.Handler {
	t.Helper()
	to, err := url.Parse(base)
	check(t, err)
	return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.SetXForwarded()
		r.Out.Host = r.In.Host
	}}
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host, _, _ := net.SplitHostPort(r.Host)
	f.mu.Lock()
	handler := f.hosts[host]
	f.mu.Unlock()
	if handler == nil {
		http.NotFound(w, r)
		return
	}
	handler.ServeHTTP(w, r)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.arrived[r.Method+" "+host+r.URL.Path]++
}

// count returns how many such requests were answered.
func (f *front) count(method, host, path string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.arrived[method+" "+host+path]
}

func selfSigned(t testing.TB) (certificate tls.Certificate, spki []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "test"},
		DNSNames:     []string{"*.test", "*.shop.test"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	check(t, err)
	spki, err = x509.MarshalPKIXPublicKey(key.Public())
	check(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, spki
}
