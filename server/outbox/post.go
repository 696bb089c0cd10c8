package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

const (
	postTimeout = 5 * time.Second
	maxReply    = 4 << 10 // bytes of an answer that are read
	maxCause    = 200     // bytes of what it gives as its reason
	maxError    = 300     // bytes of an error that are kept
)

// A refusal is an answer that this message will get again, most likely.
type refusal struct {
	status int
	cause  string // in the receiver's words (RFC 8935 section 2.4), or empty
}

func (r *refusal) Error() string {
	if r.cause == "" {
		return fmt.Sprintf("the receiver answered %d", r.status)
	}
	return fmt.Sprintf("the receiver answered %d: %s", r.status, r.cause)
}

// A poster posts to addresses that operators have registered. It follows no
// redirect, uses no proxy, and calls no address that only this machine or its
// network can reach, unless that is allowed: the name of a receiver may lead
// anywhere by the time it is called.
type poster struct {
	allowed []netip.Prefix
	client  http.Client
}

func newPoster(allowed []netip.Prefix) *poster {
	p := &poster{allowed: allowed}
	dialer := &net.Dialer{Timeout: postTimeout, ControlContext: p.checkAddress}
	p.client = http.Client{
		Timeout:       postTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:            dialer.DialContext,
			TLSHandshakeTimeout:    postTimeout,
			ForceAttemptHTTP2:      true,
			MaxIdleConnsPerHost:    postsEach,
			MaxResponseHeaderBytes: 16 << 10,
			IdleConnTimeout:        30 * time.Second,
			DisableCompression:     true, // an answer that unpacks to a thousand times its size
		},
	}
	return p
}

func (p *poster) close() { p.client.CloseIdleConnections() }

// checkAddress is called with the address that a name has led to, before it is
// called.
func (p *poster) checkAddress(_ context.Context, _, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	return p.mayCall(to.Addr())
}

// notPublic are networks that are not the internet's, beside those that package
// netip knows (RFC 6890), and those in which other addresses are hidden.
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("192.88.99.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/3"), // the internet's IPv6 is in 2000::/3
	netip.MustParsePrefix("2001::/23"),
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("3fff::/20"),
	netip.MustParsePrefix("4000::/2"),
	netip.MustParsePrefix("8000::/1"),
}

// mayCall refuses addresses that are not on the internet, unless the operator
// allows them.
func (p *poster) mayCall(to netip.Addr) error {
	to = to.Unmap().WithZone("")
	for _, network := range p.allowed {
		if network.Contains(to) {
			return nil
		}
	}
	public := to.IsGlobalUnicast() && !to.IsPrivate()
	for _, network := range notPublic {
		public = public && !network.Contains(to)
	}
	if !public {
		return fmt.Errorf("its address %v is not on the internet: allow its network with --receiver-network, or register another URL", to)
	}
	return nil
}

// post hands a signed message over. It returns a *refusal, or another error
// where the receiver can't be reached or is in trouble.
func (p *poster) post(ctx context.Context, r Receiver, signed string) error {
	body, contentType := signed, "application/secevent+jwt"
	if r.Way == Logout {
		body, contentType = url.Values{"logout_token": {signed}}.Encode(), "application/x-www-form-urlencoded"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL, strings.NewReader(body))
	if err != nil {
		return errors.New("its URL can't be read")
	}
	request.Header.Set("Content-Type", contentType)
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "counterfoil")
	answer, err := p.client.Do(request)
	if err != nil {
		return withoutURL(err)
	}
	defer answer.Body.Close()
	reply, err := io.ReadAll(io.LimitReader(answer.Body, maxReply))
	switch status := answer.StatusCode; {
	case status >= 200 && status < 300:
		return nil // whatever it says besides
	case status >= 300 && status < 400:
		return fmt.Errorf("the receiver answered %d: redirects are not followed: register the URL that it redirects to", status)
	case status >= 500, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status == http.StatusTooEarly:
		return fmt.Errorf("the receiver answered %d", status)
	case err != nil:
		return withoutURL(err)
	default:
		return &refusal{status, causeOf(reply)}
	}
}

// withoutURL takes the URL out of an error: it may hold a secret.
func withoutURL(err error) error {
	if outer := (*url.Error)(nil); errors.As(err, &outer) {
		return outer.Err
	}
	return err
}

// causeOf returns what a receiver gives as its reason, cut to what fits in a
// line.
func causeOf(reply []byte) string {
	var reason struct {
		Err         string `json:"err"`   // RFC 8935
		Error       string `json:"error"` // OpenID Connect Back-Channel Logout section 2.8
		Description string `json:"description"`
		Details     string `json:"error_description"`
	}
	if json.Unmarshal(reply, &reason) != nil {
		return ""
	}
	return line(strings.TrimSpace(reason.Err+reason.Error+" "+reason.Description+reason.Details), maxCause)
}

// line makes a receiver's words, or an error that quotes them, fit for a log and a
// table.
func line(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	return s[:min(len(s), most)]
}
