package clip

import (
	"encoding/binary"

	"veilbox/capture/footage"
	"veilbox/capture/ring"
)

// maxDelay bounds what a camera can make of its reordering, in ticks.
const maxDelay = 2 * footage.TicksPerSecond

// delay returns by how much presentation lags decoding, in ticks. A picture
// that is shown within the span may be decoded as much later.
func delay(parts []ring.PartInfo) footage.Ticks {
	d := footage.Ticks(parts[0].Samples[0].Offset)
	if d < 0 || d > maxDelay {
		return 0
	}
	return d
}

// A piece is a run of the movie's data from one place.
type piece struct {
	at   int64 // offset in the movie
	size int64
	off  int64 // in what kind says
	part int32 // index
	kind kind
}

type kind uint8

const (
	picture kind = iota // the part's data
	heard               // the part's sound
	silence             // the sound's silence, over and over
	params              // the parameter sets of the part's format
)

// measure fixes what the movie shows of span, or from the keyframe before it,
// and leaves out the parts behind it. It reports whether anything is left.
func (m *Movie) measure(span footage.Span, keyframe bool) bool {
	m.first = m.parts[0].Start
	m.stop = span.To + delay(m.parts)
	from, end := m.first, m.first
	n := 0
	for i := range m.parts {
		p := &m.parts[i]
		at, any := p.Start, false
		for k := range p.Samples {
			if at >= m.stop {
				break
			}
			any = true
			if at <= span.From && !keyframe {
				from = at
			}
			at += footage.Ticks(p.Samples[k].Duration)
		}
		if !any {
			break
		}
		n++
		end = min(at, m.limit(i), span.To)
	}
	// limit looks at the part that comes next, also where that is left out.
	if n < len(m.parts) {
		m.next = m.parts[n].Start
	}
	m.parts = m.parts[:n]
	m.span = footage.Span{From: from, To: end}
	m.lead = from - m.first
	return n > 0
}

// limit returns where part i must end: where the next one starts.
func (m *Movie) limit(i int) footage.Ticks {
	if i+1 < len(m.parts) {
		return min(m.stop, m.parts[i+1].Start)
	}
	if m.next > 0 {
		return min(m.stop, m.next)
	}
	return m.stop
}

// pictures appends the sample table of part i to dst, on a time line without
// holes.
func (m *Movie) pictures(i int, dst []footage.Sample) []footage.Sample {
	p := &m.parts[i]
	limit, at, n := m.limit(i), p.Start, len(dst)
	for _, s := range p.Samples {
		if at >= m.stop {
			break
		}
		next := at + footage.Ticks(s.Duration)
		s.Duration = uint32(max(0, min(next, limit)-at))
		dst = append(dst, s)
		at = next
	}
	if last := i == len(m.parts)-1 && m.next == 0; !last && limit > at {
		dst[len(dst)-1].Duration += uint32(limit - at) // stands still over the gap
	}
	if m.inBand(i) {
		dst[n].Size += uint32(m.paramsSize(i))
	}
	return dst
}

// inBand reports whether part i carries its parameter sets in front.
func (m *Movie) inBand(i int) bool {
	return len(m.formats) > 1 && !m.parts[i].Continues && len(m.parts[i].Format.Params) > 0
}

func (m *Movie) paramsSize(i int) int {
	n := 0
	for _, p := range m.parts[i].Format.Params {
		n += 4 + len(p)
	}
	return n
}

func (m *Movie) paramsOf(i int) []byte {
	var b []byte
	for _, p := range m.parts[i].Format.Params {
		b = binary.BigEndian.AppendUint32(b, uint32(len(p)))
		b = append(b, p...)
	}
	return b
}

// addPictures appends the pieces of part i, whose table is samples.
func (m *Movie) addPictures(dst []piece, i int, samples []footage.Sample) []piece {
	var size int64
	for k := range samples {
		size += int64(samples[k].Size)
	}
	if m.inBand(i) {
		n := int64(m.paramsSize(i))
		size -= n
		dst = append(dst, piece{size: n, part: int32(i), kind: params})
	}
	return append(dst, piece{size: size, part: int32(i), kind: picture})
}

// count adds to what About says.
func (m *Movie) count(samples []footage.Sample) {
	m.frames += len(samples)
	for k := range samples {
		if samples[k].Key {
			m.keys++
		}
	}
}
