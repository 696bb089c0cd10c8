package feed

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// A holderStore tells of nodes.
type holderStore struct {
	store.Store // nil: what Everywhere does not call
	holders     func(ctx context.Context, passed time.Duration) ([]store.Holder, error)
	nudge       func(ctx context.Context) error
	follow      error
	start       time.Time
}

func (h *holderStore) Follow(context.Context, store.Cursor, int) (store.News, error) {
	return store.News{}, h.follow
}

func (h *holderStore) Holders(ctx context.Context) ([]store.Holder, time.Time, error) {
	holders, err := h.holders(ctx, time.Since(h.start))
	return holders, time.Now(), err
}

func (h *holderStore) Nudge(ctx context.Context) error {
	if h.nudge == nil {
		return nil
	}
	return h.nudge(ctx)
}

// why: "It returns when every node that may answer from memory has acknowledged
// it, or its lease has certainly ended", and says how long that takes.
func TestEverywhere(t *testing.T) {
	const bound, pos = simBound, 7
	longest := store.Longest(bound)
	const poll = 21 * time.Millisecond // between two looks
	node := func(name byte, acked uint64, left time.Duration) store.Holder {
		return store.Holder{Node: store.NodeID{name}, Acked: acked, Until: time.Now().Add(left)}
	}
	for _, test := range []struct {
		why         string
		holders     func(ctx context.Context, passed time.Duration) ([]store.Holder, error)
		nudge       func(ctx context.Context) error
		least, most time.Duration
	}{
		{why: "nobody may answer from memory", least: 0, most: 0,
			holders: func(context.Context, time.Duration) ([]store.Holder, error) { return nil, nil }},
		{why: "everybody has acknowledged it", least: 0, most: 0,
			holders: func(context.Context, time.Duration) ([]store.Holder, error) {
				return []store.Holder{node(1, 7, bound), node(2, 9, bound)}, nil
			}},
		{why: "it returns early when the last acknowledges", least: 300 * time.Millisecond, most: 300*time.Millisecond + poll,
			holders: func(_ context.Context, passed time.Duration) ([]store.Holder, error) {
				acked := uint64(6)
				if passed >= 300*time.Millisecond {
					acked = 7
				}
				return []store.Holder{node(1, 7, bound), node(2, acked, bound)}, nil
			}},
		{why: "who does not acknowledge is waited for until no lease from before the end is left, whatever the store's clock says", least: longest, most: longest + poll,
			holders: func(_ context.Context, passed time.Duration) ([]store.Holder, error) {
				return []store.Holder{node(1, 6, 700*time.Millisecond-passed)}, nil
			}},
		{why: "a node that beats and does not acknowledge can't delay it", least: longest, most: longest + poll,
			holders: func(context.Context, time.Duration) ([]store.Holder, error) {
				return []store.Holder{node(1, 6, longest)}, nil
			}},
		{why: "a node that comes later has seen the end", least: longest, most: longest + poll,
			holders: func(_ context.Context, passed time.Duration) ([]store.Holder, error) {
				holders := []store.Holder{node(1, 6, 300*time.Millisecond-passed)}
				if passed > 0 {
					holders = append(holders, node(2, 0, 3*longest))
				}
				return holders, nil
			}},
		{why: "a node whose bound is longer is waited for as long", least: 3 * longest, most: 3*longest + poll,
			holders: func(ctx context.Context, passed time.Duration) ([]store.Holder, error) {
				return []store.Holder{node(1, 6, 3*longest-passed)}, ctx.Err()
			}},
		{why: "the nodes can't be told, ever", least: longest, most: longest + poll,
			holders: func(context.Context, time.Duration) ([]store.Holder, error) { return nil, errDown }},
		{why: "the store hangs", least: longest, most: longest + poll, nudge: func(ctx context.Context) error { _, err := hang[int](ctx); return err },
			holders: func(ctx context.Context, _ time.Duration) ([]store.Holder, error) { return hang[[]store.Holder](ctx) }},
		{why: "the store could not tell at first", least: time.Second, most: time.Second + poll,
			holders: func(_ context.Context, passed time.Duration) ([]store.Holder, error) {
				if passed < time.Second {
					return nil, errDown
				}
				return []store.Holder{node(1, 7, bound)}, nil
			}},
		{why: "the store tells late, and of a node that never acknowledges", least: time.Second + longest, most: time.Second + longest + 2*poll,
			holders: func(_ context.Context, passed time.Duration) ([]store.Holder, error) {
				if passed < time.Second {
					return nil, errDown
				}
				return []store.Holder{node(1, 6, longest)}, nil
			}},
		{why: "the store fails after it has told", least: longest, most: longest + poll,
			holders: func(_ context.Context, passed time.Duration) ([]store.Holder, error) {
				if passed > 0 {
					return nil, errDown
				}
				return []store.Holder{node(1, 6, 700*time.Millisecond)}, nil
			}},
	} {
		for name, ctx := range map[string]func(context.Context) context.Context{
			"": func(ctx context.Context) context.Context { return ctx },
			", ctx is ended": func(ctx context.Context) context.Context {
				ctx, cancel := context.WithCancel(ctx)
				cancel()
				return ctx
			},
		} {
			t.Run(test.why+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					start := time.Now()
					Everywhere(ctx(t.Context()), &holderStore{holders: test.holders, nudge: test.nudge, start: start}, NewView(Config{Bound: bound}), pos)
					if took := time.Since(start); took < test.least || took > test.most {
						t.Errorf("took %v; want %v to %v", took, test.least, test.most)
					}
				})
			})
		}
	}
}

// why: "If the store does not know its place in the log any more, or if it was
// built anew not long ago, the store has lost its history, and with that perhaps
// its nodes: then the whole time is waited for."
func TestEverywhereAfterALoss(t *testing.T) {
	nobody := func(context.Context, time.Duration) ([]store.Holder, error) { return nil, nil }
	longest := store.Longest(simBound)
	for _, test := range []struct {
		why  string
		age  time.Duration // of the view
		lost error
		want time.Duration
	}{
		{"the store knows the place", longest, nil, 0},
		{"it was emptied, or another has taken over", longest, store.ErrUnknownCursor, longest},
		{"it can't tell", longest, errDown, longest},
		{"the view was built anew a moment ago", longest - time.Millisecond, nil, longest},
	} {
		t.Run(test.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := NewView(Config{Bound: simBound, Hold: time.Minute})
				if err := v.reset(store.News{Now: time.Now(), Head: store.Cursor{Pos: 3, ID: store.NewNodeID()}}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(test.age)
				start := time.Now()
				Everywhere(t.Context(), &holderStore{holders: nobody, start: start, follow: test.lost}, v, 4)
				if took := time.Since(start); took != test.want {
					t.Errorf("took %v, want %v", took, test.want)
				}
			})
		})
	}
}
