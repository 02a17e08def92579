package casework

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/audit"
	"veilbox/appliance/statement"
	"veilbox/appliance/store"
	"veilbox/capture/clip"
	"veilbox/capture/footage"
	"veilbox/capture/ring"
	"veilbox/internal/problem"
)

const (
	exportsAtOnce = 2
	exportsOpen   = 64
	// exportsKept is how long it is remembered what was taken out; the video
	// itself comes from the ring and goes with it.
	exportsKept = 2 * 365 * 24 * time.Hour
	keepFor     = 90 * 24 * time.Hour  // until somebody looks again, unless told
	keepMost    = 366 * 24 * time.Hour //
	exportHold  = "export-"            // of a hold's identifier
)

// exports are the originals whose hash is being computed, and those that could
// not be; the ready ones are in the store.
type exports struct {
	mu sync.Mutex
	m  map[string]*exporting
}

type exporting struct {
	view ExportView
	err  error
	done chan struct{}
}

// An exportRecord is what the store keeps of an export.
type exportRecord struct {
	View ExportView   `json:"view"`
	Span footage.Span `json:"span"` // what the movie is opened with
}

var (
	errNoExport = problem.New(404, "export.missing",
		problem.Text{DA: "Udleveringen findes ikke på denne boks.", EN: "This export is not on this box."},
		problem.Text{DA: "Vælg tidsrummet på kameraets side, og lav den igen.", EN: "Choose the span on the camera's page and make it again."})
	errExportNotReady = problem.New(409, "export.wait",
		problem.Text{DA: "Udleveringen er ikke klar endnu.", EN: "The export is not ready yet."},
		problem.Text{DA: "Vent, til boksen har regnet videoens kontroltal ud.", EN: "Wait until the box has computed the video's hash."})
	errExportChanged = problem.New(410, "export.changed",
		problem.Text{DA: "Noget af optagelsen er slettet, siden erklæringen blev lavet.", EN: "Some of the footage was deleted since the statement was made."},
		problem.Text{DA: "Lav en ny udlevering af det, der er tilbage, eller brug den kopi, politiet har fået.", EN: "Make a new export of what is left, or use the copy that the police have."})
	errExportsBusy = problem.New(503, "export.busy",
		problem.Text{DA: "Boksen er ved at lave flere udleveringer.", EN: "The box is making several exports."},
		problem.Text{DA: "Vent et øjeblik, og prøv igen.", EN: "Wait a moment and try again."})
)

// NewExport begins to take out the original of a span. It is on record before
// anything is read. With wait it returns once the statement is signed, else at
// once, and Export tells how far it is.
func (s *Service) NewExport(ctx context.Context, a Actor, cam footage.CameraID, n NewExport, wait bool) (ExportView, error) {
	if err := s.allow(a, account.ExportFootage); err != nil {
		return ExportView{}, err
	}
	now := s.o.Clock.Now().UTC()
	purpose := strings.TrimSpace(n.Purpose)
	if purpose == "" {
		return ExportView{}, badInput("export.purpose", "Skriv, hvad optagelsen skal bruges til, fx politiets sagsnummer.", "Write what the footage is for, such as the police case number.")
	}
	if err := checkWords("purpose", purpose, statement.MaxText); err != nil {
		return ExportView{}, err
	}
	if n.To.After(now) {
		return ExportView{}, badInput("export.span", "Tidsrummet er ikke slut endnu.", "The span is not over yet.")
	}
	review := now.Add(keepFor)
	if n.Review != nil {
		review = n.Review.UTC()
	}
	if n.Keep && (!review.After(now) || review.Sub(now) > keepMost) {
		return ExportView{}, badInput("export.review", "Vælg en dato inden for et år.", "Choose a date within a year.")
	}
	asked := footage.SpanOf(n.From, n.To)
	m, err := clip.OpenWith(ctx, s.o.Ring, cam, asked, originals)
	if err != nil {
		return ExportView{}, err
	}
	// What is stored later must not change the movie: it ends where it ends now.
	x := exportRecord{Span: footage.Span{From: asked.From, To: m.Span().To}, View: ExportView{
		ID: rand.Text(), Camera: cam, From: m.Span().From.Time(), To: m.Span().To.Time(), Made: now, By: a.Session.Person.Name,
		Purpose: purpose, State: "hashing", Size: m.Size(), Gaps: []TimeSpan{}, Kept: n.Keep, VerifierKey: s.o.Audit.VerifierKey()}}
	job := &exporting{view: x.View, done: make(chan struct{})}
	if err := s.exports.add(job); err != nil {
		return ExportView{}, err
	}
	seq, err := s.beginExport(ctx, a, x, review)
	if err != nil {
		s.exports.drop(x.View.ID)
		return ExportView{}, err
	}
	go s.finishExport(context.WithoutCancel(ctx), job, x, asked, seq)
	if !wait {
		return x.View, nil
	}
	select {
	case <-ctx.Done():
		return ExportView{}, context.Cause(ctx)
	case <-job.done:
		return s.exports.result(job)
	}
}

