package proof

import (
	"context"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"veilbox/capture/footage"
	"veilbox/redact/codec"
	"veilbox/redact/mask"
	"veilbox/redact/scene"
	"veilbox/redact/shape"
	"veilbox/redact/sheet"
	"veilbox/redact/stamp"
	"veilbox/redact/subject"
	"veilbox/redact/veil"
)

const (
	width, height = 320, 240
	frameRate     = 10
	frameCount    = 40
	frameSize     = width * height * 3 / 2
	frameTicks    = footage.TicksPerSecond / frameRate
)

// A made is a clip of a room full of texture in which two people walk, one of
// them the subject, with its mask; and a copy of it as the worker would make it.
type made struct {
	t     testing.TB
	tools codec.Tools
	mask  *mask.Mask
	scene *veil.Frame
	room  []byte
}

// A spoiler changes a copy on its way into the file.
type spoiler struct {
	frame func(i int, f *veil.Frame) // after the veil
	coded func(c *coded)             // before the file
}

// coded is what comes out of the encoder.
type coded struct {
	format  footage.Format
	samples []footage.Sample
	data    []byte
	sound   footage.AudioFormat
	heard   []footage.Sample
	units   []byte
}

// take is an encoder's sink.
func (c *coded) take(u *codec.Unit) error {
	for _, p := range [][]byte{u.SPS, u.PPS} {
		if p != nil && len(c.format.Params) < 2 {
			c.format.Params = append(c.format.Params, slices.Clone(p))
		}
	}
	c.samples = append(c.samples, footage.Sample{Size: uint32(len(u.Data)), Duration: frameTicks, Key: u.Key})
	c.data = append(c.data, u.Data...)
	return nil
}

func (c *coded) sample(i int) (from, to int) {
	for k := range i {
		from += int(c.samples[k].Size)
	}
	return from, from + int(c.samples[i].Size)
}

func frameOf(b []byte, w, h int) veil.Frame {
	return veil.Frame{W: w, H: h, Y: b[:w*h], U: b[w*h : w*h*5/4], V: b[w*h*5/4:]}
}

func makeClip(t testing.TB) *made {
	t.Helper()
	tools, err := codec.Find("")
	if err != nil {
		t.Fatal(err)
	}
	b := &made{t: t, tools: tools, room: room(width, height)}
	g := shape.Grid{W: width, H: height, Block: 4}
	m := &mask.Mask{Grid: g, Cell: 32, Subjects: 1}
	for i := range frameCount {
		f := mask.Frame{At: footage.Ticks(i) * frameTicks, Subjects: []mask.Seen{{State: mask.Shown, Confidence: 90, Shape: g.Inside(b.walker(i))}}}
		switch {
		case i >= 20 && i < 23:
			f.Subjects[0] = mask.Seen{State: mask.Unsure}
		case i >= 30 && i < 34:
			f.Subjects[0].Flags = mask.Crowded
		}
		m.Frames = append(m.Frames, f)
	}
	b.mask = m
	return b
}

// room is a still picture with structure of all sizes.
func room(w, h int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, w*h*3/2)
	for y := range h {
		for x := range w {
			v := 10 + 90*x/w + 70*((x/23+y/17)%2) + 40*((x/5+y/7)%2) + r.IntN(30)
			b[y*w+x] = byte(v)
		}
	}
	for i := w * h; i < len(b); i++ {
		b[i] = byte(128 + 20*((i/31)%2) + r.IntN(6))
	}
	return b
}

// walker is where the subject is in frame i.
func (b *made) walker(i int) subject.Rect {
	return subject.Rect{X: float64(40+4*i) / width, Y: 80. / height, W: 40. / width, H: 100. / height}
}

// original draws frame i of the clip.
func (b *made) original(i int, frame []byte) {
	copy(frame, b.room)
	person := func(x0, y0, seed int) {
		for y := y0; y < y0+100; y++ {
			for x := x0; x < x0+40; x++ {
				frame[y*width+x] = byte(40 + ((x-x0)*7+(y-y0)*seed)%180)
			}
		}
	}
	person(40+4*i, 80, 3)
	person(240-4*i, 120, 5)
}

// paint makes the mask one of the still scene, but for the way of both people.
func (b *made) paint() {
	f := frameOf(slices.Clone(b.room), width, height)
	b.scene = &f
	b.mask.Mode, b.mask.Scene = subject.StillScene, scene.Hash(&f)
	upper := b.mask.Grid.Inside(subject.Rect{X: 0, Y: 0, W: 1, H: 64. / height})
	for i := range b.mask.Frames {
		b.mask.Frames[i].Painted = upper
	}
}

