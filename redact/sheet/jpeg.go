package sheet

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Markers, ITU-T T.81 table B.1.
const (
	sof0 = 0xc0
	dht  = 0xc4
	soi  = 0xd8
	eoi  = 0xd9
	sos  = 0xda
	dqt  = 0xdb
)

const maxJPEGSide = 16384

// Structure walks a baseline JPEG (ITU-T T.81) to its last bit and returns its
// size. It refuses everything that the picture does not need: segments other
// than DQT, SOF0, DHT and SOS (so no EXIF, no comment, no second picture), a
// table that is given twice or not used, codes that no picture of that size has,
// padding that is not ones, and whatever follows the end.
func Structure(b []byte) (w, h int, err error) {
	j := jpegWalker{b: b}
	if err := j.walk(); err != nil {
		return 0, 0, fmt.Errorf("sheet: this JPEG is not as we write it: %w", err)
	}
	return j.w, j.h, nil
}

type component struct{ id, h, v, quant, dc, ac byte }

// A huffman is a table: for each length the first code, the index of its value
// and the code after the last; and what begins with each lookBits bits, as length
// and value, 0 where that is longer.
type huffman struct {
	first, index, end [17]int
	values            []byte
	look              [1 << lookBits]uint16
	used              bool
}

const lookBits = 9

type jpegWalker struct {
	b      []byte
	w, h   int
	comps  []component
	quant  [4]bool
	tables [2][4]*huffman
	// of the coded data
	acc   uint64
	left  int // bits in acc
	short bool
}

var errJPEGShort = errors.New("it ends too early")

func (j *jpegWalker) walk() error {
	if len(j.b) < 4 || j.b[0] != 0xff || j.b[1] != soi {
		return errors.New("it does not begin as one")
	}
	j.b = j.b[2:]
	for {
		if len(j.b) < 4 || j.b[0] != 0xff {
			return errJPEGShort
		}
		kind, n := j.b[1], int(binary.BigEndian.Uint16(j.b[2:]))
		if n < 2 || len(j.b) < 2+n {
			return errJPEGShort
		}
		seg := j.b[4 : 2+n]
		j.b = j.b[2+n:]
		var err error
		switch kind {
		case dqt:
			err = j.quants(seg)
		case sof0:
			err = j.frame(seg)
		case dht:
			err = j.huffmans(seg)
		case sos:
			if err = j.scan(seg); err == nil {
				err = j.data()
			}
			if err != nil {
				return err
			}
			if len(j.b) != 2 || j.b[0] != 0xff || j.b[1] != eoi {
				return fmt.Errorf("%d bytes are left behind its only scan", len(j.b))
			}
			return nil
		default:
			err = fmt.Errorf("a segment of type %#x", kind)
		}
		if err != nil {
			return err
		}
	}
}

func (j *jpegWalker) quants(b []byte) error {
	for len(b) > 0 {
		if len(b) < 65 || b[0] > 3 || j.quant[b[0]] {
			return errors.New("a table of quantisation that is not one of 8 bits, given once")
		}
		j.quant[b[0]] = true
		b = b[65:]
	}
	return nil
}

func (j *jpegWalker) frame(b []byte) error {
	if j.comps != nil || len(b) < 6 || b[0] != 8 || b[5] != 3 || len(b) != 6+3*3 {
		return errors.New("a frame that is not one of 8 bits with 3 components")
	}
	j.h, j.w = int(binary.BigEndian.Uint16(b[1:])), int(binary.BigEndian.Uint16(b[3:]))
	if j.w < 1 || j.h < 1 || j.w > maxJPEGSide || j.h > maxJPEGSide {
		return fmt.Errorf("a picture of %dx%d", j.w, j.h)
	}
	for b = b[6:]; len(b) > 0; b = b[3:] {
		c := component{id: b[0], h: b[1] >> 4, v: b[1] & 15, quant: b[2]}
		if c.h < 1 || c.h > 2 || c.v < 1 || c.v > 2 || c.quant > 3 {
			return errors.New("a component with a sampling that is not ours")
		}
		j.comps = append(j.comps, c)
	}
	return nil
}

func (j *jpegWalker) huffmans(b []byte) error {
	for len(b) > 0 {
		if len(b) < 17 || b[0]&0xf > 3 || b[0]>>4 > 1 || j.tables[b[0]>>4][b[0]&0xf] != nil {
			return errors.New("a table of codes that is not given once")
		}
		t := &huffman{}
		j.tables[b[0]>>4][b[0]&0xf] = t
		code, n := 0, 0
		for i := 1; i <= 16; i++ {
			t.first[i], t.index[i] = code, n
			code += int(b[i])
			n += int(b[i])
			if code > 1<<i {
				return errors.New("a table of more codes than there are")
			}
			t.end[i] = code
			code <<= 1
		}
		if n > 256 || len(b) < 17+n {
			return errJPEGShort
		}
		t.values = b[17 : 17+n]
		t.fill()
		b = b[17+n:]
	}
	return nil
}

