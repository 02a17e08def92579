package camera

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/pion/rtp"

	"veilbox/capture/camera/auth"
	"veilbox/capture/footage"
)

// Run holds one session with the camera at src.URL until ctx ends, whose cause
// it then returns, or the session breaks, with a Problem that says how. It may
// connect more than once before the first packet: to follow a redirection on the
// same host, to answer a challenge, with the other transport, without the sound.
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
	s := &session{opt: opt.orDefault(), handler: h, src: src, url: (*base.URL)(u), host: u.Hostname()}
	s.meter.rate = s.opt.Limits.BitRate / 8
	s.plan = s.opt.Learned.plan(src, s.tls(), s.opt.Clock.Now())
	if _, ok := h.(AudioHandler); !ok {
		s.plan.audio = false
	}
	return s, nil
}

type session struct {
	opt     Options
	src     Source
	url     *base.URL
	handler Handler
	host    string
	meter   meter

	// Of all connections.
	plan      plan
	tries     int
	redirects int
	switched  bool
	first     error // why the transport was switched
	challenge *auth.Challenge
	reauth    bool // connected again to answer a challenge
	badCSeq   bool

	attempt
}

// An attempt is what belongs to one connection.
type attempt struct {
	fail    context.CancelCauseFunc
	local   net.IP
	pin     string
	dials   int
	budget  atomic.Int64 // bytes that may still come before PLAY is answered
	playing atomic.Bool
	keyed   atomic.Bool
	packets atomic.Uint64
	units   atomic.Uint64

	// Of the library's goroutine, while drive waits for it.
	server      string
	desc        described
	redirect    string
	last        base.Method // asked
	lastHeader  base.Header
	asking      bool // drive waits for an answer
	challenged  bool // by the last answer
	authorized  bool // the last request was
	unanswered  bool // a challenge is, and nothing has come since
	refused     bool // and it was refused
	basicOnly   bool
	audioAsked  bool
	changing    bool // the transport was changed on this connection
	audioNote   error
	keepalive   int                   // index of keepalives, -1 for the library's choice
	vain        [len(keepalives)]bool // those that the camera refused
	serverAsked base.Method

	// Of the packets' goroutines, of which there are several over UDP.
	mu       sync.Mutex
	asm      assembler
	jpeg     *jpegAssembler
	sound    *audio
	sets     paramSets
	format   footage.Format
	changes  changes
	times    timeline
	decode   decodeClock
	nalus    [][]byte
	skipRASL bool
}

func (s *session) tls() bool { return s.url.Scheme == "rtsps" }

func (s *session) run(parent context.Context) error {
	for {
		raw, err := s.connect(parent)
		if parent.Err() != nil {
			return context.Cause(parent)
		}
		if s.tries++; s.tries < maxTries && s.replan(raw, err) {
			continue
		}
		if s.first != nil && s.packets.Load() == 0 && errors.Is(s.first, ErrStall) {
			return s.first
		}
		return err
	}
}

// connect holds one connection until it ends, and returns the library's error and
// what it means.
func (s *session) connect(parent context.Context) (raw, err error) {
	s.attempt.reset()
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	s.fail = cancel
	s.budget.Store(int64(s.opt.Limits.Handshake))
	lim := s.opt.Limits
	client := &gortsplib.Client{
		// TLS is spoken below the library, which would otherwise ask for SRTP as
		// well, and only at its first request look who is there.
		Scheme: "rtsp", Host: s.address(), Transport: &s.plan.transport, UserAgent: "veilbox",
		// Longer than the watch below, whose answer says more.
		ReadTimeout:           lim.Stall + 2*time.Second,
		InitialUDPReadTimeout: lim.Stall + 2*time.Second,
		WriteTimeout:          lim.Stall,
		AnyPortEnable:         s.plan.anyPort,
		DialContext:           s.dial,
		ListenPacket:          s.listen,
		OnRequest:             s.request,
		OnResponse:            s.response,
		OnServerRequest:       s.asked,
		OnServerResponse:      s.reply,
		OnPacketsLost:         func(uint64) {}, // the assembler counts them
		OnDecodeError: func(error) {
			s.opt.Stats.Malformed.Add(1)
			s.charge(packetCost)
		},
		OnTransportSwitch: func(error) {},
	}
	if err := client.Start2(); err != nil {
		return err, classify(err, false)
	}
	stopped := make(chan struct{})
	// Close waits for the library's goroutines, so it is called by none of them.
	stop := context.AfterFunc(ctx, func() { client.Close(); close(stopped) })
	watched := make(chan struct{})
	wctx, unwatch := context.WithCancel(ctx)
	go func() { defer close(watched); s.watch(wctx) }()
	raw = s.drive(client)
	unwatch()
	<-watched
	if stop() {
		client.Close()
	} else {
		<-stopped
	}
	if cause := context.Cause(ctx); cause != nil {
		return raw, cause
	}
	if s.refused && !s.playing.Load() {
		return raw, ErrAuth.With(told{raw}) // it may have closed the connection too
	}
	return raw, classify(raw, s.playing.Load())
}

