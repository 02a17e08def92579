package codec

import (
	"errors"
)

// A Repeater makes coded pictures that show the one before them again: slices in
// which every macroblock is skipped (ITU-T H.264 §7.3.4). An encoder takes
// milliseconds to find out that nothing has changed; who knows it beforehand
// need not ask. It reads the stream that an encoder gives, and takes streams
// alone in which each picture is one frame, a reference, and shown as it comes.
type Repeater struct {
	ready    bool
	mbs      int
	frameLog uint // bits of frame_num
	ppsID    uint32
	cabac    bool
	weighted bool
	deblock  bool // its parameters are in each slice
	active   bool // several references by default
	qpDelta  int32
	chroma   bool
	last     uint32 // frame_num of the picture before
	payload  []byte
	nal      []byte
}

var errRepeat = errors.New("codec: the encoder's stream is of a kind that cannot be repeated")

// Took tells r of a picture that the encoder gave.
func (r *Repeater) Took(u *Unit) error {
	if u.SPS != nil {
		if err := r.sps(u.SPS); err != nil {
			return err
		}
	}
	if u.PPS != nil {
		if err := r.pps(u.PPS); err != nil {
			return err
		}
		r.ready, r.payload = true, nil
	}
	if !r.ready || len(u.Data) < 6 || u.Data[4]>>5&3 == 0 {
		return errRepeat
	}
	b := bits{b: unescape(u.Data[5:min(len(u.Data), 40)])}
	b.ue() // first macroblock
	b.ue() // type
	if b.ue() != r.ppsID {
		return errRepeat
	}
	r.last = b.u(r.frameLog)
	if b.short {
		return errRepeat
	}
	return nil
}

// Next returns the data of a picture as in Unit. It is good until the next call.
func (r *Repeater) Next() ([]byte, error) {
	if !r.ready {
		return nil, errRepeat
	}
	r.last = (r.last + 1) & (1<<r.frameLog - 1)
	var w bitWriter
	w.ue(0) // first macroblock
	w.ue(5) // all slices of the picture are P
	w.ue(r.ppsID)
	w.u(r.last, r.frameLog)
	if r.active {
		w.u(1, 1)
		w.ue(0)
	} else {
		w.u(0, 1)
	}
	w.u(0, 1) // the list of references as it is
	if r.weighted {
		w.ue(0)
		if r.chroma {
			w.ue(0)
		}
		w.u(0, 1)
		if r.chroma {
			w.u(0, 1)
		}
	}
	w.u(0, 1) // references go in their turn
	if r.cabac {
		w.ue(0) // the table of the contexts
	}
	w.se(r.qpDelta)
	if r.deblock {
		w.ue(1)
	}
	if r.cabac {
		for w.n%8 != 0 {
			w.u(1, 1)
		}
		if r.payload == nil {
			r.payload = skipped(r.mbs)
		}
		w.b = append(w.b, r.payload...)
	} else {
		w.ue(uint32(r.mbs))
		w.u(1, 1)
		for w.n%8 != 0 {
			w.u(0, 1)
		}
	}
	// A slice that is no keyframe's, and a reference.
	r.nal = append(r.nal[:0], 0, 0, 0, 0, 2<<5|nalSlice)
	r.nal = escape(r.nal, w.b)
	n := len(r.nal) - 4
	r.nal[2], r.nal[3] = byte(n>>8), byte(n)
	return r.nal, nil
}

// sps reads a sequence parameter set, §7.3.2.1.1.
func (r *Repeater) sps(nal []byte) error {
	b := bits{b: unescape(nal[1:])}
	profile := b.u(8)
	b.u(16)
	b.ue()
	r.chroma = true
	switch profile {
	case 100, 110, 122, 244:
		format := b.ue()
		r.chroma = format != 0
		if format > 2 || b.ue() != 0 || b.ue() != 0 { // 8 bits
			return errRepeat
		}
		b.u(1)
		if b.u(1) != 0 { // matrices of the encoder's own
			return errRepeat
		}
	case 66, 77:
	default:
		return errRepeat
	}
	r.frameLog = uint(b.ue() + 4)
	if r.frameLog > 16 || b.ue() != 2 { // shown as they come
		return errRepeat
	}
	b.ue()
	b.u(1)
	w, h := b.ue()+1, b.ue()+1
	if b.u(1) != 1 || b.short || w > 1024 || h > 1024 { // frames, no fields
		return errRepeat
	}
	r.mbs = int(w * h)
	return nil
}

// pps reads a picture parameter set, §7.3.2.2.
func (r *Repeater) pps(nal []byte) error {
	b := bits{b: unescape(nal[1:])}
	r.ppsID = b.ue()
	b.ue()
	r.cabac = b.u(1) == 1
	order, groups := b.u(1), b.ue()
	r.active = b.ue() != 0
	b.ue()
	r.weighted = b.u(1) == 1
	b.u(2)
	qp := b.se()
	b.se()
	b.se()
	r.deblock = b.u(1) == 1
	b.u(1)
	if b.u(1) != 0 || order != 0 || groups != 0 || b.short || qp < -26 || qp > 25 {
		return errRepeat
	}
	// The coarsest quantiser starts the contexts where a skip is likely.
	r.qpDelta = 25 - qp
	return nil
}

