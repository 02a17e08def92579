package onvif

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"veilbox/capture/footage"
	"veilbox/internal/problem"
)

// Look asks the camera at address, which is a host with or without a port, or
// the http or https URL of its device service, what it is and where its streams
// are. user may be empty; then what the camera tells strangers is told, and
// ErrLogin where that is not enough.
func Look(ctx context.Context, address, user, password string, lim Limits) (Device, error) {
	lim = lim.orDefault()
	ctx, cancel := context.WithTimeoutCause(ctx, lim.Total, errDeadline)
	defer cancel()
	p, err := locate(ctx, address)
	if err != nil {
		return Device{}, err
	}
	s := newSession(p, user, password, lim)
	defer s.http.CloseIdleConnections()
	d := Device{Address: p.base.Host}
	err = s.look(ctx, &d)
	d.Pin = s.pin
	d.NeedsUser = errors.Is(err, ErrLogin)
	d.warn()
	return d, err
}

func (s *session) look(ctx context.Context, d *Device) error {
	if err := s.askTime(ctx, d); err != nil && !errors.Is(err, ErrLogin) && !errors.Is(err, errFault) && !errors.Is(err, errNoAction) {
		return err
	}
	info, err := s.call(ctx, s.at.base, nsDevice, "GetDeviceInformation", "", false)
	if err != nil {
		return err
	}
	d.Manufacturer, d.Model = bounded(info.str("Manufacturer")), bounded(info.str("Model"))
	d.Firmware, d.Serial, d.Hardware = bounded(info.str("FirmwareVersion")), bounded(info.str("SerialNumber")), bounded(info.str("HardwareId"))
	media, media2, err := s.services(ctx, d)
	if err != nil {
		return err
	}
	if media2 != nil {
		err := s.streams(ctx, d, media2, nsMedia2)
		if err != nil && !errors.Is(err, ErrNotONVIF) && !errors.Is(err, ErrNoVideo) {
			return err
		}
		if d.Main().URL != "" || media == nil {
			return err
		}
		d.Streams = nil // what a half-made media2 told; the old service may do better
	}
	if media == nil {
		return ErrNoVideo.With(errors.New("onvif: the camera names no media service"))
	}
	return s.streams(ctx, d, media, nsMedia)
}

func (s *session) askTime(ctx context.Context, d *Device) error {
	r, err := s.call(ctx, s.at.base, nsDevice, "GetSystemDateAndTime", "", true)
	if err != nil {
		return err
	}
	utc := r.at("SystemDateAndTime", "UTCDateTime")
	n := func(path ...string) int {
		v, err := strconv.Atoi(utc.str(path...))
		if err != nil {
			return -1
		}
		return v
	}
	year, month, day := n("Date", "Year"), n("Date", "Month"), n("Date", "Day")
	hour, minute, second := n("Time", "Hour"), n("Time", "Minute"), n("Time", "Second")
	t := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	if year < 1900 || year > 2200 || t.Day() != day || t.Hour() != hour || t.Minute() != minute || t.Second() != second {
		return nil // it does not know what the time is; the questions go by the box's clock
	}
	s.ahead = t.Sub(s.lim.Clock.Now())
	d.Ahead, d.ClockTold = s.ahead, true
	return nil
}

// services returns where the media services are, nil for one that is not there.
func (s *session) services(ctx context.Context, d *Device) (media, media2 *url.URL, err error) {
	take := func(xaddr string) *url.URL {
		at, own := s.at.service(xaddr)
		if !own {
			d.elsewhere()
		}
		return at
	}
	r, err := s.call(ctx, s.at.base, nsDevice, "GetServices", "<IncludeCapability>false</IncludeCapability>", false)
	if err == nil {
		for _, service := range r.all("Service") {
			switch service.str("Namespace") {
			case nsMedia:
				media = take(service.str("XAddr"))
			case nsMedia2:
				media2 = take(service.str("XAddr"))
			}
		}
		if media != nil || media2 != nil {
			return media, media2, nil
		}
	} else if !errors.Is(err, ErrNotONVIF) {
		return nil, nil, err
	}
	// Cameras from before GetServices (ONVIF 2.1).
	r, err = s.call(ctx, s.at.base, nsDevice, "GetCapabilities", "<Category>Media</Category>", false)
	if err != nil {
		return nil, nil, err
	}
	if x := r.str("Capabilities", "Media", "XAddr"); x != "" {
		media = take(x)
	}
	return media, nil, nil
}

