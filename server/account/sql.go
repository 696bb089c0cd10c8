package account

// All the SQL of the package. It is plain: another database needs other column
// types and placeholders, and nothing else.

const schemaVersion = 1

const (
	// The version has a table of its own: PRAGMA user_version belongs to the
	// sessions, where they share the file.
	sqlSchemaTable      = `CREATE TABLE IF NOT EXISTS account_schema (version INTEGER NOT NULL)`
	sqlSchemaVersion    = `SELECT coalesce(max(version), 0) FROM account_schema`
	sqlSetSchemaVersion = `INSERT INTO account_schema (version) VALUES (?)`
)

const sqlSchema = `
CREATE TABLE account_user (
	id               TEXT    NOT NULL PRIMARY KEY,
	name             TEXT    NOT NULL,
	name_key         TEXT    NOT NULL UNIQUE, -- the name as it is looked up
	hash             TEXT    NOT NULL,        -- of the password, in PHC format
	created          INTEGER NOT NULL,
	password_changed INTEGER NOT NULL,
	disabled         INTEGER NOT NULL
);

-- A user's sessions that are still to be ended. A row outlives its user, and
-- seq is never used again: so clearing what is known never clears what is new.
CREATE TABLE account_cutoff (
	seq     INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	user_id TEXT    NOT NULL
);

-- The devices that a user has logged in with, by the digest of a cookie.
CREATE TABLE account_device (
	user_id TEXT    NOT NULL REFERENCES account_user (id) ON DELETE CASCADE,
	digest  BLOB    NOT NULL,
	created INTEGER NOT NULL,
	PRIMARY KEY (user_id, digest)
);
CREATE INDEX account_device_age ON account_device (created);

-- The places that a user has logged in from.
CREATE TABLE account_place (
	user_id TEXT    NOT NULL REFERENCES account_user (id) ON DELETE CASCADE,
	place   TEXT    NOT NULL, -- an address, or an IPv6 network
	last    INTEGER NOT NULL,
	PRIMARY KEY (user_id, place)
);
CREATE INDEX account_place_age ON account_place (last);

-- How often guessing has failed, by the digest of who was guessed at and from
-- where, or of the address alone.
CREATE TABLE account_throttle (
	bucket    BLOB    NOT NULL PRIMARY KEY,
	failures  INTEGER NOT NULL,
	failed_at INTEGER NOT NULL
);
CREATE INDEX account_throttle_age ON account_throttle (failed_at);

-- Attempts that are being checked now.
CREATE TABLE account_attempt (
	id      INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	person  BLOB    NOT NULL, -- a bucket
	address BLOB    NOT NULL, -- a bucket
	started INTEGER NOT NULL
);
CREATE INDEX account_attempt_person ON account_attempt (person);
CREATE INDEX account_attempt_address ON account_attempt (address);
CREATE INDEX account_attempt_started ON account_attempt (started);
`

const (
	sqlUserColumns = `SELECT id, name, created, password_changed, disabled, name_key, hash FROM account_user `

	sqlUserByKey = sqlUserColumns + `WHERE name_key = ?`
	sqlUserByID  = sqlUserColumns + `WHERE id = ?`
	sqlUserList  = sqlUserColumns + `WHERE name_key > ? ORDER BY name_key LIMIT ?`
	sqlUserAny   = `SELECT EXISTS (SELECT 1 FROM account_user)`

	sqlUserInsert = `INSERT INTO account_user (id, name, created, password_changed, disabled, name_key, hash)
		VALUES (?, ?, ?, ?, ?, ?, ?)`
	sqlUserDisable = `UPDATE account_user SET disabled = ? WHERE id = ?`
	sqlUserDelete  = `DELETE FROM account_user WHERE id = ?`
	// The time of the change grows strictly: it tells whether a password that is
	// being checked is still the user's.
	sqlUserSetPassword = `UPDATE account_user SET hash = ?1, password_changed =
		CASE WHEN password_changed < ?2 THEN ?2 ELSE password_changed + 1 END WHERE id = ?3`
	sqlUserChangePassword = sqlUserSetPassword + ` AND password_changed = ?4`
	sqlUserSwapHash       = `UPDATE account_user SET hash = ? WHERE id = ? AND hash = ?`
)

const (
	sqlCutoffMark    = `INSERT INTO account_cutoff (user_id) VALUES (?) RETURNING seq`
	sqlCutoffPending = `SELECT user_id, max(seq) FROM account_cutoff GROUP BY user_id ORDER BY 2`
	sqlCutoffDone    = `DELETE FROM account_cutoff WHERE user_id = ? AND seq <= ?`
)

const (
	sqlDeviceKnown  = `SELECT EXISTS (SELECT 1 FROM account_device WHERE user_id = ? AND digest = ? AND created > ?)`
	sqlDeviceInsert = `INSERT INTO account_device (user_id, digest, created) SELECT id, ?, ? FROM account_user WHERE id = ?`
	sqlDeviceDelete = `DELETE FROM account_device WHERE user_id = ? AND digest = ?`
	sqlDeviceBound  = `DELETE FROM account_device WHERE user_id = ?1 AND digest NOT IN
		(SELECT digest FROM account_device WHERE user_id = ?1 ORDER BY created DESC LIMIT ?2)`
	sqlDeviceForget = `DELETE FROM account_device WHERE user_id = ? AND digest <> ?`
	sqlDevicePurge  = `DELETE FROM account_device WHERE created <= ?`

	sqlPlaceKnown = `SELECT EXISTS (SELECT 1 FROM account_place WHERE user_id = ? AND place = ? AND last > ?)`
	sqlPlaceSeen  = `INSERT INTO account_place (user_id, place, last) VALUES (?, ?, ?)
		ON CONFLICT (user_id, place) DO UPDATE SET last = excluded.last`
	sqlPlaceBound = `DELETE FROM account_place WHERE user_id = ?1 AND place NOT IN
		(SELECT place FROM account_place WHERE user_id = ?1 ORDER BY last DESC LIMIT ?2)`
	sqlPlaceForget = `DELETE FROM account_place WHERE user_id = ? AND place <> ?`
	sqlPlacePurge  = `DELETE FROM account_place WHERE last <= ?`
)

const (
	sqlBucketRead = `SELECT failures, failed_at FROM account_throttle WHERE bucket = ?`
	sqlBucketSet  = `INSERT INTO account_throttle (bucket, failures, failed_at) VALUES (?, ?, ?)
		ON CONFLICT (bucket) DO UPDATE SET failures = excluded.failures, failed_at = excluded.failed_at`
	sqlBucketClear = `DELETE FROM account_throttle WHERE bucket = ?`
	sqlBucketPurge = `DELETE FROM account_throttle WHERE failed_at <= ?`
	sqlBucketCount = `SELECT count(*) FROM account_throttle`
	sqlBucketEvict = `DELETE FROM account_throttle WHERE bucket IN
		(SELECT bucket FROM account_throttle ORDER BY failures, failed_at LIMIT ?)`

	sqlAttemptBegin    = `INSERT INTO account_attempt (person, address, started) VALUES (?, ?, ?) RETURNING id`
	sqlAttemptEnd      = `DELETE FROM account_attempt WHERE id = ?`
	sqlAttemptsPerson  = `SELECT count(*) FROM account_attempt WHERE person = ?`
	sqlAttemptsAddress = `SELECT count(*) FROM account_attempt WHERE address = ?`
	sqlAttemptsStale   = `SELECT id, person, address FROM account_attempt WHERE started < ? OR started > ? LIMIT ?`
)
