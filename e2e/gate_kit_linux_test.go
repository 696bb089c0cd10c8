package e2e

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/internal/servers"
)

// A gate is a reverse proxy with a file of docs/proxies, the real server, and an
// application behind them that knows nothing of Counterfoil.
type gate struct {
	t       testing.TB
	auth    *process
	app     *app
	address string // of the proxy
	roots   *x509.CertPool
	pin     string // digest of the certificate's key, for browsers to trust
}

const (
	appURL        = "https://app.example.com"
	proxiedCookie = "__Host-counterfoil"
)

// proxies are the reverse proxies, and how the documents' files are made to run:
// other ports, other paths, nothing else.
var proxies = map[string]struct {
	program string
	args    []string
	files   map[string]string // in docs/proxies, by name
	frame   string            // what stands around the file, %s
	replace []string
}{
	"nginx": {
		program: "nginx",
		args:    []string{"-p", "DIR", "-e", "stderr", "-c", "DIR/main"},
		files:   map[string]string{"main": "nginx.conf"},
		frame: `daemon off; master_process off; pid DIR/pid; events {} http {
client_body_temp_path DIR/t1; proxy_temp_path DIR/t2; fastcgi_temp_path DIR/t3; uwsgi_temp_path DIR/t4; scgi_temp_path DIR/t5;
access_log off; %s }`,
		replace: []string{"listen 443", "listen 127.0.0.1:PORT", "/etc/ssl/", "DIR/"},
	},
	"Caddy": {
		program: "caddy",
		args:    []string{"run", "--config", "DIR/Caddyfile", "--adapter", "caddyfile"},
		files:   map[string]string{"Caddyfile": "Caddyfile"},
		frame:   "{\nadmin off\nauto_https disable_redirects\ndefault_bind 127.0.0.1\n}\n%s",
		replace: []string{".com:443", ".com:PORT", "/etc/ssl/", "DIR/"},
	},
	"HAProxy": {
		program: "haproxy",
		args:    []string{"-f", "DIR/haproxy.cfg"},
		files:   map[string]string{"haproxy.cfg": "haproxy.cfg", "counterfoil.lua": "counterfoil.lua"},
		replace: []string{"bind :443", "bind 127.0.0.1:PORT", "/etc/ssl/", "DIR/", "/etc/haproxy/", "DIR/"},
	},
}

// onEveryProxy runs the test behind each of them.
func onEveryProxy(t *testing.T, test func(t *testing.T, g *gate)) {
	for name := range proxies {
		t.Run(name, func(t *testing.T) {
			site := newSite(t, "john", "mary")
			auth := site.serve("--public-url="+appURL, "--trusted-proxy=127.0.0.1/32,::1/128")
			g := &gate{t: t, auth: auth, app: newApp(t)}
			g.open(name, "")
			test(t, g)
		})
	}
}

// open starts the proxy. Variant is a part of the file names, such as "-sso".
func (g *gate) open(name, variant string) {
	g.t.Helper()
	p := proxies[name]
	certificate, key := g.certificate("*.example.com")
	files := map[string]string{
		"app.example.com.key": key, "example.com.key": key,
		"app.example.com.pem": certificate, "example.com.pem": certificate,
	}
	if name == "HAProxy" { // it takes both from one file
		files["app.example.com.pem"] = certificate + key
	}
	fill := strings.NewReplacer(append([]string{
		"127.0.0.1:8080", strings.Replace(g.auth.url, "http://localhost", "127.0.0.1", 1),
		"127.0.0.1:3000", g.app.Listener.Addr().String(),
	}, p.replace...)...)
	for name, document := range p.files {
		if variant != "" {
			document = strings.Replace(document, ".", variant+".", 1)
		}
		text, err := os.ReadFile(filepath.Join("..", "docs", "proxies", document))
		check(g.t, err)
		files[name] = fill.Replace(string(text))
		if p.frame != "" {
			files[name] = strings.Replace(p.frame, "%s", files[name], 1)
		}
	}
	g.address = servers.StartProxy(g.t, servers.Proxy{Program: p.program, Args: p.args, Files: files})
}

// certificate makes one that the gate's visitors trust.
func (g *gate) certificate(names ...string) (certificate, key string) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(g.t, err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "test"},
		DNSNames:     names,
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		IsCA:         true, BasicConstraintsValid: true,
	}, &x509.Certificate{Subject: pkix.Name{CommonName: "test"}}, private.Public(), private)
	check(g.t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	check(g.t, err)
	parsed, err := x509.ParseCertificate(der)
	check(g.t, err)
	g.roots = x509.NewCertPool()
	g.roots.AddCert(parsed)
	digest := sha256.Sum256(parsed.RawSubjectPublicKeyInfo)
	g.pin = base64.StdEncoding.EncodeToString(digest[:])
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
}

// An app says what it was asked, and counts. It takes WebSockets.
type app struct {
	*httptest.Server
	asked atomic.Int64
	paths sync.Map // that were asked for
}

