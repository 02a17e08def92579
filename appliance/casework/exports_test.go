package casework

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"veilbox/appliance/incident"
	"veilbox/appliance/statement"
	"veilbox/capture/ring"
)

func (b *box) verifier() note.Verifier {
	b.t.Helper()
	v, err := note.NewVerifier(b.opt.Audit.VerifierKey())
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

func (b *box) takeOut(n NewExport) ExportView {
	b.t.Helper()
	x, err := b.NewExport(b.t.Context(), b.people["manager"], till, n, true)
	if err != nil {
		b.t.Fatal(err)
	}
	return x
}

func (b *box) fetched(id string) []byte {
	b.t.Helper()
	m, v, err := b.ExportClip(b.t.Context(), b.people["manager"], id)
	if err != nil {
		b.t.Fatal(err)
	}
	all, err := io.ReadAll(m)
	if err = errors.Join(err, m.Close()); err != nil || v.ID != id {
		b.t.Fatal(v, err)
	}
	return all
}

func TestAnExportIsWhatItsStatementSays(t *testing.T) {
	b := newBox(t)
	from, to := span()
	x := b.takeOut(NewExport{From: from, To: to, Purpose: " 0700-12345-00001-26 "})
	if x.State != "ready" || x.Done != x.Size || x.Purpose != "0700-12345-00001-26" || x.By != names["manager"] || x.Kept || len(x.Gaps) != 0 {
		t.Errorf("%+v", x)
	}
	video := b.fetched(x.ID)
	st, err := statement.Verify([]byte(x.Statement), b.verifier())
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Matches(bytes.NewReader(video)); err != nil {
		t.Errorf("the video is not the one that was signed for: %v", err)
	}
	entry := b.last("footage.export")
	if st.Box != "test-box" || st.Camera != till || st.CameraName != "Kassen" || st.Person != names["manager"] || st.AuditEntry != entry.Seq || st.Frames != x.Frames || st.Frames == 0 || st.SHA256.String() != x.SHA256 || st.Codec != "H.264" {
		t.Errorf("%+v", st)
	}
	if entry.About["export"] != x.ID || entry.Why != x.Purpose {
		t.Errorf("on record: %+v", entry)
	}
	b.fetched(x.ID) // in ranges, or once more
	if n := b.count("export.fetch"); n != 1 {
		t.Errorf("%d fetches on record, want one for ten minutes", n)
	}
	// More is recorded; the export stays as it was.
	for _, p := range recording(t)[seconds:] {
		if err := b.opt.Ring.Append(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	b.restart()
	if again := b.fetched(x.ID); !bytes.Equal(again, video) {
		t.Error("it changed when more was recorded")
	}
	text, err := b.ExportStatement(t.Context(), b.people["manager"], x.ID)
	if v, err2 := b.Export(t.Context(), b.people["manager"], x.ID); err != nil || err2 != nil || string(text) != x.Statement || v.SHA256 != x.SHA256 {
		t.Errorf("%v, %v", err, err2)
	}
}

// A span that reaches to where the recording is at work does not grow.
func TestAnExportUpToNowStays(t *testing.T) {
	b := newBox(t)
	x := b.takeOut(NewExport{From: recorded.Add(time.Second), To: start, Purpose: "0700-1"})
	video := b.fetched(x.ID)
	for _, p := range recording(t)[seconds:] {
		if err := b.opt.Ring.Append(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	if again := b.fetched(x.ID); !bytes.Equal(again, video) {
		t.Errorf("%d bytes, then %d", len(video), len(again))
	}
}

func TestExportsThatCannotBe(t *testing.T) {
	b := newBox(t)
	from, to := span()
	soon, late := start.Add(-time.Hour), start.Add(keepMost+time.Hour)
	for name, tc := range map[string]struct {
		n    NewExport
		code string
	}{
		"no purpose":         {NewExport{From: from, To: to, Purpose: " "}, "export.purpose"},
		"an endless purpose": {NewExport{From: from, To: to, Purpose: strings.Repeat("x", statement.MaxText+1)}, "input.words"},
		"not over":           {NewExport{From: from, To: start.Add(time.Second), Purpose: "p"}, "export.span"},
		"nothing recorded":   {NewExport{From: from.Add(-time.Hour), To: to.Add(-time.Hour), Purpose: "p"}, "clip.none"},
		"review over":        {NewExport{From: from, To: to, Purpose: "p", Keep: true, Review: &soon}, "export.review"},
		"kept for ever":      {NewExport{From: from, To: to, Purpose: "p", Keep: true, Review: &late}, "export.review"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := b.NewExport(t.Context(), b.people["manager"], till, tc.n, true)
			refused(t, err, tc.code)
		})
	}
	if b.count("footage.export") != 0 {
		t.Error("what was refused is on record as done")
	}
	for _, id := range []string{"none", "../x", strings.Repeat("x", 100)} {
		_, err := b.Export(t.Context(), b.people["manager"], id)
		refused(t, err, "export.missing")
	}
}

func TestAnExportOfWhatIsGoneIsRefused(t *testing.T) {
	b := newBox(t)
	from, to := span()
	x := b.takeOut(NewExport{From: from, To: to, Purpose: "0700-1"})
	b.at(start.Add(20 * 24 * time.Hour))
	if err := b.ConfirmClock(t.Context(), b.people["manager"]); err != nil {
		t.Fatal(err)
	}
	b.at(start.Add(31 * 24 * time.Hour))
	if err := b.ConfirmClock(t.Context(), b.people["manager"]); err != nil {
		t.Fatal(err)
	}
	if _, err := b.opt.Ring.Expire(t.Context()); err != nil {
		t.Fatal(err)
	}
	a := b.people["manager"]
	_, _, err := b.ExportClip(t.Context(), a, x.ID)
	refused(t, err, "export.changed")
	if text, err := b.ExportStatement(t.Context(), a, x.ID); err != nil || len(text) == 0 {
		t.Errorf("what was said of it is gone: %v", err)
	}
	a.Session.Person.Authorisation.To = start.AddDate(9, 0, 0)
	b.at(start.Add(exportsKept + time.Hour))
	if err := b.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = b.Export(t.Context(), a, x.ID)
	refused(t, err, "export.missing")
}

func TestExportTellsHowFarItIs(t *testing.T) {
	b := newBox(t)
	from, to := span()
	a := b.people["manager"]
	x, err := b.NewExport(t.Context(), a, till, NewExport{From: from, To: to, Purpose: "0700-1"}, false)
	if err != nil || x.State != "hashing" || x.SHA256 != "" || x.Size == 0 {
		t.Fatalf("%+v, %v", x, err)
	}
	b.until(func() bool { v, err := b.Export(t.Context(), a, x.ID); return err == nil && v.State == "ready" }, func() string { return "it is never ready" })

	// Two at once; what cannot be read is told and keeps nobody out.
	job := func(id string) *exporting {
		return &exporting{view: ExportView{ID: id, State: "hashing"}, done: make(chan struct{})}
	}
	for _, id := range []string{"a", "b"} {
		if err := b.exports.add(job(id)); err != nil {
			t.Fatal(err)
		}
	}
	_, err = b.NewExport(t.Context(), a, till, NewExport{From: from, To: to, Purpose: "0700-1"}, true)
	refused(t, err, "export.busy")
	_, _, err = b.ExportClip(t.Context(), a, "a")
	refused(t, err, "export.wait")
}

func TestKeptForThePolice(t *testing.T) {
	b := newBox(t)
	from, to := span()
	review := start.Add(10 * 24 * time.Hour)
	x := b.takeOut(NewExport{From: from, To: to, Purpose: "0700-1", Keep: true, Review: &review})
	manager := b.people["manager"]
	holds, err := b.Holds(t.Context(), manager)
	if err != nil || len(holds) != 1 || holds[0].What != "0700-1" || holds[0].Due || !holds[0].Release || !holds[0].Review.Equal(review) || holds[0].ID != exportHold+x.ID {
		t.Fatalf("%+v, %v", holds, err)
	}
	b.at(review)
	if holds, err = b.Holds(t.Context(), manager); err != nil || !holds[0].Due {
		t.Errorf("%+v, %v", holds, err)
	}
	for _, bad := range []struct {
		id   string
		ch   HoldChange
		code string
	}{
		{holds[0].ID, HoldChange{review.Add(time.Hour), " "}, "hold.why"}, {holds[0].ID, HoldChange{review, "x"}, "hold.review"},
		{holds[0].ID, HoldChange{review.Add(keepMost + time.Hour), "x"}, "hold.review"}, {"none", HoldChange{review.Add(time.Hour), "x"}, "hold.missing"},
	} {
		_, err := b.ExtendHold(t.Context(), manager, bad.id, bad.ch)
		refused(t, err, bad.code)
	}
	later := review.Add(keepFor)
	h, err := b.ExtendHold(t.Context(), manager, holds[0].ID, HoldChange{later, " retssagen kører "})
	if err != nil || h.Due || !h.Review.Equal(later) || h.What != "0700-1" || h.Name == "" {
		t.Fatalf("%+v, %v", h, err)
	}
	if e := b.last("hold.extend"); e.Why != "retssagen kører" || e.Who.Name != names["manager"] || e.About["until"] != later.Format(time.RFC3339) || e.About["before"] != review.Format(time.RFC3339) {
		t.Errorf("on record: %+v", e)
	}
	b.at(start.Add(40 * 24 * time.Hour)) // the footage is older than anything may be without a hold
	if _, err := b.opt.Ring.Expire(t.Context()); err != nil {
		t.Fatal(err)
	}
	m, _, err := b.ExportClip(t.Context(), manager, x.ID)
	if err != nil || m.Size() != x.Size {
		t.Fatalf("what is kept for the police is gone: %v", err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	refused(t, b.ReleaseHold(t.Context(), manager, holds[0].ID, " "), "hold.reason")
	refused(t, b.ReleaseHold(t.Context(), manager, "none", "x"), "hold.missing")
	if err := b.ReleaseHold(t.Context(), manager, holds[0].ID, "sagen er afgjort"); err != nil {
		t.Fatal(err)
	}
	if holds, err = b.Holds(t.Context(), manager); err != nil || len(holds) != 0 {
		t.Errorf("%+v, %v", holds, err)
	}
	if _, err := b.opt.Ring.Expire(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, _, err = b.ExportClip(t.Context(), manager, x.ID)
	refused(t, err, "export.changed")
	if e := b.last("hold.release"); e.Why != "sagen er afgjort" || e.Who.Name != names["manager"] || e.About["hold"] != exportHold+x.ID {
		t.Errorf("on record: %+v", e)
	}
}

func TestACaseThatRunsKeepsItsFootage(t *testing.T) {
	for name, tc := range map[string]struct {
		make func(*box) CaseView
		code string
		then incident.State
	}{
		"draft":     {(*box).newCase, "", incident.Withdrawn},
		"veiled":    {redacted, "", incident.Withdrawn},
		"submitted": {func(b *box) CaseView { return b.submitted() }, "", incident.Withdrawn},
		"at work":   {func(b *box) CaseView { return b.redact(b.newCase()) }, "hold.needed", incident.Tagged},
		"released":  {func(b *box) CaseView { return b.released() }, "hold.needed", incident.Released},
		"withdrawn": {func(b *box) CaseView {
			v := b.released()
			v, err := b.Withdraw(b.t.Context(), b.people["manager"], v.ID, "forkert person")
			return b.must(v, err)
		}, "", incident.Withdrawn},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			v := tc.make(b)
			manager := b.people["manager"]
			holds, err := b.Holds(t.Context(), manager)
			if err != nil || len(holds) != 1 || holds[0].Case != v.ID || holds[0].Release != (tc.code == "") || holds[0].What != v.What {
				t.Fatalf("%+v, %v", holds, err)
			}
			err = b.ReleaseHold(t.Context(), manager, string(v.ID), "frafaldet")
			if tc.code != "" {
				refused(t, err, tc.code)
			} else if err != nil {
				t.Fatal(err)
			}
			left, err := b.Holds(t.Context(), manager)
			if err != nil || (len(left) == 0) != (tc.code == "") {
				t.Errorf("%+v, %v", left, err)
			}
			if v, err := b.Case(t.Context(), manager, v.ID); err != nil || v.State != tc.then {
				t.Errorf("the case is %s, %v", v.State, err)
			}
			if err := b.Sweep(t.Context()); err != nil {
				t.Errorf("the clocks trip over it: %v", err)
			}
		})
	}
}

func TestTheClockIsConfirmedByAPerson(t *testing.T) {
	b := newBox(t)
	has := func() bool {
		t.Helper()
		if _, err := b.opt.Ring.Expire(t.Context()); err != nil { // which looks at the clock
			t.Fatal(err)
		}
		checks, err := b.Health(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range checks {
			if c.Name == ClockDoubt {
				return !c.OK && c.Problem != nil && strings.Contains(c.Text.DA, "10 dage")
			}
		}
		return false
	}
	if has() {
		t.Fatal("a clock that runs is doubted")
	}
	open := func() *ring.Ring {
		t.Helper()
		r, err := ring.Open(t.Context(), ring.Options{Dir: filepath.Join(b.opt.Dir, "away"), Key: b.opt.Key.Derive("r"), Quota: 64 << 20, Clock: b.clock, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := open()
	_, err := r.Expire(t.Context())
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	b.at(start.Add(10 * 24 * time.Hour)) // off, or only its clock was set?
	b.opt.Ring = open()
	defer func() {
		if err := b.opt.Ring.Close(); err != nil {
			t.Error(err)
		}
	}()
	b.restart()
	if !has() {
		t.Fatal("a jump of ten days is not told")
	}
	if err := b.ConfirmClock(t.Context(), b.people["manager"]); err != nil {
		t.Fatal(err)
	}
	if has() {
		t.Error("it is doubted after a person confirmed it")
	}
	if e := b.last("clock.confirm"); e.Who.Name != names["manager"] {
		t.Errorf("on record: %+v", e)
	}
}

// brokenSigner is a signer whose key is away.
type brokenSigner struct{ note.Signer }

func (brokenSigner) Sign([]byte) ([]byte, error) { return nil, errors.New("the key is away") }

func TestAnExportThatFailsKeepsNothing(t *testing.T) {
	b := newBox(t)
	from, to := span()
	a := b.people["manager"]
	b.o.Signer = brokenSigner{b.o.Signer}
	if _, err := b.NewExport(t.Context(), a, till, NewExport{From: from, To: to, Purpose: "0700-1", Keep: true}, true); err == nil {
		t.Fatal("an export without a signature")
	}
	x, err := b.NewExport(t.Context(), a, till, NewExport{From: from, To: to, Purpose: "0700-1", Keep: true}, false)
	if err != nil {
		t.Fatal(err)
	}
	b.until(func() bool { x, err = b.Export(t.Context(), a, x.ID); return err != nil || x.State == "failed" }, func() string { return x.State })
	if err != nil || x.Problem == nil || x.Statement != "" {
		t.Errorf("%+v, %v", x, err)
	}
	_, _, err = b.ExportClip(t.Context(), a, x.ID)
	refused(t, err, "export.wait")
	if holds, err := b.Holds(t.Context(), a); err != nil || len(holds) != 0 {
		t.Errorf("%+v, %v", holds, err)
	}
}
