// Package onvif finds cameras and asks them what they are and where their
// streams are: WS-Discovery 1.0 (OASIS 2005/04) and the ONVIF device (ver10),
// media (ver10) and media2 (ver20) services, SOAP 1.2 over HTTP.
//
// A camera is hostile input. Every answer is bounded in size, nesting, elements,
// string length and time (Limits); document types, and with them entities, are
// refused; redirects are not followed, compression is not asked for. A camera
// must not make the box talk elsewhere: the one address that was asked is the
// only one that is ever connected to, whatever addresses the answers name.
//
// The password never goes over the wire: WS-UsernameToken with a digest, or HTTP
// digest (RFC 7616, MD5 and SHA-256) where the camera asks for that; Basic is not
// spoken. After one refusal nothing more is tried, as cameras lock. A camera on
// https is believed with any certificate; Device.Pin says which it showed, for
// the caller to compare.
//
// Strings in results are at most 128 printable characters. Durations are Go
// durations, bit rates bit/s. Errors are *problem.Problem with the codes
// "onvif.address" to "onvif.network"; when the context ends they are its cause.
package onvif

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"veilbox/capture/footage"
	"veilbox/internal/clock"
	"veilbox/internal/problem"
)

// Limits bound what a camera may make the box wait for or hold. Zero fields take
// the default.
type Limits struct {
	Call     time.Duration // one question; 5 s
	Total    time.Duration // a whole Look; 25 s
	Answer   int           // bytes of one answer; 512 KiB
	Profiles int           // that are looked at; 16
	Clock    clock.Clock   // the system's if nil
}

func (l Limits) orDefault() Limits {
	set := func(p *time.Duration, d time.Duration) {
		if *p <= 0 {
			*p = d
		}
	}
	set(&l.Call, 5*time.Second)
	set(&l.Total, 25*time.Second)
	if l.Answer <= 0 {
		l.Answer = 512 << 10
	}
	if l.Profiles <= 0 {
		l.Profiles = 16
	}
	if l.Clock == nil {
		l.Clock = clock.System{}
	}
	return l
}

// A Text is a sentence in Danish and English.
type Text = problem.Text

// A Stream is one profile of a camera that has video.
type Stream struct {
	Name          string        // of the profile
	URL           string        // rtsp or rtsps, at the address that was asked, without name and password
	Codec         footage.Codec // 0: another one, see Encoding
	Encoding      string        // as the camera spells it
	Width, Height int
	FPS           float64 // the limit that is set; 0: not told
	BitRate       int     // likewise, bit/s
	GOP           int     // pictures from keyframe to keyframe; 0: not told
	Audio         string  // how the sound is coded; empty: none

	smart bool // the encoder's settings tell of a "+" codec
}

// KeyEvery is the time from keyframe to keyframe, 0 where it is not told.
func (s Stream) KeyEvery() time.Duration {
	if s.GOP <= 0 || s.FPS <= 0 {
		return 0
	}
	return time.Duration(float64(s.GOP) / s.FPS * float64(time.Second))
}

// A Device is what a camera told. Where Look fails it is as far as that came.
type Device struct {
	Address      string // host that was asked, with its port where one was given
	Manufacturer string
	Model        string
	Firmware     string
	Serial       string
	Hardware     string
	Pin          string // SHA-256 of its public key (SPKI) in hex, where it was asked over https
	// Ahead is how far the camera's clock is ahead of the box's; ClockTold is
	// whether it told its clock.
	Ahead     time.Duration
	ClockTold bool
	NeedsUser bool // it wants a user name and password, and none was given
	Streams   []Stream
	Warnings  []Text // in the order of weight
}

// Main suggests the stream to record: the largest picture, and of those the one
// with most pictures a second; in H.264 or H.265, or in MJPEG where there is
// neither. The zero Stream: there is none.
func (d Device) Main() Stream {
	var best Stream
	for _, s := range d.Streams {
		if s.URL == "" || s.Codec == 0 {
			continue
		}
		weak, weakest := s.Codec == footage.MJPEG, best.Codec == footage.MJPEG
		a, b := s.Width*s.Height, best.Width*best.Height
		if best.URL == "" || weakest && !weak || weak == weakest && (a > b || a == b && s.FPS > best.FPS) {
			best = s
		}
	}
	return best
}

