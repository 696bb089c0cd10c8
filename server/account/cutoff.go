package account

import (
	"context"

	"github.com/counterfoil/counterfoil/server/database"
)

// A Cutoff is the debt of ending all sessions of a user: his password was
// changed, or he was disabled or deleted. It is on record until
// [Accounts.CutoffDone], in this process or the next.
type Cutoff struct {
	UserID string
	Seq    int64 // of the newest mark that this one covers
}

// cutOff makes a change to the user and records, in the same transaction, that
// his sessions are to be ended.
func (a *Accounts) cutOff(ctx context.Context, id string, change func(*database.Tx) error) (Cutoff, error) {
	c := Cutoff{UserID: id}
	err := a.db.Write(ctx, []string{userSubject(id)}, func(tx *database.Tx) error {
		if err := change(tx); err != nil {
			return err
		}
		return tx.One(ctx, database.Into(&c.Seq), sqlCutoffMark, id)
	})
	if err != nil {
		return Cutoff{}, failed("change user", err)
	}
	return c, nil
}

// PendingCutoffs returns the users whose sessions are still to be ended, the
// longest-waiting first. Run it at start and from time to time: another process
// may have died before it was done.
func (a *Accounts) PendingCutoffs(ctx context.Context) ([]Cutoff, error) {
	var pending []Cutoff
	err := a.db.Each(ctx, func(scan database.Scanner) error {
		var c Cutoff
		err := scan(&c.UserID, &c.Seq)
		pending = append(pending, c)
		return err
	}, sqlCutoffPending)
	if err != nil {
		return nil, failed("list cut-offs", err)
	}
	return pending, nil
}

// CutoffDone clears the debt, once the user's sessions have ended. A newer one
// of the same user stays. Clearing twice is no error.
func (a *Accounts) CutoffDone(ctx context.Context, c Cutoff) error {
	_, err := a.db.Exec(ctx, sqlCutoffDone, c.UserID, c.Seq)
	return failed("clear cut-off", err)
}
