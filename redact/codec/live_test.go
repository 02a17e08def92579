package codec

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"veilbox/capture/footage"
)

// streamOf makes a byte stream with ffmpeg, and returns its pictures.
func streamOf(t *testing.T, c footage.Codec, size string, rate, n int) []Picture {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	args := map[footage.Codec][]string{
		footage.H264:  {"-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", "30", "-bsf:v", "h264_metadata=aud=insert", "-f", "h264"},
		footage.H265:  {"-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none:bframes=0:keyint=30:aud=1:repeat-headers=1", "-f", "hevc"},
		footage.MJPEG: {"-c:v", "mjpeg", "-f", "mjpeg"},
	}[c]
	args = append(append([]string{"-v", "error", "-f", "lavfi", "-i", "testsrc2=s=" + size + ":r=" + strconv.Itoa(rate), "-frames:v", strconv.Itoa(n), "-pix_fmt", "yuv420p"}, args...), path)
	if out, err := exec.Command("ffmpeg", args...).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sep := map[footage.Codec][]byte{footage.H264: {0, 0, 0, 1, 9}, footage.H265: {0, 0, 0, 1, 35 << 1, 1}, footage.MJPEG: {0xff, 0xd8, 0xff}}[c]
	var out []Picture
	for i, p := range bytes.Split(b, sep)[1:] {
		out = append(out, Picture{At: footage.Ticks(i * footage.TicksPerSecond / rate), Key: c == footage.MJPEG || i%30 == 0, Data: append(bytes.Clone(sep), p...)})
	}
	if len(out) != n {
		t.Fatalf("%d pictures, want %d", len(out), n)
	}
	return out
}

func TestLiveGivesEachPictureAtOnce(t *testing.T) {
	tools, err := Find("")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []footage.Codec{footage.H265, footage.H264, footage.MJPEG} {
		t.Run(c.String(), func(t *testing.T) {
			in := streamOf(t, c, "640x360", 10, 45)
			got := make(chan Picture, 64)
			l, err := tools.Live(context.Background(), Encoder{}, c, 640, 360, func(p Picture) error {
				p.Data = bytes.Clone(p.Data)
				got <- p
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Abort()
			for i, p := range in {
				// The demuxer wants to see where the second picture begins before
				// it gives the first.
				if i == 0 {
					err = errors.Join(l.Write(p), l.Write(in[1]))
				} else if i > 1 {
					err = l.Write(p)
				}
				if err != nil {
					t.Fatal(err)
				}
				select {
				case o := <-got:
					if d := o.At - p.At; d < -90 || d > 90 || (o.Key != (i%20 == 0)) {
						t.Errorf("picture %d: at %d for %d, key %v", i, o.At, p.At, o.Key)
					}
					if o.Key && o.Data[4]&0x1f != 7 {
						t.Errorf("a keyframe without its parameter sets: % x", o.Data[:8])
					}
				case <-time.After(10 * time.Second):
					t.Fatalf("picture %d did not come before the next went in", i)
				}
			}
			if err := l.Finish(); err != nil {
				t.Error(err)
			}
		})
	}
}

func FuzzReadFLV(f *testing.F) {
	f.Add([]byte("FLV\x01\x01\x00\x00\x00\x09\x00\x00\x00\x00\x09\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00\x17\x01\x00\x00\x00ab\x00\x00\x00\x12"))
	f.Fuzz(func(t *testing.T, b []byte) {
		// Any error will do; it must end, and hold no more than a tag.
		_ = readFLV(bytes.NewReader(b), func(p Picture) error {
			if p.At < 0 || len(p.Data) > 2<<24 {
				t.Fatalf("%d bytes at %d", len(p.Data), p.At)
			}
			return nil
		})
	})
}

func FuzzPart(f *testing.F) {
	f.Add([]byte("--ffmpeg\r\nContent-type: image/jpeg\r\nContent-length: 12\r\n\r\n"))
	f.Add([]byte("Content-length: -1\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, err := part(bufio.NewReader(bytes.NewReader(b))); err == nil && (n < 1 || n > maxStill) {
			t.Fatalf("a still of %d bytes", n)
		}
	})
}
