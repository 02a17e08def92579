package camera

import (
	"bytes"
	"encoding/hex"
	"testing"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"

	"veilbox/capture/footage"
)

// heardUnits collects sound.
type heardUnits struct {
	formats []footage.AudioFormat
	units   []footage.AudioUnit
}

func (h *heardUnits) AudioFormat(f footage.AudioFormat) { h.formats = append(h.formats, f) }
func (h *heardUnits) AudioUnit(u footage.AudioUnit) {
	u.Data = bytes.Clone(u.Data)
	h.units = append(h.units, u)
}

var soundBegin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func sessionTicks(at time.Time) (int64, bool) {
	return int64(footage.TicksIn(at.Sub(soundBegin))), true
}

func newHeard(t testing.TB, tr audioTrack) (*audio, *heardUnits, *Stats) {
	t.Helper()
	h, stats := &heardUnits{}, new(Stats)
	a, err := newAudio(tr, stats, sessionTicks, h)
	if err != nil {
		t.Fatal(err)
	}
	return a, h, stats
}

func aac(fmtp string) audioTrack {
	return audioTrack{name: "MPEG4-GENERIC", rate: 16000, channels: 1, fmtp: fmtp}
}

const hbr = "streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config=1408"

func TestAudioPayloads(t *testing.T) {
	latm := mpeg4audio.StreamMuxConfig{Programs: []*mpeg4audio.StreamMuxConfigProgram{{Layers: []*mpeg4audio.StreamMuxConfigLayer{{
		AudioSpecificConfig: &mpeg4audio.AudioSpecificConfig{Type: mpeg4audio.ObjectTypeAACLC, SampleRate: 16000, ChannelCount: 1}, LatmBufferFullness: 255,
	}}}}}
	told, err := latm.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	inBand, err := mpeg4audio.AudioMuxElement{MuxConfigPresent: true, StreamMuxConfig: &latm, Payloads: [][][][]byte{{{{0x21, 7}}}}}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	type pkt struct {
		seq  uint16
		ts   uint32
		mark bool
		hex  string
	}
	outOfBand := audioTrack{name: "MP4A-LATM", rate: 16000, channels: 1, fmtp: "cpresent=0;config=" + hex.EncodeToString(told)}
	for _, tc := range []struct {
		name    string
		track   audioTrack
		in      []pkt
		want    []string
		dropped uint64
	}{
		{"one unit", aac(hbr), []pkt{{1, 0, true, "0010 0018 210102"}}, []string{"210102"}, 0},
		{"two units", aac(hbr), []pkt{{1, 0, true, "0020 0018 0010 210102 2203"}}, []string{"210102", "2203"}, 0},
		{"low rate", aac("mode=AAC-lbr;config=1408"), []pkt{{1, 0, true, "0008 0c 210102"}}, []string{"210102"}, 0},
		// A fragment's header tells the size of the whole.
		{"fragments", aac(hbr), []pkt{{1, 0, false, "0010 0028 210102"}, {2, 0, true, "0010 0028 0304"}}, []string{"2101020304"}, 0},
		{"fragments of own size", aac(hbr), []pkt{{1, 0, false, "0010 0018 210102"}, {2, 0, true, "0010 0010 0304"}}, []string{"2101020304"}, 0},
		{"fragment lost", aac(hbr), []pkt{{1, 0, false, "0010 0028 210102"}, {3, 1024, true, "0010 0018 210102"}}, []string{"210102"}, 1},
		{"ADTS within", aac(hbr), []pkt{{1, 0, true, "0010 0050 fff16040015ffc 210102"}}, []string{"210102"}, 0},
		{"interleaved", aac(hbr), []pkt{{1, 0, true, "0010 0019 210102"}}, nil, 1},
		{"too long", aac(hbr), []pkt{{1, 0, true, "0010 0020 210102"}}, nil, 1},
		{"no header", aac(hbr), []pkt{{1, 0, true, "0000 210102"}}, nil, 1},
		{"header cut", aac(hbr), []pkt{{1, 0, true, "0020 0018"}}, nil, 1},
		{"empty", aac(hbr), []pkt{{1, 0, true, ""}}, nil, 1},
		{"twice", aac(hbr), []pkt{{1, 0, true, "0010 0010 2101"}, {1, 0, true, "0010 0010 2101"}}, []string{"2101"}, 1},
		{"LATM", outOfBand, []pkt{{1, 0, true, "03 210102"}}, []string{"210102"}, 0},
		{"LATM in two", outOfBand, []pkt{{1, 0, false, "03 21"}, {2, 0, true, "0102"}}, []string{"210102"}, 0},
		{"LATM cut", outOfBand, []pkt{{1, 0, true, "04 210102"}}, nil, 1},
		{"LATM in band", audioTrack{name: "MP4A-LATM", rate: 16000, channels: 1}, []pkt{{1, 0, true, hex.EncodeToString(inBand)}}, []string{"2107"}, 0},
		{"LATM before its configuration", audioTrack{name: "MP4A-LATM", rate: 16000, channels: 1}, []pkt{{1, 0, true, "81"}}, nil, 1},
		{"G.711", audioTrack{name: "PCMA", rate: 8000, channels: 1}, []pkt{{1, 0, true, "d5d5d5"}, {2, 3, false, "d4"}}, []string{"d5d5d5", "d4"}, 0},
		{"G.711 empty", audioTrack{name: "PCMU", rate: 8000, channels: 1}, []pkt{{1, 0, true, ""}}, nil, 1},
		{"Opus", audioTrack{name: "OPUS", rate: 48000, channels: 2}, []pkt{{1, 0, true, "7801"}}, []string{"7801"}, 0},
		{"Opus of 0 frames", audioTrack{name: "OPUS", rate: 48000, channels: 2}, []pkt{{1, 0, true, "7b00"}}, nil, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, h, stats := newHeard(t, tc.track)
			for _, p := range tc.in {
				var b []byte
				for _, c := range bytes.Fields([]byte(p.hex)) {
					b = append(b, mustHex(t, string(c))...)
				}
				a.push(p.seq, p.ts, p.mark, b, soundBegin)
			}
			var got []string
			for _, u := range h.units {
				got = append(got, hex.EncodeToString(u.Data))
			}
			if len(got) != len(tc.want) || stats.AudioDropped.Load() != tc.dropped || stats.AudioUnits.Load() != uint64(len(tc.want)) {
				t.Fatalf("%q, %d dropped; want %q, %d", got, stats.AudioDropped.Load(), tc.want, tc.dropped)
			}
			for i := range got {
				if got[i] != tc.want[i] {
					t.Errorf("unit %d is %s, want %s", i, got[i], tc.want[i])
				}
			}
			if len(got) > 0 && len(h.formats) != 1 {
				t.Errorf("%d formats", len(h.formats))
			}
		})
	}
}

