// Package ringtest makes the index of a ring that has run for long, for tests and
// benches of how it starts and answers. The segment files are as long as the
// index says and hold nothing: they cost no room and cannot be read.
package ringtest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"veilbox/capture/footage"
	"veilbox/capture/ring"
	"veilbox/internal/clock"
	"veilbox/internal/keys"
)

// Spec says what a ring is filled with.
type Spec struct {
	Dir     string
	Key     keys.Key
	Cameras int
	Days    int
	Part    time.Duration // of one part; divides an hour
	Bytes   int           // of one part's data
	End     time.Time     // of the last part, cut to the hour before, and half an hour more
}

// Camera returns the name of camera i, from 0.
func Camera(i int) footage.CameraID { return footage.CameraID(fmt.Sprintf("cam-%d", i+1)) }

const (
	fps      = 25
	header   = 24 // of a segment file
	overhead = 36 + 16
)

// pieces are what the index and a record say of each part, as package ring
// writes them.
func (s *Spec) pieces() (format, samples []byte, record int) {
	format = []byte{byte(footage.H264)}
	format = binary.AppendUvarint(format, 1920)
	format = binary.AppendUvarint(format, 1080)
	for _, n := range []int{28, 4} {
		format = binary.AppendUvarint(format, uint64(n))
		format = append(format, make([]byte, n)...)
	}
	n := max(1, int(s.Part*fps/time.Second))
	samples = binary.AppendUvarint(samples, uint64(n))
	for _, v := range []int{n, int(footage.TicksIn(s.Part)) / n, n, 0, 0, 1} {
		samples = binary.AppendUvarint(samples, uint64(v))
	}
	if n > 1 {
		samples = binary.AppendUvarint(samples, uint64(n-1))
	}
	for i := range n {
		size := s.Bytes / n
		if i == 0 {
			size += s.Bytes % n
		}
		samples = binary.AppendUvarint(samples, uint64(size))
	}
	table := 3 + len(format) + len(samples)
	return format, samples, overhead + table + s.Bytes
}

// Fill makes the ring, in a folder that has none. A camera's recording has a gap
// of 30 s every six hours; its last segment is left as a crash leaves it.
func Fill(ctx context.Context, s Spec) (err error) {
	r, err := ring.Open(ctx, ring.Options{Dir: s.Dir, Key: s.Key, Quota: 1 << 50, Clock: clock.NewFake(s.End), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	if err := r.Close(); err != nil {
		return err
	}
	q := url.Values{"_journal_mode": {"WAL"}, "_synchronous": {"OFF"}, "_cache_size": {"-64000"}}
	db, err := sql.Open("sqlite3", (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.Join(s.Dir, "ring.db")}).EscapedPath(), RawQuery: q.Encode()}).String())
	if err != nil {
		return fmt.Errorf("ringtest: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, "PRAGMA journal_mode = OFF"); err != nil {
		return fmt.Errorf("ringtest: %w", err)
	}
	last := s.End.UTC().Truncate(time.Hour)
	for c := range s.Cameras {
		res, err := db.ExecContext(ctx, "INSERT INTO camera (name) VALUES (?)", Camera(c))
		if err != nil {
			return fmt.Errorf("ringtest: %w", err)
		}
		id, err := res.LastInsertId()
		if err != nil {
			return fmt.Errorf("ringtest: %w", err)
		}
		if err := s.camera(ctx, db, id, Camera(c), last); err != nil {
			return fmt.Errorf("ringtest: camera %d: %w", c, err)
		}
	}
	if _, err := db.ExecContext(ctx, "PRAGMA journal_mode = WAL"); err != nil {
		return fmt.Errorf("ringtest: %w", err)
	}
	return nil
}

func (s *Spec) camera(ctx context.Context, db *sql.DB, cam int64, name footage.CameraID, last time.Time) error {
	format, samples, record := s.pieces()
	perHour := int64(time.Hour / s.Part)
	length := footage.TicksIn(s.Part)
	master := s.Key.Derive("veilbox ring")
	run := footage.Ticks(0)
	for h := range s.Days*24 + 1 {
		at := last.Add(time.Duration(h-s.Days*24) * time.Hour)
		first, n := int64(0), perHour
		if h%6 == 0 {
			first = int64(30 * time.Second / s.Part)
		}
		if h == s.Days*24 {
			n = perHour / 2
		}
		start := footage.TicksOf(at) + footage.Ticks(first)*length
		end := footage.TicksOf(at) + footage.Ticks(n)*length
		day := at.Unix() / 86400
		_, err := db.ExecContext(ctx, "INSERT INTO day_key (camera, day, wrapped) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
			cam, day, master.Seal(fmt.Sprintf("ring day key %s %d", name, day), keys.New().Bytes()))
		if err != nil {
			return err
		}
		uid := make([]byte, 16)
		rand.Read(uid)
		path := filepath.Join(string(name), at.Format("20060102"), start.Time().Format("150405")+"-"+hex.EncodeToString(uid[:8])+".seg")
		size := header + (n-first)*int64(record)
		if err := sparse(filepath.Join(s.Dir, "segments", path), uid, size); err != nil {
			return err
		}
		var segment, form int64
		closed, rowEnd, rowSize, rowParts := 1, end, size, n-first
		if h == s.Days*24 {
			closed, rowEnd, rowSize, rowParts = 0, 0, 0, 0
		}
		err = db.QueryRowContext(ctx, `INSERT INTO segment (camera, day_key, uid, path, start, made, closed, finish, size, parts)
			VALUES (?1, (SELECT id FROM day_key WHERE camera = ?1 AND day = ?2), ?3, ?4, ?5, ?5, ?6, ?7, ?8, ?9) RETURNING id`,
			cam, day, uid, path, start, closed, rowEnd, rowSize, rowParts).Scan(&segment)
		if err != nil {
			return err
		}
		if err := db.QueryRowContext(ctx, "INSERT INTO format (segment, data) VALUES (?, ?) RETURNING id", segment, format).Scan(&form); err != nil {
			return err
		}
		_, err = db.ExecContext(ctx, `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1)
			INSERT INTO part SELECT ?2, ?3 + i * ?4, ?3 + (i + 1) * ?4, ?5, i, ?6 + i * ?7, ?7, 2, 0, ?8, ?9, NULL FROM n`,
			n-first, cam, start, length, segment, header, record, form, samples)
		if err != nil {
			return err
		}
		if run == 0 || h%6 == 0 {
			run = start
		}
		_, err = db.ExecContext(ctx, "INSERT INTO run (camera, start, finish) VALUES (?1, ?2, ?3) ON CONFLICT (camera, start) DO UPDATE SET finish = ?3", cam, run, end)
		if err != nil {
			return err
		}
	}
	return nil
}

// sparse makes a file of size bytes that holds the header of a segment.
func sparse(path string, uid []byte, size int64) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append([]byte("VEILRNG\x01"), uid...))
	return errors.Join(err, f.Truncate(size), f.Close())
}
