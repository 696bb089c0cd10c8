package main

import (
	"context"

	"github.com/counterfoil/counterfoil/server/account"
)

type userDisableCmd struct{ userArg }

func (c *userDisableCmd) Run(ctx context.Context, o *options) error {
	return o.withUser(ctx, c.Name, func(a *account.Accounts, user account.User) error {
		cutoff, err := a.Disable(ctx, user.ID)
		if err != nil {
			return err
		}
		audit("user_disabled", user)
		return o.endSessions(ctx, a, cutoff, "disabled "+user.Name)
	})
}
