package veil

import (
	"bufio"
	"errors"
	"image"
	"io"
	"math"
	"math/rand/v2"
	"os/exec"
	"slices"
	"testing"

	"veilbox/internal/footagetest"
	"veilbox/redact/shape"
)

const streetW, streetH = 768, 576

// street calls fn with every fifth frame of the street.
func street(t *testing.T, fn func(i int, f *Frame)) {
	t.Helper()
	c := exec.CommandContext(t.Context(), "ffmpeg", "-nostdin", "-v", "error", "-i", footagetest.Vtest(t), "-vf", "select=not(mod(n\\,5))", "-fps_mode", "passthrough",
		"-pix_fmt", "yuv420p", "-f", "rawvideo", "pipe:1")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatalf("%v: install Debian's ffmpeg (scripts/setup.sh does)", err)
	}
	const y = streetW * streetH
	r := bufio.NewReaderSize(out, 1<<20)
	for i := 0; ; i++ {
		b := make([]byte, y*3/2)
		if _, err := io.ReadFull(r, b); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		fn(i, &Frame{streetW, streetH, b[:y], b[y : y*5/4], b[y*5/4:]})
	}
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
}

// still is the median of frames.
func still(frames []*Frame) *Frame {
	out := noise(streetW, streetH, 1)
	at := make([]byte, len(frames))
	for p, pix := range out.planes() {
		for i := range pix {
			for k, f := range frames {
				at[k] = f.planes()[p][i]
			}
			slices.Sort(at)
			pix[i] = at[len(at)/2]
		}
	}
	return out
}

// A sighting is somebody in one frame: the box, and what differs there from the
// background, by its offset from the box's corner.
type sighting struct {
	frame int
	box   image.Rectangle
	look  sprite
}

// walkers returns what moves in f and has the size of a person.
func walkers(i int, f, back *Frame) (out []sighting) {
	g := shape.Grid{W: streetW, H: streetH, Block: 4}
	differs := func(x, y int) bool {
		a, b := int(f.Y[y*streetW+x]), int(back.Y[y*streetW+x])
		return max(a-b, b-a) > 24
	}
	m := shape.NewBitmap(g)
	for k := range m.Bits {
		n := 0
		for j := range 16 {
			if differs(k%m.Cols*4+j%4, k/m.Cols*4+j/4) {
				n++
			}
		}
		m.Bits[k] = n >= 6
	}
	seen := make([]bool, len(m.Bits))
	for from := range m.Bits {
		if !m.Bits[from] || seen[from] {
			continue
		}
		var box image.Rectangle
		stack := []int{from}
		seen[from] = true
		for len(stack) > 0 {
			k := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			x, y := k%m.Cols, k/m.Cols
			box = box.Union(image.Rect(x, y, x+1, y+1))
			for dy := -1; dy <= 1; dy++ {
				for dx := -1; dx <= 1; dx++ {
					if p := image.Pt(x+dx, y+dy); p.In(image.Rect(0, 0, m.Cols, m.Rows)) && m.Bits[p.Y*m.Cols+p.X] && !seen[p.Y*m.Cols+p.X] {
						seen[p.Y*m.Cols+p.X] = true
						stack = append(stack, p.Y*m.Cols+p.X)
					}
				}
			}
		}
		box = g.Pixels(box)
		if box.Dx() < 20 || box.Dx() > 80 || box.Dy() < 56 || box.Dy() > 180 || box.Dy() < 3*box.Dx()/2 {
			continue
		}
		s := sighting{frame: i, box: box}
		for p, pix := range f.planes() {
			k := min(2, p+1)
			for y := box.Min.Y / k; y < box.Max.Y/k; y++ {
				for x := box.Min.X / k; x < box.Max.X/k; x++ {
					if differs(x*k, y*k) {
						s.look[p] = append(s.look[p], struct {
							x, y int
							v    byte
						}{x - box.Min.X/k, y - box.Min.Y/k, pix[y*streetW/k+x]})
					}
				}
			}
		}
		out = append(out, s)
	}
	return out
}

