package casework

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"veilbox/appliance/account"
	"veilbox/appliance/incident"
	"veilbox/capture/clip"
	"veilbox/internal/problem"
	"veilbox/redact"
	"veilbox/redact/subject"
)

// jobs is the queue of redactions: one runs at a time, because one uses all the
// cores that the recording can spare.
type jobs struct {
	mu    sync.Mutex
	wake  chan struct{}
	queue []incident.CaseID
	state map[incident.CaseID]Progress
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
	j.state[id] = p
	j.mu.Unlock()
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
	j.running = id
	ctx, j.stop = context.WithCancelCause(ctx)
	return id, ctx, true
}

func (j *jobs) done() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stop(nil)
	j.running, j.stop = "", nil
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

// Redact sets where the subject is and starts the making of the copy.
func (s *Service) Redact(ctx context.Context, a Actor, id incident.CaseID, ch SubjectChange) (CaseView, error) {
	if err := s.allow(a, account.Tag); err != nil {
		return CaseView{}, err
	}
	if err := ch.Subject.Check(); err != nil {
		return CaseView{}, problem.New(400, "subject.bad",
			problem.Text{DA: "Markeringen af personen kan ikke bruges.", EN: "The marking of the person cannot be used."},
			problem.Text{DA: "Tegn en boks om personen i mindst ét billede.", EN: "Draw a box around the person in at least one picture."}).With(err)
	}
	v, err := s.change(ctx, a, id, ch.Version, "case.redact", "", func(c *incident.Case) error {
		if err := changeable(c); err != nil {
			return err
		}
		c.Subject, c.Copy, c.State = ch.Subject, nil, incident.Redacting
		return nil
	})
	if err != nil {
		return v, err
	}
	if err := s.dropCopy(context.WithoutCancel(ctx), id); err != nil {
		s.o.Log.Warn("the copy made before is still there; the new one takes its place", "case", id, "error", err)
	}
	s.jobs.add(id)
	p, _ := s.jobs.progress(id)
	v.Progress = &p
	return v, nil
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
		if cases[i].State == incident.Redacting {
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
			return // the case stays "redacting" and is taken up at the next start
		}
		if err != nil {
			s.o.Log.Warn("no copy was made", "case", id, "error", err)
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
	if c.State != incident.Redacting {
		return nil
	}
	movie, err := clip.Open(ctx, s.o.Ring, c.Clip.Camera, c.Clip.Span)
	if err != nil {
		return err
	}
	files := s.copyFiles(id)
	cp, err := s.o.Redactor.Produce(ctx, redact.Job{Clip: c.Clip.Hash, Subjects: []subject.Subject{c.Subject}}, movie, files, func(p redact.Progress) {
		s.jobs.set(id, Progress{Running: true, Stage: p.Stage, Done: p.Done, Total: p.Total})
	})
	if err != nil {
		return err
	}
	if err := s.saveRecord(ctx, id, cp); err != nil {
		return err
	}
	if err := s.settle(ctx, id, &cp); err != nil {
		return err
	}
	s.jobs.set(id, Progress{Stage: "done"})
	return nil
}

// settle ends the state "redacting": with a copy the case is redacted, without
// one it is a draft.
func (s *Service) settle(ctx context.Context, id incident.CaseID, cp *redact.Copy) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.load(ctx, id)
	if err != nil {
		return err
	}
	if c.State != incident.Redacting {
		return nil
	}
	act := "case.redact.none"
	c.State, c.Copy = incident.Draft, nil
	if cp != nil {
		act = "case.redact.done"
		c.State = incident.Redacted
		c.Copy = &incident.Copy{Hash: cp.Hash(), Clip: cp.Clip(), Proof: cp.ProofHash(), Sheet: cp.SheetHash(), Passed: true, Made: s.o.Clock.Now().UTC()}
	}
	if err := s.recordAs(ctx, clockWho, "", act, "", caseAbout(c)); err != nil {
		return err
	}
	if cp == nil {
		if err := s.dropCopy(ctx, id); err != nil {
			return err
		}
	}
	_, err = s.save(ctx, c)
	return err
}
