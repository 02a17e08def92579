package camera

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/bluenviron/gortsplib/v4/pkg/sdp"

	"veilbox/capture/footage"
)

func TestAssembler(t *testing.T) {
	fu := func(head ...byte) []byte { return head }
	type pkt struct {
		seq  uint16
		ts   uint32
		mark bool
		p    []byte
	}
	for _, tc := range []struct {
		name    string // where it tells of the first picture, the camera's habit is not known
		codec   footage.Codec
		in      []pkt
		want    []string // NAL units in hex by picture, apart by a space
		dropped uint64
	}{
		{"single", footage.H264, []pkt{{0, 0, true, fu(0x65, 1)}}, []string{"6501"}, 0},
		{"slices", footage.H264, []pkt{{0, 0, false, fu(0x65, 1)}, {1, 0, true, fu(0x65, 2)}}, []string{"6501 6502"}, 0},
		{"no mark", footage.H264, []pkt{{0, 0, false, fu(0x65, 1)}, {1, 3000, false, fu(0x41, 2)}, {2, 6000, false, fu(0x41, 3)}}, []string{"6501", "4102"}, 0},
		{"fragments", footage.H264, []pkt{{9, 0, false, fu(0x7c, 0x85, 1)}, {10, 0, false, fu(0x7c, 0x05, 2)}, {11, 0, true, fu(0x7c, 0x45, 3)}}, []string{"65010203"}, 0},
		{"fragment in one", footage.H264, []pkt{{9, 0, true, fu(0x7c, 0xc5, 1)}}, []string{"6501"}, 0},
		{"sequence wraps", footage.H264, []pkt{{65535, 0, false, fu(0x7c, 0x85, 1)}, {0, 0, true, fu(0x7c, 0x45, 3)}}, []string{"650103"}, 0},
		{"lost fragment", footage.H264, []pkt{{1, 0, false, fu(0x7c, 0x85, 1)}, {3, 0, true, fu(0x7c, 0x45, 3)}, {4, 3000, true, fu(0x41, 9)}}, []string{"4109"}, 1},
		{"begun within", footage.H264, []pkt{{1, 0, true, fu(0x7c, 0x45, 3)}, {2, 3000, true, fu(0x65, 9)}}, []string{"6509"}, 1},
		{"cut fragment", footage.H264, []pkt{{1, 0, true, fu(0x7c, 0x85, 1)}, {2, 3000, true, fu(0x65, 9)}}, []string{"6509"}, 1},
		{"fragment broken off", footage.H264, []pkt{{1, 0, false, fu(0x7c, 0x85, 1)}, {2, 0, true, fu(0x65, 9)}}, nil, 1},
		{"STAP-A", footage.H264, []pkt{{1, 0, true, fu(0x78, 0, 2, 0x67, 1, 0, 2, 0x65, 2, 0, 0, 0)}}, []string{"6701 6502"}, 0},
		{"STAP-A too long", footage.H264, []pkt{{1, 0, true, fu(0x78, 0, 9, 0x67, 1)}}, nil, 1},
		{"STAP-A cut", footage.H264, []pkt{{1, 0, true, fu(0x78, 0)}}, nil, 1},
		{"STAP-B", footage.H264, []pkt{{1, 0, true, fu(0x79, 0, 1, 2)}}, nil, 1},
		{"empty", footage.H264, []pkt{{1, 0, true, nil}}, nil, 1},
		{"byte stream", footage.H264, []pkt{{1, 0, true, fu(0x67, 1, 0, 0, 0, 1, 0x68, 2, 0, 0, 1, 0x65, 3, 0, 0)}}, []string{"6701 6802 65030000"}, 0},
		{"too big", footage.H264, []pkt{{1, 0, true, make([]byte, 101)}, {2, 1, true, fu(0x65, 1)}}, []string{"6501"}, 1},
		{"H.265 single", footage.H265, []pkt{{0, 0, true, fu(0x26, 1, 7)}}, []string{"260107"}, 0},
		{"H.265 fragments", footage.H265, []pkt{{0, 0, false, fu(0x62, 1, 0x93, 1)}, {1, 0, true, fu(0x62, 1, 0x53, 2)}}, []string{"26010102"}, 0},
		{"H.265 AP", footage.H265, []pkt{{0, 0, true, fu(0x60, 1, 0, 3, 0x40, 1, 1, 0, 2, 0x26, 1)}}, []string{"400101 2601"}, 0},
		{"mark on SEI", footage.H264, []pkt{{0, 0, true, fu(0x67, 1)}, {1, 0, true, fu(0x06, 5)}, {2, 0, true, fu(0x65, 0x88)}}, []string{"6701 0605 6588"}, 0},
		{"mark on SEI of H.265", footage.H265, []pkt{{0, 0, true, fu(0x4e, 1, 5)}, {1, 0, true, fu(0x26, 1, 0x80)}}, []string{"4e0105 260180"}, 0},
		{"SEI alone", footage.H264, []pkt{{0, 0, true, fu(0x06, 5)}, {1, 3000, true, fu(0x65, 0x88)}}, []string{"0605", "6588"}, 0},
		{"mark in a fragment", footage.H264, []pkt{{9, 0, true, fu(0x7c, 0x85, 0x88)}, {10, 0, true, fu(0x7c, 0x05, 2)}, {11, 0, true, fu(0x7c, 0x45, 3)}}, []string{"65880203"}, 0},
		{"mark on each slice", footage.H264, []pkt{
			{0, 0, true, fu(0x65, 0x88)}, {1, 0, true, fu(0x65, 0x40)},
			{2, 3000, true, fu(0x41, 0x88)}, {3, 3000, true, fu(0x41, 0x40)}, {4, 6000, true, fu(0x41, 0x89)},
		}, []string{"6588", "6540", "4188 4140"}, 0},
		{"first: mark on each slice", footage.H264, []pkt{
			{0, 0, true, fu(0x65, 0x88)}, {1, 0, true, fu(0x65, 0x40)}, {2, 0, true, fu(0x65, 0x20)},
			{3, 3000, true, fu(0x41, 0x88)}, {4, 3000, true, fu(0x41, 0x40)}, {5, 6000, true, fu(0x41, 0x89)},
		}, []string{"6588 6540 6520", "4188 4140"}, 0},
		{"first: mark on each slice of H.265", footage.H265, []pkt{
			{0, 0, true, fu(0x26, 1, 0x80)}, {1, 0, true, fu(0x62, 1, 0x93, 0x40)}, {2, 0, true, fu(0x62, 1, 0x53, 2)},
			{3, 3000, true, fu(0x02, 1, 0x80)},
		}, []string{"260180 26014002"}, 0},
		{"first: mark on the last slice", footage.H264, []pkt{
			{0, 0, false, fu(0x65, 0x88)}, {1, 0, true, fu(0x65, 0x40)}, {2, 3000, true, fu(0x41, 0x88)}, {3, 6000, true, fu(0x41, 0x89)},
		}, []string{"6588 6540", "4188", "4189"}, 0},
		{"first: stamps that stand", footage.H264, []pkt{
			{0, 0, true, fu(0x65, 0x88)}, {1, 0, true, fu(0x41, 0x88)}, {2, 0, true, fu(0x41, 0x89)},
		}, []string{"6588", "4188", "4189"}, 0},
		{"first: what follows is lost", footage.H264, []pkt{{0, 0, true, fu(0x65, 0x88)}, {2, 3000, true, fu(0x41, 0x88)}}, []string{"6588", "4188"}, 0},
		{"H.265 short", footage.H265, []pkt{{0, 0, true, fu(0x26)}}, nil, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []string
			var stats Stats
			a := assembler{codec: tc.codec, known: !strings.HasPrefix(tc.name, "first"), limit: 100, stats: &stats, now: func() time.Time { return time.Time{} },
				emit: func(_ uint32, _ time.Time, nalus [][]byte) {
					var s []byte
					for i, n := range nalus {
						if i > 0 {
							s = append(s, ' ')
						}
						s = appendHex(s, n)
					}
					got = append(got, string(s))
				}}
			for _, p := range tc.in {
				a.push(p.seq, p.ts, p.mark, p.p)
			}
			if !slices.Equal(got, tc.want) || stats.Dropped.Load() != tc.dropped {
				t.Errorf("got %q and %d dropped, want %q and %d", got, stats.Dropped.Load(), tc.want, tc.dropped)
			}
		})
	}
}

