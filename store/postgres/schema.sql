-- Times are milliseconds since 1970, 0: none. Durations are milliseconds.
-- Texts are bytes: what a browser sends need not be UTF-8, and may hold a NUL.

-- The one row of the log's head. Whoever appends updates it, last of all in his
-- transaction: so positions are dense, and in the order of commits.
CREATE TABLE cf.head (
	one      boolean PRIMARY KEY DEFAULT true CHECK (one),
	pos      bigint NOT NULL, -- of the last log entry
	id       uuid   NOT NULL,
	base_pos bigint NOT NULL, -- of the last log entry that was pruned; 0: none was
	base_id  uuid   NOT NULL,
	clock    bigint NOT NULL, -- the store's time in the last of these writes; it never decreases
	beat     bigint NOT NULL  -- counts the writes that append nothing
) WITH (fillfactor = 10);
INSERT INTO cf.head (pos, id, base_pos, base_id, clock, beat) VALUES
	(0, '00000000-0000-0000-0000-000000000000', 0, '00000000-0000-0000-0000-000000000000', 0, 0);

-- How often everybody's sessions were ended. Whoever writes sessions locks this
-- table against those who end all of them, and they lock it against everybody.
CREATE TABLE cf.epoch (
	one   boolean PRIMARY KEY DEFAULT true CHECK (one),
	epoch bigint  NOT NULL
);
INSERT INTO cf.epoch (epoch) VALUES (0);

-- A session is live while its epoch is the store's and it has not expired. The
-- values stand elsewhere, so that a touch does not rewrite them.
CREATE TABLE cf.session (
	sid        uuid    PRIMARY KEY,
	lineage    uuid,   -- the sid of the first in its line; NULL: this one
	epoch      bigint  NOT NULL,
	created    bigint  NOT NULL,
	auth_time  bigint  NOT NULL,
	last_seen  bigint  NOT NULL,
	idle       bigint  NOT NULL,
	deadline   bigint  NOT NULL,
	expires    bigint  NOT NULL GENERATED ALWAYS AS (least(last_seen + idle, deadline)) STORED,
	persistent boolean NOT NULL,
	secret     bytea   NOT NULL, -- digest
	user_id    bytea   NOT NULL,
	name       bytea   NOT NULL,
	methods    bytea   NOT NULL,
	user_agent bytea   NOT NULL,
	address    bytea   NOT NULL,
	-- The family of refresh tokens; NULL: none, or not rotated yet. Digests.
	family     bytea,
	current    bytea,
	previous   bytea,  -- the token that was exchanged last
	sealed     bytea,  -- for it: its successor
	rotated    bigint  NOT NULL DEFAULT 0 -- when
);
CREATE INDEX session_of_user ON cf.session (user_id, sid) WHERE user_id <> '';
CREATE INDEX session_expiry ON cf.session (epoch, expires);

-- A session that has no row here has no values, in version 1.
CREATE TABLE cf.session_values (
	sid     uuid   PRIMARY KEY,
	version bigint NOT NULL,
	data    bytea
);

-- The log of ended sessions.
CREATE TABLE cf.ended (
	pos     bigint   PRIMARY KEY,
	id      uuid     NOT NULL,
	kind    smallint NOT NULL,
	sid     uuid     NOT NULL,
	expires bigint   NOT NULL
);
CREATE INDEX ended_sid ON cf.ended (sid);

-- A user's generation is 1 + the epoch + ended_all: how often everybody's
-- sessions, and this user's, were ended. Whoever ends all sessions of a user, or
-- adds one that must not escape that, locks his row.
CREATE TABLE cf.generation (
	user_id   bytea  PRIMARY KEY,
	ended_all bigint NOT NULL
);

-- The nodes that may answer from memory.
CREATE TABLE cf.node (
	node  uuid   PRIMARY KEY,
	acked bigint NOT NULL,
	until bigint NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE cf.document (
	name    bytea  PRIMARY KEY,
	version bigint NOT NULL,
	data    bytea  NOT NULL
);
