package sockets

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
)

// A target is a request that a server answers with 200.
type target struct {
	URL    string
	Header string // a line: the credential, or empty
}

// runChild is the child's main.
func runChild(name string) error {
	if name == crowdName {
		return runCrowd(os.Args[1])
	}
	for _, s := range servers {
		if s.name == name {
			return serveChild(s.open)
		}
	}
	return fmt.Errorf("there is no such server")
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
