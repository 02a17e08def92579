// Package simulate is a camera made of footage: an RTSP server that sends
// files in a loop, for demonstrations, for tests and for an installer without
// a camera at hand.
//
// New transcodes the files once, with ffmpeg, to H.264 High (or H.265 Main)
// with a keyframe each second and no B-frames, and holds the result in memory.
// /main is the full picture, /sub a small one. Time stamps go on over the end
// of the loop. Access is by digest authentication (RFC 7616, MD5 as cameras
// use it), over TCP only.
package simulate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/auth"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/bluenviron/gortsplib/v4/pkg/liberrors"
	"github.com/pion/rtp"

	"veilbox/capture/footage"
	"veilbox/internal/clock"
	"veilbox/internal/problem"
)

// A Size is a picture's width and height in pixels; zero means as found.
type Size struct{ Width, Height int }

// Options say what to send and how. Nasty ones are for tests.
type Options struct {
	Files    []string      // looped one after the other
	Listen   string        // "127.0.0.1:0" if empty
	Username string        // "demo" if empty
	Password string        // none is not allowed
	FFmpeg   string        // "ffmpeg" if empty
	Size     Size          // 1280x720 if zero, padded where the shape differs
	AsFound  bool          // keep the files' own size
	SubSize  Size          // 640x360 if zero
	FPS      int           // as found if zero
	Codec    footage.Codec // H264 if zero
	Clock    clock.Clock
	Log      *slog.Logger

	DropAfter        int  // cut all connections after so many pictures, each time
	WrongPassword    bool // refuse every password
	ParamsOnlyInBand bool // leave the parameter sets out of the description
}

// A Camera is a simulated camera.
type Camera struct {
	opt    Options
	ln     net.Listener
	main   *loop
	sub    *loop
	frozen atomic.Bool
	ready  chan struct{} // closed once main and sub can be asked for
	open   sync.Once

	mu    sync.Mutex
	conns map[*gortsplib.ServerConn]struct{}
}

type text = problem.Text

var (
	errFFmpeg = problem.New(http.StatusInternalServerError, "simulate.ffmpeg",
		text{DA: "Optagelsen kunne ikke omsættes til en videostrøm.", EN: "The footage could not be turned into a video stream."},
		text{DA: "Kontrollér, at ffmpeg (5.1 eller nyere) er installeret, og at filen er en video.", EN: "Check that ffmpeg (5.1 or later) is installed and that the file is a video."})
	errListen = problem.New(http.StatusInternalServerError, "simulate.listen",
		text{DA: "Adressen er optaget eller findes ikke på maskinen.", EN: "The address is taken or not on this machine."},
		text{DA: "Vælg en anden port, eller luk det program, der bruger den.", EN: "Choose another port, or close the program that uses it."})
	errOptions = problem.New(http.StatusBadRequest, "simulate.options",
		text{DA: "Det simulerede kamera mangler en fil eller en adgangskode.", EN: "The simulated camera lacks a file or a password."},
		text{DA: "Angiv mindst én videofil og en adgangskode.", EN: "Name at least one video file and a password."})
)

