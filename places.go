package counterfoil

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/token"
)

// With Config.StatusLists a session's id carries its place in a status list. A
// list belongs to one manager, which gives each place away once; the store sees
// to it that no two managers have the same list.
//
// What tells which lists the end of everybody's sessions concerns is no
// comparison of times. Whoever takes a list writes down the latest such end (a
// cut) that he knows of, and everybody who takes one later has read that. So all
// sessions of later lists were begun after the cut, and lists before are void.

const listsDocument = "status-lists"

// A listRecord is what the store keeps about status lists.
type listRecord struct {
	Next  uint32 `json:"next"`  // above every number that was given to a list
	Cut   int64  `json:"cut"`   // the latest that is known, as Cut's milliseconds; 0: none
	First uint32 `json:"first"` // the first list that was begun knowing of it
}

// void reports whether every session of a list has ended, if there was a cut.
func (r *listRecord) void(list uint32, cut int64) bool { return list < r.First || r.Cut < cut }

// places are those of the list that this manager has.
type places struct {
	turn  chan struct{} // held by who takes one
	list  uint32
	given uint32 // so many of its places
	cut   int64  // the latest before the list was taken
	// The index goes round in steps, so that it does not tell at once how many
	// sessions there are. They are odd, so that it meets each place once.
	start, step uint32
}

func newPlaces() places { return places{turn: make(chan struct{}, 1), given: store.ListSize} }

// newSID makes the id of a session that somebody logs in to.
func (m *Manager) newSID(ctx context.Context) (store.SID, error) {
	if !m.config.StatusLists {
		return store.NewSID(m.now()), nil
	}
	p := &m.places
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return store.SID{}, wrap(ErrUnavailable, ctx.Err())
	}
	if cut := m.cut(); p.given == store.ListSize || cut > p.cut {
		if err := m.takeList(ctx, cut); err != nil {
			return store.SID{}, err
		}
	}
	index := (p.start + p.step*p.given) % store.ListSize
	p.given++
	return store.NewListedSID(m.now(), p.list, index), nil
}

// cut is when everybody's sessions were last ended, as far as is known.
func (m *Manager) cut() int64 {
	if cut := m.view.Cut(); !cut.IsZero() {
		return cut.UnixMilli()
	}
	return 0
}

// takeList takes a new list, after that cut. Called in turn.
func (m *Manager) takeList(ctx context.Context, cut int64) error {
	ctx, cancel := context.WithTimeout(ctx, max(m.config.Bound, time.Second))
	defer cancel()
	if cut > m.places.cut {
		// Another cut of the same millisecond would go by the same name: let that
		// pass, before a session is begun that it could concern.
		if err := pause(ctx, 2*time.Millisecond); err != nil {
			return wrap(ErrUnavailable, err)
		}
	}
	for range maxSwaps {
		record, version, err := m.readLists(ctx)
		if err != nil {
			return err
		}
		list, err := record.take(m.now(), cut)
		if err != nil {
			return err
		}
		data, err := json.Marshal(record)
		if err != nil {
			return err
		}
		err = m.store.SwapDocument(ctx, listsDocument, version, data)
		if err == nil {
			m.places.list, m.places.given, m.places.cut = list, 0, record.Cut
			m.places.start, m.places.step = rand.Uint32(), rand.Uint32()|1
			return nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return fromStore(err)
		}
	}
	return wrap(ErrUnavailable, errListsBusy)
}

var errListsBusy = errors.New("too many processes take a status list at the same time")

// take gives a number to a list. It is the time where that is higher, so that it
// was not given before either if the store has gone back to an older state.
func (r *listRecord) take(now time.Time, cut int64) (uint32, error) {
	list := max(r.Next, uint32(min(max(now.Unix(), 1), math.MaxUint32)))
	if list == math.MaxUint32 {
		return 0, wrap(ErrUnavailable, errors.New("there are no more numbers for status lists: is the clock right?"))
	}
	r.Next = list + 1
	if cut > r.Cut {
		r.Cut, r.First = cut, list
	}
	return list, nil
}

// readLists returns the record and its version, both zero where there is none.
func (m *Manager) readLists(ctx context.Context) (record listRecord, version uint64, err error) {
	data, version, err := m.store.Document(ctx, listsDocument)
	if errors.Is(err, store.ErrNotFound) {
		return listRecord{}, 0, nil
	}
	if err != nil {
		return listRecord{}, 0, fromStore(err)
	}
	if err := json.Unmarshal(data, &record); err != nil {
		return listRecord{}, 0, wrap(ErrUnavailable, fmt.Errorf("the record of status lists in the store is damaged: %w", err))
	}
	return record, version, nil
}

// statusOf is the status claim in the tokens of a session, nil if there is none.
func (m *Manager) statusOf(id store.SID) *token.Status {
	list, index, ok := id.Listed()
	if !ok || !m.config.StatusLists {
		return nil
	}
	return &token.Status{URI: m.statusURI(list), Index: index}
}

func (m *Manager) statusURI(list uint32) string {
	return m.config.PublicURL + StatusPath + strconv.FormatUint(uint64(list), 10)
}
