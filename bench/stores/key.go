package stores

import (
	"crypto/rand"
	"encoding/base64"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// A key names a session: by our id, and by a token like those of the peers, 32
// random bytes in base64.
type key struct {
	n     int
	sid   store.SID
	token string
}

func newKey(n int) key {
	var b [32]byte
	rand.Read(b[:])
	return key{n, store.NewSID(time.Now()), base64.RawURLEncoding.EncodeToString(b[:])}
}
