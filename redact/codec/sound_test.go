package codec

import (
	"bytes"
	"context"
	"encoding/binary"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"veilbox/capture/footage"
)

// Sound of a clip is silence before and after its track and lies where it lay
// against the pictures: the tone of the source lasts from 1 s to 2 s, of a
// picture that begins at 0.5 s.
func TestSoundLiesWhereItLay(t *testing.T) {
	tools, err := Find("")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "clip.mkv")
	if out, err := exec.Command(tools.FFmpeg, "-v", "error", "-nostdin", "-itsoffset", "0.5", "-f", "lavfi", "-i", "testsrc2=s=64x64:r=10:d=3",
		"-itsoffset", "1", "-f", "lavfi", "-i", "sine=f=1000:d=1:r=8000", "-f", "lavfi", "-i", "anullsrc=r=8000:d=0.1",
		"-map", "0:v", "-map", "1:a", "-c:v", "libx264", "-c:a", "pcm_s16le", "-copyts", path).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	in, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	st, err := tools.Timed(context.Background(), in, 64, 64, "")
	if err != nil {
		t.Fatal(err)
	}
	frame, n := make([]byte, st.Size), 0
	for ; ; n++ {
		if _, err := st.Next(frame); err != nil {
			break
		}
	}
	st.Close()
	start := st.Start()
	for _, channels := range []int{1, 2} {
		var file bytes.Buffer
		units := 0
		err = tools.Sound(context.Background(), in, channels, start, 3*footage.TicksPerSecond, func(b []byte) error {
			units++
			size := len(b) + 7
			file.Write([]byte{0xff, 0xf1, 1<<6 | 3<<2, byte(channels<<6 | size>>11), byte(size >> 3), byte(size<<5 | 0x1f), 0xfc})
			file.Write(b)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		// One unit to prime, and 3 s.
		if want := 3*SoundRate/SoundFrame + 2; units < want-1 || units > want+1 {
			t.Errorf("%d units, about %d were to be", units, want)
		}
		cmd := exec.Command(tools.FFmpeg, "-v", "error", "-f", "aac", "-i", "pipe:0", "-ac", "1", "-ar", "48000", "-f", "s16le", "pipe:1")
		cmd.Stdin = &file
		pcm, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		loud := func(at float64) float64 {
			sum, from := 0., (int(at*SoundRate)+SoundFrame)*2
			for i := range 480 {
				v := float64(int16(binary.LittleEndian.Uint16(pcm[from+2*i:])))
				sum += v * v
			}
			return math.Sqrt(sum / 480)
		}
		for at, want := range map[float64]bool{0.2: false, 0.45: false, 0.55: true, 1: true, 1.45: true, 1.55: false, 2.8: false} {
			if got := loud(at); got > 300 != want {
				t.Errorf("%d channels: at %.2f s the level is %.0f; a tone: %v", channels, at, got, want)
			}
		}
	}
}

func FuzzADTS(f *testing.F) {
	f.Add([]byte{0xff, 0xf1, 0x4c, 0x40, 0x01, 0x1f, 0xfc, 1}, 1)
	f.Add([]byte{0xff, 0xf0, 0x4c, 0x80, 0x01, 0x5f, 0xfc, 0, 0, 1}, 2)
	f.Add([]byte{0xff, 0xf1, 0x4c, 0x40, 0x00, 0x1f, 0xfc}, 1)
	f.Fuzz(func(t *testing.T, b []byte, channels int) {
		total := 0
		err := adts(bytes.NewReader(b), channels&3, func(u []byte) error {
			if len(u) == 0 || len(u) > maxADTS {
				t.Fatalf("a unit of %d bytes", len(u))
			}
			total += len(u) + 7
			return nil
		})
		if total > len(b) || err == nil && total+2*len(b)/9 < len(b) {
			t.Fatalf("%d bytes of units in %d, %v", total, len(b), err)
		}
	})
}
