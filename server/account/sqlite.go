package account

// The version has a table of its own: PRAGMA user_version belongs to the
// sessions, where they share the file.
const sqliteSchema = `
CREATE TABLE account_schema (version INTEGER NOT NULL);

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