// streams reads the profiles of one media service into d.
func (s *session) streams(ctx context.Context, d *Device, at *url.URL, space string) error {
	inner := ""
	if space == nsMedia2 {
		inner = "<Type>VideoEncoder</Type><Type>AudioEncoder</Type>"
	}
	r, err := s.call(ctx, at, space, "GetProfiles", inner, false)
	if err != nil {
		return err
	}
	protocol := "RTSP"
	if space == nsMedia2 {
		c, err := s.call(ctx, at, space, "GetServiceCapabilities", "", false)
		if err != nil && !errors.Is(err, ErrNotONVIF) {
			return err
		}
		if v := c.at("Capabilities", "StreamingCapabilities").attr("SecureRTSPStreaming"); v == "true" || v == "1" {
			protocol = "RtspsUnicast"
		}
	}
	var why error
	for i, p := range r.all("Profiles") {
		if i == s.lim.Profiles {
			break
		}
		stream, ok := profile(p)
		if !ok {
			continue
		}
		raw, err := s.uri(ctx, at, space, protocol, p.attr("token"))
		if err != nil && !errors.Is(err, ErrNotONVIF) {
			return err
		}
		if err == nil {
			var own bool
			if stream.URL, own, err = s.at.stream(raw, s.password); err == nil && !own {
				d.elsewhere()
			}
		}
		if err != nil {
			why = err // the other profiles may do
			continue
		}
		d.Streams = append(d.Streams, stream)
	}
	if d.Main().URL == "" {
		return ErrNoVideo.With(errors.Join(errors.New("onvif: no profile has a stream that can be used"), why))
	}
	return nil
}

// profile reads a profile of either media service; !ok: it has no video.
func profile(p *node) (Stream, bool) {
	video, audio := p.at("VideoEncoderConfiguration"), p.at("AudioEncoderConfiguration")
	if video == nil {
		video, audio = p.at("Configurations", "VideoEncoder"), p.at("Configurations", "AudioEncoder")
	}
	token := p.attr("token")
	if video == nil || token == "" || len(token) > maxText {
		return Stream{}, false
	}
	s := Stream{
		Name: bounded(p.str("Name")), Encoding: bounded(video.str("Encoding")), Audio: bounded(audio.str("Encoding")),
		Width: number(video.str("Resolution", "Width"), maxSide), Height: number(video.str("Resolution", "Height"), maxSide),
		BitRate: 1000 * number(video.str("RateControl", "BitrateLimit"), maxCount),
	}
	if f, err := strconv.ParseFloat(video.str("RateControl", "FrameRateLimit"), 64); err == nil && f > 0 && f <= 1000 {
		s.FPS = f
		if n := number(video.str("RateControl", "EncodingInterval"), maxCount); n > 1 {
			s.FPS /= float64(n)
		}
	}
	for _, gop := range []string{video.attr("GovLength"), video.str("H264", "GovLength"), video.str("H265", "GovLength")} {
		if n := number(gop, maxCount); n > 0 {
			s.GOP = n
			break
		}
	}
	name := strings.NewReplacer(".", "", "-", "", " ", "").Replace(strings.ToUpper(s.Encoding))
	switch strings.TrimRight(name, "+") {
	case "H264", "AVC":
		s.Codec = footage.H264
	case "H265", "HEVC":
		s.Codec = footage.H265
	case "JPEG", "MJPEG":
		s.Codec = footage.MJPEG
	}
	// ONVIF has no word for it; makers put one into the encoding's name or into
	// elements of their own.
	s.smart = strings.HasSuffix(name, "+") || video.any(func(n *node) bool {
		if l := strings.ToLower(n.name); !strings.Contains(l, "smartcodec") && !strings.Contains(l, "h264plus") && !strings.Contains(l, "h265plus") && !strings.Contains(l, "smarth26") {
			return false
		}
		v := strings.ToLower(n.str() + n.str("Enabled") + n.str("Mode") + n.attr("Enabled"))
		return v == "true" || v == "1" || v == "on" || v == "enabled"
	})
	return s, true
}

func (s *session) uri(ctx context.Context, at *url.URL, space, protocol, profile string) (string, error) {
	profile = "<ProfileToken>" + escape(profile) + "</ProfileToken>"
	if space == nsMedia {
		setup := `<StreamSetup><Stream xmlns="` + nsSchema + `">RTP-Unicast</Stream><Transport xmlns="` + nsSchema + `"><Protocol>RTSP</Protocol></Transport></StreamSetup>`
		r, err := s.call(ctx, at, space, "GetStreamUri", setup+profile, false)
		return r.str("MediaUri", "Uri"), err
	}
	r, err := s.call(ctx, at, space, "GetStreamUri", "<Protocol>"+protocol+"</Protocol>"+profile, false)
	if err != nil && protocol != "RTSP" && errors.Is(err, ErrNotONVIF) {
		r, err = s.call(ctx, at, space, "GetStreamUri", "<Protocol>RTSP</Protocol>"+profile, false)
	}
	return r.str("Uri"), err
}

var (
	secretParam = regexp.MustCompile(`(?i)^(user|usr|username|account|pass|passwd|password|pwd|auth|authbasic)$`)
	secretPath  = regexp.MustCompile(`(?i)(pass|passwd|password|pwd)=`)
)

