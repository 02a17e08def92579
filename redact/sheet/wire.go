package sheet

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"veilbox/capture/footage"
	"veilbox/redact/mask"
	"veilbox/redact/subject"
)

const headSize = 8 + 1 + 1 + 2 + 4*8

// appendHead appends everything of p but its JPEG.
func appendHead(b []byte, p *Picture) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(p.At))
	b = append(b, byte(int8(p.Subject)), byte(slices.Index(kinds, p.Kind)))
	b = binary.BigEndian.AppendUint16(b, uint16(p.Flags))
	for _, v := range []float64{p.Rect.X, p.Rect.Y, p.Rect.W, p.Rect.H} {
		b = binary.BigEndian.AppendUint64(b, math.Float64bits(v))
	}
	return b
}

// EncodePicture returns p as bytes: what the hash takes of it, and the JPEG.
func EncodePicture(p Picture) []byte {
	return append(appendHead(make([]byte, 0, headSize+len(p.JPEG)), &p), p.JPEG...)
}

// DecodePicture reads what EncodePicture wrote. What it returns does not share
// memory with b; whether its JPEG is one is for Sheet.Check to say.
func DecodePicture(b []byte) (Picture, error) {
	if len(b) < headSize || len(b) > headSize+MaxLargeJPG {
		return Picture{}, fmt.Errorf("sheet: a picture of %d bytes", len(b))
	}
	if int(b[9]) >= len(kinds) {
		return Picture{}, fmt.Errorf("sheet: a picture of kind %d", b[9])
	}
	var v [4]float64
	for i := range v {
		v[i] = math.Float64frombits(binary.BigEndian.Uint64(b[12+8*i:]))
	}
	p := Picture{At: footage.Ticks(binary.BigEndian.Uint64(b)), Subject: int(int8(b[8])), Kind: kinds[b[9]],
		Flags: mask.Flags(binary.BigEndian.Uint16(b[10:])), Rect: subject.Rect{X: v[0], Y: v[1], W: v[2], H: v[3]}, JPEG: slices.Clone(b[headSize:])}
	if err := p.check(); err != nil {
		return Picture{}, fmt.Errorf("sheet: %w", err)
	}
	return p, nil
}
