package casework

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/incident"
	"veilbox/internal/problem"
	"veilbox/redact"
	"veilbox/redact/mask"
	"veilbox/redact/subject"
)

// A Session follows people through one clip that it keeps in memory;
// *redact.Session is one.
type Session interface {
	Track(ctx context.Context, subjects []subject.Subject, veiled []subject.Rect, progress func(redact.Progress)) (redact.Tracks, error)
	People(ctx context.Context, at float64) ([]redact.Person, error)
	Read() <-chan struct{} // closed when the clip was read
	Done() <-chan struct{} // closed when it has ended
	Err() error            // why it ended
	Detects() bool
	Close()
}

const (
	markingsMost = 2               // open at once: each holds a clip in memory
	markingIdle  = 5 * time.Minute // after which one is closed
	markingSteal = time.Minute     // after which one makes room for another
)

// markings are the cases that are being marked, with what was followed.
type markings struct {
	mu sync.Mutex
	m  map[incident.CaseID]*marking
	// known are the masks of what was followed, for the copies to come.
	known map[incident.CaseID]known
}

type marking struct {
	s     Session
	stop  context.CancelFunc
	used  time.Time
	read  *progressReader // of the clip
	ready bool
	err   error

	subjects []subject.Subject
	veiled   []subject.Rect
	tracks   *redact.Tracks
	mask     *mask.Mask
	run      int // rises with each asking
	running  bool
	progress redact.Progress
	cancel   context.CancelFunc // of the running asking
}

type known struct {
	subjects []subject.Subject
	veiled   []subject.Rect
	mask     []byte
}

// A progressReader says how much of a clip was read.
type progressReader struct {
	r    io.Reader
	mu   sync.Mutex
	n    int64
	size int64
}

func (c *progressReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.mu.Lock()
	c.n += int64(n)
	c.mu.Unlock()
	return n, err
}

func (c *progressReader) done() (done, size int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n, c.size
}

var (
	errMarkingOff = problem.New(503, "marking.off",
		problem.Text{DA: "Boksen kan ikke følge personer på siden.", EN: "The box cannot follow people on the page."},
		problem.Text{DA: "Lav kopien; personen følges, mens den laves.", EN: "Make the copy; the person is followed while it is made."})
	errMarkingBusy = problem.New(503, "marking.busy",
		problem.Text{DA: "To andre er ved at markere personer lige nu, og boksen kan ikke nå flere ad gangen.", EN: "Two others are marking people right now, and the box cannot do more at a time."},
		problem.Text{DA: "Vent et par minutter, og prøv igen. Dine bokse står stadig på siden.", EN: "Wait some minutes and try again. Your boxes are still on the page."})
	errMarkingClosed = problem.New(409, "marking.closed",
		problem.Text{DA: "Markeringen er lukket, fordi den ikke blev brugt i et stykke tid.", EN: "The marking was closed because it was not used for a while."},
		problem.Text{DA: "Vælg »Følg personen« igen. Dine bokse står stadig på siden.", EN: "Choose “Follow the person” again. Your boxes are still on the page."})
)

// mayMark loads a case that a may mark people in.
func (s *Service) mayMark(ctx context.Context, a Actor, id incident.CaseID) (incident.Case, error) {
	if err := errors.Join(s.allow(a, account.Tag), s.allow(a, account.ViewFootage)); err != nil {
		return incident.Case{}, err
	}
	c, err := s.load(ctx, id)
	if err != nil {
		return c, err
	}
	return c, changeable(&c)
}

// OpenMarking begins to follow people in a case's clip, or goes on.
func (s *Service) OpenMarking(ctx context.Context, a Actor, id incident.CaseID) (MarkingView, error) {
	c, err := s.mayMark(ctx, a, id)
	if err != nil {
		return MarkingView{}, err
	}
	if s.o.Mark == nil {
		return MarkingView{}, errMarkingOff
	}
	if v, ok := s.markings.look(id, s.o.Clock.Now()); ok {
		return v, nil
	}
	if err := s.recordView(ctx, a, "case.mark", "", caseAbout(c)); err != nil {
		return MarkingView{}, err
	}
	s.markings.mu.Lock()
	defer s.markings.mu.Unlock()
	if m := s.markings.m[id]; m != nil { // somebody was quicker
		return m.view(), nil
	}
	if err := s.markings.room(s.o.Clock.Now()); err != nil {
		return MarkingView{}, err
	}
	// It outlives the request that opens it.
	sctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	m, err := s.startMarking(sctx, c)
	if err != nil {
		stop()
		return MarkingView{}, err
	}
	m.stop = stop
	s.markings.m[id] = m
	go s.watchMarking(id, m)
	return m.view(), nil
}

