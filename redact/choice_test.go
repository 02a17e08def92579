//go:build linux

package redact

import (
	"bytes"
	"errors"
	"fmt"
	"image/jpeg"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"veilbox/capture/footage"
	"veilbox/redact/mask"
	"veilbox/redact/subject"
	"veilbox/redact/work"
)

// room returns a movie of the test clips' room alone, over hours.
func room(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "room.mkv")
	graph := fmt.Sprintf("testsrc2=s=%dx%d:r=10:d=1,trim=end_frame=1,loop=-1:1,setpts=N/10/TB,trim=duration=15,hue=s=0.3,eq=contrast=0.4,fps=10,format=yuv420p", clipW, clipH)
	if out, err := exec.Command("ffmpeg", "-v", "error", "-nostdin", "-filter_complex", graph, "-c:v", "libx264", "-preset", "ultrafast", "-qp", "10", path).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func streams(t *testing.T, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "v")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("ffprobe", "-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(string(out)), " ")
}

func TestChoices(t *testing.T) {
	quiet := makeClip(t, "a.mp4", 4, "-c:v", "libx264", "-preset", "ultrafast")
	loud := makeClip(t, "a.mkv", 4, "+audio", "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac")
	hours := room(t)
	at := time.Date(2026, 11, 22, 13, 4, 5, 0, time.UTC)
	var times []footage.Ticks
	for i := range 150 {
		times = append(times, footage.Ticks(i)*60*footage.TicksPerSecond)
	}
	scene := &Scene{Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(hours)), nil }, Times: times}
	one := make1(1)
	for name, k := range map[string]struct {
		job     Job
		clip    []byte
		streams string
		notices []Notice
	}{
		"nobody":            {Job{Choice: subject.Choice{Mode: subject.BlurEverything}}, quiet, "h264", nil},
		"two, and the till": {Job{Subjects: make1(2), Veiled: till}, quiet, "h264", nil},
		"still":             {Job{Subjects: one, Choice: subject.Choice{Still: &subject.Still{At: 1.02}}}, quiet, "mjpeg", nil},
		"still, cut":        {Job{Subjects: one, Choice: subject.Choice{Still: &subject.Still{At: 99, Crop: &subject.Rect{X: 0.25, Y: 0.25, W: 0.75, H: 0.5}}}}, quiet, "mjpeg", nil},
		"still, cut, till": {Job{Subjects: one, Veiled: []subject.Rect{{X: 0.3, Y: 0.3, W: 0.1, H: 0.1}, {W: 0.02, H: 0.02}},
			Choice: subject.Choice{Still: &subject.Still{At: 1, Crop: &subject.Rect{X: 0.25, Y: 0.25, W: 0.75, H: 0.5}}}}, quiet, "mjpeg", nil},
		"still, of nobody":    {Job{Choice: subject.Choice{Mode: subject.BlurEverything, Still: &subject.Still{}}}, quiet, "mjpeg", nil},
		"stamp":               {Job{Subjects: one, Choice: subject.Choice{Stamp: &subject.Stamp{Place: "Kassen", Start: at}}}, quiet, "h264", nil},
		"still, stamp":        {Job{Subjects: one, Choice: subject.Choice{Still: &subject.Still{At: 2}, Stamp: &subject.Stamp{Place: "Kassen", Start: at}}}, quiet, "mjpeg", nil},
		"sound":               {Job{Subjects: one, Choice: subject.Choice{Sound: "the threat is spoken"}}, loud, "h264 aac", nil},
		"sound, not asked":    {Job{Subjects: one}, loud, "h264", nil},
		"sound, none":         {Job{Subjects: one, Choice: subject.Choice{Sound: "the threat is spoken"}}, quiet, "h264", []Notice{work.NoticeNoSound}},
		"scene":               {Job{Subjects: one, Choice: subject.Choice{Mode: subject.StillScene}, Scene: scene}, quiet, "h264", nil},
		"scene, not given":    {Job{Subjects: one, Choice: subject.Choice{Mode: subject.StillScene}}, quiet, "h264", []Notice{work.NoticeNoScene}},
		"scene, of 15 s":      {Job{Subjects: one, Choice: subject.Choice{Mode: subject.StillScene}, Scene: &Scene{Open: scene.Open}}, quiet, "h264", []Notice{work.NoticeNoScene}},
		"scene, not asked":    {Job{Subjects: one, Scene: scene}, quiet, "h264", nil},
		"scene, still, stamp": {Job{Subjects: one, Choice: subject.Choice{Mode: subject.StillScene, Still: &subject.Still{At: 2}, Stamp: &subject.Stamp{Start: at}}, Scene: scene}, quiet, "mjpeg", nil},
	} {
		t.Run(name, func(t *testing.T) {
			store, previews := &memory{}, 0
			k.job.Preview = func(b []byte) {
				previews++
				if _, err := jpeg.DecodeConfig(bytes.NewReader(b)); err != nil {
					t.Error(err)
				}
			}
			c, err := worker().Produce(t.Context(), k.job, bytes.NewReader(k.clip), store, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := streams(t, store.b); got != k.streams {
				t.Errorf("streams %q, want %q", got, k.streams)
			}
			still := k.job.Choice.Still != nil
			if c.Still() != still || c.Media() == "image/jpeg" != still || c.Mode() != k.job.Choice.Mode || c.Sound() != strings.Contains(k.streams, "aac") {
				t.Errorf("%s, %v, sound %v", c.Media(), c.Mode(), c.Sound())
			}
			if !slices.Equal(c.Notices(), k.notices) {
				t.Errorf("notices %v, want %v", c.Notices(), k.notices)
			}
			m, err := c.Mask()
			if err != nil {
				t.Fatal(err)
			}
			shown := slices.ContainsFunc(m.Frames, func(f mask.Frame) bool {
				return slices.ContainsFunc(f.Subjects, func(s mask.Seen) bool { return s.State == mask.Shown })
			})
			if shown != (len(k.job.Subjects) > 0) || shown && len(c.Sheet()) == 0 {
				t.Errorf("shown %v, %d pictures", shown, len(c.Sheet()))
			}
			if painted := c.Figures().Painted > 0; painted != (k.job.Choice.Mode == subject.StillScene && k.notices == nil) {
				t.Errorf("painted %v", c.Figures().Painted)
			}
			if !still && previews == 0 {
				t.Error("no preview")
			}
			again, err := Reopen(c.Record(), store)
			if err != nil || again.Hash() != c.Hash() || again.Mode() != c.Mode() || !slices.Equal(again.Notices(), c.Notices()) || again.Choice().Sound != c.Choice().Sound {
				t.Errorf("reopened: %v", err)
			}
		})
	}
}

