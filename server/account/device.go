package account

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"time"

	"github.com/counterfoil/counterfoil/server/database"
)

const (
	deviceLife = 180 * 24 * time.Hour // from the login that made it
	placeLife  = 30 * 24 * time.Hour  // from the last login there
	maxDevices = 20                   // of a user; the newest stay
	maxPlaces  = 50
)

// RememberDevice makes the secret by which the throttle knows a device of the
// user: put it into a long-lived cookie after a login, and hand it to
// [Accounts.Authenticate] at the next one. The old secret of the same browser,
// if there is one, stops working. It logs nobody in.
//
// It works for 180 days; of one user, the 20 newest work. Only digests are
// kept. Error: [ErrNotFound].
func (a *Accounts) RememberDevice(ctx context.Context, userID, old string) (secret string, err error) {
	secret = rand.Text()
	err = a.db.Write(ctx, []string{userSubject(userID)}, func(tx *database.Tx) error {
		if _, err := tx.Exec(ctx, sqlDeviceDelete, userID, deviceDigest(old)); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, sqlDeviceBound, userID, maxDevices-1); err != nil {
			return err
		}
		return tx.Change(ctx, sqlDeviceInsert, deviceDigest(secret), database.Millis(tx.Now), userID)
	})
	if err != nil {
		return "", failed("remember device", err)
	}
	return secret, nil
}

func deviceDigest(secret string) []byte {
	d := sha256.Sum256([]byte(secret))
	return d[:]
}

// rememberPlace notes that the user has logged in from there.
func rememberPlace(ctx context.Context, tx *database.Tx, userID, place string) error {
	if place == "" {
		return nil // an unknown address is nobody's home
	}
	if _, err := tx.Exec(ctx, sqlPlaceSeen, userID, place, database.Millis(tx.Now)); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, sqlPlaceBound, userID, maxPlaces)
	return err
}

// forgetPlaces forgets the user's devices and places but those of the guess.
func forgetPlaces(ctx context.Context, tx *database.Tx, userID string, but guess) error {
	if _, err := tx.Exec(ctx, sqlDeviceForget, userID, deviceDigest(but.device)); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, sqlPlaceForget, userID, placeOf(but.address))
	return err
}
