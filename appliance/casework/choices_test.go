package casework

import (
	"bytes"
	"context"
	"io"
	"slices"
	"testing"

	"veilbox/appliance/audit"
	"veilbox/appliance/incident"
	"veilbox/appliance/policy"
	"veilbox/capture/footage"
	"veilbox/redact"
	"veilbox/redact/subject"
)

// ask has a copy made as staff and waits for it.
func (b *box) ask(v CaseView, ch SubjectChange) CaseView {
	b.t.Helper()
	stop := b.work()
	defer stop()
	ch.Version = v.Version
	v, err := b.Redact(b.t.Context(), b.people["staff"], v.ID, ch)
	b.must(v, err)
	return b.await(v.ID, incident.Redacted)
}

// entries are what is on record of an act.
func (b *box) entries(act string) []audit.Entry {
	b.t.Helper()
	all, err := b.opt.Audit.Entries(b.t.Context(), audit.Filter{Act: act})
	if err != nil {
		b.t.Fatal(err)
	}
	return all
}

func TestChoicesAreChecked(t *testing.T) {
	b := newBox(t)
	v := b.newCase()
	one := []subject.Subject{somebody()}
	for name, tt := range map[string]struct {
		ch   SubjectChange
		code string
	}{
		"nobody":                  {SubjectChange{}, "subject.bad"},
		"somebody without a box":  {SubjectChange{Subjects: []subject.Subject{{Version: 1}}}, "subject.bad"},
		"too many":                {SubjectChange{Subjects: slices.Repeat(one, 9), ShowMore: true}, "subject.bad"},
		"sound by staff":          {SubjectChange{Subjects: one, Choice: subject.Choice{Sound: "det er sjovt at høre"}}, "choice.sound"},
		"a still after the clip":  {SubjectChange{Subjects: one, Choice: subject.Choice{Still: &subject.Still{At: 99}}}, "choice.bad"},
		"a crop of nothing":       {SubjectChange{Subjects: one, Choice: subject.Choice{Still: &subject.Still{Crop: &subject.Rect{}}}}, "choice.bad"},
		"a place of two lines":    {SubjectChange{Subjects: one, Choice: subject.Choice{Stamp: &subject.Stamp{Place: "a\nb"}}}, "choice.bad"},
		"the scene, not meant":    {SubjectChange{Subjects: one, Choice: subject.Choice{Mode: subject.StillScene}}, "choice.more"},
		"two people, not meant":   {SubjectChange{Subjects: []subject.Subject{somebody(), at(0.6, 0.5)}}, "choice.more"},
		"a mode that is not":      {SubjectChange{Subjects: one, Choice: subject.Choice{Mode: 9}}, "choice.bad"},
		"training, a bad subject": {SubjectChange{Subjects: []subject.Subject{{Version: 1}}, Choice: subject.Choice{Mode: subject.BlurEverything}}, "subject.bad"},
	} {
		tt.ch.Version = v.Version
		_, err := b.Redact(t.Context(), b.people["staff"], v.ID, tt.ch)
		t.Run(name, func(t *testing.T) { refused(t, err, tt.code) })
	}
	if b.count("case.redact") != 0 || b.count("case.show-more") != 0 {
		t.Error("what was refused is on record as done")
	}
}

