// Package stamp burns time and place into a copy, and holds a copy's picture
// against what was burnt in. The camera's own text is veiled like everything
// else: it may name what a copy must not, and nobody can check it.
//
// A stamp is a dark bar at the bottom left, of whole blocks of the frame's grid
// (redact/shape), with the place, the date and the time to the second as they
// are in Denmark: "Netto Ærø  22-11-2026 14:03:05". It writes luma and neutral
// chroma, so that nothing of the frame stays below it. Where the frame is too
// narrow the letters become smaller, and then the place is cut; a frame that has
// no room for the time alone is refused.
//
// The bar belongs to the stamp: the caller takes Area out of everything that is
// shown or painted, draws after the veil, and gives Area to veil.Check as Apart.
//
// Frames are yuv420p as in redact/veil. Times are ticks of 1/90000 s from the
// first frame, whose time of day is in the mask. The font is Go Mono, which is
// part of golang.org/x/image; the rules of summer time come with the program,
// for a sandbox has no files of them.
package stamp

import (
	"fmt"
	"image"
	"time"
	_ "time/tzdata" // a sandbox has no zone files
	"unicode/utf8"

	"veilbox/capture/footage"
	"veilbox/redact/mask"
	"veilbox/redact/shape"
	"veilbox/redact/veil"
)

// Luma of the bar and of its letters; chroma of both.
const (
	barLuma  = 28
	textLuma = 224
	neutral  = 128
)

// Sizes of the letters in pixels: 1/36 of the frame's height, at least usual,
// and least where the frame has no room for that.
const (
	part  = 36
	usual = 14
	least = 9
)

const (
	layout  = "02-01-2006 15:04:05"
	between = 2 // characters between place and time
	zone    = "Europe/Copenhagen"
)

// A Stamper draws the stamp of one copy. It is not for use by several goroutines
// at once.
type Stamper struct {
	grid  shape.Grid
	start time.Time // of the first frame, in Denmark
	area  shape.Shape
	px    image.Rectangle // of the area, in luma
	cw    int             // width of a character
	top   int             // of the characters, in the bar
	ch    int             // height of a character
	glyph map[rune][]byte // luma, cw by ch
	text  []rune          // all of it; the time is rewritten
	bar   []byte          // luma of the area as it is drawn
	drawn int64           // the second that bar shows
}

// New returns a stamper for the frames of g.
func New(g shape.Grid, s mask.Stamp) (*Stamper, error) {
	if err := g.Check(); err != nil {
		return nil, fmt.Errorf("stamp: %w", err)
	}
	if !utf8.ValidString(s.Place) || s.Start.Year() < 1970 || s.Start.Year() > 9999 {
		return nil, fmt.Errorf("stamp: %q at %v: give a place in UTF-8 and a time of the years 1970 to 9999", s.Place, s.Start)
	}
	where, err := time.LoadLocation(zone)
	if err != nil {
		return nil, fmt.Errorf("stamp: the time in Denmark: %w", err)
	}
	t := &Stamper{grid: g, start: s.Start.In(where), drawn: -1 << 62}
	if s.Place != "" {
		t.text = append([]rune(s.Place), ' ', ' ')
	}
	if err := t.fit(); err != nil {
		return nil, err
	}
	return t, nil
}

// fit chooses the size of the letters and makes the area, and the glyphs.
func (t *Stamper) fit() error {
	g := t.grid
	size := max(usual, (g.H+part/2)/part)
	for {
		f, err := load(size)
		if err != nil {
			return err
		}
		t.cw, t.ch = f.width, f.ascent+f.descent
		pad := max(2, t.cw/2)
		room := (g.W - 2*pad) / t.cw
		n := len(t.text) + len(layout)
		if n > room && size > least && size > g.H/part {
			size = max(least, size-1)
			continue
		}
		if room < len(layout) || t.ch+4 > g.H/2 {
			if size > least {
				size--
				continue
			}
			return fmt.Errorf("stamp: a frame of %dx%d has no room for a time: make this copy without one", g.W, g.H)
		}
		if n > room { // what is left of the place ends in a sign for that
			if k := room - len(layout) - between; k >= 2 {
				t.text = append(t.text[:k-1], '…', ' ', ' ')
			} else {
				t.text = nil
			}
			n = len(t.text) + len(layout)
		}
		t.place(n*t.cw+2*pad, t.ch+max(2, t.ch/6))
		t.text = append(t.text, []rune(layout)...)
		t.glyphs(f)
		return nil
	}
}

