package camera

import (
	"bytes"
	"time"

	"veilbox/capture/footage"
)

// An assembler turns RTP payloads into access units: RFC 6184 (single NAL
// units, STAP-A, FU-A) and RFC 7798 (single NAL units, AP, FU; no DONL). It
// reuses its buffers, so that a steady stream costs no allocation, and holds
// at most limit bytes and maxUnits NAL units whatever comes.
//
// A picture that misses a packet or is too big is left out and counted; those
// after it are kept, as a decoder can conceal the loss until the next keyframe.
//
// A mark ends the access unit, as does a new time stamp: some cameras never set
// the mark. Others set it too often, which their bytes belie: what holds no
// slice yet (SEI, parameter sets) or half a NAL unit is not ended by it, and
// where another slice of the same picture follows a mark, marks count no more.
// Which habit a camera has is known when its first picture was followed by
// something: until then a mark ends nothing.
type assembler struct {
	codec footage.Codec
	limit int
	stats *Stats
	now   func() time.Time
	// emit takes a picture. The NAL units are valid until it returns.
	emit func(ts uint32, arrived time.Time, nalus [][]byte)

	buf     []byte
	ends    []int // where each NAL unit in buf ends
	nalus   [][]byte
	open    bool
	inFU    bool
	damaged bool
	ts      uint32
	arrived time.Time
	order   order
	slices  bool // there is one among the NAL units
	marked  bool // the last access unit was ended by a mark
	untrue  bool // marks count no more
	known   bool // whether marks count
	peak    int
}

// An order knows the sequence number of the packet before.
type order struct {
	seq   uint16
	begun bool
}

// lost reports whether packets are missing before that of seq, and counts them.
func (o *order) lost(seq uint16, stats *Stats) bool {
	missing := o.begun && seq != o.seq+1
	// More than half of the range is a sequence begun anew, not a loss.
	if n := seq - o.seq - 1; missing && n < 1<<15 {
		stats.Lost.Add(uint64(n))
	}
	o.begun, o.seq = true, seq
	return missing
}

// push takes the next packet.
func (a *assembler) push(seq uint16, ts uint32, mark bool, p []byte) {
	lost := a.order.lost(seq, a.stats)
	if a.open && ts != a.ts {
		if lost && !a.marked {
			a.damaged = true
		}
		a.known = a.known || a.marked
		a.flush()
	}
	if a.open && a.marked {
		a.known, a.untrue = true, laterSlice(a.codec, p)
		if !a.untrue {
			a.flush()
		}
	}
	if !a.open {
		if a.marked && ts == a.ts && laterSlice(a.codec, p) {
			a.untrue = true
		}
		a.open, a.ts, a.arrived, a.marked = true, ts, a.now(), false
	} else if lost {
		a.damaged = true
	}
	a.payload(p)
	if mark && !a.untrue && (a.damaged || !a.inFU && a.pictured()) {
		a.marked = true
		if a.known || a.damaged {
			a.flush()
		}
	}
}

// pictured reports whether a slice is among the NAL units.
func (a *assembler) pictured() bool {
	if !a.slices && bytes.Contains(a.buf, startCode) {
		// A byte stream that was sent as one NAL unit.
		for _, u := range splitAnnexB(a.nalus[:0], a.buf) {
			a.slices = a.slices || isSlice(a.codec, u)
		}
	}
	return a.slices
}

func isSlice(c footage.Codec, nalu []byte) bool {
	switch kindOf(c, nalu) {
	case picture, keyframe, leading:
		return true
	}
	return false
}

// laterSlice reports whether a payload begins within a picture: with a slice
// that is not its first (H.264 §7.4.3 first_mb_in_slice, H.265 §7.4.7.1
// first_slice_segment_in_pic_flag), or with a part of one.
func laterSlice(c footage.Codec, p []byte) bool {
	head, fragment := 1, byte(28)
	if c == footage.H265 {
		head, fragment = 2, 49
	}
	if len(p) <= head {
		return false
	}
	typ := p[0] & 0x1f
	if c == footage.H265 {
		typ = p[0] >> 1 & 0x3f
	}
	if typ != fragment {
		return isSlice(c, p) && p[head]&0x80 == 0
	}
	whole := [2]byte{p[head] & 0x1f}
	if c == footage.H265 {
		whole[0] = p[head] & 0x3f << 1
	}
	return isSlice(c, whole[:head]) && (p[head]&0x80 == 0 || len(p) > head+1 && p[head+1]&0x80 == 0)
}

