// Package proof judges a finished copy: it reads the file, not the plan. It
// walks the structure, decodes every frame and holds it against the mask.
//
// A copy passes when
//   - it is an MP4 with one H.264 track and nothing beside it: no other box, no
//     byte in front of, between or after, no NAL units but slices;
//   - it has the mask's frames, at the mask's times, in the mask's size;
//   - in each frame, outside what the mask shows and a margin of 8 pixels where
//     a codec rings, each cell of the veil is flat within Tolerance: no sample
//     of its inside further from the cell's mean, no more variance in the cell.
//     A frame in which the mask shows nothing is flat all over.
//
// While it decodes, it makes the reveal sheet from the copy's own frames.
//
// Times are ticks of 1/90000 s from the first frame. A failure is a reason in
// the Proof; errors are of the tools and of the context.
package proof

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sort"
	"sync"

	"veilbox/capture/footage"
	"veilbox/internal/problem"
	"veilbox/redact/codec"
	"veilbox/redact/mask"
	"veilbox/redact/sheet"
	"veilbox/redact/veil"
)

// Version is the version of the JSON.
const Version = 1

// Tolerance is what a lossy codec may leave of a veil that was flat: the
// deviation in steps of a sample (0 to 255), the energy in steps squared. With
// the default encoder street and shop footage stays below 8 and 12. Of a head
// of a quarter of a cell's side, left unveiled at a contrast of 40 steps, both
// would be over 30.
var Tolerance = veil.Tolerance{Deviation: 16, Energy: 24}

const maxReasons = 20

// A Proof is the finding on one copy. Its JSON is what the hash in a release
// names.
type Proof struct {
	Version int               `json:"version"`
	Clip    footage.ClipHash  `json:"clip"`
	Copy    footage.CopyHash  `json:"copy"`
	Mask    footage.Hash      `json:"mask"`
	Sheet   footage.SheetHash `json:"sheet"`
	Tools   Tools             `json:"tools"`
	Figures Figures           `json:"figures"`
	Pass    bool              `json:"pass"`
	Reasons []string          `json:"reasons"` // why it does not pass, at most 20
}

// Tools says what made and judged a copy.
type Tools struct {
	FFmpeg  string        `json:"ffmpeg"`
	Encoder codec.Encoder `json:"encoder"`
	Mask    int           `json:"mask_version"`
}

// Figures are what was measured.
type Figures struct {
	Bytes     int64         `json:"bytes"`
	Width     int           `json:"width"`
	Height    int           `json:"height"`
	Cell      int           `json:"cell"`
	Frames    int           `json:"frames"`
	Shown     int           `json:"frames_shown"`
	Unsure    int           `json:"frames_unsure"`
	Duration  footage.Ticks `json:"duration_ticks"`
	Pictures  int           `json:"pictures"`
	Deviation Worst         `json:"deviation"`
	Energy    Worst         `json:"energy"`
	Tolerance struct {
		Deviation float64 `json:"deviation"`
		Energy    float64 `json:"energy"`
	} `json:"tolerance"`
}

// Worst is the largest value of all frames.
type Worst struct {
	Value float64       `json:"value"`
	At    footage.Ticks `json:"at"`
}

func (w *Worst) take(v float64, at footage.Ticks) {
	if v > w.Value || v == w.Value && at < w.At {
		*w = Worst{v, at}
	}
}

// Parse reads a proof's JSON.
func Parse(b []byte) (*Proof, error) {
	var p Proof
	if len(b) > 1<<20 {
		return nil, fmt.Errorf("proof: %d bytes of JSON", len(b))
	}
	if err := json.Unmarshal(b, &p); err != nil {
		return nil, fmt.Errorf("proof: %w", err)
	}
	if p.Version != Version {
		return nil, fmt.Errorf("proof: version %d, this program reads %d: make the copy anew", p.Version, Version)
	}
	return &p, nil
}

// Run judges the copy in f. The caller fills in the hashes of Proof that it
// does not measure: clip, copy, mask, and the tools.
func Run(ctx context.Context, t codec.Tools, f *os.File, size int64, m *mask.Mask, progress func(done, total int)) (*Proof, *sheet.Sheet, error) {
	p := &Proof{Version: Version, Reasons: []string{}}
	fig := &p.Figures
	fig.Bytes, fig.Width, fig.Height, fig.Cell, fig.Frames = size, m.Grid.W, m.Grid.H, m.Cell, len(m.Frames)
	fig.Tolerance.Deviation, fig.Tolerance.Energy = Tolerance.Deviation, Tolerance.Energy
	for i := range m.Frames {
		switch m.State(i) {
		case mask.Shown:
			fig.Shown++
		case mask.Unsure:
			fig.Unsure++
		}
	}
	sh := &sheet.Sheet{Pictures: []sheet.Picture{}, Unsure: []footage.Span{}}
	err := p.structure(f, size, m)
	if err == nil {
		sh.Unsure = append(sh.Unsure, m.Unsure(fig.Duration)...)
		err = p.frames(ctx, t, f, m, sh, progress)
	}
	if err != nil {
		if hard(err) || ctx.Err() != nil {
			return nil, nil, err
		}
		p.fail(err.Error())
	}
	fig.Pictures = len(sh.Pictures)
	p.Sheet = sh.Hash()
	p.Pass = len(p.Reasons) == 0
	return p, sh, nil
}

