package proof

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"

	"veilbox/capture/footage"
	"veilbox/redact/codec"
)

func TestParameters(t *testing.T) {
	f := footage.Format{Codec: footage.H264, Width: 64, Height: 32, Params: [][]byte{sps, pps}}
	p, err := parameters(f)
	if err != nil || p.blocks != 8 || p.pps != 0 {
		t.Fatalf("%+v, %v", p, err)
	}
	for _, tc := range []struct {
		name     string
		sps, pps []byte
		want     string
	}{
		{"bytes behind the SPS", append(slices.Clone(sps), 'h', 'i'), pps, "follows"},
		{"bytes behind the PPS", sps, append(slices.Clone(pps), 0x80), "follows"},
		{"a bit behind the SPS", append(slices.Clone(sps[:19]), sps[19]|1), pps, "follows"},
		{"an SPS that ends early", sps[:18], pps, "follow"},
		{"a long SPS", append(slices.Clone(sps), bytes.Repeat([]byte{1}, 64)...), pps, "bytes, at most"},
		{"zeros behind the SPS", append(slices.Clone(sps), 0, 0, 3), pps, "zeros follow"},
		{"another profile", append([]byte{0x67, 110}, sps[2:]...), pps, "profile 110"},
		{"10 bits", append([]byte{0x67, 100, 0x10, 0x0a, 0xa6}, sps[5:]...), pps, "8 bits"},
		{"groups of slices", sps, []byte{0x68, 0xe4, 0x0f, 0xcb}, "groups"},
		{"not an SPS", pps, pps, "bytes, at most"},
		{"not a PPS", sps, sps, "bytes, at most"},
	} {
		f.Params = [][]byte{tc.sps, tc.pps}
		if _, err := parameters(f); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
	}
	f.Params, f.Height = [][]byte{sps, pps}, 34
	if _, err := parameters(f); err == nil || !strings.Contains(err.Error(), "crops") {
		t.Errorf("another size than in the SPS: %v", err)
	}
}

func TestEscaped(t *testing.T) {
	for _, tc := range []struct {
		nal string
		ok  bool
	}{
		{"\x65\x01", true},
		{"\x65\x00\x00\x03\x01", true},
		{"\x65\x00\x00\x03\x00\x00\x03\x00\x80", true},
		{"\x65\x00\x00\x05\x80", true},
		{"\x65\x80\x00", false},
		{"\x65\x80\x00\x00\x03", false},
		{"\x65\x00\x00\x03\x04", false},
		{"\x65\x00\x00\x01\x80", false},
		{"\x65\x00\x00\x00\x80", false},
		{"\x65\x00\x00\x02\x80", false},
	} {
		if err := escaped([]byte(tc.nal)); (err == nil) != tc.ok {
			t.Errorf("%x: %v", tc.nal, err)
		}
	}
}

// What encoders write is taken, in sizes that are cropped and such that are not.
func TestParametersOfEncoders(t *testing.T) {
	tools, err := codec.Find("")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		w, h   int
		e      codec.Encoder
		rate   float64
		aspect string
	}{
		{640, 360, codec.Encoder{}, 25, ""},
		{1366, 768, codec.Encoder{Preset: "ultrafast"}, 12.5, "16/11"},
		{1920, 1080, codec.Encoder{Preset: "medium"}, 29.97, ""},
		{352, 288, codec.Encoder{Preset: "slower", Threads: 4}, 5, "12/11"},
		{18, 34, codec.Encoder{Quality: 1}, 240, ""},
	} {
		c := &coded{format: footage.Format{Codec: footage.H264, Width: tc.w, Height: tc.h}}
		enc, err := tools.Encode(context.Background(), tc.e, tc.w, tc.h, tc.rate, tc.aspect, c.take)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := enc.Write(room(tc.w, tc.h)); err != nil {
				t.Fatal(err)
			}
		}
		err = enc.Finish()
		enc.Abort()
		if err != nil {
			t.Fatal(err)
		}
		file := c.file(t)
		s, err := Walk(bytes.NewReader(file), int64(len(file)))
		if err == nil {
			err = Units(bytes.NewReader(file), s)
		}
		if err != nil || len(s.Samples) != 3 {
			t.Errorf("%dx%d with %+v: %v; SPS %x, PPS %x", tc.w, tc.h, tc.e, err, c.format.Params[0], c.format.Params[1])
		}
	}
}
