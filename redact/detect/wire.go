package detect

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"

	"veilbox/redact/subject"
)

// The wire, all numbers big endian. To the child: a header of headerSize bytes,
// then per frame a byte frameMark and width x height samples; it ends with the
// pipe. From the child: the greeting, a byte that says that it runs, after the
// header one hello, then a reply per frame. Both begin with a status; a hello, and a reply that is an error, go on with a length (uint16, at
// most maxText) and a text; a reply with boxes with their count (uint16) and
// boxSize bytes each: kind, x, y, w, h, score (float32).
const (
	headerSize = 64
	magic      = "VDET"
	version    = 1
	greeting   = 'V'
	frameMark  = 'F'
	maxText    = 1024
	boxSize    = 21

	statusOK    = 0
	statusError = 1
	statusModel = 2 // an error that is the model's
)

// A Header is what the child is told before the first frame. A model comes as
// file 3, a cascade as the next one.
type Header struct {
	Width, Height  int
	Threshold      float32
	Detail         int
	Threads        int
	Model, Cascade bool
	Persons, Faces []int
}

func (h Header) check() error {
	switch {
	case h.Width < MinSide || h.Width > MaxSide || h.Height < MinSide || h.Height > MaxSide:
		return fmt.Errorf("detect: a frame of %dx%d: give %d to %d samples each way", h.Width, h.Height, MinSide, MaxSide)
	case !(h.Threshold > 0 && h.Threshold <= 1):
		return fmt.Errorf("detect: a threshold of %g: give more than 0, at most 1", h.Threshold)
	case h.Detail < 256 || h.Detail > MaxSide:
		return fmt.Errorf("detect: a detail of %d: give 256 to %d", h.Detail, MaxSide)
	case h.Threads < 1 || h.Threads > 64:
		return fmt.Errorf("detect: %d threads: give 1 to 64", h.Threads)
	case len(h.Persons)+len(h.Faces) > MaxClasses:
		return fmt.Errorf("detect: %d classes: give at most %d", len(h.Persons)+len(h.Faces), MaxClasses)
	case h.Model != (len(h.Persons)+len(h.Faces) > 0):
		return fmt.Errorf("detect: classes go with a model, and a model with classes")
	}
	for _, c := range append(slices.Clone(h.Persons), h.Faces...) {
		if c < 0 || c > 999 {
			return fmt.Errorf("detect: class %d: give 0 to 999", c)
		}
	}
	return nil
}

// Write sends h.
func (h Header) Write(w io.Writer) error {
	var b [headerSize]byte
	copy(b[:], magic)
	b[4] = version
	if h.Model {
		b[5] |= 1
	}
	if h.Cascade {
		b[5] |= 2
	}
	binary.BigEndian.PutUint16(b[6:], uint16(h.Width))
	binary.BigEndian.PutUint16(b[8:], uint16(h.Height))
	binary.BigEndian.PutUint32(b[10:], math.Float32bits(h.Threshold))
	binary.BigEndian.PutUint16(b[14:], uint16(h.Detail))
	b[16], b[17], b[18] = byte(h.Threads), byte(len(h.Persons)), byte(len(h.Faces))
	for i, c := range append(slices.Clone(h.Persons), h.Faces...) {
		binary.BigEndian.PutUint16(b[20+2*i:], uint16(c))
	}
	_, err := w.Write(b[:])
	return err
}

// ReadHeader reads what Write sent.
func ReadHeader(r io.Reader) (Header, error) {
	var b [headerSize]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return Header{}, fmt.Errorf("detect: header: %w", err)
	}
	if string(b[:4]) != magic || b[4] != version || b[5] > 3 {
		return Header{}, fmt.Errorf("detect: no header of version %d: veil-redact and veil-detect are not of one release; install both anew", version)
	}
	h := Header{Width: int(binary.BigEndian.Uint16(b[6:])), Height: int(binary.BigEndian.Uint16(b[8:])),
		Threshold: math.Float32frombits(binary.BigEndian.Uint32(b[10:])), Detail: int(binary.BigEndian.Uint16(b[14:])),
		Threads: int(b[16]), Model: b[5]&1 != 0, Cascade: b[5]&2 != 0}
	persons, faces := int(b[17]), int(b[18])
	if persons+faces > MaxClasses {
		return Header{}, fmt.Errorf("detect: header: %d classes", persons+faces)
	}
	for i := range persons + faces {
		c := int(binary.BigEndian.Uint16(b[20+2*i:]))
		if i < persons {
			h.Persons = append(h.Persons, c)
		} else {
			h.Faces = append(h.Faces, c)
		}
	}
	return h, h.check()
}

// ReadFrame reads the next frame into luma. It returns io.EOF at the end.
func ReadFrame(r io.Reader, luma []byte) error {
	var mark [1]byte
	if _, err := io.ReadFull(r, mark[:]); err != nil {
		return err
	}
	if mark[0] != frameMark {
		return fmt.Errorf("detect: a frame begins with %#x", mark[0])
	}
	if _, err := io.ReadFull(r, luma); err != nil {
		return fmt.Errorf("detect: frame: %w", err)
	}
	return nil
}

// WriteGreeting says that the child runs, before it has read anything.
func WriteGreeting(w io.Writer) error {
	_, err := w.Write([]byte{greeting})
	return err
}