func appendHex(s, b []byte) []byte {
	const digits = "0123456789abcdef"
	for _, c := range b {
		s = append(s, digits[c>>4], digits[c&15])
	}
	return s
}

func TestAssemblerAllocatesNothing(t *testing.T) {
	a := assembler{codec: footage.H264, limit: 1 << 20, stats: new(Stats), now: func() time.Time { return time.Time{} }, emit: func(uint32, time.Time, [][]byte) {}}
	first, middle, last := append([]byte{0x7c, 0x85}, make([]byte, 1400)...), append([]byte{0x7c, 0x05}, make([]byte, 1400)...), append([]byte{0x7c, 0x45}, make([]byte, 1400)...)
	for _, p := range [][]byte{first, middle, last} {
		for i := 2; i < len(p); i++ {
			p[i] = 0xaa
		}
	}
	var seq uint16
	var ts uint32
	if n := testing.AllocsPerRun(100, func() {
		for i, p := range [][]byte{first, middle, middle, last} {
			a.push(seq, ts, i == 3, p)
			seq++
		}
		ts += 3000
	}); n > 0 {
		t.Errorf("%v allocations a picture", n)
	}
}

func TestTimeline(t *testing.T) {
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	sec := func(s float64) uint32 { return uint32(int64(s * footage.TicksPerSecond)) }
	type step struct {
		arrived float64 // s
		ts      uint32
		want    float64 // s
		rogue   bool
	}
	for name, steps := range map[string][]step{
		"steady, wrapping": {{0, 4294967295 - 44999, 0, false}, {1, 45000, 1, false}, {2, 135000, 2, false}},
		"late and bunched": {{0, 0, 0, false}, {8, sec(1), 1, false}, {8, sec(2), 2, false}, {8, sec(8), 8, false}},
		"reordered":        {{0, 0, 0, false}, {0.1, sec(0.3), 0.3, false}, {0.2, sec(0.1), 0.1, false}},
		"jump ahead":       {{0, 0, 0, false}, {1, sec(1), 1, false}, {1.1, sec(3000), 1.1, true}, {1.2, sec(3000.1), 1.2, false}},
		"back by 5 s":      {{0, 0, 0, false}, {6, sec(6), 6, false}, {6.1, sec(1), 6.1, true}, {6.2, sec(1.1), 6.2, false}},
		"frozen stamps":    {{0, 0, 0, false}, {5, 0, 0, false}, {11, 0, 11, true}},
	} {
		var l timeline
		for i, s := range steps {
			got, rogue := l.at(s.ts, begin.Add(time.Duration(s.arrived*float64(time.Second))), false)
			if d := got - int64(s.want*footage.TicksPerSecond); rogue != s.rogue || d < -9000 || d > 9000 {
				t.Errorf("%s, step %d: %.3f s and %v, want %.3f s and %v", name, i, float64(got)/footage.TicksPerSecond, rogue, s.want, s.rogue)
			}
		}
	}
}

