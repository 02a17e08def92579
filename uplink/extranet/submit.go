package extranet

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"time"

	"veilbox/appliance/incident"
	"veilbox/internal/clock"
	"veilbox/internal/problem"
	"veilbox/internal/sqlitedb"
	"veilbox/uplink/wire"
)

// submit takes a disclosure. All that the box's gate claims is checked again
// here, as far as it can be seen from outside.
func (s *Server) submit(ctx context.Context, b box, r *http.Request) (any, error) {
	var q wire.SubmitRequest
	if err := decode(r, wire.MaxSubmit, &q); err != nil {
		return nil, err
	}
	if resp, ok, err := s.known(ctx, b, q); ok || err != nil {
		return resp, err
	}
	m, err := s.judge(ctx, b, q)
	if err != nil {
		if e := s.note(ctx, "disclosure.refuse", byBox(b), map[string]string{"member": string(b.Member), "disclosure": string(m.Disclosure), "code": problem.Of(err).Code}, ""); e != nil {
			return nil, e
		}
		return nil, err
	}
	if err := s.take(ctx, b, q, m); err != nil {
		return nil, err
	}
	if err := s.openUpload(ctx, m.Disclosure, m.Content.Size); err != nil {
		return nil, err
	}
	return submitted(m.Disclosure, wire.StateUploading), s.note(ctx, "disclosure.submit", byBox(b), map[string]string{"member": string(b.Member), "disclosure": string(m.Disclosure), "assessor": string(m.Assessor.ID), "key": string(m.Assessor.Key)}, "")
}

func submitted(id incident.DisclosureID, st wire.State) wire.SubmitResponse {
	return wire.SubmitResponse{Disclosure: id, State: st, Upload: "/v1/uploads/" + string(id)}
}

