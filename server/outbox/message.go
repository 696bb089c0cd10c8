package outbox

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil/server/database"
	"github.com/counterfoil/counterfoil/store"
)

// A Message tells one receiver of one ended session.
type Message struct {
	Seq      int64
	ID       string // the jti of what is sent
	Client   string // the receiver's
	Way      Way
	Session  string    // the id of the session that ended; empty: everybody's
	Ended    time.Time // as well as is known: when the log was read
	Since    time.Time // it waits: since it was noted, or replayed
	Attempts int
	Refusals int       // attempts that the receiver answered with a no
	Due      time.Time // when it is tried next, if it is not dead
	Dead     bool      // an operator has to look at it
	Error    string    // of the latest attempt; no secret is in it
}

// everybody is the session of a message about all of them.
const everybody = ""

// newMessage is what a receiver gets for an entry of the log. Its id follows
// from both: whoever reads the entry again makes the same message.
func newMessage(e store.Entry, r Receiver) Message {
	m := Message{Client: r.Client, Way: r.Way, Session: e.Session.String()}
	h := sha256.Sum256([]byte(strings.Join([]string{string(r.Way), r.Client, m.Session}, "\x00")))
	m.ID = base64.RawURLEncoding.EncodeToString(h[:16])
	if e.Kind == store.AllEnded {
		m.Session = everybody
	}
	return m
}

// readMessages reads the rows of a query with sqlColumns.
func readMessages(into *[]Message) func(database.Scanner) error {
	return func(scan database.Scanner) error {
		var m Message
		var ended, since, due, dead int64
		err := scan(&m.Seq, &m.ID, &m.Client, &m.Way, &m.Session, &ended, &since, &m.Attempts, &m.Refusals, &due, &dead, &m.Error)
		m.Ended, m.Since = database.FromMillis(ended), database.FromMillis(since)
		m.Due, m.Dead = database.FromMillis(due), dead != 0
		*into = append(*into, m)
		return err
	}
}
