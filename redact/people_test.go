//go:build linux

package redact

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"veilbox/internal/testrun"
	"veilbox/redact/detect"
	"veilbox/redact/detect/detecttest"
	"veilbox/redact/work"
)

// bright is a clip of 2 s in the dark, in which a white square stands.
func bright(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.mp4")
	graph := "color=black:s=320x240:r=10:d=2,drawbox=x=200:y=120:w=40:h=40:color=white:t=fill,format=yuv420p"
	if out, err := exec.Command("ffmpeg", "-v", "error", "-nostdin", "-f", "lavfi", "-i", graph, "-c:v", "libx264", "-preset", "ultrafast", path).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func modelOf(t *testing.T, b []byte) Detect {
	t.Helper()
	path := filepath.Join(t.TempDir(), "m.onnx")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return Detect{On: true, Model: path, SHA256: fmt.Sprintf("%x", sha256.Sum256(b))}
}

// veil-detect runs within the sandbox of veil-redact, with an operator's model
// and without, and what is wrong with either is told.
func TestPeople(t *testing.T) {
	dir := t.TempDir()
	if err := testrun.Build(dir, "veil-redact", "veil-detect"); err != nil {
		t.Fatal(err)
	}
	beside := &Worker{Path: filepath.Join(dir, "veil-redact")}
	clip := bright(t)
	t.Run("a model", func(t *testing.T) {
		w := *beside
		w.Detect = modelOf(t, detecttest.Model{}.Bytes())
		s := open(t, &w, SessionJob{Detect: true}, bytes.NewReader(clip))
		for range 2 {
			people, err := s.People(t.Context(), 1)
			if err != nil || len(people) == 0 || !s.Detects() {
				t.Fatalf("%v, %v", people, err)
			}
			for _, p := range people {
				x, y := (p.Rect.X+p.Rect.W/2)*320, (p.Rect.Y+p.Rect.H/2)*240
				if p.Kind != "person" || x < 192 || x > 248 || y < 112 || y > 168 {
					t.Errorf("%+v at %.0f %.0f", p, x, y)
				}
			}
		}
		if people, err := open(t, &w, SessionJob{}, bytes.NewReader(clip)).People(t.Context(), 1); err != nil || len(people) != 0 {
			t.Errorf("where nobody is to look: %v, %v", people, err)
		}
		store := &memory{}
		c, err := w.Produce(t.Context(), Job{Subjects: make1(1)}, bytes.NewReader(clip), store, nil)
		if err != nil || len(c.Notices()) != 0 {
			t.Errorf("%v, notices %v", err, c.Notices())
		}
	})
	t.Run("built in", func(t *testing.T) {
		w := *beside
		w.Detect.On = true
		s := open(t, &w, SessionJob{Detect: true}, bytes.NewReader(clip))
		if people, err := s.People(t.Context(), 1); err != nil || len(people) != 0 {
			t.Errorf("a square is nobody: %v, %v", people, err)
		}
		if st, err := w.Check(t.Context()); err != nil || st.NoDetector {
			t.Errorf("%+v, %v", st, err)
		}
		w.Detect.Path = filepath.Join(dir, "gone")
		if st, err := w.Check(t.Context()); err != nil || !st.NoDetector {
			t.Errorf("without veil-detect: %+v, %v", st, err)
		}
	})
	t.Run("a model that is none", func(t *testing.T) {
		w := *beside
		w.Detect = modelOf(t, []byte("no model"))
		if _, err := w.Check(t.Context()); err != nil {
			t.Errorf("check, of a file with the right hash: %v", err)
		}
		s := open(t, &w, SessionJob{Detect: true}, bytes.NewReader(clip))
		if _, err := s.People(t.Context(), 1); !errors.Is(err, detect.BadModel) {
			t.Errorf("people: %v", err)
		}
		if _, err := s.Track(t.Context(), make1(1), nil, nil); err != nil && !errors.Is(err, detect.BadModel) {
			t.Errorf("track: %v", err)
		}
		store := &memory{}
		if _, err := w.Produce(t.Context(), Job{Subjects: make1(1)}, bytes.NewReader(clip), store, nil); !errors.Is(err, detect.BadModel) || store.b != nil {
			t.Errorf("produce: %v", err)
		}
	})
	t.Run("a detector that fails", func(t *testing.T) {
		w := *beside
		w.Detect = Detect{On: true, Path: filepath.Join(odd(t, "nothing", "veil-detect"), "veil-detect")}
		c, err := w.Produce(t.Context(), Job{Subjects: make1(1)}, bytes.NewReader(clip), &memory{}, nil)
		if err != nil || !slices.Contains(c.Notices(), work.NoticeNoDetector) {
			t.Errorf("%v, notices %v", err, c.Notices())
		}
	})
}
