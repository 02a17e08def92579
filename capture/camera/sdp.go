package camera

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"strings"

	"veilbox/capture/footage"
)

// A track is what the session description says of a video track, by its
// payload type.
type track struct {
	codec  footage.Codec
	params [][]byte // as sent, in no certain order, perhaps none
	don    bool     // decoding order numbers, which the assembler does not read
	mode   int      // packetization-mode of H.264
}

const (
	maxSDP   = 64 << 10
	maxLines = 2000
	maxProps = 16

	opaque = "x-veilbox/90000" // the clock rate of both codecs (RFC 6184 §8.2.1, RFC 7798 §7.1)
)

// cleanSDP returns a session description (RFC 8866) with nothing but the video
// tracks of b and what is needed to ask for them, and what the camera says of
// their coding. The library is not told the coding: its goroutines are not ours
// to recover a panic in, so it gets to parse no more than RTP's and RTCP's
// headers. What is wrong with a sound or metadata track must not cost the
// picture, and the parameter sets are read with this package's own limits.
func cleanSDP(b []byte) ([]byte, map[uint8]track) {
	var out bytes.Buffer
	out.WriteString("v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n")
	tracks := map[uint8]track{}
	if len(b) > maxSDP {
		return out.Bytes(), tracks
	}
	inMedia, keep, videos, lines := false, false, 0, 0
	for raw := range bytes.SplitSeq(b, []byte{'\n'}) {
		if lines++; lines > maxLines {
			break
		}
		line := strings.TrimRight(string(raw), "\r \t")
		key, value, ok := strings.Cut(line, "=")
		if !ok || len(key) != 1 {
			continue
		}
		switch {
		case key == "m":
			inMedia = true
			f := strings.Fields(value)
			keep = len(f) >= 4 && f[0] == "video" && strings.HasPrefix(f[2], "RTP/AVP") && videos < maxVideos
			if keep {
				videos++
				// The port says nothing in RTSP, and some cameras send nonsense there.
				out.WriteString("m=video 0 RTP/AVP " + strings.Join(f[3:min(len(f), 8)], " ") + "\r\n")
			}
		case key == "a" && !inMedia:
			if strings.HasPrefix(value, "control:") {
				out.WriteString("a=" + value + "\r\n")
			}
		case key == "a" && keep:
			if pt, ok := payloadType(value, "rtpmap:"); ok {
				t := tracks[pt]
				switch name := strings.ToUpper(afterSpace(value)); {
				case strings.HasPrefix(name, "H264/"):
					t.codec = footage.H264
				case strings.HasPrefix(name, "H265/"), strings.HasPrefix(name, "HEVC/"):
					t.codec = footage.H265
				}
				tracks[pt] = t
				if t.codec != 0 {
					// Under a name that the library does not know: it would
					// look into the packets of one that it does.
					value = "rtpmap:" + strconv.Itoa(int(pt)) + " " + opaque
				}
				out.WriteString("a=" + value + "\r\n")
			} else if pt, ok := payloadType(value, "fmtp:"); ok {
				t := tracks[pt]
				t.fmtp(afterSpace(value))
				tracks[pt] = t
			} else if strings.HasPrefix(value, "control:") {
				out.WriteString("a=" + value + "\r\n")
			}
		}
	}
	return out.Bytes(), tracks
}

func afterSpace(s string) string {
	_, v, _ := strings.Cut(s, " ")
	return strings.TrimSpace(v)
}

func payloadType(value, prefix string) (uint8, bool) {
	rest, ok := strings.CutPrefix(value, prefix)
	if !ok {
		return 0, false
	}
	num, _, _ := strings.Cut(rest, " ")
	n, err := strconv.ParseUint(num, 10, 7)
	return uint8(n), err == nil
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