// code makes a copy that shows what m says.
func (b *made) code(m *mask.Mask, s spoiler) *coded {
	b.t.Helper()
	v, err := veil.New(m.Grid, veil.Options{Cell: m.Cell, Scene: b.scene})
	if err != nil {
		b.t.Fatal(err)
	}
	var st *stamp.Stamper
	if m.Stamp != nil {
		if st, err = stamp.New(m.Grid, *m.Stamp); err != nil {
			b.t.Fatal(err)
		}
	}
	c := &coded{format: footage.Format{Codec: footage.H264, Width: width, Height: height}}
	enc, err := b.tools.Encode(context.Background(), codec.Encoder{}, width, height, frameRate, "", c.take)
	if err != nil {
		b.t.Fatal(err)
	}
	defer enc.Abort()
	frame := make([]byte, frameSize)
	for i := range m.Frames {
		b.original(i, frame)
		f := frameOf(frame, width, height)
		if err := v.Apply(&f, veil.Seen{Shown: m.Shown(nil, i), Painted: m.Frames[i].Painted}); err != nil {
			b.t.Fatal(err)
		}
		if st != nil {
			if err := st.Draw(&f, m.Frames[i].At); err != nil {
				b.t.Fatal(err)
			}
		}
		if s.frame != nil {
			s.frame(i, &f)
		}
		if err := enc.Write(frame); err != nil {
			b.t.Fatal(err)
		}
	}
	if err := enc.Finish(); err != nil {
		b.t.Fatal(err)
	}
	if m.Sound {
		b.sound(c)
	}
	if s.coded != nil {
		s.coded(c)
	}
	return c
}

// sound gives c sound of the length of its pictures.
func (b *made) sound(c *coded) {
	b.t.Helper()
	var err error
	if c.sound, err = SoundFormat(48_000, 1); err != nil {
		b.t.Fatal(err)
	}
	path := filepath.Join(b.t.TempDir(), "sound.wav")
	ffmpeg(b.t, "-f", "lavfi", "-i", "sine=d=4", path)
	f, err := os.Open(path)
	if err != nil {
		b.t.Fatal(err)
	}
	defer f.Close()
	err = b.tools.Sound(context.Background(), f, 1, 0, frameCount*frameTicks, func(u []byte) error {
		c.heard = append(c.heard, footage.Sample{Size: uint32(len(u)), Duration: unitLength})
		c.units = append(c.units, u...)
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// file puts c into a file, as the worker does.
func (c *coded) file(t testing.TB) []byte {
	t.Helper()
	out, n, err := Header(c.format, c.samples, c.sound, c.heard)
	if err != nil {
		t.Fatal(err)
	}
	want := int64(len(out)) + n
	data, units := c.data, c.units
	for chunk := range Layout(c.samples, c.heard, c.sound.Rate) {
		n := 0
		for _, s := range chunk.Samples {
			n += int(s.Size)
		}
		out, data = append(out, data[:n]...), data[n:]
		n = 0
		for _, r := range chunk.Sound {
			n += int(r.Count * r.Size)
		}
		out, units = append(out, units[:n]...), units[n:]
	}
	if int64(len(out)) != want {
		t.Fatalf("%d bytes, the header says %d", len(out), want)
	}
	return out
}

func (b *made) judge(file []byte, m *mask.Mask) (*Proof, *sheet.Sheet) {
	b.t.Helper()
	path := filepath.Join(b.t.TempDir(), "copy")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		b.t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		b.t.Fatal(err)
	}
	defer f.Close()
	p, s, err := Run(context.Background(), b.tools, Input{File: f, Size: int64(len(file)), Mask: m, Scene: b.scene}, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return p, s
}

func (b *made) changed(change func(m *mask.Mask)) *mask.Mask {
	m := *b.mask
	m.Frames = slices.Clone(m.Frames)
	for i := range m.Frames {
		m.Frames[i].Subjects = slices.Clone(m.Frames[i].Subjects)
	}
	change(&m)
	return &m
}

func (b *made) stampMask() *mask.Mask {
	m := b.changed(func(m *mask.Mask) {
		m.Stamp = &mask.Stamp{Start: time.Date(2026, 11, 22, 13, 3, 5, 0, time.UTC), Place: "Ærø"}
	})
	st, err := stamp.New(m.Grid, *m.Stamp)
	if err != nil {
		b.t.Fatal(err)
	}
	for i := range m.Frames {
		s := &m.Frames[i].Subjects[0]
		if s.State == mask.Shown {
			s.Shape = shape.Minus(nil, s.Shape, st.Area())
		}
	}
	return m
}

func ffmpeg(t testing.TB, args ...string) {
	t.Helper()
	if out, err := exec.Command("ffmpeg", append([]string{"-v", "error", "-nostdin", "-y"}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg is needed (make setup): %q: %v\n%s", args, err, out)
	}
}

// remux takes a finished copy through ffmpeg.
func (b *made) remux(file []byte, args ...string) []byte {
	b.t.Helper()
	dir := b.t.TempDir()
	in, out := filepath.Join(dir, "in.mp4"), filepath.Join(dir, "out.mp4")
	if err := os.WriteFile(in, file, 0o600); err != nil {
		b.t.Fatal(err)
	}
	ffmpeg(b.t, append(append([]string{"-i", in}, args...), "-movflags", "+faststart", out)...)
	f, err := os.Open(out)
	if err != nil {
		b.t.Fatal(err)
	}
	defer f.Close()
	got, err := io.ReadAll(f)
	if err != nil {
		b.t.Fatal(err)
	}
	return got
}
