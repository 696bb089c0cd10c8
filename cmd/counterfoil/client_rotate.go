package main

import (
	"context"

	"github.com/counterfoil/counterfoil/server/client"
	"github.com/counterfoil/counterfoil/store"
)

type clientRotateCmd struct {
	clientArg
	JWKS string `name:"jwks" placeholder:"FILE" help:"Its new public keys, if it has keys."`
}

func (c *clientRotateCmd) Run(ctx context.Context, o *options) error {
	return o.withStore(ctx, func(s store.Store) error {
		rotated, secret, err := c.rotate(ctx, s)
		if err != nil {
			return err
		}
		auditClient("client_rotated", c.Name)
		return printCredentials(rotated, secret)
	})
}

func (c *clientRotateCmd) rotate(ctx context.Context, s store.Store) (rotated client.Client, secret string, err error) {
	if c.JWKS == "" {
		return client.Rotate(ctx, s, c.Name)
	}
	keys, err := readKeys(c.JWKS)
	if err != nil {
		return client.Client{}, "", err
	}
	rotated, err = client.ReplaceKeys(ctx, s, c.Name, keys)
	return rotated, "", err
}
