package casework

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/incident"
	"veilbox/internal/problem"
	"veilbox/redact"
	"veilbox/redact/mask"
	"veilbox/redact/subject"
)

// jobs is the queue of redactions: one runs at a time, because one uses all the
// cores that the recording can spare.
type jobs struct {
	mu    sync.Mutex
	wake  chan struct{}
	queue []incident.CaseID
	state map[incident.CaseID]Progress
	// seen is the latest preview of the copy at work, and how many there were.
	seen  []byte
	shown int
	// running is the case at work, and stop ends it.
	running incident.CaseID
	stop    context.CancelCauseFunc
}

func (j *jobs) init() {
	j.wake = make(chan struct{}, 1)
	j.state = map[incident.CaseID]Progress{}
}

func (j *jobs) add(id incident.CaseID) {
	j.mu.Lock()
	j.queue = append(j.queue, id)
	j.state[id] = Progress{Running: true, Stage: "queued"}
	j.mu.Unlock()
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

func (j *jobs) set(id incident.CaseID, p Progress) {
	j.mu.Lock()
	if p.Running && j.running == id {
		p.Preview = j.shown
	}
	j.state[id] = p
	j.mu.Unlock()
}

// preview keeps a picture of how the copy at work will be.
func (j *jobs) preview(id incident.CaseID, jpeg []byte) {
	if len(jpeg) > maxPreview {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.running == id {
		j.seen, j.shown = bytes.Clone(jpeg), j.shown+1
	}
}

const maxPreview = 1 << 20 // bytes

func (j *jobs) previewOf(id incident.CaseID) ([]byte, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.seen, j.running == id && j.seen != nil
}

func (j *jobs) progress(id incident.CaseID) (Progress, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	p, ok := j.state[id]
	return p, ok
}

// next takes the first of the queue and a context that cancel ends.
func (j *jobs) next(ctx context.Context) (incident.CaseID, context.Context, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.queue) == 0 {
		return "", nil, false
	}
	id := j.queue[0]
	j.queue = j.queue[1:]
	j.running, j.seen, j.shown = id, nil, 0
	ctx, j.stop = context.WithCancelCause(ctx)
	return id, ctx, true
}

func (j *jobs) done() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stop(nil)
	j.running, j.stop, j.seen = "", nil, nil
}

// forget drops what is said of a case's copy.
func (j *jobs) forget(id incident.CaseID) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.state, id)
}

var errCancelled = problem.New(409, "redact.cancelled",
	problem.Text{DA: "Sløringen blev afbrudt.", EN: "The veiling was cancelled."},
	problem.Text{DA: "Start den igen, når du er klar.", EN: "Start it again when you are ready."})

// cancel takes id out of the queue or stops its work.
func (j *jobs) cancel(id incident.CaseID) (queued, running bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for i, q := range j.queue {
		if q == id {
			j.queue = append(j.queue[:i], j.queue[i+1:]...)
			j.state[id] = Progress{Stage: "failed", Problem: viewOf(errCancelled)}
			return true, false
		}
	}
	if j.running == id && j.stop != nil {
		j.stop(errCancelled)
		return false, true
	}
	return false, false
}

// Redact sets who may be seen and what else is asked of the copy, and starts the
// making of it.
func (s *Service) Redact(ctx context.Context, a Actor, id incident.CaseID, ch SubjectChange) (CaseView, error) {
	if err := s.allow(a, account.Tag); err != nil {
		return CaseView{}, err
	}
	v, err := s.change(ctx, a, id, ch.Version, "case.redact", "", func(c *incident.Case) error {
		if err := changeable(c); err != nil {
			return err
		}
		if err := checkChoice(c, &ch); err != nil {
			return err
		}
		more := ch.widenings()
		if len(more) > 0 && !ch.ShowMore {
			return errMore
		}
		if err := s.widen(ctx, a, c, more); err != nil {
			return err
		}
		// The sound is the assessor's to choose, and anew for each copy.
		if err := s.silent(ctx, c); err != nil {
			return err
		}
		c.Subjects, c.Choice = ch.Subjects, ch.Choice
		c.Copy, c.Assessing = nil, false
		return s.move(c, a, incident.ActMark)
	})
	if err != nil {
		return v, err
	}
	s.keepKnown(id, v.Subjects)
	return s.begin(ctx, id, v), nil
}

