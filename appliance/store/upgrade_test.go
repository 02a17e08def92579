package store

import (
	"encoding/json"
	"strings"
	"testing"

	"veilbox/appliance/incident"
	"veilbox/internal/sqlitedb"
)

// A case whose copy was being made when the box was upgraded is still that, in
// its row and in its sealed body, and can be saved.
func TestTaggedWasRedacting(t *testing.T) {
	s, o := open(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	steps, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	o.Path += ".old"
	db, err := sqlitedb.Open(t.Context(), o.Path, steps[:3])
	if err != nil {
		t.Fatal(err)
	}
	for _, state := range []incident.State{wasTagged, incident.Redacted} {
		c := newCase("OLD-"+string(state), start)
		c.Version, c.State = 1, state
		b, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		body, err := s.seal("cases", string(c.ID), b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec("INSERT INTO cases (id, version, state, created, changed, body) VALUES (?, 1, ?, 0, 0, ?)", c.ID, state, body); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	up, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer up.Close()
	for id, want := range map[incident.CaseID]incident.State{"OLD-redacting": incident.Tagged, "OLD-redacted": incident.Redacted} {
		c, err := up.Case(t.Context(), id)
		if err != nil || c.State != want {
			t.Fatalf("%s is %s, %v", id, c.State, err)
		}
		if c, err = up.UpdateCase(t.Context(), c); err != nil || c.State != want {
			t.Errorf("saved as %s, %v", c.State, err)
		}
	}
	all, err := up.Cases(t.Context(), incident.Tagged)
	if err != nil || len(all) != 1 || !strings.HasSuffix(string(all[0].ID), string(wasTagged)) {
		t.Errorf("%d tagged, %v", len(all), err)
	}
}
