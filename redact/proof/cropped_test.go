package proof

import (
	"context"
	"fmt"
	"image"
	"math/rand/v2"
	"strings"
	"testing"

	"veilbox/capture/footage"
	"veilbox/redact/codec"
	"veilbox/redact/mask"
	"veilbox/redact/shape"
	"veilbox/redact/subject"
	"veilbox/redact/veil"
)

// A corner is a clip whose subject stands at the bottom right, in a coat of
// noise, which is the worst for a codec.
type corner struct {
	t     *testing.T
	tools codec.Tools
	mask  *mask.Mask
}

func newCorner(t *testing.T, w, h int) *corner {
	t.Helper()
	tools, err := codec.Find("")
	if err != nil {
		t.Fatal(err)
	}
	g := shape.Grid{W: w, H: h, Block: 4}
	c := &corner{t: t, tools: tools, mask: &mask.Mask{Grid: g, Cell: 32, Subjects: 1}}
	for i := range 10 {
		seen := mask.Seen{State: mask.Shown, Shape: g.Inside(subject.Rect{X: 0.5, Y: 0.5, W: 0.5, H: 0.5})}
		c.mask.Frames = append(c.mask.Frames, mask.Frame{At: footage.Ticks(i) * frameTicks, Subjects: []mask.Seen{seen}})
	}
	return c
}

// code codes the clip in frames of cw by ch; fill says what is where a frame of
// the mask's size ends, nil: its edge again.
func (c *corner) code(e codec.Encoder, cw, ch int, fill func(p, x, y int) byte) *coded {
	c.t.Helper()
	w, h := c.mask.Grid.W, c.mask.Grid.H
	v, err := veil.New(c.mask.Grid, veil.Options{Cell: c.mask.Cell})
	if err != nil {
		c.t.Fatal(err)
	}
	out := &coded{format: footage.Format{Codec: footage.H264, Width: cw, Height: ch}}
	enc, err := c.tools.Encode(context.Background(), e, cw, ch, frameRate, "", out.take)
	if err != nil {
		c.t.Fatal(err)
	}
	defer enc.Abort()
	r := rand.New(rand.NewPCG(1, 2))
	for i := range c.mask.Frames {
		b := room(w, h)
		for k := range b {
			b[k] = byte(int(b[k]) + r.IntN(160) - 80)
		}
		f := frameOf(b, w, h)
		if err := v.Apply(&f, veil.Seen{Shown: c.mask.Shown(nil, i)}); err != nil {
			c.t.Fatal(err)
		}
		wide := make([]byte, 0, cw*ch*3/2)
		for p, pix := range [][]byte{f.Y, f.U, f.V} {
			s := 1 + min(p, 1)
			for y := range ch / s {
				for x := range cw / s {
					if fill != nil && !image.Pt(x, y).In(image.Rect(0, 0, w/s, h/s)) {
						wide = append(wide, fill(p, x, y))
						continue
					}
					wide = append(wide, pix[min(y, h/s-1)*(w/s)+min(x, w/s-1)])
				}
			}
		}
		if err := enc.Write(wide); err != nil {
			c.t.Fatal(err)
		}
	}
	if err := enc.Finish(); err != nil {
		c.t.Fatal(err)
	}
	return out
}

func TestWhatIsCutOff(t *testing.T) {
	up := func(n int) int { return (n + 15) / 16 * 16 }
	grey := func(p, x, y int) byte { return 90 }
	checks := func(p, x, y int) byte { return byte(60 + 120*((x/3+y/2)%2)) }
	colours := func(p, x, y int) byte {
		if p == 0 {
			return 90
		}
		return byte(60 + 120*((x/3+y/2)%2))
	}
	for _, size := range [][2]int{{202, 120}, {208, 114}, {194, 98}} {
		c := newCorner(t, size[0], size[1])
		b := &made{t: t, tools: c.tools}
		e := codec.Encoder{Quality: codec.MaxQuality}
		honest := c.code(e, size[0], size[1], nil)
		if p, _ := b.judge(honest.file(t), c.mask); !p.Pass {
			t.Errorf("%v: %q", size, p.Reasons)
		}
		for name, fill := range map[string]func(p, x, y int) byte{"": nil, "grey": grey, "a picture": checks, "a picture in colours": colours} {
			// The same slices: an SPS alone says what is cut off.
			wide := c.code(e, up(size[0]), up(size[1]), fill)
			wide.format = honest.format
			p, _ := b.judge(wide.file(t), c.mask)
			bad := strings.Contains(name, "picture")
			if p.Pass == bad || bad && !strings.Contains(fmt.Sprint(p.Reasons), "picture hold another") {
				t.Errorf("%v, filled with %q: pass %v, %q", size, name, p.Pass, p.Reasons)
			}
		}
	}
}
