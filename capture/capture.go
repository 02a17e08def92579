// Package capture supervises one recorder per camera: it keeps the session
// up, makes sealed-store parts of what comes, shares it with live viewers, and
// tells how it goes.
//
// A part begins with a keyframe and holds as many whole GOPs as fit in a second;
// a GOP longer than two seconds is split, and what follows has Continues set. A
// part's time is wall clock: see builder for how stream time, monotonic time and
// wall time meet. Sound lies in the part in which it begins, or where it comes
// too late for that in the next; see soundQueue.
//
// Memory per camera is bounded: the part being filled and those that wait for
// the store have at most Options.Pending bytes together, and there are at most
// 64; beside them there are the last GOP, and the queues of live viewers. All
// that waits is handed to the store in one call. When it cannot take more, whole
// GOPs are dropped and counted.
//
// Errors for people are *problem.Problem: those of package camera, and
// "capture.unknown", "capture.exists", "capture.closed",
// "capture.crowded", "capture.storage", "capture.refused", "capture.unwritten",
// "capture.ahead".
package capture

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"veilbox/capture/camera"
	"veilbox/capture/footage"
	"veilbox/internal/clock"
	"veilbox/internal/problem"
)

// A Store takes what is recorded.
type Store interface {
	// AppendAll stores parts, of one camera and in order, before it returns. It
	// must not keep them: the buffers are used again. The first stored of them
	// are stored; err says why the next is not, which may be offered again,
	// unless there is one in its chain whose method Permanent() bool returns
	// true: then that part is refused for good.
	AppendAll(ctx context.Context, parts []*footage.Part) (stored int, err error)
	// LastEnd returns the end of the last part of cam, 0 if there is none.
	LastEnd(ctx context.Context, cam footage.CameraID) (footage.Ticks, error)
}

type text = problem.Text

var (
	ErrUnknown = problem.New(http.StatusNotFound, "capture.unknown",
		text{DA: "Kameraet findes ikke i boksen.", EN: "The box has no such camera."},
		text{DA: "Vælg et kamera fra listen.", EN: "Choose a camera from the list."})
	ErrExists = problem.New(http.StatusConflict, "capture.exists",
		text{DA: "Der er allerede et kamera med det navn.", EN: "There is a camera of that name already."},
		text{DA: "Vælg et andet navn, eller fjern det gamle kamera først.", EN: "Choose another name, or remove the old camera first."})
	ErrClosed = problem.New(http.StatusServiceUnavailable, "capture.closed",
		text{DA: "Optagelsen er ved at lukke ned.", EN: "Recording is shutting down."},
		text{DA: "Prøv igen, når boksen er startet.", EN: "Try again once the box has started."})
	ErrCrowded = problem.New(http.StatusServiceUnavailable, "capture.crowded",
		text{DA: "For mange ser med på kameraet lige nu.", EN: "Too many are watching the camera just now."},
		text{DA: "Luk en visning, og prøv igen.", EN: "Close a view and try again."})
	ErrStorage = problem.New(http.StatusInsufficientStorage, "capture.storage",
		text{DA: "Optagelserne kan ikke gemmes.", EN: "The recordings cannot be stored."},
		text{DA: "Kontrollér, om disken er fuld eller fejler. Boksen prøver igen af sig selv.", EN: "Check whether the disk is full or failing. The box tries again by itself."})
	ErrRefused = problem.New(http.StatusServiceUnavailable, "capture.refused",
		text{DA: "Lageret afviste et stykke af optagelsen, som er gået tabt.", EN: "The store refused a piece of the recording, which is lost."},
		text{DA: "Optagelsen fortsætter af sig selv ved næste nøglebillede. Varer det ved, så kontrollér boksens ur, og genstart kameraet.", EN: "Recording goes on by itself at the next keyframe. If it lasts, check the box's clock and restart the camera."})
)

