// Package live shows what a camera sends to browsers, by WebRTC with WHEP
// (RFC 9725 for the signalling's shape; draft-ietf-wish-whep): a POST with an
// SDP offer is answered with an SDP answer and a session's address, which a
// DELETE ends.
//
// H.264 goes through as the camera coded it; nothing is decoded. One
// subscription feeds all viewers of a camera, and ends with the last. A viewer
// sees the first picture at the camera's next keyframe.
//
// There is no STUN, TURN or trickle: viewers are in the shop's own network, so
// the answer holds all host candidates, loopback among them. Who may watch is
// for the caller to decide before ServeWHEP.
//
// RTP time stamps are presentation times, 1/90000 s, from a random start.
// Errors are *problem.Problem with the codes "live.offer", "live.full",
// "live.h265", "live.waiting", "live.session", "live.closed".
package live

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"sync"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"

	"veilbox/capture"
	"veilbox/capture/footage"
	"veilbox/internal/clock"
	"veilbox/internal/problem"
)

// A Source is where pictures come from; *capture.Supervisor is one.
type Source interface {
	Subscribe(cam footage.CameraID) (*capture.Subscription, error)
	LastKeyframe(cam footage.CameraID) (footage.Format, footage.AccessUnit, bool)
}

// Options say what to serve and within what bounds.
type Options struct {
	Source  Source
	Log     *slog.Logger // silent if nil
	Clock   clock.Clock  // the system's if nil
	Viewers int          // at most, all cameras together; 16 if zero
	// PortMin and PortMax bound the UDP ports, for a firewall; any if zero.
	PortMin, PortMax uint16
}

type text = problem.Text

var (
	errOffer = problem.New(http.StatusBadRequest, "live.offer",
		text{DA: "Browserens forespørgsel om direkte visning kan ikke bruges.", EN: "The browser's request for a live view cannot be used."},
		text{DA: "Brug en nyere browser, der kan vise H.264 over WebRTC.", EN: "Use a recent browser that can show H.264 over WebRTC."})
	errFull = problem.New(http.StatusServiceUnavailable, "live.full",
		text{DA: "Der er for mange direkte visninger åbne.", EN: "Too many live views are open."},
		text{DA: "Luk en anden visning, og prøv igen.", EN: "Close another view and try again."})
	errH265 = problem.New(http.StatusUnsupportedMediaType, "live.h265",
		text{DA: "Kameraet sender H.265, som ikke kan vises direkte.", EN: "The camera sends H.265, which cannot be shown live."},
		text{DA: "Se optagelsen i stedet, brug en understrøm i H.264, eller vælg H.264 i kameraet.", EN: "Watch the recording instead, use a sub stream in H.264, or choose H.264 in the camera."})
	errWaiting = problem.New(http.StatusServiceUnavailable, "live.waiting",
		text{DA: "Kameraet har endnu ikke sendt et billede.", EN: "The camera has not sent a picture yet."},
		text{DA: "Vent et øjeblik, og prøv igen. Kameraets tilstand står på oversigten.", EN: "Wait a moment and try again. The overview shows how the camera is."})
	errSession = problem.New(http.StatusNotFound, "live.session",
		text{DA: "Den direkte visning er allerede slut.", EN: "That live view has ended already."},
		text{DA: "Åbn visningen igen.", EN: "Open the view again."})
	errMethod = problem.New(http.StatusMethodNotAllowed, "live.method",
		text{DA: "Forespørgslen kendes ikke her.", EN: "The request is not known here."},
		text{DA: "Brug POST for at begynde og DELETE for at slutte.", EN: "Use POST to begin and DELETE to end."})
	errClosed = problem.New(http.StatusServiceUnavailable, "live.closed",
		text{DA: "Direkte visning er ved at lukke ned.", EN: "Live view is shutting down."},
		text{DA: "Prøv igen, når boksen er startet.", EN: "Try again once the box has started."})
)

const (
	maxOffer   = 64 << 10
	gatherTime = 5 * time.Second
	joinTime   = 20 * time.Second // from the answer to a connection
	iceGone    = 10 * time.Second
)

// A Server holds the live views.
type Server struct {
	opt    Options
	api    *webrtc.API
	ctx    context.Context
	cancel context.CancelFunc

	mu      sync.Mutex
	hubs    map[footage.CameraID]*hub
	views   map[string]*view
	pending int
	closed  bool
	wg      sync.WaitGroup
}

