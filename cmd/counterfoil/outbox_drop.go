package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/counterfoil/counterfoil/server/outbox"
)

type outboxDropCmd struct{}

func (outboxDropCmd) Run(ctx context.Context, o *options) error {
	return o.withOutbox(ctx, func(box *outbox.Outbox) error {
		n, err := box.Drop(ctx)
		if err != nil {
			return err
		}
		slog.Info("audit", "event", "outbox_dropped", "count", n, "by", "command line")
		_, err = fmt.Printf("messages given up: %d\n", n)
		return err
	})
}