func mustHex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAudioRefused(t *testing.T) {
	for name, tr := range map[string]audioTrack{
		"coding":        {name: "G726-32", rate: 8000, channels: 1},
		"clock":         {name: "PCMA", rate: 100, channels: 1},
		"channels":      {name: "PCMA", rate: 8000, channels: 6},
		"Opus at 8 kHz": {name: "OPUS", rate: 8000, channels: 2},
		"no config":     aac("mode=AAC-hbr"),
		"bad config":    aac("mode=AAC-hbr;config=zz"),
		"odd config":    aac("mode=AAC-hbr;config=ffffffff"),
		"no size":       aac("sizelength=0;config=1408"),
		"wide size":     aac("sizelength=64;config=1408"),
		"LATM":          {name: "MP4A-LATM", rate: 16000, channels: 1, fmtp: "cpresent=0"},
	} {
		if a, err := newAudio(tr, new(Stats), sessionTicks, &heardUnits{}); err == nil {
			t.Errorf("%s: taken as %+v", name, a.format)
		}
	}
	for in, ok := range map[string]bool{
		"MPEG4-GENERIC/16000/1": true, "mp4a-latm/48000/2": true, "PCMA/8000": true, "opus/48000/2": true,
		"PCMA": false, "L16/44100/2": false, "PCMA/x": false, "PCMA/8000/99": false, "PCMA/8000/1/1": false, "PCMA/4000000000": false,
	} {
		if _, got := parseAudioMap(in); got != ok {
			t.Errorf("%q: %v", in, got)
		}
	}
}

