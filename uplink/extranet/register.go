package extranet

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"time"

	"veilbox/appliance/incident"
	"veilbox/capture/footage"
	"veilbox/internal/sqlitedb"
	"veilbox/uplink/fleet"
	"veilbox/uplink/wire"
)

type memberRow struct {
	ID      incident.MemberID `json:"id"`
	Name    string            `json:"name"`
	Town    string            `json:"town"`
	Region  string            `json:"region"`
	Country string            `json:"country"`
	Trade   string            `json:"trade"`
	Chain   string            `json:"chain"`
	Active  bool              `json:"active"`
	Joined  time.Time         `json:"joined,omitzero"`
	Changed time.Time         `json:"changed,omitzero"`
}

func (s *Server) listMembers(ctx context.Context, _ string, _ *http.Request) (any, error) {
	out := []memberRow{}
	err := s.each(ctx, "SELECT id, name, town, region, country, trade, chain, active, joined, changed FROM member ORDER BY name, id", func(scan scanner) error {
		var m memberRow
		var joined, changed int64
		err := scan(&m.ID, &m.Name, &m.Town, &m.Region, &m.Country, &m.Trade, &m.Chain, &m.Active, &joined, &changed)
		m.Joined, m.Changed = fromMS(joined), fromMS(changed)
		out = append(out, m)
		return err
	})
	return out, err
}

