// Package daemon assembles a box: it is the only package that sees everything.
//
// A box's data folder holds
//
//	keys/box.key       the master key, unless it comes as the systemd credential "box"
//	first-login        the first manager's log-in, until it is removed by hand
//	reset-manager      made by root for a manager who cannot log in; see recover.go
//	audit.db           the audit log; audit.pub is the key that verifies it
//	box.db             cases, cameras, people (sealed)
//	ring/              the rolling recording (sealed)
//	copies/            veiled copies (sealed)
//	outbox.db, outbox/ what is on its way to the extranet (sealed)
//	identity.sealed    who the box is to the extranet
//	tls/               the box's own certificate authority
//
// Nothing in it but first-login, audit.pub and the certificate can be read
// without the master key.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"veilbox/appliance/account"
	"veilbox/appliance/audit"
	"veilbox/appliance/casework"
	"veilbox/appliance/config"
	"veilbox/appliance/policy"
	"veilbox/appliance/statement"
	"veilbox/appliance/store"
	"veilbox/appliance/web"
	"veilbox/capture"
	"veilbox/capture/camera"
	"veilbox/capture/footage"
	"veilbox/capture/live"
	"veilbox/capture/ring"
	"veilbox/internal/clock"
	"veilbox/internal/keys"
	"veilbox/internal/pki"
	"veilbox/internal/problem"
	"veilbox/internal/sqlitedb"
	"veilbox/redact"
	"veilbox/uplink/fleet"
	"veilbox/uplink/outbox"
)

// Options are what a Daemon takes beside its configuration.
type Options struct {
	Clock   clock.Clock
	Log     *slog.Logger
	Version string
}

// A Daemon is one box.
type Daemon struct {
	cfg   config.Box
	clock clock.Clock
	log   *slog.Logger

	version  string
	registry *prometheus.Registry
	listener net.Listener
	metrics  net.Listener
	ca       *pki.Authority
	audit    *audit.Log
	store    *store.Store
	accounts *account.Accounts
	ring     *ring.Ring
	recorder *capture.Supervisor
	live     *live.Server
	worker   *redact.Worker
	out      *outbox.Outbox
	uplink   *extranet
	work     *casework.Service
	handler  http.Handler

	second  *secondClock
	sandbox sandboxState
	expiry  lastRun
	closers []func() error
}

// New opens everything that a box needs. What is open is closed by Close, also
// after an error.
func New(ctx context.Context, cfg config.Box, o Options) (_ *Daemon, err error) {
	d := &Daemon{cfg: cfg, clock: o.Clock, log: o.Log, version: o.Version, registry: newRegistry(),
		second: &secondClock{clock: o.Clock, synced: kernelSynced}}
	defer func() {
		if err == nil {
			return
		}
		if p := sqlitedb.ProblemOf(err); problem.Of(err).Code == problem.Internal.Code && p.Code != problem.Internal.Code {
			err = p
		}
		if e := d.Close(); e != nil {
			err = errors.Join(err, e)
		}
	}()
	if err := checkClock(o.Clock.Now()); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(cfg.DataDir, "keys"), 0o700); err != nil {
		return nil, errDataDir.With(err)
	}
	// The ports first: a second daemon on the same settings stops here, before
	// it touches the data.
	if d.listener, err = listen(cfg.Listen); err != nil {
		return nil, err
	}
	d.onClose(d.listener.Close)
	if cfg.Metrics != "" {
		if d.metrics, err = listen(cfg.Metrics); err != nil {
			return nil, err
		}
		d.onClose(d.metrics.Close)
	}
	master, err := keys.Load(filepath.Join(cfg.DataDir, "keys"), "box")
	if err != nil {
		return nil, err
	}
	if err := d.openPeople(ctx, master); err != nil {
		return nil, err
	}
	if err := d.openCapture(ctx, master); err != nil {
		return nil, err
	}
	if err := d.openUplink(ctx, master); err != nil {
		return nil, err
	}
	return d, d.openWork(ctx, master)
}

func (d *Daemon) onClose(f func() error) { d.closers = append(d.closers, f) }

