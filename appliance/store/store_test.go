package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"veilbox/appliance/incident"
	"veilbox/internal/clock"
	"veilbox/internal/keys"
	"veilbox/internal/problem"
	"veilbox/internal/sqlitedb"
	"veilbox/redact/subject"
)

var start = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func open(t *testing.T) (*Store, Options) {
	t.Helper()
	o := Options{Path: filepath.Join(t.TempDir(), "box.db"), Key: keys.New(), Clock: clock.NewFake(start)}
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, o
}

func newCase(id string, created time.Time) incident.Case {
	v := 501
	return incident.Case{ID: incident.CaseID(id), State: incident.Draft, Member: "butik-a", Created: created, Changed: created,
		What: "Tog Hemmelige Flasker", Evidence: incident.Evidence{ValueDKK: &v}}
}

func TestCases(t *testing.T) {
	s, _ := open(t)
	ctx := t.Context()
	for i := range 3 {
		if err := s.CreateCase(ctx, newCase(fmt.Sprint("C", i), start.Add(time.Duration(i)*time.Hour))); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.CreateCase(ctx, newCase("C0", start)); !errors.Is(err, ErrExists) {
		t.Errorf("made twice: %v", err)
	}
	c, err := s.Case(ctx, "C1")
	if err != nil || c.Version != 1 || *c.Evidence.ValueDKK != 501 || c.What != "Tog Hemmelige Flasker" {
		t.Fatalf("%+v %v", c, err)
	}
	other := c
	c.State = incident.Redacted
	saved, err := s.UpdateCase(ctx, c)
	if err != nil || saved.Version != 2 {
		t.Fatal(saved.Version, err)
	}
	// Two people at once: the second is told, and nothing of his is kept.
	other.What = "noget andet"
	if _, err := s.UpdateCase(ctx, other); !errors.Is(err, ErrConflict) || problem.Of(err).Status != 409 {
		t.Errorf("saved over a newer version: %v", err)
	}
	if got, err := s.Case(ctx, "C1"); err != nil || !reflect.DeepEqual(got, saved) {
		t.Errorf("%+v %v", got, err)
	}
	if _, err := s.UpdateCase(ctx, newCase("C9", start)); !errors.Is(err, ErrNotFound) {
		t.Errorf("saved one that is not there: %v", err)
	}
	if _, err := s.Case(ctx, "C9"); !errors.Is(err, ErrNotFound) || problem.Of(err).Status != 404 {
		t.Errorf("found: %v", err)
	}
	for _, q := range []struct {
		states []incident.State
		want   string
	}{{nil, "C2 C1 C0"}, {[]incident.State{incident.Draft}, "C2 C0"}, {[]incident.State{incident.Redacted, incident.Submitted}, "C1"}, {[]incident.State{incident.Expired}, ""}} {
		all, err := s.Cases(ctx, q.states...)
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, c := range all {
			ids = append(ids, string(c.ID))
		}
		if strings.Join(ids, " ") != q.want {
			t.Errorf("%v: %v, want %s", q.states, ids, q.want)
		}
	}
	if err := s.SetRedaction(ctx, "C1", []byte("record")); err != nil {
		t.Fatal(err)
	}
	if err := s.SetRedaction(ctx, "C1", []byte("record 2")); err != nil {
		t.Fatal(err)
	}
	if b, err := s.Redaction(ctx, "C1"); err != nil || string(b) != "record 2" {
		t.Errorf("%q %v", b, err)
	}
	if err := s.SetRedaction(ctx, "C9", nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("redaction of no case: %v", err)
	}
	if err := s.DeleteCase(ctx, "C1"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Redaction(ctx, "C1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("the redaction outlived its case: %v", err)
	}
	if err := s.DeleteCase(ctx, "C1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
}

// A case that an earlier version wrote is read as it was meant, and written as it
// should be by the next save.
func TestCaseOfBefore(t *testing.T) {
	s, _ := open(t)
	ctx := t.Context()
	c := newCase("OLD", start)
	c.State = incident.Redacted
	if err := s.CreateCase(ctx, c); err != nil {
		t.Fatal(err)
	}
	before := []byte(`{"id":"OLD","version":1,"state":"redacted","what":"Tog flasker",
		"subject":{"version":1,"keyframes":[{"at":1.5,"rect":{"x":0.1,"y":0.2,"w":0.3,"h":0.4}},{"at":4,"gone":true}]},
		"copy":{"hash":"` + strings.Repeat("ab", 32) + `","clip":"` + strings.Repeat("cd", 32) + `","passed":true}}`)
	body, err := s.seal("cases", "OLD", before)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.exec(ctx, "UPDATE cases SET body = ? WHERE id = 'OLD'", body); err != nil {
		t.Fatal(err)
	}
	want := []subject.Subject{{Version: 1, Keyframes: []subject.Keyframe{{At: 1.5, Rect: &subject.Rect{X: 0.1, Y: 0.2, W: 0.3, H: 0.4}}, {At: 4, Gone: true}}}}
	check := func(c incident.Case, err error) {
		t.Helper()
		if err != nil || !reflect.DeepEqual(c.Subjects, want) || !reflect.DeepEqual(c.Choice, subject.Choice{}) {
			t.Fatalf("%+v %+v %v", c.Subjects, c.Choice, err)
		}
		if c.Copy == nil || c.Copy.Media != incident.MediaVideo || c.Copy.Subjects != 1 || c.Copy.Mode != subject.SubjectOnly || c.Copy.Sound != nil {
			t.Fatalf("%+v", c.Copy)
		}
	}
	got, err := s.Case(ctx, "OLD")
	check(got, err)
	got, err = s.UpdateCase(ctx, got)
	check(got, err)
	again, err := s.Case(ctx, "OLD")
	check(again, err)
	if err := s.db.QueryRow("SELECT body FROM cases WHERE id = 'OLD'").Scan(&body); err != nil {
		t.Fatal(err)
	}
	if b, err := s.open("cases", "OLD", body); err != nil || bytes.Contains(b, []byte(`"subject":`)) || !bytes.Contains(b, []byte(`"subjects":`)) {
		t.Errorf("saved as %s, %v", b, err)
	}
}

func TestOneOfManySavesWins(t *testing.T) {
	s, _ := open(t)
	if err := s.CreateCase(t.Context(), newCase("C", start)); err != nil {
		t.Fatal(err)
	}
	c, err := s.Case(t.Context(), "C")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for range 8 {
		wg.Go(func() {
			_, err := s.UpdateCase(context.Background(), c)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else if !errors.Is(err, ErrConflict) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won != 1 {
		t.Errorf("%d of 8 saves of one version were taken", won)
	}
}

func TestCameras(t *testing.T) {
	s, _ := open(t)
	ctx := t.Context()
	c := Camera{ID: "till-1", Name: "Kasse 1", URL: "rtsp://10.0.0.2/main", Username: "u", Password: "Hemmelig"}
	if err := s.PutCamera(ctx, c); err != nil {
		t.Fatal(err)
	}
	c.Name, c.Transport, c.Pin, c.Audio = "Kasse 2", "udp", "ab12", true
	c.Device, c.Was, c.Changed = Device{Manufacturer: "Acme", Model: "D1", Firmware: "2.0", Serial: "7"}, Device{Firmware: "1.9"}, start
	c.Added, c.Veiled = start.Add(time.Hour), []subject.Rect{{X: 0.1, Y: 0.2, W: 0.3, H: 0.1}}
	if err := s.PutCamera(ctx, c); err != nil {
		t.Fatal(err)
	}
	if err := s.PutCamera(ctx, Camera{ID: "../x"}); err == nil {
		t.Error("an odd name was taken")
	}
	got, err := s.Camera(ctx, "till-1")
	if err != nil || !reflect.DeepEqual(got, c) {
		t.Errorf("%#v %v", got, err)
	}
	if all, err := s.Cameras(ctx); err != nil || len(all) != 1 {
		t.Error(all, err)
	}
	for _, f := range []string{"%v", "%+v", "%#v", "%s"} {
		if s := fmt.Sprintf(f, got); strings.Contains(s, "Hemmelig") {
			t.Errorf("%s prints the password: %s", f, s)
		}
	}
	if err := s.DeleteCamera(ctx, "till-1"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Camera(ctx, "till-1"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

func TestSettings(t *testing.T) {
	s, _ := open(t)
	ctx := t.Context()
	if _, err := s.Setting(ctx, "x"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	for _, v := range []string{"one", "two", ""} {
		if err := s.SetSetting(ctx, "x", []byte(v)); err != nil {
			t.Fatal(err)
		}
		if b, err := s.Setting(ctx, "x"); err != nil || string(b) != v {
			t.Errorf("%q %v", b, err)
		}
	}
	if err := s.SetSetting(ctx, "x", make([]byte, MaxBody+1)); err == nil {
		t.Error("an endless value was taken")
	}
	if err := errors.Join(s.DeleteSetting(ctx, "x"), s.DeleteSetting(ctx, "x")); err != nil {
		t.Error(err)
	}
}

func TestPeopleAndSessions(t *testing.T) {
	s, _ := open(t)
	ctx := t.Context()
	for _, id := range []string{"p1", "p2"} {
		if err := s.CreatePerson(ctx, Person{ID: incident.PersonID(id), Login: "login-" + id, Body: []byte("body " + id)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.CreatePerson(ctx, Person{ID: "p3", Login: "login-p1"}); !errors.Is(err, ErrExists) {
		t.Errorf("a log-in name twice: %v", err)
	}
	p, err := s.PersonByLogin(ctx, "login-p2")
	if err != nil || p.ID != "p2" || string(p.Body) != "body p2" || p.Version != 1 {
		t.Fatalf("%+v %v", p, err)
	}
	p.Body = []byte("new")
	if err := s.SavePerson(ctx, p); err != nil {
		t.Fatal(err)
	}
	if err := s.SavePerson(ctx, p); !errors.Is(err, ErrConflict) {
		t.Errorf("saved over a newer version: %v", err)
	}
	if all, err := s.People(ctx); err != nil || len(all) != 2 || string(all[1].Body) != "new" {
		t.Error(all, err)
	}
	if _, err := s.PersonByLogin(ctx, "nobody"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}

	tok := func(b byte) (k [32]byte) { k[0] = b; return }
	for i, x := range []Session{{Token: tok(1), Person: "p1", Created: start}, {Token: tok(2), Person: "p1", Created: start.Add(time.Hour)}, {Token: tok(3), Person: "p2", Created: start}} {
		x.Used, x.Body = x.Created, []byte{byte(i)}
		if err := s.CreateSession(ctx, x); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.CreateSession(ctx, Session{Token: tok(9), Person: "nobody"}); err == nil {
		t.Error("a session of nobody")
	}
	if err := s.TouchSession(ctx, tok(1), start.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if x, err := s.Session(ctx, tok(1)); err != nil || x.Person != "p1" || !x.Used.Equal(start.Add(time.Minute)) || !x.Created.Equal(start) || x.Body[0] != 0 {
		t.Errorf("%+v %v", x, err)
	}
	if err := s.DeleteOtherSessions(ctx, "p1", tok(1)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Session(ctx, tok(2)); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if n, err := s.DeleteSessionsBefore(ctx, start.Add(time.Microsecond)); err != nil || n != 2 {
		t.Error(n, err)
	}

	for range 2 {
		if err := s.PutAcceptance(ctx, Acceptance{Person: "p1", Name: "Bo Dam", Version: "2026-1"}); err != nil {
			t.Fatal(err)
		}
	}
	if ok, err := s.Accepted(ctx, "p1", "2026-1"); err != nil || !ok {
		t.Error(ok, err)
	}
	if ok, err := s.Accepted(ctx, "p1", "2026-2"); err != nil || ok {
		t.Error("a new version counts as accepted", err)
	}
	if all, err := s.Acceptances(ctx); err != nil || len(all) != 1 || all[0].Name != "Bo Dam" || !all[0].At.Equal(start) {
		t.Error(all, err)
	}
}

func TestExports(t *testing.T) {
	s, _ := open(t)
	ctx := t.Context()
	if err := errors.Join(s.PutExport(ctx, "old", start, []byte("1")), s.PutExport(ctx, "new", start.Add(time.Hour), []byte("2"))); err != nil {
		t.Fatal(err)
	}
	if err := s.PutExport(ctx, "old", start, []byte("3")); !errors.Is(err, ErrExists) {
		t.Errorf("a second of the name: %v", err)
	}
	if b, err := s.Export(ctx, "old"); err != nil || string(b) != "1" {
		t.Errorf("%q, %v", b, err)
	}
	if n, err := s.DeleteExportsBefore(ctx, start.Add(time.Hour)); err != nil || n != 1 {
		t.Errorf("%d forgotten, %v", n, err)
	}
	if _, err := s.Export(ctx, "old"); !errors.Is(err, ErrNotFound) {
		t.Errorf("an old one: %v", err)
	}
	if _, err := s.Export(ctx, "new"); err != nil {
		t.Errorf("a new one: %v", err)
	}
}

func TestSealed(t *testing.T) {
	s, o := open(t)
	ctx := t.Context()
	err := errors.Join(
		s.CreateCase(ctx, newCase("C", start)), s.CreateCase(ctx, newCase("D", start)), s.SetSetting(ctx, "enrolment", []byte("Hemmelig")),
		s.PutCamera(ctx, Camera{ID: "till-1", Password: "Hemmelig", URL: "rtsp://Hemmelig"}),
		s.CreatePerson(ctx, Person{ID: "p1", Login: "hemmelig.login", Body: []byte("Hemmelig")}), s.SetRedaction(ctx, "C", []byte("Hemmelig")), s.PutExport(ctx, "E", start, []byte("Hemmelig")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.db.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(o.Path)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []string{"Hemmelig", "hemmelig.login"} {
		if bytes.Contains(b, []byte(x)) {
			t.Errorf("%s is on the disk in the clear", x)
		}
	}
	// A body moved to another row, or changed, does not open.
	for _, q := range []string{"UPDATE cases SET body = (SELECT body FROM cases WHERE id = 'C') WHERE id = 'D'", "UPDATE cases SET version = 7", "UPDATE cases SET state = 'disclosed'"} {
		if _, err := s.db.Exec(q); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Case(ctx, "D"); err == nil || errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", q, err)
		}
	}
	s.Close()
	o.Key = keys.New()
	if _, err := Open(ctx, o); !errors.Is(err, keys.ErrOpen) {
		t.Errorf("another key: %v", err)
	}
}

// TestSchema holds schema.sql, which people read, against what the upgrades make.
func TestSchema(t *testing.T) {
	dump := func(db *sql.DB) []string {
		rows, err := db.Query("SELECT type, name, coalesce(sql, '') FROM sqlite_schema ORDER BY type, name")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		var out []string
		for rows.Next() {
			var kind, name, text string
			if err := rows.Scan(&kind, &name, &text); err != nil {
				t.Fatal(err)
			}
			out = append(out, kind+" "+name+" "+strings.Join(strings.Fields(text), " "))
		}
		return out
	}
	s, _ := open(t)
	text, err := os.ReadFile("schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := sqlitedb.Open(t.Context(), filepath.Join(t.TempDir(), "fresh.db"), []sqlitedb.Migration{sqlitedb.Migration(text)})
	if err != nil {
		t.Fatal(err)
	}
	defer fresh.Close()
	if up, now := dump(s.db), dump(fresh); !slices.Equal(up, now) || len(now) < 8 {
		t.Errorf("the upgrades make\n%s\nschema.sql says\n%s", strings.Join(up, "\n"), strings.Join(now, "\n"))
	}
}
