// Package casework is what people do on a box: look at a camera, mark an
// incident, mark the subject, have the copy veiled, ask, assess, release,
// withdraw, view what others share. It ties the ring, the redaction, the gate,
// the store and the audit log together.
//
// Each act checks the person's permission, and is in the audit log before it
// takes effect or before a byte of footage is handed out. Errors a person can
// act on are *problem.Problem in Danish and English.
//
// Released copies leave through the Uplink interface, which takes a
// policy.Release and a redact.Copy, and nothing less.
package casework

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"veilbox/appliance/account"
	"veilbox/appliance/audit"
	"veilbox/appliance/incident"
	"veilbox/appliance/policy"
	"veilbox/appliance/store"
	"veilbox/capture"
	"veilbox/capture/camera"
	"veilbox/capture/footage"
	"veilbox/capture/ring"
	"veilbox/internal/clock"
	"veilbox/internal/keys"
	"veilbox/internal/problem"
	"veilbox/redact"
)

// A Recorder records cameras; *capture.Supervisor is one.
type Recorder interface {
	Add(footage.CameraID, camera.Source) error
	Remove(footage.CameraID) error
	Health() []capture.Health
	LastKeyframe(footage.CameraID) (footage.Format, footage.AccessUnit, bool)
}

// A Redactor veils; *redact.Worker is one.
type Redactor interface {
	Produce(ctx context.Context, job redact.Job, clip io.Reader, to redact.Storage, progress func(redact.Progress)) (redact.Copy, error)
	Still(ctx context.Context, clip io.Reader, at float64, maxWidth int) ([]byte, error)
	// Stills decodes the first n pictures of a movie, as JPEG.
	Stills(ctx context.Context, movie io.Reader, width, n int) ([][]byte, error)
	// Playable writes a movie anew as H.264 that every browser plays.
	Playable(ctx context.Context, movie io.Reader, to redact.Storage, progress func(redact.Progress)) error
	Check(ctx context.Context) (redact.Status, error)
}

// Options are what a Service works with; all are needed but those that say so.
type Options struct {
	Dir      string // sealed copies are kept below it
	Key      keys.Key
	Clock    clock.Clock
	Log      *slog.Logger
	Store    *store.Store
	Accounts *account.Accounts
	Audit    *audit.Log
	Ring     *ring.Ring
	Recorder Recorder
	Redactor Redactor
	Uplink   Uplink
	Settings policy.Settings
	// Mark starts a session in which people are followed through a clip, and
	// Detect says whether it looks for persons as well. Nil: people are followed
	// only while a copy is made.
	Mark   func(ctx context.Context, job redact.SessionJob, clip io.Reader) (Session, error)
	Detect bool
	// Probe looks at a camera without adding it.
	Probe func(context.Context, camera.Source) (camera.Description, error)
	// Find asks the network for cameras. It gives no log-in: any device could
	// take its digest and guess the password from it at leisure. Nil: the box
	// does not look for them.
	Find func(ctx context.Context) ([]CameraFound, error)
	// Look asks the camera at one address, which a person chose, for its streams.
	// Nil: as Find.
	Look func(ctx context.Context, address, user, password string) (CameraFound, error)
	// Identify asks a camera what it is (ONVIF). Nil: nobody asks.
	Identify func(context.Context, camera.Source) (Device, error)
	// Signer signs what is said of an exported original: the audit log's key.
	Signer note.Signer
	// KeepCases is how long a case is kept after it has ended; 0: 365 days.
	KeepCases time.Duration
	// MaxClip is the longest clip of a case.
	MaxClip time.Duration
	// Checks adds the daemon's own lines to the health page.
	Checks func(context.Context) []Check
}

// An Actor is who acts: a person's session, and from where.
type Actor struct {
	Session account.Session
	From    string // remote address
}