// A person marks somebody, looks, corrects, and has the copy of what was seen.
func TestSessionThenCopy(t *testing.T) {
	clip := makeClip(t, "a.mp4", 6, "-c:v", "libx264", "-preset", "ultrafast")
	s := open(t, worker(), SessionJob{}, bytes.NewReader(clip))
	ctx := t.Context()
	plain, at, err := s.Picture(ctx, 1, 240, true, nil, nil)
	if c, jerr := jpeg.DecodeConfig(bytes.NewReader(plain)); err != nil || jerr != nil || c.Width != 240 || at != 1 {
		t.Fatalf("%d pixels at %g: %v %v", c.Width, at, err, jerr)
	}
	who := make1(1)
	first, err := s.Track(ctx, who, till, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d walked in %v: %+v", first.Walked, first.Took, first.Subjects[0].Spans)
	if first.Frames != 60 || first.Length != 6 || first.Walked < 50 || len(first.Subjects[0].Places) < 20 {
		t.Errorf("%d frames, %g s, %d walked, %d places", first.Frames, first.Length, first.Walked, len(first.Subjects[0].Places))
	}
	// The box goes 60 pixels a second; the rectangle that is drawn follows it.
	for _, p := range first.Subjects[0].Places {
		if x, want := (p.Rect.X+p.Rect.W/2)*clipW, boxX+boxW/2+boxV*p.At; x < want-16 || x > want+16 {
			t.Errorf("at %g s it is at %.0f, not %.0f", p.At, x, want)
		}
	}
	veiled, _, err := s.Picture(ctx, 1, 240, false, who, till)
	if err != nil || bytes.Equal(veiled, plain) {
		t.Errorf("veiled as plain: %v", err)
	}
	again, err := s.Track(ctx, who, till, nil)
	if err != nil || again.Walked != 0 || !bytes.Equal(again.Mask, first.Mask) {
		t.Errorf("the same once more: %d walked, %v", again.Walked, err)
	}
	who[0].Keyframes = append(who[0].Keyframes, subject.Keyframe{At: 5, Gone: true})
	second, err := s.Track(ctx, who, till, nil)
	if err != nil {
		t.Fatal(err)
	}
	spans := second.Subjects[0].Spans
	if last := spans[len(spans)-1]; last.What != SpanGone || last.From < 4.9 || last.From > 5.1 || second.Walked > first.Walked/2 {
		t.Errorf("%d walked, spans %+v", second.Walked, spans)
	}
	if p, err := s.People(ctx, 1); err != nil || len(p) != 0 {
		t.Errorf("%v, %v", p, err)
	}
	s.Close()

	var stages []string
	store := &memory{}
	job := Job{Subjects: who, Veiled: till, Known: second.Mask}
	c, err := worker().Produce(ctx, job, bytes.NewReader(clip), store, func(p Progress) { stages = append(stages, p.Stage) })
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.Mask()
	if err != nil {
		t.Fatal(err)
	}
	known, err := mask.Decode(second.Mask)
	if err != nil {
		t.Fatal(err)
	}
	for i := range m.Frames {
		if a, b := m.Frames[i].Subjects[0], known.Frames[i].Subjects[0]; a.State != b.State || !a.Shape.Equal(b.Shape) {
			t.Fatalf("frame %d: the copy shows %+v, the session %+v", i, a, b)
		}
	}
	if slices.Contains(stages, "track") {
		t.Errorf("it was tracked again: %v", stages)
	}
	// That of another clip.
	other := makeClip(t, "b.mp4", 5, "-c:v", "libx264", "-preset", "ultrafast")
	if c, err := worker().Produce(ctx, job, bytes.NewReader(other), store, nil); err == nil || !c.IsZero() || store.b != nil {
		t.Errorf("of another clip: %v", err)
	}
}

// A session of what is no video says so at its first ask.
func TestSessionOfGarbage(t *testing.T) {
	s := open(t, worker(), SessionJob{}, strings.NewReader(strings.Repeat("no video ", 1000)))
	if _, err := s.Track(t.Context(), make1(1), nil, nil); code(err) != "redact.not-video" {
		t.Error(err)
	}
	<-s.Done()
	if err := s.Err(); code(err) != "redact.not-video" || errors.Is(err, Crashed) {
		t.Error(err)
	}
}
