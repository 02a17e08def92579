package proof

import (
	"errors"
	"fmt"
	"image"

	"veilbox/capture/footage"
	"veilbox/redact/mask"
	"veilbox/redact/scene"
	"veilbox/redact/shape"
	"veilbox/redact/sheet"
	"veilbox/redact/stamp"
	"veilbox/redact/veil"
)

// A run is the judging of one copy.
type run struct {
	in       Input
	m        *mask.Mask
	p        *Proof
	progress func(done, total int)
	pictures []sheet.Picture
	bytes    int         // of the pictures
	apart    shape.Shape // of the stamp
	picks    []sheet.Picker
	crop     cropping // of the copy's frames
}

// figures enters what the mask says by itself.
func (r *run) figures() {
	m, f := r.m, &r.p.Figures
	f.Bytes, f.Width, f.Height, f.Block, f.Cell, f.Frames = r.in.Size, m.Grid.W, m.Grid.H, m.Grid.Block, m.Cell, len(m.Frames)
	f.Still, f.Flags = r.in.Still, map[string]int{}
	r.bounds(Tolerance)
	painted := 0
	for i := range m.Frames {
		switch m.State(i) {
		case mask.Shown:
			f.Shown++
		case mask.Unsure:
			f.Unsure++
		}
		if flags := m.Flags(i); flags != 0 {
			f.Flagged++
			for _, n := range flags.Names() {
				f.Flags[n]++
			}
		}
		painted += m.Frames[i].Painted.Blocks()
	}
	f.Painted = float64(painted) / float64(m.Grid.Cols()*m.Grid.Rows()) / float64(len(m.Frames))
	r.picks = make([]sheet.Picker, m.Subjects)
}

func (r *run) bounds(t veil.Tolerance) {
	b := &r.p.Figures.Tolerance
	*b = Bounds{Deviation: t.Deviation, Energy: t.Energy, Ring: t.Ring, PaintedMean: t.PaintedMean, PaintedMax: t.PaintedMax}
	if r.m.Stamp != nil {
		b.Stamp = stamp.MaxEnergy
	}
}

// scene checks that the picture that is painted is the one that the mask names.
func (r *run) scene() error {
	s := r.in.Scene
	if r.m.Scene.IsZero() {
		if s != nil {
			return errors.New("proof: a still scene for a mask that names none")
		}
		return nil
	}
	if s == nil {
		return errors.New("proof: the mask names a still scene that is not there")
	}
	if s.W != r.m.Grid.W || s.H != r.m.Grid.H || len(s.Y) != s.W*s.H || len(s.U) != len(s.Y)/4 || len(s.V) != len(s.U) {
		return fmt.Errorf("proof: a still scene of %dx%d for a copy of %dx%d", s.W, s.H, r.m.Grid.W, r.m.Grid.H)
	}
	if scene.Hash(s) != r.m.Scene {
		return errors.New("proof: the still scene is not the one that the mask names")
	}
	return nil
}

// stamp finds where the stamp is to be. A mask must leave that place to it.
func (r *run) stamp() error {
	if r.m.Stamp == nil {
		return nil
	}
	s, err := stamp.New(r.m.Grid, *r.m.Stamp)
	if err != nil {
		return fmt.Errorf("proof: %w", err)
	}
	r.apart = s.Area()
	for i := range r.m.Frames {
		f := &r.m.Frames[i]
		over := shape.Overlap(f.Painted, r.apart)
		for _, s := range f.Subjects {
			over = over || shape.Overlap(s.Shape, r.apart)
		}
		if over {
			return fmt.Errorf("proof: frame %d shows or paints what is below the stamp", i)
		}
	}
	return nil
}

// structure checks the file and its times.
func (r *run) structure() error {
	s, err := Walk(r.in.File, r.in.Size)
	if err != nil {
		return err
	}
	if err := Units(r.in.File, s); err != nil {
		return err
	}
	params, err := parameters(s.Format)
	if err != nil {
		return err
	}
	r.crop = params.crop
	m := r.m
	if s.Format.Width != m.Grid.W || s.Format.Height != m.Grid.H {
		return fmt.Errorf("proof: the copy is %dx%d, its mask %dx%d", s.Format.Width, s.Format.Height, m.Grid.W, m.Grid.H)
	}
	if len(s.Samples) != len(m.Frames) {
		return fmt.Errorf("proof: the copy has %d frames, the clip %d", len(s.Samples), len(m.Frames))
	}
	var at footage.Ticks
	for i, sample := range s.Samples {
		if at != m.Frames[i].At {
			return fmt.Errorf("proof: frame %d is at tick %d, in the clip at %d", i, at, m.Frames[i].At)
		}
		at += footage.Ticks(sample.Duration)
	}
	r.p.Figures.Duration = at
	return r.sound(s, at)
}