func (a *assembler) bad() {
	a.stats.Malformed.Add(1)
	a.damaged = true
	a.inFU = false
}

func (a *assembler) payload(p []byte) {
	head := 1
	if a.codec == footage.H265 {
		head = 2
	}
	if len(p) < head {
		a.bad()
		return
	}
	typ := p[0] & 0x1f
	aggregate, fragment, end := byte(24), byte(28), byte(24)
	if a.codec == footage.H265 {
		typ = p[0] >> 1 & 0x3f
		aggregate, fragment, end = 48, 49, 48
	}
	if typ != fragment && a.inFU {
		a.bad()
	}
	switch {
	case typ < end:
		a.add(p)
	case typ == aggregate:
		a.aggregate(p[head:])
	case typ == fragment:
		a.fragment(p, head)
	default:
		a.bad()
	}
}

func (a *assembler) aggregate(p []byte) {
	for n := 0; len(p) > 0; n++ {
		if len(p) < 2 {
			a.bad()
			return
		}
		size := int(p[0])<<8 | int(p[1])
		p = p[2:]
		if size == 0 && n > 0 && len(bytes.Trim(p, "\x00")) == 0 {
			return // some cameras pad the packet with zeros
		}
		if size == 0 || size > len(p) {
			a.bad()
			return
		}
		a.add(p[:size])
		p = p[size:]
	}
}

func (a *assembler) fragment(p []byte, head int) {
	if len(p) < head+1 {
		a.bad()
		return
	}
	fu, data := p[head], p[head+1:]
	first, last := fu&0x80 != 0, fu&0x40 != 0
	switch {
	case first:
		if a.inFU {
			a.bad()
		}
		var h [2]byte
		if a.codec == footage.H265 {
			h = [2]byte{p[0]&0x81 | fu&0x3f<<1, p[1]}
		} else {
			h[0] = p[0]&0xe0 | fu&0x1f
		}
		a.inFU = true
		a.slices = a.slices || isSlice(a.codec, h[:head])
		a.grow(h[:head])
	case !a.inFU:
		// The beginning was lost, or the session begins here.
		a.damaged = true
		return
	}
	a.grow(data)
	if last {
		a.inFU = false
		a.close()
	}
}

func (a *assembler) add(nalu []byte) {
	a.slices = a.slices || isSlice(a.codec, nalu)
	a.grow(nalu)
	a.close()
}

func (a *assembler) grow(p []byte) {
	if a.damaged {
		return
	}
	if len(a.buf)+len(p) > a.limit {
		a.damaged = true
		return
	}
	a.buf = append(a.buf, p...)
}

func (a *assembler) close() {
	if a.damaged {
		return
	}
	if len(a.ends) == maxUnits {
		a.damaged = true
		return
	}
	a.ends = append(a.ends, len(a.buf))
}

func (a *assembler) flush() {
	if a.inFU {
		a.damaged = true
	}
	if a.damaged {
		a.stats.Dropped.Add(1)
	} else if len(a.ends) > 0 {
		a.nalus = a.nalus[:0]
		from := 0
		for _, end := range a.ends {
			a.nalus = splitAnnexB(a.nalus, a.buf[from:end:end])
			from = end
		}
		if len(a.nalus) > 0 {
			a.emit(a.ts, a.arrived, a.nalus)
		}
	}
	a.buf, a.peak = reuse(a.buf, a.peak)
	a.ends = a.ends[:0]
	a.open, a.inFU, a.damaged, a.slices = false, false, false, false
}

// reuse returns b empty, to be filled again, and how much was needed of late. A
// buffer that grew much bigger than that is given back: a peak is not held for
// good.
func reuse(b []byte, peak int) ([]byte, int) {
	peak = max(len(b), peak-peak/256)
	if cap(b) > 4*peak+64<<10 {
		return nil, peak
	}
	return b[:0], peak
}

var startCode = []byte{0, 0, 1}

// splitAnnexB appends the NAL units in p to dst. A NAL unit cannot hold a
// start code (H.264 §7.4.1), but some cameras send a whole access unit in
// byte stream format (Annex B) as if it were one. No more than maxUnits come
// back.
func splitAnnexB(dst [][]byte, p []byte) [][]byte {
	for len(p) > 0 && len(dst) < maxUnits {
		i := bytes.Index(p, startCode)
		if i < 0 {
			return append(dst, p)
		}
		// Zeros before a start code belong to it, those at the end are padding.
		if u := bytes.TrimRight(p[:i], "\x00"); len(u) > 0 {
			dst = append(dst, u)
		}
		p = p[i+len(startCode):]
	}
	return dst
}
