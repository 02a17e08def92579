package ctl

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"image/jpeg"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"veilbox/internal/footagetest"
	"veilbox/redact/work"
)

// worker builds the sandboxed program.
func worker(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "veil-redact")
	c := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", path, "veilbox/cmd/veil-redact")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("build veil-redact: %v: %s", err, out)
	}
	return path
}

func TestRedactMakesAProvedCopyOrNone(t *testing.T) {
	s, bin := newShell(t), worker(t)
	clip := filepath.Join(s.dir, "clip.avi")
	if out, err := exec.CommandContext(t.Context(), "ffmpeg", "-nostdin", "-v", "error", "-i", footagetest.Vtest(t), "-t", "12", "-c", "copy", clip).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v: %s", err, out)
	}
	subject := s.file("subject.json", `{"version":1,"keyframes":[{"at":10,"rect":{"x":0.7656,"y":0.2604,"w":0.0443,"h":0.1493}}]}`)
	out, proof, sheet := filepath.Join(s.dir, "out.mp4"), filepath.Join(s.dir, "proof.json"), filepath.Join(s.dir, "sheet")
	var v redacted
	if err := json.Unmarshal([]byte(s.ok("redact", clip, out, "--subject", subject, "--worker", bin, "--proof", proof, "--sheet", sheet, "--json")), &v); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(out); err != nil || len(b) < 1000 || string(b[4:8]) != "ftyp" {
		t.Errorf("copy: %d bytes, %v", len(b), err)
	}
	var p struct {
		Copy string
		Pass bool
	}
	b, err := os.ReadFile(proof)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &p); err != nil || p.Copy != v.Copy || !p.Pass {
		t.Errorf("proof %+v of copy %s: %v", p, v.Copy, err)
	}
	if pictures, err := filepath.Glob(filepath.Join(sheet, "*.jpg")); err != nil || len(pictures) != v.Pictures || v.Pictures == 0 {
		t.Errorf("%d pictures in the folder, %d in the answer (%v)", len(pictures), v.Pictures, err)
	}

	if b, err := os.ReadFile(filepath.Join(sheet, "index.html")); err != nil || strings.Count(string(b), "<img ") != v.Pictures || !strings.Contains(string(b), v.Sheet) {
		t.Errorf("the page of the sheet: %d bytes, %v", len(b), err)
	}
	// The same from the same, on standard output.
	again := filepath.Join(s.dir, "again.mp4")
	if said := s.ok("redact", clip, again, "--subject", subject, "--worker", bin, "--proof", "-"); said != string(b) {
		t.Errorf("proof on standard output: %s", said)
	}
	none := filepath.Join(s.dir, "none.mp4")
	small := lavfi(t, s.dir)
	cut := filepath.Join(s.dir, "cut.mp4")
	if b, err := os.ReadFile(small); err != nil || os.WriteFile(cut, b[:len(b)*2/3], 0o600) != nil {
		t.Fatal(err)
	}
	model := s.file("m.onnx", "no model")
	for what, k := range map[string]struct {
		args []string
		code int
		says string
	}{
		"not a video":          {[]string{s.file("x.avi", "no video at all"), none, "--subject", subject}, 3, "no video"},
		"cut short":            {[]string{cut, none, "--subject", subject}, 3, "cut short"},
		"no worker":            {[]string{clip, none, "--subject", subject, "--worker", filepath.Join(s.dir, "gone")}, 5, "veil-redact"},
		"no folder":            {[]string{clip, none, "--subject", subject, "--worker", bin, "--proof", filepath.Join(s.dir, "gone", "p.json")}, 2, "cannot be written"},
		"too coarse":           {[]string{clip, none, "--subject", subject, "--worker", bin, "--crf", "27"}, 2, "1 to 26"},
		"cells too small":      {[]string{small, none, "--mode", "blur-everything", "--worker", bin, "--veil-cell", "16"}, 3, "at least"},
		"no ffmpeg":            {[]string{clip, none, "--subject", subject, "--ffmpeg", filepath.Join(s.dir, "gone")}, 5, "apt install ffmpeg"},
		"another model":        {[]string{clip, none, "--subject", subject, "--detector", bin, "--model", model, "--model-sha256", strings.Repeat("0", 64)}, 5, "has the SHA-256"},
		"too long":             {[]string{clip, none, "--subject", subject, "--max-time", "1ms"}, 6, "took too long"},
		"empty subject":        {[]string{clip, none, "--subject", s.file("e.json", `{"version":1,"keyframes":[]}`)}, 3, "draw a box"},
		"misspelt subject":     {[]string{clip, none, "--subject", s.file("m.json", `{"version":1,"keyframe":[]}`)}, 3, "keyframes"},
		"same file":            {[]string{clip, clip, "--subject", subject}, 2, "another name"},
		"same file as a proof": {[]string{clip, none, "--subject", subject, "--proof", clip}, 2, "another name"},
		"a full sheet":         {[]string{clip, none, "--subject", subject, "--sheet", sheet}, 2, "something is in it"},
		"a file as the sheet":  {[]string{clip, none, "--subject", subject, "--sheet", subject}, 2, "no folder"},
		"no subject":           {[]string{clip, none}, 2, "blur-everything"},
		"a subject of nobody":  {[]string{clip, none, "--subject", subject, "--mode", "blur-everything"}, 2, "leave out --subject"},
		"an unknown mode":      {[]string{clip, none, "--subject", subject, "--mode", "all"}, 2, "still-scene"},
		"a background, unused": {[]string{clip, none, "--subject", subject, "--background", clip}, 2, "still-scene"},
		"a crop of a clip":     {[]string{clip, none, "--subject", subject, "--crop", "0,0,1,1"}, 2, "--still"},
		"a crop outside":       {[]string{clip, none, "--subject", subject, "--still", "1", "--crop", "0.5,0,1,1"}, 2, "within the frame"},
		"a region of words":    {[]string{clip, none, "--subject", subject, "--veil", "left"}, 2, "X,Y,W,H"},
		"a stamp of no time":   {[]string{clip, none, "--subject", subject, "--stamp", "Kassen"}, 2, "--start"},
		"a time of words":      {[]string{clip, none, "--subject", subject, "--start", "noon"}, 2, "noon"},
		"a loud still":         {[]string{clip, none, "--subject", subject, "--still", "1", "--keep-sound", "x"}, 2, "no sound"},
		"a model of no hash":   {[]string{clip, none, "--subject", subject, "--model", model}, 2, "--model-sha256"},
	} {
		args := append([]string{"redact"}, k.args...)
		if what != "no worker" {
			args = append(args, "--worker", bin)
		}
		code, _, errs := s.run("", args...)
		if code != k.code || !strings.Contains(errs, k.says) {
			t.Errorf("%s: status %d, want %d: %s", what, code, k.code, errs)
		}
		if _, err := os.Stat(none); err == nil {
			t.Errorf("%s: there is a copy", what)
		}
	}
	if left, err := filepath.Glob(filepath.Join(s.dir, ".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// lavfi makes a clip of a box that moves before a still room, with sound.
func lavfi(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "box.mp4")
	graph := "testsrc2=s=320x180:r=10:d=1,trim=end_frame=1,loop=-1:1,setpts=N/10/TB,hue=s=0.3,eq=contrast=0.4[bg];" +
		"mandelbrot=s=40x80:r=10,trim=end_frame=1,loop=-1:1,setpts=N/10/TB[box];[bg][box]overlay=x=20+40*t:y=60,format=yuv420p;sine"
	if out, err := exec.CommandContext(t.Context(), "ffmpeg", "-nostdin", "-v", "error", "-filter_complex", graph, "-t", "3", "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", path).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v: %s", err, out)
	}
	return path
}

