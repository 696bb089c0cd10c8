package sqlite

import (
	"context"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// End implements [store.Store].
func (s *Store) End(ctx context.Context, id store.SID, retain time.Duration) (store.Ended, error) {
	return write(ctx, s, func(t *tx) (store.Ended, error) {
		return t.endEach([]store.SID{id}, retain)
	})
}

// EndUser implements [store.Store].
func (s *Store) EndUser(ctx context.Context, user string, except store.SID, retain time.Duration) (store.Ended, error) {
	return write(ctx, s, func(t *tx) (store.Ended, error) {
		if _, err := t.exec(`INSERT INTO generation (user, ended_all) VALUES (?, 1)
			ON CONFLICT DO UPDATE SET ended_all = ended_all + 1`, user); err != nil {
			return store.Ended{}, err
		}
		var ids []store.SID
		if err := t.each(func(r row) { ids = append(ids, sidAt(r, 0)) },
			`SELECT sid FROM session WHERE user = ? AND user <> '' AND sid <> ?`, user, except); err != nil {
			return store.Ended{}, err
		}
		return t.endEach(ids, retain)
	})
}

// EndAll implements [store.Store]. It takes the same time however many sessions
// there are; Purge removes them later. Ended.Count is -1.
//
// The cut is stamped while no other process can write, and all can read: until the
// commit they go on seeing the sessions live, and issue tokens for them. So whoever
// compares with the cut compares when sessions were created.
func (s *Store) EndAll(ctx context.Context, retain time.Duration) (store.Ended, error) {
	return write(ctx, s, func(t *tx) (store.Ended, error) {
		err := t.endAll(t.now.Add(retain))
		return store.Ended{Count: -1, Head: t.head}, err
	})
}

func (t *tx) endAll(expires time.Time) error {
	if _, err := t.exec(`UPDATE meta SET epoch = epoch + 1`); err != nil {
		return err
	}
	t.epoch++
	return t.log(store.AllEnded, store.NewSID(t.now), expires)
}

// endEach ends those of the sessions that are live.
func (t *tx) endEach(ids []store.SID, retain time.Duration) (store.Ended, error) {
	count := 0
	for _, id := range ids {
		ended, err := t.end(id, retain)
		if err != nil {
			return store.Ended{}, err
		}
		if ended {
			count++
		}
	}
	return store.Ended{Count: count, Head: t.head}, nil
}

// end removes a session and writes it to the log, if it is live.
func (t *tx) end(id store.SID, retain time.Duration) (bool, error) {
	ended, err := t.exec(`DELETE FROM session WHERE `+live+` AND sid = ?3`, t.epoch, t.now, id)
	if err != nil || ended == 0 {
		return false, err
	}
	if err := t.removeValues(id); err != nil {
		return false, err
	}
	return true, t.log(store.SessionEnded, id, t.now.Add(retain))
}

// Generation implements [store.Store].
func (s *Store) Generation(ctx context.Context, user string) (generation uint64, err error) {
	err = s.read(ctx, func(c *conn, _ time.Time) error {
		generation, err = c.generation(user)
		return err
	})
	return generation, err
}

func (c *conn) generation(user string) (uint64, error) {
	n, err := c.integer(`SELECT 1 + epoch + coalesce((SELECT ended_all FROM generation WHERE user = ?), 0) FROM meta`, user)
	return uint64(n), err
}
