package field

import (
	"testing"
	"time"

	"veilbox/appliance/casework"
	"veilbox/appliance/incident"
	"veilbox/capture/camera/simulate"
	"veilbox/internal/problem"
)

// A camera falls silent with its connection open, comes back, and is started
// anew with another picture. The time line shows what is missing and no more; the
// footage plays and is handed out across the change, and makes no case.
func TestSilentAndAnother(t *testing.T) {
	t.Parallel()
	file := clip(t)
	cam, stop := simulated(t, simulate.Options{Files: []string{file}})
	b := newBox(t, t.TempDir())
	b.add("kasse-1", cam)
	b.more("kasse-1", 3*time.Second)

	cam.Freeze(true)
	silent := time.Now()
	v := b.ill("kasse-1", 25*time.Second, "camera.stall")
	if v.State == "recording" {
		t.Errorf("a silent camera is said to be recorded: %+v", v)
	}
	cam.Freeze(false)
	again := time.Now()
	b.more("kasse-1", 4*time.Second)
	b.well("kasse-1", 5*time.Second)
	runs := b.runs("kasse-1")
	if len(runs) != 2 {
		t.Fatalf("the time line shows %v, want the one gap", runs)
	}
	// A second is what the last GOP lacks, or the next keyframe is late; then
	// the box tries again.
	if d := silent.Sub(runs[0].To); d.Abs() > 1500*time.Millisecond {
		t.Errorf("the camera fell silent at %v, and the time line ends %v before", silent, d)
	}
	if d := runs[1].From.Sub(again); d < -1500*time.Millisecond || d > 10*time.Second {
		t.Errorf("the camera was back at %v, and the time line begins %v after", again, d)
	}

	addr := cam.Addr()
	stop()
	simulated(t, simulate.Options{Files: []string{file}, Listen: addr, Size: simulate.Size{Width: 640, Height: 352}})
	was := len(runs)
	within(t, 25*time.Second, "the other picture", func() bool { runs = b.runs("kasse-1"); return len(runs) > was })
	b.more("kasse-1", 3*time.Second)
	b.well("kasse-1", 5*time.Second)
	if v := b.camera("kasse-1"); v.Width != 640 || v.Height != 352 {
		t.Errorf("the camera is shown with %dx%d", v.Width, v.Height)
	}
	runs = b.runs("kasse-1")
	if len(runs) != 3 {
		t.Fatalf("the time line shows %v, want two gaps", runs)
	}
	across := casework.TimeSpan{From: runs[1].To.Add(-2 * time.Second), To: runs[2].From.Add(2 * time.Second)}
	_, w := b.export("kasse-1", across)
	if d := w.duration - across.To.Sub(across.From); d < -200*time.Millisecond || d > 1200*time.Millisecond || w.frames < 36 {
		t.Errorf("the video across the change is %+v, want %v with 4 s of pictures", w, across.To.Sub(across.From))
	}
	if n, err := drain(b.call.Footage(t.Context(), "kasse-1", across.From, across.To, false, "")); err != nil || n < 10_000 {
		t.Errorf("the page plays %d bytes across the change: %v", n, err)
	}
	newCase := func(s casework.TimeSpan) error {
		value := 800
		_, err := b.call.NewCase(t.Context(), casework.NewCase{Camera: "kasse-1", From: s.From, To: s.To, What: "Tog to par høretelefoner.",
			ValueDKK: &value, HappenedAt: s.From, Offence: incident.Theft})
		return err
	}
	if err := newCase(across); problem.Of(err).Code != "clip.format" {
		t.Errorf("a case across the change: %v, want clip.format", err)
	}
	if err := newCase(casework.TimeSpan{From: runs[2].From, To: across.To}); err != nil {
		t.Errorf("a case after the change: %v", err)
	}
}
