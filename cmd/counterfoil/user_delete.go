package main

import (
	"context"

	"github.com/counterfoil/counterfoil/server/account"
)

type userDeleteCmd struct{ userArg }

func (c *userDeleteCmd) Run(ctx context.Context, o *options) error {
	return o.withUser(ctx, c.Name, func(a *account.Accounts, user account.User) error {
		cutoff, err := a.Delete(ctx, user.ID)
		if err != nil {
			return err
		}
		audit("user_deleted", user)
		return o.endSessions(ctx, a, cutoff, "deleted "+user.Name)
	})
}