// stream returns the URL of a stream that the camera named, at the address that
// was asked and without name and password, and whether the camera named that.
func (p place) stream(raw, password string) (_ string, own bool, err error) {
	u, err := url.Parse(strings.TrimSpace(raw))
	switch {
	case len(raw) > maxURL || err != nil:
		return "", false, errors.New("onvif: the camera's stream has no address") // err would show it whole
	case u.Scheme != "rtsp" && u.Scheme != "rtsps" || u.Opaque != "" || u.Hostname() == "":
		return "", false, errors.New("onvif: the camera's stream is not at an rtsp address")
	}
	host := p.base.Hostname()
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if u.Port() != "" {
		if n, err := strconv.ParseUint(u.Port(), 10, 16); err != nil || n == 0 {
			return "", false, errors.New("onvif: the camera's stream is at a port that is none")
		}
		host = net.JoinHostPort(p.base.Hostname(), u.Port())
	}
	own = p.isSelf(u.Hostname())
	u.User, u.Host, u.Fragment, u.RawFragment = nil, host, "", ""
	var kept []string
	for _, kv := range strings.Split(u.RawQuery, "&") {
		name, _, _ := strings.Cut(kv, "=")
		if kv != "" && !secretParam.MatchString(name) {
			kept = append(kept, kv)
		}
	}
	u.RawQuery = strings.Join(kept, "&")
	clean := u.String()
	if secretPath.MatchString(clean) || len(password) >= 6 && strings.Contains(clean, password) {
		return "", own, errors.New("onvif: the camera's stream has the password in its path")
	}
	if strings.ContainsFunc(clean, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsPrint(r) || r == ' ' }) {
		return "", own, errors.New("onvif: the camera's stream has an address that is not printable")
	}
	return clean, own, nil
}

func (d *Device) elsewhere() {
	w := Text{
		DA: "Kameraet kender ikke sin egen adresse (det nævner en anden). Boksen bruger den adresse, der svarede.",
		EN: "The camera does not know its own address (it names another). The box uses the address that answered."}
	for _, have := range d.Warnings {
		if have == w {
			return
		}
	}
	d.Warnings = append(d.Warnings, w)
}

// warn says what would hurt a recording, as far as the settings tell it.
func (d *Device) warn() {
	var first []Text
	warn := func(da, en string) { first = append(first, Text{DA: da, EN: en}) }
	if d.ClockTold && (d.Ahead > wrong || d.Ahead < -wrong) {
		at := time.Duration(d.Ahead).Round(time.Second)
		warn(fmt.Sprintf("Kameraets ur går %s forkert. Boksens ur gælder for optagelsen, men stil kameraet (NTP), så teksten i billedet passer.", span(at, "døgn")),
			fmt.Sprintf("The camera's clock is wrong by %s. The box's clock counts for the recording, but set the camera (NTP) so that the text in its picture is right.", span(at, "days")))
	}
	m, sub := d.Main(), d.Sub()
	if m.URL == "" {
		d.Warnings = append(first, d.Warnings...)
		return
	}
	if m.smart {
		warn("Kameraet bruger smart codec (H.264+/H.265+), som giver lange huller mellem nøglebillederne og få detaljer. Slå det fra.",
			"The camera uses a smart codec (H.264+/H.265+), which makes long gaps between keyframes and loses detail. Switch it off.")
	}
	if every := m.KeyEvery(); every > longGOP {
		n := problem.Numbers(every.Seconds())
		warn("Der er "+n.DA+" sekunder mellem nøglebillederne; klip kan kun begynde dér. Sæt intervallet til 1-2 sekunder.",
			"Keyframes are "+n.EN+" seconds apart, and clips can begin only there. Set the interval to 1-2 seconds.")
	}
	if m.FPS > 0 && m.FPS < slowFPS {
		n := problem.Numbers(m.FPS)
		warn("Kameraet er sat til kun "+n.DA+" billeder i sekundet.", "The camera is set to only "+n.EN+" pictures a second.")
	}
	if m.Codec == footage.H265 && sub.URL == "" {
		warn("Hovedstrømmen er H.265, som de fleste browsere ikke kan vise direkte, og der er ingen understrøm i H.264. Slå en til, eller vælg H.264.",
			"The main stream is H.265, which most browsers cannot show live, and there is no sub stream in H.264. Switch one on, or choose H.264.")
	}
	d.Warnings = append(first, d.Warnings...)
}

// span is a duration for people; a camera that starts in 1970 is decades off.
func span(d time.Duration, days string) string {
	if d < 0 {
		d = -d
	}
	if d < 48*time.Hour {
		return d.String()
	}
	return fmt.Sprintf("%d %s", d/(24*time.Hour), days)
}