// A camera's clock that is set back by less than reordering could be in the
// worst case must not pile pictures on top of each other.
func TestTimelineStepsBack(t *testing.T) {
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, k := range []struct {
		name  string
		fps   int64
		back  float64 // s, at picture 60
		key   bool    // which is a keyframe
		rogue bool
	}{
		{"a second, within a GOP", 25, 1, false, true},
		{"a third of a second, at a keyframe", 25, 0.3, true, true},
		{"a third of a second, within a GOP: it may be a reordered picture", 25, 0.3, false, false},
		{"a second at 5 pictures a second may be reordered too", 5, 1, false, false},
		{"a second at 5 pictures a second, at a keyframe", 5, 1, true, true},
		{"a shake, at a keyframe", 25, 0.05, true, false},
		{"nothing", 25, 0, true, false},
	} {
		var l timeline
		var before int64
		rogues := 0
		for i := range int64(120) {
			at := i * footage.TicksPerSecond / k.fps
			stamp := at
			if i >= 60 {
				stamp -= int64(k.back * footage.TicksPerSecond)
			}
			pts, rogue := l.at(uint32(stamp), begin.Add(footage.Ticks(at).Duration()), i == 0 || i == 60 && k.key)
			if rogue {
				rogues++
			}
			if k.rogue && i > 0 {
				if d := pts - before - footage.TicksPerSecond/k.fps; d < -9000 || d > 9000 {
					t.Errorf("%s: picture %d comes %d ticks after the one before", k.name, i, pts-before)
				}
			}
			before = pts
		}
		if (rogues == 1) != k.rogue || rogues > 1 {
			t.Errorf("%s: %d stamps were replaced", k.name, rogues)
		}
	}
}

