// Package camera is the only package that speaks to a camera: RTSP 1.0
// (RFC 2326) in the clear or over TLS 1.2 and later, with RTP interleaved in the
// same TCP connection (§10.12) or over UDP; H.264 (RFC 6184), H.265 (RFC 7798)
// and MJPEG (RFC 2435); AAC (RFC 3640, RFC 6416), G.711 (RFC 3551) and Opus
// (RFC 7587). Passwords are shown by digest (RFC 7616) where the camera knows it.
//
// A camera is hostile input. Nothing it sends is decoded here: packets become
// access units, of the parameter sets only the picture's size is read, and all
// of it is bounded by Limits: what waits, what is held, and what comes a second.
// A session holds no more than twice Limits.AccessUnit and some MiB, whatever the
// camera does. The library's types stay inside; it is shown answers only once
// they have been put into the few forms that it reads without trouble.
//
// A camera over TLS signs its own certificate, so its key is trusted when it is
// first seen and has to be the same from then on; nothing is sent to another. With
// TLS the packets never go over UDP, where they would be in the clear.
//
// Times: an access unit's DTS and PTS are ticks of 1/90000 s from about 0 at
// the session's first picture, taken from RTP and held against the clock of
// arrival; see timeline. Arrived is the box's clock at the picture's first
// packet.
//
// Errors are *problem.Problem with a code of this package's ("camera.url" and
// so on, see ErrURL and those beside it); when the context ends they are its
// cause.
package camera

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode"

	"veilbox/capture/footage"
	"veilbox/internal/clock"
)

// A Secret is a password. It prints as ***, also in JSON, text and logs.
type Secret string

func (Secret) String() string               { return "***" }
func (Secret) GoString() string             { return "***" }
func (Secret) MarshalText() ([]byte, error) { return []byte("***"), nil }

// Format keeps %x, %q and the like from showing what String hides.
func (Secret) Format(f fmt.State, _ rune) {
	// A formatting verb has nowhere to report a failed write to.
	_, _ = f.Write([]byte("***"))
}

// LogValue keeps the password from structured logs.
func (Secret) LogValue() slog.Value { return slog.StringValue("***") }

// A Source is where a camera's pictures come from. A name and password may
// stand in the URLs as well; the fields go before them.
type Source struct {
	URL      string
	SubURL   string // a smaller rendition of the same picture; optional
	Username string
	Password Secret
	// Transport is how the video comes; Auto by default.
	Transport Transport
	// Pin is the camera's certificate as Options.Pinned told it, for rtsps. None:
	// the first that is seen is told and trusted.
	Pin string
	// Audio asks for the sound as well. It is off unless a person chose it:
	// recording what people say is another matter in law than their picture.
	Audio bool
}

// A Transport is how a camera's packets travel.
type Transport string

const (
	Auto Transport = ""    // TCP, UDP where the camera will not or nothing comes
	TCP  Transport = "tcp" // interleaved in the RTSP connection
	UDP  Transport = "udp" // not with rtsps
)

// Split returns s with name and password moved from the URLs to their fields,
// or a Problem with the code camera.url.
func (s Source) Split() (Source, error) {
	out := s
	var err error
	if out.Pin, err = cleanPin(s.Pin); err != nil {
		return Source{}, err
	}
	switch s.Transport {
	case Auto, TCP, UDP:
	default:
		return Source{}, ErrURL.With(errors.New("camera: the transport is none of tcp, udp and none"))
	}
	for i, raw := range []string{s.URL, s.SubURL} {
		if i == 1 && raw == "" {
			break
		}
		u, err := parseURL(raw)
		if err != nil {
			return Source{}, err
		}
		if u.User != nil {
			if out.Username == "" {
				out.Username = u.User.Username()
			}
			if p, ok := u.User.Password(); ok && out.Password == "" {
				out.Password = Secret(p)
			}
			u.User = nil
		}
		if i == 0 {
			out.URL = u.String()
		} else {
			out.SubURL = u.String()
		}
	}
	return out, nil
}

// Sub returns the source of the smaller rendition, s itself where there is none.
func (s Source) Sub() Source {
	if s.SubURL != "" {
		s.URL, s.SubURL = s.SubURL, ""
	}
	return s
}

const maxURL = 2048

func parseURL(raw string) (*url.URL, error) {
	bad := func(why string) error { return ErrURL.With(fmt.Errorf("camera: address: %s", why)) }
	switch {
	case raw == "":
		return nil, bad("it is empty")
	case len(raw) > maxURL:
		return nil, bad(fmt.Sprintf("it is longer than %d characters", maxURL))
	}
	for _, r := range raw {
		if unicode.IsControl(r) || unicode.IsSpace(r) {
			return nil, bad("it holds a space or a control character")
		}
	}
	// The parser's own error repeats the address, and with it a password.
	u, err := url.Parse(raw)
	if err != nil {
		return nil, bad("it cannot be read")
	}
	port := u.Port()
	n, err := strconv.ParseUint(port, 10, 16)
	switch {
	case u.Scheme != "rtsp" && u.Scheme != "rtsps":
		return nil, bad("it does not begin with rtsp:// or rtsps://")
	case u.Hostname() == "" || u.Opaque != "":
		return nil, bad("it names no host")
	case u.Fragment != "":
		return nil, bad("it holds a #")
	case strings.HasSuffix(u.Host, ":") || port != "" && (err != nil || n == 0):
		return nil, bad("its port is no number from 1 to 65535")
	}
	return u, nil
}

