package main

import (
	"context"

	"github.com/counterfoil/counterfoil/server/client"
	"github.com/counterfoil/counterfoil/store"
)

type clientRotateCmd struct{ clientArg }

func (c *clientRotateCmd) Run(ctx context.Context, o *options) error {
	return o.withStore(ctx, func(s store.Store) error {
		rotated, secret, err := client.Rotate(ctx, s, c.Name)
		if err != nil {
			return err
		}
		auditClient("client_rotated", c.Name)
		return printCredentials(rotated, secret)
	})
}
