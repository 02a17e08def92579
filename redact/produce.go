//go:build linux

package redact

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"veilbox/capture/footage"
	"veilbox/redact/mask"
	"veilbox/redact/proof"
	"veilbox/redact/shape"
	"veilbox/redact/sheet"
	"veilbox/redact/subject"
	"veilbox/redact/veil"
	"veilbox/redact/work"
)

// A Job is one copy to make.
type Job struct {
	Clip     footage.ClipHash // checked where it is set
	Subjects []subject.Subject
	Choice   subject.Choice
	Veiled   []subject.Rect // always veiled
	// Scene is hours of the same camera, for subject.StillScene. Without it
	// nothing of the scene is proven to be still, and all of it is veiled.
	Scene *Scene
	// Known is the mask of an earlier Session of the same clip, subjects and
	// regions: it is not tracked again.
	Known []byte
	// Preview, where it is set, gets a veiled frame now and then, as a JPEG that
	// it may keep, while the copy is being made. Nothing of it is proven.
	Preview func(jpeg []byte) `json:"-"`
}

// A Scene is a movie of pictures of one camera over hours.
type Scene struct {
	// Open gives the movie. It is called once for each process: who veils and
	// who proves learn the scene each for themselves. Reading it must end when
	// Produce's ctx does.
	Open func() (io.ReadCloser, error) `json:"-"`
	// Times are when its frames were, in ticks from any origin; nil: as the
	// movie says.
	Times []footage.Ticks
}

// maxSceneTimes are a picture each 10 s of three days.
const maxSceneTimes = 26_000

// check returns what is wrong with j before a process is started for it.
func (j *Job) check() error {
	if err := errors.Join(j.Choice.Check(), subject.CheckVeiled(j.Veiled)); err != nil {
		return BadChoice.With(err)
	}
	switch {
	case j.Choice.Mode != subject.BlurEverything:
		if err := subject.CheckAll(j.Subjects); err != nil {
			return work.BadSubject.With(err)
		}
	case len(j.Subjects) > 0 || j.Known != nil:
		return BadChoice.With(errors.New("redact: a subject where everything is veiled: leave the subjects out, or choose another mode"))
	}
	if s := j.Scene; s != nil {
		if s.Open == nil || len(s.Times) > maxSceneTimes {
			return BadChoice.With(fmt.Errorf("redact: a scene of %d pictures, at most %d", len(s.Times), maxSceneTimes))
		}
	}
	if j.Known == nil {
		return nil
	}
	m, err := mask.Decode(j.Known)
	if err == nil && (m.Still || m.Subjects != len(j.Subjects) || !slices.Equal(m.Veiled, j.Veiled)) {
		err = fmt.Errorf("redact: the known track is of %d subjects and %d veiled regions, the job of %d and %d: track anew",
			m.Subjects, len(m.Veiled), len(j.Subjects), len(j.Veiled))
	}
	if err != nil {
		return work.BadSubject.With(err)
	}
	return nil
}

// scene returns what of j.Scene is of use.
func (j *Job) scene() *Scene {
	if j.Choice.Mode != subject.StillScene {
		return nil
	}
	return j.Scene
}

// asked returns how m differs from what j asked for. The sound may be missing:
// a clip may have none.
func (j *Job) asked(m *mask.Mask) error {
	if err := matches(j.Choice, m); err != nil {
		return err
	}
	switch {
	case m.Subjects != len(j.Subjects):
		return fmt.Errorf("redact: a mask of %d subjects, asked for %d", m.Subjects, len(j.Subjects))
	case !j.veiledIn(m):
		return errors.New("redact: a mask with other regions that are always veiled")
	case m.Cell < veil.DefaultCell(m.Grid.W, m.Grid.H):
		return BadChoice.With(fmt.Errorf("redact: cells of %d pixels, through which a head can be known: this frame needs at least %d",
			m.Cell, veil.DefaultCell(m.Grid.W, m.Grid.H)))
	case !m.Scene.IsZero() && j.scene() == nil:
		return errors.New("redact: a mask with a scene that nobody gave")
	}
	return j.within(m)
}

