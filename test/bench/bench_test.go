package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	for _, tc := range []struct {
		in   []float64
		want float64
	}{{[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 2, 9}, 3}} {
		if got := median(tc.in); got != tc.want {
			t.Errorf("median(%v) = %v, want %v", tc.in, got, tc.want)
		}
	}
}

func TestParseStat(t *testing.T) {
	got, err := parseStat([]byte("42 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 150 25 77 88 20 0 1"))
	if err != nil || got != 1750*time.Millisecond {
		t.Errorf("%v, %v; want 1.75 s", got, err)
	}
	if _, err := parseStat([]byte("42 (veilboxd) S 1")); err == nil {
		t.Error("a short line was not refused")
	}
}

func TestParseStatus(t *testing.T) {
	got, err := parseStatus([]byte("Name:\tveilboxd\nVmHWM:\t   99999 kB\nVmRSS:\t   43210 kB\n"))
	if err != nil || got != 43210<<10 {
		t.Errorf("%d, %v; want %d", got, err, 43210<<10)
	}
	if _, err := parseStatus([]byte("Name:\tveilboxd\n")); err == nil {
		t.Error("no VmRSS was not refused")
	}
}

// This process is measured as another would be.
func TestOwnProcess(t *testing.T) {
	if rss, err := resident(os.Getpid()); err != nil || rss < 1<<20 || rss > 1<<34 {
		t.Errorf("resident: %d, %v", rss, err)
	}
	if _, err := processorTime(os.Getpid()); err != nil {
		t.Error(err)
	}
}

func TestFirstGOP(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clip.mp4")
	if out, err := exec.Command("ffmpeg", "-v", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc2=s=320x240:r=10", "-t", "4",
		"-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", "10", "-movflags", "+faststart", path).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r := bytes.NewReader(b)
	length, err := firstGOP(r)
	if err != nil || length != 4*time.Second {
		t.Errorf("length %v, %v; want 4 s", length, err)
	}
	// A quarter of the pictures, each about as large as the next.
	if read := len(b) - r.Len(); read < len(b)/8 || read > len(b)/2 {
		t.Errorf("%d bytes read of %d", read, len(b))
	}
	if _, err := firstGOP(bytes.NewReader(b[:len(b)/8])); err == nil {
		t.Error("a clip cut within its first GOP was taken")
	}
}
