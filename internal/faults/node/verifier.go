package main

import (
	"context"
	"io"
	"net"
	"net/http"

	"github.com/counterfoil/counterfoil/verify"
)

// What the verifiers show to the nodes. Everything here is on loopback.
const clientID, clientSecret = "verifier", "not secret"

// openVerifier checks tokens by following the node that o.via leads to.
func openVerifier(ctx context.Context, o options) (http.Handler, io.Closer, error) {
	v, err := verify.New(ctx, verify.Config{
		Issuer:       issuer,
		ClientID:     clientID,
		ClientSecret: clientSecret,
		Bound:        o.bound,
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, o.via)
			},
		},
	})
	if err != nil {
		return nil, nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /check", v.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	mux.HandleFunc("POST /step", step)
	return mux, v, nil
}
