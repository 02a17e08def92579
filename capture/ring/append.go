package ring

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"veilbox/capture/footage"
)

// camera is the writing end of one camera's parts.
type camera struct {
	id   int64
	name footage.CameraID
	// tail is what the index leaves out: where its last run ends by now. It may
	// be read without mu.
	tail atomic.Pointer[tail]

	mu     sync.Mutex
	closed bool
	ready  bool // have is as the index has it
	have   state
	next   state         // have, and the parts of the batch that is being written
	retry  footage.Ticks // start of the part that failed and would have continued the last, or 0
	seg    *segment
}

// state is where a camera's parts have got to.
type state struct {
	end    footage.Ticks
	run    footage.Ticks // start of the run that end belongs to, 0 for none
	chain  bool          // the last Append succeeded since Open
	format footage.Format
}

type tail struct{ run, end footage.Ticks }

// row is a part that is written and not yet in the index.
type row struct {
	c    *camera
	s    *segment
	p    *footage.Part
	t    table
	pl   place
	size int64 // of the record
	run  footage.Ticks
	last state // before this part
}

const hour = 3600 * footage.TicksPerSecond

// A batch is what is synced and committed at once.
const (
	maxBatch      = 64
	maxBatchBytes = 16 << 20
)

// syncEvery bounds what Open has to read of the segments after a power cut.
const syncEvery = 10 * time.Second

// Append writes p and makes it last. p is not kept.
func (r *Ring) Append(ctx context.Context, p *footage.Part) error {
	_, err := r.AppendAll(ctx, []*footage.Part{p})
	return err
}

// AppendAll writes parts, of one camera or several and of each in order, and
// makes them last with one sync for each camera. The first stored of them are in
// the ring then, the others are not; err says why the next is not. The parts
// are not kept.
func (r *Ring) AppendAll(ctx context.Context, parts []*footage.Part) (stored int, err error) {
	n := len(parts)
	var refused error
	for i, p := range parts {
		if err := checkPart(p); err != nil {
			n, refused = i, fmt.Errorf("ring: %w: %w", ErrPart, err)
			break
		}
	}
	for stored < n {
		if err := context.Cause(ctx); err != nil {
			return stored, fmt.Errorf("ring: %w", err)
		}
		end, bytes := stored, 0
		for end < n && end-stored < maxBatch && (end == stored || bytes+len(parts[end].Data)+len(parts[end].Audio.Data) <= int(min(maxBatchBytes, r.segSize))) {
			bytes += len(parts[end].Data) + len(parts[end].Audio.Data)
			end++
		}
		// Once begun it is seen through: half an append is only a repair later.
		k, err := r.appendBatch(context.WithoutCancel(ctx), parts[stored:end])
		stored += k
		if err != nil {
			return stored, err
		}
	}
	return stored, refused
}

func (r *Ring) appendBatch(ctx context.Context, parts []*footage.Part) (int, error) {
	var need int64
	for _, p := range parts {
		// A little more than it will be, for the table is not made yet.
		need += int64(recordSize(512+8*len(p.Samples)+8*len(p.Audio.Samples), len(p.Data)+len(p.Audio.Data))) + fileHeader
	}
	if r.used.Load()+need > r.opt.Quota {
		if err := r.makeRoom(ctx, need); err != nil {
			return 0, err
		}
	}
	var cams []*camera
	for _, p := range parts {
		c, err := r.camera(ctx, p.Camera)
		if err != nil {
			return 0, err
		}
		if !slices.Contains(cams, c) {
			cams = append(cams, c)
		}
	}
	// Always in the same order, or two batches could wait for each other.
	slices.SortFunc(cams, func(a, b *camera) int { return strings.Compare(string(a.name), string(b.name)) })
	n, err := r.try(ctx, cams, parts)
	if errors.Is(err, ErrFull) && r.giveUp(ctx, need) {
		var m int
		m, err = r.try(ctx, cams, parts[n:])
		n += m
	}
	return n, err
}

