package extranet

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"veilbox/appliance/incident"
	"veilbox/capture/footage"
	"veilbox/internal/passkey"
	"veilbox/internal/sqlitedb"
	"veilbox/uplink/wire"
)

func treeProof(p []footage.Hash) tlog.TreeProof {
	out := make(tlog.TreeProof, len(p))
	for i, h := range p {
		out[i] = tlog.Hash(h)
	}
	return out
}

// assessorCard is what is sealed of an assessor.
type assessorCard struct {
	Name          string                 `json:"name"`
	Qualification incident.Qualification `json:"qualification"`
}

// maxPending bounds what a member has waiting for the operator.
const maxPending = 100

func assessorContext(member incident.MemberID, id wire.KeyID) string {
	return "assessor/" + string(member) + "/" + string(id)
}

// registerAssessor takes the public half of an assessor's passkey. It counts for
// nothing until the operator confirms it (V9). A key that is confirmed stays as it
// is, whatever comes; a new qualification of its person waits beside the old one.
func (s *Server) registerAssessor(ctx context.Context, b box, r *http.Request) (any, error) {
	var q wire.AssessorRequest
	if err := decode(r, wire.MaxMessage, &q); err != nil {
		return nil, err
	}
	if err := q.Check(b.Member); err != nil {
		return nil, errMessage.With(err)
	}
	id := wire.KeyIDOf(q.Key)
	card := assessorCard{q.Name, q.Qualification}
	sealed, err := s.seal(assessorContext(b.Member, id), card)
	if err != nil {
		return nil, err
	}
	resp := wire.AssessorResponse{Key: id}
	act := ""
	err = sqlitedb.Tx(ctx, s.db, func(tx *sql.Tx) error {
		var holder incident.PersonID
		var had []byte
		err := tx.QueryRowContext(ctx, "SELECT person, state, sealed FROM assessor WHERE member = ? AND key_id = ?", b.Member, id).Scan(&holder, &resp.State, &had)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			act, resp.State = "assessor.register", wire.AssessorPending
			return insertAssessor(ctx, tx, b, q, id, sealed, ms(s.now()))
		case err != nil:
			return err
		case holder != q.Person:
			return errKeyTaken
		}
		var was assessorCard
		if err := s.unseal(assessorContext(b.Member, id), had, &was); err != nil {
			return err
		}
		switch {
		case resp.State == wire.AssessorPending:
			_, err = tx.ExecContext(ctx, "UPDATE assessor SET sealed = ? WHERE member = ? AND key_id = ?", sealed, b.Member, id)
		case resp.State == wire.AssessorConfirmed && !was.equal(card):
			act = "assessor.requalify"
			_, err = tx.ExecContext(ctx, "UPDATE assessor SET next = ? WHERE member = ? AND key_id = ?", sealed, b.Member, id)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("extranet: register the assessor: %w", err)
	}
	if act != "" {
		err = s.note(ctx, act, byBox(b), map[string]string{"member": string(b.Member), "person": string(q.Person), "key": string(id)}, "")
	}
	return resp, err
}

func insertAssessor(ctx context.Context, tx *sql.Tx, b box, q wire.AssessorRequest, id wire.KeyID, sealed []byte, now int64) error {
	var n int
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM assessor WHERE member = ? AND state = 'pending'", b.Member).Scan(&n); err != nil {
		return err
	}
	if n >= maxPending {
		return errBusy
	}
	_, err := tx.ExecContext(ctx, "INSERT INTO assessor (key_id, member, person, key, credential, rpid, file, sealed, state, registered) VALUES (?,?,?,?,?,?,?,?,'pending',?)",
		id, b.Member, q.Person, q.Key.Public, q.Key.ID, q.Key.RPID, q.File, sealed, now)
	return err
}

func (c assessorCard) equal(d assessorCard) bool {
	p, q := c.Qualification, d.Qualification
	return c.Name == d.Name && p.Education == q.Education && p.Experience == q.Experience && slices.Equal(p.Competences, q.Competences) && p.From.Equal(q.From) && p.To.Equal(q.To)
}

// assessorKey returns the passkey that the operator has confirmed for a, where it
// may approve for member at now.
func (s *Server) assessorKey(ctx context.Context, member incident.MemberID, a wire.Assessor, now time.Time) (passkey.Key, error) {
	var k passkey.Key
	var sealed []byte
	var state wire.AssessorState
	err := s.db.QueryRowContext(ctx, "SELECT key, credential, rpid, sealed, state FROM assessor WHERE member = ? AND key_id = ? AND person = ? AND credential <> x''", member, a.Key, a.ID).
		Scan(&k.Public, &k.ID, &k.RPID, &sealed, &state)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return k, errAssessorUnknown
	case err != nil:
		return k, fmt.Errorf("extranet: %w", err)
	case state == wire.AssessorPending:
		return k, errAssessorPending
	case state != wire.AssessorConfirmed:
		return k, errAssessorEnded
	}
	var card assessorCard
	if err := s.unseal(assessorContext(member, a.Key), sealed, &card); err != nil {
		return k, err
	}
	if !card.Qualification.Valid(now) {
		return k, errAssessorEnded
	}
	return k, nil
}