func (s *Service) startMarking(ctx context.Context, c incident.Case) (*marking, error) {
	c.Clip.Audio = false
	movie, err := s.openClip(ctx, c)
	if err != nil {
		return nil, err
	}
	m := &marking{used: s.o.Clock.Now(), read: &progressReader{r: movie, size: movie.Size()}}
	m.s, err = s.o.Mark(ctx, redact.SessionJob{Detect: s.o.Detect}, m.read)
	return m, err
}

// watchMarking tells when the clip is read, and forgets a session that has ended.
func (s *Service) watchMarking(id incident.CaseID, m *marking) {
	select {
	case <-m.s.Read():
		s.markings.mu.Lock()
		m.ready = true
		s.markings.mu.Unlock()
	case <-m.s.Done():
	}
	<-m.s.Done()
	m.s.Close()
	m.stop()
	s.markings.mu.Lock()
	defer s.markings.mu.Unlock()
	m.err = m.s.Err()
	if s.markings.m[id] == m && errors.Is(m.err, redact.ErrClosed) {
		delete(s.markings.m, id)
	}
}

// room closes what has failed or has long been idle where no other can be
// opened. The caller holds mu.
func (ms *markings) room(now time.Time) error {
	var oldest incident.CaseID
	for id, m := range ms.m {
		if m.err != nil {
			delete(ms.m, id)
		} else if !m.running && now.Sub(m.used) >= markingSteal && (oldest == "" || m.used.Before(ms.m[oldest].used)) {
			oldest = id
		}
	}
	if len(ms.m) < markingsMost {
		return nil
	}
	if oldest == "" {
		return errMarkingBusy
	}
	ms.close(oldest)
	return nil
}

// close ends one. The caller holds mu.
func (ms *markings) close(id incident.CaseID) {
	m := ms.m[id]
	if m == nil {
		return
	}
	delete(ms.m, id)
	if m.cancel != nil {
		m.cancel()
	}
	m.stop()
}

// clear closes what has been idle; all of it where the box stops.
func (ms *markings) clear(now time.Time, all bool) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	for id, m := range ms.m {
		if all || !m.running && now.Sub(m.used) >= markingIdle {
			ms.close(id)
		}
	}
}

func (ms *markings) look(id incident.CaseID, now time.Time) (MarkingView, bool) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	m := ms.m[id]
	if m == nil {
		return MarkingView{State: markingClosed}, false
	}
	m.used = now
	v := m.view()
	if m.err != nil { // told once, then it is opened anew
		delete(ms.m, id)
	}
	return v, true
}

// view is what a person sees of m. The caller holds mu.
func (m *marking) view() MarkingView {
	v := MarkingView{State: markingReady, Detects: m.s.Detects(), Run: m.run}
	switch {
	case m.err != nil:
		v.State, v.Problem = markingFailed, viewOf(m.err)
		return v
	case !m.ready:
		done, size := m.read.done()
		v.State, v.Progress = markingOpening, &Progress{Running: true, Stage: "receive", Done: int(done >> 10), Total: int(size >> 10)}
	case m.running:
		v.State, v.Progress = markingTracking, &Progress{Running: true, Stage: m.progress.Stage, Done: m.progress.Done, Total: m.progress.Total}
	}
	if m.tracks != nil && !m.running {
		v.Tracks = &TracksView{Subjects: m.tracks.Subjects, Length: m.tracks.Length, Frames: m.tracks.Frames, Walked: m.tracks.Walked, Took: m.tracks.Took.Seconds()}
	}
	return v
}

// Marking says how far the following of people is.
func (s *Service) Marking(ctx context.Context, a Actor, id incident.CaseID) (MarkingView, error) {
	if _, err := s.mayMark(ctx, a, id); err != nil {
		return MarkingView{}, err
	}
	v, _ := s.markings.look(id, s.o.Clock.Now())
	return v, nil
}

// CloseMarking ends the following of people in a case.
func (s *Service) CloseMarking(ctx context.Context, a Actor, id incident.CaseID) error {
	if err := s.allow(a, account.Tag); err != nil {
		return err
	}
	s.markings.mu.Lock()
	defer s.markings.mu.Unlock()
	s.markings.close(id)
	return nil
}

