package codec

import (
	"bytes"
	"context"
	"errors"
	"image"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// A part is what lies there in the whole frame, after a change of size as well.
func TestPartIsCutOfTheWhole(t *testing.T) {
	tools, err := Find("")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var stream []byte
	for _, size := range []string{"160x120", "96x64"} {
		path := filepath.Join(dir, size+".ts")
		if out, err := exec.Command(tools.FFmpeg, "-v", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc2=s="+size+":r=10:d=0.5",
			"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-f", "h264", path).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		stream = append(stream, b...)
	}
	path := filepath.Join(dir, "clip.h264")
	if err := os.WriteFile(path, stream, 0o600); err != nil {
		t.Fatal(err)
	}
	const w, h = 160, 120
	px := image.Rect(24, 10, 90, 64)
	read := func(open func(in *os.File) (*Stream, error)) [][]byte {
		in, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		s, err := open(in)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		var out [][]byte
		for {
			b := make([]byte, s.Size)
			if _, err := s.Next(b); errors.Is(err, io.EOF) {
				return out
			} else if err != nil {
				t.Fatal(err)
			}
			out = append(out, b)
		}
	}
	ctx := context.Background()
	whole := read(func(in *os.File) (*Stream, error) { return tools.Full(ctx, in, w, h) })
	for name, got := range map[string][][]byte{
		"part":       read(func(in *os.File) (*Stream, error) { return tools.Part(ctx, in, w, h, px) }),
		"timed part": read(func(in *os.File) (*Stream, error) { return tools.TimedPart(ctx, in, w, h, "", px) }),
	} {
		if len(got) != len(whole) || len(got) != 10 {
			t.Fatalf("%s: %d frames of %d", name, len(got), len(whole))
		}
		for i := range got {
			if !bytes.Equal(got[i], cut(whole[i], w, h, px)) {
				t.Errorf("%s: frame %d is not what lies there", name, i)
			}
		}
	}
}

func cut(pix []byte, w, h int, px image.Rectangle) []byte {
	var out []byte
	for p := range 3 {
		if p == 1 {
			px = image.Rect(px.Min.X/2, px.Min.Y/2, px.Max.X/2, px.Max.Y/2)
			pix, w, h = pix[w*h:], w/2, h/2
		} else if p == 2 {
			pix = pix[w*h:]
		}
		for y := px.Min.Y; y < px.Max.Y; y++ {
			out = append(out, pix[y*w+px.Min.X:y*w+px.Max.X]...)
		}
	}
	return out
}
