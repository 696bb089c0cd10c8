// Package client keeps the programs that may ask the server about other
// people's sessions, or are told of their end: verifiers, resource servers,
// and those who receive logouts.
//
// For most uses, [OpenRegistry] on the store and call
// [Registry.Authenticate] for each request. The command line changes the same
// list while servers run, and they follow.
//
// A client proves who it is by a secret of 256 random bits, of which the store
// has the SHA-256 only, or by a JWT that it signs with a key of its own. Nothing
// can be guessed there, so there is no throttle.
package client

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"

	"github.com/counterfoil/counterfoil/store"
)

// A Capability is something that a client may do.
type Capability string

// What there is to be allowed.
const (
	Verify     Capability = "verify"     // follow the log of ended sessions: package verify
	Introspect Capability = "introspect" // ask about any access token
	Poll       Capability = "poll"       // fetch events of ended sessions (RFC 8936)
)

// Capabilities are all of them.
var Capabilities = []Capability{Verify, Introspect, Poll}

// A Client is a registered program.
type Client struct {
	ID     string       `json:"id"`
	Name   string       `json:"name"`                    // what the operator calls it; no two have one
	Secret []byte       `json:"secret_sha256,omitempty"` // none: it has Keys
	Can    []Capability `json:"can"`

	// Keys are public ones: see [ParseKeys]. Who has some proves who he is by a
	// JWT (private_key_jwt, RFC 7523) and has no secret. They are for clients that
	// may introspect and nothing else that takes a secret.
	Keys []jose.JSONWebKey `json:"keys,omitempty"`

	// Audience is what a client that may introspect learns of: access tokens for
	// one of these, and nothing else. Empty: everything.
	Audience []string `json:"audience,omitempty"`

	// LogoutURL takes logout tokens (OpenID Connect Back-Channel Logout 1.0),
	// and EventsURL takes security event tokens (RFC 8935). Empty: neither.
	LogoutURL string `json:"logout_url,omitempty"`
	EventsURL string `json:"events_url,omitempty"`

	Created time.Time `json:"created"`
}

// May reports whether the client may do that.
func (c *Client) May(do Capability) bool { return slices.Contains(c.Can, do) }

// Capabilities lists what the client may do, for people.
func (c *Client) Capabilities() string {
	var names []string
	for _, capability := range c.Can {
		names = append(names, string(capability))
	}
	return strings.Join(names, ",")
}

const (
	document   = "clients"
	maxClients = 1000
	maxName    = 64 // bytes
	maxSwaps   = 10
)

var (
	// ErrNotFound: there is no client of that name.
	ErrNotFound = errors.New("client: there is no client of that name: counterfoil client list shows them")

	// ErrTaken: the name is another client's.
	ErrTaken = errors.New("client: the name is taken")

	// ErrDenied: the id or the secret is wrong, or the client may not do that.
	ErrDenied = errors.New("client: the client id or secret is wrong, or the client may not do that")
)

// Add registers a client and returns it with its secret, which can't be had
// again; none where it has keys. ID, Secret and Created are made here.
//
// Errors: ErrTaken, and those of the store.
func Add(ctx context.Context, s store.Store, c Client) (added Client, secret string, err error) {
	if err := c.check(); err != nil {
		return Client{}, "", err
	}
	if c.Keys, err = publicKeys(c.Keys); err != nil {
		return Client{}, "", err
	}
	c.Can = slices.Compact(slices.Sorted(slices.Values(c.Can)))
	c.ID, c.Created = newID(), time.Now().UTC().Truncate(time.Second)
	if c.Secret = nil; len(c.Keys) == 0 {
		secret, c.Secret = newSecret()
	}
	err = change(ctx, s, func(list []Client) ([]Client, error) {
		if find(list, c.Name) >= 0 {
			return nil, ErrTaken
		}
		if len(list) >= maxClients {
			return nil, fmt.Errorf("client: there are %d clients already: remove some", len(list))
		}
		return append(list, c), nil
	})
	return c, secret, err
}

// List returns the clients in the order in which they were added.
func List(ctx context.Context, s store.Store) ([]Client, error) {
	list, _, err := read(ctx, s)
	return list, err
}

// Remove removes a client. Servers refuse it within 5 seconds, and end its
// streams within 10.
//
// Errors: ErrNotFound, and those of the store.
func Remove(ctx context.Context, s store.Store, name string) error {
	return change(ctx, s, func(list []Client) ([]Client, error) {
		i := find(list, name)
		if i < 0 {
			return nil, ErrNotFound
		}
		return slices.Delete(list, i, i+1), nil
	})
}

