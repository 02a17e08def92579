package ctl

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"veilbox/internal/footagetest"
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

	none := filepath.Join(s.dir, "none.mp4")
	for what, k := range map[string]struct {
		args []string
		code int
		says string
	}{
		"not a video":      {[]string{s.file("x.avi", "no video at all"), none, "--subject", subject, "--worker", bin}, 1, "no video"},
		"no worker":        {[]string{clip, none, "--subject", subject, "--worker", filepath.Join(s.dir, "gone")}, 1, "veil-redact"},
		"no ffmpeg":        {[]string{clip, none, "--subject", subject, "--worker", bin, "--ffmpeg", filepath.Join(s.dir, "gone")}, 1, "apt install ffmpeg"},
		"empty subject":    {[]string{clip, none, "--subject", s.file("e.json", `{"version":1,"keyframes":[]}`), "--worker", bin}, 1, "draw a box"},
		"misspelt subject": {[]string{clip, none, "--subject", s.file("m.json", `{"version":1,"keyframe":[]}`), "--worker", bin}, 1, "keyframes"},
		"same file":        {[]string{clip, clip, "--subject", subject, "--worker", bin}, 2, "another name"},
	} {
		code, _, errs := s.run("", append([]string{"redact"}, k.args...)...)
		if code != k.code || !strings.Contains(errs, k.says) {
			t.Errorf("%s: status %d: %s", what, code, errs)
		}
		if _, err := os.Stat(none); err == nil {
			t.Errorf("%s: there is a copy", what)
		}
	}
	if left, err := filepath.Glob(filepath.Join(s.dir, ".veilctl-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}
