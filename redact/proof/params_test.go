package proof

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"veilbox/capture/footage"
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
