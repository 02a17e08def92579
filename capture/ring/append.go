package ring

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"veilbox/capture/footage"
	"veilbox/internal/keys"
	"veilbox/internal/sqlitedb"
)

// camera is the writing end of one camera's parts.
type camera struct {
	mu     sync.Mutex
	id     int64
	name   footage.CameraID
	closed bool
	ready  bool // what follows is as the index has it
	end    footage.Ticks
	run    footage.Ticks // start of the run that end belongs to, 0 for none
	chain  bool          // the last Append succeeded since Open
	retry  footage.Ticks // start of the part that failed and would have continued the last, or 0
	form   int64
	format footage.Format
	seg    *segment
	buf    []byte
}

// segment is the file that a camera's parts go to.
type segment struct {
	id     int64 // 0 until its first part is in the index
	key    int64
	aead   cipher.AEAD
	uid    [uidSize]byte
	name   string
	f      file
	size   int64
	parts  uint32
	period footage.Ticks // the hour it began in
}

const hour = 3600 * footage.TicksPerSecond

// AppendAll writes parts, of one camera or several and of each in order, and
// makes them last. The first stored of them are in the ring, the others not; err
// says why the next is not. The parts are not kept.
func (r *Ring) AppendAll(ctx context.Context, parts []*footage.Part) (stored int, err error) {
	for i, p := range parts {
		if err := r.Append(ctx, p); err != nil {
			return i, err
		}
	}
	return len(parts), nil
}

// Append writes p and makes it last. p is not kept.
func (r *Ring) Append(ctx context.Context, p *footage.Part) error {
	if err := checkPart(p); err != nil {
		return fmt.Errorf("ring: %w: %w", ErrPart, err)
	}
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("ring: %w", err)
	}
	// Once begun it is seen through: half an append is only a repair later.
	ctx = context.WithoutCancel(ctx)
	need := int64(recordSize(len(p.Data))) + fileHeader
	if r.used.Load()+need > r.opt.Quota {
		if err := r.makeRoom(ctx, need); err != nil {
			return err
		}
	}
	c, err := r.camera(ctx, p.Camera)
	if err != nil {
		return err
	}
	err = r.try(ctx, c, p)
	if errors.Is(err, ErrFull) && r.giveUp(ctx, need) {
		err = r.try(ctx, c, p)
	}
	return err
}

func (r *Ring) try(ctx context.Context, c *camera, p *footage.Part) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return storage.With(fmt.Errorf("ring: %w: the ring is closed", ErrStorage))
	}
	if err := r.load(ctx, c); err != nil {
		return err
	}
	if p.Start < c.end {
		return fmt.Errorf("ring: camera %s: %w: it starts %v before that", p.Camera, ErrOrder, (c.end - p.Start).Duration())
	}
	chain := c.chain || p.Start == c.retry
	if p.Continues && (!chain || !p.Format.Equal(c.format)) {
		return fmt.Errorf("ring: camera %s: %w", p.Camera, ErrChain)
	}
	if err := r.append(ctx, c, p); err != nil {
		err = errors.Join(err, r.abandon(ctx, c))
		if chain {
			c.retry = p.Start // offered again, it is not lost
		}
		return err
	}
	return nil
}

