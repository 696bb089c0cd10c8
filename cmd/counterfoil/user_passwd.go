package main

import (
	"context"

	"github.com/counterfoil/counterfoil/server/account"
)

type userPasswdCmd struct {
	userArg
	passwordFlag
}

func (c *userPasswdCmd) Run(ctx context.Context, o *options) error {
	return o.withUser(ctx, c.Name, func(a *account.Accounts, user account.User) error {
		password, err := c.read(ctx)
		if err != nil {
			return err
		}
		cutoff, err := a.SetPassword(ctx, user.ID, password)
		if err != nil {
			return err
		}
		audit("password_set", user)
		return o.endSessions(ctx, a, cutoff, "changed the password of "+user.Name)
	})
}
