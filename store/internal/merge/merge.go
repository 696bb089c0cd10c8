// Package merge finds what a log lacks, for stores that look through theirs.
package merge

import (
	"iter"
	"time"

	"github.com/counterfoil/counterfoil/store"
)

// What an entry says, wherever in a log it stands.
type said struct {
	kind    store.Kind
	session store.SID
}

// Missing returns those of the entries that have not expired and that are not in
// the log, each once. The log yields what its entries say that have not expired.
func Missing(entries []store.Entry, now time.Time, log iter.Seq2[store.Kind, store.SID]) []store.Entry {
	lacks := map[said]bool{}
	for _, e := range entries {
		if e.Expires.After(now) {
			lacks[said{e.Kind, e.Session}] = true
		}
	}
	for kind, session := range log {
		delete(lacks, said{kind, session})
	}
	var missing []store.Entry
	for _, e := range entries {
		if s := (said{e.Kind, e.Session}); lacks[s] && e.Expires.After(now) {
			missing = append(missing, e)
			delete(lacks, s)
		}
	}
	return missing
}