func (r *Ring) append(ctx context.Context, c *camera, p *footage.Part) error {
	if c.form == 0 || !p.Format.Equal(c.format) {
		id, err := r.formatID(ctx, encodeFormat(p.Format))
		if err != nil {
			return err
		}
		f, err := r.formatOf(ctx, id)
		if err != nil {
			return err
		}
		c.form, c.format = id, f.f
	}
	f, err := r.formatOf(ctx, c.form)
	if err != nil {
		return err
	}
	record := int64(recordSize(len(p.Data)))
	if s := c.seg; s != nil {
		over := s.period != p.Start/hour || s.size+record > r.segSize
		// A GOP stays in one file, unless it would never end.
		if over && !p.Continues || s.size+record > r.segSize+2*MaxPartSize {
			c.seg = nil
			if err := s.f.Close(); err != nil {
				return failure("close the segment", err)
			}
		}
	}
	if c.seg == nil {
		if err := r.begin(ctx, c, p.Start); err != nil {
			return err
		}
	}
	s := c.seg
	b := c.buf[:0]
	if s.size == 0 {
		b = append(b, fileMagic[:]...)
		b = append(b, s.uid[:]...)
	}
	pl := place{
		camera: c.name, uid: s.uid, number: s.parts, offset: s.size + int64(len(b)),
		start: p.Start, continues: p.Continues, format: f.raw, samples: encodeSamples(p.Samples),
	}
	if need := len(b) + int(record); cap(b) < need {
		b = append(make([]byte, 0, need+need/4), b...)
	}
	b = pl.seal(b, s.aead, p.Data)
	c.buf = b
	if _, err := s.f.WriteAt(b, s.size); err != nil {
		return failure("write the part", err)
	}
	if err := s.f.Sync(); err != nil {
		return failure("write the part through", err)
	}
	return r.commit(ctx, c, p, &pl, int64(len(b)), record)
}

// commit puts the part that lies on the disk in the index.
func (r *Ring) commit(ctx context.Context, c *camera, p *footage.Part, pl *place, written, record int64) error {
	s := c.seg
	span := p.Span()
	size, id, run := s.size+written, s.id, c.run
	err := sqlitedb.Tx(ctx, r.wdb, func(tx *sql.Tx) error {
		if id == 0 {
			res, err := tx.StmtContext(ctx, r.w.newSegment).ExecContext(ctx, c.id, s.key, s.uid[:], s.name, span.From, span.To, size, written)
			if err != nil {
				return err
			}
			if id, err = res.LastInsertId(); err != nil {
				return err
			}
		} else if _, err := tx.StmtContext(ctx, r.w.segment).ExecContext(ctx, span.To, size, written, id); err != nil {
			return err
		}
		_, err := tx.StmtContext(ctx, r.w.part).ExecContext(ctx, c.id, id, pl.number, span.From, span.To, p.Continues, pl.offset, record, c.form, pl.samples)
		if err != nil {
			return err
		}
		if run != 0 && span.From-c.end <= Join {
			_, err = tx.StmtContext(ctx, r.w.run).ExecContext(ctx, span.To, c.id, run)
			return err
		}
		run = span.From
		_, err = tx.StmtContext(ctx, r.w.newRun).ExecContext(ctx, c.id, run, span.To)
		return err
	})
	if err != nil {
		return failure("write the index", err)
	}
	if s.id == 0 {
		r.segments.Add(1)
	}
	s.id, s.size = id, size
	s.parts++
	c.end, c.run, c.chain, c.retry = span.To, run, true, 0
	r.used.Add(written)
	r.parts.Add(1)
	return nil
}

// begin makes the segment that the part starting at start goes to.
func (r *Ring) begin(ctx context.Context, c *camera, start footage.Ticks) error {
	key, aead, err := r.dayKey(ctx, c, int64(start/(24*hour)))
	if err != nil {
		return err
	}
	s := &segment{key: key, aead: aead, period: start / hour}
	rand.Read(s.uid[:])
	t := start.Time()
	s.name = filepath.Join(string(c.name), t.Format("20060102"), t.Format("150405")+"-"+hex.EncodeToString(s.uid[:8])+".seg")
	path := r.path(s.name)
	if err := r.files.MkdirAll(filepath.Dir(path)); err != nil {
		return failure("make the folder", err)
	}
	if s.f, err = r.files.Create(path); err != nil {
		return failure("make the segment", err)
	}
	c.seg = s
	return nil
}

