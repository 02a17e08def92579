package live

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"veilbox/capture"
	"veilbox/capture/footage"
	"veilbox/internal/clock"
)

const (
	maxOffer   = 64 << 10
	gatherTime = 5 * time.Second
	joinTime   = 20 * time.Second // from the answer to a connection
	// firstTime is how long the first picture of a stream may take that was not
	// pulled before: a sub stream, or a transcode.
	firstTime = 5 * time.Second
	// repairEvery is how often the GOP under way is sent again, at most.
	repairEvery = time.Second
	// burstBytes are sent at once of the GOP under way, each burstPause.
	burstBytes = 64 << 10
	burstPause = 10 * time.Millisecond
)

// A view is one viewer's connection.
type view struct {
	id     string
	cam    footage.CameraID
	sub    *capture.Subscription
	codec  footage.Codec
	track  *webrtc.TrackLocalStaticRTP
	pc     *webrtc.PeerConnection
	joined chan struct{} // closed once connected
	gone   chan struct{} // closed once ended
	join   sync.Once
	once   sync.Once
	lost   atomic.Bool // the browser asks for a keyframe
	delay  uint8       // number of the header extension playoutDelay, 0 if not agreed
}

// begin takes r's offer and returns the view with its answer.
func (s *Server) begin(w http.ResponseWriter, r *http.Request, cam footage.CameraID) (*view, string, error) {
	if err := s.reserve(); err != nil {
		return nil, "", err
	}
	defer func() {
		s.mu.Lock()
		s.pending--
		s.mu.Unlock()
	}()
	offer, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxOffer))
	if err != nil {
		return nil, "", errOffer.With(fmt.Errorf("live: offer: %w", err))
	}
	o := readOffer(string(offer))
	if !o.h264 && o.h265 == [4]bool{} {
		return nil, "", errOffer.With(errors.New("live: the offer holds neither H.264 nor H.265"))
	}
	v := &view{id: rand.Text(), cam: cam, joined: make(chan struct{}), gone: make(chan struct{})}
	if v.sub, v.codec, err = s.choose(r.Context(), cam, o, r.URL.Query().Get("stream") == "sub"); err != nil {
		return nil, "", err
	}
	answer, err := s.connect(r.Context(), v, string(offer))
	if err != nil {
		s.end(v)
		return nil, "", err
	}
	return v, answer, nil
}

// connect takes the offer and returns the answer.
func (s *Server) connect(ctx context.Context, v *view, offer string) (string, error) {
	mime := webrtc.MimeTypeH264
	if v.codec == footage.H265 {
		mime = webrtc.MimeTypeH265
	}
	var err error
	if v.track, err = webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: mime, ClockRate: footage.TicksPerSecond}, "video", "veilbox"); err != nil {
		return "", fmt.Errorf("live: track: %w", err)
	}
	pc, err := s.api[v.codec].NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return "", fmt.Errorf("live: connection: %w", err)
	}
	v.pc = pc
	pc.OnConnectionStateChange(func(st webrtc.PeerConnectionState) {
		switch st {
		case webrtc.PeerConnectionStateConnected:
			v.join.Do(func() { close(v.joined) })
		case webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed:
			s.spawn(func() { s.end(v) })
		}
	})
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		return "", errOffer.With(fmt.Errorf("live: offer: %w", err))
	}
	sender, err := pc.AddTrack(v.track)
	if err != nil {
		return "", errOffer.With(fmt.Errorf("live: track: %w", err))
	}
	answer, err := pc.CreateAnswer(nil)
	if err != nil {
		return "", errOffer.With(fmt.Errorf("live: answer: %w", err))
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(answer); err != nil {
		return "", errOffer.With(fmt.Errorf("live: answer: %w", err))
	}
	// The codec is settled now: none in common means that nothing would come.
	if len(sender.GetParameters().Codecs) == 0 {
		return "", errOffer.With(fmt.Errorf("live: the offer holds no %v that can be agreed on", v.codec))
	}
	select {
	case <-gathered:
	case <-s.opt.Clock.After(gatherTime):
		s.opt.Log.Warn("addresses took long to gather")
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	if !s.keep(v) {
		return "", errClosed
	}
	// What the viewer reports has to be read, or repair stops.
	s.spawn(func() { s.listen(v, sender) })
	for _, x := range sender.GetParameters().HeaderExtensions {
		if x.URI == playoutDelay {
			v.delay = uint8(x.ID)
		}
	}
	s.spawn(func() { s.feed(v) })
	return pc.LocalDescription().SDP, nil
}

// listen notes what the viewer reports.
func (s *Server) listen(v *view, sender *webrtc.RTPSender) {
	for {
		reports, _, err := sender.ReadRTCP()
		if err != nil {
			return
		}
		for _, r := range reports {
			switch r.(type) {
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				v.lost.Store(true)
				s.mu.Lock()
				s.stats.Repairs++
				s.mu.Unlock()
			}
		}
	}
}

// feed sends pictures until the subscription ends; then the view ends too.
func (s *Server) feed(v *view) {
	defer s.end(v)
	select {
	case <-v.gone:
		return
	case <-s.opt.Clock.After(joinTime):
		return
	case <-v.joined:
	}
	// What came while the connection was made would only make the view late.
	v.sub.Restart(s.opt.Clock.Now())
	var failed bool
	burst := 0
	p := newPacker(v.codec, func(pkt *rtp.Packet) error {
		burst += len(pkt.Payload)
		// The connection's state ends the view, not one packet.
		if err := v.track.WriteRTP(pkt); err != nil && !failed && !errors.Is(err, io.ErrClosedPipe) {
			failed = true
			s.opt.Log.Warn("a packet did not reach a viewer", slog.String("camera", string(v.cam)), slog.Any("err", err))
		}
		return nil
	})
	if v.delay != 0 {
		if err := p.pkt.SetExtension(v.delay, shortest); err != nil {
			s.opt.Log.Warn("no short delay for a viewer", slog.Any("err", err))
		}
	}
	repaired := s.opt.Clock.Now()
	for {
		fr, err := v.sub.Next(s.ctx)
		if err == nil && fr.Format.Codec != v.codec {
			err = fmt.Errorf("live: the camera changed to %v", fr.Format.Codec)
		}
		if err == nil {
			err = p.frame(fr)
		}
		if err != nil {
			if !errors.Is(err, io.EOF) && s.ctx.Err() == nil {
				s.opt.Log.Warn("live view ended", slog.String("camera", string(v.cam)), slog.Any("err", err))
			}
			return
		}
		switch {
		case !fr.Replayed:
			burst = 0
			if now := s.opt.Clock.Now(); v.lost.Load() && now.Sub(repaired) >= repairEvery {
				v.lost.Store(false)
				repaired = now
				if !fr.Unit.Key { // that one was the repair
					v.sub.Restart(now)
				}
			}
		case burst >= burstBytes:
			burst = 0
			// Its end shows at the next picture.
			_ = clock.Sleep(s.ctx, s.opt.Clock, burstPause)
		}
	}
}

// keep enters v among the views.
func (s *Server) keep(v *view) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.views[v.id] = v
	s.stats.Views++
	return true
}

// end closes v, once.
func (s *Server) end(v *view) {
	v.once.Do(func() {
		close(v.gone)
		v.sub.Close()
		s.mu.Lock()
		delete(s.views, v.id)
		s.stats.LostGOPs += v.sub.LostGOPs()
		s.mu.Unlock()
		if v.pc != nil {
			if err := v.pc.Close(); err != nil {
				s.opt.Log.Warn("live view did not close well", slog.Any("err", err))
			}
		}
	})
}
