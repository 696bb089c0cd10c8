-- Times are milliseconds since 1970, 0: none. Durations are milliseconds.

-- The one row of what holds for the whole file.
CREATE TABLE meta (
	one      INTEGER PRIMARY KEY CHECK (one = 1),
	epoch    INTEGER NOT NULL, -- how often everybody's sessions were ended
	clock    INTEGER NOT NULL, -- the store's time in the last write; it never decreases
	base_pos INTEGER NOT NULL, -- the last log entry that was pruned; 0: none was
	base_id  BLOB    NOT NULL
) STRICT;
INSERT INTO meta VALUES (1, 0, 0, 0, zeroblob(16));

-- A session is live while its epoch is the file's and it has not expired. The
-- values stand elsewhere, so that a touch does not rewrite them.
CREATE TABLE session (
	sid        BLOB    NOT NULL PRIMARY KEY,
	lineage    BLOB,   -- the sid of the first in its line; NULL: this one
	epoch      INTEGER NOT NULL,
	created    INTEGER NOT NULL,
	auth_time  INTEGER NOT NULL,
	last_seen  INTEGER NOT NULL,
	idle       INTEGER NOT NULL,
	deadline   INTEGER NOT NULL,
	expires    INTEGER NOT NULL AS (min(last_seen + idle, deadline)),
	persistent INTEGER NOT NULL,
	secret     BLOB    NOT NULL, -- digest
	user       TEXT    NOT NULL,
	name       TEXT    NOT NULL,
	methods    TEXT    NOT NULL,
	user_agent TEXT    NOT NULL,
	address    TEXT    NOT NULL,
	-- The family of refresh tokens; NULL: none, or not rotated yet. Digests.
	family     BLOB,
	current    BLOB,
	previous   BLOB,    -- the token that was exchanged last
	sealed     BLOB,    -- for it: its successor
	rotated    INTEGER  -- when
) STRICT, WITHOUT ROWID;
CREATE INDEX session_user ON session (user, sid) WHERE user <> '';
CREATE INDEX session_expiry ON session (epoch, expires);

-- A session that has no row here has no values, in version 1.
CREATE TABLE session_values (
	sid     BLOB    NOT NULL PRIMARY KEY,
	version INTEGER NOT NULL,
	data    BLOB
) STRICT, WITHOUT ROWID;

-- The log of ended sessions. The head is its last row, or meta's base.
CREATE TABLE ended (
	pos     INTEGER PRIMARY KEY,
	id      BLOB    NOT NULL,
	kind    INTEGER NOT NULL,
	sid     BLOB    NOT NULL,
	expires INTEGER NOT NULL
) STRICT;

-- A user's generation is 1 + meta.epoch + ended_all: how often everybody's
-- sessions, and this user's, were ended.
CREATE TABLE generation (
	user      TEXT    NOT NULL PRIMARY KEY,
	ended_all INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE document (
	name    TEXT    NOT NULL PRIMARY KEY,
	version INTEGER NOT NULL,
	data    BLOB    NOT NULL
) STRICT, WITHOUT ROWID;
