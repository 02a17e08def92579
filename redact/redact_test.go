//go:build linux

package redact

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"veilbox/redact/subject"
)

var program string // veil-redact, built for the test

func TestMain(m *testing.M) {
	if strings.HasPrefix(filepath.Base(os.Args[0]), fakePrefix) {
		os.Exit(fakeMain(os.Args[0]))
	}
	if program = os.Getenv("VEILBOX_TEST_PROGRAM"); program != "" {
		if os.Getenv(daemonVar) != "" {
			os.Exit(daemon())
		}
		os.Exit(m.Run())
	}
	dir, err := os.MkdirTemp("", "redact")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	program = filepath.Join(dir, "veil-redact")
	build := exec.Command("go", "build", "-o", program, "veilbox/cmd/veil-redact")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build veil-redact: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

func worker() *Worker { return &Worker{Path: program} }

// memory is a Storage for tests.
type memory struct {
	mu sync.Mutex
	b  []byte
}

type memoryWriter struct {
	bytes.Buffer
	m *memory
}

func (w *memoryWriter) Close() error {
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	w.m.b = w.Bytes()
	return nil
}

func (m *memory) Create() (io.WriteCloser, error) { return &memoryWriter{m: m}, nil }

func (m *memory) Open() (io.ReadCloser, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.b == nil {
		return nil, os.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(m.b)), nil
}

func (m *memory) Remove() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.b = nil
	return nil
}

// The picture of every test clip: a still textured room, and one box with a
// pattern of its own that goes from left to right at 100 px a second.
const (
	clipW, clipH = 480, 270
	boxW, boxH   = 48, 96
	boxX, boxY   = 20, 110
	boxV         = 60
)

