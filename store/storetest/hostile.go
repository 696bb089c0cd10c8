package storetest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// hostile are texts that a careless store changes, cuts or runs.
var hostile = []string{
	"' OR '1'='1", `"; DROP TABLE sessions; --`, `\`, "%", "_", "*", "?1", "$1", ":name",
	"a\x00b", "\x00", "\xff\xfe", "\xed\xa0\x80", "é", "e\u0301", "\ufeff", "\u202e", " john", "john ", "JOHN", "\r\n", "null", "0", "1e3",
}

var hostileRules = []rule{
	{name: "texts", why: "Create … returns it as stored: every text comes back byte for byte.", check: func(k *kit) {
		for _, text := range hostile {
			c := login(text)
			c.Session.Name, c.Session.Methods, c.Session.UserAgent, c.Session.Address = text, text, text, text
			s := k.create(c)
			got := k.find(s.ID)
			got.AsOf = s.AsOf
			if got != s || got.User != text || got.Name != text || got.Methods != text || got.UserAgent != text || got.Address != text {
				k.t.Errorf("%q came back as %+v", text, got)
			}
		}
	}},
	{name: "users", why: "User: the user's stable id. Two that differ in one byte are two.", check: func(k *kit) {
		ids := map[string]store.SID{}
		for _, user := range hostile {
			ids[user] = k.createFor(user).ID
		}
		for _, user := range hostile {
			k.lists(store.Query{User: user}, ids[user])
		}
		generation := k.generation("untouched")
		for i, user := range hostile {
			if e := k.endUser(user, store.SID{}); e.Count != 1 {
				k.t.Errorf("EndUser(%q) ended %d sessions, want 1", user, e.Count)
			}
			for _, later := range hostile[i+1:] {
				k.isLive(ids[later])
			}
		}
		if now := k.generation("untouched"); now != generation {
			k.t.Errorf("the generation of somebody else went from %d to %d", generation, now)
		}
	}},
	{name: "bytes", why: "Values and documents come back byte for byte.", check: func(k *kit) {
		s := k.createFor("john")
		for i, text := range hostile {
			k.ok(k.store.SaveValues(k.t.Context(), s.ID, uint64(i+1), []byte(text)))
			if v, _ := k.values(s.ID); string(v) != text {
				k.t.Errorf("values %q came back as %q", text, v)
			}
			k.ok(k.store.SwapDocument(k.t.Context(), text, 0, []byte(text)))
		}
		for _, text := range hostile {
			if d, _, err := k.store.Document(k.t.Context(), text); err != nil || string(d) != text {
				k.t.Errorf("document %q came back as %q, error %v", text, d, err)
			}
		}
	}},
	{name: "ids", why: "A SID is 128 bits, whatever they are.", check: func(k *kit) {
		for _, id := range []store.SID{{15: 1}, {0: 0xff}, {0: 0x80}, {0: '\'', 1: 0, 2: '"'}, store.SID(bytes.Repeat([]byte{0xff}, 16))} {
			c := login("john")
			c.Session.ID = id
			k.create(c)
			k.isLive(id)
			k.end(id)
			k.isGone(id)
		}
		c := login("john")
		c.Session.ID = store.SID{}
		_, err := k.store.Create(k.t.Context(), c)
		k.fails("a session without an id", err)
	}},
	{name: "limits", why: "Limits that every implementation keeps and that the callers may rely on. ErrTooLarge: a record, its values or a document exceeds its limit.", check: func(k *kit) {
		for name, field := range map[string]struct {
			of    func(*store.Session) *string
			limit int
		}{
			"User":      {func(s *store.Session) *string { return &s.User }, store.MaxUser},
			"Name":      {func(s *store.Session) *string { return &s.Name }, store.MaxUser},
			"Methods":   {func(s *store.Session) *string { return &s.Methods }, store.MaxText},
			"UserAgent": {func(s *store.Session) *string { return &s.UserAgent }, store.MaxText},
			"Address":   {func(s *store.Session) *string { return &s.Address }, store.MaxText},
		} {
			c := login("john")
			*field.of(&c.Session) = strings.Repeat("x", field.limit)
			s := k.find(k.create(c).ID)
			if got := *field.of(&s); len(got) != field.limit {
				k.t.Errorf("%s: %d bytes came back as %d", name, field.limit, len(got))
			}
			c = login("john")
			*field.of(&c.Session) = strings.Repeat("x", field.limit+1)
			_, err := k.store.Create(k.t.Context(), c)
			k.refuses(err, store.ErrTooLarge)
			k.isGone(c.Session.ID)
		}
	}},
	{name: "large values", why: "MaxValues: the values of one session, encoded. MaxDocument: one document.", check: func(k *kit) {
		ctx := k.t.Context()
		large := bytes.Repeat([]byte("values\x00\xff"), store.MaxValues/8)
		tooLarge := append(bytes.Clone(large), 'x')
		c := login("john")
		c.Values = large
		s := k.create(c)
		k.hasValues(s.ID, large)
		k.refuses(k.store.SaveValues(ctx, s.ID, 1, tooLarge), store.ErrTooLarge)
		k.hasValues(s.ID, large)
		k.ok(k.store.SaveValues(ctx, s.ID, 1, large[8:]))
		k.hasValues(s.ID, large[8:])
		c = login("john")
		c.Values = tooLarge
		_, err := k.store.Create(ctx, c)
		k.refuses(err, store.ErrTooLarge)
		k.isGone(c.Session.ID)

		k.ok(k.store.SwapDocument(ctx, "large", 0, large))
		if d, _, err := k.store.Document(ctx, "large"); err != nil || !bytes.Equal(d, large) {
			k.t.Errorf("a document of %d bytes came back with %d, error %v", len(large), len(d), err)
		}
		k.refuses(k.store.SwapDocument(ctx, "larger", 0, tooLarge), store.ErrTooLarge)
	}},
	{name: "many rows", why: "MaxBatch: the entries of one Follow, Beat or Merge, the rows of one List; zero: MaxBatch.", check: func(k *kit) {
		const n = store.MaxBatch + 5
		ids := make([]store.SID, n)
		parallel(64, func(worker int) {
			for i := worker; i < n; i += 64 {
				c := login("john")
				ids[i] = c.Session.ID
				if _, err := k.store.Create(k.t.Context(), c); err != nil {
					k.t.Errorf("Create: %v", err)
					return
				}
			}
		})
		for _, limit := range []int{0, store.MaxBatch, n} {
			if l := k.list(store.Query{Limit: limit}); len(l) != store.MaxBatch {
				k.t.Errorf("List with limit %d: %d rows, want %d", limit, len(l), store.MaxBatch)
			}
		}
		if e := k.endUser("john", store.SID{}); e.Count != n {
			k.t.Errorf("EndUser ended %d sessions, want %d", e.Count, n)
		}
		news, err := k.store.Follow(k.t.Context(), store.Cursor{}, n)
		k.ok(err)
		if len(news.Entries) != store.MaxBatch || news.Head.Pos != n {
			k.t.Errorf("Follow returned %d entries and the head %d, want %d and %d", len(news.Entries), news.Head.Pos, store.MaxBatch, n)
		}
	}},
	{name: "ended context", why: "When ctx ends before the store has begun to write, nothing was written and the context's error is returned.", check: func(k *kit) {
		c := login("john")
		rotation := withRefresh(&c)
		s := k.create(c)
		generation := k.generation("john")
		ctx, cancel := context.WithCancel(k.t.Context())
		cancel()
		for _, call := range calls(k.store, rotation) {
			if err := call.do(ctx); !errors.Is(err, context.Canceled) {
				k.t.Errorf("%s: got error %v, want %v", call.method, err, context.Canceled)
			}
		}
		got := k.find(s.ID)
		got.AsOf = s.AsOf
		if got != s {
			k.t.Errorf("the session changed: got %+v, want %+v", got, s)
		}
		if v, version := k.values(s.ID); v != nil || version != 1 {
			k.t.Errorf("the values changed: %q in version %d", v, version)
		}
		if _, _, err := k.store.Document(k.t.Context(), "new"); !errors.Is(err, store.ErrNotFound) {
			k.t.Errorf("the document was written: %v", err)
		}
		if now := k.generation("john"); now != generation {
			k.t.Errorf("the generation went from %d to %d", generation, now)
		}
		k.lists(store.Query{}, s.ID)
		k.isLogged()
		k.holds()
		k.rotate(rotation)
	}},
}

func (k *kit) hasValues(id store.SID, want []byte) {
	k.t.Helper()
	if v, _ := k.values(id); !bytes.Equal(v, want) {
		k.t.Fatalf("%d bytes of values came back as %d", len(want), len(v))
	}
}

// A call is one method of a store with plausible arguments.
type call struct {
	method string
	do     func(context.Context) error
}

// calls returns a call of every method, on the session of the rotation. Each
// would succeed.
func calls(s store.Store, r store.Rotation) []call {
	return []call{
		{"Create", func(ctx context.Context) error { _, err := s.Create(ctx, login("john")); return err }},
		{"Find", func(ctx context.Context) error { _, err := s.Find(ctx, r.ID); return err }},
		{"List", func(ctx context.Context) error { _, err := s.List(ctx, store.Query{}); return err }},
		{"Values", func(ctx context.Context) error { _, _, err := s.Values(ctx, r.ID); return err }},
		{"SaveValues", func(ctx context.Context) error { return s.SaveValues(ctx, r.ID, 1, []byte("new")) }},
		{"Touch", func(ctx context.Context) error { return s.Touch(ctx, []store.Touch{{ID: r.ID, At: time.Now()}}) }},
		{"FindRefresh", func(ctx context.Context) error { _, err := s.FindRefresh(ctx, r); return err }},
		{"RotateRefresh", func(ctx context.Context) error { _, err := s.RotateRefresh(ctx, r); return err }},
		{"End", func(ctx context.Context) error { _, err := s.End(ctx, r.ID, retain); return err }},
		{"EndUser", func(ctx context.Context) error { _, err := s.EndUser(ctx, "john", store.SID{}, retain); return err }},
		{"EndAll", func(ctx context.Context) error { _, err := s.EndAll(ctx, retain); return err }},
		{"Generation", func(ctx context.Context) error { _, err := s.Generation(ctx, "john"); return err }},
		{"Follow", func(ctx context.Context) error { _, err := s.Follow(ctx, store.Cursor{}, 10); return err }},
		{"Beat", func(ctx context.Context) error {
			_, err := s.Beat(ctx, store.Beat{Node: store.NewNodeID(), Bound: bound})
			return err
		}},
		{"Holders", func(ctx context.Context) error { _, _, err := s.Holders(ctx); return err }},
		{"Watch", func(ctx context.Context) error {
			watching, cancel := context.WithCancel(ctx)
			defer cancel()
			// One that is over before it began is over without an error.
			return cmp.Or(s.Watch(watching, func(store.Hint) { cancel() }), ctx.Err())
		}},
		{"Nudge", func(ctx context.Context) error { return s.Nudge(ctx) }},
		{"Merge", func(ctx context.Context) error {
			return s.Merge(ctx, []store.Entry{{Kind: store.SessionEnded, Session: r.ID, Expires: time.Now().Add(retain)}})
		}},
		{"Snapshot", func(ctx context.Context) error { _, err := s.Snapshot(ctx); return err }},
		{"Purge", func(ctx context.Context) error { _, err := s.Purge(ctx, 10); return err }},
		{"Document", func(ctx context.Context) error { _, _, err := s.Document(ctx, "doc"); return err }},
		{"SwapDocument", func(ctx context.Context) error { return s.SwapDocument(ctx, "new", 0, []byte("new")) }},
	}
}