// A Service does the acts. It is safe for concurrent use.
type Service struct {
	o       Options
	copyKey keys.Key

	// mu orders the acts that change cases.
	mu sync.Mutex
	// releasing is the cases that are released and not yet queued; by mu.
	releasing map[incident.CaseID]bool

	cams      cameraActs
	spans     caseSpans
	pictures  pictures
	plays     plays
	exports   exports
	jobs      jobs
	markings  markings
	viewings  viewings
	approvals approvals
	seen      seen
	proofs    keyProofs
	high      highWater
	polled    polled
}

// New returns a Service and starts again the redactions that a stop cut off.
// Run must be called for them and for the clocks to move.
func New(ctx context.Context, o Options) (*Service, error) {
	if err := os.MkdirAll(filepath.Join(o.Dir, "copies"), 0o700); err != nil {
		return nil, fmt.Errorf("casework: %w: give the box a folder that it can write", err)
	}
	s := &Service{o: o, copyKey: o.Key.Derive("veilbox copies v1"), releasing: map[incident.CaseID]bool{}}
	s.jobs.init()
	s.cams.init()
	s.pictures.init()
	if err := s.plays.init(filepath.Join(o.Dir, "playable")); err != nil {
		return nil, err
	}
	s.exports.m = map[string]*exporting{}
	s.markings.m, s.markings.known = map[incident.CaseID]*marking{}, map[incident.CaseID]known{}
	s.viewings.m = map[string]viewing{}
	s.seen.m = map[string]time.Time{}
	s.approvals.m = map[string]pendingApproval{}
	if err := s.high.load(ctx, o.Store); err != nil {
		return nil, err
	}
	if err := s.dropUnfinished(); err != nil {
		return nil, err
	}
	if err := s.sweepDocuments(ctx); err != nil {
		return nil, err
	}
	if err := s.resume(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Run works until ctx ends: redactions one after the other, the clocks that end
// disclosures, and what is asked now and then of cameras and of the extranet.
func (s *Service) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { s.runJobs(ctx) })
	wg.Go(func() { s.runClocks(ctx) })
	wg.Go(func() { s.runDevices(ctx) })
	wg.Go(func() { s.runPeople(ctx) })
	wg.Wait()
	s.markings.clear(s.o.Clock.Now(), true)
	return nil
}

var (
	errNoCase = problem.New(404, "case.missing",
		problem.Text{DA: "Sagen findes ikke på denne boks.", EN: "This case is not on this box."},
		problem.Text{DA: "Gå til forsiden og vælg sagen der.", EN: "Go to the start page and choose the case there."})
	errMustChange = problem.New(403, "password.change",
		problem.Text{DA: "Andre kender din adgangskode: den blev lavet til dig.", EN: "Others know your password: it was made for you."},
		problem.Text{DA: "Vælg din egen adgangskode først; det, du gør, står i dit navn.", EN: "Choose your own password first; what you do is recorded in your name."})
	errMustFactor = problem.New(403, "factor.missing",
		problem.Text{DA: "Din konto har kun en adgangskode, og den kan gættes eller lures fra dig.", EN: "Your account has only a password, which can be guessed or tricked out of you."},
		problem.Text{DA: "Tilføj en adgangsnøgle eller en kode-app under din konto først.", EN: "Add a passkey or an authenticator app under your account first."})
	errConflict = problem.New(409, "case.conflict",
		problem.Text{DA: "En anden har ændret sagen, siden du åbnede den.", EN: "Somebody else has changed the case since you opened it."},
		problem.Text{DA: "Hent sagen igen og gem dine svar én gang til; det du har skrevet, står stadig på siden.", EN: "Load the case again and save your answers once more; what you wrote is still on the page."})
)

func badInput(code, da, en string) *problem.Problem {
	return problem.New(400, code, problem.Text{DA: da, EN: en},
		problem.Text{DA: "Ret feltet og prøv igen.", EN: "Correct the field and try again."})
}

func wrongState(da, en string) *problem.Problem {
	return problem.New(409, "case.state", problem.Text{DA: da, EN: en},
		problem.Text{DA: "Hent sagen igen for at se, hvor den står.", EN: "Load the case again to see where it stands."})
}

