package mp4

import (
	"bytes"
	"errors"
	"iter"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	lib "github.com/Eyevinn/mp4ff/mp4"

	"veilbox/capture/footage"
	"veilbox/capture/mp4/mp4test"
)

func chunksOf(parts []*footage.Part) iter.Seq[[]footage.Sample] {
	return func(yield func([]footage.Sample) bool) {
		for _, p := range parts {
			if !yield(p.Samples) {
				return
			}
		}
	}
}

func write(t *testing.T, header []byte, parts []*footage.Part) string {
	t.Helper()
	for _, p := range parts {
		header = append(header, p.Data...)
	}
	path := filepath.Join(t.TempDir(), "x.mp4")
	if err := os.WriteFile(path, header, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPlayersAgree(t *testing.T) {
	for _, codec := range []footage.Codec{footage.H264, footage.H265} {
		t.Run(codec.String(), func(t *testing.T) {
			parts := mp4test.Parts(t, codec, "till-1", 1, 3)
			header, size, err := Header(parts[0].Format, chunksOf(parts), Options{})
			if err != nil {
				t.Fatal(err)
			}
			path := write(t, header, parts)
			if info, _ := os.Stat(path); info.Size() != int64(len(header))+size {
				t.Errorf("the file has %d bytes, Header says %d", info.Size(), int64(len(header))+size)
			}
			want := map[footage.Codec]string{footage.H264: "codec_tag_string=avc1", footage.H265: "codec_tag_string=hvc1"}[codec] +
				"\nwidth=320\nheight=240\npix_fmt=yuv420p\nr_frame_rate=25/1\ntime_base=1/90000\nnb_read_packets=75\nduration=3.000000\nTAG:compatible_brands=isomiso2"
			got := mp4test.Probe(t, path, "stream=codec_tag_string,width,height,pix_fmt,r_frame_rate,time_base,nb_read_packets:format=duration:format_tags=compatible_brands")
			if !strings.HasPrefix(got, want) {
				t.Errorf("ffprobe says\n%s\nwant\n%s", got, want)
			}
			whole := mp4test.FrameHashes(t, path)
			if len(whole) != 75 {
				t.Fatalf("%d pictures decoded, want 75", len(whole))
			}

			edited, _, err := Header(parts[0].Format, chunksOf(parts), Options{EditStart: 10 * 3600, EditDuration: 40 * 3600})
			if err != nil {
				t.Fatal(err)
			}
			path = write(t, edited, parts)
			if got := mp4test.FrameHashes(t, path); !slices.Equal(got, whole[10:50]) {
				t.Errorf("the edit shows %d pictures, want 40 of them the 11th to the 50th", len(got))
			}
			if got := mp4test.Probe(t, path, "format=duration"); got != "duration=1.600000" {
				t.Errorf("the edit lasts %s", got)
			}
		})
	}
}

func TestSaysNothingOfItsMaking(t *testing.T) {
	parts := mp4test.Parts(t, footage.H264, "till-1", 1, 1)
	header, _, err := Header(parts[0].Format, chunksOf(parts), Options{EditStart: 1})
	if err != nil {
		t.Fatal(err)
	}
	again, _, err := Header(parts[0].Format, chunksOf(parts), Options{EditStart: 1})
	if err != nil || !bytes.Equal(header, again) {
		t.Errorf("the same input gave other bytes (%v)", err)
	}
	for _, word := range []string{"udta", "mp4ff", "meta", "Lavf", "andler"} {
		if bytes.Contains(header, []byte(word)) {
			t.Errorf("the header contains %q", word)
		}
	}
	f, err := lib.DecodeFile(bytes.NewReader(append(header, parts[0].Data...)))
	if err != nil {
		t.Fatal(err)
	}
	if f.Moov.Mvhd.CreationTime != 0 || f.Moov.Trak.Tkhd.CreationTime != 0 || f.Moov.Trak.Mdia.Mdhd.CreationTime != 0 {
		t.Error("a creation time is set")
	}
}

func testFormat() footage.Format {
	return footage.Format{Codec: footage.H264, Width: 16, Height: 16, Params: [][]byte{{0x67, 66, 0, 10, 0x88}, {0x68, 0xce, 0x38}}}
}

func one(s ...footage.Sample) iter.Seq[[]footage.Sample] {
	return func(yield func([]footage.Sample) bool) { yield(s) }
}

func TestOffsetsGrow(t *testing.T) {
	big := footage.Sample{Size: 1 << 31, Duration: 3600, Key: true}
	for _, c := range []struct {
		name   string
		n      int
		co64   bool
		header int64
	}{{"small", 1, false, 8}, {"large", 3, true, 16}} {
		chunks := func(yield func([]footage.Sample) bool) {
			for range c.n {
				if !yield([]footage.Sample{big}) {
					return
				}
			}
		}
		header, size, err := Header(testFormat(), chunks, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if size != int64(c.n)<<31 {
			t.Errorf("%s: %d bytes of data", c.name, size)
		}
		f, err := lib.DecodeFile(bytes.NewReader(header[:int64(len(header))-c.header]))
		if err != nil {
			t.Fatal(err)
		}
		stbl := f.Moov.Trak.Mdia.Minf.Stbl
		if c.co64 != (stbl.Co64 != nil) {
			t.Fatalf("%s: 64-bit offsets: %v", c.name, stbl.Co64 != nil)
		}
		for i := range c.n {
			want := uint64(len(header)) + uint64(i)<<31
			got := uint64(0)
			if c.co64 {
				got = stbl.Co64.ChunkOffset[i]
			} else {
				got = uint64(stbl.Stco.ChunkOffset[i])
			}
			if got != want {
				t.Errorf("%s: chunk %d at %d, want %d", c.name, i, got, want)
			}
		}
	}
}

func TestRefuses(t *testing.T) {
	key := footage.Sample{Size: 10, Duration: 3600, Key: true}
	bad := testFormat()
	bad.Params = [][]byte{{0x67, 100, 0, 10, 0, 0, 0}, {0x68, 0xce, 0x38}}
	huge := testFormat()
	huge.Width = 1 << 20
	for _, c := range []struct {
		name   string
		f      footage.Format
		chunks iter.Seq[[]footage.Sample]
		opt    Options
	}{
		{"nothing", testFormat(), one(), Options{}},
		{"no keyframe first", testFormat(), one(footage.Sample{Size: 1, Duration: 1}), Options{}},
		{"no duration", testFormat(), one(footage.Sample{Size: 1, Key: true}), Options{}},
		{"endless", testFormat(), one(footage.Sample{Size: 1, Duration: math.MaxUint32, Key: true}, footage.Sample{Size: 1, Duration: math.MaxUint32}), Options{}},
		{"edit behind the end", testFormat(), one(key), Options{EditStart: 3600}},
		{"negative edit", testFormat(), one(key), Options{EditStart: -1}},
		{"short SPS", bad, one(key), Options{}},
		{"too wide", huge, one(key), Options{}},
		{"no codec", footage.Format{Width: 1, Height: 1, Params: [][]byte{{1, 2, 3}}}, one(key), Options{}},
	} {
		if _, _, err := Header(c.f, c.chunks, c.opt); !errors.Is(err, ErrInput) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// With B-frames the last picture shown is not the last decoded; the movie lasts
// until it has been shown.
func TestReorderedPictures(t *testing.T) {
	ss := []footage.Sample{
		{Size: 10, Duration: 3600, Offset: 7200, Key: true},
		{Size: 10, Duration: 3600, Offset: 10800},
		{Size: 10, Duration: 3600, Offset: 3600},
	}
	header, _, err := Header(testFormat(), one(ss...), Options{EditStart: 7200})
	if err != nil {
		t.Fatal(err)
	}
	f, err := lib.DecodeFile(bytes.NewReader(header[:len(header)-8]))
	if err != nil {
		t.Fatal(err)
	}
	if d := f.Moov.Mvhd.Duration; d != 10800 {
		t.Errorf("shown for %d ticks, want 10800", d)
	}
	for i, s := range ss {
		if got := f.Moov.Trak.Mdia.Minf.Stbl.Ctts.GetCompositionTimeOffset(uint32(i + 1)); got != s.Offset {
			t.Errorf("sample %d: offset %d, want %d", i, got, s.Offset)
		}
	}
}

func FuzzParameterSets(f *testing.F) {
	f.Add(true, []byte{0x67, 100, 0, 31, 0xac, 0xd9, 0x40, 0x50}, []byte{0x68, 0xeb, 0xe3})
	f.Add(false, []byte{0x42, 1, 1, 1, 0x60, 0, 0, 3, 0, 0x90, 0, 0, 3, 0, 0, 3, 0, 0x3c, 0xa0, 0x0a, 0x08}, []byte{0x44, 1, 0xc1})
	f.Add(true, []byte{0x67, 100, 0, 0, 0, 3, 0, 0, 3}, []byte{0x68})
	f.Fuzz(func(t *testing.T, avc bool, sps, pps []byte) {
		format := footage.Format{Codec: footage.H264, Width: 16, Height: 16, Params: [][]byte{sps, pps}}
		if !avc {
			format.Codec = footage.H265
			format.Params = [][]byte{{0x40, 1, 0xc}, sps, pps}
		}
		header, _, err := Header(format, one(footage.Sample{Size: 1, Duration: 1, Key: true}), Options{})
		if err != nil {
			if !errors.Is(err, ErrInput) {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Contains(header, sps) || !bytes.Contains(header, pps) {
			t.Fatal("a parameter set is missing in the header")
		}
	})
}

func BenchmarkHeader10Minutes(b *testing.B) {
	ss := make([]footage.Sample, 25)
	for i := range ss {
		ss[i] = footage.Sample{Size: uint32(1000 + i), Duration: 3600, Key: i == 0}
	}
	b.ReportAllocs()
	for b.Loop() {
		_, _, err := Header(testFormat(), func(yield func([]footage.Sample) bool) {
			for range 600 {
				if !yield(ss) {
					return
				}
			}
		}, Options{EditStart: 1800})
		if err != nil {
			b.Fatal(err)
		}
	}
}
