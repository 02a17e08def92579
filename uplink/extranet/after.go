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
	"veilbox/internal/sqlitedb"
	"veilbox/uplink/wire"
)

// deleter is what is sealed of who recorded a deletion.
type deleter struct {
	Person incident.PersonID `json:"person"` // empty: the box, by itself
	Name   string            `json:"name"`
	Words  string            `json:"words"`
}

// deleted keeps that the caller's member has deleted what it had of a disclosure
// to which its access has ended (V6, V8). The first record sets the time; a
// person's takes the place of the box's own, and nothing else changes it.
func (s *Server) deleted(ctx context.Context, b box, r *http.Request) (any, error) {
	var q wire.DeletedRequest
	if err := decode(r, wire.MaxMessage, &q); err != nil {
		return nil, err
	}
	id, err := disclosureID(r)
	if err != nil {
		return nil, err
	}
	if err := s.expire(ctx); err != nil {
		return nil, err
	}
	switch ended, err := s.hadAccess(ctx, id, b.Member); {
	case err != nil:
		return nil, err
	case !ended:
		return nil, errNotEnded
	}
	sealed, err := s.seal("deleted/"+string(id), deleter{q.Person, q.Name, q.Words})
	if err != nil {
		return nil, err
	}
	kept := false
	err = sqlitedb.Tx(ctx, s.db, func(tx *sql.Tx) error {
		var by []byte
		if err := tx.QueryRowContext(ctx, "SELECT deleted_by FROM circle WHERE disclosure = ? AND member = ?", id, b.Member).Scan(&by); err != nil {
			return err
		}
		if by != nil {
			var had deleter
			if err := s.unseal("deleted/"+string(id), by, &had); err != nil {
				return err
			}
			if had.Person != "" || q.Person == "" {
				return nil
			}
		}
		kept = true
		_, err := tx.ExecContext(ctx, "UPDATE circle SET deleted = coalesce(deleted, ?), deleted_by = ? WHERE disclosure = ? AND member = ?", ms(s.now()), sealed, id, b.Member)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("extranet: keep the deletion: %w", err)
	}
	if !kept {
		return wire.OK{State: wire.StateEnded}, nil
	}
	who := byBox(b)
	if q.Person != "" {
		who = audit.Who{ID: string(q.Person), Name: q.Name, Role: "member " + string(b.Member)}
	}
	return wire.OK{State: wire.StateEnded}, s.note(ctx, "disclosure.deleted", who, map[string]string{"disclosure": string(id), "member": string(b.Member), "box": string(b.ID)}, q.Words)
}

// hadAccess reports whether member's access to a disclosure has ended; to one that
// it never had, it does not exist.
func (s *Server) hadAccess(ctx context.Context, id incident.DisclosureID, member incident.MemberID) (ended bool, err error) {
	var sender incident.MemberID
	var state wire.State
	var available, dropped sql.NullInt64
	err = s.db.QueryRowContext(ctx, "SELECT d.member, d.state, d.available, c.dropped FROM disclosure d JOIN circle c ON c.disclosure = d.id AND c.member = ? WHERE d.id = ?", member, id).
		Scan(&sender, &state, &available, &dropped)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return false, errNotFound
	case err != nil:
		return false, fmt.Errorf("extranet: %w", err)
	case sender == member || neverHad(available, dropped):
		return false, errNotFound
	}
	return dropped.Valid || state == wire.StateEnded, nil
}

// neverHad reports whether a member of a circle could at no time see what was
// disclosed: it never came, or the member dropped out before it did.
func neverHad(available, dropped sql.NullInt64) bool {
	return !available.Valid || dropped.Valid && dropped.Int64 < available.Int64
}

// droppedShown is how long after the end of a disclosure its sender's list says who
// has deleted: a box asks for the list several times a minute.
const droppedShown = 90 * 24 * time.Hour

// dropped lists, for the senders of own disclosures, the members whose access has
// ended and who of them has recorded a deletion.
func (s *Server) dropped(ctx context.Context, sender incident.MemberID) (map[incident.DisclosureID][]incident.Dropped, error) {
	out := map[incident.DisclosureID][]incident.Dropped{}
	err := s.each(ctx, `SELECT d.id, c.member, d.available, d.ended, c.dropped, c.deleted FROM disclosure d JOIN circle c ON c.disclosure = d.id
		WHERE d.member = ?1 AND c.member <> ?1 AND (d.ended >= ?2 OR d.ended IS NULL AND c.dropped IS NOT NULL) ORDER BY d.received, c.member`, func(scan scanner) error {
		var id incident.DisclosureID
		var x incident.Dropped
		var available, ended, dropped, deleted sql.NullInt64
		if err := scan(&id, &x.Member, &available, &ended, &dropped, &deleted); err != nil {
			return err
		}
		x.Told, x.Deleted = timePtr(ended), timePtr(deleted)
		if dropped.Valid {
			x.Told = timePtr(dropped)
		}
		if neverHad(available, dropped) {
			x.Deleted = x.Told // there was nothing to delete
		}
		out[id] = append(out[id], x)
		return nil
	}, sender, ms(s.now().Add(-droppedShown)))
	return out, err
}

