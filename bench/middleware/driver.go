//go:build !mattn

package middleware

import (
	"net/url"

	_ "github.com/ncruces/go-sqlite3/driver"
)

// sqliteURL is of the SQLite that ours stands on. It compiles in no time, where
// the driver that sqlite3store's README names takes a minute: that has the build
// tag mattn, which make bench sets.
func sqliteURL(path string) string {
	pragmas := url.Values{"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)"}, "_txlock": {"immediate"}}
	return (&url.URL{Scheme: "file", Opaque: path, RawQuery: pragmas.Encode()}).String()
}
