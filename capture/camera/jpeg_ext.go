package camera

import "encoding/binary"

const (
	jpegBegins    = 0xffd8 // identifiers of the header extension: of a picture's first packet,
	jpegGoesOn    = 0xffff // of those that follow
	maxJPEGHeader = 8 << 10
	maxUnsized    = 25
)

// A jpegExtension is what a camera sends in RTP header extensions, because RFC
// 2435 knows sides of up to 2040 pixels, one set of Huffman tables and two ways of
// sampling: segments that stand before the data in a file (ONVIF Streaming
// Specification, JPEG over RTP). They go before what RFC 2435 would make of the
// packet's header. Tables, and the frame header where the packet's header tells no
// size, are those of the picture before where they are not sent again.
type jpegExtension struct {
	on            bool // the picture has it
	raw           []byte
	told          bool // the frame header came with this picture
	dqt, dht, sof []byte
	dri, sos      []byte // never of the picture before
}

// begin takes the extension's identifier in a picture's first packet.
func (e *jpegExtension) begin(id uint16) {
	e.on, e.raw = id == jpegBegins, e.raw[:0]
}

// take takes a packet's extension, and reports whether it is one that is understood
// where it is: behind the data, which have begun, there is only padding.
func (e *jpegExtension) take(id uint16, b []byte, begun bool) bool {
	if !e.on || id != jpegBegins && id != jpegGoesOn {
		return true
	}
	if begun {
		for _, c := range b {
			if c != 0xff {
				return false
			}
		}
		return true
	}
	if len(e.raw)+len(b) > maxJPEGHeader {
		return false
	}
	e.raw = append(e.raw, b...)
	return true
}

// forget is for a picture without extension: nothing is known of one before.
func (e *jpegExtension) forget() {
	e.dqt, e.dht, e.sof, e.dri, e.sos = e.dqt[:0], e.dht[:0], nil, nil, nil
}

// parse sorts the segments. Where the packet's header brings tables for
// quantization, those of the picture before are void.
func (e *jpegExtension) parse(quantized bool) bool {
	e.dri, e.sos, e.told = nil, nil, false
	fresh := [2]bool{}
	add := func(to *[]byte, i int, segment []byte) {
		if !fresh[i] {
			*to, fresh[i] = (*to)[:0], true
		}
		*to = append(*to, segment...)
	}
	if quantized {
		e.dqt = e.dqt[:0]
	}
	for b := e.raw; len(b) > 0; {
		if b[0] != 0xff {
			return false
		}
		switch {
		case len(b) == 1 || b[1] == 0xff: // padding
			b = b[1:]
			continue
		case b[1] == 0xd8:
			b = b[2:]
			continue
		case len(b) < 4:
			return false
		}
		n := 2 + int(binary.BigEndian.Uint16(b[2:]))
		if n < 4 || n > len(b) {
			return false
		}
		segment := b[:n]
		b = b[n:]
		switch m := segment[1]; {
		case m == 0xdb:
			add(&e.dqt, 0, segment)
		case m == 0xc4:
			add(&e.dht, 1, segment)
		case m == 0xdd && n == 6:
			e.dri = segment
		case m == 0xc0 || m == 0xc1:
			if n < 10 || e.told {
				return false
			}
			e.sof, e.told = append(e.sof[:0], segment...), true
		case m == 0xda:
			e.sos = segment
			return len(b) == 0
		case m >= 0xe0 && m <= 0xef || m == 0xfe: // what no decoder needs
		default:
			return false
		}
	}
	return true
}
