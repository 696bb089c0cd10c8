// Command verify-only is a service that has no login of its own. It checks the
// access tokens of a Counterfoil server, each in about a microsecond and without
// asking, and refuses them soon after their session has ended.
//
//	counterfoil client add orders --can verify      # prints the id and the secret
//	CLIENT_ID=… CLIENT_SECRET=… go run ./examples/verify-only -issuer http://localhost:8080
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/counterfoil/counterfoil/verify"
)

func main() {
	issuer := flag.String("issuer", "http://localhost:8080", "the public URL of the server")
	listen := flag.String("listen", "localhost:8081", "where to listen")
	flag.Parse()
	verifier, err := verify.New(context.Background(), verify.Config{
		Issuer:       *issuer,
		ClientID:     os.Getenv("CLIENT_ID"),
		ClientSecret: os.Getenv("CLIENT_SECRET"),
	})
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe(*listen, service(verifier)))
}

func service(verifier *verify.Verifier) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders", func(w http.ResponseWriter, r *http.Request) {
		claims, _ := verify.FromContext(r.Context()) // there are some: the handler is wrapped
		fmt.Fprintf(w, "%s has no orders yet\n", claims.Username)
	})
	return verifier.Handler(mux)
}