// rangeLPS are the rows 42 to 62 of table 9-44.
var rangeLPS = [...][4]uint32{
	{16, 20, 23, 27}, {15, 19, 22, 25}, {14, 18, 21, 24}, {14, 17, 20, 23}, {13, 16, 19, 22}, {12, 15, 18, 21}, {12, 14, 17, 20},
	{11, 14, 16, 19}, {11, 13, 15, 18}, {10, 12, 15, 17}, {10, 12, 14, 16}, {9, 11, 13, 15}, {9, 11, 12, 14}, {8, 10, 12, 14},
	{8, 9, 11, 13}, {7, 9, 11, 12}, {7, 9, 10, 12}, {7, 8, 10, 11}, {6, 8, 9, 11}, {6, 7, 9, 10}, {6, 7, 8, 9},
}

// skipped returns the arithmetic code (§9.3) of n skipped macroblocks, with the
// bit that ends the data. With all neighbours skipped the flag's context is
// always the same, number 11; at the coarsest quantiser it begins in state 42
// with a skip as its likely value: (23*51>>4 + 33) - 64.
func skipped(n int) []byte {
	var w bitWriter
	var low, rng, outstanding uint32 = 0, 510, 0
	first := true
	put := func(bit uint32) {
		if first {
			first = false
		} else {
			w.u(bit, 1)
		}
		for ; outstanding > 0; outstanding-- {
			w.u(1-bit, 1)
		}
	}
	renorm := func() {
		for rng < 256 {
			switch {
			case low < 256:
				put(0)
			case low >= 512:
				low -= 512
				put(1)
			default:
				low -= 256
				outstanding++
			}
			rng <<= 1
			low <<= 1
		}
	}
	state := 0
	for i := range n {
		rng -= rangeLPS[state][rng>>6&3]
		state = min(state+1, len(rangeLPS)-1)
		renorm()
		rng -= 2
		if i+1 < n {
			renorm()
		}
	}
	low += rng // the last macroblock ends the slice
	rng = 2
	renorm()
	put(low >> 9 & 1)
	w.u(low>>7&3|1, 2)
	for w.n%8 != 0 {
		w.u(0, 1)
	}
	return w.b
}

// bits reads numbers as H.264 has them, §9.1. After the end they are 0.
type bits struct {
	b     []byte
	at    int
	short bool
}

func (b *bits) u(n uint) uint32 {
	v := uint32(0)
	for range n {
		v <<= 1
		if b.at>>3 >= len(b.b) {
			b.short = true
			continue
		}
		v |= uint32(b.b[b.at>>3]>>(7-b.at&7)) & 1
		b.at++
	}
	return v
}

func (b *bits) ue() uint32 {
	n := uint(0)
	for b.u(1) == 0 {
		if n++; n > 24 || b.short {
			b.short = true
			return 0
		}
	}
	return 1<<n - 1 + b.u(n)
}

func (b *bits) se() int32 {
	v := b.ue()
	if v&1 == 1 {
		return int32(v/2 + 1)
	}
	return -int32(v / 2)
}

type bitWriter struct {
	b []byte
	n int // bits
}

func (w *bitWriter) u(v uint32, n uint) {
	for n > 0 {
		n--
		if w.n%8 == 0 {
			w.b = append(w.b, 0)
		}
		w.b[len(w.b)-1] |= byte(v>>n&1) << (7 - w.n%8)
		w.n++
	}
}

func (w *bitWriter) ue(v uint32) {
	n := uint(0)
	for (v+1)>>(n+1) > 0 {
		n++
	}
	w.u(0, n)
	w.u(v+1, n+1)
}

func (w *bitWriter) se(v int32) {
	if v > 0 {
		w.ue(uint32(2*v - 1))
	} else {
		w.ue(uint32(-2 * v))
	}
}

// unescape takes the bytes out of a NAL unit that keep start codes from it,
// §7.4.1, and escape puts them in.
func unescape(b []byte) []byte {
	out := make([]byte, 0, len(b))
	zeros := 0
	for _, c := range b {
		if zeros >= 2 && c == 3 {
			zeros = 0
			continue
		}
		if c == 0 {
			zeros++
		} else {
			zeros = 0
		}
		out = append(out, c)
	}
	return out
}

func escape(dst, b []byte) []byte {
	zeros := 0
	for _, c := range b {
		if zeros >= 2 && c <= 3 {
			dst = append(dst, 3)
			zeros = 0
		}
		if c == 0 {
			zeros++
		} else {
			zeros = 0
		}
		dst = append(dst, c)
	}
	return dst
}
