package clip

import (
	"errors"
	"strings"
	"testing"

	"veilbox/capture/footage"
	"veilbox/capture/mp4/mp4test"
	"veilbox/internal/problem"
)

func problemOf(err error) string { return problem.Of(err).Cause.DA }

// changing returns 6 s in which the size changes and changes back.
func changing(t testing.TB, codec footage.Codec) []*footage.Part {
	t.Helper()
	parts := mp4test.Parts(t, codec, "till-1", start(), 2)
	parts = append(parts, mp4test.Sized(t, codec, "till-1", start()+2*second, 2, 640, 480)...)
	return append(parts, mp4test.Parts(t, codec, "till-1", start()+4*second, 2)...)
}

func TestAcrossAChangeOfFormat(t *testing.T) {
	for _, codec := range []footage.Codec{footage.H264, footage.H265} {
		t.Run(codec.String(), func(t *testing.T) {
			parts := changing(t, codec)
			src := &memory{parts: parts}
			span := footage.Span{From: start(), To: start() + 6*second}
			if _, err := Open(t.Context(), src, "till-1", span); !errors.Is(err, ErrFormat) {
				t.Errorf("for a case: %v", err)
			}
			m, err := OpenWith(t.Context(), src, "till-1", span, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if got := m.About().Formats; len(got) != 2 || got[1].Width != 640 {
				t.Errorf("formats: %+v", got)
			}
			var b strings.Builder
			if err := m.WriteFragments(t.Context(), &b, FragmentOptions{}); err != nil {
				t.Fatal(err)
			}
			for name, path := range map[string]string{"movie": save(t, m), "fragments": keep(t, []byte(b.String()))} {
				sizes := map[string]int{}
				for _, line := range strings.Fields(probe(t, path, "-select_streams", "v", "-show_entries", "frame=width,height")) {
					sizes[strings.Trim(line, ",")]++
				}
				if len(sizes) != 2 || sizes["320,240"] != 100 || sizes["640,480"] != 50 {
					t.Errorf("%s: pictures %v, want 100 of 320,240 and 50 of 640,480", name, sizes)
				}
			}
		})
	}
	for name, parts := range map[string][]*footage.Part{
		"another codec": append(mp4test.Parts(t, footage.H264, "till-1", start(), 1), mp4test.Parts(t, footage.MJPEG, "till-1", start()+second, 1)...),
		"MJPEG":         changing(t, footage.MJPEG),
	} {
		if _, err := OpenWith(t.Context(), &memory{parts: parts}, "till-1", footage.Span{From: start(), To: start() + 6*second}, Options{}); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
