package codec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"veilbox/internal/problem"
)

// NAL unit types, ITU-T H.264 table 7-1.
const (
	nalSlice = 1
	nalIDR   = 5
	nalSPS   = 7
	nalPPS   = 8
)

const maxUnit = 32 << 20 // bytes of an access unit

// A Unit is one coded picture. Its bytes are good until sink returns.
type Unit struct {
	Key      bool
	SPS, PPS []byte // nil where the picture brings none
	// Data is the slices, each behind its length as 4 bytes, big endian.
	Data []byte
}

// Split reads an H.264 byte stream (ITU-T H.264 annex B) and calls sink with
// each picture. Only slices and parameter sets are kept: delimiters, filler and
// what an encoder tells about itself (SEI) are left out.
func Split(r io.Reader, sink func(*Unit) error) error {
	var u Unit
	var sps, pps []byte
	flush := func() error {
		if len(u.Data) == 0 {
			return nil
		}
		err := sink(&u)
		u = Unit{Data: u.Data[:0]}
		return err
	}
	nal := func(b []byte) error {
		if len(b) < 2 {
			return nil
		}
		switch b[0] & 0x1f {
		case nalSPS:
			if err := flush(); err != nil {
				return err
			}
			sps = append(sps[:0], b...)
			u.SPS = sps
		case nalPPS:
			if err := flush(); err != nil {
				return err
			}
			pps = append(pps[:0], b...)
			u.PPS = pps
		case nalSlice, nalIDR:
			// first_mb_in_slice is 0, coded as a single 1, in a picture's first slice.
			if b[1]&0x80 != 0 {
				if err := flush(); err != nil {
					return err
				}
			}
			if len(u.Data)+len(b) > maxUnit {
				return NoEncoder.With(fmt.Errorf("codec: a picture of over %d bytes", maxUnit))
			}
			u.Key = u.Key || b[0]&0x1f == nalIDR
			u.Data = binary.BigEndian.AppendUint32(u.Data, uint32(len(b)))
			u.Data = append(u.Data, b...)
		}
		return nil
	}
	if err := nals(r, nal); err != nil {
		return err
	}
	return flush()
}

// nals calls fn with each NAL unit of a byte stream, without its start code and
// without the zeros around it.
func nals(r io.Reader, fn func([]byte) error) error {
	start := []byte{0, 0, 1}
	buf := make([]byte, 0, 256<<10)
	begun, scan := false, 0 // buf begins a unit; up to scan there is no start code
	for {
		if len(buf) == cap(buf) {
			if cap(buf) > maxUnit {
				return NoEncoder.With(fmt.Errorf("codec: a NAL unit of over %d bytes", maxUnit))
			}
			buf = append(make([]byte, 0, 2*cap(buf)), buf...)
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		at := 0
		for {
			i := bytes.Index(buf[max(at, scan):], start)
			if i < 0 {
				break
			}
			i += max(at, scan)
			if begun {
				if err := fn(bytes.TrimRight(buf[at:i], "\x00")); err != nil {
					return err
				}
			}
			begun, at, scan = true, i+3, 0
		}
		buf = append(buf[:0], buf[at:]...)
		scan = max(0, len(buf)-2)
		if errors.Is(err, io.EOF) {
			if begun {
				return fn(bytes.TrimRight(buf, "\x00"))
			}
			return nil
		}
		if err != nil {
			var p *problem.Problem
			if errors.As(err, &p) {
				return err
			}
			return fmt.Errorf("codec: encoder's output: %w", err)
		}
	}
}
