package casework

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"
	"unicode/utf8"

	"veilbox/appliance/account"
	"veilbox/appliance/audit"
	"veilbox/internal/problem"
)

var errAuditFormat = problem.New(400, "audit.format",
	problem.Text{DA: "Loggen kan ikke hentes i det format.", EN: "The log cannot be exported in that format."},
	problem.Text{DA: "Vælg jsonl eller csv.", EN: "Choose jsonl or csv."})

// ExportAudit writes the entries that f chooses to w, page by page. The export is
// on record before the first byte, with what was chosen.
func (s *Service) ExportAudit(ctx context.Context, a Actor, w io.Writer, format audit.Format, f audit.Filter) error {
	if err := s.allow(a, account.ReadAudit); err != nil {
		return err
	}
	if format != audit.JSONL && format != audit.CSV {
		return errAuditFormat
	}
	about, err := chosen(f)
	if err != nil {
		return err
	}
	about["format"] = string(format)
	for k, v := range map[string]int64{"after": f.After, "limit": int64(f.Limit)} {
		if v > 0 {
			about[k] = strconv.FormatInt(v, 10)
		}
	}
	if err := s.record(ctx, a, "audit.export", "", about); err != nil {
		return err
	}
	return s.o.Audit.Export(ctx, w, format, f)
}

// chosen tells the record what part of the log was chosen.
func chosen(f audit.Filter) (map[string]string, error) {
	about := map[string]string{}
	for k, v := range map[string]string{"act": f.Act, "who": f.Who, "about": f.About} {
		if len(v) > audit.MaxValue || !utf8.ValidString(v) {
			return nil, badInput("audit.filter", "Det, du søger efter i loggen, er for langt eller har ugyldige tegn.", "What you look for in the log is too long or has invalid characters.")
		}
		if v != "" {
			about["only-"+k] = v
		}
	}
	for k, v := range map[string]time.Time{"from": f.From, "to": f.To} {
		if !v.IsZero() {
			about[k] = v.UTC().Format(time.RFC3339)
		}
	}
	return about, nil
}

// Audit returns entries of the audit log. They name people: that they were read,
// and whose or what was looked for, is on record itself, once for all the pages
// of one look.
func (s *Service) Audit(ctx context.Context, a Actor, f audit.Filter) ([]audit.Entry, error) {
	if err := s.allow(a, account.ReadAudit); err != nil {
		return nil, err
	}
	about, err := chosen(f)
	if err != nil {
		return nil, err
	}
	key := fmt.Sprint("audit.read\x00", a.Session.Person.ID, "\x00", a.From, about)
	if err := s.recordOnce(ctx, a, key, seenFor, "audit.read", "", about); err != nil {
		return nil, err
	}
	return s.o.Audit.Entries(ctx, f)
}

// VerifyAudit recomputes the audit log from its entries, and puts on record who
// asked for it.
func (s *Service) VerifyAudit(ctx context.Context, a Actor) (audit.Report, error) {
	if err := s.allow(a, account.ReadAudit); err != nil {
		return audit.Report{}, err
	}
	if err := s.record(ctx, a, "audit.verify", "", nil); err != nil {
		return audit.Report{}, err
	}
	return s.o.Audit.Verify(ctx)
}