// place makes the area of at least w by h pixels.
func (t *Stamper) place(w, h int) {
	g := t.grid
	cols := min(g.Cols(), (w+g.Block-1)/g.Block)
	from := max(0, (g.H-h)/g.Block)
	for r := from; r < g.Rows(); r++ {
		t.area = append(t.area, shape.Run{Row: uint16(r), From: 0, To: uint16(cols)})
	}
	t.px = g.Pixels(t.area.Bounds())
	t.bar = make([]byte, t.px.Dx()*t.px.Dy())
	t.top = max(0, (t.px.Dy()-t.ch)/2)
}

func (t *Stamper) glyphs(f *typeface) {
	t.glyph = map[rune][]byte{}
	for _, r := range append([]rune("0123456789-: "), t.text...) {
		if t.glyph[r] != nil {
			continue
		}
		a := f.draw(r)
		for i, v := range a.Pix {
			a.Pix[i] = byte(barLuma + (int(v)*(textLuma-barLuma)+127)/255)
		}
		t.glyph[r] = a.Pix
	}
}

// Area returns the blocks of the bar, the same in every frame.
func (t *Stamper) Area() shape.Shape { return t.area }

// Text returns what stands in the frame at at.
func (t *Stamper) Text(at footage.Ticks) string {
	t.write(t.second(at))
	return string(t.text)
}

// second returns the time of a frame in whole seconds since 1970.
func (t *Stamper) second(at footage.Ticks) int64 {
	return t.start.Add(time.Duration(at/footage.TicksPerSecond)*time.Second +
		time.Duration(at%footage.TicksPerSecond)*time.Second/footage.TicksPerSecond).Unix()
}

func (t *Stamper) write(second int64) {
	n := len(t.text) - len(layout)
	for i, r := range time.Unix(second, 0).In(t.start.Location()).Format(layout) {
		t.text[n+i] = r
	}
}

// render makes the bar of the frame at at. It draws anew only when the second
// is another.
func (t *Stamper) render(at footage.Ticks) {
	s := t.second(at)
	if s == t.drawn {
		return
	}
	t.drawn = s
	t.write(s)
	for i := range t.bar {
		t.bar[i] = barLuma
	}
	w := t.px.Dx()
	left := (w - len(t.text)*t.cw) / 2
	for i, r := range t.text {
		x, pix := left+i*t.cw, t.glyph[r]
		for y := range t.ch {
			copy(t.bar[(t.top+y)*w+x:(t.top+y)*w+x+t.cw], pix[y*t.cw:])
		}
	}
}

// Draw burns the stamp into the frame at at.
func (t *Stamper) Draw(f *veil.Frame, at footage.Ticks) error {
	if err := t.check(f); err != nil {
		return err
	}
	t.render(at)
	w := t.px.Dx()
	for y := range t.px.Dy() {
		copy(f.Y[(t.px.Min.Y+y)*f.W+t.px.Min.X:], t.bar[y*w:(y+1)*w])
	}
	x0, x1 := t.px.Min.X/2, t.px.Max.X/2
	for y := t.px.Min.Y / 2; y < t.px.Max.Y/2; y++ {
		for _, p := range [2][]byte{f.U, f.V} {
			line := p[y*f.W/2+x0 : y*f.W/2+x1]
			for i := range line {
				line[i] = neutral
			}
		}
	}
	return nil
}

func (t *Stamper) check(f *veil.Frame) error {
	if n := t.grid.W * t.grid.H; f.W != t.grid.W || f.H != t.grid.H || len(f.Y) != n || len(f.U) != n/4 || len(f.V) != n/4 {
		return fmt.Errorf("stamp: a frame of %dx%d in a copy of %dx%d: give tightly packed yuv420p", f.W, f.H, t.grid.W, t.grid.H)
	}
	return nil
}