// seen is a request as the application sees it.
type seen struct {
	Method, URI, Body string
	Header            http.Header
}

func newApp(t testing.TB) *app {
	a := &app{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.asked.Add(1)
		a.paths.Store(r.URL.Path, true)
		if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
			w.Header().Set("Upgrade", "websocket")
			accept := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
			w.Header().Set("Sec-WebSocket-Accept", base64.StdEncoding.EncodeToString(accept[:])) // RFC 6455 section 4.2.2
			w.Header().Set("Connection", "Upgrade")
			w.WriteHeader(http.StatusSwitchingProtocols)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("the application can't read the body: %v", err)
		}
		json.NewEncoder(w).Encode(seen{r.Method, r.RequestURI, string(body), r.Header})
	}))
	t.Cleanup(a.Close)
	return a
}

// A visitor comes through the proxy, with cookies as a browser keeps them. He
// follows no redirect by himself.
type visitor struct {
	g    *gate
	http *http.Client
}

func (g *gate) visitor() *visitor {
	jar, err := cookiejar.New(nil)
	check(g.t, err)
	transport := &http.Transport{
		ForceAttemptHTTP2: true, // which Caddy and HAProxy take
		TLSClientConfig:   &tls.Config{RootCAs: g.roots},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, g.address)
		},
	}
	g.t.Cleanup(transport.CloseIdleConnections)
	return &visitor{g, &http.Client{Jar: jar, Transport: transport, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// navigation is what a browser sends for a page, or a part of it.
var navigation = http.Header{"Accept": {"text/html"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Site": {"none"}}

func (v *visitor) do(method, address string, header http.Header, body string) answer {
	v.g.t.Helper()
	r, err := http.NewRequest(method, address, strings.NewReader(body))
	check(v.g.t, err)
	for name, values := range header {
		r.Header[name] = values
	}
	resp, err := v.http.Do(r)
	check(v.g.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	check(v.g.t, err)
	if lines := resp.Header["Set-Cookie"]; len(lines) > 0 && resp.Header.Get("X-Auth-User") != "" {
		v.g.t.Errorf("%s %s: a check sets the cookies %q", method, address, lines)
	}
	return answer{resp.StatusCode, resp.Header, string(text)}
}

// logIn asks for a page, is led to the login form, and comes back to the page.
func (v *visitor) logIn(user, address string) answer {
	v.g.t.Helper()
	a := v.do("GET", address, navigation, "")
	want(v.g.t, "a page without a login", a, 303)
	login := a.header.Get("Location")
	form := v.do("GET", login, navigation, "")
	want(v.g.t, "the login form "+login, form, 200)
	target, err := url.Parse(login)
	check(v.g.t, err)
	a = v.do("POST", login[:strings.Index(login, "?")], http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"},
		"Origin":       {target.Scheme + "://" + target.Host},
	}, url.Values{
		"csrf_token": {form.csrf()}, "username": {user}, "password": {password}, "next": {target.Query().Get("next")},
	}.Encode())
	want(v.g.t, "the login", a, 303)
	if back := a.header.Get("Location"); back != address {
		v.g.t.Fatalf("after the login one comes to %q, not back to %q", back, address)
	}
	return v.do("GET", address, navigation, "")
}

// cookie is the visitor's session cookie.
func (v *visitor) cookie(address, name string) string {
	u, err := url.Parse(address)
	check(v.g.t, err)
	for _, c := range v.http.Jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	v.g.t.Fatalf("there is no cookie %s", name)
	return ""
}

func want(t testing.TB, what string, a answer, status int) {
	t.Helper()
	if a.status != status {
		t.Fatalf("%s: status %d, want %d\n%v\n%s", what, a.status, status, a.header, a.body)
	}
}

// seenIn is what the application saw.
func seenIn(t testing.TB, a answer) (s seen) {
	t.Helper()
	want(t, "the application", a, 200)
	if err := json.Unmarshal([]byte(a.body), &s); err != nil {
		t.Fatalf("this does not come from the application: %s", a.body)
	}
	return s
}

// raw sends bytes as they are, and returns the answer to them.
func (g *gate) raw(text string) answer {
	g.t.Helper()
	c, err := tls.Dial("tcp", g.address, &tls.Config{RootCAs: g.roots, ServerName: "app.example.com", NextProtos: []string{"http/1.1"}})
	check(g.t, err)
	defer c.Close()
	check(g.t, c.SetDeadline(time.Now().Add(30*time.Second)))
	// What is too large is refused, and the connection closed, before it is read.
	if _, err = io.WriteString(c, text); err != nil {
		g.t.Logf("not all was taken: %v", err)
	}
	method, _, _ := strings.Cut(text, " ")
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil { // it hung up
		return answer{}
	}
	defer resp.Body.Close()
	var body []byte
	if resp.StatusCode != http.StatusSwitchingProtocols {
		if body, err = io.ReadAll(resp.Body); err != nil {
			g.t.Logf("half an answer: %v", err)
		}
	}
	return answer{resp.StatusCode, resp.Header, string(body)}
}
