package main

import (
	"context"

	"github.com/counterfoil/counterfoil/server/account"
	"github.com/counterfoil/counterfoil/server/outbox"
)

type outboxCmd struct {
	List   outboxListCmd   `cmd:"" help:"List the ended sessions that services have not been told of yet."`
	Replay outboxReplayCmd `cmd:"" help:"Send once more what services have refused for good."`
	Drop   outboxDropCmd   `cmd:"" help:"Give up what services have refused for good."`
}

// withOutbox runs do with the outbox, which is kept beside the users.
func (o *options) withOutbox(ctx context.Context, do func(*outbox.Outbox) error) error {
	return o.withAccounts(ctx, func(a *account.Accounts) error {
		box, err := outbox.Open(ctx, a.Database(), outbox.Config{})
		if err != nil {
			return err
		}
		return do(box)
	})
}
