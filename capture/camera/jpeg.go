package camera

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/jpeg"
	"sync"
	"time"
)

// A jpegAssembler turns RTP payloads into whole JPEG pictures (RFC 2435). It
// reuses its buffer, so that a steady stream costs no allocation, and holds at
// most limit bytes. A picture that misses a packet is left out and counted, as
// there is nothing in it that a decoder could conceal the loss with.
//
// The payload is the entropy-coded data; what stands before it in a file is
// made from the packet's header. Some cameras send the whole file instead, which
// is taken as it is; others what jpegExtension tells of.
type jpegAssembler struct {
	limit int
	stats *Stats
	now   func() time.Time
	// emit takes a picture. It is valid until emit returns.
	emit func(ts uint32, arrived time.Time, picture []byte, width, height int)

	buf     []byte
	head    int // bytes of buf that are the file's header
	open    bool
	damaged bool
	ts      uint32
	arrived time.Time
	order   order
	peak    int

	ext     jpegExtension
	unsized int    // pictures in a row of which the size was not told
	tooBig  func() // tells that the camera's pictures are all of that kind

	q         uint8 // what tables belong to, 0 for none yet
	precision uint8
	tables    [2 * 128]byte
	tableLen  int
}

func newJPEG(limit int, stats *Stats, now func() time.Time, emit func(ts uint32, arrived time.Time, picture []byte, width, height int)) *jpegAssembler {
	return &jpegAssembler{limit: limit, stats: stats, now: now, emit: emit}
}

// push takes the next packet, which has no header extension.
func (a *jpegAssembler) push(seq uint16, ts uint32, mark bool, p []byte) {
	a.pushExtended(seq, ts, mark, 0, nil, p)
}

// pushExtended takes the next packet, with the header extension that has the
// identifier id.
func (a *jpegAssembler) pushExtended(seq uint16, ts uint32, mark bool, id uint16, extension, p []byte) {
	lost := a.order.lost(seq, a.stats)
	if a.open && ts != a.ts {
		if lost {
			a.damaged = true
		}
		a.flush()
	}
	if !a.open {
		a.open, a.ts, a.arrived = true, ts, a.now()
		a.buf, a.head = a.buf[:0], 0
		a.ext.begin(id)
	} else if lost {
		a.damaged = true
	}
	if !a.ext.take(id, extension, len(a.buf) > 0) {
		a.bad()
	}
	if len(p) > 0 || !a.ext.on {
		a.payload(p)
	}
	if mark {
		a.flush()
	}
}

func (a *jpegAssembler) bad() {
	a.stats.Malformed.Add(1)
	a.damaged = true
}

// payload reads the main header (§3.1), and what may follow it.
func (a *jpegAssembler) payload(p []byte) {
	if a.damaged {
		return
	}
	if len(p) < 8 {
		a.bad()
		return
	}
	offset := int(p[1])<<16 | int(p[2])<<8 | int(p[3])
	h := jpegHeader{typ: p[4], width: int(p[6]) * 8, height: int(p[7]) * 8}
	q := p[5]
	p = p[8:]
	if h.typ >= 64 && h.typ < 128 {
		if len(p) < 4 {
			a.bad()
			return
		}
		h.restart = binary.BigEndian.Uint16(p)
		p = p[4:]
	}
	if offset == 0 {
		if len(a.buf) > 0 {
			a.bad()
			return
		}
		if q >= 128 {
			n, ok := a.sentTables(q, p)
			if !ok {
				a.bad()
				return
			}
			p = p[n:]
		} else if !a.usualTables(q) && !(a.ext.on && q == 0) {
			a.bad()
			return
		}
		if a.ext.on && len(p) == 0 {
			return // the data begin in a later packet
		}
		if a.ext.on || !bytes.HasPrefix(p, []byte{0xff, 0xd8}) {
			if h.typ >= 128 || !a.header(h, q) {
				a.bad()
				return
			}
		}
	} else if len(a.buf) == 0 {
		a.damaged = true // its beginning was lost, or the session begins here
		return
	} else if offset != len(a.buf)-a.head {
		a.bad()
		return
	}
	if len(a.buf)+len(p)+2 > a.limit {
		a.damaged = true
		return
	}
	a.buf = append(a.buf, p...)
}

// sentTables reads the quantization table header (§3.1.8) and returns how many
// bytes it takes.
func (a *jpegAssembler) sentTables(q uint8, p []byte) (int, bool) {
	if len(p) < 4 {
		return 0, false
	}
	precision, n := p[1], int(binary.BigEndian.Uint16(p[2:]))
	if n == 0 {
		// Sent once for a Q below 255, and meant from then on.
		return 4, q != 255 && q == a.q
	}
	if len(p) < 4+n || n > len(a.tables) {
		return 0, false
	}
	if want := tableSize(precision, 0); n != want && n != want+tableSize(precision, 1) {
		return 0, false
	}
	a.q, a.precision, a.tableLen = q, precision, copy(a.tables[:], p[4:4+n])
	return 4 + n, true
}

func tableSize(precision uint8, id int) int {
	if precision>>id&1 != 0 {
		return 128
	}
	return 64
}

// usualTables sets the tables that a Q of 1 to 99 stands for (§4.2).
func (a *jpegAssembler) usualTables(q uint8) bool {
	if q == 0 || q > 99 {
		return false
	}
	if a.q != q {
		t := scaledTables(int(q))
		a.q, a.precision, a.tableLen = q, 0, copy(a.tables[:], t[:])
	}
	return true
}

type jpegHeader struct {
	typ           uint8
	width, height int
	restart       uint16
}

