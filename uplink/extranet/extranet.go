// Package extranet is the receiving end: it knows the members and their boxes,
// checks every disclosure again, keeps ciphertext and wrapped keys, logs each
// viewing before it can happen, and ends disclosures by the clock. It cannot
// open what it keeps.
//
// # Box API
//
// Over TLS 1.3 with a client certificate of the extranet's own CA, but for the
// first call. Bodies are the messages of uplink/wire; errors are problem details
// (RFC 9457).
//
//	POST  /v1/enrol                        EnrolRequest -> EnrolResponse
//	POST  /v1/renew                        RenewRequest -> RenewResponse
//	GET   /v1/members                      -> Directory
//	POST  /v1/assessors                    AssessorRequest -> AssessorResponse
//	POST  /v1/disclosures                  SubmitRequest -> SubmitResponse
//	HEAD  /v1/uploads/{id}                 tus 1.0
//	PATCH /v1/uploads/{id}                 tus 1.0
//	POST  /v1/disclosures/{id}/complete    {} -> CompleteResponse
//	GET   /v1/disclosures                  -> Inbox
//	POST  /v1/disclosures/{id}/viewings    ViewRequest -> ViewResponse
//	GET   /v1/disclosures/{id}/content     Range; header Veilbox-Viewing
//	POST  /v1/disclosures/{id}/withdraw    WithdrawRequest -> OK
//	POST  /v1/disclosures/{id}/report      ReportRequest -> OK
//	POST  /v1/disclosures/{id}/reassess    ReassessRequest -> OK
//	POST  /v1/disclosures/{id}/deleted     DeletedRequest -> OK
//	GET   /v1/disclosures/{id}/accesses    -> AccessLog
//	POST  /v1/heads                        HeadRequest -> OK
//	POST  /v1/heartbeat                    HeartbeatRequest -> HeartbeatResponse
//	GET   /healthz, /metrics               on the operator's listener
//
// The operator's API and pages are described in operator.go, what root does on the
// machine itself in local.go.
//
// # At rest
//
// extranet.db holds the register; names of people, purposes, reasons, manifests
// and alerts in it are sealed under a key of the extranet's own. uploads holds
// what is under way, blobs what is available, both ciphertext. Times are Unix
// milliseconds, UTC. The audit log lies beside it.
//
// # Clocks
//
// Time never runs backwards here: the latest time seen is kept, so that a clock
// set back lengthens nothing. A sweep ends what is due; every call that would
// show a disclosure sweeps first.
package extranet

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	tusd "github.com/tus/tusd/v2/pkg/handler"
	"golang.org/x/time/rate"

	"veilbox/appliance/audit"
	"veilbox/internal/clock"
	"veilbox/internal/keys"
	"veilbox/internal/passkey"
	"veilbox/internal/sqlitedb"
	"veilbox/uplink/wire"
)

// Config is what the operator sets. Defaults returns it filled in.
type Config struct {
	Dir            string         // where everything is kept, 0700
	BoxListen      string         // host:port for boxes
	OperatorListen string         // host:port for the operator's pages
	URL            string         // https address of BoxListen as boxes reach it
	Hosts          []string       // names and addresses in the server certificate, beside URL's; operators' passkeys are for the first name
	AllowBoxes     []netip.Prefix // empty: from everywhere
	AllowOperators []netip.Prefix // empty: from everywhere
	MaxContent     int64          // bytes of one sealed video
	CodeLife       time.Duration  // of an enrolment code
	ViewingLife    time.Duration  // of a viewing's token
	KeepAccess     time.Duration  // how long the access log is kept, a year at least (S6)
	PentestEvery   time.Duration  // two a year at least (S3)
}

// rpid is the host name that operators' passkeys are made for: the first of Hosts
// that is a name.
func (c Config) rpid() string {
	for _, h := range c.Hosts {
		if passkey.CheckRPID(h) == nil {
			return h
		}
	}
	return ""
}