func TestPPSID(t *testing.T) {
	for _, tc := range []struct {
		b  []byte
		id int
		ok bool
	}{{pps264, 0, true}, {[]byte{0x68, 0x40}, 1, true}, {[]byte{0x68, 0x60}, 2, true}, {[]byte{0x68, 0x20}, 3, true}, {[]byte{0x68, 0, 0}, 0, false}, {[]byte{0x68}, 0, false}} {
		if id, ok := ppsID(footage.H264, tc.b); id != tc.id || ok != tc.ok {
			t.Errorf("%x: %d, %v", tc.b, id, ok)
		}
	}
	if id, ok := ppsID(footage.H265, pps265); id != 0 || !ok {
		t.Errorf("H.265: %d, %v", id, ok)
	}
}

// FuzzStream feeds a session's whole way from packets to access units.
func FuzzStream(f *testing.F) {
	seed := func(h265 bool, packets ...[]byte) {
		var b []byte
		for _, p := range packets {
			b = append(append(b, byte(len(p)), 1), p...)
		}
		f.Add(h265, b)
	}
	seed(false, sps320, pps264, idr, slice)
	seed(false, []byte{0x78, 0, 4, 0x68, 0xce, 0x0f, 0xc8}, sps160, []byte{0x7c, 0x85, 0x88}, []byte{0x7c, 0x45, 1})
	seed(false, append(append(bytes.Clone(sps320), 0, 0, 0, 1), pps264...), idr)
	seed(true, vps265, sps265, pps265, []byte{0x26, 1, 0xaf, 0x10}, []byte{2, 1, 0xd0, 0x10}, []byte{0x10, 1, 0xd0})
	seed(true, []byte{0x62, 1, 0x93, 1}, []byte{0x62, 1, 0x53, 1}, []byte{0x60, 1, 0, 2, 0x40, 1})
	f.Fuzz(func(t *testing.T, h265 bool, b []byte) {
		codec := footage.H264
		if h265 {
			codec = footage.H265
		}
		last, any := int64(0), false
		s := &session{opt: Options{Limits: Limits{AccessUnit: 1 << 12, ParameterSet: 256}}.orDefault()}
		s.fail = func(error) {}
		s.handler = check(func(f *footage.Format, au *footage.AccessUnit) {
			if f != nil {
				if f.Width < 16 || f.Height < 16 || f.Width > maxSide || f.Height > maxSide || len(f.Params) < 2 {
					t.Fatalf("format %+v", f)
				}
				return
			}
			if !any && !au.Key {
				t.Fatal("the first unit is no keyframe")
			}
			if any && au.DTS <= last || au.PTS < au.DTS {
				t.Fatalf("DTS %d after %d, PTS %d", au.DTS, last, au.PTS)
			}
			last, any = au.DTS, true
			size := 0
			for _, n := range au.NALUs {
				if len(n) == 0 {
					t.Fatal("empty NAL unit")
				}
				size += len(n)
			}
			if size == 0 || size > 1<<12 {
				t.Fatalf("a unit of %d bytes", size)
			}
		})
		s.start(track{codec: codec})
		var seq uint16
		for len(b) >= 2 {
			n, how := int(b[0]), b[1]
			b = b[2:]
			n = min(n, len(b))
			// The low bit is the mark, the next skips a packet, the rest is time.
			seq += 1 + uint16(how>>1&1)
			s.asm.push(seq, uint32(how>>2)*0x04000001, how&1 != 0, b[:n])
			b = b[n:]
		}
	})
}

type check func(*footage.Format, *footage.AccessUnit)

func (c check) Format(f footage.Format)          { c(&f, nil) }
func (c check) AccessUnit(au footage.AccessUnit) { c(nil, &au) }

func FuzzSPS(f *testing.F) {
	f.Add(false, sps320)
	f.Add(false, sps160)
	f.Add(true, sps265)
	f.Fuzz(func(t *testing.T, h265 bool, b []byte) {
		c := footage.H264
		if h265 {
			c = footage.H265
		}
		q, err := parseSPS(c, b)
		if err == nil && (q.width < 16 || q.height > maxSide || q.fps < 0 || q.fps > 1000) {
			t.Fatalf("%+v", q)
		}
		if id, ok := ppsID(c, b); ok && id < 0 {
			t.Fatalf("identifier %d", id)
		}
	})
}

func FuzzAnnexB(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 0x65, 1, 0, 0, 1, 0x41})
	f.Add(bytes.Repeat([]byte{0, 0, 1, 9}, 2000))
	f.Fuzz(func(t *testing.T, b []byte) {
		units := splitAnnexB(nil, b)
		if len(units) > maxUnits {
			t.Fatalf("%d units", len(units))
		}
		for _, u := range units {
			if len(u) == 0 || bytes.Contains(u, startCode) {
				t.Fatalf("unit %x", u)
			}
		}
	})
}

