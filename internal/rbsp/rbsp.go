// Package rbsp reads the numbers of H.264 and H.265 off their bits: fixed and
// Exp-Golomb codes (ITU-T H.264 §9.1), with the bytes left out that keep start
// codes from a NAL unit (§7.4.1).
package rbsp

import "errors"

// A Reader reads bits, highest first. Past the end they are 0, and Short is set.
type Reader struct {
	// Short says that more was read than there is, or a code that none is.
	Short bool

	b     []byte
	plain bool
	zeros int
	cur   byte
	left  uint
}

// New returns a reader of a NAL unit's bytes.
func New(b []byte) *Reader { return &Reader{b: b} }

// Plain returns a reader of bytes that are none of a NAL unit.
func Plain(b []byte) *Reader { return &Reader{b: b, plain: true} }

// Bits reads n bits, at most 64.
func (r *Reader) Bits(n int) uint64 {
	var v uint64
	for range n {
		if r.left == 0 {
			r.next()
		}
		r.left--
		v = v<<1 | uint64(r.cur>>r.left&1)
	}
	return v
}

func (r *Reader) next() {
	r.left, r.cur = 8, 0
	if !r.plain && len(r.b) > 0 && r.zeros >= 2 && r.b[0] == 3 {
		r.b, r.zeros = r.b[1:], 0
	}
	if len(r.b) == 0 {
		r.Short = true
		return
	}
	r.cur, r.b = r.b[0], r.b[1:]
	if r.cur == 0 {
		r.zeros++
	} else {
		r.zeros = 0
	}
}

// Golomb reads ue(v), up to 32 leading zeros, or se(v) where its value does not
// matter.
func (r *Reader) Golomb() uint64 {
	n := 0
	for r.Bits(1) == 0 {
		n++
		if n > 32 || r.Short {
			r.Short = true
			return 0
		}
	}
	return 1<<n - 1 + r.Bits(n)
}

// More reports whether something but the trailing bits is left, §7.2.
func (r *Reader) More() bool {
	at := *r
	return at.Trailing() != nil
}

var errTrailing = errors.New("something follows its last field, or it ends too early")

// Trailing takes rbsp_trailing_bits: a one, zeros to the end of the byte, and
// then nothing.
func (r *Reader) Trailing() error {
	if r.Bits(1) != 1 || r.Bits(int(r.left)) != 0 || r.Short || len(r.b) != 0 {
		return errTrailing
	}
	return nil
}
