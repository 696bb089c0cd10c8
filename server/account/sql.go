package account

import "github.com/counterfoil/counterfoil/server/database"

// The statements, for SQLite and PostgreSQL alike. Parameters are numbered in the
// order in which they are first used: SQLite takes $1 for a name, and numbers
// names so. What differs are the tables' column types, and where the tables are:
// see sqlite.go and postgres.go.

var tables = database.Tables{Name: "account", Version: 1, SQLite: sqliteSchema, Postgres: postgresSchema}

const (
	sqlUserColumns = `SELECT id, name, created, password_changed, disabled, name_key, hash FROM account_user `

	sqlUserByKey = sqlUserColumns + `WHERE name_key = $1`
	sqlUserByID  = sqlUserColumns + `WHERE id = $1`
	sqlUserList  = sqlUserColumns + `WHERE name_key > $1 ORDER BY name_key LIMIT $2`
	sqlUserAny   = `SELECT EXISTS (SELECT 1 FROM account_user)`

	sqlUserInsert = `INSERT INTO account_user (id, name, created, password_changed, disabled, name_key, hash)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`
	sqlUserDisable = `UPDATE account_user SET disabled = $1 WHERE id = $2`
	sqlUserDelete  = `DELETE FROM account_user WHERE id = $1`
	// The time of the change grows strictly: it tells whether a password that is
	// being checked is still the user's.
	sqlUserSetPassword = `UPDATE account_user SET hash = $1, password_changed =
		CASE WHEN password_changed < $2 THEN $2 ELSE password_changed + 1 END WHERE id = $3`
	sqlUserChangePassword = sqlUserSetPassword + ` AND password_changed = $4`
	sqlUserSwapHash       = `UPDATE account_user SET hash = $1 WHERE id = $2 AND hash = $3`
)

const (
	sqlCutoffMark    = `INSERT INTO account_cutoff (user_id) VALUES ($1) RETURNING seq`
	sqlCutoffPending = `SELECT user_id, max(seq) FROM account_cutoff GROUP BY user_id ORDER BY 2`
	sqlCutoffDone    = `DELETE FROM account_cutoff WHERE user_id = $1 AND seq <= $2`
)

const (
	sqlDeviceKnown  = `SELECT EXISTS (SELECT 1 FROM account_device WHERE user_id = $1 AND digest = $2 AND created > $3)`
	sqlDeviceInsert = `INSERT INTO account_device (user_id, digest, created) SELECT id, $1, $2 FROM account_user WHERE id = $3`
	sqlDeviceDelete = `DELETE FROM account_device WHERE user_id = $1 AND digest = $2`
	sqlDeviceBound  = `DELETE FROM account_device WHERE user_id = $1 AND digest NOT IN
		(SELECT digest FROM account_device WHERE user_id = $1 ORDER BY created DESC LIMIT $2)`
	sqlDeviceForget = `DELETE FROM account_device WHERE user_id = $1 AND digest <> $2`
	sqlDevicePurge  = `DELETE FROM account_device WHERE created <= $1`

	sqlPlaceKnown = `SELECT EXISTS (SELECT 1 FROM account_place WHERE user_id = $1 AND place = $2 AND last > $3)`
	sqlPlaceSeen  = `INSERT INTO account_place (user_id, place, last) VALUES ($1, $2, $3)
		ON CONFLICT (user_id, place) DO UPDATE SET last = excluded.last`
	sqlPlaceBound = `DELETE FROM account_place WHERE user_id = $1 AND place NOT IN
		(SELECT place FROM account_place WHERE user_id = $1 ORDER BY last DESC LIMIT $2)`
	sqlPlaceForget = `DELETE FROM account_place WHERE user_id = $1 AND place <> $2`
	sqlPlacePurge  = `DELETE FROM account_place WHERE last <= $1`
)

const (
	sqlBucketRead = `SELECT failures, failed_at FROM account_throttle WHERE bucket = $1`
	sqlBucketSet  = `INSERT INTO account_throttle (bucket, failures, failed_at) VALUES ($1, $2, $3)
		ON CONFLICT (bucket) DO UPDATE SET failures = excluded.failures, failed_at = excluded.failed_at`
	sqlBucketClear = `DELETE FROM account_throttle WHERE bucket = $1`
	sqlBucketPurge = `DELETE FROM account_throttle WHERE failed_at <= $1`
	sqlBucketCount = `SELECT count(*) FROM account_throttle`
	sqlBucketEvict = `DELETE FROM account_throttle WHERE bucket IN
		(SELECT bucket FROM account_throttle ORDER BY failures, failed_at LIMIT $1)`

	sqlAttemptBegin    = `INSERT INTO account_attempt (person, address, started) VALUES ($1, $2, $3) RETURNING id`
	sqlAttemptEnd      = `DELETE FROM account_attempt WHERE id = $1`
	sqlAttemptsPerson  = `SELECT count(*) FROM account_attempt WHERE person = $1`
	sqlAttemptsAddress = `SELECT count(*) FROM account_attempt WHERE address = $1`
	sqlAttemptsStale   = `SELECT id, person, address FROM account_attempt WHERE started < $1 OR started > $2 LIMIT $3`
)
