package extranet

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"veilbox/appliance/audit"
	"veilbox/appliance/incident"
	"veilbox/internal/problem"
	"veilbox/internal/sqlitedb"
	"veilbox/uplink/wire"
)

// inboxMost bounds the list; the newest come first.
const inboxMost = 1000

// inbox lists what the caller's member may see and what it sent. Who is not in
// the circle learns nothing, not even a number.
func (s *Server) inbox(ctx context.Context, b box, _ *http.Request) (any, error) {
	if err := s.expire(ctx); err != nil {
		return nil, err
	}
	in := wire.Inbox{At: s.now(), Items: []wire.InboxItem{}}
	dropped, err := s.dropped(ctx, b.Member)
	if err != nil {
		return nil, err
	}
	err = s.each(ctx, `SELECT d.id, d.member, m.name, d.state, d.manifest, d.alert, d.available, d.ends, d.report_due, d.reported, d.ending,
			c.dropped, c.ending, c.deleted, w.alert,
			(SELECT count(*) FROM viewing v WHERE v.disclosure = d.id AND (d.member = ?1 OR v.member = ?1))
		FROM disclosure d JOIN member m ON m.id = d.member
		LEFT JOIN circle c ON c.disclosure = d.id AND c.member = ?1
		LEFT JOIN wrapped w ON w.disclosure = d.id AND w.box = ?2
		WHERE d.member = ?1 OR c.member IS NOT NULL AND d.available IS NOT NULL AND (c.dropped IS NULL OR c.dropped >= d.available)
		ORDER BY d.received DESC LIMIT ?3`, func(scan scanner) error {
		var it wire.InboxItem
		var sender incident.MemberID
		var manifest, alert, ending, narrowed, key []byte
		var available, reported, out, deleted sql.NullInt64
		var ends, report int64
		if err := scan(&it.Disclosure, &sender, &it.SenderName, &it.State, &manifest, &alert, &available, &ends, &report, &reported, &ending, &out, &narrowed, &deleted, &key, &it.Viewings); err != nil {
			return err
		}
		it.Own = sender == b.Member
		it.Available, it.Reported, it.Ends, it.ReportDue = timePtr(available), timePtr(reported), fromMS(ends), fromMS(report)
		if err := s.unseal("manifest/"+string(it.Disclosure), manifest, &it.Manifest); err != nil {
			return err
		}
		if it.Own {
			it.Dropped = dropped[it.Disclosure]
		} else {
			it.Deleted = timePtr(deleted)
		}
		if out.Valid && !it.Own {
			it.State, ending = wire.StateEnded, narrowed
		}
		if it.State == wire.StateEnded {
			it.Ended = new(wire.Ending)
			if err := s.unseal("ending/"+string(it.Disclosure), ending, it.Ended); err != nil {
				return err
			}
		} else if it.State == wire.StateAvailable && key != nil {
			it.Alert, it.AlertKey = alert, key
		}
		in.Items = append(in.Items, it)
		return nil
	}, b.Member, b.ID, inboxMost)
	return in, err
}

// viewer is what is sealed of a viewing.
type viewer struct {
	Person   incident.PersonID `json:"person"`
	Name     string            `json:"name"`
	Function string            `json:"function"`
	Purpose  string            `json:"purpose"`
}

// view logs a viewing and then hands out the content key: the log has it before
// it can happen (S6).
func (s *Server) view(ctx context.Context, b box, r *http.Request) (any, error) {
	var q wire.ViewRequest
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
	if err := s.mayView(ctx, id, b); err != nil {
		return nil, err
	}
	sealed, err := s.seal("viewing/"+string(id), viewer{q.Person, q.Name, q.Function, q.Purpose})
	if err != nil {
		return nil, err
	}
	now := s.now()
	resp := wire.ViewResponse{Token: secret(), Expires: fromMS(ms(now.Add(s.o.ViewingLife)))}
	err = sqlitedb.Tx(ctx, s.db, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `SELECT w.content FROM wrapped w JOIN disclosure d ON d.id = w.disclosure
			WHERE w.disclosure = ? AND w.box = ? AND w.member = ? AND d.state = 'available'`, id, b.ID, b.Member).Scan(&resp.Key)
		if errors.Is(err, sql.ErrNoRows) {
			return errNoKey
		}
		if err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, "INSERT INTO viewing (disclosure, member, box, at, sealed, token, expires) VALUES (?,?,?,?,?,?,?)",
			id, b.Member, b.ID, ms(now), sealed, hashOf(resp.Token), ms(resp.Expires))
		if err != nil {
			return err
		}
		resp.Viewing, err = res.LastInsertId()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("extranet: viewing: %w", err)
	}
	who := audit.Who{ID: string(q.Person), Name: q.Name, Role: "member " + string(b.Member)}
	err = s.note(ctx, "disclosure.view", who, map[string]string{"disclosure": string(id), "member": string(b.Member), "box": string(b.ID), "viewing": fmt.Sprint(resp.Viewing), "function": q.Function}, q.Purpose)
	if err != nil {
		return nil, err
	}
	s.met.viewings.Inc()
	return resp, nil
}