// Before the first picture there is no sound.
func TestAudioWaitsForThePicture(t *testing.T) {
	h, playing := &heardUnits{}, false
	a, err := newAudio(audioTrack{name: "PCMA", rate: 8000, channels: 1}, new(Stats), func(at time.Time) (int64, bool) {
		n, _ := sessionTicks(at)
		return n, playing
	}, h)
	if err != nil {
		t.Fatal(err)
	}
	a.push(1, 0, true, make([]byte, 160), soundBegin)
	playing = true
	a.push(2, 160, true, make([]byte, 160), soundBegin.Add(20*time.Millisecond))
	if len(h.units) != 1 || h.units[0].PTS != 1800 || h.units[0].Duration != 1800 {
		t.Errorf("%+v", h.units)
	}
}

func TestAudioLine(t *testing.T) {
	const rate = 8000
	type step struct {
		arrived float64 // s
		ts      float64 // s
		want    float64 // s; -1 where the unit is left out
		tied    bool
	}
	sec := func(s float64) int64 { return int64(s * footage.TicksPerSecond) }
	for name, steps := range map[string][]step{
		"steady":            {{0, 5, 0, false}, {1, 6, 1, false}, {2, 7, 2, false}},
		"wrapping":          {{0, 536870, 0, false}, {1, 536871, 1, false}, {2, 536872, 2, false}},
		"late and bunched":  {{0, 0, 0, false}, {3, 1, 1, false}, {3, 2, 2, false}, {3, 3, 3, false}},
		"a loss":            {{0, 0, 0, false}, {3, 3, 3, false}},
		"hours ahead":       {{0, 0, 0, false}, {1, 7200, 1, true}, {2, 7201, 2, false}},
		"hours back":        {{0, 7200, 0, false}, {1, 0, 1, true}, {2, 1, 2, false}},
		"back by 3 s":       {{0, 10, 0, false}, {5, 15, 5, false}, {6, 13, 6, true}, {7, 14, 7, false}},
		"began late":        {{0.9, 0, 0.9, false}, {1, 1, -1, true}, {2, 2, 2, false}},
		"stamps with noise": {{0, 0, 0, false}, {1, 0.98, 1, false}, {2, 2.01, 2.01, false}, {3, 3, 3.01, false}},
	} {
		l := audioLine{rate: rate}
		for i, s := range steps {
			tied := l.begin(uint32(int64(s.ts*rate)), sec(s.arrived))
			pts, d, ok := l.next(rate)
			if tied != s.tied || ok != (s.want >= 0) || ok && (abs(pts-sec(s.want)) > 100 || d != footage.TicksPerSecond) {
				t.Errorf("%s, step %d: at %.3f s for %d ticks, %v, tied %v; want %.3f s and %v", name, i, float64(pts)/footage.TicksPerSecond, d, ok, tied, s.want, s.tied)
			}
		}
	}
}

func abs(n int64) int64 { return max(n, -n) }

// A sound card's clock that runs apart from the box's is followed, in steps of
// no more than a second, and no unit begins before the end of the last.
func TestAudioDrift(t *testing.T) {
	for name, drift := range map[string]float64{"slow": -0.005, "fast": 0.005} {
		l := audioLine{rate: 8000}
		tied, out, end := 0, 0, int64(0)
		const n = 50 * 1800 // half an hour
		for i := range n {
			now := int64(float64(i) * 1800 * (1 - drift))
			if l.begin(uint32(i*160), now+int64(i%7)*900) {
				tied++
			}
			pts, d, ok := l.next(160)
			if !ok {
				out++
				continue
			}
			if pts < end {
				t.Fatalf("%s: unit %d begins %d ticks before the end of the last", name, i, end-pts)
			}
			end = pts + int64(d)
			if off := pts - now; off < -footage.TicksPerSecond || off > footage.TicksPerSecond {
				t.Fatalf("%s: unit %d is %d ticks off", name, i, off)
			}
		}
		// Half an hour is off by 9 s.
		if tied < 8 || tied > 22 || drift < 0 && out > 0 || drift > 0 && (out < 300 || out > 600) {
			t.Errorf("%s: tied %d times, %d units left out", name, tied, out)
		}
	}
}

func TestOpusSamples(t *testing.T) {
	for in, want := range map[string]int64{
		"": 0, "00": 480, "08": 960, "18": 2880, "60": 480, "68": 960, "80": 120, "f8": 960,
		"f9": 1920, "fa00": 1920, "fb03": 2880, "fb": 0, "1b03": 0, "fb06": 5760, "fb07": 0, "fb00": 0,
	} {
		if got := opusSamples(mustHex(t, in)); got != want {
			t.Errorf("%s: %d samples, want %d", in, got, want)
		}
	}
}