// veiledIn reports whether m has the regions that are always veiled. Those of a
// cropped picture are in fractions of the crop, which is cut at blocks and is no
// smaller than a cell: here it is known only which of them must and may be in it.
func (j *Job) veiledIn(m *mask.Mask) bool {
	s := j.Choice.Still
	if s == nil || s.Crop == nil {
		return slices.Equal(m.Veiled, j.Veiled)
	}
	must := 0
	for _, r := range j.Veiled {
		if c := s.Crop; r.X < c.X+c.W && c.X < r.X+r.W && r.Y < c.Y+c.H && c.Y < r.Y+r.H {
			must++
		}
	}
	return must <= len(m.Veiled) && len(m.Veiled) <= len(j.Veiled)
}

// within returns where m shows more than j.Known, which a person may have seen.
func (j *Job) within(m *mask.Mask) error {
	if j.Known == nil || m.Still {
		return nil
	}
	known, err := mask.Decode(j.Known)
	if err != nil {
		return err
	}
	if known.Grid != m.Grid || len(known.Frames) != len(m.Frames) {
		return errors.New("redact: the known track is of another clip: track anew")
	}
	var spare shape.Shape
	for i := range m.Frames {
		if known.Frames[i].At != m.Frames[i].At {
			return errors.New("redact: the known track is of another clip: track anew")
		}
		for k, s := range m.Frames[i].Subjects {
			if s.State != mask.Shown {
				continue
			}
			if spare = shape.Minus(spare[:0], s.Shape, known.Frames[i].Subjects[k].Shape); !spare.Empty() {
				return fmt.Errorf("redact: frame %d shows more than the known track", i)
			}
		}
	}
	return nil
}

// matches returns how m differs from c.
func matches(c subject.Choice, m *mask.Mask) error {
	switch {
	case m.Mode != c.Mode:
		return fmt.Errorf("redact: a mask of %v, asked for %v", m.Mode, c.Mode)
	case m.Still != (c.Still != nil):
		return fmt.Errorf("redact: a mask with still %v, asked for %v", m.Still, c.Still != nil)
	case m.Sound && c.Sound == "":
		return errors.New("redact: a mask with sound that nobody gave a reason to keep")
	case (m.Stamp == nil) != (c.Stamp == nil):
		return errors.New("redact: time and place are not burnt in as asked")
	}
	if s := c.Stamp; s != nil && (m.Stamp.Place != s.Place || !starts(c, m.Stamp.Start)) {
		return errors.New("redact: another time or place is burnt in than was asked")
	}
	return nil
}

// starts reports whether a stamp's time is that of the first frame. That of a
// still is the frame nearest to what was asked for, which is not known here.
func starts(c subject.Choice, got time.Time) bool {
	start := c.Stamp.Start.UnixMilli()
	if c.Still == nil {
		return got.UnixMilli() == start
	}
	const slow = 2000 // from one frame to the next, milliseconds
	return got.UnixMilli() >= start && got.UnixMilli() <= start+int64(c.Still.At*1000)+slow
}

// Produce makes a copy of clip and proves it. Whatever fails leaves nothing in
// store. Where the proof fails and clip is an io.Seeker, the copy is made once
// more at a finer quality: an encoder may have left traces in the veil; where
// it came to a standstill, once more as it was. Reading clip must end when ctx
// does.
func (w *Worker) Produce(ctx context.Context, job Job, clip io.Reader, store Storage, progress func(Progress)) (Copy, error) {
	if err := job.check(); err != nil {
		return Copy{}, discard(store, err)
	}
	again, ok := clip.(io.Seeker)
	start := int64(0)
	if ok {
		var err error
		if start, err = again.Seek(0, io.SeekCurrent); err != nil {
			ok = false // a pipe in the shape of a file
		}
	}
	c, err := w.produce(ctx, job, clip, store, progress)
	if stalled := errors.Is(err, Stalled); ok && (stalled || errors.Is(err, NotProven)) {
		finer := *w
		if stalled {
			w.note("the copy got nowhere, once more", "cause", err)
		} else {
			w.note("the copy did not pass, once more at a finer quality", "cause", err)
			finer.Encoder = finer.Encoder.Defaults()
			finer.Encoder.Quality = max(1, finer.Encoder.Quality-finerBy)
		}
		if _, serr := again.Seek(start, io.SeekStart); serr != nil {
			err = errors.Join(err, serr)
		} else {
			c, err = finer.produce(ctx, job, clip, store, progress)
		}
	}
	if err != nil {
		return Copy{}, discard(store, err)
	}
	return c, nil
}