// makeClip writes a clip with ffmpeg. extra are output options, after "-vf" and
// a filter or "+audio" for a sound track; the name's ending is the container.
func makeClip(t testing.TB, name string, seconds int, extra ...string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	graph := fmt.Sprintf("testsrc2=s=%dx%d:r=10:d=%d,trim=end_frame=1,loop=-1:1,setpts=N/10/TB,trim=duration=%d,hue=s=0.3,eq=contrast=0.4[bg];"+
		"mandelbrot=s=%dx%d:r=10,trim=end_frame=1,loop=-1:1,setpts=N/10/TB,trim=duration=%d,hue=h=90,eq=contrast=1.4[box];[bg][box]overlay=x=%d+%d*t:y=%d,fps=10,format=yuv420p",
		clipW, clipH, seconds+1, seconds+1, boxW, boxH, seconds+1, boxX, boxV, boxY) // -t cuts what is over
	switch {
	case extra[0] == "-vf":
		graph, extra = graph+","+extra[1], extra[2:]
	case extra[0] == "+audio":
		graph, extra = fmt.Sprintf("%s;sine=d=%d", graph, seconds), extra[1:]
	}
	args := []string{"-v", "error", "-nostdin", "-filter_complex", graph}
	args = append(append(args, extra...), "-t", fmt.Sprint(seconds), path)
	if out, err := exec.Command("ffmpeg", args...).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg %q: %v\n%s", args, err, out)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// theBox is the subject of every test clip at time 1 s.
func theBox() subject.Subject {
	return subject.Subject{Version: 1, Keyframes: []subject.Keyframe{{At: 1, Rect: &subject.Rect{
		X: (boxX + boxV) / float64(clipW), Y: boxY / float64(clipH), W: boxW / float64(clipW), H: boxH / float64(clipH)}}}}
}

func produce(t testing.TB, clip []byte) (Copy, *memory) {
	t.Helper()
	store := &memory{}
	c, err := worker().Produce(context.Background(), Job{Subjects: []subject.Subject{theBox()}}, bytes.NewReader(clip), store, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c, store
}

func TestProduce(t *testing.T) {
	x264 := []string{"-c:v", "libx264", "-preset", "ultrafast"}
	for _, tc := range []struct {
		name   string
		frames int
		args   []string
	}{
		{"plain.mp4", 40, append(x264, "-bf", "2")},
		{"index-first.mp4", 40, append(x264, "-movflags", "+faststart")},
		{"motion-jpeg.avi", 40, []string{"-c:v", "mjpeg", "-q:v", "4"}},
		{"h265.mkv", 40, []string{"-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none"}},
		{"raw.h264", 40, x264},
	} {
		t.Run(tc.name, func(t *testing.T) {
			clip := makeClip(t, tc.name, 4, tc.args...)
			c, _ := produce(t, clip)
			f := c.Figures()
			t.Logf("%+v, %d bytes of %d", f, c.Size(), len(clip))
			if f.Frames != tc.frames || f.Width != clipW || f.Height != clipH {
				t.Errorf("%d frames of %dx%d", f.Frames, f.Width, f.Height)
			}
			if f.Shown < tc.frames*8/10 {
				t.Errorf("the box is shown in %d of %d frames", f.Shown, f.Frames)
			}
			if len(c.Sheet()) < 7 || c.SheetHash().IsZero() || c.ProofHash().IsZero() || c.Hash().IsZero() {
				t.Errorf("%d pictures, hashes %v %v %v", len(c.Sheet()), c.SheetHash(), c.ProofHash(), c.Hash())
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	mp4 := makeClip(t, "a.mp4", 2, "-c:v", "libx264", "-preset", "ultrafast", "-movflags", "+faststart")
	late := makeClip(t, "b.mp4", 2, "-c:v", "libx264", "-preset", "ultrafast")
	avi := makeClip(t, "c.avi", 2, "-c:v", "mjpeg")
	for _, tc := range []struct {
		name string
		clip []byte
		code string
	}{
		{"empty", nil, "redact.not-video"},
		{"garbage", bytes.Repeat([]byte("no video, only words. "), 5000), "redact.not-video"},
		{"cut, index in front", mp4[:len(mp4)/2], "redact.truncated"},
		{"cut, index behind", late[:len(late)/2], "redact.truncated"},
		{"cut AVI", avi[:len(avi)/2], "redact.truncated"},
		{"cut in the index", mp4[:200], "redact.truncated"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			store := &memory{}
			c, err := worker().Produce(context.Background(), Job{Subjects: []subject.Subject{theBox()}}, bytes.NewReader(tc.clip), store, nil)
			if code(err) != tc.code || !c.IsZero() || store.b != nil {
				t.Errorf("error %v, want %s; %d bytes were kept", err, tc.code, len(store.b))
			}
		})
	}
	t.Run("another clip than the job names", func(t *testing.T) {
		job := Job{Subjects: []subject.Subject{theBox()}}
		job.Clip.Hash[0] = 1
		store := &memory{}
		if _, err := worker().Produce(context.Background(), job, bytes.NewReader(mp4), store, nil); !errors.Is(err, WrongClip) || store.b != nil {
			t.Errorf("error %v", err)
		}
	})
	t.Run("no ffmpeg", func(t *testing.T) {
		w := worker()
		w.FFmpeg = "/nowhere/ffmpeg"
		if _, err := w.Produce(context.Background(), Job{Subjects: []subject.Subject{theBox()}}, bytes.NewReader(mp4), &memory{}, nil); code(err) != "redact.ffmpeg" {
			t.Errorf("error %v", err)
		}
	})
	t.Run("no worker", func(t *testing.T) {
		w := &Worker{Path: "/nowhere/veil-redact"}
		if _, err := w.Produce(context.Background(), Job{Subjects: []subject.Subject{theBox()}}, bytes.NewReader(mp4), &memory{}, nil); !errors.Is(err, NoWorker) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("too large", func(t *testing.T) {
		w := worker()
		w.Limits.Width, w.Limits.Height = 320, 240
		if _, err := w.Produce(context.Background(), Job{Subjects: []subject.Subject{theBox()}}, bytes.NewReader(mp4), &memory{}, nil); code(err) != "redact.too-large" {
			t.Errorf("error %v", err)
		}
	})
	t.Run("too many bytes", func(t *testing.T) {
		w := worker()
		w.Limits.ClipBytes = 1000
		if _, err := w.Produce(context.Background(), Job{Subjects: []subject.Subject{theBox()}}, bytes.NewReader(mp4), &memory{}, nil); code(err) != "redact.too-large" {
			t.Errorf("error %v", err)
		}
	})
	t.Run("no subject", func(t *testing.T) {
		if _, err := worker().Produce(context.Background(), Job{}, bytes.NewReader(mp4), &memory{}, nil); code(err) != "redact.subject" {
			t.Errorf("error %v", err)
		}
	})
	t.Run("no encoder", func(t *testing.T) {
		w := worker()
		w.Encoder.Codec = "h264_nothing"
		c, err := w.Produce(context.Background(), Job{Subjects: []subject.Subject{theBox()}}, bytes.NewReader(mp4), &memory{}, nil)
		if err != nil || fmt.Sprint(c.Notices()) != "[software-encoder]" {
			t.Errorf("notices %v, error %v", c.Notices(), err)
		}
	})
	t.Run("the input breaks", func(t *testing.T) {
		broken := io.MultiReader(bytes.NewReader(mp4[:1000]), brokenReader{})
		if _, err := worker().Produce(context.Background(), Job{Subjects: []subject.Subject{theBox()}}, broken, &memory{}, nil); !errors.Is(err, errBroken) {
			t.Errorf("error %v", err)
		}
	})
}

var errBroken = errors.New("broken")

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errBroken }

func code(err error) string {
	var p interface{ Error() string }
	if err == nil {
		return ""
	}
	p = err
	for _, k := range known() {
		if errors.Is(p, k) {
			return k.Code
		}
	}
	return strings.TrimSpace(err.Error())
}
