package camera

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/liberrors"
)

const (
	maxTries     = 8               // connections of one session
	maxRedirects = 3               // of those
	udpFirst     = 5 * time.Second // until a first packet, before TCP is tried
	udpBuffer    = 1 << 20         // bytes that the kernel keeps for us, a keyframe's worth
	muteFor      = time.Hour       // for a camera that asking for the sound kills
)

// Learned is what the sessions with one camera find out, so that the next begins
// with it. Its zero value is ready; keep one as long as the Source stays the same.
type Learned struct {
	mu        sync.Mutex
	transport Transport
	pin       string
	mute      time.Time // no sound is asked for until then
}

// A plan is how a connection is tried.
type plan struct {
	transport gortsplib.Transport
	audio     bool
	anyPort   bool // the camera does not tell the ports it sends from
}

func (l *Learned) plan(src Source, tls bool, now time.Time) plan {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := plan{audio: src.Audio && !now.Before(l.mute)}
	// Over UDP the pictures would travel in the clear.
	if !tls && (src.Transport == UDP || src.Transport == Auto && l.transport == UDP) {
		p.transport = gortsplib.TransportUDP
	} else {
		p.transport = gortsplib.TransportTCP
	}
	return p
}

func (l *Learned) worked(t Transport) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.transport = t
}

func (l *Learned) muted(until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mute = until
}

func (l *Learned) pinned(pin string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pin = pin
}

// expects returns the pin that the camera must have, "" if any will do.
func (l *Learned) expects(configured string) string {
	if configured != "" {
		return configured
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pin
}

func (s *session) transport() Transport {
	if s.plan.transport == gortsplib.TransportUDP {
		return UDP
	}
	return TCP
}

// replan decides whether and how to connect again after a connection that ended
// with the library's error raw, before its first packet.
func (s *session) replan(raw, err error) bool {
	if s.packets.Load() > 0 {
		return false
	}
	switch {
	case s.redirect != "":
		return s.follow(s.redirect)
	case s.unanswered && !s.reauth:
		// Some cameras close after a challenge; the answer is known now.
		s.reauth = true
		return true
	case errors.Is(err, ErrAuth), errors.Is(err, ErrPin), errors.Is(err, ErrFlood), errors.Is(err, ErrNoTrack), errors.Is(err, ErrURL):
		return false
	case s.audioAsked:
		// A camera whose sound kills its picture is asked for the picture alone.
		s.plan.audio = false
		s.opt.Stats.AudioRefused.Add(1)
		s.opt.Learned.muted(s.opt.Clock.Now().Add(muteFor))
		s.opt.Log.Warn("camera asked again without its sound")
		return true
	case errors.As(raw, new(liberrors.ErrClientServerPortsNotProvided)) && !s.plan.anyPort:
		s.plan.anyPort = true
		return true
	}
	var status liberrors.ErrClientBadStatusCode
	if s.changing && !errors.As(raw, &status) {
		return true // it closed instead, and is asked on a connection of its own
	}
	return s.switchTransport(raw, err)
}

// switchTransport plans for the other transport where raw, which is err to a
// person, may come from this one.
func (s *session) switchTransport(raw, err error) bool {
	if s.src.Transport != Auto || s.tls() || s.switched || !s.unsuited(raw, err) {
		return false
	}
	s.switched, s.first = true, err
	if s.plan.transport == gortsplib.TransportTCP {
		s.plan.transport = gortsplib.TransportUDP
	} else {
		s.plan.transport = gortsplib.TransportTCP
	}
	s.opt.Log.Info("camera tried with the other transport", slog.String("transport", string(s.transport())))
	return true
}

// unsuited reports whether the other transport may do better.
func (s *session) unsuited(raw, err error) bool {
	var status liberrors.ErrClientBadStatusCode
	if errors.As(raw, &status) && s.last == base.Setup {
		switch status.Code {
		case base.StatusUnsupportedTransport, base.StatusBadRequest, base.StatusNotAcceptable,
			base.StatusParameterNotUnderstood, base.StatusInternalServerError, base.StatusNotImplemented, base.StatusOptionNotSupported:
			return true
		}
		return false
	}
	for _, t := range []any{
		new(liberrors.ErrClientServerRequestedTCP), new(liberrors.ErrClientServerRequestedUDP), new(liberrors.ErrClientUDPTimeout),
		new(liberrors.ErrClientTransportHeaderInvalid), new(liberrors.ErrClientTransportHeaderInvalidDelivery),
		new(liberrors.ErrClientTransportHeaderNoInterleavedIDs), new(liberrors.ErrClientTransportHeaderInvalidInterleavedIDs),
		new(liberrors.ErrClientServerPortsNotProvided),
	} {
		if errors.As(raw, t) {
			return true
		}
	}
	// Answered, and nothing came.
	return s.playing.Load() && errors.Is(err, ErrStall)
}

// follow prepares for the address that a camera redirects to: of the same host,
// as the password goes along, and not out of TLS.
func (s *session) follow(location string) bool {
	if s.redirects++; s.redirects > maxRedirects {
		return false
	}
	u, err := base.ParseURL(location)
	if err != nil || u.Host == "" {
		return false
	}
	v, err := parseURL(u.CloneWithoutCredentials().String())
	if err != nil || v.Hostname() != s.host || s.tls() && v.Scheme != "rtsps" {
		return false
	}
	s.url = (*base.URL)(v)
	if s.tls() {
		s.plan.transport = gortsplib.TransportTCP
	}
	return true
}

// listen opens a socket for packets on the address that the camera is reached
// from, and no other.
func (s *session) listen(network, address string) (net.PacketConn, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("camera: listen: %w", err)
	}
	host := ""
	if s.local != nil {
		host = s.local.String()
	}
	c, err := new(net.ListenConfig).ListenPacket(context.Background(), network, net.JoinHostPort(host, port))
	if err != nil {
		return nil, err
	}
	if u, ok := c.(*net.UDPConn); ok {
		// The system may allow less, which then has to do.
		_ = u.SetReadBuffer(udpBuffer)
	}
	return c, nil
}

