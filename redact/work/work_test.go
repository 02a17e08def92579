//go:build linux

package work

import (
	"bytes"
	"context"
	"encoding/json"
	"image/jpeg"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"veilbox/redact/codec"
	"veilbox/redact/mask"
	"veilbox/redact/proof"
	"veilbox/redact/subject"
)

func ffmpeg(t testing.TB, args ...string) {
	t.Helper()
	if out, err := exec.Command("ffmpeg", append([]string{"-v", "error", "-nostdin", "-y"}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg %q: %v\n%s", args, err, out)
	}
}

// room is a textured room of 480x270 at 10 frames a second, which a box crosses
// in 4 s.
const room = "testsrc2=s=480x270:r=10,trim=end_frame=1,loop=-1:1,setpts=N/10/TB,hue=s=0.3,eq=contrast=0.4[bg];" +
	"mandelbrot=s=48x96:r=10,trim=end_frame=1,loop=-1:1,setpts=N/10/TB,hue=h=90,eq=contrast=1.4[box];[bg][box]overlay=x=20+60*t:y=110,fps=10,format=yuv420p"

// clipOf returns the room as a file by that name.
func clipOf(t testing.TB, name string, extra ...string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	args := append([]string{"-filter_complex", room + "[v]", "-map", "[v]"}, extra...)
	ffmpeg(t, append(args, "-t", "4", "-c:v", "libx264", "-preset", "ultrafast", "-g", "10", path)...)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// walker is the box in the room, drawn at 1 s.
func walker() subject.Subject {
	return subject.Subject{Version: 1, Keyframes: []subject.Keyframe{{At: 1, Rect: &subject.Rect{X: 80. / 480, Y: 110. / 270, W: 48. / 480, H: 96. / 270}}}}
}

func jobOf(kind string) Job {
	return Job{Kind: kind, Limits: Limits{Input: 1 << 26, Output: 1 << 26, Planes: 1 << 26, Picture: codec.Limits{Width: 4096, Height: 2304, Seconds: 7200}}}
}

// An outcome is what a worker sent.
type outcome struct {
	copy     []byte
	mask     []byte
	previews [][]byte
	pictures int
	answers  []Answer
	result   Result
	stages   []string
}

// An input is what a worker is given.
type input struct {
	mask, model, scene, clip []byte
	detector                 string // path
	asks                     []Ask
}

// do gives a worker its input and takes what it sends.
func do(t testing.TB, job Job, mask, clip []byte, asks ...Ask) (outcome, error) {
	t.Helper()
	return give(t, job, input{mask: mask, clip: clip, asks: asks})
}

func give(t testing.TB, job Job, in input) (outcome, error) {
	t.Helper()
	tools, err := codec.Find("")
	if err != nil {
		t.Fatal(err)
	}
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	w := &worker{c: &Conn{R: inR, W: outW}, tools: tools, job: job, detector: in.detector}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	go func() {
		c := &Conn{W: inW}
		// The pipe is closed where the worker is done before its input is.
		_ = c.SendAll(TypeMask, in.mask)
		_ = c.SendAll(TypeModel, in.model)
		_ = c.SendAll(TypeScene, in.scene)
		_ = c.SendAll(TypeData, in.clip)
		_ = c.Send(TypeEnd, nil)
		for _, a := range in.asks {
			_ = c.SendJSON(TypeAsk, a)
		}
	}()
	var werr error
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		stop := w.report(ctx)
		werr = w.do(ctx)
		stop()
		inR.Close()
		outW.Close()
	}()
	var o outcome
	c := &Conn{R: outR}
	for {
		k, b, err := c.Receive()
		if err != nil {
			break
		}
		switch k {
		case TypeCopy:
			o.copy = append(o.copy, b...)
		case TypeMask:
			o.mask = append(o.mask, b...)
		case TypePreview:
			o.previews = append(o.previews, bytes.Clone(b))
		case TypePicture:
			o.pictures++
		case TypeAnswer:
			var a Answer
			if err := json.Unmarshal(b, &a); err != nil {
				t.Fatal(err)
			}
			o.answers = append(o.answers, a)
		case TypeResult:
			if err := json.Unmarshal(b, &o.result); err != nil {
				t.Fatal(err)
			}
		case TypeProgress:
			var p Progress
			if err := json.Unmarshal(b, &p); err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(o.stages, p.Stage) {
				o.stages = append(o.stages, p.Stage)
			}
		default:
			t.Fatalf("a frame of type %q", byte(k))
		}
	}
	wg.Wait()
	return o, werr
}

// made is do for a copy that is to be made, and is proven.
func made(t testing.TB, job Job, known, clip []byte) (outcome, *mask.Mask) {
	t.Helper()
	o, err := do(t, job, known, clip)
	if err != nil {
		t.Fatal(err)
	}
	m, err := mask.Decode(o.mask)
	if err != nil {
		t.Fatal(err)
	}
	judge := jobOf(KindProof)
	judge.Choice = job.Choice
	p, err := do(t, judge, o.mask, o.copy)
	if err != nil {
		t.Fatal(err)
	}
	found, err := proof.Parse(p.result.Proof)
	if err != nil {
		t.Fatal(err)
	}
	if !found.Pass {
		t.Fatalf("the proof: %q", found.Reasons)
	}
	return o, m
}

func shownOf(m *mask.Mask) int {
	n := 0
	for i := range m.Frames {
		if m.State(i) == mask.Shown {
			n++
		}
	}
	return n
}

func sizeOf(t testing.TB, jpg []byte) (w, h int) {
	t.Helper()
	c, err := jpeg.DecodeConfig(bytes.NewReader(jpg))
	if err != nil {
		t.Fatal(err)
	}
	return c.Width, c.Height
}

func TestModes(t *testing.T) {
	clip := clipOf(t, "clip.mp4")
	other := walker()
	other.Keyframes = append(other.Keyframes, subject.Keyframe{At: 2, Gone: true})
	for name, c := range map[string]struct {
		job   func(*Job)
		shown int // frames at least
		most  int
		say   []Notice
	}{
		"one subject":       {func(j *Job) { j.Subjects = []subject.Subject{walker()} }, 30, 40, nil},
		"two subjects":      {func(j *Job) { j.Subjects = []subject.Subject{walker(), other} }, 30, 40, nil},
		"everything veiled": {func(j *Job) { j.Choice.Mode = subject.BlurEverything }, 0, 0, nil},
		"no scene": {func(j *Job) {
			j.Subjects, j.Choice.Mode = []subject.Subject{walker()}, subject.StillScene
		}, 30, 40, []Notice{NoticeNoScene}},
		"always veiled": {func(j *Job) {
			j.Subjects = []subject.Subject{walker()}
			j.Veiled = []subject.Rect{{X: 0.3, Y: 0, W: 0.7, H: 1}}
		}, 10, 38, nil},
		"stamp": {func(j *Job) {
			j.Subjects = []subject.Subject{walker()}
			j.Choice.Stamp = &subject.Stamp{Place: "Netto Ærø", Start: time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)}
		}, 30, 40, nil},
		"an encoder that cannot start": {func(j *Job) {
			j.Subjects, j.Encoder.Codec = []subject.Subject{walker()}, "h264_v4l2m2m"
		}, 30, 40, []Notice{NoticeSoftware}},
		"an encoder that is unknown": {func(j *Job) {
			j.Subjects, j.Encoder.Codec = []subject.Subject{walker()}, "h264_nobody"
		}, 30, 40, []Notice{NoticeSoftware}},
		"detector missing": {func(j *Job) {
			j.Subjects, j.Detect.On = []subject.Subject{walker()}, true
		}, 30, 40, []Notice{NoticeNoDetector}},
	} {
		t.Run(name, func(t *testing.T) {
			job := jobOf(KindRedact)
			job.Previews = true
			c.job(&job)
			o, m := made(t, job, nil, clip)
			if n := shownOf(m); n < c.shown || n > c.most || len(m.Frames) != 40 {
				t.Errorf("%d frames of %d show somebody", n, len(m.Frames))
			}
			if !slices.Equal(o.result.Notices, c.say) {
				t.Errorf("notices %q", o.result.Notices)
			}
			if len(o.previews) == 0 {
				t.Error("no preview")
			}
			for _, p := range o.previews {
				if w, h := sizeOf(t, p); w > 640 || h > 640 {
					t.Errorf("a preview of %dx%d", w, h)
				}
			}
		})
	}
}

