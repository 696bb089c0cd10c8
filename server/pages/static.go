package pages

import (
	"crypto/sha512"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"path"
	"strings"
)

// StaticPath is where [Static] is to be mounted.
const StaticPath = "/static/"

//go:embed static
var staticFiles embed.FS

// file is a static file under a URL that holds the hash of its contents. A new
// version has a new URL, so browsers may keep the old one for good.
type file struct {
	Path        string
	contentType string
	body        []byte
	Integrity   string // for the link's integrity attribute (Subresource Integrity)
}

var (
	stylesheet = load("style.css", "text/css; charset=utf-8")
	icon       = load("icon.svg", "image/svg+xml")
)

func load(name, contentType string) file {
	body, err := staticFiles.ReadFile("static/" + name)
	if err != nil {
		panic("pages: embedded file is missing: " + err.Error()) // a broken build, seen at the first start
	}
	sum := sha512.Sum384(body)
	ext := path.Ext(name)
	return file{
		Path:        StaticPath + strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:8]) + ext,
		contentType: contentType,
		body:        body,
		Integrity:   "sha384-" + base64.StdEncoding.EncodeToString(sum[:]),
	}
}

// Static serves the stylesheet and the icon to GET and HEAD, cacheable for a
// year. Any other path is for notFound, so that the server's own page answers;
// nil: [http.NotFound].
func Static(notFound http.Handler) http.Handler {
	if notFound == nil {
		notFound = http.HandlerFunc(http.NotFound)
	}
	files := map[string]file{stylesheet.Path: stylesheet, icon.Path: icon}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, ok := files[r.URL.Path]
		if !ok {
			notFound.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", f.contentType)
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		w.Write(f.body) // a failure means that the browser has gone
	})
}
