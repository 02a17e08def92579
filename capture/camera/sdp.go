package camera

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/bluenviron/gortsplib/v4/pkg/base"

	"veilbox/capture/footage"
)

// A track is what the session description says of a video track.
type track struct {
	payload uint8
	codec   footage.Codec
	params  [][]byte // as sent, in no certain order, perhaps none
	don     bool     // decoding order numbers, which the assembler does not read
	mode    int      // packetization-mode of H.264
	name    string   // the coding as the camera names it
}

// A described is what a session description offers.
type described struct {
	video *track
	audio *audioTrack
	heard uint8  // the payload type of the sound
	why   error  // what is wrong with the video tracks, where video is nil
	sound string // the coding of a sound track that is not known
}

const (
	maxSDP     = 64 << 10
	maxLines   = 2000
	maxProps   = 16
	maxTracks  = 16 // sections looked at
	maxFormats = 4  // payload types of a section
	maxControl = 1024

	opaque = "x-veilbox" // a coding that the library does not know
)

// A section is a media description (RFC 8866 §5.14) as it is read.
type section struct {
	sound   bool
	back    bool // sound that the camera would play
	control string
	order   []uint8
	video   map[uint8]*track
	audio   map[uint8]*heard
}

type heard struct {
	audioTrack
	ok bool // it can be recorded
}

// cleanSDP returns a session description (RFC 8866) with nothing but the first
// video track of b that can be recorded, a sound track where there is one, and
// what is needed to ask for them; and what the camera says of their coding. The
// library is not told the coding: its goroutines are not ours to recover a panic
// in, so it gets to parse no more than RTP's and RTCP's headers. What is wrong
// with a sound or metadata track must not cost the picture, and the parameter
// sets are read with this package's own limits.
func cleanSDP(b []byte) ([]byte, described) {
	d := described{why: errors.New("camera: the description names no video track")}
	if len(b) > maxSDP {
		d.why = fmt.Errorf("camera: the description is longer than %d bytes", maxSDP)
		return nil, d
	}
	control, sections := readSections(b)
	var out bytes.Buffer
	out.WriteString("v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n")
	if absolute(control) {
		out.WriteString("a=control:" + control + "\r\n")
	}
	for _, s := range sections {
		if !s.sound && d.video == nil {
			if d.video = s.pick(&d.why); d.video != nil {
				writeSection(&out, "video", d.video.payload, footage.TicksPerSecond, s.control)
			}
		}
	}
	for _, s := range sections {
		if s.sound && !s.back && d.audio == nil {
			if d.audio, d.heard = s.pickSound(&d.sound); d.audio != nil {
				writeSection(&out, "audio", d.heard, d.audio.rate, s.control)
			}
		}
	}
	return out.Bytes(), d
}

func writeSection(out *bytes.Buffer, kind string, payload uint8, rate int, control string) {
	// The port says nothing in RTSP, and some cameras send nonsense there.
	fmt.Fprintf(out, "m=%s 0 RTP/AVP %d\r\na=rtpmap:%d %s/%d\r\n", kind, payload, payload, opaque, rate)
	if control != "" {
		out.WriteString("a=control:" + control + "\r\n")
	}
}

// absolute reports whether control is an address of its own, which is all that
// the library takes for the whole session.
func absolute(control string) bool {
	if !strings.HasPrefix(control, "rtsp://") && !strings.HasPrefix(control, "rtsps://") {
		return false
	}
	_, err := base.ParseURL(control)
	return err == nil
}

// readSections returns the control address of the session and its tracks.
func readSections(b []byte) (control string, sections []*section) {
	var s *section
	lines, inMedia := 0, false
	for raw := range bytes.SplitSeq(b, []byte{'\n'}) {
		if lines++; lines > maxLines {
			break
		}
		key, value, ok := strings.Cut(strings.TrimRight(string(raw), "\r \t"), "=")
		if !ok || len(key) != 1 {
			continue
		}
		switch {
		case key == "m":
			inMedia, s = true, nil
			if len(sections) < maxTracks {
				if s = newSection(value); s != nil {
					sections = append(sections, s)
				}
			}
		case key == "a" && !inMedia:
			if v, ok := strings.CutPrefix(value, "control:"); ok {
				control = cleanControl(v)
			}
		case key == "a" && s != nil:
			s.attribute(value)
		}
	}
	return control, sections
}

