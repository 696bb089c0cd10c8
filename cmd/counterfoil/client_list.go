package main

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
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
		fmt.Fprintln(table, "NAME\tID\tCAN\tADDED\tBY\tAUDIENCE\tLOGOUTS\tEVENTS")
		for _, c := range clients {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", c.Name, c.ID, cmp.Or(c.Capabilities(), "-"), when(c.Created),
				proof(&c), audience(&c), host(c.LogoutURL), host(c.EventsURL))
		}
		return table.Flush()
	})
}

// proof says how a client proves who it is.
func proof(c *client.Client) string {
	if len(c.Keys) > 0 {
		return "keys"
	}
	return "secret"
}

// audience says what a client may introspect.
func audience(c *client.Client) string {
	switch {
	case !c.May(client.Introspect):
		return "-"
	case len(c.Audience) == 0:
		return "all"
	}
	return strings.Join(c.Audience, ",")
}

// host says where a client is told of logouts. The rest of the URL may hold a
// secret.
func host(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return "-"
	}
	return u.Host
}
