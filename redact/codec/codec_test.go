package codec

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"veilbox/capture/footage"
)

func TestFindAndVersion(t *testing.T) {
	tools, err := Find("")
	if err != nil {
		t.Fatal(err)
	}
	if v, err := tools.Version(context.Background()); err != nil || v == "" {
		t.Errorf("version %q, %v", v, err)
	}
	for _, p := range []string{"/nowhere/ffmpeg", "/etc/passwd", "/"} {
		if _, err := Find(p); !errors.Is(err, NoFFmpeg) {
			t.Errorf("Find(%q): %v", p, err)
		}
	}
	for _, tc := range []struct {
		says string
		ok   bool
	}{
		{"ffmpeg version 5.1.9-0+deb12u1 Copyright\n  libavcodec     59. 37.100 / 59. 37.100", true},
		{"ffmpeg version 7.1 Copyright\n  libavcodec     61. 19.100 / 61. 19.100", true},
		{"ffmpeg version N-110000-gabcdef Copyright\n  libavcodec     60.  3.100 / 60.  3.100", true},
		{"ffmpeg version 5.0.1 Copyright\n  libavcodec     59. 18.100 / 59. 18.100", false},
		{"ffmpeg version 4.4.2 Copyright\n  libavcodec     58.134.100 / 58.134.100", false},
		{"ffmpeg version 5.1.9", false},
		{"something else", false},
	} {
		path := filepath.Join(t.TempDir(), "ffmpeg")
		if err := os.WriteFile(path, []byte("#!/bin/sh\ncat <<'E'\n"+tc.says+"\nE\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		_, err := Tools{FFmpeg: path}.Version(context.Background())
		if tc.ok != (err == nil) || err != nil && !errors.Is(err, NoFFmpeg) {
			t.Errorf("%q: %v, want ok %v", tc.says, err, tc.ok)
		}
	}
}

func TestProbed(t *testing.T) {
	l := Limits{Width: 4096, Height: 2304, Seconds: 7200}
	stream := func(s string) string { return `{"streams":[{"codec_type":"audio","codec_name":"aac"},` + s + `]}` }
	for _, tc := range []struct {
		name, in string
		want     string // "WxH rate frames aspect", or the code of the problem
	}{
		{"plain", stream(`{"codec_type":"video","codec_name":"h264","width":1920,"height":1080,"avg_frame_rate":"25/1","nb_frames":"100"}`), "1920x1080 25 100 "},
		{"from its length", stream(`{"codec_type":"video","codec_name":"h264","width":1920,"height":1080,"avg_frame_rate":"30000/1001","duration":"10.01"}`), "1920x1080 29.97 300 "},
		{"turned", stream(`{"codec_type":"video","width":720,"height":576,"codec_name":"h264","sample_aspect_ratio":"16:15","side_data_list":[{"rotation":-90}]}`), "576x720 25 0 15/16"},
		{"odd", stream(`{"codec_type":"video","width":101,"height":77,"codec_name":"mjpeg","sample_aspect_ratio":"1:1"}`), "100x76 25 0 "},
		{"no rate", stream(`{"codec_type":"video","width":640,"height":480,"codec_name":"mjpeg","avg_frame_rate":"0/0"}`), "640x480 25 0 "},
		{"turned 4K", stream(`{"codec_type":"video","width":3840,"height":2160,"codec_name":"h264","side_data_list":[{"rotation":90}]}`), "2160x3840 25 0 "},
		{"a cover alone", stream(`{"codec_type":"video","width":640,"height":480,"codec_name":"mjpeg","disposition":{"attached_pic":1}}`), "redact.not-video"},
		{"sound alone", `{"streams":[{"codec_type":"audio","codec_name":"aac"}]}`, "redact.not-video"},
		{"a dot", stream(`{"codec_type":"video","width":2,"height":2,"codec_name":"mjpeg"}`), "redact.not-video"},
		{"too wide", stream(`{"codec_type":"video","width":8192,"height":480,"codec_name":"h264"}`), "redact.too-large"},
		{"too high", stream(`{"codec_type":"video","width":640,"height":4000,"codec_name":"h264"}`), "redact.too-large"},
		{"too long", stream(`{"codec_type":"video","width":640,"height":480,"codec_name":"h264","duration":"7201"}`), "redact.too-large"},
		{"not a number", stream(`{"codec_type":"video","width":640,"height":480,"codec_name":"h264","duration":"NaN","avg_frame_rate":"1/-0"}`), "640x480 25 0 "},
	} {
		i, err := parse([]byte(tc.in), l)
		got := fmt.Sprintf("%dx%d %.4g %d %s", i.Width, i.Height, i.Rate, i.Frames, i.Aspect)
		for _, p := range []error{NotVideo, TooLarge} {
			if errors.Is(err, p) {
				got = map[error]string{NotVideo: "redact.not-video", TooLarge: "redact.too-large"}[p]
			}
		}
		if got != tc.want {
			t.Errorf("%s: %q, want %q (%v)", tc.name, got, tc.want, err)
		}
	}
}

func FuzzProbed(f *testing.F) {
	f.Add([]byte(`{"streams":[{"codec_type":"video","width":640,"height":480,"codec_name":"h264","avg_frame_rate":"25/1"}],"format":{"duration":"3"}}`))
	l := Limits{Width: 4096, Height: 2304, Seconds: 7200}
	f.Fuzz(func(t *testing.T, b []byte) {
		i, err := parse(b, l)
		if err == nil && (i.Width < 16 || i.Height < 16 || i.Width > 4096 || i.Height > 4096 || i.Width%2+i.Height%2 != 0 || !(i.Rate > 0) || i.Frames < 0) {
			t.Errorf("%+v was taken", i)
		}
	})
}

func nal(b ...byte) []byte { return append([]byte{0, 0, 1}, b...) }

func TestSplit(t *testing.T) {
	var in []byte
	for _, n := range [][]byte{
		nal(9, 0xf0), append([]byte{0}, nal(0x67, 1, 2, 3)...), nal(0x68, 4, 5), nal(6, 5, 1, 'x', 0x80),
		nal(0x65, 0x80, 1, 0, 0, 3, 1), nal(0x65, 0x40, 2), {0, 0}, // two slices of one picture, zeros behind
		nal(9, 0xf0), nal(0x41, 0x9a, 7), nal(12, 0xff, 0x80), nal(0x41, 0x9a, 8, 9),
	} {
		in = append(in, n...)
	}
	want := "key SPS 67010203 PPS 680405 00000007658001000003010000000365" + "4002;000000" + "03419a07;00000004419a0809;"
	for name, r := range map[string]io.Reader{"whole": bytes.NewReader(in), "bytes": iotest.OneByteReader(bytes.NewReader(in)), "with EOF": iotest.DataErrReader(bytes.NewReader(in))} {
		var got strings.Builder
		err := Split(r, func(u *Unit) error {
			if u.Key {
				fmt.Fprintf(&got, "key SPS %x PPS %x ", u.SPS, u.PPS)
			}
			fmt.Fprintf(&got, "%x;", u.Data)
			return nil
		})
		if err != nil || got.String() != want {
			t.Errorf("%s: %s, %v\nwant %s", name, got.String(), err, want)
		}
	}
	stop := errors.New("stop")
	if err := Split(bytes.NewReader(in), func(*Unit) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("the sink's error came back as %v", err)
	}
}

func FuzzSplit(f *testing.F) {
	f.Add(append(nal(0x65, 0x80, 1), nal(0x41, 0x9a, 7)...))
	f.Add([]byte{0, 0, 0, 1, 0, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		err := Split(bytes.NewReader(b), func(u *Unit) error {
			for d := u.Data; len(d) > 0; {
				n := int(binary.BigEndian.Uint32(d))
				if n < 2 || n > len(d)-4 || d[4]&0x1f != 1 && d[4]&0x1f != 5 {
					t.Fatalf("a unit of %d bytes and type %d in %d", n, d[4]&0x1f, len(d))
				}
				d = d[4+n:]
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestWhole(t *testing.T) {
	box := func(n uint32, name string, body int) []byte {
		return append(append(binary.BigEndian.AppendUint32(nil, n), name...), make([]byte, body)...)
	}
	ftyp, moov := box(16, "ftyp", 8), box(16, "moov", 8)
	join := func(b ...[]byte) []byte { return bytes.Join(b, nil) }
	mkv := []byte{0x1a, 0x45, 0xdf, 0xa3, 0x81, 0, 0x18, 0x53, 0x80, 0x67}
	for _, tc := range []struct {
		name string
		in   []byte
		want error
	}{
		{"MP4", join(ftyp, moov, box(16, "mdat", 8)), nil},
		{"MP4, video to the end", join(ftyp, moov, box(0, "mdat", 100)), nil},
		{"MP4, video cut", join(ftyp, moov, box(17, "mdat", 8)), Truncated},
		{"MP4, no index", join(ftyp, box(16, "mdat", 8)), Truncated},
		{"MP4, within a box's header", join(ftyp, moov, []byte{0, 0, 0}), Truncated},
		{"MP4, a box of 3", join(ftyp, box(3, "free", 8)), NotVideo},
		{"AVI", append([]byte("RIFF\x08\x00\x00\x00AVI "), 0, 0, 0, 0), nil},
		{"AVI cut", []byte("RIFF\xff\x00\x00\x00AVI "), Truncated},
		{"AVI of a recorder that was cut off", []byte("RIFF\x00\x00\x00\x00AVI "), nil},
		{"Matroska", join(mkv, []byte{0x82, 1, 2}), nil},
		{"Matroska cut", join(mkv, []byte{0x83, 1, 2}), Truncated},
		{"Matroska, live", join(mkv, []byte{0x01, 255, 255, 255, 255, 255, 255, 255, 1, 2}), nil},
		{"something else", []byte("hello, this is no file of a known kind"), nil},
		{"next to nothing", []byte("hi"), NotVideo},
	} {
		err := Whole(bytes.NewReader(tc.in), int64(len(tc.in)))
		if tc.want == nil && err != nil || tc.want != nil && !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
}

func FuzzWhole(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x10ftypisom\x00\x00\x00\x00\x00\x00\x00\x10moov"))
	f.Add([]byte{0x1a, 0x45, 0xdf, 0xa3, 0x81, 0, 0x18, 0x53, 0x80, 0x67, 0x83, 1, 2})
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := Whole(bytes.NewReader(b), int64(len(b))); err != nil && !errors.Is(err, Truncated) && !errors.Is(err, NotVideo) {
			t.Errorf("an error that is no problem: %v", err)
		}
	})
}

func TestTimesRise(t *testing.T) {
	s := &Stream{}
	var got []footage.Ticks
	for _, at := range []footage.Ticks{9000, 12600, 12600, 12000, 16200, 1_000_000, 100, 3700} {
		s.n++
		got = append(got, s.rise(at))
	}
	want := []footage.Ticks{0, 3600, 3601, 3602, 7200, 991_000, 994_600, 998_200}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("times %v, want %v", got, want)
	}
}

func TestEncoderCheck(t *testing.T) {
	for _, tc := range []struct {
		e  Encoder
		ok bool
	}{
		{Encoder{}, true}, {Encoder{Codec: "h264_qsv", Quality: 26, GOP: 2, Threads: 2}, true},
		{Encoder{Codec: "libx264 -f mp4 /tmp/x"}, false}, {Encoder{Preset: "-y"}, false}, {Encoder{Quality: MaxQuality + 1}, false}, {Encoder{GOP: -1}, false}, {Encoder{Threads: -1}, false},
	} {
		if err := tc.e.Check(); (err == nil) != tc.ok {
			t.Errorf("%+v: %v", tc.e, err)
		}
	}
}
