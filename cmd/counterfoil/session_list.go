package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/counterfoil/counterfoil/server/account"
	"github.com/counterfoil/counterfoil/server/pages"
	"github.com/counterfoil/counterfoil/store"
)

type sessionListCmd struct {
	User string `placeholder:"NAME" help:"Only those of this user."`
}

func (c *sessionListCmd) Run(ctx context.Context, o *options) error {
	query := store.Query{Limit: 1000}
	if c.User != "" {
		err := o.withUser(ctx, c.User, func(_ *account.Accounts, user account.User) error {
			query.User = user.ID
			return nil
		})
		if err != nil {
			return err
		}
	}
	return o.withStore(ctx, func(s store.Store) error {
		table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "SESSION\tUSER\tADDRESS\tSTARTED\tLAST SEEN\tDEVICE")
		for more := true; more; {
			sessions, err := s.List(ctx, query)
			if err != nil {
				return err
			}
			for i := range sessions {
				printSession(table, &sessions[i])
				query.After = sessions[i].ID
			}
			more = len(sessions) == query.Limit
		}
		return table.Flush()
	})
}

// printSession prints a line. Visitors who have not logged in are left out.
func printSession(w io.Writer, s *store.Session) {
	if s.User == "" {
		return
	}
	fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", s.ID, s.Name, s.Address,
		s.Created.UTC().Format(time.RFC3339), s.LastSeen.UTC().Format(time.RFC3339),
		pages.DeviceName(s.UserAgent)) // the header itself could play with the terminal
}