// Follow tracks subjects through the clip; Marking says how far it is. What was
// asked before and is not done is given up.
func (s *Service) Follow(ctx context.Context, a Actor, id incident.CaseID, all []subject.Subject) (MarkingView, error) {
	c, err := s.mayMark(ctx, a, id)
	if err != nil {
		return MarkingView{}, err
	}
	if err := subject.CheckAll(all); err != nil {
		return MarkingView{}, errSubjects.With(err)
	}
	veiled, err := s.veiledOf(ctx, c)
	if err != nil {
		return MarkingView{}, err
	}
	s.markings.mu.Lock()
	defer s.markings.mu.Unlock()
	m := s.markings.m[id]
	if m == nil {
		return MarkingView{}, errMarkingClosed
	}
	if m.err != nil {
		return m.view(), nil
	}
	if m.cancel != nil {
		m.cancel()
	}
	fctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	m.run++
	m.used, m.running, m.cancel, m.progress = s.o.Clock.Now(), true, cancel, redact.Progress{Stage: "track"}
	go s.follow(fctx, m, m.run, all, veiled)
	return m.view(), nil
}

func (s *Service) follow(ctx context.Context, m *marking, run int, all []subject.Subject, veiled []subject.Rect) {
	tracks, err := m.s.Track(ctx, all, veiled, func(p redact.Progress) {
		s.markings.mu.Lock()
		defer s.markings.mu.Unlock()
		if m.run == run {
			m.progress = p
		}
	})
	var shown *mask.Mask
	if err == nil {
		shown, err = mask.Decode(tracks.Mask)
	}
	s.markings.mu.Lock()
	defer s.markings.mu.Unlock()
	if m.run != run {
		return // another asking took its place
	}
	m.cancel()
	m.running, m.cancel, m.used = false, nil, s.o.Clock.Now()
	if err != nil {
		s.o.Log.Warn("people could not be followed", "error", err)
		m.tracks, m.mask, m.err = nil, nil, err
		return
	}
	m.tracks, m.mask, m.subjects, m.veiled = &tracks, shown, all, veiled
}

// PeopleAt returns who a detector finds at a time of the clip, in seconds.
func (s *Service) PeopleAt(ctx context.Context, a Actor, id incident.CaseID, at float64) ([]redact.Person, error) {
	if _, err := s.mayMark(ctx, a, id); err != nil {
		return nil, err
	}
	s.markings.mu.Lock()
	m := s.markings.m[id]
	if m != nil {
		m.used = s.o.Clock.Now()
	}
	s.markings.mu.Unlock()
	if m == nil {
		return nil, errMarkingClosed
	}
	all, err := m.s.People(ctx, at)
	if errors.Is(err, redact.ErrClosed) {
		return nil, errMarkingClosed.With(err)
	}
	return all, err
}

// shapesMost is the longest stretch whose shapes are told at once, in seconds.
const shapesMost = 20

// Shapes returns what is shown of each subject between two times, in seconds,
// as the last Follow found it.
func (s *Service) Shapes(ctx context.Context, a Actor, id incident.CaseID, from, to float64) (ShapesView, error) {
	if _, err := s.mayMark(ctx, a, id); err != nil {
		return ShapesView{}, err
	}
	if !(from >= 0 && to > from && to-from <= shapesMost) {
		return ShapesView{}, badInput("shapes.span", "Vælg et kortere stykke af klippet.", "Choose a shorter part of the clip.")
	}
	s.markings.mu.Lock()
	defer s.markings.mu.Unlock()
	m := s.markings.m[id]
	if m == nil || m.mask == nil {
		return ShapesView{}, errMarkingClosed
	}
	m.used = s.o.Clock.Now()
	return shapesOf(m.mask, m.run, from, to), nil
}

// keepKnown takes what was followed of a case for its copy, where it is of the
// same people, and closes the session.
func (s *Service) keepKnown(id incident.CaseID, all []subject.Subject) {
	ms := &s.markings
	ms.mu.Lock()
	defer ms.mu.Unlock()
	delete(ms.known, id)
	if m := ms.m[id]; m != nil && m.tracks != nil && !m.running && equalSubjects(m.subjects, all) {
		ms.known[id] = known{m.subjects, m.veiled, m.tracks.Mask}
	}
	ms.close(id)
}

// forget drops all that was followed of a case.
func (ms *markings) forget(id incident.CaseID) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	delete(ms.known, id)
	ms.close(id)
}

// takeKnown returns the mask that was kept for a copy, once.
func (s *Service) takeKnown(id incident.CaseID, all []subject.Subject, veiled []subject.Rect) []byte {
	ms := &s.markings
	ms.mu.Lock()
	defer ms.mu.Unlock()
	k, ok := ms.known[id]
	delete(ms.known, id)
	if !ok || !equalSubjects(k.subjects, all) || !equalRects(k.veiled, veiled) {
		return nil
	}
	return k.mask
}
