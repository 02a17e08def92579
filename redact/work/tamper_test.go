//go:build linux

package work

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"veilbox/capture/footage"
	"veilbox/redact/codec"
	"veilbox/redact/mask"
	"veilbox/redact/proof"
	"veilbox/redact/sandbox"
	"veilbox/redact/sheet"
	"veilbox/redact/subject"
)

// bench is a clip with a textured room and a box that crosses it, taken through
// the first pass.
type bench struct {
	t    *testing.T
	w    *worker
	in   *os.File
	info codec.Info
	mask *mask.Mask
}

func newBench(t *testing.T) *bench {
	t.Helper()
	path := filepath.Join(t.TempDir(), "clip.mp4")
	graph := "testsrc2=s=480x270:r=10,trim=end_frame=1,loop=-1:1,setpts=N/10/TB,hue=s=0.3,eq=contrast=0.4[bg];" +
		"mandelbrot=s=48x96:r=10,trim=end_frame=1,loop=-1:1,setpts=N/10/TB,hue=h=90,eq=contrast=1.4[box];[bg][box]overlay=x=20+60*t:y=110,fps=10,format=yuv420p"
	ffmpeg(t, "-filter_complex", graph, "-t", "4", "-c:v", "libx264", "-preset", "ultrafast", path)
	tools, err := codec.Find("")
	if err != nil {
		t.Fatal(err)
	}
	job := Job{Limits: Limits{Input: 1 << 24, Output: 1 << 24, Planes: 1 << 24, Picture: codec.Limits{Width: 4096, Height: 2304, Seconds: 7200}},
		Subject: subject.Subject{Version: 1, Keyframes: []subject.Keyframe{{At: 1, Rect: &subject.Rect{X: 80. / 480, Y: 110. / 270, W: 48. / 480, H: 96. / 270}}}}}
	b := &bench{t: t, w: &worker{c: &Conn{W: io.Discard}, tools: tools, job: job}}
	b.in = b.memory(read(t, path))
	ctx := context.Background()
	if b.info, err = tools.Probe(ctx, b.in, job.Limits.Picture); err != nil {
		t.Fatal(err)
	}
	p, err := b.w.load(ctx, b.in, b.info)
	if err != nil {
		t.Fatal(err)
	}
	if b.mask, err = b.w.follow(ctx, p, b.info); err != nil {
		t.Fatal(err)
	}
	return b
}