// allow returns an error unless the actor's roles and authorisation allow p. Who
// still has the password that was made for him, or no second factor, may only see
// to that: acts are recorded by name.
func (s *Service) allow(a Actor, p account.Permission) error {
	if err := setUp(a); err != nil {
		return err
	}
	return a.Session.Allow(p, s.o.Clock.Now())
}

// setUp returns an error unless the account is one that only its person opens.
func setUp(a Actor) error {
	if slices.Contains(a.Session.Must, account.NeedPassword) {
		return errMustChange
	}
	if len(a.Session.Must) > 0 {
		return errMustFactor
	}
	return nil
}

// record writes an act to the audit log. Where that fails the act must not
// happen: an act that is not on record is not allowed.
func (s *Service) record(ctx context.Context, a Actor, act, why string, about map[string]string) error {
	return s.recordAs(ctx, who(a), a.From, act, why, about)
}

// refused returns err, and records that an act that was on record was refused.
// Of a fault of the box it cannot tell what was done, and records nothing more.
func (s *Service) refused(ctx context.Context, a Actor, act string, about map[string]string, err error) error {
	if err == nil || problem.Of(err).Status >= 500 {
		return err
	}
	return errors.Join(err, s.record(context.WithoutCancel(ctx), a, act+".refused", problem.Of(err).Code, about))
}

// who names the actor for the record, in the first of his roles.
func who(a Actor) audit.Who {
	role := ""
	if len(a.Session.Roles) > 0 {
		role = string(a.Session.Roles[0])
	}
	p := a.Session.Person
	return audit.Who{ID: string(p.ID), Name: p.Name, Role: role}
}

// Who acts where no person does.
var (
	clockWho    = audit.Who{ID: "clock", Name: clockName, Role: "system"}
	workerWho   = audit.Who{ID: "worker", Name: "Boksens sløring", Role: "system"}
	extranetWho = audit.Who{ID: "extranet", Name: "Ekstranettet", Role: "system"}
	boxWho      = audit.Who{ID: "box", Name: "Boksen", Role: "system"}
)

func (s *Service) recordAs(ctx context.Context, who audit.Who, from, act, why string, about map[string]string) error {
	_, err := s.o.Audit.Append(ctx, audit.Entry{Act: act, Who: who, From: from, About: about, Why: why})
	if err != nil {
		return fmt.Errorf("casework: the act %s is refused because it could not be recorded: %w", act, err)
	}
	return nil
}

func viewOf(err error) *ProblemView {
	if err == nil {
		return nil
	}
	p := problem.Of(err)
	return &ProblemView{Code: p.Code, Cause: p.Cause, Remedy: p.Remedy}
}

// A highWater keeps the latest time ever acted at, so that a clock stepped back
// cannot lengthen a deadline.
type highWater struct {
	mu sync.Mutex
	at time.Time
}

const highWaterSetting = "clock.high"

func (h *highWater) load(ctx context.Context, st *store.Store) error {
	b, err := st.Setting(ctx, highWaterSetting)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("casework: %w", err)
	}
	return h.at.UnmarshalText(b)
}

// deadlineNow is the time that deadlines are held against.
func (s *Service) deadlineNow() time.Time {
	s.high.mu.Lock()
	defer s.high.mu.Unlock()
	if now := s.o.Clock.Now().UTC(); now.After(s.high.at) {
		return now
	}
	return s.high.at
}

// keepHighWater stores the time reached.
func (s *Service) keepHighWater(ctx context.Context) error {
	now := s.deadlineNow()
	b, err := now.MarshalText()
	if err != nil {
		return fmt.Errorf("casework: %w", err)
	}
	if err := s.o.Store.SetSetting(ctx, highWaterSetting, b); err != nil {
		return fmt.Errorf("casework: %w", err)
	}
	s.high.mu.Lock()
	s.high.at = now
	s.high.mu.Unlock()
	return nil
}