// mayView tells apart what is not for the caller, which does not exist, and what
// it had and has no longer.
func (s *Server) mayView(ctx context.Context, id incident.DisclosureID, b box) error {
	var state wire.State
	var dropped, available sql.NullInt64
	var ending, narrowed []byte
	err := s.db.QueryRowContext(ctx, "SELECT d.state, d.available, d.ending, c.dropped, c.ending FROM disclosure d JOIN circle c ON c.disclosure = d.id AND c.member = ? WHERE d.id = ?", b.Member, id).
		Scan(&state, &available, &ending, &dropped, &narrowed)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return errNotFound
	case err != nil:
		return fmt.Errorf("extranet: %w", err)
	case neverHad(available, dropped):
		return errNotFound
	case dropped.Valid:
		return s.endedBy(id, narrowed)
	case state == wire.StateEnded:
		return s.endedBy(id, ending)
	}
	return nil
}

// endedBy is errEnded with the reason.
func (s *Server) endedBy(id incident.DisclosureID, sealed []byte) error {
	var e wire.Ending
	if err := s.unseal("ending/"+string(id), sealed, &e); err != nil {
		return err
	}
	t, ok := endTexts[e.Code]
	if !ok {
		t = errEnded.Cause
	}
	p := errEnded.With(nil)
	p.Cause = t
	if e.Code == wire.EndWithdrawn || e.Code == wire.EndOperator || e.Code == wire.EndNarrowed {
		p.Cause.DA += " Begrundelse: " + e.Reason
		p.Cause.EN += " Reason: " + e.Reason
	}
	return p
}

// endTexts say why a disclosure ended.
var endTexts = map[wire.EndCode]problem.Text{
	wire.EndWithdrawn:     {DA: "Afsenderen har trukket delingen tilbage, og den er slettet.", EN: "The sender has withdrawn the disclosure, and it is deleted."},
	wire.EndOperator:      {DA: "Operatøren har afsluttet delingen, og den er slettet.", EN: "The operator has ended the disclosure, and it is deleted."},
	wire.EndThirtyDays:    {DA: "Delingen er slettet efter 30 dage.", EN: "The disclosure was deleted after 30 days."},
	wire.EndReportMissing: {DA: "Delingen er slettet, fordi politianmeldelsen ikke blev dokumenteret samme dag.", EN: "The disclosure was deleted because the report to the police was not documented the same day."},
	wire.EndNarrowed:      {DA: "Kredsen er indsnævret, og jeres adgang er ophørt. Har I hentet noget, skal det slettes nu.", EN: "The circle was narrowed, and your access has ended. Whatever you took out must be deleted now."},
	wire.EndLost:          {DA: "Videoen er gået tabt på ekstranettet.", EN: "The video was lost on the extranet."},
}

// content serves ciphertext under a viewing's token.
func (s *Server) content(w http.ResponseWriter, r *http.Request) {
	f, at, err := s.openContent(r)
	if err != nil {
		s.answer(w, r, nil, err)
		return
	}
	defer f.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", at, f)
}

func (s *Server) openContent(r *http.Request) (*os.File, time.Time, error) {
	ctx := r.Context()
	b, err := s.caller(r)
	if err != nil {
		return nil, time.Time{}, err
	}
	id, err := disclosureID(r)
	if err != nil {
		return nil, time.Time{}, err
	}
	token := r.Header.Get(wire.ViewingHeader)
	if token == "" || len(token) > 100 {
		return nil, time.Time{}, errViewing
	}
	if err := s.expire(ctx); err != nil {
		return nil, time.Time{}, err
	}
	var expires, available int64
	err = s.db.QueryRowContext(ctx, `SELECT v.expires, d.available FROM viewing v JOIN disclosure d ON d.id = v.disclosure
		WHERE v.token = ? AND v.disclosure = ? AND v.box = ? AND d.state = 'available'`, hashOf(token), id, b.ID).Scan(&expires, &available)
	if errors.Is(err, sql.ErrNoRows) {
		if err := s.mayView(ctx, id, b); err != nil {
			return nil, time.Time{}, err // ended says more than a dead token
		}
		return nil, time.Time{}, errViewing
	}
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("extranet: %w", err)
	}
	if ms(s.now()) >= expires {
		return nil, time.Time{}, errViewing
	}
	f, err := os.Open(s.blobPath(id))
	if err != nil {
		return nil, time.Time{}, errLost.With(err)
	}
	return f, fromMS(available), nil
}
