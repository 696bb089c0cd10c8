package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/go-jose/go-jose/v4"

	"github.com/counterfoil/counterfoil/server/client"
	"github.com/counterfoil/counterfoil/store"
)

type clientAddCmd struct {
	clientArg
	Can          []client.Capability `enum:"verify,introspect,poll" placeholder:"verify" help:"What it may do. verify: check tokens by itself, following logouts. introspect: ask what a token stands for. poll: fetch events of ended sessions. Repeat it, or put a comma between."`
	LogoutURL    string              `name:"logout-url" placeholder:"URL" help:"Where it takes logout tokens (OpenID Connect Back-Channel Logout)."`
	EventsURL    string              `name:"events-url" placeholder:"URL" help:"Where it takes CAEP session-revoked events (RFC 8935)."`
	Audience     []string            `sep:"none" placeholder:"URL" help:"With introspect: it learns of access tokens for this resource, and of nothing else. Repeat it for several."`
	JWKS         string              `name:"jwks" placeholder:"FILE" help:"With introspect: it has no secret, but signs by the private half of one of these public keys (private_key_jwt)."`
	InsecureHTTP bool                `name:"insecure-http" help:"Allow these URLs to be plain http beyond this machine: everybody on the way learns who logs out."`
}

// Validate is called by kong after parsing.
func (c *clientAddCmd) Validate() error {
	if len(c.Can) == 0 && c.LogoutURL == "" && c.EventsURL == "" {
		return errors.New("say what it may do with --can, or what it is to be told with --logout-url or --events-url")
	}
	for flag, text := range map[string]string{"logout-url": c.LogoutURL, "events-url": c.EventsURL} {
		if _, plain := overPlainHTTP(text); plain && !c.InsecureHTTP {
			return plainHTTPError(flag)
		}
	}
	return nil
}

func (c *clientAddCmd) Run(ctx context.Context, o *options) error {
	return o.withNewStore(ctx, func(s store.Store) error {
		keys, err := readKeys(c.JWKS)
		if err != nil {
			return err
		}
		added, secret, err := client.Add(ctx, s, client.Client{
			Name:      c.Name,
			Can:       c.Can,
			Keys:      keys,
			Audience:  c.Audience,
			LogoutURL: c.LogoutURL,
			EventsURL: c.EventsURL,
		})
		if err != nil {
			return err
		}
		auditClient("client_added", added.Name)
		return printCredentials(added, secret)
	})
}

// readKeys reads a file with a client's public keys; an empty name: none.
func readKeys(file string) ([]jose.JSONWebKey, error) {
	if file == "" {
		return nil, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the public keys: %w", err)
	}
	return client.ParseKeys(data)
}

// auditClient logs what an operator did to a client.
func auditClient(event, name string) {
	slog.Info("audit", "event", event, "name", name, "by", "command line")
}