func (r *run) sound(s *Structure, end footage.Ticks) error {
	kept := len(s.Heard) > 0
	if kept != r.m.Sound {
		if kept {
			return errors.New("proof: the copy has sound that nobody chose to keep")
		}
		return errors.New("proof: the copy has no sound, but it was to be kept")
	}
	if !kept {
		return nil
	}
	long := footage.Ticks(int64(len(s.Heard)) * unitLength * footage.TicksPerSecond / int64(s.Sound.Rate))
	r.p.Figures.Sound = Sound{Kept: true, Codec: "AAC-LC", Rate: s.Sound.Rate, Channels: s.Sound.Channels,
		Seconds: float64(int64(len(s.Heard))*unitLength) / float64(s.Sound.Rate)}
	if long > end+SoundOver || long < end-SoundUnder {
		return fmt.Errorf("proof: the sound lasts %.3f s, the pictures %.3f s", seconds(long), seconds(end))
	}
	return nil
}

func seconds(t footage.Ticks) float64 { return float64(t) / footage.TicksPerSecond }

// reveal puts onto the sheet what frame i shows for the first time in a while.
func (r *run) reveal(i int, frame []byte) error {
	m := r.m
	f, next := &m.Frames[i], r.p.Figures.Duration
	if i+1 < len(m.Frames) {
		next = m.Frames[i+1].At
	}
	for k := range f.Subjects {
		s := &f.Subjects[k]
		shown := s.State == mask.Shown
		if !r.picks[k].Pick(f.At, next, shown, s.Flags) {
			continue
		}
		b := s.Shape.Bounds()
		jpg, err := sheet.Crop(frame, m.Grid.W, m.Grid.H, m.Grid.Pixels(b), sheet.MaxSide)
		if err != nil {
			return fmt.Errorf("%w: %w", errMachine, err)
		}
		if err := r.add(sheet.Picture{At: f.At, Subject: k, Kind: sheet.Subject, Flags: s.Flags, Rect: m.Grid.Rect(b), JPEG: jpg}); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) add(p sheet.Picture) error {
	r.bytes += len(p.JPEG)
	if len(r.pictures) == sheet.MaxPictures || r.bytes > sheet.MaxSize {
		return sheet.ErrTooLarge
	}
	r.pictures = append(r.pictures, p)
	return nil
}

// large puts a whole frame onto the sheet, as large as there is room.
func (r *run) large(p sheet.Picture, frame []byte) error {
	g := r.m.Grid
	all := g.Whole().Bounds()
	for side := sheet.MaxLarge; ; side /= 2 {
		jpg, err := sheet.Crop(frame, g.W, g.H, g.Pixels(all), side)
		if err != nil {
			return fmt.Errorf("%w: %w", errMachine, err)
		}
		if len(jpg) <= sheet.MaxLargeJPG {
			p.Rect, p.JPEG = g.Rect(all), jpg
			return r.add(p)
		}
	}
}

// scenePicture puts onto the sheet what of the still scene the copy shows.
func (r *run) scenePicture() error {
	s, m := r.in.Scene, r.m
	if s == nil {
		return nil
	}
	all, first := shape.NewBitmap(m.Grid), -1
	for i := range m.Frames {
		painted := m.Frames[i].Painted
		if painted.Empty() || i > 0 && painted.Equal(m.Frames[i-1].Painted) {
			continue
		}
		if first < 0 {
			first = i
		}
		all.Add(painted, true)
	}
	if first < 0 {
		return nil
	}
	w, h := m.Grid.W, m.Grid.H
	frame := make([]byte, w*h*3/2)
	for i := range frame {
		frame[i] = 128
	}
	planes := [][2][]byte{{frame[:w*h], s.Y}, {frame[w*h : w*h*5/4], s.U}, {frame[w*h*5/4:], s.V}}
	for _, run := range all.Shape(nil) {
		px := m.Grid.Pixels(image.Rect(int(run.From), int(run.Row), int(run.To), int(run.Row)+1))
		for p, plane := range planes {
			x0, x1, y0, y1, stride := px.Min.X, px.Max.X, px.Min.Y, px.Max.Y, w
			if p > 0 {
				x0, x1, y0, y1, stride = x0/2, x1/2, y0/2, y1/2, w/2
			}
			for y := y0; y < y1; y++ {
				copy(plane[0][y*stride+x0:y*stride+x1], plane[1][y*stride+x0:])
			}
		}
	}
	return r.large(sheet.Picture{At: m.Frames[first].At, Subject: -1, Kind: sheet.Scene}, frame)
}
