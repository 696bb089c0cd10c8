package main

import (
	"context"
	"log/slog"

	"github.com/counterfoil/counterfoil/server/client"
	"github.com/counterfoil/counterfoil/store"
)

type clientAddCmd struct {
	clientArg
	Can []client.Capability `required:"" enum:"verify,introspect" placeholder:"verify" help:"What it may do. verify: check tokens by itself, following logouts. introspect: nothing in this version. Repeat it, or put a comma between."`
}

func (c *clientAddCmd) Run(ctx context.Context, o *options) error {
	return o.withStore(ctx, func(s store.Store) error {
		added, secret, err := client.Add(ctx, s, c.Name, c.Can)
		if err != nil {
			return err
		}
		auditClient("client_added", added.Name)
		return printCredentials(added, secret)
	})
}

// auditClient logs what an operator did to a client.
func auditClient(event, name string) {
	slog.Info("audit", "event", event, "name", name, "by", "command line")
}
