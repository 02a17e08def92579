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
	Size      int64 // bytes of the pictures' data
	End       footage.Ticks
	Audio     footage.Audio // without its data

	cam     int64
	segment int64
	key     int64
	form    int64
	path    string
	record  int64
	version int
	place   place
	table   table
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
		p, err := scan(cam, id, rows)
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
			next := last.segment == p.segment && last.place.number+1 == p.place.number
			seamless := last.segment != p.segment && p.place.number == 0 && p.Start-last.End <= Join
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
func scan(cam footage.CameraID, id int64, row interface{ Scan(...any) error }) (PartInfo, error) {
	p := PartInfo{Camera: cam, cam: id, place: place{camera: cam}}
	var uid []byte
	err := row.Scan(&p.Start, &p.End, &p.version, &p.Continues, &p.segment, &p.place.number, &p.place.offset, &p.record, &p.form,
		&p.table.samples, &p.table.audio, &p.path, &uid, &p.key)
	if errors.Is(err, sql.ErrNoRows) {
		return p, err
	}
	if err != nil {
		return p, failure("read the index", err)
	}
	copy(p.place.uid[:], uid)
	p.place.start, p.table.continues = p.Start, p.Continues
	return p, nil
}

func (r *Ring) complete(ctx context.Context, p *PartInfo) error {
	f, err := r.formatOf(ctx, p.form)
	if errors.Is(err, sql.ErrNoRows) {
		// The format went with its segment, or was lost.
		return r.goneOrDamaged(ctx, p, damaged(p.Camera, p.Start, err))
	}
	if err != nil {
		return err
	}
	p.Format, p.table.format = f.f, f.raw
	if p.Samples, p.Size, err = decodeSamples(nil, p.table.samples); err != nil {
		return damaged(p.Camera, p.Start, err)
	}
	want := recordSize1(int(p.Size))
	if p.version != 1 {
		var sound int64
		if p.table.audio != nil {
			if p.Audio, sound, err = decodeAudio(p.table.audio, p.Start); err != nil {
				return damaged(p.Camera, p.Start, err)
			}
		}
		want = recordSize(p.table.size(), int(p.Size+sound))
	}
	if p.record != int64(want) || p.Size > MaxPartSize {
		return damaged(p.Camera, p.Start, errTable)
	}
	return nil
}

// goneOrDamaged returns ErrGone where the part is no longer in the index, else
// err.
func (r *Ring) goneOrDamaged(ctx context.Context, p *PartInfo, err error) error {
	var one int
	if e := r.q.exists.QueryRowContext(ctx, p.cam, p.Start, p.segment).Scan(&one); errors.Is(e, sql.ErrNoRows) {
		return gone.With(fmt.Errorf("ring: camera %s: %w", p.Camera, ErrGone))
	}
	return err
}

// Latest returns the newest part of cam, or an error that wraps ErrNone.
func (r *Ring) Latest(ctx context.Context, cam footage.CameraID) (PartInfo, error) {
	id, ok := r.cameraID(cam)
	if !ok {
		return PartInfo{}, fmt.Errorf("ring: camera %s: %w", cam, ErrNone)
	}
	p, err := scan(cam, id, r.q.latest.QueryRowContext(ctx, id))
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
		n := int(p.Size)
		out := &footage.Part{Camera: p.Camera, Start: p.Start, Continues: p.Continues, Format: p.Format, Samples: p.Samples, Data: data[:n:n], Audio: p.Audio}
		if n < len(data) {
			out.Audio.Data = data[n:]
		}
		return out, nil
	}
	if errors.Is(err, ErrDamaged) {
		// It may have been deleted while it was read.
		if err = r.goneOrDamaged(ctx, &p, err); errors.Is(err, ErrGone) {
			return nil, err
		}
		r.mu.Lock()
		if len(r.broken) < cacheLimit {
			r.broken[partKey{p.cam, p.Start}] = struct{}{}
		}
		r.damage = err
		r.mu.Unlock()
	}
	return nil, err
}

// partKey names a part within the index.
type partKey struct {
	cam   int64
	start footage.Ticks
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
	_, err = f.ReadAt(record, p.place.offset)
	if errors.Is(err, io.EOF) {
		err = damaged(p.Camera, p.Start, fmt.Errorf("its segment is cut short: %w", err))
	} else if err != nil {
		// A sector that the disk cannot read is damage to this part alone.
		err = damaged(p.Camera, p.Start, fmt.Errorf("%w: %w", ErrStorage, err))
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	data, err := p.open(record, aead)
	if err != nil {
		return nil, damaged(p.Camera, p.Start, err)
	}
	return data, nil
}

var errIndex = errors.New("the index says of the part what was not written with it")

func (p *PartInfo) open(record []byte, aead cipher.AEAD) ([]byte, error) {
	if p.version == 1 {
		return p.place.open1(record, aead, &p.table)
	}
	raw, data, err := p.place.open(record, aead)
	if err == nil && string(raw) != string(p.table.append(nil)) {
		err = errIndex
	}
	return data, err
}
