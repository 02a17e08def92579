package extranet

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"time"

	"veilbox/appliance/audit"
	"veilbox/appliance/incident"
	"veilbox/internal/clock"
	"veilbox/internal/sqlitedb"
	"veilbox/uplink/wire"
)

// sweepEvery is how often the clock is looked at without a call.
const sweepEvery = 30 * time.Second

func (s *Server) sweeper(ctx context.Context) {
	for {
		if err := clock.Sleep(ctx, s.o.Clock, sweepEvery); err != nil {
			return
		}
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.o.Log.Error("sweep failed; it is tried again", "err", err)
			s.met.sweepFailed.Inc()
		}
		if err := s.housekeep(ctx); err != nil && ctx.Err() == nil {
			s.o.Log.Error("housekeeping failed; it is tried again", "err", err)
		}
	}
}

type due struct {
	id  incident.DisclosureID
	end wire.Ending
}

// Sweep ends every disclosure that is due by the clock, and does what earlier
// endings could not.
func (s *Server) Sweep(ctx context.Context) error {
	return errors.Join(s.expire(ctx), s.purge(ctx))
}

// expire is the part of Sweep without which nothing may be shown.
func (s *Server) expire(ctx context.Context) error {
	now := s.now()
	var ends []due
	err := s.each(ctx, `SELECT id, ends, report_due, reported FROM disclosure WHERE state <> 'ended' AND (ends <= ?1 OR reported IS NULL AND report_due <= ?1)`, func(scan scanner) error {
		var id incident.DisclosureID
		var last, report int64
		var reported sql.NullInt64
		if err := scan(&id, &last, &report, &reported); err != nil {
			return err
		}
		e := wire.Ending{At: fromMS(last), Code: wire.EndThirtyDays, Reason: "30 days", By: "30 days"}
		if !reported.Valid && report <= last {
			e = wire.Ending{At: fromMS(report), Code: wire.EndReportMissing, Reason: "police report missing", By: "police report missing"}
		}
		ends = append(ends, due{id, e})
		return nil
	}, ms(now))
	if err != nil {
		return err
	}
	var errs []error
	for _, d := range ends {
		errs = append(errs, s.end(ctx, d.id, d.end, byClock()))
	}
	return errors.Join(errs...)
}

func (s *Server) housekeep(ctx context.Context) error {
	now := s.now()
	err := sqlitedb.Tx(ctx, s.db, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM viewing WHERE at < ? AND disclosure IN (SELECT id FROM disclosure WHERE state = 'ended')", ms(now.Add(-s.o.KeepAccess))); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE viewing SET token = NULL WHERE expires <= ? AND token IS NOT NULL", ms(now)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM session WHERE used < ? OR created < ?", ms(now.Add(-sessionIdle)), ms(now.Add(-sessionLife)))
		return err
	})
	if err != nil {
		return fmt.Errorf("extranet: %w", err)
	}
	return s.keepHigh(ctx)
}

// What is still to be done after an ending, bits of the column purge.
const (
	purgeFiles = 1 // remove the ciphertext
	purgeNote  = 2 // write the ending into the audit log
)

// ended is what is sealed of an ending.
type ended struct {
	wire.Ending
	Who audit.Who `json:"who"`
}

// end ends a disclosure once: keys, alert and tokens go in the same transaction
// as the new state. The ciphertext and the entry in the audit log follow at once;
// what of these fails, or is cut off by a power cut, is done by a later sweep.
func (s *Server) end(ctx context.Context, id incident.DisclosureID, e wire.Ending, who audit.Who) error {
	sealed, err := s.seal("ending/"+string(id), ended{e, who})
	if err != nil {
		return err
	}
	s.life.Lock()
	won := false
	err = sqlitedb.Tx(ctx, s.db, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, "UPDATE disclosure SET state = 'ended', ended = ?, end_code = ?, ending = ?, alert = NULL, purge = ? WHERE id = ? AND state <> 'ended'",
			ms(e.At), e.Code, sealed, purgeFiles|purgeNote, id)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if err != nil || n == 0 {
			return err
		}
		won = true
		if _, err := tx.ExecContext(ctx, "DELETE FROM wrapped WHERE disclosure = ?", id); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "UPDATE viewing SET token = NULL WHERE disclosure = ?", id)
		return err
	})
	s.life.Unlock()
	if err != nil {
		return fmt.Errorf("extranet: end %s: %w", id, err)
	}
	if !won {
		return nil
	}
	s.met.ended.WithLabelValues(string(e.Code)).Inc()
	s.o.Log.Info("disclosure ended", "disclosure", id, "code", e.Code)
	if err := s.purge(ctx); err != nil {
		// Nobody can open it any longer; the rest is the operator's to know, by
		// the health page and the log, and the sweep's to try again.
		s.o.Log.Error("what follows an ending failed; it is tried again", "disclosure", id, "err", err)
	}
	return s.keepHigh(ctx)
}

type unpurged struct {
	id     incident.DisclosureID
	bits   int
	ending []byte
}

