//go:build mattn

package middleware

import (
	"net/url"

	_ "github.com/mattn/go-sqlite3" // the driver that sqlite3store's README names
)

func sqliteURL(path string) string {
	settings := url.Values{"_busy_timeout": {"10000"}, "_journal_mode": {"WAL"}, "_synchronous": {"FULL"}, "_txlock": {"immediate"}}
	return (&url.URL{Scheme: "file", Opaque: path, RawQuery: settings.Encode()}).String()
}
