package client

import (
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/counterfoil/counterfoil/server/database"
	"github.com/counterfoil/counterfoil/store/memory"
)

// A server whose clock is behind may take an assertion for good of which another
// has already forgotten that it was used. The database's clock decides.
func TestUsedByTheDatabasesClock(t *testing.T) {
	db, err := database.OpenSQLite(filepath.Join(t.TempDir(), "counterfoil.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	r, err := OpenRegistry(t.Context(), memory.New(memory.Config{}), db, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		why  string
		left time.Duration
		want error
	}{
		{"good", time.Minute, nil},
		{"a server's clock may be a little behind", -50 * time.Second, nil},
		{"forgotten by now, if it was used", -61 * time.Second, ErrDenied},
	} {
		claims := &jwt.Claims{Issuer: "shop", ID: c.why, Expiry: jwt.NewNumericDate(time.Now().Add(c.left))}
		if err := r.useUp(t.Context(), claims); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.why, err, c.want)
		}
		if err := r.useUp(t.Context(), claims); !errors.Is(err, ErrDenied) {
			t.Errorf("%s, again: %v", c.why, err)
		}
	}
}
