package casework

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"veilbox/appliance/incident"
	"veilbox/appliance/store"
)

// lasting is a person whose authorisation never ends.
func (b *box) lasting(who string) Actor {
	a := b.people[who]
	a.Session.Person = a.Session.Person.Clone()
	a.Session.Person.Authorisation.To = start.AddDate(50, 0, 0)
	if q := a.Session.Person.Qualification; q != nil {
		q.To = start.AddDate(50, 0, 0)
	}
	return a
}

func (b *box) held(id incident.CaseID) bool {
	b.t.Helper()
	all, err := b.opt.Ring.Holds(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	for _, h := range all {
		if h.ID == string(id) {
			return true
		}
	}
	return false
}

// gone fails the test unless nothing but the tombstone is left of v.
func (b *box) gone(v CaseView, by, why string) {
	b.t.Helper()
	c, err := b.opt.Store.Case(b.t.Context(), v.ID)
	if err != nil {
		b.t.Fatal(err)
	}
	d := c.Deletion
	if c.State != incident.Deleted || d == nil || d.Name != by || d.Why != why || !d.At.Equal(b.clock.Now()) {
		b.t.Fatalf("%s %+v", c.State, d)
	}
	if c.What != "" || c.Tagged.Name != "" || c.SubmittedBy != nil || len(c.Assessments)+len(c.Subjects)+len(c.Documents)+len(c.Facts) > 0 || c.Clip.Camera != "" || c.Copy != nil || c.Evidence.BasisWords != "" || len(c.Evidence.Circle.Members) > 0 {
		b.t.Errorf("something is left: %+v", c)
	}
	if b.held(v.ID) {
		b.t.Error("its footage is still held")
	}
	files, err := filepath.Glob(filepath.Join(b.opt.Dir, "*", string(v.ID)+"*"))
	if err != nil || len(files) > 0 {
		b.t.Errorf("%s, %v", files, err)
	}
	if _, err := b.opt.Store.Redaction(b.t.Context(), v.ID); !errors.Is(err, store.ErrNotFound) {
		b.t.Errorf("the record of its redaction: %v", err)
	}
	if len(b.spans.within(till, v.Clip.Span, v.Clip.Span.To-v.Clip.Span.From)) > 0 {
		b.t.Error("the time line still shows it")
	}
	staff := b.lasting("staff")
	list, err := b.Cases(b.t.Context(), staff)
	if err != nil || len(list) != 0 {
		b.t.Errorf("it is in the list: %d, %v", len(list), err)
	}
	dead, err := b.DeletedCases(b.t.Context(), b.people["auditor"])
	if err != nil || len(dead) != 1 || dead[0].ID != v.ID || len(dead[0].May) != 0 {
		b.t.Errorf("%d in the auditor's list, %v", len(dead), err)
	}
	one, err := b.Case(b.t.Context(), staff, v.ID)
	if b.must(one, err).State != incident.Deleted || len(one.Findings) != 0 {
		b.t.Errorf("%+v", one)
	}
}

func (b *box) kept(v CaseView) incident.Case {
	b.t.Helper()
	c, err := b.opt.Store.Case(b.t.Context(), v.ID)
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

func goneKinds(d *incident.Deletion) string {
	var out []string
	for _, g := range d.What {
		if g.Hash.IsZero() {
			out = append(out, "no hash")
		}
		out = append(out, g.Kind)
	}
	return strings.Join(out, " ")
}

func TestAManagerDeletesACase(t *testing.T) {
	b := newBox(t)
	v, err := b.document(redacted(b), "staff", 3)
	b.must(v, err)
	manager := b.people["manager"]
	refused(t, b.DeleteCase(t.Context(), manager, v.ID, " "), "delete.reason")
	refused(t, b.DeleteCase(t.Context(), manager, "NONE", "fejl"), "case.missing")
	hash := v.Copy.Hash.Hash
	if err := b.DeleteCase(t.Context(), manager, v.ID, "oprettet ved en fejl"); err != nil {
		t.Fatal(err)
	}
	b.gone(v, names["manager"], "oprettet ved en fejl")
	c := b.get(v)
	if goneKinds(c.Deletion) != "clip copy document answers" || c.Deletion.What[1].Hash != hash || c.Deletion.What[0].Hash != v.Clip.Hash.Hash || c.Deletion.What[2].Hash != v.Documents[0].Hash {
		t.Errorf("%s %+v", goneKinds(c.Deletion), c.Deletion)
	}
	refused(t, b.DeleteCase(t.Context(), manager, v.ID, "igen"), "case.missing")
	b.restart()
	b.sweep()
	b.gone(v, names["manager"], "oprettet ved en fejl")
	if n := b.count("case.delete"); n != 1 {
		t.Errorf("%d times on record", n)
	}
}

func TestACaseThatRunsIsNotDeleted(t *testing.T) {
	b := newBox(t)
	for name, v := range map[string]CaseView{"submitted": b.submitted(), "released": b.released(), "disclosed": b.disclosed()} {
		refused(t, b.DeleteCase(t.Context(), b.people["manager"], v.ID, "fejl"), "case.delete")
		if got := b.get(v); got.State != v.State || !b.held(v.ID) || slices.Contains(got.May, "delete") {
			t.Errorf("%s: %s", name, got.State)
		}
	}
	b.jobs.init()
	v := b.newCase()
	v, err := b.Redact(t.Context(), b.people["staff"], v.ID, SubjectChange{Version: v.Version, Subjects: nil, Choice: v.Choice})
	if err == nil {
		t.Fatalf("%s", v.State)
	}
}

func TestAnEndedCaseIsDeletedByTheClock(t *testing.T) {
	for name, tc := range map[string]struct{ keep, after time.Duration }{
		"a year":       {0, 365 * day},
		"as told":      {90 * day, 90 * day},
		"after outage": {90 * day, 200 * day},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			b.opt.KeepCases = tc.keep
			b.restart()
			v := b.disclosed()
			b.clock.Advance(time.Hour)
			w, err := b.Withdraw(t.Context(), b.people["manager"], v.ID, "forkert person")
			ended := *b.must(w, err).Disclosure.Ended
			b.at(ended.Add(min(tc.after, 90*day) - time.Second))
			b.sweep()
			if got := b.kept(v); got.State != incident.Withdrawn {
				t.Fatalf("too early: %s", got.State)
			}
			b.at(ended.Add(tc.after))
			if name == "after outage" {
				b.restart()
			}
			b.sweep()
			b.sweep()
			b.gone(v, clockName, "opbevaringstiden er udløbet")
			c := b.kept(v)
			if d := c.Disclosure; d == nil || d.ID != v.Disclosure.ID || d.Ended == nil || d.EndReason != "" || d.EndedBy != "" {
				t.Errorf("%+v", d)
			}
			if n := b.count("case.delete"); n != 1 {
				t.Errorf("%d times on record", n)
			}
			// A clock that is set back brings nothing back.
			b.at(ended)
			b.sweep()
			if got := b.kept(v); got.State != incident.Deleted {
				t.Errorf("%s", got.State)
			}
		})
	}
}

func TestADraftIsKeptAsLongAsItsFootage(t *testing.T) {
	b := newBox(t)
	v := b.newCase()
	b.at(start.Add(200 * day))
	b.sweep()
	if got := b.get(v); got.State != incident.Draft {
		t.Fatalf("a draft with footage held is %s", got.State)
	}
	// The footage is gone without the case being told.
	if err := b.opt.Ring.Release(t.Context(), string(v.ID), "test"); err != nil {
		t.Fatal(err)
	}
	b.sweep()
	b.gone(v, clockName, "aldrig delt, og optagelsen findes ikke længere")
}

func TestADeletionThatIsCutOffIsFinished(t *testing.T) {
	b := newBox(t)
	v := redacted(b)
	if err := b.DeleteCase(t.Context(), b.people["manager"], v.ID, "fejl"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.copyFiles(v.ID).path, []byte("left"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.restart()
	b.sweep()
	b.gone(v, names["manager"], "fejl")
}