// NewServer returns a Server without viewers.
func NewServer(opt Options) (*Server, error) {
	if opt.Source == nil {
		return nil, errors.New("live: NewServer: a source is needed")
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Clock == nil {
		opt.Clock = clock.System{}
	}
	if opt.Viewers <= 0 {
		opt.Viewers = 16
	}
	api, err := newAPI(opt)
	if err != nil {
		return nil, err
	}
	s := &Server{opt: opt, api: api, hubs: map[footage.CameraID]*hub{}, views: map[string]*view{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

func newAPI(opt Options) (*webrtc.API, error) {
	var m webrtc.MediaEngine
	feedback := []webrtc.RTCPFeedback{{Type: "nack"}, {Type: "nack", Parameter: "pli"}, {Type: "goog-remb"}}
	// Browsers offer several profiles and decode all of them, whatever was
	// agreed: any of these will do for any camera.
	for i, profile := range []string{"42e01f", "42001f", "4d001f", "64001f", "640032", "f4001f"} {
		err := m.RegisterCodec(webrtc.RTPCodecParameters{
			RTPCodecCapability: webrtc.RTPCodecCapability{
				MimeType: webrtc.MimeTypeH264, ClockRate: footage.TicksPerSecond,
				SDPFmtpLine:  "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=" + profile,
				RTCPFeedback: feedback,
			},
			PayloadType: webrtc.PayloadType(102 + i),
		}, webrtc.RTPCodecTypeVideo)
		if err != nil {
			return nil, fmt.Errorf("live: codec: %w", err)
		}
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

// ServeWHEP answers a POST of an offer for cam, and a DELETE of the address
// that such an answer gave: the POST's path with one more element.
func (s *Server) ServeWHEP(w http.ResponseWriter, r *http.Request, cam footage.CameraID) {
	switch r.Method {
	case http.MethodPost:
		v, answer, err := s.begin(w, r, cam)
		if err != nil {
			problem.Write(w, err)
			return
		}
		w.Header().Set("Content-Type", "application/sdp")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Location", path.Join(asked(r), v.id))
		w.WriteHeader(http.StatusCreated)
		if _, err := io.WriteString(w, answer); err != nil {
			s.opt.Log.Info("viewer left before the answer", slog.Any("err", err))
			s.end(v)
		}
	case http.MethodDelete:
		s.mu.Lock()
		v := s.views[path.Base(r.URL.Path)]
		s.mu.Unlock()
		if v == nil || v.cam != cam {
			problem.Write(w, errSession)
			return
		}
		s.end(v)
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Allow", "POST, DELETE")
		problem.Write(w, errMethod)
	}
}

// asked returns the path that the client used, before any prefix was stripped.
func asked(r *http.Request) string {
	if u, err := url.ParseRequestURI(r.RequestURI); err == nil {
		return u.Path
	}
	return r.URL.Path
}

// Viewers returns how many views are open.
func (s *Server) Viewers() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.views)
}

// Close ends all views and waits until they are gone.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	all := make([]*view, 0, len(s.views))
	for _, v := range s.views {
		all = append(all, v)
	}
	s.mu.Unlock()
	for _, v := range all {
		s.end(v)
	}
	s.cancel()
	s.wg.Wait()
}

func (s *Server) reserve() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	if len(s.views)+s.pending >= s.opt.Viewers {
		return errFull
	}
	s.pending++
	return nil
}

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
	format, _, ok := s.opt.Source.LastKeyframe(cam)
	switch {
	case !ok:
		// Tells a camera that is not there from one that is not ready.
		sub, err := s.opt.Source.Subscribe(cam)
		if err != nil {
			return nil, "", err
		}
		sub.Close()
		return nil, "", errWaiting
	case format.Codec != footage.H264:
		return nil, "", errH265
	}
	v := &view{id: rand.Text(), cam: cam}
	h, err := s.join(cam)
	if err != nil {
		return nil, "", err
	}
	v.hub = h
	answer, err := s.connect(r.Context(), v, string(offer))
	if err != nil {
		s.end(v)
		return nil, "", err
	}
	return v, answer, nil
}

// connect takes the offer and returns the answer.
func (s *Server) connect(ctx context.Context, v *view, offer string) (string, error) {
	pc, err := s.api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return "", fmt.Errorf("live: connection: %w", err)
	}
	v.pc = pc
	pc.OnConnectionStateChange(func(st webrtc.PeerConnectionState) {
		switch st {
		case webrtc.PeerConnectionStateConnected:
			v.joined.Store(true)
		case webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed:
			s.spawn(func() { s.end(v) })
		}
	})
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		return "", errOffer.With(fmt.Errorf("live: offer: %w", err))
	}
	sender, err := pc.AddTrack(v.hub.track)
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
		return "", errOffer.With(errors.New("live: the offer holds no H.264"))
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
	s.spawn(func() {
		buf := make([]byte, 1500)
		for {
			if _, _, err := sender.Read(buf); err != nil {
				return
			}
		}
	})
	s.spawn(func() {
		if clock.Sleep(s.ctx, s.opt.Clock, joinTime) == nil && !v.joined.Load() {
			s.end(v)
		}
	})
	return pc.LocalDescription().SDP, nil
}

// spawn runs f unless the server is closing and waits for what runs.
func (s *Server) spawn(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.wg.Add(1)
	go func() { defer s.wg.Done(); f() }()
}

// keep enters v among the views, unless its camera has just gone.
func (s *Server) keep(v *view) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.hubs[v.cam] != v.hub {
		return false
	}
	s.views[v.id] = v
	return true
}

// end closes v, once.
func (s *Server) end(v *view) {
	v.once.Do(func() {
		s.mu.Lock()
		delete(s.views, v.id)
		s.mu.Unlock()
		if v.pc != nil {
			if err := v.pc.Close(); err != nil {
				s.opt.Log.Warn("live view did not close well", slog.Any("err", err))
			}
		}
		s.leave(v.hub)
	})
}
