package sqlite

import (
	_ "embed"
	"fmt"
)

// applicationID marks the file as Counterfoil's, in the header that SQLite
// keeps for it ("CFOL").
const applicationID = 0x43464f4c

var (
	//go:embed schema.sql
	schema string

	//go:embed schema_2.sql
	schema2 string
)

// migrations lead from each version of the schema to the next. The version is
// the file's user_version: how many of them it has behind it. An entry that was
// released is never changed.
var migrations = []string{schema, schema2}

// migrate brings the file up to the version that this program knows.
func migrate(c *conn, migrations []string) error {
	// The version can't change between the look and the change: the
	// transaction is IMMEDIATE. Two programs that start at once take turns.
	if err := c.Exec(`BEGIN IMMEDIATE`); err != nil {
		return err
	}
	err := migrateLocked(c, migrations)
	if err == nil {
		err = c.Exec(`COMMIT`)
	}
	if !c.GetAutocommit() {
		return joinRollback(err, c.Exec(`ROLLBACK`))
	}
	return err
}

func migrateLocked(c *conn, migrations []string) error {
	version, err := c.integer(`PRAGMA user_version`)
	switch {
	case err != nil:
		return err
	case version > int64(len(migrations)):
		return fmt.Errorf("it was written by a newer version of Counterfoil (schema %d, this program knows %d): run that version or a newer one", version, len(migrations))
	case version == int64(len(migrations)):
		return nil
	}
	for _, step := range migrations[version:] {
		if err := c.Exec(step); err != nil {
			return fmt.Errorf("bring it to schema %d: %w", version+1, err)
		}
		version++
	}
	return c.Exec(fmt.Sprintf(`PRAGMA application_id = %d; PRAGMA user_version = %d`, applicationID, version))
}
