package ring

import (
	"context"
	"crypto/cipher"
	"database/sql"
	"errors"
	"fmt"
	"io"

	"veilbox/capture/footage"
	"veilbox/internal/keys"
)

// PartInfo is what the index says of a part: all but its data.
type PartInfo struct {
	Camera    footage.CameraID
	Start     footage.Ticks
	Continues bool
	Format    footage.Format
	Samples   []footage.Sample
	Size      int64 // bytes of data
	End       footage.Ticks
	Audio     footage.Audio // without its data

	id     int64
	form   int64
	key    int64
	path   string
	offset int64
	record int64
	place  place
}

// Span returns the time the part covers.
func (p *PartInfo) Span() footage.Span { return footage.Span{From: p.Start, To: p.End} }

// cacheLimit bounds what is remembered of formats and keys.
const cacheLimit = 4096

// aead returns the cipher of a day key; where that is damaged, an error that
// wraps keys.ErrOpen.
func (r *Ring) aead(ctx context.Context, id int64) (cipher.AEAD, error) {
	r.mu.Lock()
	a := r.aeads[id]
	r.mu.Unlock()
	if a != nil {
		return a, nil
	}
	var name footage.CameraID
	var day int64
	var wrapped []byte
	if err := r.q.key.QueryRowContext(ctx, id).Scan(&name, &day, &wrapped); err != nil {
		if errors.Is(err, sql.ErrNoRows) {
			return nil, gone.With(fmt.Errorf("ring: the day's key is destroyed: %w", ErrGone))
		}
		return nil, failure("read the index", err)
	}
	b, err := r.master.Open(keyContext(name, day), wrapped)
	if err != nil {
		return nil, fmt.Errorf("the day's key: %w", err)
	}
	k, err := keys.FromBytes(b)
	if err != nil {
		return nil, fmt.Errorf("ring: the day's key: %w", err)
	}
	a = k.AEAD()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.aeads) >= cacheLimit {
		clear(r.aeads)
	}
	r.aeads[id] = a
	return a, nil
}

func (r *Ring) formatOf(ctx context.Context, id int64) (format, error) {
	r.mu.Lock()
	f, ok := r.formats[id]
	r.mu.Unlock()
	if ok {
		return f, nil
	}
	if err := r.q.format.QueryRowContext(ctx, id).Scan(&f.raw); err != nil {
		return format{}, failure("read the index", err)
	}
	var err error
	if f.f, err = decodeFormat(f.raw); err != nil {
		return format{}, failure("read the index", fmt.Errorf("format %d: %w", id, err))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.formats) >= cacheLimit {
		clear(r.formats)
		clear(r.formIDs)
	}
	r.formats[id] = f
	return f, nil
}

// cameraID returns the index's number of a camera, or false where it has none.
func (r *Ring) cameraID(name footage.CameraID) (int64, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.cameras[name]
	if c == nil {
		return 0, false
	}
	return c.id, true
}

// Timeline returns what there is of cam within span, cut to it. Gaps of more
// than a second lie between the spans.
func (r *Ring) Timeline(ctx context.Context, cam footage.CameraID, span footage.Span) ([]footage.Span, error) {
	id, ok := r.cameraID(cam)
	if !ok || span.Empty() {
		return nil, nil
	}
	rows, err := r.q.runs.QueryContext(ctx, id, span.From, span.To)
	if err != nil {
		return nil, failure("read the index", err)
	}
	defer rows.Close()
	var out []footage.Span
	for rows.Next() {
		var s footage.Span
		if err := rows.Scan(&s.From, &s.To); err != nil {
			return nil, failure("read the index", err)
		}
		s.From, s.To = max(s.From, span.From), min(s.To, span.To)
		out = append(out, s)
	}
	if err := rows.Err(); err != nil {
		return nil, failure("read the index", err)
	}
	return out, nil
}

// Cameras returns the names of all cameras that the ring ever had, sorted.
func (r *Ring) Cameras(ctx context.Context) ([]footage.CameraID, error) {
	rows, err := r.rdb.QueryContext(ctx, "SELECT name FROM camera ORDER BY name")
	if err != nil {
		return nil, failure("read the index", err)
	}
	defer rows.Close()
	var out []footage.CameraID
	for rows.Next() {
		var n footage.CameraID
		if err := rows.Scan(&n); err != nil {
			return nil, failure("read the index", err)
		}
		out = append(out, n)
	}
	if err := rows.Err(); err != nil {
		return nil, failure("read the index", err)
	}
	return out, nil
}