func readGreeting(r io.Reader) error {
	var b [1]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return err
	}
	if b[0] != greeting {
		return fmt.Errorf("it greets with %#x", b[0])
	}
	return nil
}

// WriteHello says that the child is ready, or why not. model says that the
// cause lies in the model.
func WriteHello(w io.Writer, ready string, err error, model bool) error {
	switch {
	case err == nil:
		return writeText(w, statusOK, ready)
	case model:
		return writeText(w, statusModel, err.Error())
	}
	return writeText(w, statusError, err.Error())
}

// WriteReply sends what was found in a frame, or why nothing could be. Boxes
// past MaxBoxes are left out.
func WriteReply(w io.Writer, boxes []Box, err error) error {
	if err != nil {
		return writeText(w, statusError, err.Error())
	}
	boxes = boxes[:min(len(boxes), MaxBoxes)]
	b := make([]byte, 3, 3+len(boxes)*boxSize)
	binary.BigEndian.PutUint16(b[1:], uint16(len(boxes)))
	for _, x := range boxes {
		b = append(b, byte(x.Kind))
		for _, v := range []float32{float32(x.Rect.X), float32(x.Rect.Y), float32(x.Rect.W), float32(x.Rect.H), x.Score} {
			b = binary.BigEndian.AppendUint32(b, math.Float32bits(v))
		}
	}
	_, err = w.Write(b)
	return err
}

func writeText(w io.Writer, status byte, s string) error {
	s = s[:min(len(s), maxText)]
	_, err := w.Write(append([]byte{status, byte(len(s) >> 8), byte(len(s))}, s...))
	return err
}

// A refusal is a text of the child in place of an answer.
type refusal struct {
	text  string
	model bool
}

func (r *refusal) Error() string { return r.text }

func readText(r io.Reader, status byte, length uint16) (string, error) {
	if status > statusModel {
		return "", fmt.Errorf("status %d", status)
	}
	if length > maxText {
		return "", fmt.Errorf("a text of %d bytes", length)
	}
	b := make([]byte, length)
	if _, err := io.ReadFull(r, b); err != nil {
		return "", err
	}
	return clean(b), nil
}

func readHello(r io.Reader) (string, error) {
	var b [3]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return "", err
	}
	s, err := readText(r, b[0], binary.BigEndian.Uint16(b[1:]))
	if err == nil && b[0] != statusOK {
		err = &refusal{s, b[0] == statusModel}
	}
	return s, err
}

// readReply appends the boxes of one reply to boxes. buf has room for the
// largest.
func readReply(r io.Reader, boxes []Box, buf *[MaxBoxes * boxSize]byte) ([]Box, error) {
	var b [3]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return boxes, err
	}
	n := binary.BigEndian.Uint16(b[1:])
	if b[0] != statusOK {
		s, err := readText(r, b[0], n)
		if err == nil {
			err = &refusal{text: s, model: b[0] == statusModel}
		}
		return boxes, err
	}
	if n > MaxBoxes {
		return boxes, fmt.Errorf("%d boxes, at most %d", n, MaxBoxes)
	}
	all := buf[:int(n)*boxSize]
	if _, err := io.ReadFull(r, all); err != nil {
		return boxes, err
	}
	for ; len(all) > 0; all = all[boxSize:] {
		x, ok, err := readBox(all)
		if err != nil {
			return boxes, err
		}
		if ok {
			boxes = append(boxes, x)
		}
	}
	return boxes, nil
}

// readBox reads one box and cuts it to the frame; not ok is one of which nothing
// is left.
func readBox(b []byte) (x Box, ok bool, err error) {
	var v [5]float64
	for i := range v {
		v[i] = float64(math.Float32frombits(binary.BigEndian.Uint32(b[1+4*i:])))
		if math.IsNaN(v[i]) || math.Abs(v[i]) > 1e6 {
			return Box{}, false, fmt.Errorf("a box has the number %g", v[i])
		}
	}
	x.Kind = Kind(b[0])
	if x.Kind != Person && x.Kind != Face {
		return Box{}, false, fmt.Errorf("a box has %v", x.Kind)
	}
	if v[2] < 0 || v[3] < 0 || v[4] < 0 || v[4] > 1 {
		return Box{}, false, fmt.Errorf("a box of %g by %g has the score %g", v[2], v[3], v[4])
	}
	x.Score = float32(v[4])
	x.Rect, ok = cut(v[0], v[1], v[0]+v[2], v[1]+v[3])
	return x, ok, nil
}

// cut returns the part within the frame, or not ok for less than a subject may
// be.
func cut(x0, y0, x1, y1 float64) (subject.Rect, bool) {
	x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, 1), min(y1, 1)
	r := subject.Rect{X: x0, Y: y0, W: x1 - x0, H: y1 - y0}
	return r, r.W >= subject.MinSide && r.H >= subject.MinSide
}

// clean returns b as one line of plain ASCII: it may quote a model.
func clean(b []byte) string {
	out := make([]byte, 0, len(b))
	for _, c := range b {
		switch {
		case c == '\n' || c == '\r' || c == '\t':
			c = ' '
		case c < ' ' || c > '~':
			c = '?'
		}
		out = append(out, c)
	}
	return string(out)
}
