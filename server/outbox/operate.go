package outbox

import (
	"context"
	"time"

	"github.com/counterfoil/counterfoil/server/database"
)

// List returns messages in the order in which they were noted, after the one
// with that Seq, at most limit: all that wait, or the dead ones only.
func (o *Outbox) List(ctx context.Context, after int64, dead bool, limit int) (messages []Message, err error) {
	least := 0
	if dead {
		least = 1
	}
	err = o.db.Each(ctx, readMessages(&messages), sqlList, after, least, limit)
	return messages, err
}

// Replay makes the dead messages due again, and returns how many.
func (o *Outbox) Replay(ctx context.Context) (n int64, err error) {
	err = o.db.Write(ctx, []string{subject}, func(tx *database.Tx) error {
		result, err := tx.Exec(ctx, sqlReplay, database.Millis(tx.Now))
		if err == nil {
			n, err = result.RowsAffected()
		}
		return err
	})
	return n, err
}

// Drop removes the dead messages, and returns how many.
func (o *Outbox) Drop(ctx context.Context) (n int64, err error) {
	result, err := o.db.Exec(ctx, sqlDrop)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

const forgetInterval = 10 * time.Minute

// forgetGone removes what clients were to be told that are no longer registered.
func (o *Outbox) forgetGone(ctx context.Context) error {
	type receiver struct {
		client string
		way    Way
	}
	// In this order: who is in the database and is not registered later is gone,
	// and not new.
	var told []receiver
	err := o.db.Each(ctx, func(scan database.Scanner) error {
		var r receiver
		err := scan(&r.client, &r.way)
		told = append(told, r)
		return err
	}, sqlReceivers)
	if err != nil {
		return err
	}
	receivers, err := o.config.Receivers(ctx)
	if err != nil {
		return err
	}
	here := map[receiver]bool{}
	for _, r := range receivers {
		here[receiver{r.Client, r.Way}] = true
	}
	for _, r := range told {
		if here[r] {
			continue
		}
		if _, err := o.db.Exec(ctx, sqlForget, r.client, r.way); err != nil {
			return err
		}
	}
	return nil
}