// beginExport puts the export on record and holds its span where it is to be
// kept; it returns the number of the entry.
func (s *Service) beginExport(ctx context.Context, a Actor, x exportRecord, review time.Time) (int64, error) {
	seq, err := s.append(ctx, a, "footage.export", x.View.Purpose, exportAbout(x.View))
	if err != nil || !x.View.Kept {
		return seq, err
	}
	err = s.o.Ring.Hold(ctx, ring.Hold{ID: exportHold + x.View.ID, Camera: x.View.Camera, Span: x.Span,
		Reason: "export " + x.View.ID, Person: string(a.Session.Person.ID), Review: review})
	if err != nil {
		return seq, fmt.Errorf("casework: hold the footage: %w", err)
	}
	return seq, nil
}

func exportAbout(v ExportView) map[string]string {
	m := map[string]string{"export": v.ID, "camera": string(v.Camera), "from": v.From.Format(time.RFC3339Nano), "to": v.To.Format(time.RFC3339Nano)}
	if v.Kept {
		m["kept"] = "yes"
	}
	return m
}

func (e *exports) add(job *exporting) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	running := 0
	for id, x := range e.m {
		if x.view.State == "hashing" {
			running++
		} else if len(e.m) >= exportsOpen {
			delete(e.m, id)
		}
	}
	if running >= exportsAtOnce {
		return errExportsBusy
	}
	e.m[job.view.ID] = job
	return nil
}

func (e *exports) drop(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.m, id)
}

func (e *exports) result(job *exporting) (ExportView, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return job.view, job.err
}

func (s *Service) finishExport(ctx context.Context, job *exporting, x exportRecord, asked footage.Span, seq int64) {
	err := s.export(ctx, job, &x, asked, seq)
	if err != nil && x.View.Kept { // nobody has got what it was kept for
		err = errors.Join(err, s.o.Ring.Release(ctx, exportHold+x.View.ID, "clock"))
	}
	s.exports.mu.Lock()
	defer s.exports.mu.Unlock()
	defer close(job.done)
	if err != nil {
		s.o.Log.Error("an export failed", "camera", x.View.Camera, "error", err)
		job.err, job.view.State, job.view.Problem = err, "failed", viewOf(err)
		return
	}
	job.view = x.View
	delete(s.exports.m, x.View.ID) // the store has it
}

// export reads the movie once, signs what it found and keeps it.
func (s *Service) export(ctx context.Context, job *exporting, x *exportRecord, asked footage.Span, seq int64) error {
	m, err := clip.OpenWith(ctx, s.o.Ring, x.View.Camera, x.Span, originals)
	if err != nil {
		return err
	}
	h := sha256.New()
	counted := io.TeeReader(m, countWriter(func(n int) {
		s.exports.mu.Lock()
		job.view.Done += int64(n)
		s.exports.mu.Unlock()
	}))
	if _, err := io.CopyBuffer(h, counted, make([]byte, 1<<20)); err != nil {
		return fmt.Errorf("casework: read the original: %w", err)
	}
	var sum footage.ClipHash
	h.Sum(sum.Hash[:0])
	v, is := &x.View, m.About()
	v.Frames, v.Done, v.Size, v.SHA256, v.State = int64(is.Frames), m.Size(), m.Size(), sum.String(), "ready"
	st := statement.Statement{Box: s.o.Signer.Name(), Camera: v.Camera, Asked: statement.SpanOf(asked), Contained: statement.SpanOf(m.Span()),
		Codec: m.Format().Codec.String(), Width: m.Format().Width, Height: m.Format().Height, Frames: int64(is.Frames),
		Size: v.Size, SHA256: sum, Purpose: v.Purpose, Person: v.By, Made: v.Made, AuditEntry: seq}
	if is.Audio.Units > 0 {
		st.Audio = is.Audio.Format.Codec.String()
	}
	for _, gap := range is.Gaps {
		if len(st.Gaps) == statement.MaxGaps {
			st.MoreGaps++
			continue
		}
		st.Gaps, v.Gaps = append(st.Gaps, statement.SpanOf(gap)), append(v.Gaps, spanView(gap))
	}
	if c, err := s.o.Store.Camera(ctx, v.Camera); err == nil {
		st.CameraName = c.Name
	} else if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if c, doubted, err := s.doubt(ctx); err != nil {
		return fmt.Errorf("casework: %w", err)
	} else if doubted {
		st.ClockNote = c.Text.DA
	}
	text, err := statement.Sign(st, s.o.Signer)
	if err != nil {
		return err
	}
	v.Statement = string(text)
	b, err := json.Marshal(x)
	if err != nil {
		return fmt.Errorf("casework: %w", err)
	}
	return s.o.Store.PutExport(ctx, v.ID, v.Made, b)
}