// discard leaves nothing in store and returns err.
func discard(store Storage, err error) error {
	if rerr := store.Remove(); rerr != nil {
		return errors.Join(err, fmt.Errorf("redact: throw away the copy: %w", rerr))
	}
	return err
}

// finerBy is about twice the bits, in steps of the quantiser.
const finerBy = 6

func (w *Worker) produce(ctx context.Context, job Job, clip io.Reader, store Storage, progress func(Progress)) (Copy, error) {
	l := w.Limits.defaults()
	look, err := w.detector(w.Detect.On)
	if err != nil {
		return Copy{}, err
	}
	defer look.close()
	scene := job.scene()
	first := exchange{feed: feed{job: w.job(work.KindRedact, l), mask: job.Known, look: look, scene: scene, most: l.ClipBytes, input: clip},
		progress: progress, preview: job.Preview, most: l.CopyBytes + 64<<20, create: store.Create}
	first.job.Clip, first.job.Subjects, first.job.Choice, first.job.Veiled, first.job.Known = job.Clip, job.Subjects, job.Choice, job.Veiled, job.Known != nil
	first.job.Previews = job.Preview != nil
	if err := w.run(ctx, &first); err != nil {
		return Copy{}, err
	}
	sum := footage.ClipHash{Hash: first.sent}
	if first.result.Clip != sum.Hash {
		return Copy{}, Crashed.With(errors.New("redact: the worker read another clip than it was sent"))
	}
	if !job.Clip.IsZero() && job.Clip != sum {
		return Copy{}, WrongClip.With(fmt.Errorf("redact: the clip is %s, the job names %s", sum, job.Clip))
	}
	if first.size == 0 || first.result.Copy != first.got {
		return Copy{}, Crashed.With(errors.New("redact: the copy that arrived is not the one that was sent"))
	}
	m, err := mask.Decode(first.back)
	if err == nil {
		err = job.asked(m)
	}
	if err != nil {
		if errors.Is(err, BadChoice) {
			return Copy{}, err
		}
		return Copy{}, Crashed.With(err)
	}

	f, err := store.Open()
	if err != nil {
		return Copy{}, fmt.Errorf("redact: open the copy: %w", err)
	}
	defer f.Close() // read only
	if m.Scene.IsZero() {
		scene = nil // nothing of it is in the copy
	}
	second := exchange{feed: feed{job: w.job(work.KindProof, l), mask: first.back, scene: scene, most: l.ClipBytes, input: f}, progress: progress}
	second.job.Clip, second.job.Choice = sum, job.Choice
	second.job.Limits.Input = max(first.size, l.ClipBytes)
	if err := w.run(ctx, &second); err != nil {
		return Copy{}, err
	}
	if second.sent != first.got {
		return Copy{}, fmt.Errorf("redact: the stored copy is not what was written: check the disk")
	}
	p, err := proof.Parse(second.result.Proof)
	if err != nil {
		return Copy{}, Crashed.With(err)
	}
	b, err := json.Marshal(p)
	if err != nil {
		return Copy{}, fmt.Errorf("redact: %w", err)
	}
	sh := sheet.New(m, p.Figures.Duration)
	sh.Pictures = append(sh.Pictures, second.pictures...)
	c := Copy{size: first.size, raw: b, proof: p, mask: first.back, made: m, choice: job.Choice, sheet: sh, store: store,
		notices: notices(&job, m, look, first.result.Notices)}
	if err := c.check(footage.CopyHash{Hash: first.got}, sum); err != nil {
		return Copy{}, err
	}
	return c, nil
}

// notices gathers what went otherwise than j asked.
func notices(j *Job, m *mask.Mask, look *look, said []Notice) []Notice {
	out := []Notice{}
	for _, n := range work.Notices {
		if slices.Contains(said, n) || n == work.NoticeNoDetector && look != nil && look.missing ||
			n == work.NoticeNoScene && j.Choice.Mode == subject.StillScene && m.Scene.IsZero() ||
			n == work.NoticeNoSound && j.Choice.Sound != "" && !m.Sound {
			out = append(out, n)
		}
	}
	return out
}