func TestAudioAllocatesNothing(t *testing.T) {
	nobody := &noListener{}
	for name, tc := range map[string]struct {
		track audioTrack
		p     []byte
		step  uint32
	}{
		"AAC":   {aac(hbr), append([]byte{0, 16, 1000 * 8 >> 8, 1000 * 8 & 0xff}, make([]byte, 1000)...), 1024},
		"G.711": {audioTrack{name: "PCMA", rate: 8000, channels: 1}, make([]byte, 160), 160},
		"Opus":  {audioTrack{name: "OPUS", rate: 48000, channels: 2}, []byte{0x78, 1, 2}, 960},
	} {
		a, err := newAudio(tc.track, new(Stats), sessionTicks, nobody)
		if err != nil {
			t.Fatal(err)
		}
		var seq uint16
		var ts uint32
		if n := testing.AllocsPerRun(100, func() {
			seq++
			ts += tc.step
			a.push(seq, ts, true, tc.p, soundBegin.Add(time.Duration(ts)*time.Second/time.Duration(tc.track.rate)))
		}); n > 0 {
			t.Errorf("%s: %v allocations a packet", name, n)
		}
		if a.stats.AudioUnits.Load() < 100 || a.stats.AudioDropped.Load() > 0 {
			t.Errorf("%s: %d units, %d dropped", name, a.stats.AudioUnits.Load(), a.stats.AudioDropped.Load())
		}
	}
}

type noListener struct{}

func (*noListener) AudioFormat(footage.AudioFormat) {}
func (*noListener) AudioUnit(footage.AudioUnit)     {}

func FuzzAudio(f *testing.F) {
	f.Add(uint8(0), hbr, []byte{7, 1, 0, 16, 0, 24, 33, 1, 2, 5, 0, 0, 16, 0, 40, 33})
	f.Add(uint8(1), "cpresent=0;config=40002810", []byte{4, 1, 3, 33, 1, 2})
	f.Add(uint8(1), "", []byte{8, 1, 0x20, 0, 0x14, 8, 0x1f, 0xe0, 0x84, 0x1c})
	f.Add(uint8(1), "cpresent=0;config=40002810adca003fc0", []byte{4, 1, 3, 33, 1, 2})
	f.Add(uint8(1), "", append([]byte{12, 1}, packBits("0"+muxHead+lc16+withSBR+variable+bitsOf(3, 0x21, 7, 8))...))
	f.Add(uint8(2), "", []byte{3, 1, 213, 213, 213, 2, 250, 1, 2})
	f.Add(uint8(4), "sprop-stereo=1", []byte{2, 1, 0x78, 1, 2, 1, 0x7b, 0})
	f.Fuzz(func(t *testing.T, kind uint8, fmtp string, b []byte) {
		tracks := []audioTrack{{name: "MPEG4-GENERIC", rate: 16000, channels: 1}, {name: "MP4A-LATM", rate: 48000, channels: 2},
			{name: "PCMA", rate: 8000, channels: 1}, {name: "PCMU", rate: 8000, channels: 2}, {name: "OPUS", rate: 48000, channels: 2}}
		tr := tracks[int(kind)%len(tracks)]
		tr.fmtp = fmtp
		var end int64
		h := &heardUnits{}
		a, err := newAudio(tr, new(Stats), sessionTicks, h)
		if err != nil {
			return
		}
		var seq uint16
		var ts uint32
		at := soundBegin
		for len(b) >= 2 {
			n, how := min(int(b[0]), len(b)-2), b[1]
			seq += 1 + uint16(how>>1&1)
			ts += uint32(how>>2&15) * 0x00100001
			at = at.Add(time.Duration(how>>6) * 700 * time.Millisecond)
			a.push(seq, ts, how&1 != 0, b[2:2+n], at)
			b = b[2+n:]
			if len(a.buf) > maxAudioUnit {
				t.Fatalf("%d bytes are held", len(a.buf))
			}
		}
		for i, u := range h.units {
			if u.PTS < end || u.Duration == 0 || len(u.Data) == 0 || len(u.Data) > maxAudioUnit {
				t.Fatalf("unit %d: from %d for %d ticks, %d bytes; the last ended at %d", i, u.PTS, u.Duration, len(u.Data), end)
			}
			end = u.PTS + int64(u.Duration)
		}
		for _, f := range h.formats {
			if err := plausible(f); err != nil {
				t.Fatal(err)
			}
		}
	})
}
