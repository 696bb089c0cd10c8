package sockets

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"

	"github.com/counterfoil/counterfoil/bench/internal/child"
)

// A target is a request that a server answers with 200.
type target struct {
	URL    string
	Header string // a line: the credential, or empty
}

// Children are the processes that this package starts.
func Children() map[string]child.Main {
	mains := map[string]child.Main{crowdName: runCrowd}
	for _, s := range servers {
		mains[s.name] = func([]string) error { return serveChild(s.open) }
	}
	return mains
}

// serveChild serves until its standard input ends.
func serveChild(open opener) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	url := fmt.Sprintf("http://localhost:%d", listener.Addr().(*net.TCPAddr).Port)
	handler, header, err := open(url)
	if err != nil {
		return err
	}
	go http.Serve(listener, handler)
	if err := json.NewEncoder(os.Stdout).Encode(target{"http://" + listener.Addr().String() + "/", header}); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}