// purge does what endings have left to do, and then takes the last pages of the
// keys out of the write-ahead log. A file that cannot be removed is counted.
func (s *Server) purge(ctx context.Context) error {
	s.purging.Lock()
	defer s.purging.Unlock()
	var left []unpurged
	if err := s.each(ctx, "SELECT id, purge, ending FROM disclosure WHERE purge <> 0", func(scan scanner) error {
		var u unpurged
		err := scan(&u.id, &u.bits, &u.ending)
		left = append(left, u)
		return err
	}); err != nil || len(left) == 0 {
		return err
	}
	var errs []error
	for _, u := range left {
		for bit, do := range map[int]func() error{
			purgeFiles: func() error { return s.removeFiles(u.id) },
			purgeNote:  func() error { return s.noteEnding(ctx, u) },
		} {
			if u.bits&bit == 0 {
				continue
			}
			if err := do(); err != nil {
				s.met.purgeFailed.Inc()
				errs = append(errs, err)
				continue
			}
			if _, err := s.db.ExecContext(ctx, "UPDATE disclosure SET purge = purge & ~? WHERE id = ?", bit, u.id); err != nil {
				errs = append(errs, fmt.Errorf("extranet: %w", err))
			}
		}
	}
	if _, err := s.db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		errs = append(errs, fmt.Errorf("extranet: clear the write-ahead log: %w", err))
	}
	return errors.Join(errs...)
}

func (s *Server) noteEnding(ctx context.Context, u unpurged) error {
	var e ended
	if err := s.unseal("ending/"+string(u.id), u.ending, &e); err != nil {
		return err
	}
	return s.note(ctx, "disclosure.end", e.Who, map[string]string{"disclosure": string(u.id), "code": string(e.Code), "at": e.At.UTC().Format(time.RFC3339)}, e.Reason)
}

func (s *Server) withdraw(ctx context.Context, b box, r *http.Request) (any, error) {
	var q wire.WithdrawRequest
	if err := decode(r, wire.MaxMessage, &q); err != nil {
		return nil, err
	}
	d, err := s.own(ctx, b, r)
	if err != nil {
		return nil, err
	}
	who := audit.Who{ID: string(q.Person), Name: q.Name, Role: "member " + string(b.Member)}
	if err := s.end(ctx, d.ID, wire.Ending{At: s.now(), Code: wire.EndWithdrawn, Reason: q.Reason, By: q.Name}, who); err != nil {
		return nil, err
	}
	return wire.OK{State: wire.StateEnded}, nil
}

// report documents the report to the police, in time or not at all: own has
// swept, so what is past due has ended.
func (s *Server) report(ctx context.Context, b box, r *http.Request) (any, error) {
	var q wire.ReportRequest
	if err := decode(r, wire.MaxMessage, &q); err != nil {
		return nil, err
	}
	d, err := s.own(ctx, b, r)
	if err != nil {
		return nil, err
	}
	switch {
	case d.State == wire.StateEnded:
		return nil, errEnded
	case q.At.After(s.now().Add(wire.Skew)) || q.At.After(d.ReportDue):
		return nil, errReport
	}
	res, err := s.db.ExecContext(ctx, "UPDATE disclosure SET reported = ?, report_hash = ? WHERE id = ? AND state <> 'ended' AND (reported IS NULL OR report_hash = '')", ms(q.At), q.Number.String(), d.ID)
	if err != nil {
		return nil, fmt.Errorf("extranet: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return wire.OK{State: d.State}, err
	}
	who := audit.Who{ID: string(q.Person), Name: q.Name, Role: "member " + string(b.Member)}
	return wire.OK{State: d.State}, s.note(ctx, "disclosure.report", who, map[string]string{"disclosure": string(d.ID), "number": q.Number.String(), "at": q.At.UTC().Format(time.RFC3339)}, "")
}

// reassess writes a reassessment down, and takes those who drop out of the
// circle off at once.
func (s *Server) reassess(ctx context.Context, b box, r *http.Request) (any, error) {
	var q wire.ReassessRequest
	if err := decode(r, wire.MaxMessage, &q); err != nil {
		return nil, err
	}
	d, err := s.own(ctx, b, r)
	if err != nil {
		return nil, err
	}
	if d.State == wire.StateEnded {
		return nil, errEnded
	}
	sealed, err := s.seal("ending/"+string(d.ID), wire.Ending{At: s.now(), Code: wire.EndNarrowed, Reason: q.Reason, By: q.Name})
	if err != nil {
		return nil, err
	}
	dropped := 0
	err = sqlitedb.Tx(ctx, s.db, func(tx *sql.Tx) error {
		for _, m := range q.Drop {
			res, err := tx.ExecContext(ctx, "UPDATE circle SET dropped = ?, ending = ? WHERE disclosure = ? AND member = ? AND dropped IS NULL", ms(s.now()), sealed, d.ID, m)
			if err != nil {
				return err
			}
			n, err := res.RowsAffected()
			if err != nil {
				return err
			}
			dropped += int(n)
			for _, st := range []string{"DELETE FROM wrapped WHERE disclosure = ? AND member = ?", "UPDATE viewing SET token = NULL WHERE disclosure = ? AND member = ?"} {
				if _, err := tx.ExecContext(ctx, st, d.ID, m); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("extranet: %w", err)
	}
	who := audit.Who{ID: string(q.Person), Name: q.Name, Role: "member " + string(b.Member)}
	return wire.OK{State: d.State}, s.note(ctx, "disclosure.reassess", who, map[string]string{"disclosure": string(d.ID), "dropped": fmt.Sprint(dropped)}, q.Reason)
}
