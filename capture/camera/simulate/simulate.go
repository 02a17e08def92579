// Package simulate is a camera made of footage: an RTSP server that sends
// files in a loop, for demonstrations, for tests and for an installer without
// a camera at hand.
//
// New transcodes the files once, with ffmpeg, to H.264 High, H.265 Main or MJPEG
// with a keyframe each second, and holds the result in memory. /main is the full
// picture, /sub a small one. Time stamps go on over the end of the loop. Sound,
// where it is asked for, is a tone. Access is by digest authentication (RFC
// 7616, MD5 as cameras use it), over TCP unless UDP or TLS is asked for.
package simulate

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"sync/atomic"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/auth"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/liberrors"

	"veilbox/capture/footage"
	"veilbox/internal/clock"
)

// A Camera is a simulated camera.
type Camera struct {
	opt    Options
	ln     net.Listener
	main   *loop
	sub    *loop
	sound  *sound // nil for none
	pair   *ports
	secret *identity
	sent   atomic.Uint64
	frozen atomic.Bool
	ready  chan struct{} // closed once main and sub can be asked for
	open   sync.Once

	mu    sync.Mutex
	conns map[*gortsplib.ServerConn]struct{}
}

// New prepares the footage and takes the address; ctx bounds only that. Until
// Run, connections wait.
func New(ctx context.Context, opt Options) (*Camera, error) {
	if err := opt.orDefault(); err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", opt.Listen)
	if err != nil {
		return nil, errListen.With(fmt.Errorf("simulate: %w", err))
	}
	c := &Camera{opt: opt, ln: ln, main: &loop{}, sub: &loop{}, ready: make(chan struct{}), conns: map[*gortsplib.ServerConn]struct{}{}}
	if err := c.prepare(ctx); err != nil {
		// The listener holds nothing that a failed close could lose.
		_ = ln.Close()
		if c.pair != nil {
			c.pair.close()
		}
		return nil, err
	}
	return c, nil
}

func (c *Camera) prepare(ctx context.Context) (err error) {
	sizes := []Size{c.opt.Size}
	if c.opt.Then != (Size{}) {
		sizes = append(sizes, c.opt.Then)
	}
	for _, size := range sizes {
		opt := c.opt
		opt.Size = size
		for _, f := range opt.Files {
			if err := transcode(ctx, opt, f, c.main, c.sub); err != nil {
				return errFFmpeg.With(fmt.Errorf("simulate: %s: %w", f, err))
			}
		}
	}
	if c.opt.MarkSEI {
		c.main.addSEI()
	}
	if c.opt.Audio != 0 {
		if c.sound, err = newSound(ctx, c.opt); err != nil {
			return errFFmpeg.With(fmt.Errorf("simulate: sound: %w", err))
		}
	}
	if c.opt.TLS {
		if c.secret, err = newIdentity(); err != nil {
			return errListen.With(fmt.Errorf("simulate: certificate: %w", err))
		}
	}
	if c.opt.UDP {
		if c.pair, err = newPorts(); err != nil {
			return errListen.With(fmt.Errorf("simulate: UDP ports: %w", err))
		}
	}
	return nil
}

// Addr returns the host and port that the camera listens at.
func (c *Camera) Addr() string { return c.ln.Addr().String() }

// URL returns the address of the full picture, without the password.
func (c *Camera) URL() string { return c.address("/main") }

// SubURL returns the address of the small picture, without the password.
func (c *Camera) SubURL() string { return c.address("/sub") }

func (c *Camera) address(path string) string {
	scheme := "rtsp"
	if c.opt.TLS {
		scheme = "rtsps"
	}
	return (&url.URL{Scheme: scheme, Host: c.Addr(), Path: path}).String()
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

// Shifts returns for each of Main's pictures how much later it is shown than
// sent, in ticks.
func (c *Camera) Shifts() []int64 {
	out := make([]int64, len(c.main.units))
	for i, u := range c.main.units {
		out[i] = u.shift
	}
	return out
}

// Sound returns the access units of the loop of sound, in order; they must not
// be changed.
func (c *Camera) Sound() [][]byte {
	if c.sound == nil {
		return nil
	}
	return c.sound.units
}

// Sent returns how many pictures were sent at /main, to whoever was there.
func (c *Camera) Sent() uint64 { return c.sent.Load() }

// Pin returns the SHA-256 of the public key that the camera shows over TLS, in
// hex.
func (c *Camera) Pin() string {
	if c.secret == nil {
		return ""
	}
	return c.secret.pin
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
	if c.secret != nil {
		// Around the server: told of it, it would offer SRTP, as cameras do not.
		srv.Listen = func(string, string) (net.Listener, error) { return tls.NewListener(c.ln, c.secret.config), nil }
	}
	if c.pair != nil {
		defer c.pair.close()
		srv.UDPRTPAddress, srv.UDPRTCPAddress, srv.ListenPacket = c.pair.rtp, c.pair.rtcp, c.pair.listen
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
		var heard *sound
		if l == c.main {
			heard = c.sound
		}
		if err := l.open(srv, c.opt, heard); err != nil {
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
			err := l.write(u, c.opt.stamp(ts+u.shift))
			if l == c.main {
				if err == nil && c.sound != nil {
					err = c.sound.write(l.stream, ts, c.opt)
				}
				c.sent.Add(1)
			}
			if err != nil {
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
	answer, stream, err := c.admit(x.Conn, x.Request, x.Path)
	if udp := x.Transport == gortsplib.TransportUDP; err == nil && (x.Transport != gortsplib.TransportTCP && !udp || udp != c.opt.UDP) {
		return &base.Response{StatusCode: base.StatusUnsupportedTransport}, nil, nil
	}
	return answer, stream, err
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