func ffmpeg(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("ffmpeg", append([]string{"-v", "error", "-nostdin", "-y"}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg %q: %v\n%s", args, err, out)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) memory(data []byte) *os.File {
	b.t.Helper()
	f, _, err := sandbox.Input(bytes.NewReader(data), 1<<26)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { f.Close() })
	return f
}

// copy makes a copy that shows what m says; change may spoil it before it is
// put into its file.
func (b *bench) copy(m *mask.Mask, change func(*output)) []byte {
	b.t.Helper()
	s, err := b.w.begin(context.Background(), b.in, b.info, b.info.Rate)
	if err != nil {
		b.t.Fatal(err)
	}
	defer s.abort()
	out, err := b.w.veil(s, b.info, m)
	if err != nil {
		b.t.Fatal(err)
	}
	if change != nil {
		change(out)
	}
	var wire bytes.Buffer
	w := &worker{c: &Conn{W: &wire}}
	if _, err := w.deliver(out, sha256.New()); err != nil {
		b.t.Fatal(err)
	}
	var file []byte
	c := &Conn{R: &wire}
	for {
		_, body, err := c.Receive()
		if errors.Is(err, io.EOF) {
			return file
		}
		if err != nil {
			b.t.Fatal(err)
		}
		file = append(file, body...)
	}
}

func (b *bench) judge(file []byte, m *mask.Mask) (*proof.Proof, *sheet.Sheet) {
	b.t.Helper()
	p, s, err := proof.Run(context.Background(), b.w.tools, b.memory(file), int64(len(file)), m, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return p, s
}

func (b *bench) changed(change func(m *mask.Mask)) *mask.Mask {
	m := *b.mask
	m.Frames = slices.Clone(m.Frames)
	change(&m)
	return &m
}

// remux takes a finished copy through ffmpeg.
func (b *bench) remux(file []byte, args ...string) []byte {
	b.t.Helper()
	dir := b.t.TempDir()
	in, out := filepath.Join(dir, "in.mp4"), filepath.Join(dir, "out.mp4")
	if err := os.WriteFile(in, file, 0o600); err != nil {
		b.t.Fatal(err)
	}
	ffmpeg(b.t, append(append([]string{"-i", in}, args...), "-movflags", "+faststart", out)...)
	return read(b.t, out)
}

// insert puts a box in front of the video data and moves the chunk offsets, so
// that a player would not notice.
func insert(t *testing.T, file, box []byte) []byte {
	t.Helper()
	at := bytes.Index(file, []byte("mdat")) - 4
	stco := bytes.Index(file, []byte("stco"))
	if at < 0 || stco < 0 {
		t.Fatal("no mdat or no stco")
	}
	out := slices.Concat(file[:at], box, file[at:])
	for i := range binary.BigEndian.Uint32(out[stco+8:]) {
		e := out[stco+12+4*int(i):]
		binary.BigEndian.PutUint32(e, binary.BigEndian.Uint32(e)+uint32(len(box)))
	}
	return out
}

func TestTamperedCopiesFail(t *testing.T) {
	b := newBench(t)
	honest := b.copy(b.mask, nil)
	p, s := b.judge(honest, b.mask)
	if !p.Pass || p.Figures.Shown < 30 || len(s.Pictures) < 7 || s.Check() != nil {
		t.Fatalf("the honest copy: %+v, %d pictures", p, len(s.Pictures))
	}
	all := subject.Rect{W: 1, H: 1}
	free := append([]byte{0, 0, 0, 16}, "freehidden!!"...)
	for _, tc := range []struct {
		name string
		file func() []byte
		mask *mask.Mask // judged against; nil = the honest one
		want string
	}{
		{"one frame unveiled", func() []byte {
			return b.copy(b.changed(func(m *mask.Mask) {
				m.Frames[17].State, m.Frames[17].Rects = mask.Shown, []subject.Rect{all}
			}), nil)
		}, nil, "frame 17 at 1.700 s is not veiled"},
		{"mask shifted by one second", func() []byte {
			return b.copy(b.changed(func(m *mask.Mask) {
				for i := range m.Frames {
					from := b.mask.Frames[max(0, i-10)]
					m.Frames[i].State, m.Frames[i].Rects = from.State, from.Rects
				}
			}), nil)
		}, nil, "is not veiled"},
		{"shown where the track was unsure", func() []byte { return honest }, b.changed(func(m *mask.Mask) {
			m.Frames[20].State, m.Frames[20].Rects = mask.Unsure, nil
		}), "frame 20 at 2.000 s is not veiled"},
		{"shown where the subject is gone", func() []byte { return honest }, b.changed(func(m *mask.Mask) {
			m.Frames[21].State, m.Frames[21].Rects = mask.Gone, nil
		}), "frame 21 at 2.100 s is not veiled"},
		{"not veiled at all", func() []byte {
			return b.copy(b.changed(func(m *mask.Mask) {
				for i := range m.Frames {
					m.Frames[i].State, m.Frames[i].Rects = mask.Shown, []subject.Rect{all}
				}
			}), nil)
		}, nil, "is not veiled"},
		{"bytes appended", func() []byte { return append(slices.Clone(honest), "hidden"...) }, nil, "follow the video"},
		{"a box appended", func() []byte { return append(slices.Clone(honest), free...) }, nil, "follow the video"},
		{"a box between", func() []byte { return insert(t, honest, free) }, nil, `a copy has mdat there`},
		{"cut short", func() []byte { return honest[:len(honest)-10] }, nil, "bytes of a file"},
		{"a second video track", func() []byte { return b.remux(honest, "-map", "0:v", "-map", "0:v", "-c", "copy") }, nil, "a copy has"},
		{"an audio track", func() []byte {
			return b.remux(honest, "-f", "lavfi", "-i", "sine=d=4", "-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "aac")
		}, nil, "a copy has"},
		{"written by another muxer", func() []byte { return b.remux(honest, "-c", "copy") }, nil, "a copy has"},
		{"coded again", func() []byte { return b.remux(honest, "-c:v", "libx264", "-crf", "30") }, nil, "a copy has"},
		{"a creation time", func() []byte {
			f := slices.Clone(honest)
			f[bytes.Index(f, []byte("mvhd"))+11] = 1
			return f
		}, nil, "does not need"},
		{"a handler name", func() []byte {
			f := slices.Clone(honest)
			f[bytes.Index(f, []byte("vide"))+6] = 'x'
			return f
		}, nil, "does not need"},
		{"user data beside a picture", func() []byte {
			return b.copy(b.mask, func(o *output) {
				sei := []byte{0, 0, 0, 6, 6, 5, 2, 'h', 'i', 0x80}
				prepend(t, o, sei)
			})
		}, nil, "NAL unit of type 6"},
		{"a frame at another time", func() []byte {
			return b.copy(b.mask, func(o *output) { o.samples[5].Duration += 900; o.samples[6].Duration -= 900 })
		}, nil, "frame 6 is at tick"},
		{"a frame missing", func() []byte {
			return b.copy(b.mask, func(o *output) {
				last := len(o.samples) - 1
				o.size -= int64(o.samples[last].Size)
				o.samples = o.samples[:last]
			})
		}, nil, "39 frames, the clip 40"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := b.mask
			if tc.mask != nil {
				m = tc.mask
			}
			p, _ := b.judge(tc.file(), m)
			if p.Pass || !strings.Contains(strings.Join(p.Reasons, "; "), tc.want) {
				t.Errorf("pass %v, reasons %q, want one with %q", p.Pass, p.Reasons, tc.want)
			}
		})
	}
}

// prepend puts a NAL unit in front of the first sample.
func prepend(t *testing.T, o *output, nal []byte) {
	t.Helper()
	if _, err := o.f.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(o.f)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.f.WriteAt(append(slices.Clone(nal), rest...), 0); err != nil {
		t.Fatal(err)
	}
	o.samples[0].Size += uint32(len(nal))
	o.size += int64(len(nal))
}

func TestPlanesGiveUpFrames(t *testing.T) {
	p := newPlanes(codec.Info{Width: 1920, Height: 1080, Frames: 100}, 1<<21)
	if p.w < planeLeast-1 || p.w > planeWidth {
		t.Fatalf("planes %d wide", p.w)
	}
	for i := range 500 {
		b := p.next()
		b[0] = byte(i)
		p.add(b, footage.Ticks(i*3600))
	}
	if p.stride < 2 || int64(p.Len()*p.w*p.h) > p.budget {
		t.Fatalf("%d planes of %dx%d with stride %d", p.Len(), p.w, p.h, p.stride)
	}
	for i := range p.Len() {
		if got := p.Plane(i).Pix[0]; got != byte(i*p.stride) {
			t.Fatalf("plane %d is of frame %d, want %d", i, got, i*p.stride)
		}
		if want := float64(i*p.stride*3600) / 90000; p.Time(i) != want {
			t.Fatalf("plane %d at %g, want %g", i, p.Time(i), want)
		}
	}
}

func TestBetween(t *testing.T) {
	shown := func(x float64) mask.Frame {
		return mask.Frame{State: mask.Shown, Confidence: 90, Rects: []subject.Rect{{X: x, Y: 0.1, W: 0.1, H: 0.2}}}
	}
	if f := between(shown(0.2), shown(0.4), 0.5); f.State != mask.Shown || f.Rects[0].X < 0.29 || f.Rects[0].X > 0.31 {
		t.Errorf("%+v", f)
	}
	for _, other := range []mask.Frame{{State: mask.Unsure}, {State: mask.Gone}} {
		for _, f := range []mask.Frame{between(shown(0), other, 0.1), between(other, shown(0), 0.9)} {
			if f.State != mask.Unsure || f.Rects != nil {
				t.Errorf("between shown and %v: %+v", other.State, f)
			}
		}
	}
}

func FuzzReceive(f *testing.F) {
	f.Add([]byte{'R', 0, 0, 0, 2, '{', '}'})
	f.Add([]byte{'I', 0, 0, 0, 50, 1})
	f.Add([]byte{'D', 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		c := &Conn{R: bytes.NewReader(b)}
		for {
			kind, body, err := c.Receive()
			if err != nil {
				return
			}
			if len(body) > MaxBody {
				t.Fatal("a body over its bound")
			}
			if kind == TypePicture {
				p, err := DecodePicture(body)
				if err == nil && !bytes.Equal(EncodePicture(p), body) {
					t.Fatal("a picture changed on the way")
				}
			}
		}
	})
}
