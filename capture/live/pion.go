package live

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"

	"veilbox/capture/footage"
)

// iceGone is how long a viewer may be silent.
const iceGone = 10 * time.Second

// Payload types of H.264 and of H.265; those of their repair lie rtxApart above.
const (
	payload264 = 102
	payload265 = 110
	rtxApart   = 10
)

// playoutDelay tells a browser how long to hold a picture back, in a header
// extension of RTP that Chromium and what is built on it offer.
const playoutDelay = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"

// shortest asks for the least delay at once: over a shop's own network smooth
// motion is worth less than a picture of now. Two numbers of 12 bits, least and
// most, in 10 ms.
var shortest = []byte{0, 0, 0}

// newAPI returns an API that agrees on codec alone: what an answer holds is what
// is sent.
func newAPI(opt Options, codec footage.Codec) (*webrtc.API, error) {
	var m webrtc.MediaEngine
	feedback := []webrtc.RTCPFeedback{{Type: "nack"}, {Type: "nack", Parameter: "pli"}, {Type: "ccm", Parameter: "fir"}, {Type: "goog-remb"}}
	register := func(pt int, mime, fmtp string) error {
		for _, c := range []webrtc.RTPCodecParameters{
			{PayloadType: webrtc.PayloadType(pt), RTPCodecCapability: webrtc.RTPCodecCapability{
				MimeType: mime, ClockRate: footage.TicksPerSecond, SDPFmtpLine: fmtp, RTCPFeedback: feedback}},
			{PayloadType: webrtc.PayloadType(pt + rtxApart), RTPCodecCapability: webrtc.RTPCodecCapability{
				MimeType: webrtc.MimeTypeRTX, ClockRate: footage.TicksPerSecond, SDPFmtpLine: "apt=" + strconv.Itoa(pt)}},
		} {
			if err := m.RegisterCodec(c, webrtc.RTPCodecTypeVideo); err != nil {
				return fmt.Errorf("live: codec: %w", err)
			}
		}
		return nil
	}
	if codec == footage.H265 {
		// Without parameters it goes with every profile, tier and level of the offer.
		if err := register(payload265, webrtc.MimeTypeH265, ""); err != nil {
			return nil, err
		}
	} else {
		// Browsers offer several profiles and decode all of them, whatever was
		// agreed: any of these will do for any camera.
		for i, profile := range []string{"42e01f", "42001f", "4d001f", "64001f", "640032", "f4001f"} {
			if err := register(payload264+i, webrtc.MimeTypeH264, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id="+profile); err != nil {
				return nil, err
			}
		}
	}
	if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: playoutDelay}, webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverDirectionSendonly); err != nil {
		return nil, fmt.Errorf("live: header extension: %w", err)
	}
	var reg interceptor.Registry
	if err := webrtc.ConfigureNack(&m, &reg); err != nil {
		return nil, fmt.Errorf("live: repair: %w", err)
	}
	if err := webrtc.ConfigureRTCPReports(&reg); err != nil {
		return nil, fmt.Errorf("live: reports: %w", err)
	}
	var e webrtc.SettingEngine
	e.SetIncludeLoopbackCandidate(true)
	e.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	e.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6})
	e.SetICETimeouts(5*time.Second, iceGone, 2*time.Second)
	if opt.PortMin != 0 || opt.PortMax != 0 {
		if err := e.SetEphemeralUDPPortRange(opt.PortMin, opt.PortMax); err != nil {
			return nil, fmt.Errorf("live: ports: %w", err)
		}
	}
	return webrtc.NewAPI(webrtc.WithMediaEngine(&m), webrtc.WithInterceptorRegistry(&reg), webrtc.WithSettingEngine(e)), nil
}

// offers is what an offer says that a browser can play.
type offers struct {
	h264 bool
	h265 [4]bool // by profile: 1 is Main, 2 is Main 10
}

// readOffer reads the codecs of an SDP offer (RFC 8866 §6.6, §6.15; RFC 7798
// §7.1). What it cannot read is not offered.
func readOffer(sdp string) offers {
	var o offers
	var h265 []string // payload types
	profiles := map[string]string{}
	for line := range strings.Lines(sdp) {
		line = strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(line, "a=rtpmap:"); ok {
			pt, name, _ := strings.Cut(rest, " ")
			switch name = strings.ToUpper(name); {
			case name == "H264/90000":
				o.h264 = true
			case name == "H265/90000" && len(h265) < 64:
				h265 = append(h265, pt)
			}
		}
		if rest, ok := strings.CutPrefix(line, "a=fmtp:"); ok && len(profiles) < 256 {
			pt, params, _ := strings.Cut(rest, " ")
			for p := range strings.SplitSeq(params, ";") {
				if v, ok := strings.CutPrefix(strings.TrimSpace(p), "profile-id="); ok {
					profiles[pt] = v
				}
			}
		}
	}
	for _, pt := range h265 {
		n := 1 // the default of RFC 7798
		if v, ok := profiles[pt]; ok {
			var err error
			if n, err = strconv.Atoi(v); err != nil || n < 0 || n >= len(o.h265) {
				continue
			}
		}
		o.h265[n] = true
	}
	return o
}

// plays reports whether the browser can play f as it is.
func (o offers) plays(f footage.Format) bool {
	switch f.Codec {
	case footage.H264:
		return o.h264
	case footage.H265:
		p := profile265(f)
		return p < len(o.h265) && o.h265[p]
	}
	return false
}

// profile265 returns general_profile_idc of the SPS (ITU-T H.265 §7.3.3): the
// low bits of the byte after the NAL unit's header and one byte more.
func profile265(f footage.Format) int {
	for _, n := range f.Params {
		if len(n) > 3 && n[0]>>1&0x3f == 33 {
			return int(n[3] & 0x1f)
		}
	}
	return 0
}
