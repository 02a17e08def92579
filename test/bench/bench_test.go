package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
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

func TestNumber(t *testing.T) {
	text := []byte("rchar: 6976\nwrite_bytes: 4096\ncancelled_write_bytes: 7\n")
	if n, err := number(text, "write_bytes:", ""); err != nil || n != 4096 {
		t.Errorf("%d, %v; want 4096", n, err)
	}
	if n, err := number([]byte("Pss:               77869 kB\n"), "Pss:", "kB"); err != nil || n != 77869 {
		t.Errorf("%d, %v; want 77869", n, err)
	}
	if _, err := number(text, "read_bytes:", ""); err == nil {
		t.Error("what is not there was found")
	}
}

// A child's time is its parent's while it runs and after.
func TestFamilyTime(t *testing.T) {
	cmd := exec.Command("sh", "-c", "sh -c 'while :; do :; done' & read x; kill $!; wait $!; read x; :")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { in.Close(); cmd.Wait() }()
	used := func(least time.Duration) time.Duration {
		t.Helper()
		for limit := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			d, err := familyTime(cmd.Process.Pid)
			if err != nil {
				t.Fatal(err)
			}
			if d >= least {
				return d
			}
			if time.Now().After(limit) {
				t.Fatalf("%v, want %v", d, least)
			}
		}
	}
	running := used(300 * time.Millisecond)
	if alone, err := processorTime(cmd.Process.Pid); err != nil || alone >= running {
		t.Fatalf("the shell alone: %v, %v", alone, err)
	}
	if _, err := in.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
	used(running)
}

func TestSyncCount(t *testing.T) {
	out := []byte(`% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 73.21    0.012345         123       100           fdatasync
 20.00    0.002000          50        40         2 fsync
  6.79    0.000100          10         3           futex
------ ----------- ----------- --------- --------- ----------------
100.00    0.014445                   143         2 total
`)
	n := 0
	for _, m := range syncCount.FindAllSubmatch(out, -1) {
		k, err := strconv.Atoi(string(m[1]))
		if err != nil {
			t.Fatal(err)
		}
		n += k
	}
	if n != 140 {
		t.Errorf("%d, want 140", n)
	}
}

// What the sender sends is what a camera would: every picture that ffmpeg made,
// and none in pieces.
func TestSender(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clip.h264")
	if err := draw(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if rate := float64(len(b)) * 8 / drawnSeconds; rate < 0.95*bitRate || rate > 1.05*bitRate {
		t.Errorf("%.0f bit/s, want %d", rate, bitRate)
	}
	pics, sps, pps, err := packetise(b)
	if err != nil || len(pics) != drawnFrames || sps[0]&0x1f != 7 || pps[0]&0x1f != 8 {
		t.Fatalf("%d pictures, %v; want %d", len(pics), err, drawnFrames)
	}
	var sent int
	for i, p := range pics {
		key := false
		for _, q := range p {
			if len(q) > payload {
				t.Fatalf("picture %d: a payload of %d bytes", i, len(q))
			}
			key = key || q[0]&0x1f == 5 || q[0]&0x1f == 28 && q[1]&0x1f == 5
			sent += len(q)
		}
		if key != (i%rate == 0) {
			t.Errorf("picture %d: keyframe %v", i, key)
		}
	}
	if sent < len(b)*98/100 || sent > len(b)*102/100 {
		t.Errorf("%d bytes of packets of %d", sent, len(b))
	}
	parts, err := cut(b)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range parts {
		if len(p.Samples) != rate || !p.Samples[0].Key || p.Duration() != 90000 {
			t.Errorf("part %d: %d samples of %d ticks", i, len(p.Samples), p.Duration())
		}
	}
}