// decodeFrom returns where reading must begin so that the picture at from can
// be decoded: the start of the part that covers it, or of the keyframe part
// that this one continues. Where nothing covers from it is from itself.
func (r *Ring) decodeFrom(ctx context.Context, cam int64, from footage.Ticks) (footage.Ticks, error) {
	var start, end footage.Ticks
	var continues bool
	err := r.q.before.QueryRowContext(ctx, cam, from).Scan(&start, &end, &continues)
	if err == nil && end <= from || errors.Is(err, sql.ErrNoRows) {
		// What comes next within the span may be the middle of a GOP.
		err = r.q.after.QueryRowContext(ctx, cam, from).Scan(&start, &end, &continues)
		if errors.Is(err, sql.ErrNoRows) {
			return from, nil
		}
	}
	if err == nil && continues {
		err = r.q.keyBefore.QueryRowContext(ctx, cam, start).Scan(&start)
		if errors.Is(err, sql.ErrNoRows) {
			err = nil // its keyframe is deleted; Parts leaves it out
		}
	}
	if err != nil {
		return 0, failure("read the index", err)
	}
	return min(start, from), nil
}

// Parts returns the parts of cam that are needed to show span, in order: those
// within it and those before it back to a keyframe. A part that continues one
// that is no longer there is left out.
func (r *Ring) Parts(ctx context.Context, cam footage.CameraID, span footage.Span) ([]PartInfo, error) {
	id, ok := r.cameraID(cam)
	if !ok || span.Empty() {
		return nil, nil
	}
	from, err := r.decodeFrom(ctx, id, span.From)
	if err != nil {
		return nil, err
	}
	rows, err := r.q.parts.QueryContext(ctx, id, from, span.To)
	if err != nil {
		return nil, failure("read the index", err)
	}
	defer rows.Close()
	var all []PartInfo
	for rows.Next() {
		p, err := scan(cam, rows)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, failure("read the index", err)
	}
	out := all[:0]
	for _, p := range all {
		if err := r.complete(ctx, &p); err != nil {
			return nil, err
		}
		if p.Continues {
			if len(out) == 0 {
				continue
			}
			// Within a segment the numbers tell; a GOP that had to go to a second
			// file has no seam in time.
			last := &out[len(out)-1]
			next := last.path == p.path && last.place.number+1 == p.place.number
			seamless := last.path != p.path && p.place.number == 0 && p.Start-last.End <= Join
			if !next && !seamless || !p.Format.Equal(last.Format) {
				continue
			}
		}
		out = append(out, p)
	}
	return out, nil
}

// scan reads a row of partColumns. What it leaves out, complete adds once the
// rows are closed: it may have to ask the index again, and a query that waits
// for a second connection with one in its hand can wait for ever.
func scan(cam footage.CameraID, row interface{ Scan(...any) error }) (PartInfo, error) {
	p := PartInfo{Camera: cam, place: place{camera: cam}}
	var uid []byte
	err := row.Scan(&p.id, &p.Start, &p.End, &p.Continues, &p.place.number, &p.offset, &p.record, &p.form, &p.place.samples, &p.path, &uid, &p.key)
	if errors.Is(err, sql.ErrNoRows) {
		return p, err
	}
	if err != nil {
		return p, failure("read the index", err)
	}
	copy(p.place.uid[:], uid)
	return p, nil
}

func (r *Ring) complete(ctx context.Context, p *PartInfo) error {
	f, err := r.formatOf(ctx, p.form)
	if err != nil {
		return err
	}
	p.Format = f.f
	p.place.format, p.place.start, p.place.continues, p.place.offset = f.raw, p.Start, p.Continues, p.offset
	if p.Samples, p.Size, err = decodeSamples(nil, p.place.samples); err != nil {
		return damaged(p.Camera, p.Start, err)
	}
	if p.record != int64(recordSize(int(p.Size))) {
		return damaged(p.Camera, p.Start, errTable)
	}
	return nil
}

// Latest returns the newest part of cam, or an error that wraps ErrNone.
func (r *Ring) Latest(ctx context.Context, cam footage.CameraID) (PartInfo, error) {
	id, ok := r.cameraID(cam)
	if !ok {
		return PartInfo{}, fmt.Errorf("ring: camera %s: %w", cam, ErrNone)
	}
	p, err := scan(cam, r.q.latest.QueryRowContext(ctx, id))
	if errors.Is(err, sql.ErrNoRows) {
		return p, fmt.Errorf("ring: camera %s: %w", cam, ErrNone)
	}
	if err == nil {
		err = r.complete(ctx, &p)
	}
	return p, err
}

