package main

import (
	"fmt"

	"github.com/counterfoil/counterfoil/server/client"
)

type clientCmd struct {
	Add    clientAddCmd    `cmd:"" help:"Register a service and print its id and secret, once."`
	List   clientListCmd   `cmd:"" help:"List the services."`
	Remove clientRemoveCmd `cmd:"" help:"Remove a service; servers refuse it within 5 seconds."`
	Rotate clientRotateCmd `cmd:"" help:"Give a service another secret, or other keys; the old ones are refused within 5 seconds."`
}

// clientArg names the client that a command is about.
type clientArg struct {
	Name string `arg:"" help:"The service's name."`
}

// printCredentials prints what can't be had again, a line each, for a script to
// read.
func printCredentials(c client.Client, secret string) error {
	_, err := fmt.Printf("client_id=%s\n", c.ID)
	if err == nil && secret != "" { // else it has keys
		_, err = fmt.Printf("client_secret=%s\n", secret)
	}
	return err
}
