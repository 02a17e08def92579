package badinput

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"veilbox/appliance/casework"
	"veilbox/appliance/incident"
	"veilbox/internal/clock"
	"veilbox/redact/subject"
	"veilbox/test/story"
)

// flip changes one byte of a file, at from the end where it is negative.
func flip(t *testing.T, path string, at int64) {
	t.Helper()
	b := must[[]byte](t)(os.ReadFile(path))
	if at < 0 {
		at += int64(len(b))
	}
	b[at] ^= 0x10
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (b *box) newCase(s casework.TimeSpan, what string) casework.CaseView {
	b.t.Helper()
	value := 500
	return must[casework.CaseView](b.t)(b.call.NewCase(b.t.Context(), casework.NewCase{
		Camera: "kasse-1", From: s.From, To: s.To, What: what, ValueDKK: &value, HappenedAt: s.From, Offence: incident.Theft}))
}

// A flipped byte in a segment costs one part: the rest plays, and what is
// damaged is named with its time.
func TestDamagedRecording(t *testing.T) {
	t.Parallel()
	cam, stop := camera(t, "", clip(t), false)
	b := newBox(t, t.TempDir())
	b.start()
	b.record(at(cam.URL()))
	b.more(6 * time.Second)
	stop()
	b.stop()
	b.start() // with the last part of the session stored
	run := b.runs()[0]
	head := casework.TimeSpan{From: run.From, To: run.From.Add(1500 * time.Millisecond)}
	whole := must[[]byte](t)(b.fetch(head))
	files, err := filepath.Glob(filepath.Join(b.cfg.DataDir, "ring", "segments", "kasse-1", "*", "*.seg"))
	if err != nil || len(files) == 0 {
		t.Fatalf("segments: %v, %v", files, err)
	}
	b.stop()
	flip(t, files[len(files)-1], -40) // in the last part
	b.start()

	if again, err := b.fetch(head); err != nil || !bytes.Equal(again, whole) {
		t.Errorf("what is not damaged does not play: %v", err)
	}
	_, err = b.fetch(run)
	p := refused(t, "the damaged part", err, "clip.damaged")
	when := func(s string) bool {
		for at := run.To.Add(-5 * time.Second); !at.After(run.To); at = at.Add(time.Second) {
			if strings.Contains(s, at.In(clock.Copenhagen).Format("15:04:05")) {
				return true
			}
		}
		return false
	}
	if !when(p.Cause.EN) || !when(p.Cause.DA) || !strings.Contains(p.Cause.EN, "kasse-1") {
		t.Errorf("the damaged part is told as %q, want its camera and time near %v", p.Cause.EN, run.To)
	}
	if c := b.ill("ring", "ring.damaged"); !when(c.Text.DA) {
		t.Errorf("the health page says %q, want the time", c.Text.DA)
	}
	b.log.tells(t, "video cut short", "kasse-1", "is damaged", "one that begins after it")
}

// A flipped byte in a sealed copy, in the case and in the identity: each is
// told, and the rest of the box goes on.
func TestDamagedBox(t *testing.T) {
	t.Parallel()
	cam, _ := camera(t, "", clip(t), false)
	c := newCentre(t)
	b := newBox(t, t.TempDir())
	b.start()
	code := must[string](t)(c.op.AddMember(t.Context(), story.Member{ID: "butik-a", Name: "Butik A", Town: "Odense", Region: "Syddanmark", Country: "DK", Trade: "Elektronik"}))
	must[casework.Enrolment](t)(b.call.Enrol(t.Context(), code))
	b.record(at(cam.URL()))
	b.more(time.Second)
	run := b.runs()[0]
	span := casework.TimeSpan{From: run.From, To: run.From.Add(2 * time.Second)}
	good, hit := b.newCase(span, "Sagen, der bliver ved med at være hel."), b.newCase(span, "Sagen, der bliver beskadiget.")
	rect := subject.Rect{X: 0.35, Y: 0.35, W: 0.3, H: 0.4}
	must[casework.CaseView](t)(b.call.Redact(t.Context(), good.ID, casework.SubjectChange{Version: good.Version,
		Subjects: []subject.Subject{{Version: subject.Version, Keyframes: []subject.Keyframe{{At: 0.5, Rect: &rect}}}}}))
	poll(t, "the copy", func() bool {
		p := must[casework.Progress](t)(b.call.CaseProgress(t.Context(), good.ID))
		if p.Stage == "failed" {
			t.Fatalf("no copy: %+v", p.Problem)
		}
		return p.Stage == "done"
	})
	k := b.keep()
	b.stop()

	flip(t, filepath.Join(b.cfg.DataDir, "copies", string(good.ID)+".sealed"), -200)
	flip(t, filepath.Join(b.cfg.DataDir, "identity.sealed"), -20)
	flipCase(t, filepath.Join(b.cfg.DataDir, "box.db"), hit.ID)
	b.start()

	b.ill("extranet", "enrol.damaged")
	b.log.tells(t, "cannot speak to the extranet", "identity.sealed")
	_, err := b.call.Members(t.Context())
	refused(t, "members", err, "enrol.damaged")

	b.ill("store", "store.damaged")
	b.log.tells(t, "cases/"+string(hit.ID), "Restore box.db")
	_, err = b.call.Case(t.Context(), hit.ID)
	refused(t, "the damaged case", err, "store.damaged")
	all, err := b.call.Cases(t.Context())
	if err != nil || len(all) != 1 || all[0].ID != good.ID {
		t.Errorf("the list of cases: %v, %v; want the one that is whole", all, err)
	}

	m, err := b.call.CaseCopy(t.Context(), good.ID)
	if err == nil {
		_, err = io.ReadAll(m)
		err = errors.Join(err, m.Close())
	}
	refused(t, "the damaged copy", err, "copy.damaged")
	b.log.tells(t, "The copy on the box is damaged", "Make the veiled copy again")

	b.more(2 * time.Second)
	b.kept(k)

	// The remedy for the identity: enrol again, with a new code.
	again := must[string](t)(c.op.Code(t.Context(), "butik-a"))
	must[casework.Enrolment](t)(b.call.Enrol(t.Context(), again))
	b.well("extranet")
}

// flipCase changes a byte of a case's sealed body.
func flipCase(t *testing.T, path string, id incident.CaseID) {
	t.Helper()
	db := must[*sql.DB](t)(sql.Open("sqlite3", "file:"+path))
	defer db.Close()
	var body []byte
	if err := db.QueryRow("SELECT body FROM cases WHERE id = ?", id).Scan(&body); err != nil {
		t.Fatal(err)
	}
	body[len(body)/2] ^= 1
	if _, err := db.ExecContext(context.Background(), "UPDATE cases SET body = ? WHERE id = ?", body, id); err != nil {
		t.Fatal(err)
	}
}

// Without the key that belongs to the data nothing is opened and nothing is
// written over.
func TestDamagedKey(t *testing.T) {
	t.Parallel()
	b := newBox(t, t.TempDir())
	b.start()
	b.stop()
	key := filepath.Join(b.cfg.DataDir, "keys", "box.key")
	right := must[[]byte](t)(os.ReadFile(key))
	write(t, key, string(right[:20]), 0o600)
	if err := b.open(); err == nil || !strings.Contains(err.Error(), "restore it from the backup") {
		t.Errorf("a key cut short: %v", err)
	}
	flip(t, key, 3)
	write(t, key, string(bytes.Repeat([]byte{7}, len(right))), 0o600)
	if err := b.open(); err == nil || !strings.Contains(err.Error(), "restore") {
		t.Errorf("another key: %v", err)
	}
	write(t, key, string(right), 0o600)
	b.start()
	b.well("ring")
}