// putMember adds or changes a member; the running list keeps every change (S1).
func (s *Server) putMember(ctx context.Context, name string, r *http.Request) (any, error) {
	var m memberRow
	if err := input(r, &m); err != nil {
		return nil, err
	}
	for _, f := range []string{m.Name, m.Town, m.Region, m.Trade} {
		if err := text(f, wire.MaxName); err != nil {
			return nil, errInput.With(err)
		}
	}
	if !wire.ValidMember(m.ID) || len(m.Country) != 2 || wire.Text("the chain", m.Chain, wire.MaxName, false) != nil {
		return nil, errInput
	}
	what := "added"
	err := sqlitedb.Tx(ctx, s.db, func(tx *sql.Tx) error {
		var was bool
		err := tx.QueryRowContext(ctx, "SELECT active FROM member WHERE id = ?", m.ID).Scan(&was)
		switch {
		case err == nil && was == m.Active:
			what = "changed"
		case err == nil && m.Active:
			what = "joined again"
		case err == nil:
			what = "left"
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		now := ms(s.now())
		if _, err := tx.ExecContext(ctx, `INSERT INTO member (id, name, town, region, country, trade, chain, active, joined, changed) VALUES (?,?,?,?,?,?,?,?,?,?)
			ON CONFLICT (id) DO UPDATE SET name = excluded.name, town = excluded.town, region = excluded.region, country = excluded.country,
			trade = excluded.trade, chain = excluded.chain, active = excluded.active, changed = excluded.changed`,
			m.ID, m.Name, m.Town, m.Region, m.Country, m.Trade, m.Chain, m.Active, now, now); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO member_log (at, member, what, operator) VALUES (?,?,?,?)", now, m.ID, what+": "+m.Name+", "+m.Town, name)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("extranet: %w", err)
	}
	if err := s.note(ctx, "member.put", operator(name), map[string]string{"member": string(m.ID), "what": what}, ""); err != nil {
		return nil, err
	}
	if what == "left" {
		return m, s.memberLeft(ctx, m.ID, name)
	}
	return m, nil
}

// memberLeft ends what the member had disclosed, because nobody watches the
// conditions any longer (V8), and takes back what was sealed to it.
func (s *Server) memberLeft(ctx context.Context, id incident.MemberID, name string) error {
	var own []incident.DisclosureID
	if err := s.each(ctx, "SELECT id FROM disclosure WHERE member = ? AND state <> 'ended'", func(scan scanner) error {
		var d incident.DisclosureID
		err := scan(&d)
		own = append(own, d)
		return err
	}, id); err != nil {
		return err
	}
	var errs []error
	for _, d := range own {
		errs = append(errs, s.end(ctx, d, wire.Ending{At: s.now(), Code: wire.EndOperator, Reason: "Afsenderen er ikke længere tilsluttet. / The sender is no longer connected.", By: name}, operator(name)))
	}
	for _, q := range []string{"DELETE FROM wrapped WHERE member = ?", "UPDATE viewing SET token = NULL WHERE member = ?"} {
		if _, err := s.db.ExecContext(ctx, q, id); err != nil {
			errs = append(errs, fmt.Errorf("extranet: %w", err))
		}
	}
	return errors.Join(errs...)
}

type memberLogRow struct {
	At       time.Time         `json:"at"`
	Member   incident.MemberID `json:"member"`
	What     string            `json:"what"`
	Operator string            `json:"operator"`
}

func (s *Server) memberLog(ctx context.Context, _ string, _ *http.Request) (any, error) {
	out := []memberLogRow{}
	err := s.each(ctx, "SELECT at, member, what, operator FROM member_log ORDER BY id DESC LIMIT 10000", func(scan scanner) error {
		var l memberLogRow
		var at int64
		err := scan(&at, &l.Member, &l.What, &l.Operator)
		l.At = fromMS(at)
		out = append(out, l)
		return err
	})
	return out, err
}

type codeAnswer struct {
	Code    string    `json:"code"`
	Expires time.Time `json:"expires"`
}

// makeCode makes a code that enrols one box of a member, once.
func (s *Server) makeCode(ctx context.Context, name string, r *http.Request) (any, error) {
	if err := none(r); err != nil {
		return nil, err
	}
	member := incident.MemberID(r.PathValue("id"))
	var active bool
	err := s.db.QueryRowContext(ctx, "SELECT active FROM member WHERE id = ?", member).Scan(&active)
	if errors.Is(err, sql.ErrNoRows) || err == nil && !active {
		return nil, errNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("extranet: %w", err)
	}
	c := fleet.Code{URL: s.o.URL, CA: footage.Hash(sha256.Sum256(s.ca.cert.Raw)), Secret: secret()}
	now := s.now()
	a := codeAnswer{c.String(), now.Add(s.o.CodeLife)}
	if _, err := s.db.ExecContext(ctx, "INSERT INTO code (hash, member, created, expires, operator) VALUES (?,?,?,?,?)", hashOf(c.Secret), member, ms(now), ms(a.Expires), name); err != nil {
		return nil, fmt.Errorf("extranet: %w", err)
	}
	return a, s.note(ctx, "member.code", operator(name), map[string]string{"member": string(member)}, "")
}

type boxRow struct {
	ID       wire.BoxID        `json:"id"`
	Member   incident.MemberID `json:"member"`
	Name     string            `json:"name"`
	Enrolled time.Time         `json:"enrolled"`
	Revoked  *time.Time        `json:"revoked,omitempty"`
	Beat     *time.Time        `json:"beat,omitempty"`
	Program  string            `json:"program"`
	People   int               `json:"people"` // who may view there
	// Accepted is how many of these have accepted that version of the conditions.
	Accepted   int        `json:"accepted"`
	Conditions string     `json:"conditions"`
	HeadSize   int64      `json:"head_size"`
	HeadAt     *time.Time `json:"head_at,omitempty"`
	Alarm      *time.Time `json:"alarm,omitempty"` // its audit log did not extend the one known
	Late       bool       `json:"late"`            // it speaks, and has not shown its audit log for a day
	Until      time.Time  `json:"until"`           // its certificate
}

func (s *Server) listBoxes(ctx context.Context, _ string, _ *http.Request) (any, error) {
	out := []boxRow{}
	err := s.each(ctx, `SELECT id, member, name, enrolled, revoked, beat, program, people, accepted, conditions, head_size, head_at, alarm,
		(SELECT max(not_after) FROM certificate c WHERE c.box = box.id), `+lateHeads+` FROM box ORDER BY member, name`, func(scan scanner) error {
		var b boxRow
		var enrolled, until int64
		var revoked, beat, head, alarm sql.NullInt64
		err := scan(&b.ID, &b.Member, &b.Name, &enrolled, &revoked, &beat, &b.Program, &b.People, &b.Accepted, &b.Conditions, &b.HeadSize, &head, &alarm, &until, &b.Late)
		b.Enrolled, b.Until, b.Revoked, b.Beat, b.HeadAt, b.Alarm = fromMS(enrolled), fromMS(until), timePtr(revoked), timePtr(beat), timePtr(head), timePtr(alarm)
		out = append(out, b)
		return err
	})
	return out, err
}

// revokeBox shuts a box out for good, and takes back what was sealed to it.
func (s *Server) revokeBox(ctx context.Context, name string, r *http.Request) (any, error) {
	why, err := reason(r)
	if err != nil {
		return nil, err
	}
	id := r.PathValue("id")
	err = sqlitedb.Tx(ctx, s.db, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, "UPDATE box SET revoked = coalesce(revoked, ?) WHERE id = ?", ms(s.now()), id)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(errNotFound, err)
		}
		for _, q := range []string{"DELETE FROM wrapped WHERE box = ?", "UPDATE viewing SET token = NULL WHERE box = ?"} {
			if _, err := tx.ExecContext(ctx, q, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("extranet: %w", err)
	}
	return ok{true}, s.note(ctx, "box.revoke", operator(name), map[string]string{"box": id}, why)
}

// clearAlarm says that the operator has looked into a box's audit log. Its known
// head stays: a log that was replaced alarms again.
func (s *Server) clearAlarm(ctx context.Context, name string, r *http.Request) (any, error) {
	why, err := reason(r)
	if err != nil {
		return nil, err
	}
	res, err := s.db.ExecContext(ctx, "UPDATE box SET alarm = NULL WHERE id = ?", r.PathValue("id"))
	if err != nil {
		return nil, fmt.Errorf("extranet: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return nil, errors.Join(errNotFound, err)
	}
	return ok{true}, s.note(ctx, "box.alarm-seen", operator(name), map[string]string{"box": r.PathValue("id")}, why)
}
