package main

import (
	"errors"
	"os"

	"github.com/counterfoil/counterfoil/token"
)

// explainKeys turns "the secret does not open the keys" into what to do about
// it. A secret that was made just now, and does not fit, is taken away again.
func explainKeys(err error, path string, made bool) error {
	if !errors.Is(err, token.ErrWrongSecret) {
		return err
	}
	if !made {
		return usagef("the secret in %s does not open the signing keys in the store: give the right one by --secret-file", path)
	}
	return errors.Join(
		usagef("there is no secret file %s, and the signing keys in the store need the one that sealed them: give it by --secret-file", path),
		os.Remove(path))
}
