//go:build linux

package detect_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"veilbox/internal/clock"
	"veilbox/redact/detect"
	"veilbox/redact/detect/detecttest"
	"veilbox/redact/sandbox"
	"veilbox/redact/subject"
)

var tool detect.Tool // veil-detect, built for the test

var shut string // testdata/shut, built likewise

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "detect")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir) // scratch
	// Without it each test that starts it says so.
	if tool.Path, err = detecttest.Build(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	shut = filepath.Join(dir, "shut")
	c := exec.Command("go", "build", "-o", shut, "./testdata/shut")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v: %s\n", err, out)
		return 1
	}
	return m.Run()
}

func start(t *testing.T, o detect.Options) *detect.Detector {
	t.Helper()
	d, err := try(t, o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func try(t *testing.T, o detect.Options) (*detect.Detector, error) {
	t.Helper()
	if tool.Path == "" {
		t.Fatal("veil-detect could not be built: run make setup, which installs the headers of OpenCV")
	}
	if o.Tool.Path == "" {
		o.Tool = tool
	}
	d, err := detect.Start(t.Context(), o)
	if err == nil {
		t.Cleanup(d.Close)
	}
	return d, err
}

func open(t *testing.T, b []byte) *os.File {
	t.Helper()
	f, err := config(t, b).Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func config(t *testing.T, b []byte) detect.Model {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	h := sha256.Sum256(b)
	return detect.Model{Path: path, SHA256: hex.EncodeToString(h[:])}
}

// square is a black frame with a white square of s samples.
func square(w, h, x, y, s int) []byte {
	b := make([]byte, w*h)
	for j := y; j < y+s; j++ {
		for i := x; i < x+s; i++ {
			b[j*w+i] = 255
		}
	}
	return b
}

func TestModelFollowsABrightSquare(t *testing.T) {
	for name, m := range map[string]detecttest.Model{
		"columns":   {},
		"rows":      {Rows: true},
		"one plane": {Planes: 1},
		"open":      {Side: 640, Open: true},
	} {
		t.Run(name, func(t *testing.T) {
			// 320x160 becomes 64x32 in the middle of 64x64, or as much larger.
			d := start(t, detect.Options{Width: 320, Height: 160, Model: open(t, m.Bytes()), Faces: []int{0}})
			if !strings.HasPrefix(d.Version(), "OpenCV 4.") {
				t.Errorf("version %q", d.Version())
			}
			for _, at := range [][2]int{{0, 0}, {160, 80}, {280, 120}, {40, 120}} {
				boxes, err := d.Frame(square(320, 160, at[0], at[1], 40))
				if err != nil {
					t.Fatal(err)
				}
				if len(boxes) == 0 {
					t.Fatalf("nothing is seen at %v", at)
				}
				for _, b := range boxes {
					x, y := (b.Rect.X+b.Rect.W/2)*320, (b.Rect.Y+b.Rect.H/2)*160
					if b.Kind != detect.Face || b.Score < 0.9 || x < float64(at[0]) || x > float64(at[0]+40) || y < float64(at[1]) || y > float64(at[1]+40) {
						t.Errorf("the square is at %v, seen at %.0f %.0f: %+v", at, x, y, b)
					}
				}
				if m.Side == 0 {
					want := subject.Rect{X: float64(at[0]) / 320, Y: float64(at[1]) / 160, W: 40. / 320, H: 40. / 160}
					if len(boxes) != 1 || detect.IoU(boxes[0].Rect, want) < 0.999 {
						t.Errorf("%v, want one of %v", boxes, want)
					}
				}
			}
			if boxes, err := d.Frame(make([]byte, 320*160)); err != nil || len(boxes) != 0 {
				t.Errorf("in the dark: %v, %v", boxes, err)
			}
		})
	}
}

// A model that lies is an error with its reason, at the start where a grey frame
// shows it, else at the frame that does.
func TestModelThatLies(t *testing.T) {
	whole := detecttest.Model{}.Bytes()
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, k := range []struct {
		name, want string
		b          []byte
		classes    []int
	}{
		{"no ONNX", "no ONNX file", []byte("PK\x03\x04 something else"), nil},
		{"cut short", "no ONNX file", whole[:len(whole)/2], nil},
		{"another graph", "", bytes.ReplaceAll(whole, []byte("Concat"), []byte("Concot")), nil},
		{"not a number", "a score of it is nan", detecttest.Model{Gain: nan}.Bytes(), nil},
		{"score without end", "a score of it is inf", detecttest.Model{Gain: inf}.Bytes(), nil},
		{"score too large", "a score of it is 2", detecttest.Model{Gain: 5}.Bytes(), nil},
		{"score below 0", "a score of it is -", detecttest.Model{Gain: -1, Rows: true}.Bytes(), nil},
		{"square", "shape 1 x 64 x 64", detecttest.Model{Square: true}.Bytes(), nil},
		{"flat", "shape 320 x 1", detecttest.Model{Flat: true}.Bytes(), nil},
		{"two outputs", "2 outputs", detecttest.Model{Outputs: 2}.Bytes(), nil},
		{"half precision", "not float32", detecttest.Model{Elem: 10}.Bytes(), nil},
		{"other input", "has the shape", detecttest.Model{Planes: 2}.Bytes(), nil},
		{"class it has not", "class 7 is asked for", whole, []int{7}},
		{"open sides of another size", "", detecttest.Model{Open: true}.Bytes(), nil},
	} {
		t.Run(k.name, func(t *testing.T) {
			_, err := try(t, detect.Options{Width: 64, Height: 64, Model: open(t, k.b), Persons: k.classes})
			if !errors.Is(err, detect.BadModel) || !strings.Contains(err.Error()+fmt.Sprint(errors.Unwrap(err)), k.want) {
				t.Errorf("%v, want the problem of the model with %q", err, k.want)
			}
		})
	}
	for name, m := range map[string]detecttest.Model{
		"coordinate not a number": {Shift: nan},
		"coordinate without end":  {Shift: inf},
		"coordinate far outside":  {Shift: 4000},
		"negative size":           {Width: -8},
	} {
		t.Run(name, func(t *testing.T) {
			d := start(t, detect.Options{Width: 64, Height: 64, Model: open(t, m.Bytes())})
			_, err := d.Frame(square(64, 64, 8, 8, 16))
			if !errors.Is(err, detect.ErrFailed) || !strings.Contains(err.Error(), "of it") {
				t.Errorf("%v", err)
			}
			if _, again := d.Frame(square(64, 64, 8, 8, 16)); !errors.Is(again, detect.ErrFailed) {
				t.Errorf("after its failure: %v", again)
			}
		})
	}
}

func TestModelIsWhatTheConfigurationSays(t *testing.T) {
	good := config(t, detecttest.Model{}.Bytes())
	f, err := good.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte{0}, 0); err == nil {
		t.Error("the model could be changed after it was hashed")
	}
	empty := config(t, nil)
	huge := config(t, nil)
	if err := os.Truncate(huge.Path, detect.MaxModel+1); err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]detect.Model{
		"another hash": {Path: good.Path, SHA256: strings.Repeat("0", 64)},
		"no hash":      {Path: good.Path},
		"short hash":   {Path: good.Path, SHA256: good.SHA256[:62]},
		"no file":      {Path: good.Path + "x", SHA256: good.SHA256},
		"a folder":     {Path: filepath.Dir(good.Path), SHA256: good.SHA256},
		"a device":     {Path: "/dev/zero", SHA256: good.SHA256},
		"empty":        empty,
		"too large":    huge,
	} {
		if f, err := m.Open(); !errors.Is(err, detect.BadModel) || f != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	upper := good
	upper.SHA256 = strings.ToUpper(good.SHA256) + "\n"
	f, err = upper.Open()
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}

func TestKept(t *testing.T) {
	plain, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	memory, err := sandbox.Memory("open")
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Close()
	for _, fd := range []int{-1, 0, 2, int(plain.Fd()), int(memory.Fd()), 1 << 20} {
		if _, err := detect.Kept(fd); err == nil {
			t.Errorf("file %d was taken for one that was kept", fd)
		}
	}
}

func TestCascadeFindsFaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cascade.xml")
	if err := os.WriteFile(path, detecttest.Cascade(), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := detect.OpenCascade(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := start(t, detect.Options{Width: 160, Height: 120, Cascade: f, Threshold: 0.5})
	frame := bytes.Repeat([]byte{128}, 160*120)
	for y := 40; y < 80; y++ {
		for x := 60; x < 100; x++ {
			frame[y*160+x] = 255
			if y >= 60 {
				frame[y*160+x] = 0
			}
		}
	}
	boxes, err := d.Frame(frame)
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, b := range boxes {
		cx, cy := (b.Rect.X+b.Rect.W/2)*160, (b.Rect.Y+b.Rect.H/2)*120
		found = found || b.Kind == detect.Face && math.Abs(cx-80) < 12 && math.Abs(cy-60) < 8
	}
	if !found {
		t.Errorf("%v", boxes)
	}
	if boxes, err := d.Frame(bytes.Repeat([]byte{128}, 160*120)); err != nil || len(boxes) != 0 {
		t.Errorf("in a grey frame: %v, %v", boxes, err)
	}
	if err := os.WriteFile(path, []byte("<opencv_storage><cascade>"), 0o600); err != nil {
		t.Fatal(err)
	}
	bad, err := detect.OpenCascade(path)
	if err != nil {
		t.Fatal(err)
	}
	defer bad.Close()
	if _, err := try(t, detect.Options{Width: 160, Height: 120, Cascade: bad}); !errors.Is(err, detect.NoDetector) {
		t.Errorf("a broken cascade: %v", err)
	}
}

// From within the sandbox, where there is no /dev/null, no /proc and no /sys.
func TestWithinTheSandbox(t *testing.T) {
	m := config(t, detecttest.Model{}.Bytes())
	cascade := filepath.Join(t.TempDir(), "cascade.xml")
	if err := os.WriteFile(cascade, detecttest.Cascade(), 0o600); err != nil {
		t.Fatal(err)
	}
	if tool.Path == "" {
		t.Fatal("veil-detect could not be built: run make setup, which installs the headers of OpenCV")
	}
	for name, k := range map[string]struct {
		model   *detect.Model
		cascade string
		want    int
	}{"built in": {nil, "", 0}, "model": {&m, "", 1}, "model and cascade": {&m, cascade, 1}} {
		t.Run(name, func(t *testing.T) {
			b, err := json.Marshal(map[string]any{"Options": detect.Options{Tool: tool, Width: 64, Height: 64, Threads: 2}, "Model": k.model, "Cascade": k.cascade})
			if err != nil {
				t.Fatal(err)
			}
			var out, errs bytes.Buffer
			c := exec.Command(shut, string(b))
			c.Stdin, c.Stdout, c.Stderr = bytes.NewReader(square(64, 64, 16, 16, 8)), &out, &errs
			p, err := sandbox.Start(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Wait(); err != nil {
				t.Fatalf("%v: %s", err, &errs)
			}
			var a struct {
				Sandbox      sandbox.Status
				Version, Err string
				Boxes        []detect.Box
			}
			if err := json.Unmarshal(out.Bytes(), &a); err != nil {
				t.Fatalf("%v: %q", err, out.Bytes())
			}
			persons := 0
			for _, b := range a.Boxes {
				if b.Kind == detect.Person {
					persons++
				}
			}
			if a.Err != "" || !strings.HasPrefix(a.Version, "OpenCV") || persons != k.want {
				t.Errorf("%+v", a)
			}
			if err := a.Sandbox.Holds(); err != nil || a.Sandbox.Degraded() {
				t.Errorf("%v: %+v", err, a.Sandbox)
			}
		})
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"", filepath.Join(dir, "none"), plain, dir} {
		if _, err := detect.Find(p); !errors.Is(err, detect.NoDetector) {
			t.Errorf("%q: %v", p, err)
		}
	}
	if tool.Path == "" {
		t.Fatal("veil-detect could not be built: run make setup, which installs the headers of OpenCV")
	}
	if got, err := detect.Find(tool.Path); err != nil || got != tool {
		t.Errorf("%v, %v", got, err)
	}
}

// A program that is not veil-detect, or is a broken one.
func TestStrangers(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the shop closes")
	cancel(why)
	if _, err := detect.Start(ctx, detect.Options{Tool: tool, Width: 64, Height: 64}); err == nil {
		t.Error("started after the end")
	}
	script := func(body string) detect.Tool {
		p := filepath.Join(t.TempDir(), "veil-detect")
		if err := os.WriteFile(p, []byte("#!/bin/sh\n"+body+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		return detect.Tool{Path: p}
	}
	o := detect.Options{Width: 64, Height: 64}
	for _, body := range []string{"exit 1", "echo libopencv_core.so.406: not found >&2; exit 127", "printf x", "printf V", "printf 'V\\000\\377\\377'", "printf 'V\\007\\000\\000'", "cat"} {
		o.Tool, o.Timeout = script(body), 0
		if body == "cat" { // it waits for us
			o.Timeout = 100 * time.Millisecond
		}
		if _, err := try(t, o); !errors.Is(err, detect.NoDetector) {
			t.Errorf("%s: %v", body, err)
		}
	}
	o.Timeout = 0
	// With a model, a program that does not run is still not the model's fault,
	// and one that breaks after it began is.
	o.Model = open(t, detecttest.Model{}.Bytes())
	for body, want := range map[string]error{"exit 127": detect.NoDetector, "printf V; head -c 64 >&2; kill -SEGV $$": detect.BadModel} {
		o.Tool = script(body)
		if _, err := try(t, o); !errors.Is(err, want) {
			t.Errorf("%s: %v", body, err)
		}
	}
	o.Model = nil
	hello := "printf V; head -c 64 >&2; printf '\\000\\000\\002ok'; "
	for _, body := range []string{"exit 0", "printf '\\000\\377\\377'; sleep 9", "printf '\\000\\000\\001\\001\\177\\300\\000\\000'; head -c 100 /dev/zero"} {
		o.Tool = script(hello + body)
		d, err := try(t, o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Frame(make([]byte, 64*64)); !errors.Is(err, detect.ErrFailed) {
			t.Errorf("%s: %v", body, err)
		}
	}
	// One that does not answer, and leaves a child behind that holds the pipes.
	fake := clock.NewFake(time.Unix(0, 0))
	o.Tool, o.Clock, o.Timeout = script(hello+"sleep 9 & sleep 9"), fake, time.Minute
	d, err := try(t, o)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := d.Frame(make([]byte, 64*64))
		done <- err
	}()
	for {
		select {
		case err := <-done:
			if !errors.Is(err, detect.ErrFailed) || !strings.Contains(err.Error(), "in time") {
				t.Errorf("%v", err)
			}
			return
		default:
			fake.Advance(time.Minute)
		}
	}
}

func TestCancelEndsAFrame(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	d, err := detect.Start(ctx, detect.Options{Tool: tool, Width: 64, Height: 64})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	why := errors.New("the shop closes")
	cancel(why)
	if _, err := d.Frame(make([]byte, 64*64)); !errors.Is(err, why) {
		t.Errorf("%v", err)
	}
	if _, err := d.Frame(make([]byte, 3)); err == nil {
		t.Error("a frame of three bytes")
	}
}