// Defaults returns the configuration that is used where nothing is set.
func Defaults() Config {
	here := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	return Config{
		Dir: "/var/lib/veil-extranet", BoxListen: ":9443", OperatorListen: "127.0.0.1:9444", URL: "https://localhost:9443", Hosts: []string{"localhost"},
		AllowBoxes: here, AllowOperators: here, // closed until the operator lists the members' addresses (S4)
		MaxContent: 2 << 30, CodeLife: time.Hour, ViewingLife: 30 * time.Minute,
		KeepAccess: 400 * 24 * time.Hour, PentestEvery: 182 * 24 * time.Hour,
	}
}

func (c Config) check() error {
	u, err := hostOf(c.URL)
	switch {
	case err != nil || u == "":
		return fmt.Errorf("extranet: the address %q must be https://host:port", c.URL)
	case c.MaxContent <= 0 || c.MaxContent > wire.MaxContent:
		return fmt.Errorf("extranet: the most a video may hold must be 1 to %d bytes", wire.MaxContent)
	case c.CodeLife < time.Minute || c.CodeLife > 7*24*time.Hour:
		return errors.New("extranet: an enrolment code lives a minute to 7 days")
	case c.ViewingLife < time.Minute || c.ViewingLife > 12*time.Hour:
		return errors.New("extranet: a viewing lives a minute to 12 hours")
	case c.KeepAccess < 366*24*time.Hour:
		return errors.New("extranet: the access log is kept a year at least (S6)")
	case c.PentestEvery <= 0 || c.PentestEvery > 184*24*time.Hour:
		return errors.New("extranet: two penetration tests a year are asked for (S3): 184 days between them at most")
	}
	return nil
}

// Options of a Server.
type Options struct {
	Config
	Clock clock.Clock
	Log   *slog.Logger
	// Registerer takes the metrics; nil: a registry of the server's own.
	Registerer prometheus.Registerer
}

// A Server is the extranet. It is safe for concurrent use.
type Server struct {
	o     Options
	db    *sql.DB
	key   keys.Key // seals what is personal in the database
	audit *audit.Log
	ca    *authority
	tus   *tusd.UnroutedHandler
	met   *metrics

	boxes, operators net.Listener
	local            net.Listener // of this machine; nil where the folder's path is too long for one
	enrols           *rate.Limiter
	attempts         attempts   // log-ins that fail
	questions        questions  // to passkeys, that wait for their answer
	accounts         sync.Mutex // one change of an operator's account at a time
	rpid             string     // the host name of the operators' passkeys; empty: none can be made
	deriving         sync.Mutex // one password at a time, which bounds the memory
	calls            limits     // by box

	life    sync.Mutex // serialises changes of a disclosure's state
	purging sync.Mutex // and what follows an ending

	mu   sync.Mutex
	high time.Time // the latest time seen
	last time.Time // what the clock said when it was last asked
}

// New opens the store, makes what is missing at first start, and listens. Nothing
// is answered before Run.
func New(ctx context.Context, o Options) (_ *Server, err error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.Clock.Now().Year() < 2025 {
		return nil, ErrClockUnset
	}
	s := &Server{o: o, enrols: rate.NewLimiter(5, 20),
		rpid: o.rpid(), calls: limits{every: callsPerSecond, burst: callsAtOnce}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	for _, d := range []string{o.Dir, s.uploads(), s.blobs()} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return s, ErrDir.With(fmt.Errorf("extranet: %w", err))
		}
	}
	probe, err := os.CreateTemp(o.Dir, ".writable-*")
	if err != nil {
		return s, ErrDir.With(fmt.Errorf("extranet: %w", err))
	}
	if err := errors.Join(probe.Close(), os.Remove(probe.Name())); err != nil {
		return s, ErrDir.With(fmt.Errorf("extranet: %w", err))
	}
	if s.key, err = keys.Load(o.Dir, "extranet"); err != nil {
		return s, fmt.Errorf("extranet: %w", err)
	}
	if s.db, err = sqlitedb.Open(ctx, filepath.Join(o.Dir, "extranet.db"), migrations); err != nil {
		return s, fmt.Errorf("extranet: %w", err)
	}
	if err := s.loadHigh(ctx); err != nil {
		return s, err
	}
	if err := s.openAudit(ctx); err != nil {
		return s, err
	}
	if s.ca, err = openAuthority(o.Config, s.key, o.Clock); err != nil {
		return s, err
	}
	if err := s.firstOperator(ctx); err != nil {
		return s, err
	}
	if s.rpid == "" {
		o.Log.Warn("no name of the extranet's is set that passkeys can be made for: operators log in with password and code; put a host name first in hostnames")
	}
	if s.tus, err = s.newTus(); err != nil {
		return s, err
	}
	s.met = newMetrics(s)
	if s.boxes, err = listen(o.BoxListen, o.AllowBoxes); err != nil {
		return s, err
	}
	if s.operators, err = listen(o.OperatorListen, o.AllowOperators); err != nil {
		return s, err
	}
	if s.local, err = s.listenLocal(); err != nil {
		return s, err
	}
	if err := s.checkBlobs(ctx); err != nil {
		return s, err
	}
	return s, s.expire(ctx)
}