const boxSubject = `{"version":1,"keyframes":[{"at":1,"rect":{"x":0.1875,"y":0.3333,"w":0.125,"h":0.4444}}]}`

func TestRedactAsAsked(t *testing.T) {
	s, bin := newShell(t), worker(t)
	clip, subject := lavfi(t, s.dir), s.file("subject.json", boxSubject)
	two := s.file("two.json", `{"version":2,"subjects":[`+boxSubject+`,`+boxSubject+`]}`)
	for what, k := range map[string]struct {
		args  []string
		check func(t *testing.T, v redacted, file []byte, errs string)
	}{
		"nobody": {[]string{"--mode", "blur-everything"}, func(t *testing.T, v redacted, _ []byte, _ string) {
			if v.Pictures != 0 || v.Mode != "blur-everything" || v.Sound {
				t.Errorf("%+v", v)
			}
		}},
		"a picture": {[]string{"--subject", subject, "--still", "1.5", "--crop", "0.1,0.2,0.5,0.7", "--solid"}, func(t *testing.T, v redacted, b []byte, _ string) {
			if c, err := jpeg.DecodeConfig(bytes.NewReader(b)); err != nil || c.Width < 140 || c.Width > 180 || v.Media != "image/jpeg" {
				t.Errorf("%+v %v: %+v", c, err, v)
			}
		}},
		"two, stamped, with sound": {[]string{"--subject", two, "--stamp", "Kassen", "--start", "2026-11-22T14:03:00+01:00", "--keep-sound", "the threat is spoken", "--veil", "0.8,0.8,0.1,0.1", "--veil", "0,0,0.1,0.1"},
			func(t *testing.T, v redacted, b []byte, _ string) {
				if !v.Sound || v.Media != "video/mp4" || !bytes.Contains(b, []byte("mp4a")) {
					t.Errorf("%+v", v)
				}
			}},
		"a scene of nothing": {[]string{"--subject", subject, "--mode", "still-scene", "--veil-cell", "64"}, func(t *testing.T, v redacted, _ []byte, errs string) {
			if len(v.Notices) != 1 || v.Notices[0] != work.NoticeNoScene || !strings.Contains(errs, "--background") {
				t.Errorf("%+v: %s", v, errs)
			}
		}},
		"a scene of 3 seconds": {[]string{"--subject", subject, "--mode", "still-scene", "--background", clip}, func(t *testing.T, v redacted, _ []byte, errs string) {
			if len(v.Notices) != 1 || !strings.Contains(errs, "--background") {
				t.Errorf("%+v: %s", v, errs)
			}
		}},
		"an encoder that is not there, and no detector": {[]string{"--subject", subject, "--encoder", "h264_nothing", "--detector", filepath.Join(s.dir, "gone")}, func(t *testing.T, v redacted, _ []byte, errs string) {
			if len(v.Notices) != 2 || !strings.Contains(errs, "libx264 coded") || !strings.Contains(errs, "nobody was detected") {
				t.Errorf("%+v: %s", v, errs)
			}
		}},
	} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			out, page, file := filepath.Join(dir, "out"), filepath.Join(dir, "sheet.html"), filepath.Join(dir, "tracks.json")
			code, said, errs := s.run("", append([]string{"redact", clip, out, "--worker", bin, "--sheet", page, "--tracks", file, "--json"}, k.args...)...)
			var v redacted
			if err := json.Unmarshal([]byte(said), &v); code != 0 || err != nil {
				t.Fatalf("status %d, %v: %s", code, err, errs)
			}
			b, err := os.ReadFile(out)
			if err != nil || v.Copy != fmt.Sprintf("%x", sha256.Sum256(b)) {
				t.Errorf("%d bytes, %v", len(b), err)
			}
			k.check(t, v, b, errs)
			h, err := os.ReadFile(page)
			if err != nil || strings.Count(string(h), `src="data:image/jpeg;base64,`) != v.Pictures || v.Sound != strings.Contains(string(h), "the threat is spoken") {
				t.Errorf("the page: %d bytes, %v", len(h), err)
			}
			var tr tracks
			j, err := os.ReadFile(file)
			if err == nil {
				err = json.Unmarshal(j, &tr)
			}
			want := 1
			switch {
			case strings.HasPrefix(what, "two"):
				want = 2
			case what == "nobody":
				want = 0
			}
			if err != nil || len(tr.Subjects) != want || tr.Frames < 1 || want > 0 && (len(tr.Subjects[0].Spans) == 0 || len(tr.Subjects[0].Places) == 0) {
				t.Errorf("%v: %s", err, j)
			}
			if files, err := os.ReadDir(dir); err != nil || len(files) != 3 {
				t.Errorf("%v, %v", files, err)
			}
		})
	}
}