func (r *Ring) try(ctx context.Context, cams []*camera, parts []*footage.Part) (done int, err error) {
	for _, c := range cams {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.closed {
			return 0, storage.With(fmt.Errorf("ring: %w: the ring is closed", ErrStorage))
		}
		if err := r.load(ctx, c); err != nil {
			return 0, err
		}
		c.next = c.have
	}
	var rows []row
	flush := func() error {
		if len(rows) == 0 {
			return nil
		}
		err := r.flush(ctx, rows)
		if err == nil {
			done += len(rows)
		}
		rows = rows[:0]
		return err
	}
	for i, p := range parts {
		c := cams[slices.IndexFunc(cams, func(c *camera) bool { return c.name == p.Camera })]
		if err := c.accepts(p); err != nil {
			// Those before it are none the worse.
			if err := flush(); err != nil {
				return done, r.fail(ctx, cams, parts[done:i], err)
			}
			return done, err
		}
		t := tableOf(p)
		record := int64(recordSize(t.size(), len(p.Data)+len(p.Audio.Data)))
		if c.seg == nil || c.seg.over(p, record, r.segSize) {
			// A segment is closed with all of its parts in the index.
			var err error
			if slices.ContainsFunc(rows, func(w row) bool { return w.c == c }) {
				err = flush()
			}
			if err == nil {
				err = r.begin(ctx, c, p.Start)
			}
			if err != nil {
				return done, r.fail(ctx, cams, parts[done:i+1], err)
			}
		}
		w, err := r.write(c, p, t, record)
		if err != nil {
			return done, r.fail(ctx, cams, parts[done:i+1], err)
		}
		rows = append(rows, w)
	}
	if err := flush(); err != nil {
		return done, r.fail(ctx, cams, parts[done:], err)
	}
	return done, nil
}

// accepts says why p cannot come next.
func (c *camera) accepts(p *footage.Part) error {
	if p.Start < c.next.end {
		return fmt.Errorf("ring: camera %s: %w: it starts %v before that", p.Camera, ErrOrder, (c.next.end - p.Start).Duration())
	}
	chain := c.next.chain || p.Start == c.retry
	if p.Continues && (!chain || !p.Format.Equal(c.next.format)) {
		return fmt.Errorf("ring: camera %s: %w", p.Camera, ErrChain)
	}
	return nil
}

// fail takes back what was written of lost, which err kept out of the ring.
func (r *Ring) fail(ctx context.Context, cams []*camera, lost []*footage.Part, err error) error {
	for _, c := range cams {
		i := slices.IndexFunc(lost, func(p *footage.Part) bool { return p.Camera == c.name })
		if i < 0 {
			continue
		}
		chain := c.have.chain || lost[i].Start == c.retry
		err = errors.Join(err, r.abandon(ctx, c))
		if chain {
			c.retry = lost[i].Start // offered again, it is not lost
		}
	}
	return err
}

// write puts p behind what the camera's segment holds.
func (r *Ring) write(c *camera, p *footage.Part, t table, record int64) (row, error) {
	s := c.seg
	b := <-r.buffers
	defer func() { r.buffers <- keep(b) }()
	b = b[:0]
	if s.wrote == 0 {
		b = append(b, fileMagic[:]...)
		b = append(b, s.uid[:]...)
	}
	at := s.wrote + int64(len(b))
	pl := place{camera: c.name, uid: s.uid, number: s.wroteParts, offset: at, start: p.Start}
	b = slices.Grow(b, int(record))
	b = pl.seal(b, s.aead, &t, p.Data, p.Audio.Data)
	if _, err := s.f.WriteAt(b, s.wrote); err != nil {
		return row{}, failure("write the part", err)
	}
	w := row{c: c, s: s, p: p, t: t, pl: pl, size: record, last: c.next}
	span := p.Span()
	w.run = c.next.run
	if w.run == 0 || span.From-c.next.end > Join {
		w.run = span.From
	}
	s.wrote += int64(len(b))
	s.wroteParts++
	s.dirty = true
	c.next = state{end: span.To, run: w.run, chain: true, format: p.Format}
	return w, nil
}

// keep returns b for the next part, unless it is uncommonly large.
func keep(b []byte) []byte {
	if cap(b) > 4<<20 {
		return nil
	}
	return b
}

