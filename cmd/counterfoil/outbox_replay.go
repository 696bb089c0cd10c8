package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/counterfoil/counterfoil/server/outbox"
)

type outboxReplayCmd struct{}

func (outboxReplayCmd) Run(ctx context.Context, o *options) error {
	return o.withOutbox(ctx, func(box *outbox.Outbox) error {
		n, err := box.Replay(ctx)
		if err != nil {
			return err
		}
		slog.Info("audit", "event", "outbox_replayed", "count", n, "by", "command line")
		_, err = fmt.Printf("messages to send again: %d\n", n)
		return err
	})
}
