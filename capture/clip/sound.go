package clip

import (
	"time"

	"veilbox/capture/footage"
	"veilbox/capture/mp4"
	"veilbox/capture/ring"
)

// Why a movie has no sound, or not to its end.
const (
	SoundChanged  = "changed"  // its format changed
	SoundUnusable = "unusable" // what the camera says of it does not read
	SoundBrowser  = "browser"  // browsers do not play it
	SoundHole     = "hole"     // it has a hole for which there is no silence
)

const (
	// preroll is how much sound in front of what is heard goes with it, in
	// ticks: a decoder of AAC needs an access unit, one of Opus 80 ms.
	preroll = footage.TicksPerSecond / 10
	// Sound that is later than its place by more gets silence in front; sound
	// that is earlier by more is left out. In fractions of a second: a
	// difference that nobody hears.
	late, early = 20, 10
	// maxLate is how much later than the pictures sound may come: that of a
	// part's end is then stored with the part behind, as the recorder does.
	maxLate = footage.TicksPerSecond
)

// withoutTail parts the parts of a span that ends at to from the one behind it,
// where that has sound of the span.
func withoutTail(parts []ring.PartInfo, to footage.Ticks) ([]ring.PartInfo, *ring.PartInfo) {
	for i := range parts {
		if p := &parts[i]; p.Start >= to {
			if len(p.Audio.Samples) > 0 && p.Audio.Start < to {
				return parts[:i], p
			}
			return parts[:i], nil
		}
	}
	return parts, nil
}

// sound is the one format of sound that a movie has.
type sound struct {
	format footage.AudioFormat
	origin footage.Ticks // when the first unit was heard
	from   footage.Ticks // of the pictures
	to     footage.Ticks
	unit   uint32 // instants of a unit of silence
	fill   []byte // a unit of silence; none where there is none to be had
	frame  uint32 // instants of a unit of AAC
}

// hear finds the sound of the span; m.sound stays nil where there is none.
func (m *Movie) hear(want Audio) {
	for i := range len(m.parts) + 1 {
		if i == len(m.parts) && m.tail == nil {
			return
		}
		a := m.info(i).Audio
		at := a.Start
		for _, s := range a.Samples {
			if at >= m.span.To {
				return
			}
			if at+footage.Ticks(s.Duration) > m.span.From-preroll && s.Size > 0 {
				m.audio.Format = a.Format
				switch {
				case mp4.CheckSound(a.Format) != nil:
					m.audio.Why, m.audio.Until = SoundUnusable, at
				case want == Browser && a.Format.Codec != footage.AAC && a.Format.Codec != footage.Opus:
					m.audio.Why, m.audio.Until = SoundBrowser, at
				default:
					m.sound = newSound(a.Format, s, at, m.span)
					if m.sound.length(s) == 0 {
						m.audio.Why, m.audio.Until, m.sound = SoundUnusable, at, nil
					}
				}
				return
			}
			at += footage.Ticks(s.Duration)
		}
	}
}

func newSound(f footage.AudioFormat, first footage.AudioSample, at footage.Ticks, span footage.Span) *sound {
	s := &sound{format: f, origin: at, from: span.From, to: span.To}
	switch f.Codec {
	case footage.PCMA:
		s.unit, s.fill = 1, []byte{0xd5, 0xd5}[:f.Channels]
	case footage.PCMU:
		s.unit, s.fill = 1, []byte{0xff, 0xff}[:f.Channels]
	case footage.Opus:
		s.unit, s.fill = 960, []byte{0xf8, 0xff, 0xfe} // 20 ms, full band, RFC 6716 §3.1
		if f.Channels == 2 {
			s.fill[0] |= 4
		}
	case footage.AAC:
		s.frame = 1024
		for _, n := range []uint32{960, 2048, 1920, 512, 480} {
			if d := int64(first.Duration)*int64(f.Rate)/footage.TicksPerSecond - int64(n); -2 <= d && d <= 2 {
				s.frame = n
			}
		}
		s.unit = s.frame
		if object, channels, err := mp4.ParseAAC(f.Config); err == nil && (object == 2 || object == 5 || object == 29) {
			s.fill = silentAAC(channels)
		}
	}
	return s
}

// silentAAC returns a raw_data_block in which no band has a spectrum, ISO/IEC
// 14496-3 §4.4.2.1.
func silentAAC(channels int) []byte {
	if channels == 1 {
		// SCE, tag 0; gain 0; a long window of no bands; no pulse, TNS or gain
		// control; END.
		return []byte{0, 0, 0, 0b0000_0111}
	}
	// CPE, tag 0; one long window of no bands for both; no M/S; twice a gain of
	// 0 and no tools; END.
	return []byte{0b0010_0001, 0, 0, 0, 0, 0b0001_1100}
}

// edit puts the sound beside pictures that are shown for span.
func (s *sound) edit(span footage.Span) mp4.Edit {
	e := mp4.Edit{Delay: max(0, s.origin-span.From)}
	e.Duration = span.To - span.From - e.Delay
	if s.origin < span.From {
		e.Start = s.instants(span.From - s.origin)
	}
	return e
}