// begin queues the making of a copy.
func (s *Service) begin(ctx context.Context, id incident.CaseID, v CaseView) CaseView {
	if err := s.dropCopy(context.WithoutCancel(ctx), id); err != nil {
		s.o.Log.Warn("the copy made before is still there; the new one takes its place", "case", id, "error", err)
	}
	s.jobs.add(id)
	p, _ := s.jobs.progress(id)
	v.Progress = &p
	return v
}

// CaseProgress returns how far the copy is.
func (s *Service) CaseProgress(ctx context.Context, a Actor, id incident.CaseID) (Progress, error) {
	if err := s.allow(a, account.ViewCases); err != nil {
		return Progress{}, err
	}
	c, err := s.load(ctx, id)
	if err != nil {
		return Progress{}, err
	}
	if p, ok := s.jobs.progress(id); ok {
		return p, nil
	}
	if c.Copy != nil {
		return Progress{Stage: "done"}, nil
	}
	return Progress{}, nil
}

// Preview returns how the copy that is being made looks so far: a veiled picture,
// not yet proven.
func (s *Service) Preview(ctx context.Context, a Actor, id incident.CaseID) ([]byte, error) {
	if err := s.allow(a, account.ViewFootage); err != nil {
		return nil, err
	}
	c, err := s.load(ctx, id)
	if err != nil {
		return nil, err
	}
	jpeg, ok := s.jobs.previewOf(id)
	if !ok {
		return nil, errNoPreview
	}
	if err := s.recordView(ctx, a, "preview.view", "", caseAbout(c)); err != nil {
		return nil, err
	}
	return jpeg, nil
}

var errNoPreview = problem.New(404, "preview.none",
	problem.Text{DA: "Der er ikke noget at se endnu.", EN: "There is nothing to see yet."},
	problem.Text{DA: "Vent et øjeblik; kopien bliver lavet.", EN: "Wait a moment; the copy is being made."})

// CancelRedaction stops the making of the copy; the case is a draft again.
func (s *Service) CancelRedaction(ctx context.Context, a Actor, id incident.CaseID) error {
	if err := s.allow(a, account.Tag); err != nil {
		return err
	}
	if err := s.record(ctx, a, "case.redact.cancel", "", map[string]string{"case": string(id)}); err != nil {
		return err
	}
	if queued, _ := s.jobs.cancel(id); queued {
		return s.settle(ctx, id, nil)
	}
	return nil
}

// resume queues again what a stop cut off, and learns which spans the cases have.
func (s *Service) resume(ctx context.Context) error {
	cases, err := s.o.Store.Cases(ctx)
	if err != nil {
		return fmt.Errorf("casework: %w", err)
	}
	for i := len(cases) - 1; i >= 0; i-- {
		s.spans.add(cases[i])
		if cases[i].State == incident.Tagged {
			s.jobs.add(cases[i].ID)
		}
	}
	return nil
}

func (s *Service) runJobs(ctx context.Context) {
	for {
		id, jctx, ok := s.jobs.next(ctx)
		if !ok {
			select {
			case <-ctx.Done():
				return
			case <-s.jobs.wake:
				continue
			}
		}
		err := s.redactOne(jctx, id)
		if cause := context.Cause(jctx); err != nil && errors.Is(cause, errCancelled) {
			err = errCancelled
		}
		s.jobs.done()
		if ctx.Err() != nil {
			return // the case stays "tagged" and is taken up at the next start
		}
		if err != nil {
			s.o.Log.Warn("der blev ikke lavet en kopi", "case", id, "error", err)
			s.jobs.set(id, Progress{Stage: "failed", Problem: viewOf(err)})
			if err := s.settle(ctx, id, nil); err != nil {
				s.o.Log.Error("the case could not be set back to draft", "case", id, "error", err)
			}
		}
	}
}

