package camera

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"image"
	"testing"
	"time"

	"github.com/pion/rtp"

	"veilbox/capture/footage"
)

// extended parts a JPEG into the segments before its data, padded to words, and
// the data without the end.
func extended(t testing.TB, picture []byte) (extension, data []byte) {
	t.Helper()
	at := 2
	for {
		n := 2 + int(binary.BigEndian.Uint16(picture[at+2:]))
		at += n
		if picture[at-n+1] == 0xda {
			break
		}
	}
	extension = picture[2:at]
	for len(extension)%4 != 0 {
		extension = append([]byte{0xff}, extension...)
	}
	return extension, picture[at : len(picture)-2]
}

// segment returns the segments of one kind, padded to words, and the rest.
func segment(extension []byte, marker byte) (of, rest []byte) {
	for at := 0; at < len(extension); {
		if extension[at+1] == 0xff {
			at++
			continue
		}
		n := 2 + int(binary.BigEndian.Uint16(extension[at+2:]))
		if extension[at+1] == marker {
			of = append(of, extension[at:at+n]...)
		} else {
			rest = append(rest, extension[at:at+n]...)
		}
		at += n
	}
	return of, rest
}

// Pictures of more than 2040 pixels tell their size in a header extension.
func TestBigJPEG(t *testing.T) {
	picture := drawn(t, 2560, 2056, 60)
	extension, data := extended(t, picture)
	head := func(offset int) []byte {
		return []byte{0, byte(offset >> 16), byte(offset >> 8), byte(offset), 1, 0, 0, 0}
	}
	type packet struct {
		id           uint16
		extension, p []byte
	}
	whole := func(extension []byte) []packet {
		var out []packet
		for at := 0; at < len(data); at += 1400 {
			out = append(out, packet{0, nil, append(head(at), data[at:min(at+1400, len(data))]...)})
		}
		out[0].id, out[0].extension = jpegBegins, extension
		return out
	}
	_, noSize := segment(extension, 0xc0)
	noTables, _ := segment(extension, 0xc0)
	for name, tc := range map[string]struct {
		before, in []packet
		want       bool
	}{
		"in the first packet":                {in: whole(extension), want: true},
		"in packets of its own":              {in: append([]packet{{jpegBegins, extension[:400], head(0)}, {jpegGoesOn, extension[400:], nil}}, append([]packet{{0, nil, whole(nil)[0].p}}, whole(nil)[1:]...)...), want: true},
		"only once":                          {before: whole(extension), in: whole([]byte{}), want: true},
		"its size once":                      {before: whole(extension), in: whole(noSize), want: true},
		"its tables once":                    {before: whole(extension), in: whole(noTables), want: true},
		"with padding behind the data":       {in: append(whole(extension)[:1], append([]packet{{jpegGoesOn, []byte{255, 255, 255, 255}, whole(nil)[1].p}}, whole(nil)[2:]...)...), want: true},
		"of another kind":                    {before: whole(extension), in: append([]packet{{0xabac, extension, whole(nil)[0].p}}, whole(nil)[1:]...)},
		"never told":                         {in: whole(noSize)},
		"cut":                                {in: whole(extension[:300])},
		"no segments":                        {in: whole(bytes.Repeat([]byte{1, 2, 3, 4}, 10))},
		"behind the data":                    {in: append(whole(extension), packet{jpegGoesOn, extension, nil})},
		"two sizes":                          {in: whole(append(bytes.Clone(noTables), extension...))},
		"something behind the scan's header": {in: whole(append(bytes.Clone(extension), 0xff, 0xfe, 0, 2))},
		"too long":                           {in: whole(append(bytes.Repeat([]byte{0xff}, maxJPEGHeader), extension...))},
	} {
		t.Run(name, func(t *testing.T) {
			s := newJPEGSeen(8 << 20)
			seq, ts := uint16(0), uint32(0)
			feed := func(packets []packet) {
				for i, p := range packets {
					s.pushExtended(seq, ts, i == len(packets)-1, p.id, p.extension, p.p)
					seq++
				}
				ts += 3000
			}
			want := 0
			if tc.before != nil {
				feed(tc.before)
				want++
			}
			feed(tc.in)
			if tc.want {
				want++
			}
			if len(s.pictures) != want || (s.stats.Dropped.Load() == 0) != tc.want {
				t.Fatalf("%d pictures, %d dropped, %d malformed", len(s.pictures), s.stats.Dropped.Load(), s.stats.Malformed.Load())
			}
			if !tc.want {
				return
			}
			if s.sizes[want-1] != image.Pt(2560, 2056) {
				t.Errorf("%v", s.sizes)
			}
			samePixels(t, s.pictures[want-1], picture)
		})
	}
	t.Run("allocates nothing", func(t *testing.T) {
		s := newJPEGSeen(8 << 20)
		a := newJPEG(8<<20, &s.stats, s.now, func(_ uint32, _ time.Time, _ []byte, _, _ int) {})
		packets, seq, ts := whole(extension), uint16(0), uint32(0)
		if n := testing.AllocsPerRun(20, func() {
			for i, p := range packets {
				a.pushExtended(seq, ts, i == len(packets)-1, p.id, p.extension, p.p)
				seq++
			}
			ts += 3000
		}); n > 0 {
			t.Errorf("%v allocations a picture", n)
		}
	})
}

// A camera whose pictures are all too big to tell of says what to do about it.
func TestJPEGWithoutSize(t *testing.T) {
	sdp := "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 26\r\na=control:track1\r\n"
	camera := func(extension []byte) string {
		return script{sdp: sdp, play: func(send func(int, []byte) error) error {
			for i := uint32(0); ; i++ {
				p := rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 26, SSRC: 7, SequenceNumber: uint16(i), Timestamp: i * 9000, Marker: true},
					Payload: append([]byte{0, 0, 0, 0, 1, 50, 0, 0}, 1, 2, 3, 4)}
				if extension != nil {
					p.Extension, p.ExtensionProfile = true, jpegBegins
					if err := p.SetExtension(0, extension); err != nil {
						return err
					}
				}
				b, err := p.Marshal()
				if err != nil {
					return err
				}
				if err := send(0, b); err != nil {
					return err
				}
			}
		}}.start(t)
	}
	if err := Run(t.Context(), Source{URL: camera(nil)}, Options{}, &collect{}); !errors.Is(err, ErrPictureSize) {
		t.Errorf("%v, want %v", err, ErrPictureSize)
	}
	size, _ := segment(func() []byte { e, _ := extended(t, drawn(t, 2560, 16, 50)); return e }(), 0xc0)
	for len(size)%4 != 0 {
		size = append([]byte{0xff}, size...)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var width int
	err := Run(ctx, Source{URL: camera(size)}, Options{}, check(func(f *footage.Format, _ *footage.AccessUnit) {
		if f != nil {
			width = f.Width
			cancel()
		}
	}))
	if !errors.Is(err, context.Canceled) || width != 2560 {
		t.Errorf("%d pixels wide: %v", width, err)
	}
}
