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
	"veilbox/uplink/wire"
)

type disclosureRow struct {
	ID        incident.DisclosureID `json:"id"`
	Member    incident.MemberID     `json:"member"`
	State     wire.State            `json:"state"`
	Size      int64                 `json:"size"`
	Received  time.Time             `json:"received"`
	Available *time.Time            `json:"available,omitempty"`
	Ends      time.Time             `json:"ends"`
	ReportDue time.Time             `json:"report_due"`
	Reported  *time.Time            `json:"reported,omitempty"`
	Assessor  string                `json:"assessor"`
	Circle    wire.Circle           `json:"circle"`
	Viewings  int                   `json:"viewings"`
	Ended     *wire.Ending          `json:"ended,omitempty"`
	Dropped   []droppedRow          `json:"dropped,omitempty"`
	Purging   bool                  `json:"purging"` // its ciphertext is still to be removed
}

// listDisclosures shows what is known of disclosures: who, when, to whom; never
// what is on them.
func (s *Server) listDisclosures(ctx context.Context, _ string, _ *http.Request) (any, error) {
	if err := s.expire(ctx); err != nil {
		return nil, err
	}
	out := []disclosureRow{}
	dropped, err := s.deletions(ctx)
	if err != nil {
		return nil, err
	}
	err = s.each(ctx, `SELECT id, member, state, size, received, available, ends, report_due, reported, manifest, ending, purge <> 0,
		(SELECT count(*) FROM viewing v WHERE v.disclosure = d.id) FROM disclosure d ORDER BY received DESC LIMIT 1000`, func(scan scanner) error {
		var d disclosureRow
		var received, ends, due int64
		var available, reported sql.NullInt64
		var manifest, ending []byte
		if err := scan(&d.ID, &d.Member, &d.State, &d.Size, &received, &available, &ends, &due, &reported, &manifest, &ending, &d.Purging, &d.Viewings); err != nil {
			return err
		}
		d.Received, d.Available, d.Ends, d.ReportDue, d.Reported = fromMS(received), timePtr(available), fromMS(ends), fromMS(due), timePtr(reported)
		var sm wire.SignedManifest
		if err := s.unseal("manifest/"+string(d.ID), manifest, &sm); err != nil {
			return err
		}
		m, err := sm.Parse()
		if err != nil {
			return err
		}
		d.Assessor, d.Circle, d.Dropped = m.Assessor.Name, m.Circle, dropped[d.ID]
		if ending != nil {
			d.Ended = new(wire.Ending)
			if err := s.unseal("ending/"+string(d.ID), ending, d.Ended); err != nil {
				return err
			}
		}
		out = append(out, d)
		return nil
	})
	return out, err
}

// endDisclosure is the operator's duty where it learns that a disclosure is
// unlawful (S9).
func (s *Server) endDisclosure(ctx context.Context, name string, r *http.Request) (any, error) {
	why, err := reason(r)
	if err != nil {
		return nil, err
	}
	id, err := disclosureID(r)
	if err != nil {
		return nil, err
	}
	d, err := s.find(ctx, id)
	if err != nil {
		return nil, err
	}
	if d.State == wire.StateEnded {
		return nil, errEnded
	}
	return ok{true}, s.end(ctx, id, wire.Ending{At: s.now(), Code: wire.EndOperator, Reason: why, By: name}, operator(name))
}

type accessRow struct {
	Number     int64                 `json:"number"`
	At         time.Time             `json:"at"`
	Disclosure incident.DisclosureID `json:"disclosure"`
	Member     incident.MemberID     `json:"member"`
	Box        wire.BoxID            `json:"box"`
	viewer
}

