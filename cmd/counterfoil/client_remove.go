package main

import (
	"context"
	"fmt"

	"github.com/counterfoil/counterfoil/server/client"
	"github.com/counterfoil/counterfoil/store"
)

type clientRemoveCmd struct{ clientArg }

func (c *clientRemoveCmd) Run(ctx context.Context, o *options) error {
	return o.withStore(ctx, func(s store.Store) error {
		if err := client.Remove(ctx, s, c.Name); err != nil {
			return err
		}
		auditClient("client_removed", c.Name)
		_, err := fmt.Println("removed", c.Name)
		return err
	})
}