// BoxAddr returns where boxes are answered.
func (s *Server) BoxAddr() net.Addr { return s.boxes.Addr() }

// OperatorAddr returns where the operator is answered.
func (s *Server) OperatorAddr() net.Addr { return s.operators.Addr() }

// CA returns the extranet's CA certificate, DER.
func (s *Server) CA() []byte { return s.ca.cert.Raw }

func (s *Server) uploads() string { return filepath.Join(s.o.Dir, "uploads") }
func (s *Server) blobs() string   { return filepath.Join(s.o.Dir, "blobs") }

// Run answers until ctx ends, then closes everything.
func (s *Server) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	box := s.httpServer(s.boxHandler(), &tls.Config{
		MinVersion: tls.VersionTLS13, GetCertificate: s.ca.serverCertificate, Time: s.o.Clock.Now,
		ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: s.ca.pool(),
	})
	op := s.httpServer(s.operatorHandler(), &tls.Config{
		MinVersion: tls.VersionTLS13, GetCertificate: s.ca.serverCertificate, Time: s.o.Clock.Now,
	})
	var wg sync.WaitGroup
	serve := func(h *http.Server, l net.Listener) {
		wg.Go(func() {
			if err := h.ServeTLS(l, "", ""); !errors.Is(err, http.ErrServerClosed) {
				cancel(fmt.Errorf("extranet: serve %s: %w", l.Addr(), err))
			}
		})
	}
	if err := s.purge(ctx); err != nil {
		s.o.Log.Error("what follows an ending failed; it is tried again", "err", err)
	}
	serve(box, s.boxes)
	serve(op, s.operators)
	here := s.localServer()
	if s.local != nil {
		wg.Go(func() {
			if err := here.Serve(s.local); !errors.Is(err, http.ErrServerClosed) {
				cancel(fmt.Errorf("extranet: serve %s: %w", s.local.Addr(), err))
			}
		})
	}
	wg.Go(func() { s.sweeper(ctx) })
	s.o.Log.Info("extranet ready", "boxes", s.boxes.Addr(), "operators", s.operators.Addr())
	<-ctx.Done()
	stop, done := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer done()
	for _, h := range []*http.Server{box, op, here} {
		if err := h.Shutdown(stop); err != nil {
			// Who is still connected after the grace is cut off; clients resume.
			err = h.Close()
			if err != nil {
				s.o.Log.Warn("close connections", "err", err)
			}
		}
	}
	wg.Wait()
	err := s.Close()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return errors.Join(cause, err)
	}
	return err
}

// Close ends what New began; Run calls it.
func (s *Server) Close() error {
	var errs []error
	for _, l := range []net.Listener{s.boxes, s.operators, s.local} {
		if l != nil {
			if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
				errs = append(errs, err)
			}
		}
	}
	if s.audit != nil {
		errs = append(errs, s.audit.Close())
	}
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("extranet: close: %w", err)
	}
	return nil
}

func (s *Server) httpServer(h http.Handler, t *tls.Config) *http.Server {
	return &http.Server{
		Handler: h, TLSConfig: t,
		ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
		// A request is 16 MiB at most, an answer one block of a video or a list.
		ReadTimeout: 5 * time.Minute, WriteTimeout: 5 * time.Minute,
		ErrorLog: slog.NewLogLogger(s.o.Log.Handler(), slog.LevelDebug),
	}
}
