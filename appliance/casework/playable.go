package casework

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"veilbox/capture/clip"
	"veilbox/capture/footage"
	"veilbox/internal/keys"
	"veilbox/internal/problem"
	"veilbox/redact"
)

const (
	playsKept    = 1 << 30          // bytes on the disk, sealed
	playsFor     = 10 * time.Minute // that one is kept after it was last asked for
	playsLeft    = 30 * time.Second // after which nobody waits for one that is made
	playsWaiting = 4                // in the queue, the one at work among them
	playsLongest = 35 * time.Minute // of a span
)

// plays are the movies that were made anew for browsers that cannot play what
// the camera sends. They lie sealed under a key that only this process has, so
// that a stop makes what is left of them unreadable.
type plays struct {
	dir  string
	key  keys.Key
	slot chan struct{} // one is made at a time
	mu   sync.Mutex
	m    map[string]*play
}

type play struct {
	files copyFiles
	asked time.Time // last
	ready bool
	size  int64
	at    redact.Progress
	err   error
	stop  context.CancelFunc
}

func (p *plays) init(dir string) error {
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o700)); err != nil {
		return fmt.Errorf("casework: %w: give the box a folder that it can write", err)
	}
	p.dir, p.key, p.slot, p.m = dir, keys.New(), make(chan struct{}, 1), map[string]*play{}
	return nil
}

// A NotReady is a movie that is still being made for the browser.
type NotReady struct{ Progress Progress }

func (NotReady) Error() string { return "casework: the movie is being made" }

var (
	errPlaysBusy = problem.New(503, "playable.busy",
		problem.Text{DA: "Boksen gør allerede flere klip klar til andre.", EN: "The box is preparing several clips for others already."},
		problem.Text{DA: "Vent et øjeblik, og prøv igen.", EN: "Wait a moment and try again."})
	errPlayLong = problem.New(400, "playable.long",
		problem.Text{DA: "Tidsrummet er for langt til at gøre klar til din browser.", EN: "The span is too long to prepare for your browser."},
		problem.Text{DA: "Vælg et tidsrum på højst 30 minutter.", EN: "Choose a span of at most 30 minutes."})
)

// playable returns m as H.264, or a NotReady until it is made. open gives a
// movie that lives as long as its context.
func (s *Service) playable(cam footage.CameraID, span footage.Span, open func(context.Context) (*clip.Movie, error)) (Media, error) {
	if span.Duration() > playsLongest {
		return nil, errPlayLong
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d/%d", cam, span.From, span.To))
	id := hex.EncodeToString(sum[:16])
	now := s.o.Clock.Now()
	s.plays.mu.Lock()
	defer s.plays.mu.Unlock()
	s.plays.clear(s, now)
	p, ok := s.plays.m[id]
	if !ok {
		making := 0
		for _, x := range s.plays.m {
			if !x.ready && x.err == nil {
				making++
			}
		}
		if making >= playsWaiting {
			return nil, errPlaysBusy
		}
		ctx, stop := context.WithCancel(context.Background()) // longer than the request that began it
		p = &play{files: copyFiles{path: filepath.Join(s.plays.dir, id+".sealed"), key: s.plays.key, context: "play/" + id},
			at: redact.Progress{Stage: "queued"}, stop: stop}
		s.plays.m[id] = p
		go s.makePlay(ctx, id, p, open)
	}
	p.asked = now
	switch {
	case p.err != nil:
		delete(s.plays.m, id)
		return nil, p.err
	case !p.ready:
		return nil, NotReady{Progress{Running: true, Stage: p.at.Stage, Done: p.at.Done, Total: p.at.Total}}
	}
	return p.files.open()
}

func (s *Service) makePlay(ctx context.Context, id string, p *play, open func(context.Context) (*clip.Movie, error)) {
	defer p.stop()
	err := func() error {
		select {
		case s.plays.slot <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		defer func() { <-s.plays.slot }()
		m, err := open(ctx)
		if err != nil {
			return err
		}
		return s.o.Redactor.Playable(ctx, m, p.files, func(at redact.Progress) {
			s.plays.mu.Lock()
			defer s.plays.mu.Unlock()
			p.at = at
			if s.o.Clock.Now().Sub(p.asked) > playsLeft {
				p.stop() // nobody waits for it
			}
		})
	}()
	var size int64
	if err == nil {
		var info os.FileInfo
		if info, err = os.Stat(p.files.path); err == nil {
			size = info.Size()
		}
	}
	left := ctx.Err() != nil
	if err != nil {
		err = errors.Join(err, p.files.Remove())
		s.o.Log.Warn("a recording was not prepared for a browser", "nobody waits", left, "error", err)
	}
	s.plays.mu.Lock()
	defer s.plays.mu.Unlock()
	if err != nil && left { // who comes back begins anew
		delete(s.plays.m, id)
		return
	}
	p.ready, p.size, p.err = err == nil, size, err
	s.plays.clear(s, s.o.Clock.Now())
}

// clear removes what is old, and the oldest where too much is kept. The caller
// holds mu. An open reader keeps its file until it is closed.
func (ps *plays) clear(s *Service, now time.Time) {
	var kept int64
	for id, p := range ps.m {
		switch old := now.Sub(p.asked); {
		case (p.ready || p.err != nil) && old > playsFor:
			ps.drop(s, id)
		case !p.ready && p.err == nil && old > playsLeft:
			p.stop()
		default:
			kept += p.size
		}
	}
	for kept > playsKept {
		oldest := ""
		for id, p := range ps.m {
			if p.ready && (oldest == "" || p.asked.Before(ps.m[oldest].asked)) {
				oldest = id
			}
		}
		if oldest == "" {
			return
		}
		kept -= ps.m[oldest].size
		ps.drop(s, oldest)
	}
}

func (ps *plays) drop(s *Service, id string) {
	p := ps.m[id]
	delete(ps.m, id)
	if p.err != nil {
		return
	}
	if err := p.files.Remove(); err != nil {
		s.o.Log.Error("a prepared recording could not be removed; it is unreadable after the next start and removed then", "error", err)
	}
}

// clearPlays is clear on its own, for the clocks.
func (s *Service) clearPlays() {
	s.plays.mu.Lock()
	defer s.plays.mu.Unlock()
	s.plays.clear(s, s.o.Clock.Now())
}
