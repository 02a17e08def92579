package codec

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"testing"
)

// What is repeated decodes to the very picture before it, in streams with and
// without arithmetic coding, and an encoder's next keyframe follows it.
func TestRepeatedPicturesAreThePictureBefore(t *testing.T) {
	tools, err := Find("")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		preset string
		w, h   int
	}{{"veryfast", 1920, 1080}, {"veryfast", 176, 144}, {"ultrafast", 320, 240}, {"medium", 46, 34}} {
		t.Run(fmt.Sprintf("%s %dx%d", c.preset, c.w, c.h), func(t *testing.T) {
			var stream bytes.Buffer
			var r Repeater
			start := []byte{0, 0, 0, 1}
			annexB := func(data []byte) {
				for len(data) > 0 {
					n := int(data[0])<<24 | int(data[1])<<16 | int(data[2])<<8 | int(data[3])
					stream.Write(start)
					stream.Write(data[4 : 4+n])
					data = data[4+n:]
				}
			}
			// 3 pictures of the encoder, 20 repeated, 2, 40, 1.
			repeat := map[int]int{2: 20, 4: 40}
			i := 0
			enc, err := tools.Encode(context.Background(), Encoder{Preset: c.preset, Keys: []int{3, 5}}, c.w, c.h, 25, "", func(u *Unit) error {
				for _, p := range [][]byte{u.SPS, u.PPS} {
					if p != nil {
						stream.Write(start)
						stream.Write(p)
					}
				}
				annexB(u.Data)
				if err := r.Took(u); err != nil {
					return err
				}
				for range repeat[i] {
					b, err := r.Next()
					if err != nil {
						return err
					}
					annexB(b)
				}
				if !u.Key && (i == 0 || i == 3 || i == 5) {
					t.Errorf("picture %d is no keyframe", i)
				}
				i++
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			defer enc.Abort()
			frame := make([]byte, FrameSize(c.w, c.h))
			for k := range 6 {
				for j := range frame {
					frame[j] = byte(j*(k+3)/7 ^ j>>8)
				}
				if err := enc.Write(frame); err != nil {
					t.Fatal(err)
				}
			}
			if err := enc.Finish(); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(tools.FFmpeg, "-v", "warning", "-xerror", "-err_detect", "explode", "-f", "h264", "-i", "pipe:0", "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "yuv420p", "pipe:1")
			cmd.Stdin = &stream
			var said bytes.Buffer
			cmd.Stderr = &said
			out, err := cmd.Output()
			if err != nil || said.Len() > 0 {
				t.Fatalf("decode: %v: %s", err, said.Bytes())
			}
			if len(out) != 66*len(frame) {
				t.Fatalf("%d bytes of pictures, not %d", len(out), 66*len(frame))
			}
			pic := func(i int) []byte { return out[i*len(frame) : (i+1)*len(frame)] }
			for i := range 66 {
				same := i > 0 && bytes.Equal(pic(i), pic(i-1))
				if want := i > 2 && i <= 22 || i > 24 && i <= 64; same != want {
					t.Fatalf("picture %d is the one before: %v", i, same)
				}
			}
		})
	}
}

func FuzzRepeater(f *testing.F) {
	f.Add([]byte{0x67, 100, 0, 40, 0xac}, []byte{0x68, 0xee}, []byte{0, 0, 0, 2, 0x65, 0x88, 1})
	f.Fuzz(func(t *testing.T, sps, pps, data []byte) {
		if len(sps) == 0 || len(pps) == 0 {
			return
		}
		var r Repeater
		if r.Took(&Unit{SPS: sps, PPS: pps, Data: data}) != nil {
			return
		}
		b, err := r.Next()
		if err != nil || len(b) < 6 || len(b) > 1<<16 || bytes.Contains(b[4:], []byte{0, 0, 1}) {
			t.Fatalf("%d bytes, %v", len(b), err)
		}
	})
}
