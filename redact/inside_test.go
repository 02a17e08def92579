//go:build linux

package redact

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image/jpeg"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"veilbox/redact/sandbox"
	"veilbox/redact/subject"
	"veilbox/redact/work"
)

func TestSandboxHolds(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s, err := worker().check(context.Background(), l.Addr().(*net.TCPAddr).Port)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", s)
	if err := s.Sandbox.Holds(); err != nil || len(s.Sandbox.Attempts) < 10 {
		t.Errorf("%v of %v", err, s.Sandbox.Attempts)
	}
	b := s.Sandbox
	if s.Degraded || b.Landlock < 1 || !b.Seccomp || !b.NoNewPrivs || !b.NoCapabilities || !b.Limits || s.FFmpeg == "" {
		t.Errorf("%+v", s)
	}
}

// What runs as root above must run as an ordinary user too, whose namespaces
// come another way.
func TestOrdinaryUser(t *testing.T) {
	if os.Getuid() != 0 {
		return // every test of this package ran as one
	}
	dir, err := os.MkdirTemp("", "redact-user")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, from := range map[string]string{"test": self, "veil-redact": program} {
		b, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	const nobody = 65534
	if err := errors.Join(os.Chmod(dir, 0o755), os.Mkdir(filepath.Join(dir, "tmp"), 0o755), os.Chown(filepath.Join(dir, "tmp"), nobody, nobody)); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(filepath.Join(dir, "test"), "-test.v", "-test.run", "^(TestSandboxHolds|TestProduce|TestDegradedIsRefused)$/^(plain.mp4)?$")
	c.Dir = dir
	c.Env = []string{"PATH=/usr/bin:/bin", "TMPDIR=" + filepath.Join(dir, "tmp"), "VEILBOX_TEST_PROGRAM=" + filepath.Join(dir, "veil-redact")}
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := c.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: TestProduce/plain.mp4")) || !bytes.Contains(out, []byte("--- PASS: TestSandboxHolds")) {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// A program that skips the first stage reads nothing, whatever it is to do.
func TestDegradedIsRefused(t *testing.T) {
	for _, kind := range []string{work.KindCheck, work.KindRedact, work.KindProof, work.KindStill, work.KindStills, work.KindPlay, work.KindLive} {
		c := exec.Command(program, "run", `{"tools":{"FFmpeg":"/usr/bin/ffmpeg","FFprobe":"/usr/bin/ffprobe"}}`)
		var in bytes.Buffer
		to := &work.Conn{W: &in}
		if err := errors.Join(to.SendJSON(work.TypeJob, work.Job{Kind: kind, Codec: 3, Width: 640, Height: 360, Count: 1}), to.Send(work.TypeData, []byte("no video")),
			to.Send(work.TypeUnit, work.EncodeUnit(0, true)), to.Send(work.TypeEnd, nil)); err != nil {
			t.Fatal(err)
		}
		c.Stdin = &in
		out, err := c.Output()
		if err == nil || !bytes.Contains(out, []byte(sandbox.Degraded.Code)) {
			t.Errorf("%s: %v: %q", kind, err, out)
		}
	}
}

func TestNothingOfTheSourceRemains(t *testing.T) {
	clip := makeClip(t, "home.mkv", 3, "+audio", "-c:a", "aac", "-c:v", "libx264", "-preset", "ultrafast",
		"-metadata", "title=Kirkegade 7", "-metadata", "creation_time=2026-01-02T03:04:05Z", "-metadata:s:v:0", "handler_name=Till camera", "-metadata", "comment=Ansgar")
	for _, s := range []string{"Kirkegade 7", "Till camera", "Ansgar", "x264"} {
		if !bytes.Contains(clip, []byte(s)) {
			t.Fatalf("the source has no %q: the test shows nothing", s)
		}
	}
	_, store := produce(t, clip)
	for _, s := range []string{"Kirkegade", "Till camera", "Ansgar", "x264", "Lav", "2026", "mp4a", "soun", "udta", "meta", "free"} {
		if bytes.Contains(store.b, []byte(s)) {
			t.Errorf("the copy holds %q", s)
		}
	}
	path := filepath.Join(t.TempDir(), "copy.mp4")
	if err := os.WriteFile(path, store.b, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("ffprobe", "-v", "error", "-show_entries", "stream=codec_type:format_tags", "-of", "csv=p=0", path).Output()
	if err != nil || strings.Count(string(out), "video") != 1 || strings.Contains(string(out), "audio") {
		t.Errorf("ffprobe: %q, %v", out, err)
	}
}

func frameTimes(t *testing.T, b []byte) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "v")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "frame=pts_time", "-of", "csv=p=0", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	times := strings.Fields(strings.ReplaceAll(string(out), ",", " "))
	for i, s := range times {
		var v float64
		if _, err := fmt.Sscan(s, &v); err != nil {
			t.Fatal(err)
		}
		times[i] = fmt.Sprintf("%.3f", v)
	}
	return times
}

func TestVariableRateKeepsItsTimes(t *testing.T) {
	// Every third frame, and then some more, is left out.
	clip := makeClip(t, "vfr.mp4", 4, "-vf", "select=not(eq(mod(n\\,3)\\,1))*not(between(n\\,24\\,29))", "-fps_mode", "vfr", "-c:v", "libx264", "-preset", "ultrafast")
	_, store := produce(t, clip)
	want, got := frameTimes(t, clip), frameTimes(t, store.b)
	if len(want) > 30 || len(want) < 15 || fmt.Sprint(want) != fmt.Sprint(got) {
		t.Errorf("times %v, want %v", got, want)
	}
}

func TestRotationIsAppliedAndOddSidesAreCut(t *testing.T) {
	plain := makeClip(t, "a.mp4", 3, "-c:v", "libx264", "-preset", "ultrafast")
	dir := t.TempDir()
	in, turned := filepath.Join(dir, "in.mp4"), filepath.Join(dir, "out.mov")
	if err := os.WriteFile(in, plain, 0o600); err != nil {
		t.Fatal(err)
	}
	// ffmpeg 6 took the old way of saying it away and brought another.
	if exec.Command("ffmpeg", "-v", "error", "-y", "-display_rotation", "90", "-i", in, "-c", "copy", turned).Run() != nil {
		if out, err := exec.Command("ffmpeg", "-v", "error", "-y", "-i", in, "-c", "copy", "-metadata:s:v:0", "rotate=90", turned).CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
	}
	b, err := os.ReadFile(turned)
	if err != nil {
		t.Fatal(err)
	}
	j, err := worker().Still(context.Background(), bytes.NewReader(b), 0, 4000)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := jpeg.DecodeConfig(bytes.NewReader(j)); err != nil || c.Width != clipH || c.Height != clipW {
		t.Errorf("a turned clip gives a still of %dx%d, %v", c.Width, c.Height, err)
	}
	odd := makeClip(t, "odd.avi", 3, "-vf", "crop=477:269:0:0:exact=1,format=yuvj444p", "-c:v", "mjpeg")
	c, _ := produce(t, odd)
	if f := c.Figures(); f.Width != 476 || f.Height != 268 {
		t.Errorf("an odd clip gives a copy of %dx%d", f.Width, f.Height)
	}
}

func TestStill(t *testing.T) {
	clip := makeClip(t, "a.mp4", 3, "-c:v", "libx264", "-preset", "ultrafast")
	for _, at := range []float64{0, 1.5, 99} {
		b, err := worker().Still(context.Background(), bytes.NewReader(clip), at, 200)
		if err != nil {
			t.Fatal(err)
		}
		c, err := jpeg.DecodeConfig(bytes.NewReader(b))
		if err != nil || c.Width != 200 || c.Height != 112 {
			t.Errorf("at %g: %dx%d, %v", at, c.Width, c.Height, err)
		}
		if bytes.Contains(b, []byte("Exif")) || bytes.Contains(b, []byte("Lav")) {
			t.Errorf("at %g: the still says where it comes from", at)
		}
	}
	if _, err := worker().Still(context.Background(), strings.NewReader("nothing of the kind"), 0, 200); code(err) != "redact.not-video" {
		t.Errorf("error %v", err)
	}
}

func TestReopen(t *testing.T) {
	c, store := produce(t, makeClip(t, "a.mp4", 3, "-c:v", "libx264", "-preset", "ultrafast"))
	stored, err := json.Marshal(c.Record())
	if err != nil {
		t.Fatal(err)
	}
	load := func() (r Record) {
		if err := json.Unmarshal(stored, &r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	got, err := Reopen(load(), store)
	if err != nil {
		t.Fatal(err)
	}
	if got.Hash() != c.Hash() || got.ProofHash() != c.ProofHash() || got.SheetHash() != c.SheetHash() || got.Clip() != c.Clip() || got.Size() != c.Size() || len(got.Unsure()) != len(c.Unsure()) {
		t.Error("the copy came back as another")
	}
	f, err := got.Open()
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(f); err != nil || !bytes.Equal(b, store.b) {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	for name, spoil := range map[string]func(r *Record){
		"version": func(r *Record) { r.Version = 3 },
		"old":     func(r *Record) { r.Version = 1 },
		"mode":    func(r *Record) { r.Choice.Mode = subject.StillScene },
		"stamp":   func(r *Record) { r.Choice.Stamp = &subject.Stamp{Start: time.Unix(0, 0)} },
		"still":   func(r *Record) { r.Choice.Still = &subject.Still{} },
		"notice":  func(r *Record) { r.Notices = []Notice{"<b>"} },
		"size":    func(r *Record) { r.Size++ },
		"mask":    func(r *Record) { r.Mask[len(r.Mask)-1] ^= 1 },
		"picture": func(r *Record) { r.Pictures[1].At++ },
		"fewer":   func(r *Record) { r.Pictures = r.Pictures[1:] },
		"failing": func(r *Record) { r.Proof = bytes.Replace(r.Proof, []byte(`"pass":true`), []byte(`"pass":false`), 1) },
		"reasons": func(r *Record) {
			r.Proof = bytes.Replace(r.Proof, []byte(`"reasons":[]`), []byte(`"reasons":["x"]`), 1)
		},
		"no proof": func(r *Record) { r.Proof = nil },
	} {
		r := load()
		spoil(&r)
		if c, err := Reopen(r, store); err == nil || !c.IsZero() || errors.Is(err, Outdated) != (name == "old") {
			t.Errorf("%s: %v of a spoilt record", name, err)
		}
	}
	spoilt := &memory{b: bytes.Clone(store.b)}
	spoilt.b[len(spoilt.b)/2] ^= 1
	if _, err := Reopen(load(), spoilt); err == nil {
		t.Error("a spoilt copy was taken")
	}
	if _, err := Reopen(load(), &memory{b: store.b[:len(store.b)-1]}); err == nil {
		t.Error("a copy that is cut short was taken")
	}
}

func TestCancelEndsEveryProcess(t *testing.T) {
	clip := makeClip(t, "long.mp4", 60, "-c:v", "libx264", "-preset", "ultrafast")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	w, seen := worker(), make(map[string]bool)
	store := &memory{}
	_, err := w.Produce(ctx, Job{Subjects: []subject.Subject{theBox()}}, bytes.NewReader(clip), store, func(p Progress) {
		seen[p.Stage] = true
		if p.Stage != "receive" {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || store.b != nil {
		t.Errorf("error %v, stages %v", err, seen)
	}
	for deadline := time.Now().Add(5 * time.Second); ; {
		left := children(t)
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still running: %v", left)
		}
	}
}

// children returns the programs of veil-redact and its ffmpeg that this test
// has started.
func children(t *testing.T) (out []string) {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range stats {
		b, err := os.ReadFile(s)
		if err == nil && (bytes.Contains(b, []byte("/proc/self/fd/3")) || bytes.Contains(b, []byte("\x00matroska\x00-i\x00pipe:0")) || bytes.HasPrefix(b, []byte("veil-redact\x00"))) && ours(filepath.Dir(s)) {
			out = append(out, string(b))
		}
	}
	return out
}

// ours reports whether the process runs the program that this test has built,
// or was started by one that does.
func ours(dir string) bool {
	exe, err := os.Readlink(dir + "/exe")
	return err == nil && (exe == program || strings.HasSuffix(exe, "/ffmpeg") && sameStart(dir))
}

// sameStart reports whether the process has this test's process as an ancestor.
func sameStart(dir string) bool {
	for range 8 {
		b, err := os.ReadFile(dir + "/stat")
		if err != nil {
			return false
		}
		f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
		if f[1] == fmt.Sprint(os.Getpid()) {
			return true
		}
		dir = "/proc/" + f[1]
	}
	return false
}
