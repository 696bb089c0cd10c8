package outbox

import "github.com/counterfoil/counterfoil/server/database"

var tables = database.Tables{Name: "outbox", Version: 1, SQLite: sqliteSchema, Postgres: postgresSchema}

const sqliteSchema = `
CREATE TABLE outbox_schema (version INTEGER NOT NULL);

-- How far the log of ended sessions was read: one row, or none at first.
CREATE TABLE outbox_place (
	one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
	pos INTEGER NOT NULL,
	id  BLOB    NOT NULL
);

-- What is still to be told, to one receiver each.
CREATE TABLE outbox_message (
	seq      INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	jti      TEXT    NOT NULL UNIQUE,
	client   TEXT    NOT NULL,
	way      TEXT    NOT NULL,
	session  TEXT    NOT NULL, -- its id; empty: everybody's
	ended    INTEGER NOT NULL,
	since    INTEGER NOT NULL, -- it waits
	attempts INTEGER NOT NULL,
	refusals INTEGER NOT NULL, -- attempts that were answered with a no
	due      INTEGER NOT NULL, -- not before that
	dead     INTEGER NOT NULL, -- 1: it waits for an operator
	error    TEXT    NOT NULL  -- of the latest attempt
);
CREATE INDEX outbox_message_due ON outbox_message (client, way, dead, due);
`

const postgresSchema = `
CREATE TABLE counterfoil.outbox_schema (version BIGINT NOT NULL);

-- How far the log of ended sessions was read: one row, or none at first.
CREATE TABLE counterfoil.outbox_place (
	one BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
	pos BIGINT NOT NULL,
	id  BYTEA  NOT NULL
);

-- What is still to be told, to one receiver each.
CREATE TABLE counterfoil.outbox_message (
	seq      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	jti      TEXT COLLATE "C" NOT NULL UNIQUE,
	client   TEXT COLLATE "C" NOT NULL,
	way      TEXT COLLATE "C" NOT NULL,
	session  TEXT   NOT NULL, -- its id; empty: everybody's
	ended    BIGINT NOT NULL,
	since    BIGINT NOT NULL, -- it waits
	attempts BIGINT NOT NULL,
	refusals BIGINT NOT NULL, -- attempts that were answered with a no
	due      BIGINT NOT NULL, -- not before that
	dead     BIGINT NOT NULL, -- 1: it waits for an operator
	error    TEXT   NOT NULL  -- of the latest attempt
);
CREATE INDEX ON counterfoil.outbox_message (client, way, dead, due);
`

// See package account for how these work on both databases.
const (
	sqlPlace    = `SELECT pos, id FROM outbox_place`
	sqlSetPlace = `INSERT INTO outbox_place (one, pos, id) VALUES (1, $1, $2)
		ON CONFLICT (one) DO UPDATE SET pos = excluded.pos, id = excluded.id`

	sqlAdd = `INSERT INTO outbox_message (jti, client, way, session, ended, since, attempts, refusals, due, dead, error)
		VALUES ($1, $2, $3, $4, $5, $5, 0, 0, $5, 0, '') ON CONFLICT (jti) DO NOTHING`
	sqlWaiting = `SELECT count(*) FROM (SELECT 1 FROM outbox_message WHERE client = $1 AND way = $2 AND dead = 0 LIMIT $3) AS waiting`

	sqlColumns = `SELECT seq, jti, client, way, session, ended, since, attempts, refusals, due, dead, error FROM outbox_message `

	sqlDue    = sqlColumns + `WHERE client = $1 AND way = $2 AND dead = 0 AND due <= $3 ORDER BY due, seq LIMIT $4`
	sqlIsDue  = `SELECT EXISTS (SELECT 1 FROM outbox_message WHERE client = $1 AND way = $2 AND dead = 0 AND due <= $3)`
	sqlOldest = sqlColumns + `WHERE client = $1 AND way = $2 AND dead = 0 ORDER BY due, seq LIMIT $3`
	sqlPut    = `UPDATE outbox_message SET due = $1 WHERE seq = $2`

	sqlTaken   = `DELETE FROM outbox_message WHERE jti = $1 AND client = $2 AND way = $3`
	sqlFailed  = `UPDATE outbox_message SET attempts = attempts + 1, refusals = refusals + $1, due = $2, dead = $3, error = $4 WHERE seq = $5`
	sqlRefused = `UPDATE outbox_message SET attempts = attempts + 1, refusals = refusals + 1, dead = 1, error = $1 WHERE jti = $2 AND client = $3 AND way = $4`

	sqlReceivers = `SELECT DISTINCT client, way FROM outbox_message`
	sqlForget    = `DELETE FROM outbox_message WHERE client = $1 AND way = $2`

	sqlList   = sqlColumns + `WHERE seq > $1 AND dead >= $2 ORDER BY seq LIMIT $3`
	sqlReplay = `UPDATE outbox_message SET dead = 0, attempts = 0, refusals = 0, due = $1, since = $1 WHERE dead = 1`
	sqlDrop   = `DELETE FROM outbox_message WHERE dead = 1`
)