// flush makes rows last: first their bytes, then the index.
func (r *Ring) flush(ctx context.Context, rows []row) error {
	for i := range rows {
		s := rows[i].s
		if !s.dirty {
			continue
		}
		if err := s.f.Sync(); err != nil {
			return failure("write the part through", err)
		}
		s.dirty = false
	}
	db := r.fast
	if now := int64(r.mono()); now-r.synced.Load() >= int64(syncEvery) {
		// What the index says up to now survives a power cut from here on.
		db = r.wdb
		r.synced.Store(now)
	}
	forms := map[*segment]formRow{}
	err := r.tx(ctx, db, func(tx *sql.Tx) error {
		for i := range rows {
			w := &rows[i]
			form, ok := forms[w.s]
			if !ok {
				form = w.s.form
			}
			if string(form.raw) != string(w.t.format) {
				form.raw = w.t.format
				if err := tx.StmtContext(ctx, r.stmt(db).format).QueryRowContext(ctx, w.s.id, form.raw).Scan(&form.id); err != nil {
					return err
				}
			}
			forms[w.s] = form
			if err := r.insert(ctx, tx, r.stmt(db), w, form.id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return failure("write the index", err)
	}
	for s, f := range forms {
		s.form = f
	}
	for i := range rows {
		w := &rows[i]
		r.used.Add(w.pl.offset + w.size - w.s.size)
		w.s.size, w.s.parts = w.pl.offset+w.size, w.pl.number+1
		w.c.have = state{end: w.p.Start + w.p.Duration(), run: w.run, chain: true, format: w.p.Format}
		w.c.retry = 0
		w.c.tail.Store(&tail{run: w.run, end: w.c.have.end})
	}
	r.parts.Add(int64(len(rows)))
	return nil
}

// insert puts one part in the index. The last run's end is written only when
// another run begins: it is where the camera's last part ends.
func (r *Ring) insert(ctx context.Context, tx *sql.Tx, w *writes, p *row, form int64) error {
	span := p.p.Span()
	_, err := tx.StmtContext(ctx, w.part).ExecContext(ctx, p.c.id, span.From, span.To, p.s.id, p.pl.number, p.pl.offset, p.size,
		p.t.continues, form, p.t.samples, p.t.audio)
	if err != nil || p.run != span.From {
		return err
	}
	if p.last.run != 0 {
		if _, err := tx.StmtContext(ctx, w.run).ExecContext(ctx, p.last.end, p.c.id, p.last.run); err != nil {
			return err
		}
	}
	_, err = tx.StmtContext(ctx, w.newRun).ExecContext(ctx, p.c.id, span.From, span.To)
	return err
}

// camera returns the camera called name, which is put in the index if it is new.
func (r *Ring) camera(ctx context.Context, name footage.CameraID) (*camera, error) {
	r.mu.Lock()
	c := r.cameras[name]
	r.mu.Unlock()
	if c != nil {
		return c, nil
	}
	r.newCamera.Lock()
	defer r.newCamera.Unlock()
	var id int64
	err := r.tx(ctx, r.wdb, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `INSERT INTO camera (name) VALUES (?)
			ON CONFLICT (name) DO UPDATE SET name = name RETURNING id`, name).Scan(&id)
	})
	if err != nil {
		return nil, failure("write the index", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.cameras[name]; c != nil {
		return c, nil
	}
	c = &camera{id: id, name: name}
	r.cameras[name] = c
	return c, nil
}

// load reads what the index says of c's end, unless that is known.
func (r *Ring) load(ctx context.Context, c *camera) error {
	if c.ready {
		return nil
	}
	var end footage.Ticks
	err := r.wdb.QueryRowContext(ctx, "SELECT finish FROM part WHERE camera = ? ORDER BY start DESC LIMIT 1", c.id).Scan(&end)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		// What was deleted may have ended later than anything left; it is not
		// written over either while this process remembers it.
		c.have.run = 0
		c.tail.Store(&tail{end: c.have.end})
	case err == nil:
		if err = r.wdb.QueryRowContext(ctx, "SELECT start FROM run WHERE camera = ? ORDER BY start DESC LIMIT 1", c.id).Scan(&c.have.run); err == nil {
			c.have.end = end
			c.tail.Store(&tail{run: c.have.run, end: end})
		}
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return failure("read the index", err)
	}
	c.ready = true
	return nil
}