// cleanTransport returns a Transport header (RFC 2326 §12.39) with nothing in it
// but what the library needs. Left out is the source, which may be a name for the
// library to look up or an address to send to, and has to be the camera's own.
// Channels that the camera does not tell are those it was asked for.
func cleanTransport(v string, asked string) string {
	tcp, multicast := false, false
	var channels, ports [2]int
	var hasChannels, hasPorts bool
	for i, f := range strings.SplitN(v, ";", 32) {
		k, value, _ := strings.Cut(strings.TrimSpace(f), "=")
		switch strings.ToLower(strings.TrimSpace(k)) {
		case "multicast":
			multicast = true
		case "interleaved":
			tcp = true
			channels, hasChannels = pair(value, 0, 254)
		case "server_port":
			ports, hasPorts = pair(value, 1, 65534)
		default:
			tcp = tcp || i == 0 && strings.HasSuffix(strings.ToUpper(k), "/TCP")
		}
	}
	switch {
	case tcp:
		if !hasChannels {
			_, after, _ := strings.Cut(asked, "interleaved=")
			after, _, _ = strings.Cut(after, ";")
			if channels, hasChannels = pair(after, 0, 254); !hasChannels {
				return "RTP/AVP/TCP;unicast"
			}
		}
		return fmt.Sprintf("RTP/AVP/TCP;unicast;interleaved=%d-%d", channels[0], channels[1])
	case multicast:
		return "RTP/AVP;multicast"
	case hasPorts:
		return fmt.Sprintf("RTP/AVP;unicast;server_port=%d-%d", ports[0], ports[1])
	}
	return "RTP/AVP;unicast"
}

// pair reads "a-b" or "a", which stands for "a-(a+1)".
func pair(s string, least, most int) ([2]int, bool) {
	first, second, both := strings.Cut(strings.TrimSpace(s), "-")
	a, err := strconv.Atoi(first)
	if err != nil || a < least || a > most {
		return [2]int{}, false
	}
	b := a + 1
	if both {
		if b, err = strconv.Atoi(second); err != nil || b < least || b > most+1 {
			return [2]int{}, false
		}
	}
	return [2]int{a, b}, true
}

const (
	maxSession  = 256
	minTimeout  = 2
	maxTimeout  = 60
	sessionRune = "$-_.+!*'(),/=:@&{}|~^%#?<>[]\\`\""
)

// cleanSession returns a Session header (RFC 2326 §12.37) that the library reads
// without trouble, "" for one that holds no session. The time that a session
// lives unattended is kept within bounds: the library counts from it when to show
// that it is still there, and a number near 2^32 would make it do that without
// end.
func cleanSession(v string) string {
	id, rest, _ := strings.Cut(v, ";")
	id = strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune(sessionRune, r) {
			return r
		}
		return -1
	}, id)
	if id == "" || len(id) > maxSession {
		return ""
	}
	for _, f := range strings.SplitN(rest, ";", 8) {
		k, value, _ := strings.Cut(f, "=")
		if !strings.EqualFold(strings.TrimSpace(k), "timeout") {
			continue
		}
		if n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 64); err == nil && n > 0 {
			return fmt.Sprintf("%s;timeout=%d", id, min(max(n, minTimeout), maxTimeout))
		}
	}
	return id
}
