package live

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"veilbox/capture"
	"veilbox/capture/footage"
)

// A view is one viewer's connection.
type view struct {
	id     string
	cam    footage.CameraID
	hub    *hub
	pc     *webrtc.PeerConnection
	joined atomic.Bool
	once   sync.Once
}

// A hub feeds the viewers of one camera from one subscription.
type hub struct {
	cam     footage.CameraID
	track   *webrtc.TrackLocalStaticRTP
	sub     *capture.Subscription
	viewers int // guarded by the server's lock
}

// join returns cam's hub with one viewer more.
func (s *Server) join(cam footage.CameraID) (*hub, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	if h := s.hubs[cam]; h != nil {
		h.viewers++
		return h, nil
	}
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeH264, ClockRate: footage.TicksPerSecond}, "video", "veilbox")
	if err != nil {
		return nil, fmt.Errorf("live: track: %w", err)
	}
	sub, err := s.opt.Source.Subscribe(cam)
	if err != nil {
		return nil, err
	}
	h := &hub{cam: cam, track: track, sub: sub, viewers: 1}
	s.hubs[cam] = h
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		s.feed(h)
	}()
	return h, nil
}

// leave takes a viewer from h, which ends with the last.
func (s *Server) leave(h *hub) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.viewers--; h.viewers > 0 {
		return
	}
	h.sub.Close()
	if s.hubs[h.cam] == h {
		delete(s.hubs, h.cam)
	}
}

// feed sends pictures until the subscription ends; then the views end too.
func (s *Server) feed(h *hub) {
	failed := false
	p := newPacker(func(pkt *rtp.Packet) error {
		// One viewer's trouble must not cost the others their picture; its own
		// connection's state ends its view.
		if err := h.track.WriteRTP(pkt); err != nil && !failed && !errors.Is(err, io.ErrClosedPipe) {
			failed = true
			s.opt.Log.Warn("a packet did not reach a viewer", slog.String("camera", string(h.cam)), slog.Any("err", err))
		}
		return nil
	})
	err := p.run(s.ctx, h.sub)
	if err != nil && !errors.Is(err, io.EOF) && s.ctx.Err() == nil {
		s.opt.Log.Warn("live view ended", slog.String("camera", string(h.cam)), slog.Any("err", err))
	}
	s.mu.Lock()
	if s.hubs[h.cam] == h {
		delete(s.hubs, h.cam)
	}
	var left []*view
	for _, v := range s.views {
		if v.hub == h {
			left = append(left, v)
		}
	}
	s.mu.Unlock()
	for _, v := range left {
		s.end(v)
	}
}

// mtu is what an RTP payload may measure so that with RTP, SRTP, UDP and IPv6
// headers it passes any common network.
const mtu = 1200

// A packer makes RTP packets (RFC 6184: single NAL units and FU-A) of pictures.
// Its packet is used again for the next; the track copies what it keeps.
type packer struct {
	write func(*rtp.Packet) error
	pkt   rtp.Packet
	buf   []byte
	begun bool
	shift int64 // to the camera's times, which begin anew with each session
	dts   int64
	last  footage.AccessUnit
}

func newPacker(write func(*rtp.Packet) error) *packer {
	var seed [6]byte
	// crypto/rand.Read never fails: it ends the program instead.
	_, _ = rand.Read(seed[:])
	p := &packer{write: write, buf: make([]byte, 0, mtu), shift: int64(binary.BigEndian.Uint32(seed[:]))}
	p.pkt.Version = 2
	p.pkt.SequenceNumber = binary.BigEndian.Uint16(seed[4:])
	return p
}

func (p *packer) run(ctx context.Context, sub *capture.Subscription) error {
	for {
		fr, err := sub.Next(ctx)
		if err != nil {
			return err
		}
		if fr.Format.Codec != footage.H264 {
			return errH265
		}
		if err := p.frame(fr); err != nil {
			return err
		}
	}
}

func (p *packer) frame(fr *capture.Frame) error {
	au := &fr.Unit
	if p.begun && au.DTS <= p.dts {
		// A new session: go on by the clock of arrival.
		gap := max(1, int64(footage.TicksIn(au.Arrived.Sub(p.last.Arrived))))
		p.shift += p.dts + gap - au.DTS
	}
	p.begun, p.dts = true, au.DTS
	p.last.Arrived = au.Arrived
	p.pkt.Timestamp = uint32(au.PTS + p.shift)
	if au.Key {
		for _, n := range fr.Format.Params {
			if err := p.unit(n, false); err != nil {
				return err
			}
		}
	}
	for i, n := range au.NALUs {
		if err := p.unit(n, i == len(au.NALUs)-1); err != nil {
			return err
		}
	}
	return nil
}

func (p *packer) unit(n []byte, last bool) error {
	if len(n) <= mtu {
		return p.send(n, last)
	}
	indicator, typ := n[0]&0xe0|28, n[0]&0x1f
	for rest, first := n[1:], true; len(rest) > 0; first = false {
		chunk := rest[:min(len(rest), mtu-2)]
		rest = rest[len(chunk):]
		head := typ
		if first {
			head |= 0x80
		}
		if len(rest) == 0 {
			head |= 0x40
		}
		p.buf = append(append(p.buf[:0], indicator, head), chunk...)
		if err := p.send(p.buf, last && len(rest) == 0); err != nil {
			return err
		}
	}
	return nil
}

func (p *packer) send(payload []byte, mark bool) error {
	p.pkt.Payload, p.pkt.Marker = payload, mark
	err := p.write(&p.pkt)
	p.pkt.SequenceNumber++
	if err != nil {
		return fmt.Errorf("live: send: %w", err)
	}
	return nil
}