// Close closes what New opened, the last first.
func (d *Daemon) Close() error {
	var errs []error
	for i := len(d.closers) - 1; i >= 0; i-- {
		if err := d.closers[i](); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	d.closers = nil
	return errors.Join(errs...)
}

func (d *Daemon) path(name string) string { return filepath.Join(d.cfg.DataDir, name) }

func (d *Daemon) openPeople(ctx context.Context, master keys.Key) (err error) {
	if d.ca, err = pki.Open(d.path("tls"), master.Derive("veilbox pki v1"), "Veilbox "+d.cfg.Hostnames[0], d.cfg.Hostnames, d.clock); err != nil {
		return err
	}
	signing := auditSigning(master)
	d.audit, err = audit.Open(ctx, audit.Options{
		Path: d.path("audit.db"), Key: master.Derive("veilbox audit v1"), Name: auditName(signing), Signing: signing, Clock: d.clock,
	})
	if err != nil {
		return err
	}
	d.onClose(d.audit.Close)
	if err := keepText(d.path("audit.pub"), d.audit.VerifierKey()+"\n", 0o644); err != nil {
		return err
	}
	if d.store, err = store.Open(ctx, store.Options{Path: d.path("box.db"), Key: master.Derive("veilbox store v1"), Clock: d.clock}); err != nil {
		return err
	}
	d.onClose(d.store.Close)
	if d.accounts, err = account.New(account.Options{Store: d.store, Clock: d.clock, RPID: d.cfg.RPID(), RPName: "Veilbox", Breached: d.cfg.People.Breached}); err != nil {
		return err
	}
	if err := d.tellFirst(ctx); err != nil {
		return err
	}
	return d.recover(ctx)
}

// firstTold is the setting that says that the first log-in was written down.
const firstTold = "first-login"

// tellFirst makes the first account at the first start and writes its log-in to
// a file, once.
func (d *Daemon) tellFirst(ctx context.Context) error {
	login, password, made, err := d.accounts.EnsureFirst(ctx)
	if err != nil {
		return err
	}
	if !made {
		_, err := d.store.Setting(ctx, firstTold)
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if login, password, made, err = d.accounts.RenewFirst(ctx); err != nil {
			return err
		}
	}
	if made {
		text := fmt.Sprintf("%s\n%s\n", login, password)
		if err := keepText(d.path("first-login"), text, 0o600); err != nil {
			return err
		}
		d.log.Info("first start: the first log-in is in a file; change its password, then remove the file", "file", d.path("first-login"))
	}
	return d.store.SetSetting(ctx, firstTold, []byte("written"))
}

func (d *Daemon) openCapture(ctx context.Context, master keys.Key) (err error) {
	dir := d.path("ring")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return errDataDir.With(err)
	}
	quota := int64(d.cfg.Ring.Quota)
	if quota == 0 {
		if quota, err = quotaOf(dir); err != nil {
			return err
		}
	}
	d.ring, err = ring.Open(ctx, ring.Options{
		Dir: dir, Key: master.Derive("veilbox ring v1"), Quota: quota,
		Retention: time.Duration(d.cfg.Ring.Retention), Clock: d.clock, Confirm: d.second.now, Log: d.log,
	})
	if err != nil {
		return err
	}
	d.onClose(d.ring.Close)
	if d.worker, err = worker(d.cfg.Redact, d.log); err != nil {
		return err
	}
	d.recorder, err = capture.New(capture.Options{
		Store: d.ring, Clock: d.clock, Log: d.log, Registerer: d.registry,
		Pinned: func(cam footage.CameraID, pin string) { d.work.CameraPinned(cam, pin) },
	})
	if err != nil {
		return err
	}
	d.onClose(func() error { d.recorder.Close(); return nil })
	d.live, err = live.NewServer(live.Options{Source: d.recorder, Transcoder: d.worker, Clock: d.clock, Log: d.log})
	if err != nil {
		return err
	}
	d.onClose(func() error { d.live.Close(); return nil })
	return nil
}