func (s *Service) redactOne(ctx context.Context, id incident.CaseID) error {
	c, err := s.load(ctx, id)
	if err != nil {
		return err
	}
	if c.State != incident.Tagged {
		return nil
	}
	movie, err := s.openClip(ctx, c)
	if err != nil {
		return err
	}
	job := redact.Job{Clip: c.Clip.Hash, Subjects: c.Subjects, Choice: c.Choice, Preview: func(jpeg []byte) { s.jobs.preview(id, jpeg) }}
	if job.Veiled, err = s.veiledOf(ctx, c); err != nil {
		return err
	}
	if c.Choice.Mode == subject.BlurEverything {
		job.Subjects = nil
	} else {
		job.Known = s.takeKnown(id, job.Subjects, job.Veiled)
	}
	var notices []string
	if job.Scene, notices, err = s.scene(ctx, c, movie.Format()); err != nil {
		return err
	}
	files := s.copyFiles(id)
	produce := func() (redact.Copy, error) {
		return s.o.Redactor.Produce(ctx, job, movie, files, func(p redact.Progress) {
			s.jobs.set(id, Progress{Running: true, Stage: p.Stage, Done: p.Done, Total: p.Total})
		})
	}
	cp, err := produce()
	if err != nil && job.Known != nil && ctx.Err() == nil && problem.Of(err).Status == badSubject {
		s.o.Log.Warn("what was followed on the page does not fit the clip; the people are followed anew", "case", id, "error", err)
		if _, err := movie.Seek(0, io.SeekStart); err != nil {
			return fmt.Errorf("casework: %w", err)
		}
		job.Known = nil
		cp, err = produce()
	}
	if err != nil {
		return err
	}
	shown, err := cp.Mask()
	if err != nil {
		return fmt.Errorf("casework: %w", err)
	}
	for _, n := range cp.Notices() {
		notices = append(notices, string(n))
	}
	if err := s.saveRecord(ctx, id, cp); err != nil {
		return err
	}
	if err := s.settle(ctx, id, &finished{copy: cp, mask: shown, at: s.o.Clock.Now().UTC(), notices: notices}); err != nil {
		return err
	}
	s.jobs.set(id, Progress{Stage: "done"})
	return nil
}

// badSubject is the status of a mask or marking that does not fit a clip.
const badSubject = http.StatusUnprocessableEntity

// A finished is a copy that has just been made.
type finished struct {
	copy    redact.Copy
	mask    *mask.Mask
	at      time.Time
	notices []string
}

// settle ends the state "tagged": with a copy the case is redacted, without
// one it is a draft. Where the assessor had the copy made anew, the case is with
// the assessor again.
func (s *Service) settle(ctx context.Context, id incident.CaseID, m *finished) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.load(ctx, id)
	if err != nil {
		return err
	}
	if c.State != incident.Tagged {
		return nil
	}
	act, move, why := "case.redact.none", incident.ActCancel, "der blev ikke lavet en kopi"
	c.Copy = nil
	if m != nil {
		act, move, why = "case.redact.done", incident.ActMade, "kopien er lavet, og beviset holder"
		if c.Assessing {
			move = incident.ActReturn
		}
		c.Copy, c.Veiled = copyOf(c, *m, m.notices), slices.Clone(m.mask.Veiled)
	}
	if err := c.Move(move, incident.ByWorker); err != nil {
		return err
	}
	c.Assessing = false
	if err := s.recordAs(ctx, workerWho, "", act, why, copyAbout(c)); err != nil {
		return err
	}
	if m == nil {
		if err := s.dropCopy(ctx, id); err != nil {
			return err
		}
	}
	_, err = s.save(ctx, c)
	return err
}

// copyAbout is caseAbout with what the copy shows.
func copyAbout(c incident.Case) map[string]string {
	about := caseAbout(c)
	if cp := c.Copy; cp != nil {
		about["media"], about["mode"], about["subjects"] = cp.Media, cp.Mode.String(), fmt.Sprint(cp.Subjects)
		about["flagged"], about["sound"] = fmt.Sprint(cp.Flagged.Spans), fmt.Sprint(cp.Sound != nil)
	}
	return about
}
