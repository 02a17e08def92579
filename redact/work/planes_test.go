//go:build linux

package work

import (
	"bytes"
	"testing"

	"veilbox/capture/footage"
	"veilbox/redact/codec"
	"veilbox/redact/sheet"
)

func TestPlanesGiveUpFrames(t *testing.T) {
	p := newPlanes(codec.Info{Width: 1920, Height: 1080, Frames: 100}, 1<<21)
	if p.w < planeLeast-1 || p.w > planeWidth {
		t.Fatalf("planes %d wide", p.w)
	}
	for i := range 500 {
		b := p.next()
		b[0] = byte(i)
		p.add(b, footage.Ticks(i*3600))
	}
	if p.stride < 2 || int64(p.Len()*p.w*p.h) > p.budget {
		t.Fatalf("%d planes of %dx%d with stride %d", p.Len(), p.w, p.h, p.stride)
	}
	for i := range p.Len() {
		if got := p.Plane(i).Pix[0]; got != byte(i*p.stride) {
			t.Fatalf("plane %d is of frame %d, want %d", i, got, i*p.stride)
		}
		if want := float64(i*p.stride*3600) / 90000; p.Time(i) != want {
			t.Fatalf("plane %d at %g, want %g", i, p.Time(i), want)
		}
	}
}

func FuzzReceive(f *testing.F) {
	f.Add([]byte{'R', 0, 0, 0, 2, '{', '}'})
	f.Add([]byte{'I', 0, 0, 0, 50, 1})
	f.Add([]byte{'D', 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		c := &Conn{R: bytes.NewReader(b)}
		for {
			kind, body, err := c.Receive()
			if err != nil {
				return
			}
			if len(body) > MaxBody {
				t.Fatal("a body over its bound")
			}
			if kind == TypePicture {
				p, err := sheet.DecodePicture(body)
				if err == nil && !bytes.Equal(sheet.EncodePicture(p), body) {
					t.Fatal("a picture changed on the way")
				}
			}
		}
	})
}