// New prepares the footage and takes the address; ctx bounds only that. Until
// Run, connections wait.
func New(ctx context.Context, opt Options) (*Camera, error) {
	if len(opt.Files) == 0 || opt.Password == "" {
		return nil, errOptions
	}
	def(&opt.Listen, "127.0.0.1:0")
	def(&opt.Username, "demo")
	def(&opt.FFmpeg, "ffmpeg")
	def(&opt.Codec, footage.H264)
	def(&opt.SubSize, Size{640, 360})
	if opt.AsFound {
		opt.Size = Size{}
	} else {
		def(&opt.Size, Size{1280, 720})
	}
	if opt.Clock == nil {
		opt.Clock = clock.System{}
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	ln, err := net.Listen("tcp", opt.Listen)
	if err != nil {
		return nil, errListen.With(fmt.Errorf("simulate: %w", err))
	}
	c := &Camera{opt: opt, ln: ln, main: &loop{}, sub: &loop{}, ready: make(chan struct{}), conns: map[*gortsplib.ServerConn]struct{}{}}
	for _, f := range opt.Files {
		if err := transcode(ctx, opt, f, c.main, c.sub); err != nil {
			// The listener holds nothing that a failed close could lose.
			_ = ln.Close()
			return nil, errFFmpeg.With(fmt.Errorf("simulate: %s: %w", f, err))
		}
	}
	return c, nil
}

func def[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// Addr returns the host and port that the camera listens at.
func (c *Camera) Addr() string { return c.ln.Addr().String() }

// URL returns the address of the full picture, without the password.
func (c *Camera) URL() string { return c.address("/main") }

// SubURL returns the address of the small picture, without the password.
func (c *Camera) SubURL() string { return c.address("/sub") }

func (c *Camera) address(path string) string {
	return (&url.URL{Scheme: "rtsp", Host: c.Addr(), Path: path}).String()
}

// Username returns the name that the camera lets in.
func (c *Camera) Username() string { return c.opt.Username }

// Freeze makes the camera send nothing while its connections stay, or go on.
func (c *Camera) Freeze(on bool) { c.frozen.Store(on) }

// Drop cuts all connections.
func (c *Camera) Drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for sc := range c.conns {
		sc.Close()
	}
}

// Main returns the pictures of the loop at /main, in order; they must not be
// changed.
func (c *Camera) Main() [][][]byte {
	out := make([][][]byte, len(c.main.units))
	for i, u := range c.main.units {
		out[i] = u.nalus
	}
	return out
}

// Run serves until ctx ends, whose cause it returns. It is called once.
func (c *Camera) Run(ctx context.Context) error {
	srv := &gortsplib.Server{
		Handler:     c,
		RTSPAddress: c.Addr(),
		AuthMethods: []auth.VerifyMethod{auth.VerifyMethodDigestMD5},
		Listen:      func(string, string) (net.Listener, error) { return c.ln, nil },
		// Room for the packets of the biggest keyframe.
		WriteQueueSize: 4096,
	}
	if err := srv.Start(); err != nil {
		return errListen.With(fmt.Errorf("simulate: %w", err))
	}
	defer srv.Close()
	ready := func() { c.open.Do(func() { close(c.ready) }) }
	defer ready() // whoever waits is let go before the server closes
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for _, l := range []*loop{c.main, c.sub} {
		if err := l.open(srv, c.opt); err != nil {
			return err
		}
		defer l.close()
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := c.send(ctx, l, l == c.main); err != nil {
				cancel(err)
			}
		}()
	}
	ready()
	stop := context.AfterFunc(ctx, srv.Close)
	defer stop()
	err := srv.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return fmt.Errorf("simulate: server: %w", err)
}

// send writes the loop's pictures at their pace.
func (c *Camera) send(ctx context.Context, l *loop, counts bool) error {
	begun, sent := c.opt.Clock.Now(), 0
	var ts int64
	for i := 0; ; i = (i + 1) % len(l.units) {
		u := l.units[i]
		due := begun.Add(footage.Ticks(ts).Duration())
		if err := clock.Sleep(ctx, c.opt.Clock, due.Sub(c.opt.Clock.Now())); err != nil || ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !c.frozen.Load() {
			if err := l.write(u, uint32(ts)); err != nil {
				if errors.As(err, new(liberrors.ErrServerStreamClosed)) {
					return nil
				}
				return fmt.Errorf("simulate: send: %w", err)
			}
			if sent++; counts && c.opt.DropAfter > 0 && sent >= c.opt.DropAfter && c.watched() {
				sent = 0
				c.Drop()
			}
		}
		ts += u.ticks
	}
}

func (c *Camera) watched() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.conns) > 0
}

// OnConnOpen is called by the server.
func (c *Camera) OnConnOpen(x *gortsplib.ServerHandlerOnConnOpenCtx) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conns[x.Conn] = struct{}{}
}

// OnConnClose is called by the server.
func (c *Camera) OnConnClose(x *gortsplib.ServerHandlerOnConnCloseCtx) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.conns, x.Conn)
}

