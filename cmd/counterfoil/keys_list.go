package main

import (
	"context"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"github.com/counterfoil/counterfoil"
)

type keysListCmd struct{}

func (keysListCmd) Run(ctx context.Context, o *options) error {
	return o.withKeys(ctx, func(m *counterfoil.Manager) error {
		table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "KEY\tALGORITHM\tSIGNS FROM\tSIGNS UNTIL\tVERIFIES UNTIL")
		for _, k := range m.Keys() {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", k.ID, k.Algorithm, when(k.SignsFrom), when(k.SignsUntil), when(k.VerifiesUntil))
		}
		return table.Flush()
	})
}

func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}
