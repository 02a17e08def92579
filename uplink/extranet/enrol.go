package extranet

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"veilbox/appliance/audit"
	"veilbox/appliance/incident"
	"veilbox/capture/footage"
	"veilbox/internal/passkey"
	"veilbox/internal/sqlitedb"
	"veilbox/uplink/wire"
)

func (s *Server) enrol(ctx context.Context, r *http.Request) (any, error) {
	if !s.enrols.AllowN(time.Now(), 1) { // against guessing, so real time
		return nil, errBusy
	}
	var q wire.EnrolRequest
	if err := decode(r, wire.MaxMessage, &q); err != nil {
		return nil, err
	}
	b := box{ID: wire.BoxID(wire.NewID()), Name: q.Name}
	var name string
	var resp wire.EnrolResponse
	err := sqlitedb.Tx(ctx, s.db, func(tx *sql.Tx) error {
		var expires int64
		var used sql.NullInt64
		var active bool
		err := tx.QueryRowContext(ctx, "SELECT c.member, c.expires, c.used, m.active, m.name FROM code c JOIN member m ON m.id = c.member WHERE c.hash = ?", hashOf(q.Secret)).
			Scan(&b.Member, &expires, &used, &active, &name)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return errCodeBad
		case err != nil:
			return err
		case used.Valid:
			return errCodeUsed
		case ms(s.now()) >= expires:
			return errCodeExpired
		case !active:
			return errRevoked
		}
		cert, err := s.ca.box(q.CSR, b.ID, b.Member)
		if err != nil {
			return err
		}
		resp = wire.EnrolResponse{Box: b.ID, Member: b.Member, MemberName: name, Certificate: cert.Raw, CA: s.ca.cert.Raw}
		now := ms(s.now())
		for _, st := range []struct {
			q string
			a []any
		}{
			{"UPDATE code SET used = ?, box = ? WHERE hash = ?", []any{now, b.ID, hashOf(q.Secret)}},
			{"INSERT INTO box (id, member, name, hpke, signing, audit, enrolled) VALUES (?,?,?,?,?,?,?)", []any{b.ID, b.Member, b.Name, q.HPKE, q.Signing, q.Audit, now}},
			{"INSERT INTO certificate (serial, box, not_after) VALUES (?,?,?)", []any{cert.SerialNumber.String(), b.ID, ms(cert.NotAfter)}},
		} {
			if _, err := tx.ExecContext(ctx, st.q, st.a...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("extranet: enrol: %w", err)
	}
	return resp, s.note(ctx, "box.enrol", byBox(b), map[string]string{"box": string(b.ID), "member": string(b.Member)}, "")
}

func (s *Server) renew(ctx context.Context, b box, r *http.Request) (any, error) {
	var q wire.RenewRequest
	if err := decode(r, wire.MaxMessage, &q); err != nil {
		return nil, err
	}
	cert, err := s.ca.box(q.CSR, b.ID, b.Member)
	if err != nil {
		return nil, err
	}
	if _, err := s.db.ExecContext(ctx, "INSERT INTO certificate (serial, box, not_after) VALUES (?,?,?)", cert.SerialNumber.String(), b.ID, ms(cert.NotAfter)); err != nil {
		return nil, fmt.Errorf("extranet: %w", err)
	}
	return wire.RenewResponse{Certificate: cert.Raw}, s.note(ctx, "box.renew", byBox(b), map[string]string{"box": string(b.ID)}, "")
}

// directory lists everyone; an assessor that waits is shown to its own shop only.
func (s *Server) directory(ctx context.Context, b box, _ *http.Request) (any, error) {
	d := wire.Directory{At: s.now(), Self: b.ID}
	at := map[incident.MemberID]int{}
	if err := s.each(ctx, "SELECT id, name, town, region, country, trade, chain, active, (SELECT coalesce(sum(people), 0) FROM box WHERE box.member = member.id AND revoked IS NULL) FROM member ORDER BY id", func(scan scanner) error {
		m := wire.Member{Boxes: []wire.BoxKeys{}, Assessors: []wire.AssessorKey{}}
		err := scan(&m.ID, &m.Name, &m.Town, &m.Region, &m.Country, &m.Trade, &m.Chain, &m.Active, &m.People)
		at[m.ID] = len(d.Members)
		d.Members = append(d.Members, m)
		return err
	}); err != nil {
		return nil, err
	}
	if err := s.each(ctx, "SELECT member, id, hpke, signing, revoked IS NOT NULL FROM box ORDER BY id", func(scan scanner) error {
		var m incident.MemberID
		var k wire.BoxKeys
		err := scan(&m, &k.Box, &k.HPKE, &k.Signing, &k.Revoked)
		if i, ok := at[m]; ok {
			d.Members[i].Boxes = append(d.Members[i].Boxes, k)
		}
		return err
	}); err != nil {
		return nil, err
	}
	err := s.each(ctx, "SELECT member, person, key_id, key, credential, rpid, state FROM assessor WHERE state <> 'pending' OR member = ? ORDER BY registered", func(scan scanner) error {
		var m incident.MemberID
		var k wire.AssessorKey
		var p passkey.Key
		err := scan(&m, &k.Person, &k.ID, &p.Public, &p.ID, &p.RPID, &k.State)
		if len(p.ID) > 0 {
			k.Key = &p
		} else {
			k.Ed25519 = p.Public
		}
		if i, ok := at[m]; ok {
			d.Members[i].Assessors = append(d.Members[i].Assessors, k)
		}
		return err
	}, b.Member)
	return d, err
}

type scanner func(...any) error

// each calls f with every row.
func (s *Server) each(ctx context.Context, q string, f func(scanner) error, args ...any) error {
	rows, err := s.db.QueryContext(ctx, q, args...)
	if err != nil {
		return fmt.Errorf("extranet: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return fmt.Errorf("extranet: %w", err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("extranet: %w", err)
	}
	return nil
}

// A box that has rewritten its audit log could keep its head to itself: one is asked
// for every headEvery, and a box that speaks and has shown none for headLate is
// flagged as one whose log does not hold together.
const (
	headEvery = 6 * time.Hour
	headLate  = 24 * time.Hour
)

// lateHeads is the condition, in SQL, of a box whose head is overdue.
var lateHeads = fmt.Sprintf("revoked IS NULL AND beat IS NOT NULL AND beat - coalesce(head_at, enrolled) >= %d", headLate.Milliseconds())

func (s *Server) heartbeat(ctx context.Context, b box, r *http.Request) (any, error) {
	var q wire.HeartbeatRequest
	if err := decode(r, wire.MaxMessage, &q); err != nil {
		return nil, err
	}
	health, err := json.Marshal(q.Health)
	if err != nil {
		return nil, fmt.Errorf("extranet: %w", err)
	}
	resp := wire.HeartbeatResponse{At: s.now()}
	var shown int64
	err = s.db.QueryRowContext(ctx, "UPDATE box SET beat = ?, program = ?, health = ?, people = ?, accepted = ?, conditions = ? WHERE id = ? RETURNING head_size, coalesce(head_at, 0)", ms(resp.At), q.Program, string(health), q.People, q.Accepted, q.Conditions, b.ID).Scan(&resp.HeadSize, &shown)
	if err != nil {
		return nil, fmt.Errorf("extranet: %w", err)
	}
	resp.HeadDue = resp.At.Sub(fromMS(shown)) >= headEvery
	resp.Renew = r.TLS.VerifiedChains[0][0].NotAfter.Sub(resp.At) < renewEarly
	return resp, nil
}

// heads keeps the head of a box's audit log where it extends the last one, and
// raises an alarm where it does not. The alarm stays until the operator has
// looked.
func (s *Server) heads(ctx context.Context, b box, r *http.Request) (any, error) {
	var q wire.HeadRequest
	if err := decode(r, wire.MaxMessage, &q); err != nil {
		return nil, err
	}
	var verifier, last string
	var size int64
	if err := s.db.QueryRowContext(ctx, "SELECT audit, head, head_size FROM box WHERE id = ?", b.ID).Scan(&verifier, &last, &size); err != nil {
		return nil, fmt.Errorf("extranet: %w", err)
	}
	h, err := audit.ParseHead([]byte(q.Head), verifier)
	if err == nil && last != "" {
		if h.Size >= size && q.From != size {
			return nil, errMessage.With(fmt.Errorf("extranet: proof from %d, the last head has %d", q.From, size))
		}
		err = extends(last, verifier, h, q.Proof)
	}
	now := s.now()
	if err != nil {
		if _, e := s.db.ExecContext(ctx, "UPDATE box SET alarm = coalesce(alarm, ?) WHERE id = ?", ms(now), b.ID); e != nil {
			return nil, fmt.Errorf("extranet: %w", e)
		}
		s.o.Log.Error("audit log of a box does not extend the one known", "box", b.ID, "member", b.Member, "err", err)
		if e := s.note(ctx, "box.audit-alarm", byBox(b), map[string]string{"box": string(b.ID), "member": string(b.Member)}, err.Error()); e != nil {
			return nil, e
		}
		return nil, errHead.With(err)
	}
	// Only in place of the head that it was held against: of two calls at once, one
	// could otherwise put a fork after the other.
	res, err := s.db.ExecContext(ctx, "UPDATE box SET head = ?, head_size = ?, head_at = ? WHERE id = ? AND head = ?", q.Head, h.Size, ms(now), b.ID, last)
	if err != nil {
		return nil, fmt.Errorf("extranet: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return nil, errors.Join(errBusy, err)
	}
	return wire.OK{}, nil
}

func extends(last, verifier string, h audit.Head, proof []footage.Hash) error {
	old, err := audit.ParseHead([]byte(last), verifier)
	if err != nil {
		return err
	}
	return audit.CheckConsistency(old, h, treeProof(proof))
}
