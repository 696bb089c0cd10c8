package main

import (
	"context"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"github.com/counterfoil/counterfoil/server/account"
)

type userListCmd struct{}

func (userListCmd) Run(ctx context.Context, o *options) error {
	return o.withAccounts(ctx, func(a *account.Accounts) error {
		table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "NAME\tID\tSTATE\tADDED")
		const batch = 1000
		for after, more := "", true; more; {
			users, err := a.List(ctx, after, batch)
			if err != nil {
				return err
			}
			for _, u := range users {
				state := "active"
				if u.Disabled {
					state = "disabled"
				}
				fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", u.Name, u.ID, state, u.Created.Format(time.RFC3339))
				after = u.Name
			}
			more = len(users) == batch
		}
		return table.Flush()
	})
}