// instants returns d ticks as instants of the sound.
func (s *sound) instants(d footage.Ticks) int64 {
	n := int64(d)*int64(s.format.Rate)*2 + footage.TicksPerSecond
	return n / (2 * footage.TicksPerSecond)
}

// length returns how many instants x lasts, 0 where x cannot be used.
func (s *sound) length(x footage.AudioSample) uint32 {
	switch {
	case x.Size == 0:
		return 0
	case s.format.Codec == footage.AAC:
		return s.frame
	case s.format.Codec == footage.Opus:
		// Packets are multiples of 2.5 ms up to 120 ms, RFC 6716 §3.2.5; a longer
		// duration has a hole in it.
		n := (uint32(min(x.Duration, footage.TicksPerSecond))*8/15 + 60) / 120 * 120
		if n == 0 || n > 5760 {
			return 960
		}
		return n
	}
	if x.Size%uint32(s.format.Channels) != 0 {
		return 0
	}
	return x.Size / uint32(s.format.Channels)
}

func (s *sound) begin() *sounder { return &sounder{sound: s} }

// A sounder lays the sound out part by part.
type sounder struct {
	*sound
	pos     int64 // instants laid out
	started bool
	ended   bool
	why     string
	until   footage.Ticks
	silent  int64 // instants of silence put in
	dropped int   // units left out
	units   int

	// Of the last part:
	at     int64 // pos at its beginning
	runs   []mp4.Run
	pieces []piece
}

func (s *sounder) end(why string, at footage.Ticks) {
	s.ended, s.why, s.until = true, why, at
}

// part lays out the sound of part i and reports whether there is any.
func (s *sounder) part(i int, a *footage.Audio) bool {
	s.at, s.runs, s.pieces = s.pos, s.runs[:0], s.pieces[:0]
	if s.ended || len(a.Samples) == 0 {
		return false
	}
	if !a.Format.Equal(s.format) {
		if s.started || a.Start >= s.from {
			s.end(SoundChanged, a.Start)
		}
		return false
	}
	at, off := a.Start, int64(0)
	for _, x := range a.Samples {
		t, o := at, off
		at, off = at+footage.Ticks(x.Duration), off+int64(x.Size)
		if t < s.origin {
			continue
		}
		if t >= s.to {
			s.ended = true
			break
		}
		n := s.length(x)
		if n == 0 {
			s.dropped++
			continue
		}
		gap := s.instants(t-s.origin) - s.pos
		if gap < -int64(s.format.Rate/early) {
			s.dropped++
			continue
		}
		if gap > int64(max(s.unit, uint32(s.format.Rate/late))) && !s.hush(i, gap) {
			s.end(SoundHole, t)
			break
		}
		s.started = true
		s.units++
		s.run(mp4.Run{Count: 1, Size: x.Size, Length: n})
		if k := len(s.pieces) - 1; k >= 0 && s.pieces[k].kind == heard && s.pieces[k].off+s.pieces[k].size == o {
			s.pieces[k].size += int64(x.Size)
		} else {
			s.pieces = append(s.pieces, piece{size: int64(x.Size), off: o, part: int32(i), kind: heard})
		}
	}
	return len(s.runs) > 0
}

func (s *sounder) run(r mp4.Run) {
	s.pos += int64(r.Count) * int64(r.Length)
	if k := len(s.runs) - 1; k >= 0 && s.runs[k].Size == r.Size && s.runs[k].Length == r.Length {
		s.runs[k].Count += r.Count
		return
	}
	s.runs = append(s.runs, r)
}

// hush puts silence in for gap instants, as far as whole units fill it.
func (s *sounder) hush(i int, gap int64) bool {
	if len(s.fill) == 0 {
		return false
	}
	n := gap / int64(s.unit)
	size := n * int64(len(s.fill))
	s.silent += n * int64(s.unit)
	s.pieces = append(s.pieces, piece{size: size, part: int32(i), kind: silence})
	if s.unit > 1 {
		s.run(mp4.Run{Count: uint32(n), Size: uint32(len(s.fill)), Length: s.unit})
		return true
	}
	block := uint32(s.format.Rate / 50) // G.711: in units of 20 ms
	ch := uint32(s.format.Channels)
	if k := uint32(n) / block; k > 0 {
		s.run(mp4.Run{Count: k, Size: block * ch, Length: block})
	}
	if rest := uint32(n) % block; rest > 0 {
		s.run(mp4.Run{Count: 1, Size: rest * ch, Length: rest})
	}
	return true
}

func (s *sounder) about() Sound {
	return Sound{Format: s.format, Units: s.units, Why: s.why, Until: s.until, Dropped: s.dropped,
		Silence: time.Duration(s.silent) * time.Second / time.Duration(s.format.Rate)}
}

// hasSound reports whether any of the parts has sound.
func hasSound(parts []ring.PartInfo) bool {
	for i := range parts {
		if len(parts[i].Audio.Samples) > 0 {
			return true
		}
	}
	return false
}
