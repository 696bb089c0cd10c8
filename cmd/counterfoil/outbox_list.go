package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/counterfoil/counterfoil/server/outbox"
)

type outboxListCmd struct {
	Dead bool `help:"Only what was refused for good, and waits for you: see outbox replay."`
}

func (c *outboxListCmd) Run(ctx context.Context, o *options) error {
	return o.withOutbox(ctx, func(box *outbox.Outbox) error {
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
				fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", m.Client, m.Way, cmp.Or(m.Session, "all"), when(m.Since), m.Attempts, next, m.Error)
				after = m.Seq
			}
			more = len(messages) == page
		}
		return table.Flush()
	})
}
