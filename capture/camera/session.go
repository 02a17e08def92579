package camera

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/pion/rtp"

	"veilbox/capture/footage"
	"veilbox/internal/clock"
)

// Run holds one session with the camera at src.URL until ctx ends, whose cause
// it then returns, or the session breaks, with a Problem that says how.
func Run(ctx context.Context, src Source, opt Options, h Handler) error {
	s, err := newSession(src, opt, h)
	if err != nil {
		return err
	}
	return s.run(ctx)
}

func newSession(src Source, opt Options, h Handler) (*session, error) {
	src, err := src.Split()
	if err != nil {
		return nil, err
	}
	u, err := parseURL(src.URL)
	if err != nil {
		return nil, err
	}
	if src.Username != "" || src.Password != "" {
		u.User = url.UserPassword(src.Username, string(src.Password))
	}
	return &session{opt: opt.orDefault(), handler: h, url: (*base.URL)(u), host: u.Hostname()}, nil
}

type session struct {
	opt     Options
	url     *base.URL
	handler Handler
	host    string
	fail    context.CancelCauseFunc

	// Told by the library's goroutine before Describe returns.
	tracks    map[uint8]track
	server    string
	basicOnly bool
	described atomic.Bool

	dials   int
	budget  atomic.Int64 // bytes that may still come before PLAY is answered
	playing atomic.Bool
	keyed   atomic.Bool
	packets atomic.Uint64

	// Of the packets' goroutine.
	asm      assembler
	sets     paramSets
	format   footage.Format
	times    timeline
	decode   decodeClock
	nalus    [][]byte
	skipRASL bool
}

