package stores

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/internal/servers"
)

func TestMain(m *testing.M) { os.Exit(servers.Run(m)) }

// Every backend does the work that is measured.
func TestBackends(t *testing.T) {
	for name, open := range map[string]func(testing.TB) ([]contender, error){
		"SQLite":     sqliteBackends,
		"PostgreSQL": postgresBackends,
		"Redis":      redisBackends,
	} {
		t.Run(name, func(t *testing.T) {
			contenders, err := open(t)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range contenders {
				t.Run(c.name, func(t *testing.T) { testBackend(t, c) })
			}
		})
	}
}

func testBackend(t *testing.T, b backend) {
	ctx, id, other := t.Context(), newKey(1), newKey(2)
	for _, k := range []key{id, other} {
		if err := b.Insert(ctx, k); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(k key, want []byte) {
		t.Helper()
		if u, err := b.User(ctx, k); err != nil || u != user(k.n) {
			t.Errorf("the user is %q, error %v; want %q", u, err, user(k.n))
		}
		if v, err := b.Values(ctx, k); err != nil || !bytes.Equal(v, want) {
			t.Errorf("the values are %x, error %v; want %x", v, err, want)
		}
	}
	expect(id, values(1, 0))
	for version := uint64(1); version < 4; version++ {
		if err := b.Update(ctx, id, version, values(1, version)); err != nil {
			t.Fatal(err)
		}
		expect(id, values(1, version))
	}
	if err := b.Delete(ctx, id); err != nil {
		t.Fatal(err)
	}
	if _, err := b.User(ctx, id); err == nil {
		t.Error("the session is there after its end")
	}
	if _, err := b.Values(ctx, id); err == nil {
		t.Error("the values are there after the session's end")
	}
	expect(other, values(2, 0))
}

// A turn counts what was done, and what the servers spent on it.
func TestTurn(t *testing.T) {
	contenders, err := redisBackends(t)
	if err != nil {
		t.Fatal(err)
	}
	crowd := newCrowds(1)[0][manyClients]
	for _, op := range operations {
		s, err := turn(t.Context(), contenders[0], crowd, op, 200*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		if s.rate <= 0 || s.cpu <= 0 || s.server < 0 {
			t.Errorf("%s: %+v", op.id, s)
		}
	}
}