// at returns the look in another box, for its feet and height are known.
func (s *sighting) at(box image.Rectangle) *sprite {
	var out sprite
	sx, sy := float64(box.Dx())/float64(s.box.Dx()), float64(box.Dy())/float64(s.box.Dy())
	for p := range s.look {
		k := min(2, p+1)
		have := make(map[image.Point]byte, len(s.look[p]))
		for _, q := range s.look[p] {
			have[image.Pt(q.x, q.y)] = q.v
		}
		for y := range box.Dy() / k {
			for x := range box.Dx() / k {
				if v, ok := have[image.Pt(int(float64(x)/sx), int(float64(y)/sy))]; ok {
					out[p] = append(out[p], struct {
						x, y int
						v    byte
					}{x, y, v})
				}
			}
		}
	}
	return &out
}

// People who walk through a street are enrolled where they first were, and
// looked for where they are later, in front of another background. The attacker
// has the background, the box of the person and the look of each, and puts each
// into the box. He looks at the whole person, who tells more than a head.
func TestStreetIsAtChance(t *testing.T) {
	var some []*Frame
	street(t, func(i int, f *Frame) {
		if i%6 == 0 {
			some = append(some, f)
		}
	})
	back := still(some)
	g := shape.Grid{W: streetW, H: streetH, Block: 4}
	coarse := build(g, Options{Cell: DefaultCell(streetW, streetH), Levels: DefaultLevels, Hold: 1})
	fine := build(g, Options{Cell: fineCell, Levels: MaxLevels, Hold: 1})
	veils := [2]*Veil{coarse, fine}
	var veiled [][2]*Frame
	var tracks [][]sighting
	street(t, func(i int, f *Frame) {
		found := walkers(i, f, back)
		var both [2]*Frame
		for k, v := range veils {
			both[k] = f.clone()
			if err := v.Apply(both[k], Seen{}); err != nil {
				t.Fatal(err)
			}
		}
		veiled = append(veiled, both)
		for _, s := range found {
			best, near := -1, 40.
			for k := range tracks {
				last := tracks[k][len(tracks[k])-1]
				d := math.Hypot(float64(s.box.Min.X+s.box.Max.X-last.box.Min.X-last.box.Max.X)/2, float64(s.box.Max.Y-last.box.Max.Y))
				if i-last.frame <= 2 && i > last.frame && d < near {
					best, near = k, d
				}
			}
			if best < 0 {
				tracks = append(tracks, nil)
				best = len(tracks) - 1
			}
			tracks[best] = append(tracks[best], s)
		}
	})
	type person struct {
		enrolled sighting
		later    []sighting
	}
	var people []person
	for _, tr := range tracks {
		if len(tr) < 6 {
			continue
		}
		p := person{enrolled: tr[len(tr)/6]}
		for _, s := range tr[len(tr)/2:] {
			if !s.box.Overlaps(p.enrolled.box) && len(p.later) < 6 {
				p.later = append(p.later, s)
			}
		}
		if len(p.later) > 0 {
			people = append(people, p)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	var hits [2]int
	n := 0
	for who, p := range people {
		for _, s := range p.later {
			n++
			for k, v := range veils {
				mid := float64(s.box.Min.X+s.box.Max.X) / 2
				idx := v.cellsOver(head{mid, float64(s.box.Min.Y), float64(s.box.Dy())})
				base := v.exact(back, idx)
				var gallery []view
				for _, c := range people {
					gallery = append(gallery, v.over(base, back, c.enrolled.at(s.box), s.box.Min.X, s.box.Min.Y, idx))
				}
				if nearest(r, v.exact(veiled[s.frame][k], idx), gallery) == who {
					hits[k]++
				}
			}
		}
	}
	if len(people) < 8 {
		t.Fatalf("%d people in %d tracks", len(people), len(tracks))
	}
	chance := 1 / float64(len(people))
	bound := atChance(n, chance)
	t.Logf("%d people, %d times: %d named behind cells of %d px, %d behind cells of %d px, %.1f by chance, at most %d",
		len(people), n, hits[0], coarse.o.Cell, hits[1], fineCell, float64(n)*chance, bound)
	if hits[0] > bound {
		t.Errorf("%d of %d named, chance allows %d", hits[0], n, bound)
	}
	if hits[1] <= bound {
		t.Errorf("%d of %d named behind cells of %d px: an attacker who fails there proves nothing", hits[1], n, fineCell)
	}
}
