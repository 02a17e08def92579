// Package lab runs a camera, an extranet and two boxes within one process, on
// loopback and in a folder of their own, with a clock that can be shifted.
package lab

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"time"

	"veilbox/appliance/config"
	"veilbox/appliance/daemon"
	"veilbox/capture/camera/simulate"
	"veilbox/internal/clock"
	"veilbox/test/story"
	"veilbox/uplink/extranet"
)

// Options are what a Lab takes.
type Options struct {
	Dir     string // empty folder
	Worker  string // path of veil-redact
	Footage string // video file; not used where Camera is set
	Camera  *story.Camera
	Log     *slog.Logger
	Ask     []string // addresses that box A asks for cameras
}

// A Lab is a running world.
type Lab struct {
	World *story.World
	Clock *clock.Shifted

	o        Options
	ctx      context.Context
	extranet *part
	boxes    map[string]*part
	daemons  map[string]*daemon.Daemon
	server   *extranet.Server
	ports    map[string]string
	stops    []func() error
}

// A part is something that runs and can be stopped.
type part struct {
	stop context.CancelFunc
	done chan error
}

func start(ctx context.Context, run func(context.Context) error) *part {
	ctx, cancel := context.WithCancel(ctx)
	p := &part{stop: cancel, done: make(chan error, 1)}
	go func() { p.done <- run(ctx) }()
	return p
}

func (p *part) end() error {
	p.stop()
	err := <-p.done
	p.done <- err
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// Start brings everything up; Close ends it.
func Start(ctx context.Context, o Options) (_ *Lab, err error) {
	l := &Lab{
		World: &story.World{A: &story.Box{}, B: &story.Box{}}, Clock: &clock.Shifted{}, o: o, ctx: ctx,
		boxes: map[string]*part{}, daemons: map[string]*daemon.Daemon{}, ports: map[string]string{},
	}
	l.World.Now = l.Clock.Now
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	if err := l.startCamera(); err != nil {
		return nil, err
	}
	for _, name := range []string{"extranet", "operator", "a", "b"} {
		if l.ports[name], err = freePort(); err != nil {
			return nil, err
		}
	}
	if err := l.StartExtranet(); err != nil {
		return nil, err
	}
	for name, b := range map[string]*story.Box{"a": l.World.A, "b": l.World.B} {
		b.Dir, b.URL = filepath.Join(o.Dir, name), "https://"+l.ports[name]
		if err := l.StartBox(name); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// freePort returns an address that was free a moment ago.
func freePort() (string, error) {
	n, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("lab: %w", err)
	}
	return n.Addr().String(), n.Close()
}

func (l *Lab) startCamera() error {
	if l.o.Camera != nil {
		l.World.Camera = *l.o.Camera
		return nil
	}
	pass := rand.Text()
	cam, err := simulate.New(l.ctx, simulate.Options{
		Files: []string{l.o.Footage}, Listen: "127.0.0.1:0", Username: "lab", Password: pass, Clock: clock.System{}, Log: l.o.Log,
	})
	if err != nil {
		return err
	}
	l.World.Camera = story.Camera{URL: cam.URL(), SubURL: cam.SubURL(), Username: "lab", Password: pass, Began: time.Now(), Loop: story.Loop}
	p := start(l.ctx, cam.Run)
	l.stops = append(l.stops, p.end)
	return nil
}

// StartExtranet starts the extranet on its folder.
func (l *Lab) StartExtranet() (err error) {
	c := extranet.Defaults()
	c.Dir, c.BoxListen, c.OperatorListen = filepath.Join(l.o.Dir, "extranet"), l.ports["extranet"], l.ports["operator"]
	c.URL = "https://" + l.ports["extranet"]
	c.Hosts = []string{"localhost", "127.0.0.1"}
	if l.server, err = extranet.New(l.ctx, extranet.Options{Config: c, Clock: l.Clock, Log: l.o.Log.With("part", "extranet")}); err != nil {
		return err
	}
	l.World.ExtranetURL, l.World.ExtranetDir = "https://"+l.ports["operator"], c.Dir
	l.extranet = start(l.ctx, l.server.Run)
	return nil
}

// StopExtranet stops it.
func (l *Lab) StopExtranet() error { return l.extranet.end() }

// StartBox starts the box called "a" or "b" on its folder.
func (l *Lab) StartBox(name string) error {
	c := config.DefaultBox()
	c.DataDir, c.Listen, c.Metrics = filepath.Join(l.o.Dir, name), l.ports[name], ""
	c.Hostnames = []string{"veilbox.local", "localhost", "127.0.0.1"}
	c.Redact.Worker = l.o.Worker
	c.Ring.Quota = 4 << 30
	c.Cameras.Interfaces = []string{"lo"} // nobody else's network is asked
	if name == "a" {
		c.Cameras.Addresses = l.o.Ask
	}
	d, err := daemon.New(l.ctx, c, daemon.Options{Clock: l.Clock, Log: l.o.Log.With("part", "box-"+name), Version: "lab"})
	if err != nil {
		return err
	}
	l.daemons[name] = d
	l.boxes[name] = start(l.ctx, func(ctx context.Context) error { return errors.Join(d.Run(ctx), d.Close()) })
	return nil
}

// StopBox stops a box.
func (l *Lab) StopBox(name string) error { return l.boxes[name].end() }

// Shift moves everybody's clock and lets the deadlines act.
func (l *Lab) Shift(d time.Duration) error {
	l.Clock.Shift(d)
	if err := l.server.Sweep(l.ctx); err != nil {
		return err
	}
	for _, name := range []string{"a", "b"} {
		if err := l.daemons[name].Work().Sweep(l.ctx); err != nil {
			return err
		}
	}
	return nil
}

// Close stops everything.
func (l *Lab) Close() error {
	var mu sync.Mutex
	var errs []error
	var wg sync.WaitGroup
	end := func(p *part) {
		if p != nil {
			wg.Go(func() {
				err := p.end()
				mu.Lock()
				errs = append(errs, err)
				mu.Unlock()
			})
		}
	}
	for _, b := range l.boxes {
		end(b)
	}
	end(l.extranet)
	wg.Wait()
	for _, stop := range l.stops {
		errs = append(errs, stop())
	}
	return errors.Join(errs...)
}
