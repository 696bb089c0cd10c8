package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"text/tabwriter"

	"github.com/counterfoil/counterfoil/server/client"
	"github.com/counterfoil/counterfoil/server/outbox"
	"github.com/counterfoil/counterfoil/store"
)

type outboxListCmd struct {
	Dead bool `help:"Only what was refused for good, and waits for you: see outbox replay."`
}

func (c *outboxListCmd) Run(ctx context.Context, o *options) error {
	return o.withOutbox(ctx, func(box *outbox.Outbox) error {
		names := o.clientNames(ctx)
		table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "CLIENT\tWAY\tSESSION\tSINCE\tTRIES\tNEXT\tERROR")
		const page = 1000
		for after, more := int64(0), true; more; {
			messages, err := box.List(ctx, after, c.Dead, page)
			if err != nil {
				return err
			}
			for _, m := range messages {
				next := when(m.Due)
				if m.Dead {
					next = "dead"
				}
				fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", cmp.Or(names[m.Client], m.Client), m.Way, cmp.Or(m.Session, "all"), when(m.Since), m.Attempts, next, m.Error)
				after = m.Seq
			}
			more = len(messages) == page
		}
		return table.Flush()
	})
}

// clientNames are the names of the clients by id. They are kept beside the
// sessions, and what waits beside the users: while the one is down the other can
// be looked at, by ids. Before the first server starts there are none.
func (o *options) clientNames(ctx context.Context) map[string]string {
	names := map[string]string{}
	err := o.withStore(ctx, func(s store.Store) error {
		clients, err := client.List(ctx, s)
		for _, c := range clients {
			names[c.ID] = c.Name
		}
		return err
	})
	if err != nil && !errors.Is(err, errNothing) {
		slog.Warn("the names of the services can't be read: ids stand for them", "error", err)
	}
	return names
}