// header begins a file (ISO/IEC 10918-1 Annex B, as RFC 2435 Appendix B puts it),
// and reports whether enough is known.
func (a *jpegAssembler) header(h jpegHeader, q uint8) bool {
	e := &a.ext
	if !e.on {
		e.forget()
	} else if !e.parse(q != 0) {
		return false
	}
	if h.width == 0 || h.height == 0 {
		if e.sof == nil {
			if a.unsized++; a.unsized == maxUnsized && a.tooBig != nil {
				a.tooBig()
			}
			return false
		}
	} else if !e.told {
		e.sof = nil
	}
	if e.sof == nil && h.typ&0x3f > 1 {
		return false
	}
	b := append(a.buf[:0], 0xff, 0xd8)
	frame, count := byte(0xc0), byte(0)
	for from := 0; from < a.tableLen; count++ {
		n := tableSize(a.precision, int(count))
		wide := a.precision >> count & 1
		if wide != 0 {
			frame = 0xc1 // baseline has no tables of 16 bits
		}
		b = append(b, 0xff, 0xdb, 0, byte(n+3), wide<<4|count)
		b = append(b, a.tables[from:from+n]...)
		from += n
	}
	b = append(b, e.dqt...)
	if len(e.dri) > 0 {
		b = append(b, e.dri...)
	} else if h.restart != 0 {
		b = append(b, 0xff, 0xdd, 0, 4, byte(h.restart>>8), byte(h.restart))
	}
	if e.sof != nil {
		b = append(b, e.sof...)
	} else {
		sampling := byte(0x21)
		if h.typ&0x3f == 1 {
			sampling = 0x22
		}
		chroma := max(count, 1) - 1
		b = append(b, 0xff, frame, 0, 17, 8, byte(h.height>>8), byte(h.height), byte(h.width>>8), byte(h.width), 3,
			1, sampling, 0, 2, 0x11, chroma, 3, 0x11, chroma)
	}
	b = append(append(b, huffmanTables()...), e.dht...)
	if len(e.sos) > 0 {
		b = append(b, e.sos...)
	} else {
		b = append(b, 0xff, 0xda, 0, 12, 3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0)
	}
	a.buf, a.head = b, len(b)
	return true
}

func (a *jpegAssembler) flush() {
	if !a.damaged && len(a.buf)-a.head >= 2 {
		if !bytes.HasSuffix(a.buf, []byte{0xff, 0xd9}) {
			a.buf = append(a.buf, 0xff, 0xd9)
		}
		if w, h, ok := jpegSize(a.buf); ok {
			a.unsized = 0
			a.emit(a.ts, a.arrived, a.buf, w, h)
		} else {
			a.bad()
		}
	} else {
		a.damaged = true
	}
	if a.damaged {
		a.stats.Dropped.Add(1)
	}
	a.buf, a.peak = reuse(a.buf, a.peak)
	a.head, a.open, a.damaged = 0, false, false
}

// jpegSize reads the picture's size from the frame header of a JPEG file.
func jpegSize(b []byte) (width, height int, ok bool) {
	if len(b) < 4 || b[0] != 0xff || b[1] != 0xd8 {
		return 0, 0, false
	}
	for at := 2; at+4 <= len(b) && b[at] == 0xff; {
		m := b[at+1]
		if m == 0xff { // a fill byte
			at++
			continue
		}
		n := int(binary.BigEndian.Uint16(b[at+2:]))
		switch {
		case m == 0xda || m == 0xd9 || m >= 0xd0 && m <= 0xd8 || m < 0xc0 || n < 2 || at+2+n > len(b):
			return 0, 0, false
		case m >= 0xc0 && m <= 0xcf && m != 0xc4 && m != 0xc8 && m != 0xcc:
			if n < 8 {
				return 0, 0, false
			}
			height, width = int(binary.BigEndian.Uint16(b[at+5:])), int(binary.BigEndian.Uint16(b[at+7:]))
			return width, height, width >= 8 && height >= 8 && width <= maxSide && height <= maxSide
		}
		at += 2 + n
	}
	return 0, 0, false
}

// huffmanTables returns the segment with the tables of ISO/IEC 10918-1 §K.3,
// the only ones RFC 2435 knows. The standard library writes the same.
var huffmanTables = sync.OnceValue(func() []byte {
	b := segments(75, 0xc4)
	return append([]byte{0xff, 0xc4, byte((len(b) + 2) >> 8), byte(len(b) + 2)}, b...)
})

// scaledTables returns the tables of §K.1, luminance and chrominance, for the
// quality q from 1 to 99, scaled as RFC 2435 §4.2 and the standard library do.
func scaledTables(q int) (t [128]byte) {
	// Each table stands behind a byte that names it.
	b := segments(q, 0xdb)
	copy(t[:64], b[1:65])
	copy(t[64:], b[66:130])
	return t
}

// segments returns the contents of a small picture's segments of one kind.
func segments(quality int, marker byte) []byte {
	var w bytes.Buffer
	// A picture of one pixel in memory cannot fail to be written.
	if err := jpeg.Encode(&w, image.NewYCbCr(image.Rect(0, 0, 1, 1), image.YCbCrSubsampleRatio420), &jpeg.Options{Quality: quality}); err != nil {
		panic("camera: " + err.Error())
	}
	var out []byte
	b := w.Bytes()
	for at := 2; at+4 <= len(b) && b[at+1] != 0xda; {
		n := int(binary.BigEndian.Uint16(b[at+2:]))
		if b[at+1] == marker {
			out = append(out, b[at+4:at+2+n]...)
		}
		at += 2 + n
	}
	return out
}