func (j *jpegWalker) scan(b []byte) error {
	n := len(j.comps)
	if n == 0 || len(b) != 4+2*n || int(b[0]) != n || b[1+2*n] != 0 || b[2+2*n] != 63 || b[3+2*n] != 0 {
		return errors.New("a scan that is not of all components at once")
	}
	var quant [4]bool
	for i := range j.comps {
		c := &j.comps[i]
		c.dc, c.ac = b[2+2*i]>>4, b[2+2*i]&15
		if b[1+2*i] != c.id || c.dc > 3 || c.ac > 3 || j.tables[0][c.dc] == nil || j.tables[1][c.ac] == nil || !j.quant[c.quant] {
			return errors.New("a scan whose tables are not there")
		}
		quant[c.quant] = true
		j.tables[0][c.dc].used, j.tables[1][c.ac].used = true, true
	}
	if quant != j.quant {
		return errors.New("a table of quantisation that nothing uses")
	}
	for _, class := range j.tables {
		for _, t := range class {
			if t != nil && !t.used {
				return errors.New("a table of codes that nothing uses")
			}
		}
	}
	return nil
}

// data passes over the coded blocks, T.81 annex F.2.
func (j *jpegWalker) data() error {
	hs, vs := 1, 1
	for _, c := range j.comps {
		hs, vs = max(hs, int(c.h)), max(vs, int(c.v))
	}
	mcus := ((j.w + 8*hs - 1) / (8 * hs)) * ((j.h + 8*vs - 1) / (8 * vs))
	for range mcus {
		for i := range j.comps {
			c := &j.comps[i]
			dc, ac := j.tables[0][c.dc], j.tables[1][c.ac]
			for range int(c.h) * int(c.v) {
				if err := j.block(dc, ac); err != nil {
					return err
				}
			}
		}
	}
	j.fetch()
	switch ones := uint64(1)<<(j.left%8) - 1; {
	case j.short:
		return errJPEGShort
	case j.left >= 8:
		return errors.New("bytes are left behind its only scan")
	case j.acc&ones != ones:
		return errors.New("its last byte is filled with something")
	}
	return nil
}

func (j *jpegWalker) block(dc, ac *huffman) error {
	n, ok := j.code(dc)
	if !ok || n > 11 {
		return errors.New("a code that is not in its table")
	}
	j.skip(n)
	for k := 1; k < 64; k++ {
		v, ok := j.code(ac)
		if !ok {
			return errors.New("a code that is not in its table")
		}
		run, size := int(v>>4), v&15
		switch {
		case size == 0 && run == 0:
			return j.end()
		case size == 0 && run != 15 || size > 10:
			return errors.New("a coefficient that baseline does not have")
		}
		k += run
		if k > 63 {
			return errors.New("a block of more than 64 coefficients")
		}
		j.skip(size)
	}
	return j.end()
}

func (j *jpegWalker) end() error {
	if j.short {
		return errJPEGShort
	}
	return nil
}

func (t *huffman) fill() {
	for n := 1; n <= lookBits; n++ {
		for c := t.first[n]; c < t.end[n]; c++ {
			at := c << (lookBits - n)
			for i := range 1 << (lookBits - n) {
				t.look[at+i] = uint16(n)<<8 | uint16(t.values[t.index[n]+c-t.first[n]])
			}
		}
	}
}

func (j *jpegWalker) code(t *huffman) (byte, bool) {
	if j.left < 16 {
		j.fetch()
	}
	// Behind the end there are ones, which are no code; skip says that it is short.
	var next uint32
	if j.left >= 16 {
		next = uint32(j.acc>>(j.left-16)) & 0xffff
	} else {
		next = uint32(j.acc<<(16-j.left))&0xffff | 1<<(16-j.left) - 1
	}
	if v := t.look[next>>(16-lookBits)]; v != 0 {
		j.skip(byte(v >> 8))
		return byte(v), true
	}
	for n := lookBits + 1; n <= 16; n++ {
		if c := int(next >> (16 - n)); c < t.end[n] && c >= t.first[n] {
			j.skip(byte(n))
			return t.values[t.index[n]+c-t.first[n]], true
		}
	}
	return 0, false
}

func (j *jpegWalker) skip(n byte) {
	if j.left < int(n) {
		j.fetch()
	}
	if j.left < int(n) {
		j.short, j.left = true, 0
		return
	}
	j.left -= int(n)
}

// fetch takes what fits of the coded data, up to a marker; a byte of ones is
// followed by one of zeros.
func (j *jpegWalker) fetch() {
	for j.left <= 48 && len(j.b) > 0 {
		c, n := j.b[0], 1
		if c == 0xff {
			if len(j.b) < 2 || j.b[1] != 0 {
				return
			}
			n = 2
		}
		j.acc, j.left, j.b = j.acc<<8|uint64(c), j.left+8, j.b[n:]
	}
}
