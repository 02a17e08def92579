package extranet

import (
	"context"
	"crypto/ed25519"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"veilbox/appliance/incident"
	"veilbox/capture/footage"
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

// registerAssessor takes an assessor's public key. It counts for nothing until
// the operator confirms it (V9); the person's earlier keys go on until then.
func (s *Server) registerAssessor(ctx context.Context, b box, r *http.Request) (any, error) {
	var q wire.AssessorRequest
	if err := decode(r, wire.MaxMessage, &q); err != nil {
		return nil, err
	}
	if err := q.Check(b.Member); err != nil {
		return nil, errMessage.With(err)
	}
	id := wire.KeyIDOf(q.Key)
	sealed, err := s.seal("assessor/"+string(b.Member)+"/"+string(id), assessorCard{q.Name, q.Qualification})
	if err != nil {
		return nil, err
	}
	resp := wire.AssessorResponse{Key: id}
	made := false
	err = sqlitedb.Tx(ctx, s.db, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, "SELECT state FROM assessor WHERE member = ? AND key_id = ?", b.Member, id).Scan(&resp.State)
		if err == nil {
			if resp.State != wire.AssessorPending {
				return nil
			}
			_, err = tx.ExecContext(ctx, "UPDATE assessor SET sealed = ? WHERE member = ? AND key_id = ? AND person = ?", sealed, b.Member, id, q.Person)
			return err
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		var n int
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM assessor WHERE member = ? AND state = 'pending'", b.Member).Scan(&n); err != nil {
			return err
		}
		if n >= 100 {
			return errBusy
		}
		resp.State, made = wire.AssessorPending, true
		_, err = tx.ExecContext(ctx, "INSERT INTO assessor (key_id, member, person, key, sealed, state, registered) VALUES (?,?,?,?,?,'pending',?)", id, b.Member, q.Person, q.Key, sealed, ms(s.now()))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("extranet: register the assessor: %w", err)
	}
	if made {
		err = s.note(ctx, "assessor.register", byBox(b), map[string]string{"member": string(b.Member), "person": string(q.Person), "key": string(id)}, "")
	}
	return resp, err
}

// assessorKey returns the key that may approve for member at now.
func (s *Server) assessorKey(ctx context.Context, member incident.MemberID, a wire.Assessor, now time.Time) (ed25519.PublicKey, error) {
	var key, sealed []byte
	var state wire.AssessorState
	err := s.db.QueryRowContext(ctx, "SELECT key, sealed, state FROM assessor WHERE member = ? AND key_id = ? AND person = ?", member, a.Key, a.ID).Scan(&key, &sealed, &state)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, errAssessorUnknown
	case err != nil:
		return nil, fmt.Errorf("extranet: %w", err)
	case state == wire.AssessorPending:
		return nil, errAssessorPending
	case state != wire.AssessorConfirmed:
		return nil, errAssessorEnded
	}
	var card assessorCard
	if err := s.unseal("assessor/"+string(member)+"/"+string(a.Key), sealed, &card); err != nil {
		return nil, err
	}
	if !card.Qualification.Valid(now) {
		return nil, errAssessorEnded
	}
	return key, nil
}
