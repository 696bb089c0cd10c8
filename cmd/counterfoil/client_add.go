package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/counterfoil/counterfoil/server/client"
	"github.com/counterfoil/counterfoil/store"
)

type clientAddCmd struct {
	clientArg
	Can      []client.Capability `required:"" enum:"verify,introspect" placeholder:"verify" help:"What it may do. verify: check tokens by itself, following logouts. introspect: ask what a token stands for. Repeat it, or put a comma between."`
	Audience []string            `sep:"none" placeholder:"URL" help:"With introspect: it learns of access tokens for this resource, and of nothing else. Repeat it for several."`
	JWKS     string              `name:"jwks" placeholder:"FILE" help:"With introspect: it has no secret, but signs by the private half of one of these public keys (private_key_jwt)."`
}

func (c *clientAddCmd) Run(ctx context.Context, o *options) error {
	return o.withStore(ctx, func(s store.Store) error {
		options, err := c.options()
		if err != nil {
			return err
		}
		added, secret, err := client.Add(ctx, s, c.Name, c.Can, options...)
		if err != nil {
			return err
		}
		auditClient("client_added", added.Name)
		return printCredentials(added, secret)
	})
}

func (c *clientAddCmd) options() (options []client.Option, err error) {
	if len(c.Audience) > 0 {
		options = append(options, client.ForAudience(c.Audience...))
	}
	if c.JWKS != "" {
		keys, err := os.ReadFile(c.JWKS)
		if err != nil {
			return nil, fmt.Errorf("read the public keys: %w", err)
		}
		options = append(options, client.WithKeys(keys))
	}
	return options, nil
}

// auditClient logs what an operator did to a client.
func auditClient(event, name string) {
	slog.Info("audit", "event", event, "name", name, "by", "command line")
}
