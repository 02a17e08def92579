// Package live shows what a camera sends to browsers, by WebRTC with WHEP
// (RFC 9725 for the signalling's shape; draft-ietf-wish-whep): a POST with an
// SDP offer is answered with an SDP answer and a session's address, which a
// DELETE ends. "?stream=sub" in the POST's address asks for the small picture
// first, "?stream=main", or nothing, for the full one.
//
// What a viewer gets is the first of these that its browser can play: the
// stream that was asked for, as the camera coded it (H.264, or H.265 where the
// offer holds it; RFC 6184, RFC 7798); the camera's sub stream, likewise; H.264
// that Options.Transcoder makes of the sub stream or else of the main one.
// WebRTC shows pictures in the order in which they come, so H.264 with B-frames
// goes through only where nothing else is left. Nothing is decoded here.
//
// There is one pull of each stream and one transcode of each camera, however
// many watch, and both end after their last viewer. A viewer begins with the
// GOP under way: its pictures come at once, with time stamps a tick apart, so
// that the decoder catches up and the view is not late by them. The same is
// sent again where a browser says that it has lost a picture (PLI).
//
// There is no STUN, TURN or trickle: viewers are in the shop's own network, so
// the answer holds all host candidates, loopback among them. Who may watch is
// for the caller to decide before ServeWHEP.
//
// RTP time stamps are presentation times, 1/90000 s, from a random start.
// Errors are *problem.Problem with the codes "live.offer", "live.full",
// "live.h265", "live.busy", "live.waiting", "live.session", "live.closed".
package live

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"sync"

	"github.com/pion/webrtc/v4"

	"veilbox/capture"
	"veilbox/capture/footage"
	"veilbox/internal/clock"
	"veilbox/internal/problem"
)

// A Source is where pictures come from; *capture.Supervisor is one.
type Source interface {
	SubscribeNow(cam footage.CameraID) (*capture.Subscription, error)
	SubscribeSub(cam footage.CameraID) (*capture.Subscription, error)
}

// A Transcoder makes H.264 without B-frames of other video; *redact.Worker is
// one. It reads pictures with next and gives its own to sink, whose PTS are those
// of the pictures that they were made of, until ctx ends or something fails. A
// nil error asks to be called again.
type Transcoder interface {
	Transcode(ctx context.Context, codec footage.Codec,
		next func(context.Context) (footage.Format, footage.AccessUnit, error),
		sink func(footage.Format, footage.AccessUnit)) error
}

// Options say what to serve and within what bounds.
type Options struct {
	Source     Source
	Transcoder Transcoder   // none: what a browser cannot play is not shown live
	Log        *slog.Logger // silent if nil
	Clock      clock.Clock  // the system's if nil
	Viewers    int          // at most, all cameras together; 16 if zero
	Transcodes int          // at most, all cameras together; 2 if zero
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
		text{DA: "Kameraet sender H.265 eller MJPEG, som ikke kan vises direkte i denne browser.", EN: "The camera sends H.265 or MJPEG, which cannot be shown live in this browser."},
		text{DA: "Se optagelsen i stedet, brug en understrøm i H.264, eller vælg H.264 i kameraet.", EN: "Watch the recording instead, use a sub stream in H.264, or choose H.264 in the camera."})
	errBusy = problem.New(http.StatusServiceUnavailable, "live.busy",
		text{DA: "Boksen omsætter allerede billedet fra så mange kameraer, den kan.", EN: "The box already converts the picture of as many cameras as it can."},
		text{DA: "Luk visningen af et andet kamera, eller brug en understrøm i H.264.", EN: "Close the view of another camera, or use a sub stream in H.264."})
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

// A Server holds the live views.
type Server struct {
	opt    Options
	api    map[footage.Codec]*webrtc.API
	ctx    context.Context
	cancel context.CancelFunc

	mu      sync.Mutex
	hubs    map[rendition]*hub
	views   map[string]*view
	stats   Stats
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
	if opt.Transcodes <= 0 {
		opt.Transcodes = 2
	}
	s := &Server{opt: opt, api: map[footage.Codec]*webrtc.API{}, hubs: map[rendition]*hub{}, views: map[string]*view{}}
	for _, c := range []footage.Codec{footage.H264, footage.H265} {
		var err error
		if s.api[c], err = newAPI(opt, c); err != nil {
			return nil, err
		}
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
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

// Stats count since the Server was made.
type Stats struct {
	Views      uint64 // begun
	Transcodes uint64 // begun
	Repairs    uint64 // pictures that a browser said it had lost (PLI, FIR)
	LostGOPs   uint64 // left out for viewers that are too slow
}

// Stats returns what was counted.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
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
