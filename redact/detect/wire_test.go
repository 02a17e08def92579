package detect

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"

	"veilbox/redact/subject"
)

func TestHeader(t *testing.T) {
	good := Header{Width: 384, Height: 288, Threshold: 0.3, Detail: 1280, Threads: 2, Model: true, Cascade: true, Persons: []int{0, 7}, Faces: []int{999}}
	var b bytes.Buffer
	if err := good.Write(&b); err != nil || b.Len() != headerSize {
		t.Fatal(b.Len(), err)
	}
	got, err := ReadHeader(bytes.NewReader(b.Bytes()))
	if err != nil || !reflect.DeepEqual(got, good) {
		t.Errorf("%+v, %v", got, err)
	}
	for n := range headerSize {
		if _, err := ReadHeader(bytes.NewReader(b.Bytes()[:n])); err == nil {
			t.Errorf("%d bytes are a header", n)
		}
	}
	for name, change := range map[string]func(*Header){
		"too narrow":          func(h *Header) { h.Width = MinSide - 1 },
		"too high":            func(h *Header) { h.Height = MaxSide + 1 },
		"no threshold":        func(h *Header) { h.Threshold = 0 },
		"threshold over 1":    func(h *Header) { h.Threshold = 1.01 },
		"threshold no number": func(h *Header) { h.Threshold = float32(math.NaN()) },
		"no detail":           func(h *Header) { h.Detail = 255 },
		"detail too large":    func(h *Header) { h.Detail = MaxSide + 1 },
		"no thread":           func(h *Header) { h.Threads = 0 },
		"too many threads":    func(h *Header) { h.Threads = 65 },
		"classes, no model":   func(h *Header) { h.Model = false },
		"model, no classes":   func(h *Header) { h.Persons, h.Faces = nil, nil },
		"class too large":     func(h *Header) { h.Faces = []int{1000} },
		"too many classes":    func(h *Header) { h.Persons = make([]int, MaxClasses) },
	} {
		h := good
		change(&h)
		if h.check() == nil {
			t.Errorf("%s: fine by check", name)
		}
		b.Reset()
		if name == "too many classes" {
			continue // does not fit in a header
		}
		if err := h.Write(&b); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadHeader(&b); err == nil {
			t.Errorf("%s: fine by ReadHeader", name)
		}
	}
}

func TestOptionsDefaults(t *testing.T) {
	o := Options{Width: 64, Height: 64}
	h, err := o.header()
	if err != nil || h.Detail != 1280 || h.Threads != 1 || h.Threshold != 0.3 || h.Model || h.Persons != nil {
		t.Errorf("%+v, %v", h, err)
	}
	if _, err := (&Options{Width: 64, Height: 64, Persons: []int{1}}).header(); err == nil {
		t.Error("classes without a model")
	}
}

func raw(status byte, n int, boxes ...[]byte) []byte {
	return append([]byte{status, byte(n >> 8), byte(n)}, bytes.Join(boxes, nil)...)
}