// hard reports whether err is of the machine and not of the copy.
func hard(err error) bool {
	var pr *problem.Problem
	return errors.Is(err, sheet.ErrTooLarge) || errors.As(err, &pr) && !errors.Is(pr, codec.NotVideo)
}

func (p *Proof) fail(reason string) {
	if len(p.Reasons) < maxReasons {
		p.Reasons = append(p.Reasons, reason)
	}
}

func (p *Proof) structure(f *os.File, size int64, m *mask.Mask) error {
	s, err := Walk(f, size)
	if err != nil {
		return err
	}
	if err := Units(f, s); err != nil {
		return err
	}
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
	p.Figures.Duration = at
	return nil
}

type picture struct {
	i   int
	pix []byte
}

// frames decodes the copy and checks its frames on all cores.
func (p *Proof) frames(ctx context.Context, t codec.Tools, f *os.File, m *mask.Mask, sh *sheet.Sheet, progress func(done, total int)) error {
	st, err := t.Full(ctx, f, m.Grid.W, m.Grid.H)
	if err != nil {
		return err
	}
	defer st.Close()
	n := min(8, runtime.GOMAXPROCS(0)) // each core has a frame in memory
	free, work := make(chan []byte, n+1), make(chan picture, n)
	for range n + 1 {
		free <- make([]byte, st.Size)
	}
	c := checker{p: p, m: m, bad: map[int]string{}}
	var wg sync.WaitGroup
	for range n {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for w := range work {
				c.check(w)
				free <- w.pix
			}
		}()
	}
	err = p.read(st, m, sh, free, work, progress)
	close(work)
	wg.Wait()
	if err != nil {
		return err
	}
	if st.Frames() != len(m.Frames) {
		return fmt.Errorf("proof: %d frames could be decoded of %d", st.Frames(), len(m.Frames))
	}
	c.report()
	return c.err
}

func (p *Proof) read(st *codec.Stream, m *mask.Mask, sh *sheet.Sheet, free chan []byte, work chan picture, progress func(done, total int)) error {
	var pick sheet.Picker
	total := 0
	for i := 0; ; i++ {
		b := <-free
		_, err := st.Next(b)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if i >= len(m.Frames) {
			return fmt.Errorf("proof: more than %d frames could be decoded", len(m.Frames))
		}
		fr, next := m.Frames[i], p.Figures.Duration
		if i+1 < len(m.Frames) {
			next = m.Frames[i+1].At
		}
		if pick.Pick(fr.At, next, m.State(i) == mask.Shown) {
			for _, s := range fr.Subjects {
				if s.State != mask.Shown {
					continue
				}
				px, r := m.Grid.Pixels(s.Shape.Bounds()), m.Grid.Rect(s.Shape.Bounds())
				jpg, err := sheet.Crop(b, m.Grid.W, m.Grid.H, px, sheet.MaxSide)
				if err != nil {
					return err
				}
				total += len(jpg)
				if len(sh.Pictures) == sheet.MaxPictures || total > sheet.MaxSize {
					return sheet.ErrTooLarge
				}
				sh.Pictures = append(sh.Pictures, sheet.Picture{At: fr.At, Rect: r, JPEG: jpg})
			}
		}
		work <- picture{i, b}
		if progress != nil {
			progress(i+1, len(m.Frames))
		}
	}
}

type checker struct {
	p   *Proof
	m   *mask.Mask
	mu  sync.Mutex
	bad map[int]string // by frame; order comes after the cores are done
	err error
}

func (c *checker) check(w picture) {
	width, height := c.m.Grid.W, c.m.Grid.H
	y, q := width*height, width*height/4
	f := veil.Frame{W: width, H: height, Y: w.pix[:y], U: w.pix[y : y+q], V: w.pix[y+q : y+2*q]}
	r, err := veil.Check(&f, veil.Expect{Grid: c.m.Grid, Seen: veil.Seen{Shown: c.m.Shown(nil, w.i), Painted: c.m.Frames[w.i].Painted}, Cell: c.m.Cell, Tolerance: Tolerance})
	at := c.m.Frames[w.i].At
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.err = fmt.Errorf("proof: frame %d: %w", w.i, err)
		return
	}
	c.p.Figures.Deviation.take(r.Deviation.Value, at)
	c.p.Figures.Energy.take(r.Energy.Value, at)
	if !r.OK {
		c.bad[w.i] = fmt.Sprintf("frame %d at %.3f s is not veiled: deviation %.1f in cell %d,%d, energy %.1f in cell %d,%d",
			w.i, float64(at)/footage.TicksPerSecond, r.Deviation.Value, r.Deviation.Col, r.Deviation.Row, r.Energy.Value, r.Energy.Col, r.Energy.Row)
	}
}

func (c *checker) report() {
	frames := make([]int, 0, len(c.bad))
	for i := range c.bad {
		frames = append(frames, i)
	}
	sort.Ints(frames)
	for _, i := range frames {
		c.p.fail(c.bad[i])
	}
}