// Read returns the part with its data. A part that is not what was written
// gives an error that wraps ErrDamaged; one that has been deleted since the
// index was read gives ErrGone.
func (r *Ring) Read(ctx context.Context, p PartInfo) (*footage.Part, error) {
	data, err := r.read(ctx, &p)
	if err == nil {
		return &footage.Part{Camera: p.Camera, Start: p.Start, Continues: p.Continues, Format: p.Format, Samples: p.Samples, Data: data}, nil
	}
	if errors.Is(err, ErrDamaged) {
		// It may have been deleted while it was read.
		var one int
		if e := r.q.exists.QueryRowContext(ctx, p.id).Scan(&one); errors.Is(e, sql.ErrNoRows) {
			return nil, gone.With(fmt.Errorf("ring: camera %s: %w", p.Camera, ErrGone))
		}
		r.mu.Lock()
		if len(r.broken) < cacheLimit {
			r.broken[p.id] = struct{}{}
		}
		r.damage = err
		r.mu.Unlock()
	}
	return nil, err
}

func (r *Ring) read(ctx context.Context, p *PartInfo) ([]byte, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("ring: %w", err)
	}
	aead, err := r.aead(ctx, p.key)
	if errors.Is(err, keys.ErrOpen) {
		return nil, damaged(p.Camera, p.Start, err)
	}
	if err != nil {
		return nil, err
	}
	f, err := r.files.Read(r.path(p.path))
	if notThere(err) {
		return nil, damaged(p.Camera, p.Start, fmt.Errorf("its segment is missing: %w", err))
	}
	if err != nil {
		return nil, failure("open the segment", err)
	}
	record := make([]byte, p.record)
	_, err = f.ReadAt(record, p.offset)
	if errors.Is(err, io.EOF) {
		err = damaged(p.Camera, p.Start, fmt.Errorf("its segment is cut short: %w", err))
	} else if err != nil {
		// A sector that the disk cannot read is damage to this part alone.
		err = damaged(p.Camera, p.Start, fmt.Errorf("%w: %w", ErrStorage, err))
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	data, err := p.place.open(record, aead)
	if err != nil {
		return nil, damaged(p.Camera, p.Start, err)
	}
	return data, nil
}

// Damage is one part that did not read.
type Damage struct {
	Camera footage.CameraID
	Span   footage.Span
	Err    error
}

// Report is what Check found.
type Report struct {
	Parts   int64 // read
	Bytes   int64 // of data, read
	Damaged []Damage
	// More is how many damaged parts there are beyond those in Damaged.
	More int64
}

// maxDamage bounds Report.Damaged.
const maxDamage = 1000

// Check reads every part. It fails only where the index does; a damaged part is
// in the report.
func (r *Ring) Check(ctx context.Context) (Report, error) {
	var rep Report
	cams, err := r.Cameras(ctx)
	if err != nil {
		return rep, err
	}
	for _, cam := range cams {
		if err := r.checkCamera(ctx, cam, &rep); err != nil {
			return rep, err
		}
	}
	return rep, nil
}

func (r *Ring) checkCamera(ctx context.Context, cam footage.CameraID, rep *Report) error {
	id, _ := r.cameraID(cam)
	from := footage.Ticks(0)
	for {
		// A window at a time, so that no reader holds the index for long.
		var batch []PartInfo
		rows, err := r.rdb.QueryContext(ctx, "SELECT "+partColumns+" WHERE p.camera = ? AND p.start > ? ORDER BY p.start LIMIT 256", id, from)
		if err != nil {
			return failure("read the index", err)
		}
		for rows.Next() {
			p, err := scan(cam, rows)
			if err != nil {
				return errors.Join(err, rows.Close())
			}
			batch = append(batch, p)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return failure("read the index", err)
		}
		if len(batch) == 0 {
			return nil
		}
		for _, p := range batch {
			from = p.Start
			err := r.complete(ctx, &p)
			if err == nil {
				_, err = r.Read(ctx, p)
			}
			switch {
			case err == nil:
				rep.Parts++
				rep.Bytes += p.Size
			case errors.Is(err, ErrGone):
			case errors.Is(err, ErrDamaged):
				rep.Parts++
				if len(rep.Damaged) < maxDamage {
					rep.Damaged = append(rep.Damaged, Damage{cam, p.Span(), err})
				} else {
					rep.More++
				}
			default:
				return err
			}
		}
	}
}
