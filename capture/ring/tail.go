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

// latePart is one whole part found behind the indexed end of a segment.
type latePart struct {
	pl     place
	size   int64
	finish footage.Ticks
	t      table
}

// takeTail puts the whole parts that lie behind the indexed end of s, a file of
// have bytes, into the index, and moves the end of s behind them. It reports
// whether what is left behind that end is known to be worth nothing; without the
// day's key nothing is known of it.
func (r *Ring) takeTail(ctx context.Context, s *found, have int64) (known bool, err error) {
	aead, err := r.aead(ctx, s.key)
	if errors.Is(err, keys.ErrOpen) || errors.Is(err, ErrGone) {
		r.opt.Log.Warn("the end of a segment cannot be read, for its key does not open: restore ring.db from the backup", "file", s.path, "error", err)
		r.missing.Add(1)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var next footage.Ticks
	err = r.wdb.QueryRowContext(ctx, "SELECT coalesce(min(start), ?3) FROM segment WHERE camera = ?1 AND (start > ?2 OR start = ?2 AND id > ?4)",
		s.cam, s.start, int64(maxTicks)+MaxPartDuration, s.id).Scan(&next)
	if err != nil {
		return false, failure("read the index", err)
	}
	f, err := r.files.Read(r.path(s.path))
	if err != nil {
		return false, failure("open the segment", err)
	}
	sc := scanner{camera: s.camera, aead: aead, f: f, size: have, offset: s.x.size, number: s.x.parts, end: max(s.x.finish, s.start), limit: next}
	copy(sc.uid[:], s.uid)
	var all []latePart
	known = true
	for {
		l, ok, err := sc.next()
		if err != nil {
			// A sector that cannot be read keeps nobody from recording; what lies
			// behind it is left for another try.
			r.opt.Log.Warn("the end of a segment cannot be read; check the disk", "file", s.path, "error", err)
			r.missing.Add(1)
			known = false
		}
		if !ok {
			break
		}
		all = append(all, l)
	}
	if err := f.Close(); err != nil {
		return false, failure("close the segment", err)
	}
	if len(all) == 0 {
		return known, nil
	}
	if err := r.tx(ctx, r.wdb, func(tx *sql.Tx) error { return r.insertTail(ctx, tx, s, all) }); err != nil {
		return false, failure("write the index", err)
	}
	last := &all[len(all)-1]
	s.x = extent{size: last.pl.offset + last.size, parts: last.pl.number + 1, finish: last.finish}
	r.recovered.Add(int64(len(all)))
	return known, nil
}

func (r *Ring) insertTail(ctx context.Context, tx *sql.Tx, s *found, all []latePart) error {
	var form formRow
	for i := range all {
		l := &all[i]
		if string(form.raw) != string(l.t.format) {
			form.raw = l.t.format
			err := tx.QueryRowContext(ctx, "SELECT id FROM format WHERE segment = ? AND data = ?", s.id, form.raw).Scan(&form.id)
			if errors.Is(err, sql.ErrNoRows) {
				err = tx.StmtContext(ctx, r.w.format).QueryRowContext(ctx, s.id, form.raw).Scan(&form.id)
			}
			if err != nil {
				return err
			}
		}
		_, err := tx.StmtContext(ctx, r.w.part).ExecContext(ctx, s.cam, l.pl.start, l.finish, s.id, l.pl.number, l.pl.offset, l.size,
			l.t.continues, form.id, l.t.samples, l.t.audio)
		if err != nil {
			return err
		}
		if err := joinRun(ctx, tx, s.cam, footage.Span{From: l.pl.start, To: l.finish}); err != nil {
			return err
		}
	}
	return nil
}

// scanner reads the records of a segment file one after the other and stops at
// the first that is not whole, not of this place, or not in order.
type scanner struct {
	camera footage.CameraID
	uid    [uidSize]byte
	aead   cipher.AEAD
	f      io.ReaderAt
	size   int64 // of the file
	offset int64 // 0 where not even the file's header is known
	number uint32
	end    footage.Ticks // the next part may not start before
	limit  footage.Ticks // nor end after: another segment begins there
	buf    []byte
}

func (sc *scanner) next() (l latePart, ok bool, err error) {
	var h [max(fileHeader, recordHeader)]byte
	if sc.offset == 0 {
		if sc.size < fileHeader {
			return l, false, nil
		}
		if _, err := sc.f.ReadAt(h[:fileHeader], 0); err != nil {
			return l, false, eof(err)
		}
		if [8]byte(h[:]) != fileMagic || [uidSize]byte(h[8:]) != sc.uid {
			return l, false, nil
		}
		sc.offset = fileHeader
	}
	if sc.size-sc.offset < recordHeader {
		return l, false, nil
	}
	if _, err := sc.f.ReadAt(h[:recordHeader], sc.offset); err != nil {
		return l, false, eof(err)
	}
	hd, good := parseHead(h[:recordHeader])
	l.size = int64(recordHeader + hd.sealed + tagSize)
	if !good || hd.number != sc.number || hd.start < sc.end || l.size > sc.size-sc.offset {
		return l, false, nil
	}
	if int64(cap(sc.buf)) < l.size {
		sc.buf = make([]byte, l.size)
	}
	record := sc.buf[:l.size]
	if _, err := sc.f.ReadAt(record, sc.offset); err != nil {
		return l, false, eof(err)
	}
	l.pl = place{camera: sc.camera, uid: sc.uid, number: hd.number, offset: sc.offset, start: hd.start}
	raw, data, err := l.pl.open(record, sc.aead)
	if err != nil {
		return l, false, nil
	}
	if l.t, l.finish, err = readTable(raw, hd.start, int64(len(data))); err != nil || l.finish > sc.limit {
		return l, false, nil
	}
	sc.offset += l.size
	sc.number++
	sc.end = l.finish
	return l, true, nil
}

// readTable takes a record's table apart, copied, holds it to data bytes, and
// returns also where a part that starts at start ends.
func readTable(raw []byte, start footage.Ticks, data int64) (table, footage.Ticks, error) {
	t, err := decodeTable(append([]byte(nil), raw...))
	if err != nil {
		return t, 0, err
	}
	format, err := decodeFormat(t.format)
	if err != nil {
		return t, 0, fmt.Errorf("%w: %w", errTable, err)
	}
	p := footage.Part{Start: start, Continues: t.continues, Format: format}
	var video, sound int64
	if p.Samples, video, err = decodeSamples(nil, t.samples); err != nil {
		return t, 0, err
	}
	if t.audio != nil {
		if p.Audio, sound, err = decodeAudio(t.audio, start); err != nil {
			return t, 0, err
		}
	}
	d := p.Duration()
	if video+sound != data || d <= 0 || d > MaxPartDuration || !t.continues && !p.Samples[0].Key {
		return t, 0, errTable
	}
	return t, start + d, nil
}

// eof is nil for the end of the file, which is where a torn record ends.
func eof(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