func TestKnownMaskIsNotTrackedAgain(t *testing.T) {
	clip := clipOf(t, "clip.mp4")
	job := jobOf(KindRedact)
	job.Subjects = []subject.Subject{walker()}
	first, _ := made(t, job, nil, clip)
	job.Known = true
	again, _ := made(t, job, first.mask, clip)
	if !bytes.Equal(first.mask, again.mask) || !bytes.Equal(first.copy, again.copy) {
		t.Error("another copy came of the same mask")
	}
	if slices.Contains(again.stages, "track") {
		t.Errorf("stages %q", again.stages)
	}
	m, err := mask.Decode(first.mask)
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(m *mask.Mask){
		"a frame less":        func(m *mask.Mask) { m.Frames = m.Frames[:39] },
		"a frame more":        func(m *mask.Mask) { m.Frames = append(m.Frames, mask.Frame{At: 9e6, Subjects: make([]mask.Seen, 1)}) },
		"a frame a tick late": func(m *mask.Mask) { m.Frames[7].At++ },
		"another grid":        func(m *mask.Mask) { m.Grid.W += 8 },
		"two subjects": func(m *mask.Mask) {
			m.Subjects = 2
			for i := range m.Frames {
				m.Frames[i].Subjects = append(m.Frames[i].Subjects, mask.Seen{})
			}
		},
	} {
		spoilt := *m
		spoilt.Frames = slices.Clone(m.Frames)
		for i := range spoilt.Frames {
			spoilt.Frames[i].Subjects = slices.Clone(spoilt.Frames[i].Subjects)
		}
		spoil(&spoilt)
		o, err := do(t, job, spoilt.Encode(), clip)
		if codeOf(err) != "redact.subject" || len(o.copy) > 0 {
			t.Errorf("%s: %v, %d bytes of copy", name, err, len(o.copy))
		}
	}
}

