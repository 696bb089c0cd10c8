package main

import (
	"context"
	"fmt"

	"github.com/counterfoil/counterfoil/server/account"
)

type userAddCmd struct {
	userArg
	passwordFlag
}

func (c *userAddCmd) Run(ctx context.Context, o *options) error {
	return o.withNewAccounts(ctx, func(a *account.Accounts) error {
		password, err := c.read(ctx)
		if err != nil {
			return err
		}
		user, err := a.Add(ctx, c.Name, password)
		if err != nil {
			return err
		}
		audit("user_added", user)
		_, err = fmt.Printf("added %s (%s)\n", user.Name, user.ID)
		return err
	})
}