// Limits bound what a camera may make the box wait for or hold. Zero fields
// take the default.
type Limits struct {
	Connect       time.Duration // to the open connection; 5 s
	Stall         time.Duration // without a video packet; 10 s
	FirstKeyframe time.Duration // from PLAY to a keyframe; 20 s
	AccessUnit    int           // bytes of a picture; 8 MiB
	ParameterSet  int           // bytes of one; 4 KiB
	Handshake     int           // bytes until the answer to PLAY; 512 KiB
	// BitRate is what a camera may send, all told, in bit/s, for more than some
	// seconds; 100 Mbit/s.
	BitRate int64
}

func (l Limits) orDefault() Limits {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	num := func(n *int, v int) {
		if *n <= 0 || *n > v {
			*n = v
		}
	}
	def(&l.Connect, 5*time.Second)
	def(&l.Stall, 10*time.Second)
	def(&l.FirstKeyframe, 20*time.Second)
	num(&l.AccessUnit, 8<<20)
	num(&l.ParameterSet, 4<<10)
	num(&l.Handshake, 512<<10)
	if l.BitRate <= 0 {
		l.BitRate = 100e6
	}
	return l
}

const (
	maxUnits = 1024 // NAL units of a picture, many more than any level allows slices
	maxText  = 64   // characters of a name that a camera gives
	maxTold  = 200  // characters of an error that may hold the camera's words
)

// A Phase is how far a session has come.
type Phase uint8

const (
	Connecting Phase = iota
	Describing
	WaitingForKeyframe
	Playing
)

func (p Phase) String() string {
	switch p {
	case Connecting:
		return "connecting"
	case Describing:
		return "describing"
	case WaitingForKeyframe:
		return "waiting-for-keyframe"
	case Playing:
		return "playing"
	}
	return fmt.Sprintf("phase %d", uint8(p))
}

// Stats counts over all sessions that share it.
type Stats struct {
	Packets   atomic.Uint64 // video RTP packets
	Bytes     atomic.Uint64 // of those packets' payload
	Units     atomic.Uint64 // access units handed on
	Lost      atomic.Uint64 // packets missing from the sequence
	Malformed atomic.Uint64 // packets, NAL units and parameter sets that hold no sense
	Dropped   atomic.Uint64 // access units left out as damaged or too big
	Rogue     atomic.Uint64 // time stamps replaced by the clock of arrival

	AudioUnits      atomic.Uint64 // handed on
	AudioDropped    atomic.Uint64 // left out as damaged, too big, of no sense or out of time
	AudioReanchored atomic.Uint64 // times that the sound was tied to the pictures anew, more than 0.5 s off
	AudioRefused    atomic.Uint64 // times the sound was asked for and not to be had

	Formats    atomic.Uint64 // changes of the pictures' format within a session
	Floods     atomic.Uint64 // sessions ended by Limits.BitRate
	Requests   atomic.Uint64 // that the camera made of us
	Keepalives atomic.Uint64 // refused, and made in another way since
}

// Options are a session's surroundings.
type Options struct {
	Clock  clock.Clock  // the system's if nil
	Log    *slog.Logger // silent if nil
	Limits Limits
	Stats  *Stats      // optional
	Phase  func(Phase) // optional; told of each phase as it begins
	// Pinned is told the certificate of a camera that is spoken to over TLS and
	// has no Source.Pin yet: the SHA-256 of its public key (SPKI), in hex.
	Pinned func(pin string)
	// Learned is kept from session to session; optional.
	Learned *Learned
}

func (o Options) orDefault() Options {
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Stats == nil {
		o.Stats = new(Stats)
	}
	if o.Phase == nil {
		o.Phase = func(Phase) {}
	}
	if o.Learned == nil {
		o.Learned = new(Learned)
	}
	o.Limits = o.Limits.orDefault()
	return o
}

// A Handler takes what a session receives, from one goroutine at a time. It
// must not block: what it holds up is the camera's connection.
type Handler interface {
	// Format is called before the first access unit, and again before a
	// keyframe that comes with other parameter sets. It may keep f.
	Format(f footage.Format)
	// AccessUnit is called first with a keyframe. The NAL units are valid
	// until it returns.
	AccessUnit(au footage.AccessUnit)
}

// An AudioHandler is a Handler that takes sound too, where Source.Audio asks for
// it. Its calls come in one order with the Handler's, from the same goroutine.
type AudioHandler interface {
	// AudioFormat is called before the first AudioUnit, and again when the sound
	// changes. It may keep f.
	AudioFormat(f footage.AudioFormat)
	// AudioUnit is called after the first AccessUnit only. Data is valid until it
	// returns.
	AudioUnit(u footage.AudioUnit)
}

// bounded returns the first max characters of s as something that can be
// logged and shown on a terminal.
func bounded(s string, max int) string {
	out := make([]rune, 0, min(max, len(s)))
	for _, r := range s {
		if len(out) == max {
			break
		}
		if !unicode.IsPrint(r) {
			r = '?'
		}
		out = append(out, r)
	}
	return string(out)
}
