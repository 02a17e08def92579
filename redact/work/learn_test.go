//go:build linux

package work

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"veilbox/capture/footage"
	"veilbox/redact/detect/detecttest"
	"veilbox/redact/mask"
	"veilbox/redact/proof"
	"veilbox/redact/subject"
)

// The still scene is learnt from a movie of hours, by who veils and once more by
// who proves, and is painted where nobody is.
func TestStillSceneIsPainted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hours.mp4")
	ffmpeg(t, "-f", "lavfi", "-i", "testsrc2=s=480x270:r=10,trim=end_frame=1,loop=-1:1,setpts=N/10/TB,hue=s=0.3,eq=contrast=0.4,format=yuv420p",
		"-frames:v", "120", "-c:v", "libx264", "-preset", "ultrafast", "-crf", "12", path)
	movie, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	job := jobOf(KindRedact)
	job.Subjects = []subject.Subject{walker()}
	job.Veiled = []subject.Rect{{X: 0.8, Y: 0, W: 0.2, H: 0.2}}
	job.Choice.Mode, job.Scene = subject.StillScene, true
	for i := range 120 {
		job.SceneTimes = append(job.SceneTimes, footage.Ticks(i)*120*footage.TicksPerSecond)
	}
	clip := clipOf(t, "clip.mp4", "-crf", "12")
	o, err := give(t, job, input{scene: movie, clip: clip})
	if err != nil {
		t.Fatal(err)
	}
	m, err := mask.Decode(o.mask)
	if err != nil {
		t.Fatal(err)
	}
	if m.Scene.IsZero() || len(o.result.Notices) > 0 {
		t.Fatalf("scene %s, notices %q", m.Scene, o.result.Notices)
	}
	all, share := m.Grid.Whole().Blocks(), 0
	for _, f := range m.Frames {
		share += f.Painted.Blocks()
	}
	if share*3 < all*len(m.Frames) {
		t.Errorf("%d %% of the copy are painted", 100*share/all/len(m.Frames))
	}
	judge := jobOf(KindProof)
	judge.Choice, judge.Scene, judge.SceneTimes = job.Choice, true, job.SceneTimes
	p, err := give(t, judge, input{mask: o.mask, scene: movie, clip: o.copy})
	if err != nil {
		t.Fatal(err)
	}
	found, err := proof.Parse(p.result.Proof)
	if err != nil {
		t.Fatal(err)
	}
	if !found.Pass {
		t.Errorf("the proof: %q", found.Reasons)
	}
	// Too few times: the movie is not the one they are of.
	job.SceneTimes = job.SceneTimes[:100]
	if _, err := give(t, job, input{scene: movie, clip: clip}); codeOf(err) != "redact.not-video" {
		t.Errorf("with too few times: %v", err)
	}
}

// A model comes over the wire, is compared with its hash, and tells a session
// who is in a frame.
func TestDetection(t *testing.T) {
	path, err := detecttest.Build(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	model := detecttest.Model{}.Bytes()
	clip := clipOf(t, "clip.mp4")
	in := input{model: model, clip: clip, detector: path, asks: []Ask{{What: AskPeople, At: 1}, {What: AskTrack, Subjects: []subject.Subject{walker()}}, {What: AskEnd}}}
	job := jobOf(KindSession)
	job.Detect = Detect{On: true, Model: int64(len(model)), Hash: sha256.Sum256(model)}
	o, err := give(t, job, in)
	if err != nil {
		t.Fatal(err)
	}
	if len(o.answers) != 2 || o.answers[0].Failure != nil || o.answers[1].Failure != nil || len(o.answers[0].People) == 0 || len(o.result.Notices) > 0 {
		t.Errorf("%+v, notices %q", o.answers, o.result.Notices)
	}
	for name, spoil := range map[string]func(*Job, *input){
		"another hash":    func(j *Job, in *input) { j.Detect.Hash[0] ^= 1 },
		"another length":  func(j *Job, in *input) { j.Detect.Model++ },
		"cut":             func(j *Job, in *input) { in.model = in.model[:len(in.model)-1] },
		"another model":   func(j *Job, in *input) { in.model = slices.Clone(in.model); in.model[9] ^= 1 },
		"no model at all": func(j *Job, in *input) { in.model = nil },
	} {
		j, in := job, in
		spoil(&j, &in)
		if _, err := give(t, j, in); codeOf(err) != "redact.model" {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A program that is none is no failure.
	j := jobOf(KindRedact)
	j.Subjects, j.Detect.On = []subject.Subject{walker()}, true
	o, err = give(t, j, input{clip: clip, detector: "/bin/false"})
	if err != nil || !slices.Equal(o.result.Notices, []Notice{NoticeNoDetector}) {
		t.Errorf("%v, notices %q", err, o.result.Notices)
	}
}