// Sub suggests the stream for live view and analysis: the smallest in H.264 with
// a width of 320 or more, other than Main. The zero Stream: there is none.
func (d Device) Sub() Stream {
	var best Stream
	main := d.Main()
	for _, s := range d.Streams {
		if s.URL == "" || s.Codec != footage.H264 || s.Width < minSub || s.URL == main.URL {
			continue
		}
		if a, b := s.Width*s.Height, best.Width*best.Height; best.URL == "" || a < b {
			best = s
		}
	}
	return best
}

const (
	minSub   = 320
	longGOP  = 4 * time.Second
	slowFPS  = 8
	wrong    = time.Minute // of a camera's clock
	maxText  = 128         // characters
	maxURL   = 512         // bytes
	maxSide  = 1 << 15
	maxCount = 1 << 20 // bit/s in thousands, pictures
)

// bounded keeps what a camera wrote short and printable.
func bounded(s string) string {
	n := 0
	s = strings.Map(func(r rune) rune {
		if n++; n > maxText {
			return -1
		}
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	return strings.TrimSpace(s)
}

// number reads a count that a camera wrote, 0 where it makes no sense.
func number(s string, most int) int {
	// Some write 25.000000.
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || !(f >= 0) || f > float64(most) {
		return 0
	}
	return int(f)
}

// A place is the one address that is talked to.
type place struct {
	base *url.URL   // scheme, host and path of the device service
	ip   netip.Addr // what the host's name was resolved to, once
	port string
}

// devicePath is where the device service is, by the ONVIF core specification.
const devicePath = "/onvif/device_service"

// locate reads an address as a person gives it or a discovery told it: a host
// with or without port, or the URL of the device service.
func locate(ctx context.Context, address string) (place, error) {
	bad := func(why string) (place, error) {
		return place{}, ErrAddress.With(fmt.Errorf("onvif: %s", why)) // not the address: it may hold a password
	}
	if len(address) > maxURL || strings.ContainsFunc(address, func(r rune) bool { return !unicode.IsPrint(r) || r == ' ' }) {
		return bad("it is too long or not printable")
	}
	if !strings.Contains(address, "://") {
		if ip, err := netip.ParseAddr(address); err == nil && ip.Is6() {
			address = "[" + address + "]"
		}
		address = "http://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.Opaque != "" {
		return bad("it is no host and no URL")
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return bad("it is no http or https URL")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return bad("it holds more than host, port and path")
	}
	p := place{base: &url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}, port: u.Port()}
	if p.base.Path == "" || p.base.Path == "/" {
		p.base.Path = devicePath
	}
	if p.port == "" {
		p.port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	if n, err := strconv.ParseUint(p.port, 10, 16); err != nil || n == 0 {
		return bad("the port is none")
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil {
		p.ip = ip.Unmap()
		return p, nil
	}
	// Resolved once, so that a name cannot lead somewhere else half way.
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return place{}, ErrAddress.With(fmt.Errorf("onvif: %w", err))
	case err != nil:
		return place{}, ErrUnreachable.With(fmt.Errorf("onvif: %w", err))
	case len(ips) == 0:
		return bad("the host's name leads nowhere")
	}
	p.ip = ips[0].Unmap()
	for _, ip := range ips {
		if ip.Unmap().Is4() {
			p.ip = ip.Unmap()
			break
		}
	}
	return p, nil
}

// isSelf reports whether host, as an answer names it, is the one that was asked.
func (p place) isSelf(host string) bool {
	if strings.EqualFold(host, p.base.Hostname()) {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap() == p.ip
}

// service returns the URL of a service that the camera named, at the address
// that was asked, and whether the camera named that.
func (p place) service(xaddr string) (_ *url.URL, own bool) {
	u, err := url.Parse(xaddr)
	if len(xaddr) > maxURL || err != nil || u.Opaque != "" || !strings.HasPrefix(u.Path, "/") || strings.ContainsFunc(u.Path, unicode.IsControl) {
		return p.base, false
	}
	at := &url.URL{Scheme: p.base.Scheme, Host: p.base.Host, Path: u.Path}
	if !p.isSelf(u.Hostname()) {
		return at, false
	}
	// Another port is still this camera; another scheme is not taken, as it would
	// leave TLS or the port that was asked.
	if n, err := strconv.ParseUint(u.Port(), 10, 16); err == nil && n > 0 && u.Scheme == p.base.Scheme {
		at.Host = net.JoinHostPort(p.base.Hostname(), u.Port())
	}
	return at, true
}
