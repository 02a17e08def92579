package live

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"veilbox/capture"
	"veilbox/capture/footage"
	"veilbox/internal/clock"
)

const (
	// hubLinger is how long a transcode goes on after its last viewer.
	hubLinger = 5 * time.Second
	// hubTries is how often in a row a transcode may fail before its views end,
	// and hubRetry how long it waits in between.
	hubTries = 4
	hubRetry = 2 * time.Second
	// tooLate is the age at which a picture is not worth its transcode: what
	// comes before the next keyframe is left out.
	tooLate = 1500 * time.Millisecond
)

// A rendition is what a transcode is made of.
type rendition struct {
	cam footage.CameraID
	sub bool
}

// A hub makes H.264 of one rendition for all its viewers.
type hub struct {
	of     rendition
	fan    capture.Fan
	cancel context.CancelFunc
	src    *capture.Subscription
	// upTo is the presentation time up to which pictures were sent before the
	// transcode began. Guarded by the one call of Transcode at a time.
	upTo    int64
	held    *capture.Frame // read, but of another format
	skipped bool
}

// transcode returns a subscription to H.264 made of what src, a subscription of
// r, brings. It takes src over.
func (s *Server) transcode(r rendition, src *capture.Subscription) (*capture.Subscription, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.hubs[r]
	switch {
	case s.closed:
		src.Close()
		return nil, errClosed
	case h != nil:
		src.Close()
	case len(s.hubs) >= s.opt.Transcodes:
		src.Close()
		return nil, errBusy
	default:
		ctx, cancel := context.WithCancel(s.ctx)
		h = &hub{of: r, fan: capture.NewFan(), cancel: cancel, src: src}
		s.hubs[r] = h
		s.stats.Transcodes++
		s.wg.Add(2)
		go func() { defer s.wg.Done(); s.run(ctx, h) }()
		go func() { defer s.wg.Done(); s.watch(ctx, h) }()
	}
	return h.fan.Subscribe(s.opt.Clock.Now())
}

// watch ends h when there was no viewer for a while.
func (s *Server) watch(ctx context.Context, h *hub) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.fan.Left():
		}
		if clock.Sleep(ctx, s.opt.Clock, hubLinger) != nil {
			return
		}
		s.mu.Lock()
		if h.fan.Viewers() == 0 {
			// Out of the map before anybody else can join.
			delete(s.hubs, h.of)
			h.cancel()
		}
		s.mu.Unlock()
	}
}

// run keeps h's transcode up until it ends, or fails too often.
func (s *Server) run(ctx context.Context, h *hub) {
	log := s.opt.Log.With(slog.String("camera", string(h.of.cam)), slog.Bool("sub", h.of.sub))
	var err error
	for failed := 0; failed < hubTries && ctx.Err() == nil; {
		pictures := false
		err = s.once(ctx, h, &pictures)
		if pictures {
			failed = 0
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && ctx.Err() == nil {
			failed++
			log.Warn("transcode for the live view failed", slog.Any("err", err))
			// Its end shows in the loop's condition.
			_ = clock.Sleep(ctx, s.opt.Clock, hubRetry)
		}
	}
	s.mu.Lock()
	if s.hubs[h.of] == h {
		delete(s.hubs, h.of)
	}
	s.mu.Unlock()
	h.cancel()
	h.src.Close()
	h.fan.Close()
}

// errReformat ends a transcode whose pictures change their format.
var errReformat = errors.New("live: the camera changed its format")

// once transcodes until something ends it; pictures is set once it gave any.
func (s *Server) once(ctx context.Context, h *hub, pictures *bool) error {
	first := h.held
	h.held = nil
	if first == nil {
		h.src.Restart(s.opt.Clock.Now())
		var err error
		if first, err = h.src.Next(ctx); err != nil {
			return err
		}
	}
	format := first.Format
	h.upTo, h.skipped = first.Unit.PTS-1, false
	next := func(ctx context.Context) (footage.Format, footage.AccessUnit, error) {
		fr := first
		first = nil
		if fr == nil {
			var err error
			if fr, err = s.next(ctx, h); err != nil {
				return footage.Format{}, footage.AccessUnit{}, err
			}
		}
		if fr.Unit.Key && !fr.Format.Equal(format) {
			h.held = fr
			return footage.Format{}, footage.AccessUnit{}, errReformat
		}
		if fr.Replayed {
			h.upTo = max(h.upTo, fr.Unit.PTS)
		}
		return fr.Format, fr.Unit, nil
	}
	last := int64(0)
	sink := func(f footage.Format, au footage.AccessUnit) {
		au.Arrived = s.opt.Clock.Now()
		// What a viewer of this hub may get must rise, whatever the camera did.
		if *pictures && au.PTS <= last {
			au.PTS = last + 1
		}
		last = au.PTS
		au.DTS = au.PTS
		*pictures = true
		h.fan.Send(f, &au, au.PTS <= h.upTo)
	}
	err := s.opt.Transcoder.Transcode(ctx, format.Codec, next, sink)
	if errors.Is(err, errReformat) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("live: transcode: %w", err)
	}
	return nil
}

// next returns the next picture that is worth its transcode.
func (s *Server) next(ctx context.Context, h *hub) (*capture.Frame, error) {
	for {
		fr, err := h.src.Next(ctx)
		if err != nil {
			return nil, err
		}
		late := !fr.Replayed && s.opt.Clock.Now().Sub(fr.Unit.Arrived) > tooLate
		if h.skipped = late && !fr.Unit.Key || h.skipped && !fr.Unit.Key; !h.skipped {
			return fr, nil
		}
	}
}