// ErrUnwritten is the problem of pictures that come and go nowhere.
var ErrUnwritten = problem.New(http.StatusServiceUnavailable, "capture.unwritten",
	text{DA: "Kameraet sender billeder, men intet er blevet gemt i over 15 sekunder.", EN: "The camera sends pictures, but nothing has been stored for more than 15 seconds."},
	text{DA: "Kontrollér boksens disk; den er måske ved at gå i stykker. Hjælper det ikke, så genstart boksen.", EN: "Check the box's disk; it may be about to fail. If that does not help, restart the box."})

// ahead is the problem of a recording that runs d before the clock.
func ahead(d time.Duration) *problem.Problem {
	n := int(d.Round(time.Second) / time.Second)
	return problem.New(http.StatusServiceUnavailable, "capture.ahead",
		text{DA: fmt.Sprintf("Boksens ur er stillet tilbage: optagelsens tider er %d sekunder foran uret.", n),
			EN: fmt.Sprintf("The box's clock was set back: the times of the recording run %d seconds ahead of it.", n)},
		text{DA: "Intet er tabt. Kontrollér uret (timedatectl, NTP). Er det rigtigt nu, så afbryd kameraet lige så længe, eller fjern det, og tilføj det under et nyt navn; så passer tiderne igen.",
			EN: "Nothing is lost. Check the clock (timedatectl, NTP). Where it is right now, disconnect the camera for as long, or remove it and add it under a new name; then the times are right again."},
	).With(fmt.Errorf("capture: recorded time is %v ahead of the clock", d))
}

// Options are a Supervisor's surroundings.
type Options struct {
	Store      Store
	Clock      clock.Clock           // the system's if nil
	Log        *slog.Logger          // silent if nil
	Registerer prometheus.Registerer // no metrics if nil
	Limits     camera.Limits
	// Pending is how many bytes of a camera's recording may wait for the store;
	// 12 MiB if 0.
	Pending int
	// Pinned is told the certificate of a camera that had no Source.Pin, as
	// camera.Options.Pinned is; optional. It is to be kept, and given back in
	// Source.Pin after a restart.
	Pinned func(cam footage.CameraID, pin string)
}

const usualPending = 12 << 20

// A Supervisor keeps cameras recorded.
type Supervisor struct {
	opt     Options
	ctx     context.Context
	cancel  context.CancelFunc
	metrics *collector

	mu     sync.Mutex
	cams   map[footage.CameraID]*recorder
	closed bool
}

