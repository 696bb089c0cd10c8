// Command behind-nginx is an application without a login, which knows nothing of
// Counterfoil: whoever gets to it was let in by nginx, which says who he is. In
// three terminals, after counterfoil user add john:
//
//	counterfoil serve --listen 127.0.0.1:8080 --public-url http://localhost:8000 --trusted-proxy 127.0.0.1/32
//	go run ./examples/behind-nginx
//	nginx -p "$(mktemp -d)" -c "$PWD/examples/behind-nginx/nginx.conf"
//
// Then open http://localhost:8000.
package main

import (
	"fmt"
	"html"
	"log"
	"net/http"
)

func main() {
	// On loopback: whoever reached it past nginx could say that he is anybody.
	log.Fatal(http.ListenAndServe("127.0.0.1:3000", app()))
}

func app() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		// Store things under the id: it stays when the name changes.
		fmt.Fprintf(w, "<!doctype html><title>Notes</title><p>Hello, %s. Your id is %s.</p><p><a href=/account>Account, and logout</a></p>\n",
			html.EscapeString(r.Header.Get("X-Auth-Name")), html.EscapeString(r.Header.Get("X-Auth-User")))
	})
	return mux
}
