package serve

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"veilbox/redact/detect"
	"veilbox/redact/detect/detecttest"
	"veilbox/redact/subject"
)

func TestReadInput(t *testing.T) {
	for _, k := range []struct {
		m    detecttest.Model
		want Input
	}{
		{detecttest.Model{}, Input{3, 64, 64}},
		{detecttest.Model{Planes: 1, Side: 320}, Input{1, 320, 320}},
		{detecttest.Model{Open: true}, Input{3, 640, 640}},
	} {
		if got, err := ReadInput(k.m.Bytes()); err != nil || got != k.want {
			t.Errorf("%+v: %+v, %v", k.m, got, err)
		}
	}
	whole := detecttest.Model{}.Bytes()
	for name, b := range map[string][]byte{
		"empty":       nil,
		"text":        []byte("no model at all, but a letter"),
		"cut short":   whole[:len(whole)-1],
		"two planes":  detecttest.Model{Planes: 2}.Bytes(),
		"too small":   detecttest.Model{Side: 24}.Bytes(),
		"too large":   detecttest.Model{Side: 2056}.Bytes(),
		"half floats": detecttest.Model{Elem: 10}.Bytes(),
		"a group":     {0x0b},
		"long length": {0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
		"field 0":     {0x00, 0x00},
	} {
		if got, err := ReadInput(b); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func FuzzInput(f *testing.F) {
	f.Add(detecttest.Model{Side: 32, Planes: 1}.Bytes())
	f.Add(detecttest.Model{Open: true, Side: 32, Planes: 1, Rows: true}.Bytes())
	f.Add([]byte{0x3a, 0x02, 0x5a, 0x00})
	f.Fuzz(func(t *testing.T, b []byte) {
		in, err := ReadInput(b)
		if err == nil && (in.Planes != 1 && in.Planes != 3 || in.Width < 32 || in.Width > 2048 || in.Height < 32 || in.Height > 2048) {
			t.Fatalf("%+v", in)
		}
	})
}

type fake struct{ frames int }

func (f *fake) Frame(luma []byte, boxes []detect.Box) ([]detect.Box, error) {
	if f.frames++; luma[0] == 'x' {
		return boxes, errors.New("no such frame")
	}
	return append(boxes, detect.Box{Kind: detect.Face, Rect: subject.Rect{W: 1, H: 1}, Score: 1}), nil
}

func TestMainLoop(t *testing.T) {
	var in, out, errs bytes.Buffer
	if err := (detect.Header{Width: 32, Height: 32, Threshold: 0.5, Detail: 640, Threads: 1}).Write(&in); err != nil {
		t.Fatal(err)
	}
	header := in.Len()
	frame := bytes.Repeat([]byte("a"), 32*32)
	in.WriteString("F" + string(frame) + "F" + string(frame))
	whole := bytes.Clone(in.Bytes())
	e := &fake{}
	makes := func(h detect.Header, model, cascade []byte, _ Input) (Engine, string, error) {
		if h.Width != 32 || model != nil || cascade != nil {
			t.Errorf("%+v", h)
		}
		return e, "fake 1", nil
	}
	if code := Main([]string{"run"}, &in, &out, &errs, makes); code != 0 || e.frames != 2 || !bytes.HasPrefix(out.Bytes(), []byte("V\x00\x00\x06fake 1")) || out.Len() != 10+2*24 {
		t.Errorf("%d, %d frames, %q, %s", code, e.frames, out.Bytes(), &errs)
	}
	bad := func(detect.Header, []byte, []byte, Input) (Engine, string, error) { return nil, "", ErrModel }
	for name, k := range map[string]struct {
		in    string
		makes Maker
		out   string
	}{
		"no header":     {"", makes, "V"},
		"half a frame":  {string(whole[:header+10]), makes, "V\x00\x00\x06fake 1"},
		"another mark":  {string(whole[:header]) + "G", makes, "V\x00\x00\x06fake 1"},
		"no engine":     {string(whole), bad, "V\x02\x00"},
		"engine breaks": {string(whole[:header]) + "Fx" + string(frame[1:]), makes, "V\x00\x00\x06fake 1\x01\x00\x0dno such frame"},
	} {
		out.Reset()
		errs.Reset()
		if code := Main([]string{"run"}, strings.NewReader(k.in), &out, &errs, k.makes); code != 1 || !strings.HasPrefix(out.String(), k.out) || errs.Len() == 0 {
			t.Errorf("%s: %d, %q, %q", name, code, out.String(), errs.String())
		}
	}
	if code := Main(nil, nil, &out, &errs, makes); code != 2 {
		t.Errorf("without arguments: %d", code)
	}
}