// New returns a Supervisor without cameras.
func New(opt Options) (*Supervisor, error) {
	if opt.Store == nil {
		return nil, errors.New("capture: New: a store is needed")
	}
	if opt.Clock == nil {
		opt.Clock = clock.System{}
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Pending <= 0 {
		opt.Pending = usualPending
	}
	s := &Supervisor{opt: opt, cams: map[footage.CameraID]*recorder{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if opt.Registerer != nil {
		s.metrics = newCollector(s)
		if err := opt.Registerer.Register(s.metrics); err != nil {
			return nil, fmt.Errorf("capture: metrics: %w", err)
		}
	}
	return s, nil
}

// Add begins to record src as cam.
func (s *Supervisor) Add(cam footage.CameraID, src camera.Source) error {
	if _, err := footage.ParseCameraID(string(cam)); err != nil {
		return fmt.Errorf("capture: add: %w", err)
	}
	src, err := src.Split()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if s.cams[cam] != nil {
		return ErrExists
	}
	s.cams[cam] = startRecorder(s.ctx, s.opt, cam, src)
	return nil
}

// Remove ends the recording of cam and waits for its last part.
func (s *Supervisor) Remove(cam footage.CameraID) error {
	s.mu.Lock()
	r := s.cams[cam]
	delete(s.cams, cam)
	s.mu.Unlock()
	if r == nil {
		return ErrUnknown
	}
	r.stop()
	return nil
}

// Close ends all recording and waits for the last parts.
func (s *Supervisor) Close() {
	s.mu.Lock()
	already := s.closed
	s.closed = true
	cams := s.cams
	s.cams = map[footage.CameraID]*recorder{}
	s.mu.Unlock()
	if already {
		return
	}
	s.cancel()
	for _, r := range cams {
		r.stop()
	}
	if s.metrics != nil {
		s.opt.Registerer.Unregister(s.metrics)
	}
}

// Health returns how each camera is, by name.
func (s *Supervisor) Health() []Health {
	s.mu.Lock()
	all := make([]*recorder, 0, len(s.cams))
	for _, r := range s.cams {
		all = append(all, r)
	}
	s.mu.Unlock()
	out := make([]Health, len(all))
	for i, r := range all {
		out[i] = r.health()
	}
	slices.SortFunc(out, func(a, b Health) int { return strings.Compare(string(a.Camera), string(b.Camera)) })
	return out
}

func (s *Supervisor) recorder(cam footage.CameraID) (*recorder, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.cams[cam]; r != nil {
		return r, nil
	}
	return nil, ErrUnknown
}

// Subscribe returns what cam sends from its next keyframe on.
func (s *Supervisor) Subscribe(cam footage.CameraID) (*Subscription, error) {
	r, err := s.recorder(cam)
	if err != nil {
		return nil, err
	}
	return r.fan.subscribe()
}

// LastKeyframe returns a copy of the last keyframe that cam sent.
func (s *Supervisor) LastKeyframe(cam footage.CameraID) (footage.Format, footage.AccessUnit, bool) {
	r, err := s.recorder(cam)
	if err != nil {
		return footage.Format{}, footage.AccessUnit{}, false
	}
	return r.fan.lastKeyframe()
}

// A State is what a camera's recorder is doing.
type State string

const (
	Connecting         State = "connecting"
	Describing         State = "describing"
	WaitingForKeyframe State = "waiting-for-keyframe"
	Recording          State = "recording"
	Stalled            State = "stalled"   // connected, then no video; to be tried again
	Failed             State = "failed"    // to be tried again
	Storage            State = "storage"   // pictures come but cannot be stored
	Unwritten          State = "unwritten" // pictures come, no error is known, and yet nothing was stored for 15 s
)

// Health is how a camera's recording goes. Times are zero until they happen.
type Health struct {
	Camera       footage.CameraID
	State        State
	Since        time.Time           // when State began
	Problem      *problem.Problem    // what went wrong last, nil while all is well
	Format       footage.Format      // zero until known
	Audio        footage.AudioFormat // of the sound that is recorded; zero where there is none
	LastKeyframe time.Time           // its arrival
	LastPart     time.Time           // when a part was last stored
	Ahead        time.Duration       // how far recorded time runs before the clock, after a step back
	Viewers      int
	Counters     Counters
}

// Counters count since the camera was added.
type Counters struct {
	Sessions      uint64 // that reached a keyframe
	Units         uint64 // pictures received
	Bytes         uint64 // of video received
	Parts         uint64 // stored
	PartBytes     uint64 // stored
	LostPackets   uint64
	Malformed     uint64 // packets and parameter sets that hold no sense
	DroppedUnits  uint64 // pictures that came damaged or too big
	RogueTimes    uint64 // time stamps replaced
	FormatChanges uint64 // within a session: another size, other parameters
	DroppedGOPs   uint64 // for want of storage, in whole or from a split on
	UnstoredUnits uint64 // pictures that were received and not stored
	DroppedParts  uint64 // that the store could not take for 30 s
	RefusedParts  uint64 // that the store will never take, or that continue what it does not have
	StorageErrors uint64
	Drifts        uint64 // corrections of the stream's clock, more than 500 ms each
	ClockSteps    uint64 // of the box's clock, more than 500 ms each
	Gaps          uint64 // of the stream or of a clock, more than 5 s each

	AudioUnits      uint64 // access units of sound received
	AudioDropped    uint64 // that came damaged, or were not stored
	AudioReanchored uint64 // times that the sound was more than 500 ms off the pictures
}
