// Package mp4test makes recorded parts for tests, from pictures that ffmpeg
// draws and encodes: one part a GOP of one second, as a recorder cuts them.
package mp4test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"veilbox/capture/footage"
)

// Parts returns seconds of test pictures of 320x240 at 25 frames a second, the
// first part starting at start.
func Parts(t testing.TB, codec footage.Codec, cam footage.CameraID, start footage.Ticks, seconds int) []*footage.Part {
	t.Helper()
	return Sized(t, codec, cam, start, seconds, 320, 240)
}

// Sized is Parts with pictures of another size.
func Sized(t testing.TB, codec footage.Codec, cam footage.CameraID, start footage.Ticks, seconds, width, height int) []*footage.Part {
	t.Helper()
	args := []string{"-v", "error", "-f", "lavfi", "-i", fmt.Sprintf("testsrc2=size=%dx%d:rate=25:duration=%d", width, height, seconds), "-pix_fmt", "yuv420p"}
	switch codec {
	case footage.H264:
		args = append(args, "-c:v", "libx264", "-preset", "veryfast", "-bf", "0", "-x264-params", "keyint=25:min-keyint=25:scenecut=0:aud=1:repeat-headers=1:threads=1", "-f", "h264")
	case footage.H265:
		args = append(args, "-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "keyint=25:min-keyint=25:scenecut=0:open-gop=0:bframes=0:aud=1:repeat-headers=1:log-level=none:pools=1", "-f", "hevc")
	case footage.MJPEG:
		args = append(args, "-c:v", "mjpeg", "-q:v", "6", "-threads", "1", "-f", "mjpeg")
	}
	stream := run(t, append(args, "pipe:1"))
	f := footage.Format{Codec: codec, Width: width, Height: height}
	if codec == footage.MJPEG {
		return pictures(t, f, cam, start, stream, seconds)
	}
	var parts []*footage.Part
	var p *footage.Part
	for _, unit := range units(codec, stream) {
		s := footage.Sample{Duration: 3600}
		var data []byte
		for _, n := range unit {
			switch kind(codec, n) {
			case "params":
				if p == nil {
					f.Params = append(f.Params, n)
				}
				continue
			case "aud":
				continue
			case "key":
				s.Key = true
			}
			data = binary.BigEndian.AppendUint32(data, uint32(len(n)))
			data = append(data, n...)
		}
		if s.Key {
			p = &footage.Part{Camera: cam, Start: start + footage.Ticks(len(parts))*footage.TicksPerSecond, Format: f}
			parts = append(parts, p)
		}
		s.Size = uint32(len(data))
		p.Samples = append(p.Samples, s)
		p.Data = append(p.Data, data...)
	}
	if len(parts) != seconds {
		t.Fatalf("%d parts of %d seconds", len(parts), seconds)
	}
	return parts
}

// pictures makes parts of JPEGs that lie one after the other.
func pictures(t testing.TB, f footage.Format, cam footage.CameraID, start footage.Ticks, stream []byte, seconds int) []*footage.Part {
	t.Helper()
	var parts []*footage.Part
	end, begin := []byte{0xff, 0xd9}, []byte{0xff, 0xd8}
	all := bytes.Split(stream, append(end, begin...))
	for i, b := range all {
		if i > 0 {
			b = append(bytes.Clone(begin), b...)
		}
		if i < len(all)-1 {
			b = append(bytes.Clone(b), end...)
		}
		if i%25 == 0 {
			parts = append(parts, &footage.Part{Camera: cam, Start: start + footage.Ticks(len(parts))*footage.TicksPerSecond, Format: f})
		}
		p := parts[len(parts)-1]
		p.Samples = append(p.Samples, footage.Sample{Size: uint32(len(b)), Duration: 3600, Key: true})
		p.Data = append(p.Data, b...)
	}
	if len(parts) != seconds || len(all) != 25*seconds {
		t.Fatalf("%d pictures in %d parts of %d seconds", len(all), len(parts), seconds)
	}
	return parts
}

func kind(c footage.Codec, n []byte) string {
	if c == footage.H264 {
		switch n[0] & 0x1f {
		case 5:
			return "key"
		case 7, 8:
			return "params"
		case 9:
			return "aud"
		}
		return ""
	}
	switch k := n[0] >> 1 & 0x3f; {
	case k >= 16 && k <= 23:
		return "key"
	case k >= 32 && k <= 34:
		return "params"
	case k == 35:
		return "aud"
	}
	return ""
}

// units splits a byte stream (H.264 Annex B) at its access unit delimiters.
func units(c footage.Codec, b []byte) (out [][][]byte) {
	b = bytes.ReplaceAll(b, []byte{0, 0, 0, 1}, []byte{0, 0, 1})
	for _, n := range bytes.Split(b, []byte{0, 0, 1})[1:] {
		if kind(c, n) == "aud" {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], n)
	}
	return out
}

// Probe runs ffprobe on a file and returns what entries gives, one line a value.
func Probe(t testing.TB, path, entries string) string {
	t.Helper()
	out, err := exec.Command("ffprobe", "-v", "error", "-select_streams", "v:0", "-count_packets", "-show_entries", entries, "-of", "default=nw=1", path).CombinedOutput()
	if err != nil {
		t.Fatalf("ffprobe: %v\n%s", err, out)
	}
	return strings.TrimSpace(string(out))
}

// FrameHashes decodes a file and returns a hash a picture; anything that ffmpeg
// has to say about the file fails the test.
func FrameHashes(t testing.TB, path string) []string {
	t.Helper()
	return hashes(t, path, "-v", "warning", "-xerror", "-i", path)
}

// PictureHashes is FrameHashes of a file that has sound as well, of which
// ffmpeg may have something to say that is no error.
func PictureHashes(t testing.TB, path string) []string {
	t.Helper()
	return hashes(t, path, "-v", "error", "-xerror", "-i", path, "-map", "0:v")
}

func hashes(t testing.TB, path string, args ...string) []string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command("ffmpeg", append(args, "-fps_mode", "passthrough", "-f", "framehash", "-hash", "md5", "pipe:1")...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		t.Fatalf("ffmpeg does not decode %s: %v\n%s", path, err, stderr.String())
	}
	var hashes []string
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "#") {
			f := strings.Split(line, ",")
			hashes = append(hashes, strings.TrimSpace(f[len(f)-1]))
		}
	}
	return hashes
}