// deleteWithin is how long a member may take to record a deletion before the
// operator is told.
const deleteWithin = 48 * time.Hour

// undeleted counts the members that have had access, have it no more, and have not
// recorded that what they had is deleted. Who has left cannot record it.
func (s *Server) undeleted() float64 {
	return s.count(fmt.Sprintf(`SELECT count(*) FROM circle c JOIN disclosure d ON d.id = c.disclosure JOIN member m ON m.id = c.member
		WHERE c.member <> d.member AND m.active AND d.available IS NOT NULL AND c.deleted IS NULL AND (c.dropped IS NULL OR c.dropped >= d.available)
		AND coalesce(c.dropped, d.ended) < %d`, ms(s.now().Add(-deleteWithin))))
}

// accessesMost bounds what a sender is shown of its access log.
const accessesMost = 1000

// accesses is the access log of an own disclosure (S6). It tells the shop, the
// function, the purpose and the account's name; the names of another shop's people
// stay with the operator.
func (s *Server) accesses(ctx context.Context, b box, r *http.Request) (any, error) {
	d, err := s.own(ctx, b, r)
	if err != nil {
		return nil, err
	}
	log := wire.AccessLog{At: s.now(), Items: []wire.Access{}}
	err = s.each(ctx, "SELECT v.id, v.at, v.member, coalesce(m.name, ''), v.sealed FROM viewing v LEFT JOIN member m ON m.id = v.member WHERE v.disclosure = ? ORDER BY v.id DESC LIMIT ?", func(scan scanner) error {
		var a wire.Access
		var at int64
		var sealed []byte
		if err := scan(&a.Number, &at, &a.Member, &a.MemberName, &sealed); err != nil {
			return err
		}
		var v viewer
		if err := s.unseal("viewing/"+string(d.ID), sealed, &v); err != nil {
			return err
		}
		a.At, a.Person, a.Function, a.Purpose = fromMS(at), v.Person, v.Function, v.Purpose
		log.Items = append(log.Items, a)
		return nil
	}, d.ID, accessesMost+1)
	if len(log.Items) > accessesMost {
		log.Items, log.More = log.Items[:accessesMost], true
	}
	if err != nil {
		return nil, err
	}
	return log, s.note(ctx, "access.own", byBox(b), map[string]string{"disclosure": string(d.ID), "member": string(b.Member)}, "")
}

// droppedRow is incident.Dropped with what the operator sees beside it.
type droppedRow struct {
	Member  incident.MemberID `json:"member"`
	Told    *time.Time        `json:"told,omitempty"`
	Deleted *time.Time        `json:"deleted,omitempty"`
	By      string            `json:"by,omitempty"`
	Words   string            `json:"words,omitempty"`
}

// deletions lists, for the operator, whose access has ended and what they recorded.
func (s *Server) deletions(ctx context.Context) (map[incident.DisclosureID][]droppedRow, error) {
	out := map[incident.DisclosureID][]droppedRow{}
	err := s.each(ctx, `SELECT d.id, c.member, d.available, d.ended, c.dropped, c.deleted, c.deleted_by FROM disclosure d JOIN circle c ON c.disclosure = d.id
		WHERE c.member <> d.member AND (d.ended IS NOT NULL OR c.dropped IS NOT NULL) ORDER BY c.member`, func(scan scanner) error {
		var id incident.DisclosureID
		var x droppedRow
		var available, ended, dropped, deleted sql.NullInt64
		var by []byte
		if err := scan(&id, &x.Member, &available, &ended, &dropped, &deleted, &by); err != nil {
			return err
		}
		if neverHad(available, dropped) {
			return nil
		}
		x.Told, x.Deleted = timePtr(ended), timePtr(deleted)
		if dropped.Valid {
			x.Told = timePtr(dropped)
		}
		if by != nil {
			var d deleter
			if err := s.unseal("deleted/"+string(id), by, &d); err != nil {
				return err
			}
			x.By, x.Words = d.Name, d.Words
		}
		out[id] = append(out[id], x)
		return nil
	})
	return out, err
}
