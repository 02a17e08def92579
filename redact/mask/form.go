package mask

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"veilbox/capture/footage"
	"veilbox/redact/shape"
	"veilbox/redact/subject"
)

const (
	magic    = "veilbox mask 2\n"
	sameMark = math.MaxUint32
)

// Encode returns the canonical form.
func (m *Mask) Encode() []byte {
	b := make([]byte, 0, 256+len(m.Frames)*(64+256*m.Subjects))
	b = append(b, magic...)
	for _, v := range []int{m.Grid.W, m.Grid.H, m.Grid.Block, m.Cell} {
		b = binary.BigEndian.AppendUint32(b, uint32(v))
	}
	b = append(b, byte(m.Mode), byte(m.Subjects), bit(m.Still), bit(m.Sound))
	b = append(b, m.Scene[:]...)
	b = append(b, bit(m.Stamp != nil))
	if s := m.Stamp; s != nil {
		b = binary.BigEndian.AppendUint64(b, uint64(s.Start.UnixMilli()))
		b = binary.BigEndian.AppendUint16(b, uint16(len(s.Place)))
		b = append(b, s.Place...)
	}
	b = append(b, byte(len(m.Veiled)))
	for _, r := range m.Veiled {
		for _, v := range []float64{r.X, r.Y, r.W, r.H} {
			b = binary.BigEndian.AppendUint64(b, math.Float64bits(v))
		}
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(m.Frames)))
	for i := range m.Frames {
		f := &m.Frames[i]
		var last *Frame
		if i > 0 {
			last = &m.Frames[i-1]
		}
		b = binary.BigEndian.AppendUint64(b, uint64(f.At))
		for k, s := range f.Subjects {
			b = append(b, byte(s.State), byte(s.Reason), s.Confidence)
			b = binary.BigEndian.AppendUint16(b, uint16(s.Flags))
			var was shape.Shape
			if last != nil {
				was = last.Subjects[k].Shape
			}
			b = appendShape(b, s.Shape, was)
		}
		var was shape.Shape
		if last != nil {
			was = last.Painted
		}
		b = appendShape(b, f.Painted, was)
	}
	return b
}

func bit(v bool) byte {
	if v {
		return 1
	}
	return 0
}

func appendShape(b []byte, s, was shape.Shape) []byte {
	if !s.Empty() && s.Equal(was) {
		return binary.BigEndian.AppendUint32(b, sameMark)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	for _, r := range s {
		b = binary.BigEndian.AppendUint16(b, r.Row)
		b = binary.BigEndian.AppendUint16(b, r.From)
		b = binary.BigEndian.AppendUint16(b, r.To)
	}
	return b
}

var (
	errShort = errors.New("mask: the file ends too early: make it anew")
	errForm  = errors.New("mask: it is not in its one form: make it anew")
)

// A reader takes numbers off a canonical form; after its end they are zero and
// short is set.
type reader struct {
	b     []byte
	short bool
}

func (r *reader) take(n int) []byte {
	if len(r.b) < n {
		r.short, r.b = true, nil
		return make([]byte, min(n, 64))
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) u8() uint8   { return r.take(1)[0] }
func (r *reader) u16() uint16 { return binary.BigEndian.Uint16(r.take(2)) }
func (r *reader) u32() uint32 { return binary.BigEndian.Uint32(r.take(4)) }
func (r *reader) u64() uint64 { return binary.BigEndian.Uint64(r.take(8)) }

// Decode reads a canonical form and refuses any other.
func Decode(b []byte) (*Mask, error) {
	if len(b) > MaxSize {
		return nil, fmt.Errorf("mask: %d bytes, at most %d", len(b), MaxSize)
	}
	rest, ok := bytes.CutPrefix(b, []byte(magic))
	if !ok {
		return nil, errors.New("mask: it is no mask of this version: make it anew")
	}
	r := &reader{b: rest}
	m, n, err := r.head()
	if err != nil {
		return nil, err
	}
	if err := r.frames(m, n); err != nil {
		return nil, err
	}
	if r.short {
		return nil, errShort
	}
	if len(r.b) != 0 {
		return nil, errors.New("mask: something follows the last frame: make it anew")
	}
	if err := m.Check(); err != nil {
		return nil, err
	}
	return m, nil
}

func (r *reader) head() (*Mask, int, error) {
	m := &Mask{}
	m.Grid = shape.Grid{W: int(r.u32()), H: int(r.u32()), Block: int(r.u32())}
	m.Cell = int(r.u32())
	m.Mode, m.Subjects = subject.Mode(r.u8()), int(r.u8())
	still, sound := r.u8(), r.u8()
	m.Still, m.Sound = still == 1, sound == 1
	copy(m.Scene[:], r.take(32))
	stamp := r.u8()
	if still > 1 || sound > 1 || stamp > 1 {
		return nil, 0, errForm
	}
	if stamp == 1 {
		at := int64(r.u64())
		m.Stamp = &Stamp{Start: time.UnixMilli(at).UTC(), Place: string(r.take(int(r.u16())))}
	}
	veiled := int(r.u8())
	if veiled > subject.MaxVeiled || m.Subjects > subject.MaxSubjects {
		return nil, 0, fmt.Errorf("mask: %d subjects and %d regions that are always veiled", m.Subjects, veiled)
	}
	for range veiled {
		var v [4]float64
		for j := range v {
			v[j] = math.Float64frombits(r.u64())
		}
		m.Veiled = append(m.Veiled, subject.Rect{X: v[0], Y: v[1], W: v[2], H: v[3]})
	}
	n := r.u32()
	least := 8 + 4 + 9*m.Subjects
	if r.short {
		return nil, 0, errShort
	}
	if err := m.Grid.Check(); err != nil {
		return nil, 0, fmt.Errorf("mask: %w", err)
	}
	if n == 0 || n > MaxFrames || len(r.b)/least < int(n) {
		return nil, 0, fmt.Errorf("mask: %d frames in %d bytes", n, len(r.b))
	}
	return m, int(n), nil
}

func (r *reader) frames(m *Mask, n int) error {
	m.Frames = make([]Frame, n)
	seen := make([]Seen, n*m.Subjects)
	most := m.Grid.Rows() * (m.Grid.Cols()/2 + 1)
	for i := range m.Frames {
		f := &m.Frames[i]
		f.At = footage.Ticks(r.u64())
		f.Subjects = seen[i*m.Subjects : (i+1)*m.Subjects : (i+1)*m.Subjects]
		for k := range f.Subjects {
			s := &f.Subjects[k]
			s.State, s.Reason, s.Confidence, s.Flags = State(r.u8()), Reason(r.u8()), r.u8(), Flags(r.u16())
			var was shape.Shape
			if i > 0 {
				was = m.Frames[i-1].Subjects[k].Shape
			}
			var err error
			if s.Shape, err = r.shape(was, most); err != nil {
				return err
			}
		}
		var was shape.Shape
		if i > 0 {
			was = m.Frames[i-1].Painted
		}
		var err error
		if f.Painted, err = r.shape(was, most); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) shape(was shape.Shape, most int) (shape.Shape, error) {
	n := r.u32()
	if n == sameMark {
		if was.Empty() {
			return nil, errForm
		}
		return was, nil
	}
	if int64(n) > int64(most) || len(r.b) < 6*int(n) {
		return nil, errShort
	}
	if n == 0 {
		return nil, nil
	}
	s := make(shape.Shape, n)
	for i := range s {
		s[i] = shape.Run{Row: r.u16(), From: r.u16(), To: r.u16()}
	}
	if s.Equal(was) {
		return nil, errForm
	}
	return s, nil
}
