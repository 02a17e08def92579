package clip

import (
	"context"
	"slices"
	"testing"

	"veilbox/capture/footage"
	"veilbox/capture/ring"
)

// pattern is a source of parts whose bytes follow from their time.
type pattern struct{ parts []ring.PartInfo }

func (f pattern) Parts(context.Context, footage.CameraID, footage.Span) ([]ring.PartInfo, error) {
	return slices.Clone(f.parts), nil
}

func (f pattern) Read(_ context.Context, p ring.PartInfo) (*footage.Part, error) {
	data := make([]byte, p.Size)
	for i := range data {
		data[i] = byte(int64(p.Start)/900 + int64(i)*7)
	}
	return &footage.Part{Camera: p.Camera, Start: p.Start, Format: p.Format, Samples: p.Samples, Data: data}, nil
}

var (
	goldenH264 = footage.Format{Codec: footage.H264, Width: 640, Height: 360, Params: [][]byte{{0x67, 100, 0, 31, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb}, {0x68, 0xeb, 0xe3, 0xcb}}}
	goldenH265 = footage.Format{Codec: footage.H265, Width: 640, Height: 360, Params: [][]byte{
		{0x40, 1, 0xc, 1, 0xff}, {0x42, 1, 1, 1, 0x60, 0, 0, 3, 0, 0x90, 0, 0, 3, 0, 0, 3, 0, 0x3c, 0xa0, 0xa0, 0x08, 0x08, 0x05, 0xb9, 0x65, 0x95, 0x9a, 0x49, 0x32, 0xbc}, {0x44, 1, 0xc1, 0x72}}}
)

// The hash of a case's clip is in its signed record, so a clip of the same
// parts must stay the same byte for byte.
func TestClipsStayAsTheyWere(t *testing.T) {
	make := func(f footage.Format, reorder bool) []ring.PartInfo {
		var out []ring.PartInfo
		for i := range 8 {
			from := 1_000_000_000 + footage.Ticks(i)*second
			if i >= 5 {
				from += 7*second + 123
			}
			p := ring.PartInfo{Camera: "a", Start: from, End: from, Format: f, Continues: i == 2}
			for k := range 25 {
				s := footage.Sample{Size: uint32(100 + 13*k + i), Duration: frame, Key: k == 0 && i != 2}
				if i == 3 {
					s.Duration += uint32(k % 3)
				}
				if reorder {
					s.Offset = []int32{2 * frame, 4 * frame, frame}[k%3]
				}
				p.Samples = append(p.Samples, s)
				p.Size += int64(s.Size)
				p.End += footage.Ticks(s.Duration)
			}
			out = append(out, p)
		}
		return out
	}
	for name, c := range map[string]struct {
		parts []ring.PartInfo
		span  footage.Span
		want  string
	}{
		"H.264":           {make(goldenH264, false), footage.Span{From: 1_000_000_000, To: 1_000_000_000 + 100*second}, "4918afc3d61517fa34727c35a3db680b92d5242830287618bbff61ca6a88b54b"},
		"H.264 cut":       {make(goldenH264, false), footage.Span{From: 1_000_000_000 + 50_000, To: 1_000_000_000 + 13*second + 777}, "3ec3dcc2b567f2e325efcbfccf1bb449406c42bd00080a08ad2f73c4090b0798"},
		"H.264 reordered": {make(goldenH264, true), footage.Span{From: 1_000_000_000 + 50_000, To: 1_000_000_000 + 4*second + 777}, "7e3e27f9fd4f176e3a4e8de67c3dac9084ca1067298ad5f8ae6788caf8c0190f"},
		"H.265":           {make(goldenH265, true), footage.Span{From: 1_000_000_000 + 2*second, To: 1_000_000_000 + 3*second}, "da85f326822b3a3d28fa2b425e38c103ba1f0aafb12012fc5401fc3c41ca2e18"},
	} {
		m, err := Open(t.Context(), pattern{c.parts}, "a", c.span)
		if err != nil {
			t.Fatal(name, err)
		}
		h, err := m.Hash(t.Context())
		if err != nil || h.String() != c.want {
			t.Errorf("%s: %v, %v", name, h, err)
		}
	}
}
