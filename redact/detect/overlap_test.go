package detect

import (
	"math"
	"reflect"
	"testing"

	"veilbox/redact/subject"
)

func TestJudge(t *testing.T) {
	region := subject.Rect{X: 0.4, Y: 0.2, W: 0.1, H: 0.4}
	person := func(x, y, w, h float64) Box { return Box{Person, subject.Rect{X: x, Y: y, W: w, H: h}, 0.8} }
	face := func(x, y float64, s float32) Box {
		return Box{Face, subject.Rect{X: x, Y: y, W: 0.02, H: 0.03}, s}
	}
	for _, k := range []struct {
		name   string
		boxes  []Box
		region subject.Rect
		want   Judgement
	}{
		{"nobody", nil, region, Judgement{-1, -1, nil}},
		{"alone", []Box{person(0.41, 0.2, 0.09, 0.38)}, region, Judgement{0, -1, nil}},
		{"somebody apart", []Box{person(0.7, 0.2, 0.1, 0.4), person(0.4, 0.2, 0.1, 0.4)}, region, Judgement{1, -1, nil}},
		{"they touch", []Box{person(0.4, 0.2, 0.1, 0.4), person(0.498, 0.2, 0.1, 0.4)}, region, Judgement{0, -1, nil}},
		{"somebody behind", []Box{person(0.45, 0.22, 0.1, 0.4), person(0.4, 0.2, 0.1, 0.4)}, region, Judgement{1, -1, []int{0}}},
		{"a child in front", []Box{person(0.4, 0.2, 0.1, 0.4), person(0.43, 0.45, 0.04, 0.15)}, region, Judgement{0, -1, []int{1}}},
		{"somebody else alone", []Box{person(0.48, 0.3, 0.1, 0.4)}, region, Judgement{-1, -1, []int{0}}},
		{"a crowd around a small region", []Box{person(0.1, 0.1, 0.8, 0.8)}, region, Judgement{-1, -1, []int{0}}},
		{"own face", []Box{person(0.4, 0.2, 0.1, 0.4), face(0.44, 0.22, 0.6)}, region, Judgement{0, 1, nil}},
		{"own face, no person", []Box{face(0.44, 0.22, 0.6)}, region, Judgement{-1, 0, nil}},
		{"two faces", []Box{face(0.42, 0.22, 0.6), face(0.46, 0.24, 0.9), person(0.4, 0.2, 0.1, 0.4)}, region, Judgement{2, 1, []int{0}}},
		{"a face at the knee", []Box{person(0.4, 0.2, 0.1, 0.4), face(0.44, 0.5, 0.6)}, region, Judgement{0, -1, []int{1}}},
		{"no region", []Box{person(0.4, 0.2, 0.1, 0.4)}, subject.Rect{}, Judgement{-1, -1, nil}},
	} {
		if got := Judge(k.boxes, k.region); !reflect.DeepEqual(got, k.want) {
			t.Errorf("%s: %+v, want %+v", k.name, got, k.want)
		}
	}
}

func TestIoU(t *testing.T) {
	a := subject.Rect{X: 0, Y: 0, W: 0.4, H: 0.4}
	for _, k := range []struct {
		b    subject.Rect
		want float64
	}{
		{a, 1},
		{subject.Rect{X: 0.2, Y: 0, W: 0.4, H: 0.4}, 1. / 3},
		{subject.Rect{X: 0.4, Y: 0, W: 0.4, H: 0.4}, 0},
		{subject.Rect{X: 0.9, Y: 0.9, W: 0.1, H: 0.1}, 0},
		{subject.Rect{}, 0},
	} {
		if got := IoU(a, k.b); math.Abs(got-k.want) > 1e-12 {
			t.Errorf("%v: %g, want %g", k.b, got, k.want)
		}
	}
	if got := IoU(subject.Rect{}, subject.Rect{}); got != 0 {
		t.Errorf("of nothing: %g", got)
	}
}