// OnDescribe is called by the server.
func (c *Camera) OnDescribe(x *gortsplib.ServerHandlerOnDescribeCtx) (*base.Response, *gortsplib.ServerStream, error) {
	return c.admit(x.Conn, x.Request, x.Path)
}

// OnSetup is called by the server.
func (c *Camera) OnSetup(x *gortsplib.ServerHandlerOnSetupCtx) (*base.Response, *gortsplib.ServerStream, error) {
	if x.Transport != gortsplib.TransportTCP {
		return &base.Response{StatusCode: base.StatusUnsupportedTransport}, nil, nil
	}
	return c.admit(x.Conn, x.Request, x.Path)
}

// OnPlay is called by the server.
func (c *Camera) OnPlay(*gortsplib.ServerHandlerOnPlayCtx) (*base.Response, error) {
	return &base.Response{StatusCode: base.StatusOK}, nil
}

func (c *Camera) admit(sc *gortsplib.ServerConn, r *base.Request, path string) (*base.Response, *gortsplib.ServerStream, error) {
	ok := sc.VerifyCredentials(r, c.opt.Username, c.opt.Password)
	if !ok || c.opt.WrongPassword {
		return &base.Response{StatusCode: base.StatusUnauthorized}, nil, liberrors.ErrServerAuth{}
	}
	// The server answers from its start, but a stream needs a started server.
	<-c.ready
	switch {
	case path == "/main" && c.main.stream != nil:
		return &base.Response{StatusCode: base.StatusOK}, c.main.stream, nil
	case path == "/sub" && c.sub.stream != nil:
		return &base.Response{StatusCode: base.StatusOK}, c.sub.stream, nil
	}
	return &base.Response{StatusCode: base.StatusNotFound}, nil, nil
}

// A loop is a rendition of the footage.
type loop struct {
	units  []unit
	params [][]byte
	codec  footage.Codec
	media  *description.Media
	stream *gortsplib.ServerStream
	encode func([][]byte) ([]*rtp.Packet, error)
}

// A unit is one picture.
type unit struct {
	nalus [][]byte
	ticks int64
}

const payloadType = 96

func (l *loop) open(srv *gortsplib.Server, opt Options) error {
	var f format.Format
	if l.codec == footage.H265 {
		f265 := &format.H265{PayloadTyp: payloadType}
		if !opt.ParamsOnlyInBand {
			f265.VPS, f265.SPS, f265.PPS = l.params[0], l.params[1], l.params[2]
		}
		e, err := f265.CreateEncoder()
		if err != nil {
			return fmt.Errorf("simulate: encoder: %w", err)
		}
		f, l.encode = f265, e.Encode
	} else {
		f264 := &format.H264{PayloadTyp: payloadType, PacketizationMode: 1}
		if !opt.ParamsOnlyInBand {
			f264.SPS, f264.PPS = l.params[0], l.params[1]
		}
		e, err := f264.CreateEncoder()
		if err != nil {
			return fmt.Errorf("simulate: encoder: %w", err)
		}
		f, l.encode = f264, e.Encode
	}
	l.media = &description.Media{Type: description.MediaTypeVideo, Formats: []format.Format{f}}
	l.stream = &gortsplib.ServerStream{Server: srv, Desc: &description.Session{Title: "veilbox", Medias: []*description.Media{l.media}}}
	if err := l.stream.Initialize(); err != nil {
		return fmt.Errorf("simulate: stream: %w", err)
	}
	return nil
}

func (l *loop) close() { l.stream.Close() }

func (l *loop) write(u unit, ts uint32) error {
	packets, err := l.encode(u.nalus)
	if err != nil {
		return err
	}
	for _, p := range packets {
		p.Timestamp = ts
		if err := l.stream.WritePacketRTP(l.media, p); err != nil {
			return err
		}
	}
	return nil
}

func (l *loop) length() time.Duration {
	var d int64
	for _, u := range l.units {
		d += u.ticks
	}
	return footage.Ticks(d).Duration()
}
