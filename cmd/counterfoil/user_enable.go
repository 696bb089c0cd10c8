package main

import (
	"context"
	"fmt"

	"github.com/counterfoil/counterfoil/server/account"
)

type userEnableCmd struct{ userArg }

func (c *userEnableCmd) Run(ctx context.Context, o *options) error {
	return o.withUser(ctx, c.Name, func(a *account.Accounts, user account.User) error {
		if err := a.Enable(ctx, user.ID); err != nil {
			return err
		}
		audit("user_enabled", user)
		_, err := fmt.Printf("enabled %s\n", user.Name)
		return err
	})
}
