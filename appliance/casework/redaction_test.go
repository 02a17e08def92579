package casework

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"veilbox/appliance/incident"
	"veilbox/internal/problem"
	"veilbox/redact"
	"veilbox/redact/subject"
)

func (b *box) redact(v CaseView) CaseView {
	b.t.Helper()
	v, err := b.Redact(b.t.Context(), b.people["staff"], v.ID, SubjectChange{Version: v.Version, Subjects: []subject.Subject{somebody()}})
	return b.must(v, err)
}

func (b *box) progress(v CaseView) Progress {
	b.t.Helper()
	p, err := b.CaseProgress(b.t.Context(), b.people["staff"], v.ID)
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

// noCopy fails the test where anything is left of a case's copy.
func (b *box) noCopy(v CaseView) {
	b.t.Helper()
	_, err := b.CaseCopy(b.t.Context(), b.people["assessor"], v.ID, false)
	refused(b.t, err, "copy.missing")
	_, err = b.Sheet(b.t.Context(), b.people["assessor"], v.ID)
	refused(b.t, err, "copy.missing")
	_, err = b.SheetPicture(b.t.Context(), b.people["assessor"], v.ID, 0)
	refused(b.t, err, "copy.missing")
	if left, err := filepath.Glob(filepath.Join(b.opt.Dir, "copies", "*")); err != nil || len(left) > 0 {
		b.t.Fatalf("left on the disk: %s, %v", left, err)
	}
}

func TestRedactMakesAProvedSealedCopy(t *testing.T) {
	b := newBox(t)
	v := b.newCase()
	_, err := b.Redact(t.Context(), b.people["staff"], v.ID, SubjectChange{Version: v.Version, Subjects: []subject.Subject{{Version: 1}}})
	refused(t, err, "subject.bad")
	if p := b.progress(v); p.Running || p.Stage != "" {
		t.Errorf("before it began: %+v", p)
	}
	v = b.redact(v)
	if v.State != incident.Tagged || v.Progress == nil || !v.Progress.Running || v.Progress.Stage != "queued" {
		t.Fatalf("%s %+v", v.State, v.Progress)
	}
	_, err = b.Redact(t.Context(), b.people["staff"], v.ID, SubjectChange{Subjects: []subject.Subject{somebody()}})
	refused(t, err, "case.state")
	b.work()
	v = b.await(v.ID, incident.Redacted)
	if v.Copy == nil || !v.Copy.Passed || v.Copy.Clip != v.Clip.Hash || v.Copy.Proof.IsZero() || v.Copy.Sheet.IsZero() {
		t.Fatalf("%+v", v.Copy)
	}
	b.until(func() bool { return b.progress(v).Stage == "done" }, func() string { return "it is never done" })

	onDisk, err := os.ReadFile(b.copyFiles(v.ID).path)
	if err != nil {
		t.Fatal(err)
	}
	for _, box := range []string{"ftyp", "moov", "mdat", "avc1"} {
		if bytes.Contains(onDisk, []byte(box)) {
			t.Errorf("the copy on the disk has a box %s: it is not sealed", box)
		}
	}
	m, err := b.CaseCopy(t.Context(), b.people["assessor"], v.ID, false)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(m)
	if err := errors.Join(err, m.Close()); err != nil || int64(len(plain)) != m.Size() || string(plain[4:8]) != "ftyp" {
		t.Errorf("%d bytes of %d, %v", len(plain), m.Size(), err)
	}
	sheet, err := b.Sheet(t.Context(), b.people["assessor"], v.ID)
	if err != nil || sheet.Hash != v.Copy.Sheet || len(sheet.Pictures) == 0 || sheet.Duration < 1.9 || sheet.Shown <= 0 || sheet.Shown > sheet.Duration {
		t.Errorf("%+v, %v", sheet, err)
	}
	if jpeg, err := b.SheetPicture(t.Context(), b.people["assessor"], v.ID, 0); err != nil || !bytes.HasPrefix(jpeg, []byte{0xff, 0xd8}) {
		t.Errorf("%d bytes, %v", len(jpeg), err)
	}
	for _, n := range []int{-1, len(sheet.Pictures)} {
		_, err := b.SheetPicture(t.Context(), b.people["assessor"], v.ID, n)
		refused(t, err, "sheet.picture")
	}
	if proof, err := b.Proof(t.Context(), b.people["staff"], v.ID); err != nil || !bytes.Contains(proof, []byte(v.Copy.Hash.String())) {
		t.Errorf("the proof does not name the copy: %s, %v", proof, err)
	}
	b.restart()
	r, err := b.copyRecord(t.Context(), v.ID)
	if err != nil {
		t.Fatal(err)
	}
	if cp, err := redact.Reopen(r, b.copyFiles(v.ID)); err != nil || cp.Hash() != v.Copy.Hash {
		t.Errorf("after a restart: %v", err)
	}
	if p := b.progress(v); p.Stage != "done" {
		t.Errorf("after a restart: %+v", p)
	}
}

func TestCancelRedaction(t *testing.T) {
	for _, again := range []bool{false, true} {
		name := map[bool]string{false: "the first copy", true: "the second copy"}[again]
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			v := b.newCase()
			if again {
				v = b.veiled(v)
			}
			v = b.redact(v)
			if b.noCopy(v); v.Copy != nil {
				t.Error("the case still names the copy before")
			}
			if err := b.CancelRedaction(t.Context(), b.people["staff"], v.ID); err != nil {
				t.Fatal(err)
			}
			v = b.await(v.ID, incident.Draft)
			if v.Copy != nil || v.Progress == nil || v.Progress.Running || v.Progress.Problem == nil || v.Progress.Problem.Code != "redact.cancelled" {
				t.Errorf("cancelled in the queue: %+v %+v", v.Copy, v.Progress)
			}
			b.noCopy(v)

			began := make(chan struct{})
			b.red.before = func(ctx context.Context, progress func(redact.Progress)) error {
				progress(redact.Progress{Stage: "track", Done: 7, Total: 50})
				close(began)
				<-ctx.Done()
				return ctx.Err()
			}
			b.work()
			v = b.redact(v)
			<-began
			if p := b.progress(v); !p.Running || p.Stage != "track" || p.Done != 7 || p.Total != 50 {
				t.Errorf("while it runs: %+v", p)
			}
			if err := b.CancelRedaction(t.Context(), b.people["staff"], v.ID); err != nil {
				t.Fatal(err)
			}
			v = b.await(v.ID, incident.Draft)
			if p := b.progress(v); p.Running || p.Problem == nil || p.Problem.Code != "redact.cancelled" {
				t.Errorf("cancelled at work: %+v", p)
			}
			b.noCopy(v)
			b.red.before = nil
			v = b.redact(v)
			b.await(v.ID, incident.Redacted)
		})
	}
}