// listAccess is the access log (S6), the newest first. Looking into it is itself
// recorded: it names people.
func (s *Server) listAccess(ctx context.Context, name string, r *http.Request) (any, error) {
	id := r.URL.Query().Get("disclosure")
	if err := s.note(ctx, "access.list", operator(name), map[string]string{"disclosure": id}, ""); err != nil {
		return nil, err
	}
	out := []accessRow{}
	err := s.each(ctx, "SELECT id, at, disclosure, member, box, sealed FROM viewing WHERE ?1 = '' OR disclosure = ?1 ORDER BY id DESC LIMIT 5000", func(scan scanner) error {
		var a accessRow
		var at int64
		var sealed []byte
		if err := scan(&a.Number, &at, &a.Disclosure, &a.Member, &a.Box, &sealed); err != nil {
			return err
		}
		a.At = fromMS(at)
		if err := s.unseal("viewing/"+string(a.Disclosure), sealed, &a.viewer); err != nil {
			return err
		}
		out = append(out, a)
		return nil
	}, id)
	return out, err
}

type pentestRow struct {
	Held     string    `json:"held"` // a date
	Tester   string    `json:"tester"`
	Findings string    `json:"findings"`
	Recorded time.Time `json:"recorded,omitzero"`
	Operator string    `json:"operator,omitempty"`
}

type pentests struct {
	Due   time.Time    `json:"due"`
	Late  bool         `json:"late"` // one is due now (S3)
	Tests []pentestRow `json:"tests"`
}

// listPentests is the register of penetration tests (S3), and when the next is
// due; with none held it is due now.
func (s *Server) listPentests(ctx context.Context, _ string, _ *http.Request) (any, error) {
	return s.pentests(ctx)
}

func (s *Server) pentests(ctx context.Context) (pentests, error) {
	out := pentests{Tests: []pentestRow{}}
	err := s.each(ctx, "SELECT held, tester, findings, recorded, operator FROM pentest ORDER BY held DESC, id DESC LIMIT 1000", func(scan scanner) error {
		var t pentestRow
		var at int64
		err := scan(&t.Held, &t.Tester, &t.Findings, &at, &t.Operator)
		t.Recorded = fromMS(at)
		out.Tests = append(out.Tests, t)
		return err
	})
	if err != nil {
		return out, err
	}
	if len(out.Tests) > 0 {
		held, err := time.Parse(time.DateOnly, out.Tests[0].Held)
		if err != nil {
			return out, fmt.Errorf("extranet: penetration test: %w", err)
		}
		out.Due = held.Add(s.o.PentestEvery)
	}
	out.Late = !s.now().Before(out.Due)
	return out, nil
}

func (s *Server) addPentest(ctx context.Context, name string, r *http.Request) (any, error) {
	var t pentestRow
	if err := input(r, &t); err != nil {
		return nil, err
	}
	held, err := time.Parse(time.DateOnly, t.Held)
	if err != nil || held.After(s.now()) || held.Year() < 2000 || text(t.Tester, wire.MaxName) != nil || text(t.Findings, 20*wire.MaxText) != nil {
		return nil, errors.Join(errInput, err)
	}
	if _, err := s.db.ExecContext(ctx, "INSERT INTO pentest (held, tester, findings, recorded, operator) VALUES (?,?,?,?,?)", t.Held, t.Tester, t.Findings, ms(s.now()), name); err != nil {
		return nil, fmt.Errorf("extranet: %w", err)
	}
	return ok{true}, s.note(ctx, "pentest.add", operator(name), map[string]string{"held": t.Held}, "")
}

func (s *Server) listAudit(ctx context.Context, _ string, _ *http.Request) (any, error) {
	return s.audit.Entries(ctx, audit.Filter{Newest: true, Limit: 500})
}

type auditReport struct {
	audit.Report
	VerifierKey string `json:"verifier_key"`
}

func (s *Server) verifyAudit(ctx context.Context, name string, r *http.Request) (any, error) {
	if err := none(r); err != nil {
		return nil, err
	}
	rep, err := s.audit.Verify(ctx)
	if err != nil && !errors.Is(err, audit.ErrTampered) {
		return nil, fmt.Errorf("extranet: %w", err)
	}
	if err := s.note(ctx, "audit.verify", operator(name), map[string]string{"ok": fmt.Sprint(rep.OK)}, rep.Bad); err != nil {
		return nil, err
	}
	return auditReport{rep, s.audit.VerifierKey()}, nil
}

// AuditVerifier returns the key that checks the heads of the extranet's audit log.
func (s *Server) AuditVerifier() string { return s.audit.VerifierKey() }