// drive asks for the video and returns why it ended.
func (s *session) drive(client *gortsplib.Client) error {
	s.opt.Phase(Connecting)
	var desc *description.Session
	err := s.ask(func() (err error) { desc, _, err = client.Describe(s.url); return err })
	if err != nil {
		return err
	}
	video, sound, err := s.medias(desc)
	if err != nil {
		return err
	}
	setup := func() error { _, err := client.Setup(desc.BaseURL, video, 0, 0); return err }
	if err = s.ask(setup); err != nil && s.switchTransport(err, classify(err, false)) {
		// The same connection: some cameras bear no second one so soon.
		s.changing = true
		err = s.ask(setup)
	}
	if err != nil {
		return err
	}
	s.start(*s.desc.video)
	client.OnPacketRTP(video, video.Formats[0], s.packet)
	if sound != nil {
		if err := s.setupSound(client, desc.BaseURL, sound); err != nil {
			return err
		}
	}
	s.opt.Phase(WaitingForKeyframe)
	if err := s.ask(func() error { _, err := client.Play(nil); return err }); err != nil {
		return err
	}
	s.playing.Store(true)
	s.budget.Store(-1)
	if s.pin != "" {
		s.opt.Learned.pinned(s.pin)
		if s.src.Pin == "" && s.opt.Pinned != nil {
			s.opt.Pinned(s.pin)
		}
	}
	s.opt.Log.Info("camera session open", slog.String("codec", s.desc.video.codec.String()),
		slog.String("transport", string(s.transport())), slog.Bool("sound", s.sound != nil), slog.String("server", s.server))
	return client.Wait()
}

// medias returns the library's names for the tracks of the cleaned description.
func (s *session) medias(desc *description.Session) (video, sound *description.Media, err error) {
	if s.desc.video == nil {
		s.fail(ErrNoTrack.With(s.desc.why))
		return nil, nil, s.desc.why
	}
	for _, m := range desc.Medias {
		// What the library makes of the address must be one that it can use.
		if u, err := m.URL(desc.BaseURL); err != nil || u == nil || len(m.Formats) != 1 {
			return nil, nil, fmt.Errorf("camera: a track's address cannot be read")
		}
		switch {
		case m.Type == description.MediaTypeVideo && video == nil:
			video = m
		case m.Type == description.MediaTypeAudio && sound == nil && s.plan.audio:
			sound = m
		}
	}
	if video == nil {
		return nil, nil, errors.New("camera: the video track was lost")
	}
	return video, sound, nil
}

// setupSound asks for the sound as well. That the camera refuses it, or that it
// cannot be recorded, is noted and costs the picture nothing; where the
// connection goes with it, the session begins anew without.
func (s *session) setupSound(client *gortsplib.Client, at *base.URL, m *description.Media) error {
	a, err := newAudio(*s.desc.audio, s.opt.Stats, s.when, s.handler.(AudioHandler))
	if err != nil {
		s.refuseSound(err)
		return nil
	}
	s.audioAsked = true
	err = s.ask(func() error { _, err := client.Setup(at, m, 0, 0); return err })
	if err != nil {
		s.refuseSound(err)
		return nil
	}
	s.sound = a
	client.OnPacketRTP(m, m.Formats[0], s.soundPacket)
	return nil
}