func (s *session) run(parent context.Context) error {
	u := s.url
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	s.fail = cancel
	s.budget.Store(int64(s.opt.Limits.Handshake))
	tcp := gortsplib.TransportTCP
	client := &gortsplib.Client{
		Scheme: u.Scheme, Host: u.Host, Transport: &tcp, UserAgent: "veilbox",
		// Longer than the watch below, whose answer says more.
		ReadTimeout:       s.opt.Limits.Stall + 2*time.Second,
		WriteTimeout:      s.opt.Limits.Stall,
		DialContext:       s.dial,
		OnResponse:        s.response,
		OnPacketsLost:     func(uint64) {}, // the assembler counts them
		OnDecodeError:     func(error) { s.opt.Stats.Malformed.Add(1) },
		OnTransportSwitch: func(error) {},
	}
	if err := client.Start2(); err != nil {
		return classify(err, false)
	}
	stopped := make(chan struct{})
	// Close waits for the library's goroutines, so it is called by none of them.
	stop := context.AfterFunc(ctx, func() { client.Close(); close(stopped) })
	err := s.drive(ctx, client, u)
	if stop() {
		client.Close()
	} else {
		<-stopped
	}
	if parent.Err() != nil {
		return context.Cause(parent)
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return classify(err, s.playing.Load())
}

// drive asks for the video and returns why it ended.
func (s *session) drive(ctx context.Context, client *gortsplib.Client, u *base.URL) error {
	s.opt.Phase(Connecting)
	desc, _, err := client.Describe(u)
	if err != nil {
		return err
	}
	s.described.Store(true)
	s.opt.Phase(Describing)
	media, forma, t, err := s.pick(desc)
	if err != nil {
		return err
	}
	if _, err := client.Setup(desc.BaseURL, media, 0, 0); err != nil {
		return err
	}
	s.start(t)
	client.OnPacketRTP(media, forma, s.packet)
	s.opt.Phase(WaitingForKeyframe)
	if _, err := client.Play(nil); err != nil {
		return err
	}
	s.playing.Store(true)
	s.budget.Store(-1)
	s.opt.Log.Info("camera session open", slog.String("codec", t.codec.String()), slog.String("server", s.server))
	watched := make(chan struct{})
	wctx, stop := context.WithCancel(ctx)
	go func() { defer close(watched); s.watch(wctx) }()
	err = client.Wait()
	stop()
	<-watched
	return err
}

// pick returns the first video track that can be recorded.
func (s *session) pick(desc *description.Session) (*description.Media, format.Format, track, error) {
	why := errors.New("camera: the description names no video track")
	for _, m := range desc.Medias {
		for _, f := range m.Formats {
			t := s.tracks[f.PayloadType()]
			switch {
			case t.codec == 0:
				why = fmt.Errorf("camera: the video is coded as %s", bounded(f.Codec(), maxText))
			case t.don || t.mode > 1:
				why = errors.New("camera: the video is interleaved, which is not supported")
			default:
				return m, f, t, nil
			}
		}
	}
	s.fail(ErrNoTrack.With(why))
	return nil, nil, track{}, why
}

func (s *session) start(t track) {
	s.sets = paramSets{codec: t.codec, limit: s.opt.Limits.ParameterSet}
	s.decode.codec = t.codec
	for _, p := range t.params {
		s.take(p)
	}
	s.asm = assembler{codec: t.codec, limit: s.opt.Limits.AccessUnit, stats: s.opt.Stats, now: s.opt.Clock.Now, emit: s.unit}
}

// take keeps p if it is a parameter set, and reports whether it was one.
func (s *session) take(p []byte) bool {
	switch k := kindOf(s.sets.codec, p); k {
	case vps, sps, pps:
		if !s.sets.put(k, p) {
			s.opt.Stats.Malformed.Add(1)
		}
		return true
	}
	return false
}

func (s *session) packet(p *rtp.Packet) {
	defer func() {
		if r := recover(); r != nil {
			s.fail(ErrLost.With(fmt.Errorf("camera: a packet could not be handled: %s", bounded(fmt.Sprint(r), maxTold))))
		}
	}()
	if s.packets.Add(1) == 1 {
		s.budget.Store(-1) // a big first keyframe may come before PLAY's answer is seen
	}
	s.opt.Stats.Packets.Add(1)
	s.opt.Stats.Bytes.Add(uint64(len(p.Payload)))
	s.asm.push(p.SequenceNumber, p.Timestamp, p.Marker, p.Payload)
}

// unit hands a picture on, without what a container keeps elsewhere.
func (s *session) unit(ts uint32, arrived time.Time, nalus [][]byte) {
	s.nalus = s.nalus[:0]
	key, shown, rasl := false, false, false
	for _, n := range nalus {
		if s.take(n) {
			continue
		}
		switch kindOf(s.sets.codec, n) {
		case useless:
			continue
		case keyframe:
			key, shown = true, true
		case leading:
			rasl, shown = true, true
		case picture:
			shown = true
		}
		s.nalus = append(s.nalus, n)
	}
	if !shown || rasl && s.skipRASL {
		return
	}
	if key {
		s.skipRASL = !s.keyed.Load()
		if !s.reformat() {
			return
		}
	} else if !s.keyed.Load() {
		return
	} else if !rasl {
		s.skipRASL = false
	}
	pts, replaced := s.times.at(ts, arrived)
	if replaced {
		s.opt.Stats.Rogue.Add(1)
		s.decode.e264, s.decode.e265 = nil, nil
	}
	dts, pts := s.decode.next(&s.sets, s.nalus, pts)
	if !s.keyed.Swap(true) {
		s.opt.Phase(Playing)
	}
	s.opt.Stats.Units.Add(1)
	s.handler.AccessUnit(footage.AccessUnit{Arrived: arrived, DTS: dts, PTS: pts, Key: key, NALUs: s.nalus})
}

// reformat tells the handler of new parameter sets, at a keyframe, and reports
// whether there is a format at all.
func (s *session) reformat() bool {
	if !s.sets.changed {
		return s.format.Params != nil
	}
	f, err := s.sets.format()
	if err != nil {
		s.opt.Stats.Malformed.Add(1)
		s.opt.Stats.Dropped.Add(1)
		return false
	}
	s.sets.changed = false
	if !f.Equal(s.format) {
		s.format = f
		s.handler.Format(f)
	}
	return true
}

// watch ends the session when the camera sends no video, or none that can be
// begun with.
func (s *session) watch(ctx context.Context) {
	l, c := s.opt.Limits, s.opt.Clock
	begun := c.Now()
	last, seen := begun, uint64(0)
	for clock.Sleep(ctx, c, l.Stall/4) == nil {
		now := c.Now()
		if n := s.packets.Load(); n != seen {
			last, seen = now, n
		}
		switch {
		case now.Sub(last) >= l.Stall:
			s.fail(ErrStall.With(fmt.Errorf("camera: no video packet for %v", l.Stall)))
			return
		case !s.keyed.Load() && now.Sub(begun) >= l.FirstKeyframe:
			s.fail(ErrNoKeyframe.With(fmt.Errorf("camera: %d packets in %v and no keyframe among them", seen, l.FirstKeyframe)))
			return
		}
	}
}

func (s *session) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if s.dials++; err != nil || host != s.host || s.dials > maxDials {
		return nil, errElsewhere
	}
	ctx, cancel := context.WithTimeout(ctx, s.opt.Limits.Connect)
	defer cancel()
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &guardedConn{Conn: c, s: s}, nil
}

// response looks at an answer before the library does.
func (s *session) response(r *base.Response) {
	if s.described.Load() {
		return // what it told is in use elsewhere by now
	}
	if v := r.Header["Server"]; len(v) > 0 {
		s.server = bounded(v[0], maxText)
	}
	if v := r.Header["WWW-Authenticate"]; len(v) > 0 {
		s.basicOnly = true
		for _, m := range v {
			if len(m) >= 6 && bytes.EqualFold([]byte(m[:6]), []byte("digest")) {
				s.basicOnly = false
			}
		}
	}
	if len(r.Body) > 0 && s.tracks == nil {
		if v := r.Header["Content-Type"]; len(v) == 1 && len(v[0]) >= 15 && v[0][:15] == "application/sdp" {
			r.Body, s.tracks = cleanSDP(r.Body)
			if len(s.tracks) == 0 {
				s.fail(ErrNoTrack.With(errors.New("camera: the description names no video track")))
			}
		}
	}
}