func FuzzSDP(f *testing.F) {
	f.Add([]byte(videoSDP))
	f.Add([]byte(videoSDP + "a=fmtp:96 packetization-mode=1; sprop-parameter-sets=Z0LADNoFB+wEQAAAAwBAAAAHg8UKqA==,aM4PyA==\r\n"))
	f.Add([]byte("m=video 0 RTP/AVP 98\na=rtpmap:98 H265/90000\na=fmtp:98 sprop-vps=QAE=;sprop-max-don-diff=1\n"))
	f.Add([]byte("m=audio 0 RTP/AVP 0 97\na=rtpmap:97 mpeg4-generic/16000/1\na=fmtp:97 config=1408\nm=video 0 RTP/AVP 26\na=control:rtsp://h/x?a=b\n"))
	f.Add([]byte("a=control:rtsp://h/%zz\nm=video 9 RTP/AVPF 33\na=rtpmap:33 H264/1\na=control:?%\nm=audio 0 RTP/AVP 14\na=rtpmap:14 opus/48000/2\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		out, d := cleanSDP(b)
		if len(out) > 8<<10 {
			t.Fatalf("%d bytes", len(out))
		}
		if d.video == nil {
			if d.why == nil {
				t.Fatal("no video, and no reason")
			}
			return
		}
		if len(d.video.params) > maxProps {
			t.Fatalf("%d parameter sets", len(d.video.params))
		}
		// The library takes it, and puts an address together from it.
		var desc description.Session
		var s sdp.SessionDescription
		if err := errors.Join(s.Unmarshal(out), desc.Unmarshal(&s)); err != nil {
			t.Fatalf("%q: %v", out, err)
		}
		u, err := base.ParseURL("rtsp://10.0.0.9/a?b=c")
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range desc.Medias {
			if at, err := m.URL(u); err != nil || at == nil {
				t.Fatalf("%q: %v", m.Control, err)
			}
			if len(m.Formats) != 1 || m.Formats[0].ClockRate() <= 0 {
				t.Fatalf("formats: %+v", m.Formats)
			}
		}
	})
}

// What the library knows the coding of, it looks into, in goroutines whose
// panics cannot be recovered.
func TestLibraryIsNotToldTheCoding(t *testing.T) {
	for text, want := range map[string]footage.Codec{
		videoSDP: footage.H264,
		"m=video 0 RTP/AVP 35\na=rtpmap:35 h264/90000\n": footage.H264,
		"m=video 0 RTP/AVP 98\na=rtpmap:98 HEVC/90000\n": footage.H265,
		"m=video 0 RTP/AVP 98\na=rtpmap:98 H265/90000\n": footage.H265,
		"m=video 0 RTP/AVP 98\na=rtpmap:98 JPEG/90000\n": footage.MJPEG,
	} {
		out, got := cleanSDP([]byte(text + "m=audio 0 RTP/AVP 97\na=rtpmap:97 opus/48000/2\n"))
		if got.video == nil || got.video.codec != want || got.audio == nil {
			t.Fatalf("%q: %+v", text, got)
		}
		var d description.Session
		var s sdp.SessionDescription
		if err := errors.Join(s.Unmarshal(out), d.Unmarshal(&s)); err != nil || len(d.Medias) != 2 {
			t.Fatalf("%q: %v", out, err)
		}
		for _, m := range d.Medias {
			if _, generic := m.Formats[0].(*format.Generic); !generic {
				t.Errorf("%q: the library takes it for %T", text, m.Formats[0])
			}
		}
	}
}

func TestSPSFields(t *testing.T) {
	for _, tc := range []struct {
		c    footage.Codec
		b    []byte
		want sequence
	}{
		{footage.H264, sps320, sequence{width: 320, height: 240, fps: 15}},
		{footage.H264, sps160, sequence{width: 160, height: 128, fps: 15}},
		{footage.H265, sps265, sequence{width: 320, height: 240, fps: 15, reorder: 2}},
	} {
		if q, err := parseSPS(tc.c, tc.b); err != nil || q != tc.want {
			t.Errorf("%v: %+v, %v, want %+v", tc.c, q, err, tc.want)
		}
	}
	for n := range sps320 {
		if _, err := parseSPS(footage.H264, sps320[:n]); err == nil && n < 14 {
			t.Errorf("%d bytes of a parameter set were taken", n)
		}
	}
}