func (s *session) refuseSound(err error) {
	s.audioNote = err
	s.opt.Stats.AudioRefused.Add(1)
	s.opt.Log.Warn("camera sound left out", slog.Any("err", told{err}))
}

// when returns what time of the session an instant is, once there are pictures.
func (s *session) when(t time.Time) (int64, bool) {
	if !s.keyed.Load() {
		return 0, false
	}
	return s.times.now(t), true
}

func (s *session) start(t track) {
	if t.codec == footage.MJPEG {
		s.jpeg = newJPEG(s.opt.Limits.AccessUnit, s.opt.Stats, s.opt.Clock.Now, s.picture)
		s.jpeg.tooBig = func() {
			s.fail(ErrPictureSize.With(fmt.Errorf("camera: %d JPEGs in a row without a size", maxUnsized)))
		}
		return
	}
	s.sets = paramSets{codec: t.codec, limit: s.opt.Limits.ParameterSet}
	s.decode.codec = t.codec
	for _, p := range t.params {
		s.take(p)
	}
	s.asm = assembler{codec: t.codec, limit: s.opt.Limits.AccessUnit, stats: s.opt.Stats, now: s.opt.Clock.Now, emit: s.unit}
}

// recovered ends the session for a packet that made something of ours panic.
func (s *session) recovered() {
	if r := recover(); r != nil {
		s.fail(ErrLost.With(fmt.Errorf("camera: a packet could not be handled: %s", bounded(fmt.Sprint(r), maxTold))))
	}
}

func (s *session) packet(p *rtp.Packet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.recovered()
	if s.packets.Add(1) == 1 {
		s.budget.Store(-1) // a big first keyframe may come before PLAY's answer is seen
		s.opt.Learned.worked(s.transport())
	}
	if s.charge(s.cost(p)) {
		return
	}
	s.opt.Stats.Packets.Add(1)
	s.opt.Stats.Bytes.Add(uint64(len(p.Payload)))
	if s.jpeg != nil {
		var extension []byte
		if p.Extension {
			extension = p.GetExtension(0)
		}
		s.jpeg.pushExtended(p.SequenceNumber, p.Timestamp, p.Marker, p.ExtensionProfile, extension, p.Payload)
		return
	}
	s.asm.push(p.SequenceNumber, p.Timestamp, p.Marker, p.Payload)
}

func (s *session) soundPacket(p *rtp.Packet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.recovered()
	if s.charge(s.cost(p)) {
		return
	}
	s.sound.push(p.SequenceNumber, p.Timestamp, p.Marker, p.Payload, s.opt.Clock.Now())
}

// cost returns what a packet counts against the limit; over TCP its bytes were
// counted as they came.
func (s *session) cost(p *rtp.Packet) int {
	if s.plan.transport == gortsplib.TransportTCP {
		return packetCost
	}
	return packetCost + len(p.Payload)
}

func (s *session) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if s.dials++; s.dials > 1 {
		return nil, errElsewhere // the library would follow the camera elsewhere
	}
	ctx, cancel := context.WithTimeout(ctx, s.opt.Limits.Connect)
	defer cancel()
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if a, ok := c.LocalAddr().(*net.TCPAddr); ok {
		s.local = a.IP
	}
	var conn net.Conn = &meteredConn{Conn: pace(c), s: s}
	if s.tls() {
		secured, pin, err := secure(ctx, conn, s.host, s.opt.Learned.expects(s.src.Pin))
		if err != nil {
			// The connection holds nothing that a failed close could lose.
			_ = c.Close()
			return nil, err
		}
		conn, s.pin = secured, pin
	}
	s.opt.Phase(Describing)
	return &guardedConn{Conn: conn, s: s}, nil
}

func (s *session) address() string {
	u := (*url.URL)(s.url)
	port := u.Port()
	if port == "" {
		port = "554"
		if s.tls() {
			port = "322"
		}
	}
	return net.JoinHostPort(u.Hostname(), port)
}