func newSection(value string) *section {
	f := strings.Fields(value)
	if len(f) < 4 || f[0] != "video" && f[0] != "audio" || !strings.HasPrefix(f[2], "RTP/AVP") {
		return nil
	}
	s := &section{sound: f[0] == "audio", video: map[uint8]*track{}, audio: map[uint8]*heard{}}
	for _, v := range f[3:min(len(f), 3+maxFormats)] {
		n, err := strconv.ParseUint(v, 10, 7)
		if err != nil {
			continue
		}
		pt := uint8(n)
		s.order = append(s.order, pt)
		// What RFC 3551 §6 names without an attribute.
		s.video[pt] = &track{payload: pt}
		s.audio[pt] = &heard{}
		if s.audio[pt].audioTrack, s.audio[pt].ok = staticAudio(pt); pt == 26 {
			s.video[pt].coding("JPEG")
		}
	}
	return s
}

// cleanControl returns a control attribute as it can be put into a request, ""
// for one that cannot.
func cleanControl(v string) string {
	v = strings.TrimSpace(v)
	if v == "*" || len(v) > maxControl {
		return ""
	}
	for i := range len(v) {
		if v[i] <= ' ' || v[i] > '~' {
			return ""
		}
	}
	// As the library puts it together; it takes for granted that this can be read.
	whole := v
	if !strings.HasPrefix(v, "rtsp://") && !strings.HasPrefix(v, "rtsps://") {
		whole = "rtsp://h/" + v
	}
	if u, err := base.ParseURL(whole); err != nil || u == nil {
		return ""
	}
	return v
}

func (s *section) attribute(value string) {
	if pt, v, ok := payloadType(value, "rtpmap:"); ok {
		if t := s.video[pt]; t != nil && !s.sound {
			t.coding(v)
		}
		if t := s.audio[pt]; t != nil && s.sound {
			t.coding(v)
		}
	} else if pt, v, ok := payloadType(value, "fmtp:"); ok {
		if t := s.video[pt]; t != nil && !s.sound {
			t.fmtp(v)
		}
		if t := s.audio[pt]; t != nil && s.sound {
			t.fmtp = v
		}
	} else if v, ok := strings.CutPrefix(value, "control:"); ok {
		s.control = cleanControl(v)
	} else if value == "sendonly" {
		s.back = true
	}
}

// payloadType splits "name:96 rest".
func payloadType(value, prefix string) (uint8, string, bool) {
	rest, ok := strings.CutPrefix(value, prefix)
	if !ok {
		return 0, "", false
	}
	num, v, _ := strings.Cut(rest, " ")
	n, err := strconv.ParseUint(num, 10, 7)
	return uint8(n), strings.TrimSpace(v), err == nil
}

// pick returns the first format that can be recorded, or says why none can.
func (s *section) pick(why *error) *track {
	for _, pt := range s.order {
		switch t := s.video[pt]; {
		case t.codec == 0:
			*why = fmt.Errorf("camera: the video is coded as %q", bounded(t.name, maxText))
		case t.don || t.mode > 1:
			*why = errors.New("camera: the video is interleaved, which is not supported")
		default:
			return t
		}
	}
	return nil
}

func (s *section) pickSound(unknown *string) (*audioTrack, uint8) {
	for _, pt := range s.order {
		t := s.audio[pt]
		if t.ok {
			return &t.audioTrack, pt
		}
		*unknown = bounded(t.name, maxText)
	}
	return nil, 0
}

func (t *track) coding(v string) {
	name, _, _ := strings.Cut(v, "/")
	t.name, t.codec = name, 0
	switch strings.ToUpper(name) {
	case "H264":
		t.codec = footage.H264
	case "H265", "HEVC":
		t.codec = footage.H265
	case "JPEG":
		t.codec = footage.MJPEG
	}
}

func (h *heard) coding(v string) {
	name, _, _ := strings.Cut(v, "/")
	fmtp := h.fmtp
	h.audioTrack, h.ok = parseAudioMap(v)
	h.name, h.fmtp = strings.ToUpper(name), fmtp
}

func (t *track) fmtp(s string) {
	for kv := range strings.SplitSeq(s, ";") {
		k, v, ok := strings.Cut(strings.TrimSpace(kv), "=")
		if !ok {
			continue
		}
		switch strings.ToLower(k) {
		case "sprop-parameter-sets", "sprop-vps", "sprop-sps", "sprop-pps":
			for enc := range strings.SplitSeq(v, ",") {
				p, err := base64.StdEncoding.DecodeString(strings.TrimSpace(enc))
				if err != nil {
					// Missing sets are taken from the stream instead.
					continue
				}
				t.params = splitAnnexB(t.params, p)
				if len(t.params) > maxProps {
					t.params = t.params[:maxProps]
				}
			}
		case "sprop-max-don-diff":
			t.don = v != "0"
		case "packetization-mode":
			// An odd value is taken as the usual mode, which 0 is a part of.
			t.mode, _ = strconv.Atoi(v)
		}
	}
}
