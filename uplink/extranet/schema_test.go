package extranet

import (
	"context"
	"database/sql"
	"path/filepath"
	"reflect"
	"testing"

	"veilbox/internal/sqlitedb"
)

func schemaOf(t *testing.T, db *sql.DB) map[string][]string {
	t.Helper()
	rows, err := db.Query("SELECT m.name, c.name, c.type, c.\"notnull\", coalesce(c.dflt_value, ''), c.pk FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' ORDER BY m.name, c.name")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	out := map[string][]string{}
	for rows.Next() {
		var table, name, kind, notnull, def, pk string
		if err := rows.Scan(&table, &name, &kind, &notnull, &def, &pk); err != nil {
			t.Fatal(err)
		}
		out[table] = append(out[table], name+" "+kind+" "+notnull+" "+def+" "+pk)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// A register of each earlier version is brought up with its rows, and is then as a
// new one.
func TestUpgradedEqualsFresh(t *testing.T) {
	ctx := context.Background()
	open := func(path string, m []sqlitedb.Migration) *sql.DB {
		t.Helper()
		db, err := sqlitedb.Open(ctx, path, m)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		return db
	}
	fresh := schemaOf(t, open(filepath.Join(t.TempDir(), "extranet.db"), migrations))
	for n := 1; n < len(migrations); n++ {
		path := filepath.Join(t.TempDir(), "extranet.db")
		old := open(path, migrations[:n])
		for _, q := range []string{
			"INSERT INTO member VALUES ('a', 'A', 't', 'r', 'DK', 'x', '', 1, 1, 1)",
			"INSERT INTO box (id, member, name, hpke, signing, audit, enrolled) VALUES ('B', 'a', 'n', x'01', x'02', 'k', 1)",
			"INSERT INTO assessor (key_id, member, person, key, sealed, state, registered) VALUES ('k', 'a', 'p', x'0102', x'03', 'confirmed', 1)",
			"INSERT INTO disclosure (id, member, box, state, manifest, hash, size, received, ends, report_due) VALUES ('D', 'a', 'B', 'available', x'04', 'h', 1, 1, 2, 2)",
			"INSERT INTO circle (disclosure, member) VALUES ('D', 'a')",
			"INSERT INTO operator (name, salt, hash, created, changed) VALUES ('told', x'01', x'02', 5, 5), ('own', x'01', x'02', 5, 6)",
			"INSERT INTO session (token, operator, created, used) VALUES ('t', 'own', 1, 1)",
		} {
			if _, err := old.Exec(q); err != nil {
				t.Fatal(err)
			}
		}
		if err := old.Close(); err != nil {
			t.Fatal(err)
		}
		db := open(path, migrations)
		if got := schemaOf(t, db); !reflect.DeepEqual(got, fresh) {
			t.Errorf("from version %d:\n%v\nfresh:\n%v", n, got, fresh)
		}
		var state string
		var credential []byte
		var people, deleted sql.NullInt64
		err := db.QueryRow("SELECT a.state, a.credential, b.people, c.deleted FROM assessor a, box b, circle c").Scan(&state, &credential, &people, &deleted)
		if err != nil || state != "confirmed" || len(credential) != 0 || people.Int64 != 0 || deleted.Valid {
			t.Errorf("from version %d: %v, %q %x %v %v", n, err, state, credential, people, deleted)
		}
		// Who was logged in with a password alone is so no longer, and a password that
		// was never changed is still known to others.
		var sessions int
		var made string
		err = db.QueryRow("SELECT (SELECT count(*) FROM session), (SELECT group_concat(name || made) FROM (SELECT name, made FROM operator ORDER BY name))").Scan(&sessions, &made)
		if err != nil || sessions != 0 || made != "own0,told1" {
			t.Errorf("from version %d: %v, %d sessions, passwords %s", n, err, sessions, made)
		}
	}
}