type countWriter func(int)

func (f countWriter) Write(p []byte) (int, error) { f(len(p)); return len(p), nil }

// append is record, and returns the entry's number.
func (s *Service) append(ctx context.Context, a Actor, act, why string, about map[string]string) (int64, error) {
	seq, err := s.o.Audit.Append(ctx, audit.Entry{Act: act, Who: who(a), From: a.From, About: about, Why: why})
	if err != nil {
		return 0, fmt.Errorf("casework: the act %s is refused because it could not be recorded: %w", act, err)
	}
	return seq, nil
}

// Export says how far an export is, or what was signed about it.
func (s *Service) Export(ctx context.Context, a Actor, id string) (ExportView, error) {
	if err := s.allow(a, account.ExportFootage); err != nil {
		return ExportView{}, err
	}
	s.exports.mu.Lock()
	job, running := s.exports.m[id]
	var v ExportView
	if running {
		v = job.view
	}
	s.exports.mu.Unlock()
	if running {
		return v, nil
	}
	x, err := s.exported(ctx, id)
	return x.View, err
}

func (s *Service) exported(ctx context.Context, id string) (exportRecord, error) {
	var x exportRecord
	if checkWords("id", id, 64) != nil {
		return x, errNoExport
	}
	b, err := s.o.Store.Export(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return x, errNoExport.With(err)
	}
	if err != nil {
		return x, err
	}
	if err := json.Unmarshal(b, &x); err != nil {
		return x, fmt.Errorf("casework: the record of the export: %w", err)
	}
	return x, nil
}

// ready returns an export that can be fetched.
func (s *Service) ready(ctx context.Context, id string) (exportRecord, error) {
	s.exports.mu.Lock()
	_, running := s.exports.m[id]
	s.exports.mu.Unlock()
	if running {
		return exportRecord{}, errExportNotReady
	}
	return s.exported(ctx, id)
}

// ExportClip opens the original of an export. Its bytes are those that were
// signed for; where the ring no longer has them all it is refused.
func (s *Service) ExportClip(ctx context.Context, a Actor, id string) (Media, ExportView, error) {
	if err := s.allow(a, account.ExportFootage); err != nil {
		return nil, ExportView{}, err
	}
	x, err := s.ready(ctx, id)
	if err != nil {
		return nil, ExportView{}, err
	}
	if err := s.recordView(ctx, a, "export.fetch", x.View.Purpose, exportAbout(x.View)); err != nil {
		return nil, ExportView{}, err
	}
	m, err := clip.OpenWith(ctx, s.o.Ring, x.View.Camera, x.Span, originals)
	if errors.Is(err, clip.ErrNone) || err == nil && m.Size() != x.View.Size {
		return nil, ExportView{}, errExportChanged.With(err)
	}
	if err != nil {
		return nil, ExportView{}, err
	}
	return nopCloser{m}, x.View, nil
}

// ExportStatement returns the signed statement of an export.
func (s *Service) ExportStatement(ctx context.Context, a Actor, id string) ([]byte, error) {
	if err := s.allow(a, account.ExportFootage); err != nil {
		return nil, err
	}
	x, err := s.ready(ctx, id)
	if err != nil {
		return nil, err
	}
	return []byte(x.View.Statement), nil
}

// forgetExports forgets what was taken out long ago.
func (s *Service) forgetExports(ctx context.Context) error {
	_, err := s.o.Store.DeleteExportsBefore(ctx, s.o.Clock.Now().Add(-exportsKept))
	return err
}
