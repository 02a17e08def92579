package proof

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"time"

	"veilbox/capture/footage"
	"veilbox/capture/mp4"
	"veilbox/redact/mask"
	"veilbox/redact/shape"
	"veilbox/redact/subject"
	"veilbox/redact/veil"
)

// A tampering is a file that is not the copy that its mask speaks of.
type tampering struct {
	name string
	file func() []byte
	mask *mask.Mask // judged against; nil = that of the clip
	want string
}

func (b *made) run(t *testing.T, all []tampering) {
	for _, tc := range all {
		t.Run(tc.name, func(t *testing.T) {
			m := b.mask
			if tc.mask != nil {
				m = tc.mask
			}
			p, _ := b.judge(tc.file(), m)
			if p.Pass || !strings.Contains(strings.Join(p.Reasons, "; "), tc.want) {
				t.Errorf("pass %v, reasons %q, want one with %q", p.Pass, p.Reasons, tc.want)
			}
		})
	}
}

// reveal puts the original's part px back into frame n.
func (b *made) reveal(n int, px shape.Run) spoiler {
	return spoiler{frame: func(i int, f *veil.Frame) {
		if i != n {
			return
		}
		o := make([]byte, frameSize)
		b.original(i, o)
		from := frameOf(o, width, height)
		cell := b.mask.Cell
		for y := int(px.Row) * cell; y < int(px.Row+1)*cell && y < height; y++ {
			copy(f.Y[y*width+int(px.From)*cell:y*width+int(px.To)*cell], from.Y[y*width+int(px.From)*cell:])
		}
	}}
}

func TestTamperedPicturesFail(t *testing.T) {
	b := makeClip(t)
	honest := b.code(b.mask, spoiler{})
	file := honest.file(t)
	unveiled := spoiler{frame: func(i int, f *veil.Frame) {
		if i == 17 {
			o := make([]byte, frameSize)
			b.original(i, o)
			from := frameOf(o, width, height)
			copy(f.Y, from.Y)
			copy(f.U, from.U)
			copy(f.V, from.V)
		}
	}}
	faint := spoiler{frame: func(i int, f *veil.Frame) {
		o := make([]byte, frameSize)
		b.original(i, o)
		for k, v := range o[:width*height] {
			f.Y[k] = byte(int(f.Y[k]) + (int(v)-128)/4)
		}
	}}
	colour := spoiler{frame: func(i int, f *veil.Frame) {
		for y := 8; y < 24; y++ {
			for x := 8; x < 24; x++ {
				f.U[y*width/2+x] = byte(128 + 60*((x/4+y/4)%2))
			}
		}
	}}
	rim := spoiler{frame: func(i int, f *veil.Frame) {
		if i != 12 {
			return
		}
		o := make([]byte, frameSize)
		b.original(i, o)
		shown := b.mask.Grid.Pixels(b.mask.Frames[i].Subjects[0].Shape.Bounds())
		wide := shown.Inset(-veil.ShownMargin)
		for y := wide.Min.Y; y < wide.Max.Y; y++ {
			copy(f.Y[y*width+wide.Min.X:y*width+shown.Min.X], o[y*width+wide.Min.X:])
			copy(f.Y[y*width+shown.Max.X:y*width+wide.Max.X], o[y*width+shown.Max.X:])
		}
	}}
	frame := func(i int, state mask.State) *mask.Mask {
		return b.changed(func(m *mask.Mask) { m.Frames[i].Subjects[0] = mask.Seen{State: state} })
	}
	b.run(t, []tampering{
		{"one frame unveiled", func() []byte { return b.code(b.mask, unveiled).file(t) }, nil, "frame 17 at 1.700 s is not veiled"},
		{"one cell of one frame unveiled", func() []byte { return b.code(b.mask, b.reveal(25, shape.Run{Row: 6, From: 0, To: 1})).file(t) }, nil, "frame 25 at 2.500 s is not veiled"},
		{"the clip shining through", func() []byte { return b.code(b.mask, faint).file(t) }, nil, "is not veiled"},
		{"colour shining through", func() []byte { return b.code(b.mask, colour).file(t) }, nil, "is not veiled"},
		{"the rim around the subject", func() []byte { return b.code(b.mask, rim).file(t) }, nil, "frame 12 at 1.200 s is not veiled"},
		{"mask shifted by one second", func() []byte {
			return b.code(b.changed(func(m *mask.Mask) {
				for i := range m.Frames {
					m.Frames[i].Subjects = b.mask.Frames[max(0, i-frameRate)].Subjects
				}
			}), spoiler{}).file(t)
		}, nil, "is not veiled"},
		{"the other person", func() []byte {
			return b.code(b.changed(func(m *mask.Mask) {
				m.Frames[9].Subjects[0].Shape = m.Grid.Inside(subject.Rect{X: (240 - 36) / 320., Y: 0.5, W: 0.125, H: 100. / 240})
			}), spoiler{}).file(t)
		}, nil, "frame 9 at 0.900 s is not veiled"},
		{"shown where the track was unsure", func() []byte { return file }, frame(25, mask.Unsure), "frame 25 at 2.500 s is not veiled"},
		{"shown where the subject is gone", func() []byte { return file }, frame(26, mask.Gone), "frame 26 at 2.600 s is not veiled"},
		{"shown where it is always veiled", func() []byte { return file }, b.changed(func(m *mask.Mask) {
			m.Veiled = []subject.Rect{{X: 0.3, Y: 0.4, W: 0.1, H: 0.2}}
			cover := m.Cover()
			for i := range m.Frames {
				s := &m.Frames[i].Subjects[0]
				s.Shape = shape.Minus(nil, s.Shape, cover)
			}
		}), "is not veiled"},
		{"coarser cells asked for", func() []byte { return file }, b.changed(func(m *mask.Mask) { m.Cell *= 2 }), "is not veiled"},
		{"coded again at another size", func() []byte {
			c := b.code(b.mask, spoiler{})
			c.format.Width = 304
			return c.file(t)
		}, nil, "it crops"},
	})
}