// Rotate gives a client another secret. The old one is refused within 5
// seconds: there is no overlap. To change without a gap, add a second client.
//
// Errors: ErrNotFound, and those of the store.
func Rotate(ctx context.Context, s store.Store, name string) (c Client, secret string, err error) {
	secret, digest := newSecret()
	err = change(ctx, s, func(list []Client) ([]Client, error) {
		i := find(list, name)
		if i < 0 {
			return nil, ErrNotFound
		}
		if len(list[i].Keys) > 0 {
			return nil, fmt.Errorf("client: %s has keys and no secret: give it other keys (client rotate --jwks FILE)", name)
		}
		list[i].Secret = digest
		c = list[i]
		return list, nil
	})
	return c, secret, err
}

// change edits the list by compare-and-swap: two operators may be at it.
func change(ctx context.Context, s store.Store, edit func([]Client) ([]Client, error)) error {
	for range maxSwaps {
		list, version, err := read(ctx, s)
		if err != nil {
			return err
		}
		if list, err = edit(list); err != nil {
			return err
		}
		data, err := json.Marshal(list)
		if err != nil {
			return fmt.Errorf("client: %w", err)
		}
		err = s.SwapDocument(ctx, document, version, data)
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("client: others change the clients all the time: %w", store.ErrConflict)
}

func read(ctx context.Context, s store.Store) (list []Client, version uint64, err error) {
	data, version, err := s.Document(ctx, document)
	if errors.Is(err, store.ErrNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("client: read the clients: %w", err)
	}
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, 0, fmt.Errorf("client: the list in the store is damaged: %w", err)
	}
	return list, version, nil
}

func find(list []Client, name string) int {
	return slices.IndexFunc(list, func(c Client) bool { return c.Name == name })
}

// check judges what an operator has said about a client.
func (c *Client) check() error {
	if err := checkName(c.Name); err != nil {
		return err
	}
	if len(c.Can) == 0 && c.LogoutURL == "" && c.EventsURL == "" {
		return errors.New("client: say what it may do, or what it is to be told")
	}
	for _, capability := range c.Can {
		if !slices.Contains(Capabilities, capability) {
			return fmt.Errorf("client: there is no capability %q: there are %v", capability, Capabilities)
		}
	}
	if err := c.checkIntrospection(); err != nil {
		return err
	}
	if err := checkURL(c.LogoutURL); err != nil {
		return err
	}
	return checkURL(c.EventsURL)
}

const (
	maxAudience       = 16
	maxAudienceLength = 512 // bytes
)

// checkIntrospection checks what is for clients that introspect.
func (c *Client) checkIntrospection() error {
	switch {
	case len(c.Keys) > 0 && (c.May(Verify) || c.May(Poll)):
		return errors.New("client: a client that may verify or poll has a secret, and no keys: register a second one")
	case len(c.Keys)+len(c.Audience) > 0 && !c.May(Introspect):
		return errors.New("client: keys and an audience are for a client that may introspect")
	case len(c.Audience) > maxAudience:
		return fmt.Errorf("client: at most %d audiences", maxAudience)
	}
	for _, a := range c.Audience {
		if a == "" || len(a) > maxAudienceLength {
			return fmt.Errorf("client: an audience has 1 to %d bytes", maxAudienceLength)
		}
	}
	return nil
}

const maxURL = 512 // bytes

// checkURL takes an absolute URL to post to, or none. What a password in it
// would open is asked for by name and address in every log on the way.
func checkURL(text string) error {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || len(text) > maxURL || (u.Scheme != "https" && u.Scheme != "http") || u.Hostname() == "" || u.User != nil || strings.Contains(text, "#") {
		return fmt.Errorf("client: what is to be told goes to a URL such as https://app.example.com/logout, of %d bytes at most, without a user and a fragment", maxURL)
	}
	return nil
}

func checkName(name string) error {
	printable := func(r rune) bool { return unicode.IsPrint(r) && r != ' ' }
	if name == "" || len(name) > maxName || !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !printable(r) }) {
		return fmt.Errorf("client: a name has 1 to %d bytes and no spaces", maxName)
	}
	return nil
}

// newID draws 130 random bits. They are no secret, but nobody guesses them.
func newID() string { return "c_" + strings.ToLower(rand.Text()) }

// IsID reports whether a text has the form of a client's id.
func IsID(s string) bool {
	const random = 26
	rest, ok := strings.CutPrefix(s, "c_")
	return ok && len(rest) == random && strings.Trim(rest, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

func newSecret() (secret string, digest []byte) {
	var random [32]byte
	rand.Read(random[:]) // never fails since Go 1.24
	secret = base64.RawURLEncoding.EncodeToString(random[:])
	return secret, digestOf(secret)
}

func digestOf(secret string) []byte {
	digest := sha256.Sum256([]byte(secret))
	return digest[:]
}

// knows reports whether the secret is the client's, and takes the same time
// whatever it is. A client with keys has none.
func (c *Client) knows(secret string) bool {
	return subtle.ConstantTimeCompare(digestOf(secret), c.Secret) == 1
}