func rawBox(kind byte, v ...float32) []byte {
	b := []byte{kind}
	for _, x := range v {
		b = binary.BigEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

func TestReply(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	good := rawBox(1, 0.25, 0.25, 0.5, 0.5, 0.75)
	for _, k := range []struct {
		name string
		in   []byte
		want []Box // nil: an error
	}{
		{"none", raw(0, 0), []Box{}},
		{"one", raw(0, 1, good), []Box{{Person, subject.Rect{X: 0.25, Y: 0.25, W: 0.5, H: 0.5}, 0.75}}},
		{"cut to the frame", raw(0, 1, rawBox(2, -0.5, 0.5, 1, 9, 1)), []Box{{Face, subject.Rect{X: 0, Y: 0.5, W: 0.5, H: 0.5}, 1}}},
		{"outside", raw(0, 2, rawBox(1, 2, 2, 1, 1, 1), good), []Box{{Person, subject.Rect{X: 0.25, Y: 0.25, W: 0.5, H: 0.5}, 0.75}}},
		{"nothing of it", raw(0, 1, rawBox(1, 0.5, 0.5, 0, 0, 1)), []Box{}},
		{"not a number", raw(0, 1, rawBox(1, nan, 0, 1, 1, 1)), nil},
		{"score not a number", raw(0, 1, rawBox(1, 0, 0, 1, 1, nan)), nil},
		{"without end", raw(0, 1, rawBox(1, 0, inf, 1, 1, 1)), nil},
		{"far away", raw(0, 1, rawBox(1, 1e30, 0, 1, 1, 1)), nil},
		{"negative size", raw(0, 1, rawBox(1, 0, 0, -1, 1, 1)), nil},
		{"score over 1", raw(0, 1, rawBox(1, 0, 0, 1, 1, 1.5)), nil},
		{"kind 0", raw(0, 1, rawBox(0, 0, 0, 1, 1, 1)), nil},
		{"kind 3", raw(0, 1, rawBox(3, 0, 0, 1, 1, 1)), nil},
		{"too many", raw(0, MaxBoxes+1, bytes.Repeat(good, MaxBoxes+1)), nil},
		{"cut short", raw(0, 2, good), nil},
		{"no status", nil, nil},
		{"status 9", raw(9, 0), nil},
		{"text too long", raw(1, maxText+1, make([]byte, maxText+1)), nil},
	} {
		var buf [MaxBoxes * boxSize]byte
		got, err := readReply(bytes.NewReader(k.in), []Box{}, &buf)
		if (err != nil) != (k.want == nil) || k.want != nil && !reflect.DeepEqual(got, k.want) {
			t.Errorf("%s: %v, %v", k.name, got, err)
		}
	}
	var b bytes.Buffer
	var buf [MaxBoxes * boxSize]byte
	if err := WriteReply(&b, nil, errors.New("bad\x1b[2J\nmodel")); err != nil {
		t.Fatal(err)
	}
	_, err := readReply(&b, nil, &buf)
	if no := (*refusal)(nil); !errors.As(err, &no) || no.text != "bad?[2J model" || no.model {
		t.Errorf("%v", err)
	}
	if err := WriteHello(&b, "", errors.New(strings.Repeat("x", 5000)), true); err != nil {
		t.Fatal(err)
	}
	_, err = readHello(&b)
	if no := (*refusal)(nil); !errors.As(err, &no) || len(no.text) != maxText || !no.model {
		t.Errorf("%v", err)
	}
	many := make([]Box, MaxBoxes+9)
	for i := range many {
		many[i] = Box{Person, subject.Rect{W: 1, H: 1}, 0.5}
	}
	b.Reset()
	if err := WriteReply(&b, many, nil); err != nil {
		t.Fatal(err)
	}
	if got, err := readReply(&b, nil, &buf); err != nil || len(got) != MaxBoxes || b.Len() != 0 {
		t.Errorf("%d boxes, %d bytes over, %v", len(got), b.Len(), err)
	}
}

func FuzzReply(f *testing.F) {
	f.Add(raw(0, 1, rawBox(1, 0.25, 0.25, 0.5, 0.5, 0.75)))
	f.Add(raw(0, 2, rawBox(2, -0.25, 0.25, 5, 0.5, 0), rawBox(1, 0.9999, 0, 1, 1, 1)))
	f.Add(raw(2, 5, []byte("wrong")))
	f.Add(raw(0, 300))
	f.Fuzz(func(t *testing.T, in []byte) {
		var buf [MaxBoxes * boxSize]byte
		boxes, err := readReply(bytes.NewReader(in), nil, &buf)
		if len(boxes) > MaxBoxes {
			t.Fatalf("%d boxes", len(boxes))
		}
		for _, b := range boxes {
			r := b.Rect
			if !(r.X >= 0 && r.Y >= 0 && r.W >= subject.MinSide && r.H >= subject.MinSide && r.X+r.W <= 1+1e-9 && r.Y+r.H <= 1+1e-9 && b.Score >= 0 && b.Score <= 1) || b.Kind != Person && b.Kind != Face {
				t.Fatalf("%+v", b)
			}
		}
		no := (*refusal)(nil)
		if errors.As(err, &no) && (len(no.text) > maxText || strings.ContainsFunc(no.text, func(r rune) bool { return r < ' ' || r > '~' })) {
			t.Fatalf("%q", no.text)
		}
		// A hello takes the same bytes or says why not.
		if s, err := readHello(bytes.NewReader(in)); err == nil && len(s) > maxText {
			t.Fatalf("%q", s)
		}
	})
}

func FuzzHeader(f *testing.F) {
	for _, h := range []Header{{Width: 64, Height: 64, Threshold: 0.3, Detail: 1280, Threads: 1},
		{Width: 384, Height: 288, Threshold: 1, Detail: 256, Threads: 64, Model: true, Cascade: true, Persons: []int{0, 7}, Faces: []int{999}}} {
		var b bytes.Buffer
		if err := h.Write(&b); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		h, err := ReadHeader(bytes.NewReader(in))
		if err != nil {
			return
		}
		if err := h.check(); err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := h.Write(&b); err != nil {
			t.Fatal(err)
		}
		if again, err := ReadHeader(&b); err != nil || !reflect.DeepEqual(again, h) {
			t.Fatalf("%+v becomes %+v, %v", h, again, err)
		}
	})
}

func TestReadFrame(t *testing.T) {
	luma := make([]byte, 4)
	r := bytes.NewReader([]byte("F1234F56"))
	if err := ReadFrame(r, luma); err != nil || string(luma) != "1234" {
		t.Errorf("%q, %v", luma, err)
	}
	if err := ReadFrame(r, luma); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v", err)
	}
	if err := ReadFrame(r, luma); !errors.Is(err, io.EOF) {
		t.Errorf("%v", err)
	}
	if err := ReadFrame(strings.NewReader("G1234"), luma); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("%v", err)
	}
}