// Showing more than the least is a person's own act, kept with the case and on
// record; the next copy begins with the least again.
func TestShowingMoreIsOnRecord(t *testing.T) {
	b := newBox(t)
	v := b.ask(b.newCase(), SubjectChange{Subjects: []subject.Subject{somebody(), at(0.6, 0.5)}, Choice: subject.Choice{Mode: subject.StillScene}, ShowMore: true})
	var whats []string
	for _, w := range v.Widened {
		if w.Name != names["staff"] || w.By == "" || !w.At.Equal(start) {
			t.Errorf("%+v", w)
		}
		whats = append(whats, w.What)
	}
	if !slices.Equal(whats, []string{incident.WidenScene, incident.WidenSubjects}) || v.Widened[1].Count != 2 {
		t.Errorf("%+v", v.Widened)
	}
	on := b.entries("case.show-more")
	if len(on) != 2 || on[0].Who.Name != names["staff"] || on[0].About["shows"] != incident.WidenScene || on[1].About["subjects"] != "2" || on[1].About["case"] != string(v.ID) {
		t.Errorf("%+v", on)
	}
	// The ring holds seconds, not hours: nothing of the scene is shown, and it
	// is said.
	if v.Copy.Mode != subject.StillScene || v.Copy.Scene || v.Copy.Subjects != 2 || !slices.Contains(v.Copy.Notices, incident.NoticeShortScene) {
		t.Errorf("%+v", v.Copy)
	}
	b.red.mu.Lock()
	if b.red.job.Scene != nil {
		t.Error("a scene of seconds was given")
	}
	b.red.mu.Unlock()
	v = b.ask(v, SubjectChange{Subjects: []subject.Subject{somebody()}})
	if v.Copy.Mode != subject.SubjectOnly || v.Copy.Subjects != 1 || len(v.Widened) != 2 || b.count("case.show-more") != 2 {
		t.Errorf("%+v %+v", v.Copy, v.Widened)
	}
}

func TestSceneOfHours(t *testing.T) {
	at := func(s float64) footage.Ticks { return footage.Ticks(s * footage.TicksPerSecond) }
	runs := []footage.Span{{From: at(0), To: at(1000)}, {From: at(5000), To: at(8000)}}
	times := spread(runs, 40)
	if len(times) != 40 || !slices.IsSorted(times) || times[0] != at(50) || times[39] != at(7950) {
		t.Fatalf("%d times, %v", len(times), times)
	}
	for _, x := range times {
		if x >= at(1000) && x < at(5000) || x >= at(8000) {
			t.Errorf("%v is not recorded", x)
		}
	}
	if n := len(spread(runs[:1], 5000)); n != 1000 {
		t.Errorf("%d times of 1000 s, more than one a second", n)
	}
	if spread(nil, 10) != nil || spread(runs, 0) != nil {
		t.Error("times of nothing")
	}
}

// The box says when the clip was: a page's clock is not asked.
func TestTheStampIsTheBoxsOwnTime(t *testing.T) {
	b := newBox(t)
	b.red.instead = errNothing
	b.work()
	v := b.newCase()
	v, err := b.Redact(t.Context(), b.people["staff"], v.ID, SubjectChange{Version: v.Version, Subjects: []subject.Subject{somebody()},
		Choice: subject.Choice{Stamp: &subject.Stamp{Place: "  Kasse 1 ", Start: start.AddDate(-3, 0, 0)}}})
	b.must(v, err)
	if s := v.Choice.Stamp; s.Place != "Kasse 1" || !s.Start.Equal(v.Clip.Span.From.Time()) {
		t.Errorf("%+v", s)
	}
	b.await(v.ID, incident.Draft)
}