func TestAFailedRedactionIsADraftAgain(t *testing.T) {
	b := newBox(t)
	v := b.veiled(b.newCase())
	b.red.before = func(context.Context, func(redact.Progress)) error { return redact.NotProven }
	b.work()
	v = b.redact(v)
	v = b.await(v.ID, incident.Draft)
	if v.Copy != nil || v.Progress == nil || v.Progress.Stage != "failed" || v.Progress.Problem == nil || v.Progress.Problem.Code != redact.NotProven.Code {
		t.Errorf("%+v %+v", v.Copy, v.Progress)
	}
	b.noCopy(v)
	_, err := b.Submit(t.Context(), b.people["staff"], v.ID, v.Version)
	refused(t, err, "gate.missing")

	// An error with no text of its own does not tell what lies behind.
	b.red.before = func(context.Context, func(redact.Progress)) error { return errors.New("/secret/path") }
	v = b.redact(v)
	v = b.await(v.ID, incident.Draft)
	if v.Progress.Problem == nil || v.Progress.Problem.Code != problem.Internal.Code {
		t.Errorf("%+v", v.Progress)
	}
}

func TestARestartTakesUpTheRedaction(t *testing.T) {
	b := newBox(t)
	began := make(chan struct{})
	b.red.before = func(ctx context.Context, _ func(redact.Progress)) error {
		close(began)
		<-ctx.Done()
		return ctx.Err()
	}
	stop := b.work()
	v := b.redact(b.newCase())
	next := b.redact(b.newCase())
	<-began
	// What a power cut leaves of a copy that was being written.
	torn := filepath.Join(b.opt.Dir, "copies", ".tmp-123")
	if err := os.WriteFile(torn, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	stop()
	for _, id := range []incident.CaseID{v.ID, next.ID} {
		if got, err := b.Case(t.Context(), b.people["staff"], id); b.must(got, err).State != incident.Tagged {
			t.Fatalf("after the stop the case is %s", got.State)
		}
	}
	b.red.before = nil
	b.restart()
	if _, err := os.Stat(torn); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half a copy is left: %v", err)
	}
	if p := b.progress(v); !p.Running || p.Stage != "queued" {
		t.Errorf("after the start: %+v", p)
	}
	b.work()
	b.await(v.ID, incident.Redacted)
	b.await(next.ID, incident.Redacted)
}