// known answers a submission that is repeated because its answer was lost: it
// was judged then, and is not judged again by what has come since.
func (s *Server) known(ctx context.Context, b box, q wire.SubmitRequest) (any, bool, error) {
	m, err := q.Manifest.Parse()
	if err != nil {
		return nil, false, nil // judge says what is wrong
	}
	if err := s.expire(ctx); err != nil {
		return nil, false, err
	}
	d, err := s.find(ctx, m.Disclosure)
	if errors.Is(err, errNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	had, err := s.manifest(ctx, m.Disclosure)
	if err != nil {
		return nil, false, err
	}
	switch {
	case d.Box != b.ID || !bytes.Equal(had.Manifest, q.Manifest.Manifest):
		return nil, false, errTaken
	case d.State == wire.StateEnded:
		return nil, false, errEnded
	case d.State == wire.StateUploading:
		if err := s.openUpload(ctx, d.ID, d.Size); err != nil {
			return nil, false, err
		}
	}
	return submitted(d.ID, d.State), true, nil
}

func (s *Server) manifest(ctx context.Context, id incident.DisclosureID) (sm wire.SignedManifest, err error) {
	var sealed []byte
	if err := s.db.QueryRowContext(ctx, "SELECT manifest FROM disclosure WHERE id = ?", id).Scan(&sealed); err != nil {
		return sm, fmt.Errorf("extranet: %w", err)
	}
	return sm, s.unseal("manifest/"+string(id), sealed, &sm)
}

// judge returns the manifest where everything holds.
func (s *Server) judge(ctx context.Context, b box, q wire.SubmitRequest) (wire.Manifest, error) {
	now := s.now()
	m, err := q.Manifest.Parse()
	if err != nil {
		return m, explain(err)
	}
	if q.Version != wire.Version {
		return m, errMessage
	}
	if m.Version != wire.ManifestVersion {
		return m, errOldManifest
	}
	if m.Box != b.ID || m.Sender != b.Member {
		return m, errSender
	}
	key, err := s.assessorKey(ctx, b.Member, m.Assessor, now)
	if err != nil {
		return m, err
	}
	var signing []byte
	if err := s.db.QueryRowContext(ctx, "SELECT signing FROM box WHERE id = ?", b.ID).Scan(&signing); err != nil {
		return m, fmt.Errorf("extranet: %w", err)
	}
	if _, err := wire.Verify(q.Manifest, wire.Keys{Box: signing, Assessor: key}, now); err != nil {
		return m, explain(err)
	}
	reported := m.Reported
	if q.Report != nil {
		if err := q.Report.Check(); err != nil {
			return m, errMessage.With(err)
		}
		if q.Report.At.After(now.Add(wire.Skew)) {
			return m, errTimes
		}
		if !q.Report.At.After(m.ReportDue) {
			reported = &q.Report.At
		}
	}
	// A disclosure is made when others can see it, which is not before now.
	if reported == nil && !now.Before(m.ReportDue) {
		return m, errReport
	}
	if m.Content.Size > s.o.MaxContent {
		return m, errSize
	}
	if err := s.judgeCircle(ctx, m, q.Envelope); err != nil {
		return m, err
	}
	if err := q.Envelope.Check(m); err != nil {
		return m, errRecipients.With(err)
	}
	return m, nil
}

func (s *Server) judgeCircle(ctx context.Context, m wire.Manifest, env wire.Envelope) error {
	for _, id := range m.Circle.Members {
		var active bool
		err := s.db.QueryRowContext(ctx, "SELECT active FROM member WHERE id = ?", id).Scan(&active)
		if errors.Is(err, sql.ErrNoRows) || err == nil && !active {
			return errCircle.With(fmt.Errorf("extranet: member %s is unknown or not active", id))
		}
		if err != nil {
			return fmt.Errorf("extranet: %w", err)
		}
	}
	for _, k := range env.Keys {
		var member incident.MemberID
		err := s.db.QueryRowContext(ctx, "SELECT member FROM box WHERE id = ?", k.Box).Scan(&member)
		if errors.Is(err, sql.ErrNoRows) || err == nil && member != k.Member {
			return errRecipients.With(fmt.Errorf("extranet: box %s is not member %s's", k.Box, k.Member))
		}
		if err != nil {
			return fmt.Errorf("extranet: %w", err)
		}
	}
	return nil
}

// explain turns an error of wire into the problem of the call.
func explain(err error) error {
	for _, e := range []struct {
		is error
		p  *problem.Problem
	}{
		{wire.ErrBoxSignature, errBoxSignature}, {wire.ErrAssessorSignature, errAssessorSignature},
		{wire.ErrCondition, errCondition}, {wire.ErrTooLong, errTooLong}, {wire.ErrReportDue, errReportDue},
		{wire.ErrCircle, errCircle}, {wire.ErrEnvelope, errRecipients}, {wire.ErrOver, errOver}, {wire.ErrTimes, errTimes}, {wire.ErrShows, errShows},
	} {
		if errors.Is(err, e.is) {
			return e.p.With(err)
		}
	}
	return errMalformed.With(err)
}

// take writes the disclosure down.
func (s *Server) take(ctx context.Context, b box, q wire.SubmitRequest, m wire.Manifest) error {
	sealed, err := s.seal("manifest/"+string(m.Disclosure), q.Manifest)
	if err != nil {
		return err
	}
	now := s.now()
	ends := m.NotAfter
	if most := now.Add(wire.MaxAge); ends.After(most) {
		ends = most // the box's clock may be ahead by the skew
	}
	reported, number := m.Reported, ""
	if q.Report != nil && reported == nil {
		reported, number = &q.Report.At, q.Report.Number.String()
	}
	s.life.Lock()
	defer s.life.Unlock()
	err = sqlitedb.Tx(ctx, s.db, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO disclosure (id, member, box, state, manifest, alert, hash, size, received, ends, report_due, reported, report_hash)
			VALUES (?,?,?,'uploading',?,?,?,?,?,?,?,?,?)`, m.Disclosure, b.Member, b.ID, sealed, q.Envelope.Alert, m.Content.Hash.String(), m.Content.Size,
			ms(now), ms(ends), ms(clock.EndOfDay(m.Created)), msPtr(reported), number); err != nil {
			return err
		}
		for _, id := range m.Circle.Members {
			if _, err := tx.ExecContext(ctx, "INSERT INTO circle (disclosure, member) VALUES (?,?)", m.Disclosure, id); err != nil {
				return err
			}
		}
		for _, k := range q.Envelope.Keys {
			if _, err := tx.ExecContext(ctx, "INSERT INTO wrapped (disclosure, member, box, alert, content) SELECT ?,?,?,?,? WHERE EXISTS (SELECT 1 FROM box WHERE id = ? AND revoked IS NULL)",
				m.Disclosure, k.Member, k.Box, k.Alert, k.Content, k.Box); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("extranet: take the disclosure: %w", err)
	}
	return nil
}

// disclosure is a row, without what is sealed.
type disclosure struct {
	ID              incident.DisclosureID
	Member          incident.MemberID
	Box             wire.BoxID
	State           wire.State
	Hash            string
	Size            int64
	Available       *time.Time
	Ends, ReportDue time.Time
	Reported        *time.Time
}

func (s *Server) find(ctx context.Context, id incident.DisclosureID) (disclosure, error) {
	var d disclosure
	var ends, due int64
	var available, reported sql.NullInt64
	err := s.db.QueryRowContext(ctx, "SELECT id, member, box, state, hash, size, available, ends, report_due, reported FROM disclosure WHERE id = ?", id).
		Scan(&d.ID, &d.Member, &d.Box, &d.State, &d.Hash, &d.Size, &available, &ends, &due, &reported)
	if errors.Is(err, sql.ErrNoRows) {
		return d, errNotFound
	}
	if err != nil {
		return d, fmt.Errorf("extranet: %w", err)
	}
	d.Available, d.Reported, d.Ends, d.ReportDue = timePtr(available), timePtr(reported), fromMS(ends), fromMS(due)
	return d, nil
}

// own returns a disclosure of the caller's member; of another's, it does not
// exist.
func (s *Server) own(ctx context.Context, b box, r *http.Request) (disclosure, error) {
	id, err := disclosureID(r)
	if err != nil {
		return disclosure{}, err
	}
	if err := s.expire(ctx); err != nil {
		return disclosure{}, err
	}
	d, err := s.find(ctx, id)
	if err != nil {
		return d, err
	}
	if d.Member != b.Member {
		return disclosure{}, errNotFound
	}
	return d, nil
}
