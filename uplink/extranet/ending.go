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

// Sweep ends every disclosure that is due by the clock, and removes what an
// earlier ending could not.
func (s *Server) Sweep(ctx context.Context) error {
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
	errs = append(errs, s.purge(ctx))
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

// end ends a disclosure once: keys, alert and tokens go in the same transaction
// as the new state, the ciphertext right after. A file that cannot be removed
// stays marked, is counted, and is tried again at each sweep.
func (s *Server) end(ctx context.Context, id incident.DisclosureID, e wire.Ending, who audit.Who) error {
	sealed, err := s.seal("ending/"+string(id), e)
	if err != nil {
		return err
	}
	s.life.Lock()
	ended := false
	err = sqlitedb.Tx(ctx, s.db, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, "UPDATE disclosure SET state = 'ended', ended = ?, end_code = ?, ending = ?, alert = NULL, purge = 1 WHERE id = ? AND state <> 'ended'", ms(e.At), e.Code, sealed, id)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if err != nil || n == 0 {
			return err
		}
		ended = true
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
	if !ended {
		return nil
	}
	s.met.ended.WithLabelValues(string(e.Code)).Inc()
	s.o.Log.Info("disclosure ended", "disclosure", id, "code", e.Code)
	return errors.Join(
		s.note(ctx, "disclosure.end", who, map[string]string{"disclosure": string(id), "code": string(e.Code), "at": e.At.Format(time.RFC3339)}, e.Reason),
		s.keepHigh(ctx), s.purge(ctx))
}

// purge removes the files of what has ended, and then the last pages of its keys
// from the write-ahead log.
func (s *Server) purge(ctx context.Context) error {
	var ids []incident.DisclosureID
	if err := s.each(ctx, "SELECT id FROM disclosure WHERE purge = 1", func(scan scanner) error {
		var id incident.DisclosureID
		err := scan(&id)
		ids = append(ids, id)
		return err
	}); err != nil {
		return err
	}
	if len(ids) == 0 {
		return nil
	}
	var errs []error
	for _, id := range ids {
		if err := s.removeFiles(id); err != nil {
			s.met.purgeFailed.Inc()
			errs = append(errs, err)
			continue
		}
		if _, err := s.db.ExecContext(ctx, "UPDATE disclosure SET purge = 0 WHERE id = ?", id); err != nil {
			errs = append(errs, fmt.Errorf("extranet: %w", err))
		}
	}
	if _, err := s.db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		errs = append(errs, fmt.Errorf("extranet: clear the write-ahead log: %w", err))
	}
	return errors.Join(errs...)
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