// An interrupt leaves what was there before.
func TestRedactInterrupted(t *testing.T) {
	s, bin := newShell(t), worker(t)
	clip, subject := lavfi(t, s.dir), s.file("subject.json", boxSubject)
	dir := t.TempDir()
	out := filepath.Join(dir, "out.mp4")
	if err := os.WriteFile(out, []byte("an older copy"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var errs bytes.Buffer
	code := Main(ctx, []string{"redact", clip, out, "--subject", subject, "--worker", bin}, World{In: strings.NewReader(""), Out: io.Discard,
		Err: writerFunc(func(b []byte) (int, error) { cancel(); return errs.Write(b) }), Clock: s.clock})
	if b, err := os.ReadFile(out); code != 130 || err != nil || string(b) != "an older copy" || !strings.Contains(errs.String(), "nothing was written") {
		t.Errorf("status %d, %q, %v: %s", code, b, err, errs.String())
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("%v, %v", files, err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// The help says every exit status.
func TestRedactHelp(t *testing.T) {
	out := newShell(t).ok("redact", "--help")
	for _, want := range []string{"--keep-sound", "--background", "--tracks", "Exit status: 0", "3 the video", "4 a copy", "5 this machine", "6 it took", "130 it was interrupted"} {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
			t.Errorf("the help does not say %q: %s", want, out)
		}
	}
}

// What was written beside a copy goes with it.
func TestRedactUndo(t *testing.T) {
	dir := t.TempDir()
	c := &redactCmd{}
	for _, name := range []string{"p.json", "sheet", "sheet/0001.jpg"} {
		path, err := filepath.Join(dir, name), error(nil)
		if name == "sheet" {
			err = os.Mkdir(path, 0o700)
		} else {
			err = os.WriteFile(path, nil, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		c.written = append(c.written, path)
	}
	if err := c.undo(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%v, %v", left, err)
	}
}
