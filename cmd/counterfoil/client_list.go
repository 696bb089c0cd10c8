package main

import (
	"context"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/counterfoil/counterfoil/server/client"
	"github.com/counterfoil/counterfoil/store"
)

type clientListCmd struct{}

func (clientListCmd) Run(ctx context.Context, o *options) error {
	return o.withStore(ctx, func(s store.Store) error {
		clients, err := client.List(ctx, s)
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "NAME\tID\tCAN\tADDED")
		for _, c := range clients {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", c.Name, c.ID, c.Capabilities(), when(c.Created))
		}
		return table.Flush()
	})
}
