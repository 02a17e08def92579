package clip

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"veilbox/capture/footage"
	"veilbox/capture/mp4/mp4test"
	"veilbox/capture/ring"
)

func keep(t testing.TB, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "stream.mp4")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// The pictures that the edit hides come at times before 0; ffmpeg does not hide
// them in fragments, browsers do.
func TestFragmentsShowWhatTheMovieShows(t *testing.T) {
	for _, codec := range []footage.Codec{footage.H264, footage.H265, footage.MJPEG} {
		made := mp4test.Parts(t, codec, "till-1", start(), 5)
		for _, p := range made[3:] {
			p.Start += second + second/2 // a gap
		}
		for _, audio := range sounds {
			if codec != footage.H264 && audio != footage.AAC {
				continue
			}
			t.Run(codec.String()+" "+audio.String(), func(t *testing.T) {
				parts := clone(made)
				mp4test.AddSound(t, parts, audio)
				src := &memory{parts: parts}
				m, err := OpenWith(t.Context(), src, "till-1", footage.Span{From: start() + 12*frame, To: start() + 6*second}, Options{Audio: All})
				if err != nil {
					t.Fatal(err)
				}
				var b bytes.Buffer
				if err := m.WriteFragments(t.Context(), &b, FragmentOptions{}); err != nil {
					t.Fatal(err)
				}
				for at, n := range src.reads {
					if n != 1 {
						t.Errorf("the part of second %v was read %d times", (at - start()).Duration(), n)
					}
				}
				path, whole := keep(t, b.Bytes()), save(t, m)
				times := []string{"-select_streams", "v", "-show_entries", "packet=pts_time"}
				got, want := mp4test.PictureHashes(t, path), mp4test.PictureHashes(t, whole)
				gotAt, wantAt := strings.Fields(probe(t, path, times...)), strings.Fields(probe(t, whole, times...))
				if codec == footage.H264 {
					wantAt = wantAt[len(wantAt)-len(want):]
				}
				if n := len(got) - 12; n != len(want) || !slices.Equal(got[12:], want) || !slices.Equal(gotAt[12:], wantAt[len(wantAt)-n:]) || gotAt[12] != "0.000000" {
					t.Errorf("%d pictures at %v, the movie has %d at %v or others", len(got), gotAt, len(want), wantAt)
				}
				at, err := strconv.ParseFloat(probe(t, path, "-select_streams", "a", "-show_entries", "stream=start_time"), 64)
				if err != nil {
					t.Fatal(err)
				}
				tones := mp4test.Beeps(t, path)
				wantTones := mp4test.Beeps(t, whole)
				if n := len(tones) - len(wantTones); n < 0 {
					t.Fatalf("tones at %v, in the movie at %v", tones, wantTones)
				} else {
					tones = tones[n:]
				}
				for i := range tones {
					if d := tones[i] + at - wantTones[i]; d < -0.04 || d > 0.04 {
						t.Errorf("a tone at %v, in the movie at %v", tones[i]+at, wantTones[i])
					}
				}
			})
		}
	}
}

// While recording goes on, each new span is put behind the one before.
func TestFragmentsGoOn(t *testing.T) {
	parts := mp4test.Parts(t, footage.H264, "till-1", start(), 6)
	mp4test.AddSound(t, parts, footage.AAC)
	src := &memory{}
	opt := FragmentOptions{Origin: start() - 10*second}
	var b bytes.Buffer
	var init []byte
	for n := 2; n <= 6; n += 2 {
		src.parts = parts[:n]
		m, err := OpenWith(t.Context(), src, "till-1", footage.Span{From: start() + footage.Ticks(n-2)*second, To: start() + footage.Ticks(n)*second}, Options{Audio: Browser})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.WriteFragments(t.Context(), &b, opt); err != nil {
			t.Fatal(err)
		}
		again, err := m.Init(opt)
		if err != nil || init != nil && !bytes.Equal(init, again) {
			t.Errorf("another initialisation segment, %v", err)
		}
		init = again
		opt.NoInit, opt.Number = true, uint32(n+1)
	}
	path := keep(t, b.Bytes())
	times := strings.Fields(probe(t, path, "-select_streams", "v", "-show_entries", "packet=pts_time"))
	if len(times) != 150 || !strings.HasPrefix(times[0], "10.000000") || !strings.HasPrefix(times[149], "15.960000") {
		t.Errorf("%d pictures from %v to %v", len(times), times[0], times[len(times)-1])
	}
	if got := len(mp4test.PictureHashes(t, path)); got != 150 {
		t.Errorf("%d pictures decoded", got)
	}
	beeps(t, path, 0.364, 1.364, 2.364, 3.364, 4.364, 5.364) // behind a unit that only primes the decoder
	if at := probe(t, path, "-select_streams", "a", "-show_entries", "stream=start_time"); at != "9.936000" {
		t.Errorf("the sound begins at %s", at)
	}
	m, err := Open(t.Context(), src, "till-1", footage.Span{From: start(), To: start() + second})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.WriteFragments(t.Context(), io.Discard, FragmentOptions{Origin: start() + 1}); err == nil {
		t.Error("an origin within the movie is taken")
	}
}

func TestDamageIsNamed(t *testing.T) {
	parts := mp4test.Parts(t, footage.H264, "till-1", start(), 3)
	for _, c := range []struct{ err, want error }{
		{ring.ErrDamaged, ErrDamaged},
		{ring.ErrGone, ErrGone},
	} {
		src := &memory{parts: parts, fails: map[footage.Ticks]error{start() + second: c.err}}
		m, err := Open(t.Context(), src, "till-1", footage.Span{From: start(), To: start() + 3*second})
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		_, readErr := io.Copy(io.Discard, m)
		_, hashErr := m.Hash(t.Context())
		for way, err := range map[string]error{"read": readErr, "hash": hashErr, "fragments": m.WriteFragments(t.Context(), &b, FragmentOptions{})} {
			if !errors.Is(err, c.want) || !errors.Is(err, c.err) {
				t.Errorf("%s: %v", way, err)
			}
			if p := problemOf(err); !strings.Contains(p, "2026-07-01 14:00:01") {
				t.Errorf("%s: the time is not named: %s", way, p)
			}
		}
		// What was written before plays to its end.
		if got := len(mp4test.FrameHashes(t, keep(t, b.Bytes()))); got != 25 {
			t.Errorf("%d pictures before the damage", got)
		}
	}
	// A part that is shorter than its table.
	cut := *parts[1]
	cut.Data = cut.Data[:len(cut.Data)-1]
	info := &memory{parts: parts}
	m, err := Open(t.Context(), info, "till-1", footage.Span{From: start(), To: start() + 3*second})
	if err != nil {
		t.Fatal(err)
	}
	info.parts = []*footage.Part{parts[0], &cut, parts[2]}
	if _, err := io.Copy(io.Discard, m); !errors.Is(err, ErrDamaged) {
		t.Errorf("a short part: %v", err)
	}
}