func TestTamperedFilesFail(t *testing.T) {
	b := makeClip(t)
	honest := b.code(b.mask, spoiler{})
	file := honest.file(t)
	loud := b.changed(func(m *mask.Mask) { m.Sound = true })
	heard := b.code(loud, spoiler{})
	free := append([]byte{0, 0, 0, 16}, "freehidden!!"...)
	change := func(do func(c *coded)) func() []byte {
		return func() []byte {
			c := *honest
			c.samples, c.data = slices.Clone(c.samples), slices.Clone(c.data)
			do(&c)
			return c.file(t)
		}
	}
	unit := func(nal ...byte) func() []byte {
		return change(func(c *coded) { c.insert(3, nal) })
	}
	compose := func(c *coded, tracks ...mp4.Track) []byte {
		out, _, err := mp4.Compose(tracks, Layout(c.samples, c.heard, c.sound.Rate))
		if err != nil {
			t.Fatal(err)
		}
		f := c.file(t)
		return append(out, f[bytes.Index(f, []byte("mdat"))+4:]...)
	}
	b.run(t, []tampering{
		{"bytes appended", func() []byte { return append(slices.Clone(file), "hidden"...) }, nil, "follow the video"},
		{"a box appended", func() []byte { return append(slices.Clone(file), free...) }, nil, "follow the video"},
		{"a box between", func() []byte { return insert(t, file, free) }, nil, "a copy has mdat there"},
		{"bytes behind the last sample", func() []byte {
			f := append(slices.Clone(file), "hidden"...)
			at := bytes.Index(f, []byte("mdat")) - 4
			binary.BigEndian.PutUint32(f[at:], uint32(len(f)-at))
			return f
		}, nil, "the file holds"},
		{"user data", func() []byte { return within(t, file, "moov", "udta") }, nil, `"udta" in moov`},
		{"a uuid in a track", func() []byte { return within(t, file, "trak", "uuid") }, nil, `"uuid" in trak`},
		{"a free box in a table", func() []byte { return within(t, file, "stbl", "free") }, nil, `"free" in stbl`},
		{"cut short", func() []byte { return file[:len(file)-10] }, nil, "bytes of a file"},
		{"nothing", func() []byte { return nil }, nil, "ends before its ftyp"},
		{"a second video track", func() []byte { return b.remux(file, "-map", "0:v", "-map", "0:v", "-c", "copy") }, nil, "a copy has"},
		{"a second video track in our form", func() []byte {
			v := mp4.Track{Formats: []footage.Format{honest.format}}
			out, _, err := mp4.Compose([]mp4.Track{v, v}, func(yield func(mp4.Chunk) bool) {
				_ = yield(mp4.Chunk{Samples: honest.samples}) && yield(mp4.Chunk{Track: 1, Samples: honest.samples})
			})
			if err != nil {
				t.Fatal(err)
			}
			return slices.Concat(out, honest.data, honest.data)
		}, nil, "something else than AAC"},
		{"a track of text", func() []byte {
			return b.remux(file, "-f", "lavfi", "-i", "anullsrc=d=4", "-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "alac")
		}, nil, "a copy has"},
		{"an edit list", func() []byte {
			return compose(honest, mp4.Track{Formats: []footage.Format{honest.format}, Edit: mp4.Edit{Start: 90000}})
		}, nil, `"edts" in trak`},
		{"a delay", func() []byte {
			return compose(honest, mp4.Track{Formats: []footage.Format{honest.format}, Edit: mp4.Edit{Delay: 900}})
		}, nil, `"edts" in trak`},
		{"written by another muxer", func() []byte { return b.remux(file, "-c", "copy") }, nil, "a copy has"},
		{"coded again", func() []byte { return b.remux(file, "-c:v", "libx264", "-crf", "30") }, nil, "a copy has"},
		{"a creation time", func() []byte {
			f := slices.Clone(file)
			f[bytes.Index(f, []byte("mvhd"))+11] = 1
			return f
		}, nil, "does not need"},
		{"a handler name", func() []byte {
			f := slices.Clone(file)
			f[bytes.Index(f, []byte("vide"))+6] = 'x'
			return f
		}, nil, "does not need"},

		{"sound that nobody asked for", func() []byte { return heard.file(t) }, nil, "sound that nobody chose"},
		{"sound missing", func() []byte { return file }, loud, "no sound"},
		{"more sound than pictures", func() []byte {
			c := *heard
			c.heard, c.units = append(slices.Clone(c.heard), c.heard[:6]...), append(slices.Clone(c.units), c.units...)
			c.trim()
			return c.file(t)
		}, loud, "the sound lasts"},
		{"less sound than pictures", func() []byte {
			c := *heard
			c.heard = c.heard[:len(c.heard)-30]
			c.trim()
			return c.file(t)
		}, loud, "the sound lasts"},
		{"sound of another kind", func() []byte {
			return compose(heard, mp4.Track{Formats: []footage.Format{heard.format}},
				mp4.Track{Sound: footage.AudioFormat{Codec: footage.AAC, Rate: 48000, Channels: 1, Config: []byte{0x11, 0x88, 0x56, 0xe5, 0x00}}})
		}, loud, "does not need"},
		{"sound that begins late", func() []byte {
			return compose(heard, mp4.Track{Formats: []footage.Format{heard.format}}, mp4.Track{Sound: heard.sound, Edit: mp4.Edit{Delay: 9000}})
		}, loud, `"edts" in trak`},

		{"SEI", unit(6, 5, 2, 'h', 'i', 0x80), nil, "NAL unit of type 6"},
		{"a delimiter", unit(9, 0x30), nil, "NAL unit of type 9"},
		{"filler", unit(12, 0xff, 0x80), nil, "NAL unit of type 12"},
		{"a unit of no type", unit(0, 0xff, 0x80), nil, "NAL unit of type 0"},
		{"a picture twice in a sample", change(func(c *coded) {
			from, to := c.sample(7)
			c.insert(7, c.data[from+4:to])
		}), nil, "one picture, in order"},
		{"a frame at another time", change(func(c *coded) { c.samples[5].Duration += 900; c.samples[6].Duration -= 900 }), nil, "frame 6 is at tick"},
		{"a frame missing", change(func(c *coded) {
			from, to := c.sample(12)
			c.data, c.samples = slices.Delete(c.data, from, to), slices.Delete(c.samples, 12, 13)
		}), nil, "39 frames, the clip 40"},
		{"a frame twice", change(func(c *coded) {
			from, to := c.sample(12)
			c.data, c.samples = slices.Insert(c.data, to, slices.Clone(c.data[from:to])...), slices.Insert(c.samples, 12, c.samples[12])
		}), nil, "41 frames, the clip 40"},
		{"a picture damaged", change(func(c *coded) {
			from, to := c.sample(30)
			for i := from + 12; i < to-1; i++ {
				c.data[i] ^= 0x55
			}
			for i := from + 12; i < to; i++ {
				c.data[i] |= 1
			}
		}), nil, ""},
	})
}

func TestTamperedStampsFail(t *testing.T) {
	b := makeClip(t)
	m := b.stampMask()
	file := b.code(m, spoiler{}).file(t)
	plain := *m
	plain.Stamp = nil
	later := *m
	later.Stamp = &mask.Stamp{Start: m.Stamp.Start.Add(time.Second), Place: m.Stamp.Place}
	there := *m
	there.Stamp = &mask.Stamp{Start: m.Stamp.Start, Place: "Ørø"}
	over := b.changed(func(o *mask.Mask) { o.Stamp = m.Stamp })
	for i := range over.Frames {
		if s := &over.Frames[i].Subjects[0]; s.State == mask.Shown {
			s.Shape = over.Grid.Inside(subject.Rect{X: 0, Y: 0.5, W: 0.2, H: 0.5})
		}
	}
	b.run(t, []tampering{
		{"one digit", func() []byte { return file }, &later, "does not have the stamp"},
		{"one letter", func() []byte { return file }, &there, "does not have the stamp"},
		{"no stamp", func() []byte { return b.code(&plain, spoiler{}).file(t) }, m, "does not have the stamp"},
		{"a stamp that nobody asked for", func() []byte { return file }, &plain, "is not veiled"},
		{"the subject below it", func() []byte { return file }, over, "below the stamp"},
	})
}

func TestTamperedScenesFail(t *testing.T) {
	b := makeClip(t)
	b.paint()
	file := b.code(b.mask, spoiler{}).file(t)
	b.run(t, []tampering{
		{"a cell of the frame", func() []byte {
			return b.code(b.mask, spoiler{frame: func(i int, f *veil.Frame) {
				if i == 8 {
					for y := 20; y < 36; y++ {
						for x := 100; x < 116; x++ {
							f.Y[y*width+x] = byte(40 + ((x-100)*7+(y-20)*3)%180)
						}
					}
				}
			}}).file(t)
		}, nil, "does not have the still scene"},
		{"less painted than said", func() []byte {
			return b.code(b.changed(func(m *mask.Mask) { m.Frames[8].Painted = nil }), spoiler{}).file(t)
		}, nil, "does not have the still scene"},
		{"more painted than said", func() []byte { return file }, b.changed(func(m *mask.Mask) { m.Frames[8].Painted = nil }), "is not veiled"},
		{"another scene named", func() []byte { return file }, b.changed(func(m *mask.Mask) { m.Scene[3]++ }), "not the one that the mask names"},
		{"no scene named", func() []byte { return file }, b.changed(func(m *mask.Mask) {
			m.Scene = footage.Hash{}
			for i := range m.Frames {
				m.Frames[i].Painted = nil
			}
		}), "a mask that names none"},
	})
	b.scene = nil
	b.run(t, []tampering{{"no scene", func() []byte { return file }, nil, "is not there"}})
}

// insert puts a NAL unit in front of those of sample i.
func (c *coded) insert(i int, nal []byte) {
	from, _ := c.sample(i)
	unit := append(binary.BigEndian.AppendUint32(nil, uint32(len(nal))), nal...)
	c.data = slices.Insert(c.data, from, unit...)
	c.samples[i].Size += uint32(len(unit))
}

// trim cuts the units of sound to what their table says.
func (c *coded) trim() {
	n := 0
	for _, s := range c.heard {
		n += int(s.Size)
	}
	c.units = c.units[:n]
}

// insert puts a box in front of the video data and moves the chunk offsets, so
// that a player would not notice.
func insert(t *testing.T, file, box []byte) []byte {
	t.Helper()
	at := bytes.Index(file, []byte("mdat")) - 4
	return move(t, slices.Concat(file[:at], box, file[at:]), len(box))
}

func move(t *testing.T, file []byte, by int) []byte {
	t.Helper()
	stco := bytes.Index(file, []byte("stco"))
	if stco < 0 {
		t.Fatal("no stco")
	}
	for i := range binary.BigEndian.Uint32(file[stco+8:]) {
		e := file[stco+12+4*int(i):]
		binary.BigEndian.PutUint32(e, binary.BigEndian.Uint32(e)+uint32(by))
	}
	return file
}

// within puts a box of name at the start of another, all lengths made right.
func within(t *testing.T, file []byte, parent, name string) []byte {
	t.Helper()
	box := append([]byte{0, 0, 0, 16}, name+"hidden!!"...)
	f := slices.Clone(file)
	for _, p := range []string{"moov", "trak", "mdia", "minf", "stbl"} {
		at := bytes.Index(f, []byte(p)) - 4
		binary.BigEndian.PutUint32(f[at:], binary.BigEndian.Uint32(f[at:])+uint32(len(box)))
		if p == parent {
			return move(t, slices.Insert(f, at+8, box...), len(box))
		}
	}
	t.Fatal("no box ", parent)
	return nil
}