func TestADamagedCopyIsNotReleased(t *testing.T) {
	b := newBox(t)
	v := b.submitted()
	path := b.copyFiles(v.ID).path
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]func([]byte) []byte{
		"a byte in the middle": func(f []byte) []byte { f[len(f)/2] ^= 1; return f },
		"the first byte":       func(f []byte) []byte { f[0] ^= 1; return f },
		"the last byte":        func(f []byte) []byte { f[len(f)-1] ^= 1; return f },
		"cut short":            func(f []byte) []byte { return f[:len(f)-100] },
		"empty":                func([]byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, damage(bytes.Clone(whole)), 0o600); err != nil {
				t.Fatal(err)
			}
			v, err := b.Case(t.Context(), b.people["assessor"], v.ID)
			b.must(v, err)
			_, err = b.approve(v, "assessor")
			refused(t, err, "copy.damaged")
			v, err = b.Case(t.Context(), b.people["assessor"], v.ID)
			if b.must(v, err); v.State != incident.Submitted || v.Disclosure != nil || len(v.Assessments) != 0 {
				t.Errorf("the case is %s with %d approvals", v.State, len(v.Assessments))
			}
			if len(b.up.log()) > 0 {
				t.Errorf("the uplink was asked to %s", b.up.log())
			}
		})
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	stored, err := b.opt.Store.Redaction(t.Context(), v.ID)
	if err != nil {
		t.Fatal(err)
	}
	r, err := b.copyRecord(t.Context(), v.ID)
	if err != nil {
		t.Fatal(err)
	}
	r.Size++
	other, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.opt.Store.SetRedaction(t.Context(), v.ID, other); err != nil {
		t.Fatal(err)
	}
	v, err = b.Case(t.Context(), b.people["assessor"], v.ID)
	b.must(v, err)
	_, err = b.approve(v, "assessor")
	refused(t, err, "copy.damaged")
	if err := b.opt.Store.SetRedaction(t.Context(), v.ID, stored); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_, err = b.CaseCopy(t.Context(), b.people["assessor"], v.ID, false)
	refused(t, err, "copy.damaged")
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	v, err = b.Case(t.Context(), b.people["assessor"], v.ID)
	b.must(v, err)
	v, err = b.approve(v, "assessor")
	if b.must(v, err).State != incident.Released {
		t.Errorf("the whole copy again: %s", v.State)
	}
}

func TestACopyOfAnotherCaseDoesNotFit(t *testing.T) {
	b := newBox(t)
	v, other := b.submitted(), b.submitted()
	theirs, err := os.ReadFile(b.copyFiles(other.ID).path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.copyFiles(v.ID).path, theirs, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = b.approve(v, "assessor")
	refused(t, err, "copy.damaged")
}
