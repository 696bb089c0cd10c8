package main

import (
	"context"
	"fmt"

	"github.com/counterfoil/counterfoil"
)

type keysRotateCmd struct{}

func (keysRotateCmd) Run(ctx context.Context, o *options) error {
	return o.withKeys(ctx, func(m *counterfoil.Manager) error {
		if err := m.RotateKeys(ctx); err != nil {
			return err
		}
		keys := m.Keys()
		newest := keys[len(keys)-1]
		_, err := fmt.Printf("made key %s; it signs from %s\n", newest.ID, when(newest.SignsFrom))
		return err
	})
}
