package verify_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/counterfoil/counterfoil/verify"
)

// A service behind https://sessions.example.com. Deleting asks for more: while
// the issuer can't be reached nothing is deleted, and nobody is asked either.
func Example() {
	ctx := context.Background()
	verifier, err := verify.New(ctx, verify.Config{
		Issuer:       "https://sessions.example.com",
		ClientID:     os.Getenv("CLIENT_ID"),
		ClientSecret: os.Getenv("CLIENT_SECRET"),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer verifier.Close()

	mux := http.NewServeMux()
	mux.Handle("GET /orders", verifier.Handler(http.HandlerFunc(orders)))
	mux.Handle("DELETE /orders", verifier.HandlerWith(verify.Strict, http.HandlerFunc(orders)))
	log.Fatal(http.ListenAndServe("localhost:8081", mux))
}

func orders(w http.ResponseWriter, r *http.Request) {
	claims, _ := verify.FromContext(r.Context()) // there are some: the handler is wrapped
	fmt.Fprintf(w, "%s has no orders yet\n", claims.Username)
}