// abandon leaves the segment after an error: what a failed write or sync left
// in the file is not known, so no more is appended to it. The error is nil
// unless more went wrong than the append itself.
func (r *Ring) abandon(ctx context.Context, c *camera) error {
	s := c.seg
	c.seg, c.ready, c.chain, c.retry = nil, false, false, 0
	if s == nil {
		return nil
	}
	// The commit may have happened although it failed to say so; the index, not
	// memory, tells what belongs to the file. Where it cannot be asked now, Open
	// cuts the file.
	size, err := r.indexedSize(ctx, s.name)
	switch {
	case err != nil:
	case size == 0:
		err = errors.Join(s.f.Close(), r.files.Remove(r.path(s.name)))
		return wrap("remove the segment that could not be written", err)
	default:
		err = s.f.Truncate(size)
	}
	return wrap("cut the segment back", errors.Join(err, s.f.Close()))
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("ring: %s: %w", what, err)
}

func (r *Ring) indexedSize(ctx context.Context, name string) (int64, error) {
	var n int64
	err := r.wdb.QueryRowContext(ctx, "SELECT size FROM segment WHERE path = ?", name).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return n, err
}

// camera returns the camera called name, which is put in the index if it is new.
func (r *Ring) camera(ctx context.Context, name footage.CameraID) (*camera, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.cameras[name]; c != nil {
		return c, nil
	}
	var id int64
	err := r.wdb.QueryRowContext(ctx, `INSERT INTO camera (name) VALUES (?)
		ON CONFLICT (name) DO UPDATE SET name = name RETURNING id`, name).Scan(&id)
	if err != nil {
		return nil, failure("write the index", err)
	}
	c := &camera{id: id, name: name}
	r.cameras[name] = c
	return c, nil
}

// load reads what the index says of c's end, unless that is known.
func (r *Ring) load(ctx context.Context, c *camera) error {
	if c.ready {
		return nil
	}
	err := r.wdb.QueryRowContext(ctx, "SELECT finish FROM part WHERE camera = ? ORDER BY start DESC LIMIT 1", c.id).Scan(&c.end)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return failure("read the index", err)
	}
	if errors.Is(err, sql.ErrNoRows) {
		// What was deleted may have ended later than anything left; it is not
		// written over either while this process remembers it.
		c.run, c.ready = 0, true
		return nil
	}
	err = r.wdb.QueryRowContext(ctx, "SELECT start FROM run WHERE camera = ? AND finish = ?", c.id, c.end).Scan(&c.run)
	if errors.Is(err, sql.ErrNoRows) {
		c.run, err = 0, nil
	}
	if err != nil {
		return failure("read the index", err)
	}
	c.ready = true
	return nil
}

func keyContext(name footage.CameraID, day int64) string {
	return fmt.Sprintf("ring day key %s %d", name, day)
}

// dayKey returns the key of the camera's day, making it if it is missing.
func (r *Ring) dayKey(ctx context.Context, c *camera, day int64) (int64, cipher.AEAD, error) {
	var id int64
	err := r.wdb.QueryRowContext(ctx, "SELECT id FROM day_key WHERE camera = ? AND day = ?", c.id, day).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		k := keys.New()
		err = r.wdb.QueryRowContext(ctx, "INSERT INTO day_key (camera, day, wrapped) VALUES (?, ?, ?) RETURNING id",
			c.id, day, r.master.Seal(keyContext(c.name, day), k.Bytes())).Scan(&id)
	}
	if err != nil {
		return 0, nil, failure("the day's key", err)
	}
	aead, err := r.aead(ctx, id)
	if errors.Is(err, keys.ErrOpen) {
		err = failure("the index is damaged", err)
	}
	return id, aead, err
}

// formatID returns the row of a format, making it if it is missing.
func (r *Ring) formatID(ctx context.Context, raw []byte) (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if id := r.formIDs[string(raw)]; id != 0 {
		return id, nil
	}
	var id int64
	err := r.wdb.QueryRowContext(ctx, `INSERT INTO format (data) VALUES (?)
		ON CONFLICT (data) DO UPDATE SET data = data RETURNING id`, raw).Scan(&id)
	if err != nil {
		return 0, failure("write the index", err)
	}
	r.formIDs[string(raw)] = id
	return id, nil
}