func TestAStillIsACopy(t *testing.T) {
	b := newBox(t)
	v := b.ask(b.answer(b.newCase(), evidence()), SubjectChange{Subjects: []subject.Subject{somebody()}, Choice: subject.Choice{Still: &subject.Still{At: 0.5}}})
	if v.Copy.Media != incident.MediaPicture {
		t.Fatalf("%+v", v.Copy)
	}
	m, err := b.CaseCopy(t.Context(), b.people["assessor"], v.ID, false)
	if err != nil {
		t.Fatal(err)
	}
	kind, err := Kind(m)
	if err != nil || kind != incident.MediaPicture {
		t.Errorf("%s, %v", kind, err)
	}
	jpeg, err := io.ReadAll(m)
	if err != nil || int64(len(jpeg)) != m.Size() || !bytes.HasPrefix(jpeg, []byte{0xff, 0xd8, 0xff}) {
		t.Errorf("%d bytes of %d, %v", len(jpeg), m.Size(), err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	v, err = b.Submit(t.Context(), b.people["staff"], v.ID, v.Version)
	v, err = b.approve(b.must(v, err), "assessor")
	if b.must(v, err).State != incident.Released || b.up.sent[0].rel.Shows().Media != incident.MediaPicture {
		t.Errorf("%s %+v", v.State, b.up.sent)
	}
}

// A copy for training shows nobody: it is never disclosed, and only a manager
// takes it out.
func TestTrainingStaysInTheShop(t *testing.T) {
	b := newBox(t)
	v := b.trained()
	if v.Copy.Mode != subject.BlurEverything || v.Copy.Subjects != 0 || slices.Contains(v.May, "submit") {
		t.Errorf("%+v %v", v.Copy, v.May)
	}
	v = b.answer(v, evidence())
	_, err := b.Submit(t.Context(), b.people["staff"], v.ID, v.Version)
	refused(t, err, "gate.missing")
	if !slices.ContainsFunc(v.Missing, func(r policy.Refusal) bool { return r.Code == "v5.training" && !r.ByAssessor }) {
		t.Errorf("%+v", v.Missing)
	}
	_, err = b.CaseCopy(t.Context(), b.people["staff"], v.ID, true)
	refused(t, err, "account.permission")
	m, err := b.CaseCopy(t.Context(), b.people["manager"], v.ID, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if on := b.entries("copy.download"); len(on) != 1 || on[0].Who.Name != names["manager"] {
		t.Errorf("%+v", on)
	}
	seen, err := b.Case(t.Context(), b.people["manager"], v.ID)
	if !slices.Contains(b.must(seen, err).May, "download") {
		t.Errorf("%v", seen.May)
	}
	other := b.veiled(b.newCase())
	_, err = b.CaseCopy(t.Context(), b.people["manager"], other.ID, true)
	refused(t, err, "copy.download")
}

func TestAlwaysVeiled(t *testing.T) {
	b := newBox(t)
	screen := subject.Rect{X: 0.7, Y: 0.1, W: 0.2, H: 0.2}
	_, err := b.SetVeiled(t.Context(), b.people["manager"], till, VeiledChange{Veiled: []subject.Rect{{X: 2}}})
	refused(t, err, "camera.veiled")
	_, err = b.SetVeiled(t.Context(), b.people["manager"], "door-9", VeiledChange{})
	refused(t, err, "camera.missing")
	b.veil(screen)
	if on := b.entries("camera.veiled"); len(on) != 1 || on[0].Who.Name != names["manager"] || on[0].About["regions"] != "1" || on[0].About["region1"] != "0.700 0.100 0.200 0.200" {
		t.Errorf("%+v", on)
	}
	v := b.submitted()
	b.red.mu.Lock()
	if !slices.Equal(b.red.job.Veiled, []subject.Rect{screen}) {
		t.Errorf("made with %v", b.red.job.Veiled)
	}
	b.red.mu.Unlock()
	if !slices.Equal(v.Copy.Veiled, []subject.Rect{screen}) || v.Copy.Outdated {
		t.Errorf("%+v", v.Copy)
	}
	// The regions change while the case is with the assessor.
	b.veil(screen, subject.Rect{X: 0.1, Y: 0.1, W: 0.1, H: 0.1})
	_, err = b.approve(v, "assessor")
	refused(t, err, "gate.missing")
	seen, err := b.Case(t.Context(), b.people["assessor"], v.ID)
	if !b.must(seen, err).Copy.Outdated || !slices.ContainsFunc(seen.Missing, func(r policy.Refusal) bool { return r.Code == "v5.veiled-changed" }) {
		t.Errorf("%+v", seen.Missing)
	}
	if stored, err := b.opt.Store.Case(t.Context(), v.ID); err != nil || len(stored.Assessments) != 0 {
		t.Errorf("%+v %v", stored.Assessments, err)
	}
	// As they were, the copy fits again; what is approved stays approved.
	b.veil(screen)
	v, err = b.approve(v, "assessor")
	if b.must(v, err).State != incident.Released {
		t.Fatal(v.State)
	}
	b.veil()
	if seen, err = b.Case(t.Context(), b.people["staff"], v.ID); b.must(seen, err).Copy.Outdated {
		t.Error("what was approved is said to be outdated")
	}
	// A camera that is gone leaves its regions to its cases.
	b.veil(screen)
	w := b.newCase()
	if err := b.RemoveCamera(t.Context(), b.people["manager"], till); err != nil {
		t.Fatal(err)
	}
	w = b.veiled(w)
	if !slices.Equal(w.Copy.Veiled, []subject.Rect{screen}) || w.Copy.Outdated {
		t.Errorf("%+v", w.Copy)
	}
}

// The sound is the assessor's choice, with a reason: the copy is made anew, and
// what was approved before does not count for it.
func TestKeepSound(t *testing.T) {
	b := newBox(t)
	v := b.heard()
	if v.Copy.Sound != nil || !v.Clip.Heard || v.Clip.Audio {
		t.Fatalf("%+v %+v", v.Clip, v.Copy)
	}
	before := *v.Copy
	_, err := b.KeepSound(t.Context(), b.people["assessor"], v.ID, SoundChange{Version: v.Version, Keep: true, Reason: " ja "})
	refused(t, err, "sound.reason")
	_, err = b.KeepSound(t.Context(), b.people["assessor"], v.ID, SoundChange{Version: v.Version})
	refused(t, err, "case.state")
	old := b.verdict(v, "assessor")
	stop := b.work()
	v, err = b.KeepSound(t.Context(), b.people["assessor"], v.ID, SoundChange{Version: v.Version, Keep: true, Reason: "Han truer ekspedienten højt."})
	if b.must(v, err).State != incident.Tagged || v.Copy != nil {
		t.Fatalf("%s %+v", v.State, v.Copy)
	}
	v = b.await(v.ID, incident.Submitted)
	stop()
	if v.Copy == nil || v.Copy.Sound == nil || v.Copy.Sound.Reason != "Han truer ekspedienten højt." || v.Copy.Sound.Name != names["assessor"] || v.Copy.Hash == before.Hash || !v.Clip.Audio || v.Copy.Clip != v.Clip.Hash {
		t.Fatalf("%+v %+v", v.Clip, v.Copy)
	}
	if on := b.entries("case.sound"); len(on) != 1 || on[0].Why != v.Copy.Sound.Reason || on[0].Who.Name != names["assessor"] {
		t.Errorf("%+v", on)
	}
	// What the assessor saw before is not this copy.
	old.Version = v.Version
	_, err = b.PrepareApproval(t.Context(), b.people["assessor"], v.ID, old)
	refused(t, err, "case.state")
	sheet, err := b.Sheet(t.Context(), b.people["assessor"], v.ID)
	if err != nil || !sheet.Sound {
		t.Errorf("the sheet does not tell of the sound: %+v %v", sheet.Sound, err)
	}
	w, err := b.approve(v, "assessor")
	if b.must(w, err).State != incident.Released || b.up.sent[0].rel.Shows().Sound == nil {
		t.Errorf("%s", w.State)
	}

	// There must be sound to keep.
	other := b.submitted()
	_, err = b.KeepSound(t.Context(), b.people["assessor"], other.ID, SoundChange{Version: other.Version, Keep: true, Reason: "Han truer ekspedienten højt."})
	refused(t, err, "sound.none")
}

func TestANewCopyIsSilent(t *testing.T) {
	b := newBox(t)
	v := b.heard()
	first := v.Clip.Hash
	stop := b.work()
	v, err := b.KeepSound(t.Context(), b.people["assessor"], v.ID, SoundChange{Version: v.Version, Keep: true, Reason: "Han truer ekspedienten højt."})
	b.must(v, err)
	v = b.await(v.ID, incident.Submitted)
	no := b.verdict(v, "assessor")
	no.Decision = incident.Refuse
	v, err = b.Assess(t.Context(), b.people["assessor"], v.ID, no)
	b.must(v, err)
	stop()
	v = b.ask(v, SubjectChange{Subjects: []subject.Subject{somebody()}})
	if v.Copy.Sound != nil || v.Choice.Sound != "" || v.Clip.Audio || v.Clip.Hash != first {
		t.Errorf("%+v %+v", v.Clip, v.Copy)
	}
}

// The assessor may take the sound away again; a stop while the copy is made is
// taken up, and the case comes back to the assessor.
func TestSoundSurvivesARestart(t *testing.T) {
	b := newBox(t)
	v := b.heard()
	v, err := b.KeepSound(t.Context(), b.people["assessor"], v.ID, SoundChange{Version: v.Version, Keep: true, Reason: "Han truer ekspedienten højt."})
	b.must(v, err)
	b.restart()
	stop := b.work()
	v = b.await(v.ID, incident.Submitted)
	if v.Copy.Sound == nil {
		t.Fatalf("%+v", v.Copy)
	}
	v, err = b.KeepSound(t.Context(), b.people["assessor"], v.ID, SoundChange{Version: v.Version})
	b.must(v, err)
	v = b.await(v.ID, incident.Submitted)
	stop()
	if v.Copy.Sound != nil || v.Clip.Audio {
		t.Errorf("%+v %+v", v.Clip, v.Copy)
	}
}

// What is flagged must be said to have been looked at, all of it, and of this
// sheet.
func TestFlagsAreLookedAt(t *testing.T) {
	b := newBox(t)
	v := b.submitted()
	if v.Copy.Flagged.Spans == 0 || v.Copy.Flagged.Frames == 0 {
		t.Fatalf("the test needs a flagged copy: %+v", v.Copy)
	}
	sheet, err := b.Sheet(t.Context(), b.people["assessor"], v.ID)
	if err != nil || len(sheet.Flagged) != v.Copy.Flagged.Spans || len(sheet.Flagged[0].Flags) == 0 || len(sheet.Flagged[0].Subjects) != 1 || len(sheet.Pictures[0].Flags) == 0 {
		t.Fatalf("%+v %v", sheet, err)
	}
	for name, change := range map[string]func(*Verdict){
		"none":          func(w *Verdict) { w.SawFlagged = 0 },
		"more":          func(w *Verdict) { w.SawFlagged++ },
		"another sheet": func(w *Verdict) { w.Sheet = footage.SheetHash{Hash: footage.Hash{7}} },
	} {
		w := b.verdict(v, "assessor")
		change(&w)
		if _, err := b.Assess(t.Context(), b.people["assessor"], v.ID, w); err == nil {
			t.Errorf("%s: approved", name)
		}
	}
	v, err = b.approve(v, "assessor")
	if b.must(v, err).Assessments[0].SawFlagged != v.Copy.Flagged.Spans {
		t.Errorf("%+v", v.Assessments)
	}
}

func TestPreviews(t *testing.T) {
	b := newBox(t)
	v := b.newCase()
	began, shown := make(chan struct{}), make(chan struct{})
	b.red.fail = func(job redact.Job) error {
		job.Preview([]byte{0xff, 0xd8, 1})
		job.Preview(make([]byte, maxPreview+1))
		close(began)
		return nil
	}
	b.red.before = func(_ context.Context, progress func(redact.Progress)) error {
		progress(redact.Progress{Stage: "veil", Done: 1, Total: 50})
		<-shown
		return errNothing
	}
	b.work()
	v = b.redact(v)
	<-began
	b.until(func() bool { return b.progress(v).Stage == "veil" }, func() string { return "no progress" })
	if p := b.progress(v); p.Preview != 1 {
		t.Errorf("%+v", p)
	}
	jpeg, err := b.Preview(t.Context(), b.people["staff"], v.ID)
	if err != nil || !bytes.Equal(jpeg, []byte{0xff, 0xd8, 1}) {
		t.Errorf("%v %v", jpeg, err)
	}
	close(shown)
	b.await(v.ID, incident.Draft)
	_, err = b.Preview(t.Context(), b.people["staff"], v.ID)
	refused(t, err, "preview.none")
}