func (d *Daemon) openUplink(ctx context.Context, master keys.Key) error {
	// It outlives the request that opened it, and ends with the daemon.
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	d.onClose(func() error { end(); return nil })
	d.uplink = &extranet{
		ctx: life, clock: d.clock, log: d.log, name: d.cfg.Hostnames[0], audit: d.audit.VerifierKey(),
		store: fleet.IdentityStore{Path: d.path("identity.sealed"), Key: master.Derive("veilbox identity v1")},
	}
	id, err := d.uplink.store.Load()
	switch {
	case err == nil:
		d.uplink.connect(id)
	case errors.Is(err, fleet.ErrIdentity):
		// The cameras are recorded without the extranet.
		d.log.Error("the box cannot speak to the extranet until this is mended", "error", err)
		d.uplink.lost = err
	case !errors.Is(err, fleet.ErrNotEnrolled):
		return err
	}
	d.out, err = outbox.Open(ctx, outbox.Options{
		Dir: d.cfg.DataDir, Key: master.Derive("veilbox outbox v1"), Clock: d.clock, Log: d.log, Link: d.uplink.client,
		OnReceipt: func(ctx context.Context, r outbox.Receipt) error { return d.work.Delivered(ctx, r.Disclosure, r.At) },
		OnRefused: func(ctx context.Context, r outbox.Refusal) error {
			if r.Kind != outbox.Disclose {
				d.log.Error("the extranet refused", "what", r.Kind, "disclosure", r.Disclosure, "problem", r.Problem.Code)
				return nil
			}
			return d.work.Rejected(ctx, r.Disclosure, r.Problem)
		},
	})
	if err != nil {
		return err
	}
	d.onClose(d.out.Close)
	d.uplink.out = d.out
	return nil
}

func (d *Daemon) openWork(ctx context.Context, master keys.Key) (err error) {
	signing := auditSigning(master)
	signer, err := statement.NewSigner(auditName(signing), signing)
	if err != nil {
		return err
	}
	d.work, err = casework.New(ctx, casework.Options{
		Dir: d.cfg.DataDir, Key: master, Clock: d.clock, Log: d.log, Store: d.store, Accounts: d.accounts,
		Audit: d.audit, Ring: d.ring, Recorder: d.recorder, Redactor: d.worker, Uplink: d.uplink,
		Settings: policy.Settings{TwoPersons: d.cfg.Gate.TwoPersons, MaxDisclosure: time.Duration(d.cfg.Gate.MaxDisclosure)},
		Probe: func(ctx context.Context, s camera.Source) (camera.Description, error) {
			return camera.Probe(ctx, s, camera.Limits{})
		},
		Find: d.findCameras, Look: d.lookAt, Identify: d.identify,
		Signer:  signer,
		MaxClip: time.Duration(d.cfg.Redact.MaxClip), KeepCases: time.Duration(d.cfg.Keep.Cases),
		Checks: d.checks,
		Detect: d.cfg.Redact.Detect,
		Mark: func(ctx context.Context, job redact.SessionJob, clip io.Reader) (casework.Session, error) {
			s, err := d.worker.Open(ctx, job, clip)
			if err != nil {
				return nil, err // and not a Session that holds no session
			}
			return s, nil
		},
	})
	if err != nil {
		return err
	}
	d.registerGauges()
	d.handler, err = web.New(web.Options{Box: d.work, WHEP: d.live.ServeWHEP, Log: d.log, Clock: d.clock, Version: d.version, Hosts: d.cfg.Hostnames, RPID: d.cfg.RPID()})
	return err
}

// Addr returns the address that the pages are served on.
func (d *Daemon) Addr() net.Addr { return d.listener.Addr() }

// MetricsAddr returns the address of /metrics, nil where there is none.
func (d *Daemon) MetricsAddr() net.Addr {
	if d.metrics == nil {
		return nil
	}
	return d.metrics.Addr()
}

// Fingerprint returns the SHA-256 of the box's certificate authority.
func (d *Daemon) Fingerprint() string { return d.ca.Fingerprint() }

// Work returns the acts, for tests that move the clock.
func (d *Daemon) Work() *casework.Service { return d.work }

// Run records, serves and sends until ctx ends.
func (d *Daemon) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	frugal()
	if err := d.work.StartCameras(ctx); err != nil {
		return err
	}
	if rows := d.store.Damaged(); len(rows) > 0 {
		d.log.Error("rows of the database cannot be read; the rest works", "error", store.ErrDamaged, "rows", rows)
	}
	var wg sync.WaitGroup
	run := func(name string, f func(context.Context) error) {
		wg.Go(func() {
			if err := f(ctx); err != nil && ctx.Err() == nil {
				cancel(fmt.Errorf("daemon: %s: %w", name, err))
			}
		})
	}
	run("cases", d.work.Run)
	run("outbox", d.out.Run)
	run("expiry", d.runExpiry)
	run("prune", d.runPrune)
	run("heartbeat", d.runHeartbeat)
	run("sandbox", d.runSandboxCheck)
	run("pages", d.servePages)
	if d.metrics != nil {
		run("metrics", d.serveMetrics)
	}
	d.log.Info("the box is up", "address", d.listener.Addr().String(), "fingerprint", d.ca.Fingerprint(), "version", d.version)
	wg.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