type assessorRow struct {
	Member        incident.MemberID      `json:"member"`
	Person        incident.PersonID      `json:"person"`
	Key           wire.KeyID             `json:"key"`  // the fingerprint to compare with the person's own
	Host          string                 `json:"host"` // that the passkey was made for; empty: an older kind of key
	File          bool                   `json:"file"` // the key is a file on a computer, no authenticator
	Name          string                 `json:"name"`
	Qualification incident.Qualification `json:"qualification"`
	State         wire.AssessorState     `json:"state"`
	Registered    time.Time              `json:"registered"`
	Decided       *time.Time             `json:"decided,omitempty"`
	Operator      string                 `json:"operator,omitempty"` // who decided
	Expired       bool                   `json:"expired"`            // the qualification no longer holds, or does not yet
	// Next is a qualification that waits to take the place of the confirmed one.
	Next     *incident.Qualification `json:"next,omitempty"`
	NextName string                  `json:"next_name,omitempty"`
}

func (s *Server) listAssessors(ctx context.Context, _ string, _ *http.Request) (any, error) {
	out := []assessorRow{}
	now := s.now()
	err := s.each(ctx, `SELECT member, person, key_id, rpid, file, sealed, next, state, registered, decided, coalesce(operator, '') FROM assessor
		ORDER BY state = 'pending' OR next IS NOT NULL DESC, registered DESC`, func(scan scanner) error {
		var a assessorRow
		var sealed, next []byte
		var registered int64
		var decided sql.NullInt64
		if err := scan(&a.Member, &a.Person, &a.Key, &a.Host, &a.File, &sealed, &next, &a.State, &registered, &decided, &a.Operator); err != nil {
			return err
		}
		var card assessorCard
		if err := s.unseal(assessorContext(a.Member, a.Key), sealed, &card); err != nil {
			return err
		}
		a.Name, a.Qualification, a.Registered, a.Decided = card.Name, card.Qualification, fromMS(registered), timePtr(decided)
		a.Expired = !a.Qualification.Valid(now)
		if next != nil {
			var card assessorCard
			if err := s.unseal(assessorContext(a.Member, a.Key), next, &card); err != nil {
				return err
			}
			a.Next, a.NextName = &card.Qualification, card.Name
		}
		out = append(out, a)
		return nil
	})
	return out, err
}

// confirmAssessor lets a key approve, or a confirmed one go on with the
// qualification that waits. The person's other passkeys stay; keys of the older
// kind, which approve nothing new, are replaced.
func (s *Server) confirmAssessor(ctx context.Context, name string, r *http.Request) (any, error) {
	return s.decideAssessor(ctx, name, r, "assessor.confirm", func(tx *sql.Tx, member, key, person string, now int64) (sql.Result, error) {
		if _, err := tx.ExecContext(ctx, "UPDATE assessor SET state = 'replaced', decided = ? WHERE member = ? AND person = ? AND state = 'confirmed' AND credential = x''", now, member, person); err != nil {
			return nil, err
		}
		return tx.ExecContext(ctx, `UPDATE assessor SET state = 'confirmed', decided = ?, operator = ?, sealed = coalesce(next, sealed), next = NULL
			WHERE member = ? AND key_id = ? AND credential <> x'' AND (state = 'pending' OR state = 'confirmed' AND next IS NOT NULL)`, now, name, member, key)
	})
}

func (s *Server) revokeAssessor(ctx context.Context, name string, r *http.Request) (any, error) {
	return s.decideAssessor(ctx, name, r, "assessor.revoke", func(tx *sql.Tx, member, key, _ string, now int64) (sql.Result, error) {
		return tx.ExecContext(ctx, "UPDATE assessor SET state = 'revoked', decided = ?, operator = ?, next = NULL WHERE member = ? AND key_id = ?", now, name, member, key)
	})
}

func (s *Server) decideAssessor(ctx context.Context, name string, r *http.Request, act string, f func(tx *sql.Tx, member, key, person string, now int64) (sql.Result, error)) (any, error) {
	why, err := reason(r)
	if err != nil {
		return nil, err
	}
	member, key := r.PathValue("member"), r.PathValue("key")
	var person string
	err = sqlitedb.Tx(ctx, s.db, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, "SELECT person FROM assessor WHERE member = ? AND key_id = ?", member, key).Scan(&person)
		if errors.Is(err, sql.ErrNoRows) {
			return errNotFound
		}
		if err != nil {
			return err
		}
		res, err := f(tx, member, key, person, ms(s.now()))
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(errExists, err)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("extranet: %w", err)
	}
	return ok{true}, s.note(ctx, act, operator(name), map[string]string{"member": member, "person": person, "key": key}, why)
}