func codeOf(err error) string {
	if err == nil {
		return ""
	}
	return failureOf(err).Code
}

func TestSoundIsKeptWhereAsked(t *testing.T) {
	loud := filepath.Join(t.TempDir(), "loud.mp4")
	quiet := filepath.Join(t.TempDir(), "quiet.mp4")
	if err := os.WriteFile(quiet, clipOf(t, "clip.mp4"), 0o600); err != nil {
		t.Fatal(err)
	}
	ffmpeg(t, "-i", quiet, "-f", "lavfi", "-itsoffset", "0.5", "-i", "sine=f=440:d=2:r=16000", "-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "aac", loud)
	b, err := os.ReadFile(loud)
	if err != nil {
		t.Fatal(err)
	}
	job := jobOf(KindRedact)
	job.Subjects = []subject.Subject{walker()}
	job.Choice.Sound = "the threat can be heard"
	o, m := made(t, job, nil, b)
	if !m.Sound || len(o.result.Notices) > 0 {
		t.Errorf("sound %v, notices %q", m.Sound, o.result.Notices)
	}
	at := filepath.Join(t.TempDir(), "copy.mp4")
	if err := os.WriteFile(at, o.copy, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("ffprobe", "-v", "error", "-show_entries", "stream=codec_name,profile,channels,duration", "-of", "csv=p=0", at).Output()
	if err != nil {
		t.Fatal(err)
	}
	if want := "aac,LC,1,4.0"; !bytes.Contains(out, []byte(want)) {
		t.Errorf("the copy has %s, not %s", out, want)
	}
	if b, err = os.ReadFile(quiet); err != nil {
		t.Fatal(err)
	}
	o, m = made(t, job, nil, b)
	if m.Sound || !slices.Equal(o.result.Notices, []Notice{NoticeNoSound}) {
		t.Errorf("sound %v, notices %q", m.Sound, o.result.Notices)
	}
}

func TestStill(t *testing.T) {
	clip := clipOf(t, "clip.mp4")
	for name, c := range map[string]struct {
		still subject.Still
		w, h  int
		shown bool
	}{
		"whole":          {subject.Still{At: 2.04}, 480, 270, true},
		"past the end":   {subject.Still{At: 60}, 480, 270, true},
		"crop":           {subject.Still{At: 1, Crop: &subject.Rect{X: 0.1, Y: 0.3, W: 0.3, H: 0.5}}, 144, 136, true},
		"a corner":       {subject.Still{At: 1, Crop: &subject.Rect{X: 0.95, Y: 0.95, W: 0.01, H: 0.01}}, 0, 0, false},
		"without people": {subject.Still{At: 1, Crop: &subject.Rect{X: 0.6, Y: 0, W: 0.4, H: 0.4}}, 192, 108, false},
	} {
		t.Run(name, func(t *testing.T) {
			job := jobOf(KindRedact)
			job.Subjects = []subject.Subject{walker()}
			job.Veiled = []subject.Rect{{X: 0, Y: 0.9, W: 0.3, H: 0.1}}
			job.Choice.Still = &c.still
			o, m := made(t, job, nil, clip)
			w, h := sizeOf(t, o.copy)
			if c.w > 0 && (w != c.w || h < c.h-4 || h > c.h+4) {
				t.Errorf("a still of %dx%d", w, h)
			}
			if !m.Still || m.Grid.W != w || m.Grid.H != h || (shownOf(m) == 1) != c.shown {
				t.Errorf("mask of %dx%d, still %v, %d frames show somebody", m.Grid.W, m.Grid.H, m.Still, shownOf(m))
			}
		})
	}
}

func TestSession(t *testing.T) {
	clip := clipOf(t, "clip.mp4")
	one, two := []subject.Subject{walker()}, []subject.Subject{walker()}
	two[0].Keyframes = append(two[0].Keyframes, subject.Keyframe{At: 3, Rect: &subject.Rect{X: 200. / 480, Y: 110. / 270, W: 48. / 480, H: 96. / 270}})
	o, err := do(t, jobOf(KindSession), nil, clip,
		Ask{What: AskPicture, At: 1, Width: 320, Plain: true},
		Ask{What: AskTrack, Subjects: one},
		Ask{What: AskPicture, At: 2.02, Width: 320, Subjects: one},
		Ask{What: "nonsense"},
		Ask{What: AskTrack},
		Ask{What: AskTrack, Subjects: one},
		Ask{What: AskTrack, Subjects: two},
		Ask{What: AskPeople, At: 1},
		Ask{What: AskPicture, At: 1000, Width: 320},
		Ask{What: AskEnd})
	if err != nil {
		t.Fatal(err)
	}
	if len(o.answers) != 9 || len(o.previews) != 3 || o.result.Clip.IsZero() {
		t.Fatalf("%d answers, %d pictures, %+v", len(o.answers), len(o.previews), o.result)
	}
	for i, a := range o.answers {
		if bad := i == 3 || i == 4; (a.Failure != nil) != bad {
			t.Errorf("answer %d: %+v", i, a.Failure)
		}
	}
	a := o.answers
	if a[1].Frames != 40 || a[1].Length != 4 || a[2].At != 2 || a[8].At != 3.9 || len(a[7].People) != 0 {
		t.Errorf("%+v", a)
	}
	if a[1].Walked < 39 || a[5].Walked != 0 || a[6].Walked < 1 {
		t.Errorf("walked %d, then %d, then %d", a[1].Walked, a[5].Walked, a[6].Walked)
	}
	for _, p := range o.previews {
		if w, _ := sizeOf(t, p); w != 320 {
			t.Errorf("a picture %d wide", w)
		}
	}
	// The masks came one after the other.
	if n := bytes.Count(o.mask, []byte("veilbox mask 2\n")); n != 3 {
		t.Errorf("%d masks", n)
	}
}

// At the end of a clip of large frames the decoder has several at once: their
// times must not wait for them.
func TestLargeFramesEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "large.mp4")
	ffmpeg(t, "-f", "lavfi", "-i", "testsrc2=s=1920x1080:r=25:d=1", "-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", path)
	clip, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	job := jobOf(KindRedact)
	job.Subjects = []subject.Subject{{Version: 1, Keyframes: []subject.Keyframe{{At: 0.9, Rect: &subject.Rect{X: 0.2, Y: 0.2, W: 0.2, H: 0.4}}}}}
	if _, m := made(t, job, nil, clip); len(m.Frames) != 25 {
		t.Errorf("%d frames", len(m.Frames))
	}
}
