package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"veilbox/capture"
	"veilbox/capture/footage"
	"veilbox/internal/problem"
)

// A stream is a subscription whose format is known.
type stream struct {
	rendition
	in        *capture.Subscription
	format    footage.Format
	reordered bool
}

// plays reports whether a browser with o shows st as it is.
func (st *stream) plays(o offers) bool { return o.plays(st.format) && !st.reordered }

// choose returns what a viewer with o gets of cam, and how it is coded.
func (s *Server) choose(ctx context.Context, cam footage.CameraID, o offers, small bool) (*capture.Subscription, footage.Codec, error) {
	main, err := s.main(cam)
	if small && errors.Is(err, errWaiting) {
		// The small picture may be there before the full one.
		if sub, serr := s.sub(ctx, cam); serr == nil {
			if sub.plays(o) {
				return sub.in, sub.format.Codec, nil
			}
			return s.anew(sub, o)
		}
	}
	if err != nil {
		return nil, 0, err
	}
	if !small && main.plays(o) {
		return main.in, main.format.Codec, nil
	}
	sub, err := s.sub(ctx, cam)
	switch {
	case err == nil && sub.plays(o):
		main.in.Close()
		return sub.in, sub.format.Codec, nil
	case err == nil && main.plays(o):
		sub.in.Close()
		return main.in, main.format.Codec, nil
	case err == nil:
		// The smaller picture is the cheaper one to decode.
		main.in.Close()
		return s.anew(sub, o)
	case ctx.Err() != nil:
		main.in.Close()
		return nil, 0, context.Cause(ctx)
	case !errors.Is(err, capture.ErrNoSub):
		s.opt.Log.Warn("the sub stream cannot be shown", slog.String("camera", string(cam)), slog.Any("err", err))
	}
	if main.plays(o) {
		return main.in, main.format.Codec, nil
	}
	return s.anew(main, o)
}

// anew returns st as H.264; as it is where that cannot be had and a browser
// shows at least something of it.
func (s *Server) anew(st *stream, o offers) (*capture.Subscription, footage.Codec, error) {
	var err error = errH265
	if s.opt.Transcoder != nil && o.h264 {
		out, terr := s.transcode(st.rendition, st.in)
		if terr == nil || !o.plays(st.format) {
			return out, footage.H264, terr
		}
		// transcode has closed what it was given.
		if st.in, err = s.subscribe(st.rendition); err != nil {
			return nil, 0, err
		}
	}
	if o.plays(st.format) {
		return st.in, st.format.Codec, nil
	}
	st.in.Close()
	if st.format.Codec == footage.H264 {
		err = errOffer.With(errors.New("live: the offer holds no H.264"))
	}
	return nil, 0, err
}

func (s *Server) subscribe(r rendition) (*capture.Subscription, error) {
	if r.sub {
		return s.opt.Source.SubscribeSub(r.cam)
	}
	return s.opt.Source.SubscribeNow(r.cam)
}

// main returns cam's main stream, which is pulled all the time.
func (s *Server) main(cam footage.CameraID) (*stream, error) {
	st := &stream{rendition: rendition{cam: cam}}
	var err error
	if st.in, err = s.subscribe(st.rendition); err != nil {
		return nil, err
	}
	var ok bool
	if st.format, st.reordered, ok = st.in.Look(); !ok {
		st.in.Close()
		return nil, errWaiting
	}
	return st, nil
}

// sub returns cam's sub stream, and waits for its first picture.
func (s *Server) sub(ctx context.Context, cam footage.CameraID) (*stream, error) {
	st := &stream{rendition: rendition{cam: cam, sub: true}}
	var err error
	if st.in, err = s.subscribe(st.rendition); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	expired := s.opt.Clock.After(firstTime)
	go func() {
		select {
		case <-ctx.Done():
		case <-expired:
			cancel()
		}
	}()
	if _, err := st.in.Next(ctx); err != nil {
		st.in.Close()
		if src, ok := s.opt.Source.(interface {
			SubProblem(footage.CameraID) *problem.Problem
		}); ok {
			if p := src.SubProblem(cam); p != nil {
				return nil, p
			}
		}
		return nil, fmt.Errorf("live: no picture of the sub stream in %v: %w", firstTime, err)
	}
	st.format, st.reordered, _ = st.in.Look()
	return st, nil
}
