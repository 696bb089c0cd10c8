package main

import (
	"context"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/store"
)

type keysCmd struct {
	List   keysListCmd   `cmd:"" help:"List the keys that sign access tokens."`
	Rotate keysRotateCmd `cmd:"" help:"Make a new key. It signs in a few minutes, and the old one is good until its last token has expired."`
}

// withKeys runs do with a manager that has the signing keys of the store.
func (o *options) withKeys(ctx context.Context, do func(*counterfoil.Manager) error) error {
	return o.withStore(ctx, func(s store.Store) error {
		file, err := o.loadSecret()
		if err != nil {
			return err
		}
		// How long the servers' tokens live is not known here, so the old key is
		// kept for as long as any can.
		err = manage(counterfoil.Config{Store: s, Secret: (*[32]byte)(file.secret), TokenLife: counterfoil.MaxTokenLife}, do)
		return file.explain(err)
	})
}
