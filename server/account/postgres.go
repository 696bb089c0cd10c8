package account

const postgresSchema = `
CREATE TABLE counterfoil.account_schema (version BIGINT NOT NULL);

CREATE TABLE counterfoil.account_user (
	id               TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	name             TEXT    NOT NULL,
	name_key         TEXT COLLATE "C" NOT NULL UNIQUE, -- the name as it is looked up
	hash             TEXT    NOT NULL,                 -- of the password, in PHC format
	created          BIGINT  NOT NULL,
	password_changed BIGINT  NOT NULL,
	disabled         BOOLEAN NOT NULL
);

-- A user's sessions that are still to be ended. A row outlives its user. Of one
-- user, seq grows in the order of commits, since whoever marks him holds him: so
-- clearing what is known never clears what is new.
CREATE TABLE counterfoil.account_cutoff (
	seq     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	user_id TEXT COLLATE "C" NOT NULL
);

-- The devices that a user has logged in with, by the digest of a cookie.
CREATE TABLE counterfoil.account_device (
	user_id TEXT COLLATE "C" NOT NULL REFERENCES counterfoil.account_user (id) ON DELETE CASCADE,
	digest  BYTEA  NOT NULL,
	created BIGINT NOT NULL,
	PRIMARY KEY (user_id, digest)
);
CREATE INDEX ON counterfoil.account_device (created);

-- The places that a user has logged in from.
CREATE TABLE counterfoil.account_place (
	user_id TEXT COLLATE "C" NOT NULL REFERENCES counterfoil.account_user (id) ON DELETE CASCADE,
	place   TEXT COLLATE "C" NOT NULL, -- an address, or an IPv6 network
	last    BIGINT NOT NULL,
	PRIMARY KEY (user_id, place)
);
CREATE INDEX ON counterfoil.account_place (last);

-- How often guessing has failed, by the digest of who was guessed at and from
-- where, or of the address alone.
CREATE TABLE counterfoil.account_throttle (
	bucket    BYTEA  NOT NULL PRIMARY KEY,
	failures  BIGINT NOT NULL,
	failed_at BIGINT NOT NULL
);
CREATE INDEX ON counterfoil.account_throttle (failed_at);

-- Attempts that are being checked now.
CREATE TABLE counterfoil.account_attempt (
	id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	person  BYTEA  NOT NULL, -- a bucket
	address BYTEA  NOT NULL, -- a bucket
	started BIGINT NOT NULL
);
CREATE INDEX ON counterfoil.account_attempt (person);
CREATE INDEX ON counterfoil.account_attempt (address);
CREATE INDEX ON counterfoil.account_attempt (started);
`
