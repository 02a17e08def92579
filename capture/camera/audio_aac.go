package camera

// A bitReader reads big endian numbers; bad is set once there are no more bits.
type bitReader struct {
	b   []byte
	at  int
	bad bool
}

func (r *bitReader) read(n int) int {
	if r.at+n > 8*len(r.b) {
		r.bad = true
		return 0
	}
	v := 0
	for range n {
		v = v<<1 | int(r.b[r.at/8]>>(7-r.at%8)&1)
		r.at++
	}
	return v
}

// unpack reads a packet of MPEG4-GENERIC (RFC 3640 §3.2): headers of as many
// access units as it holds, or of the one that it holds a part of. Interleaved
// units are left out.
func (a *audio) unpack(mark bool, p []byte) {
	if len(p) < 2 {
		a.bad()
		return
	}
	n := int(p[0])<<8 | int(p[1])
	p = p[2:]
	if n == 0 || (n+7)/8 > len(p) {
		a.bad()
		return
	}
	heads := bitReader{b: p[:(n+7)/8]}
	data := p[len(heads.b):]
	for i := 0; heads.at+a.sizeLen <= n; i++ {
		size := heads.read(a.sizeLen)
		width := a.deltaLen
		if i == 0 {
			width = a.indexLen
		}
		if index := heads.read(width); heads.bad || index != 0 || i == maxAudioAUs || size > maxAudioUnit {
			a.bad()
			return
		}
		only := i == 0 && heads.at+a.sizeLen+a.deltaLen > n
		if only && (!mark || len(a.buf) > 0 || a.skip) {
			// A header tells the size of the whole unit, or of this part of it: the
			// mark tells which is the last.
			a.fragment(mark, data[:min(size, len(data))])
			return
		}
		if size > len(data) {
			a.bad()
			return
		}
		a.units = append(a.units, withoutADTS(data[:size]))
		data = data[size:]
	}
}

// fragment takes a part of a unit.
func (a *audio) fragment(last bool, p []byte) {
	if !a.skip && len(a.buf)+len(p) > maxAudioUnit {
		a.skip = true
		a.bad()
	}
	if a.skip {
		a.buf, a.skip = a.buf[:0], !last
		return
	}
	a.buf = append(a.buf, p...)
	if last {
		a.units = append(a.units, withoutADTS(a.buf))
		// The bytes are good until the next packet.
		a.buf = a.buf[:0]
	}
}

// withoutADTS returns an access unit without the header of a file, which some
// cameras leave before it (ISO/IEC 14496-3 §1.A.2).
func withoutADTS(u []byte) []byte {
	if len(u) < 7 || u[0] != 0xff || u[1]&0xf6 != 0xf0 {
		return u
	}
	head := 7
	if u[1]&1 == 0 {
		head = 9
	}
	if size := int(u[3]&3)<<11 | int(u[4])<<3 | int(u[5])>>5; size != len(u) || size <= head {
		return u
	}
	return u[head:]
}
