package casework

import (
	"context"
	"io"
	"strconv"
	"time"

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
	about := map[string]string{"format": string(format)}
	for k, v := range map[string]string{"act": f.Act, "who": f.Who, "about": f.About} {
		if len(v) > audit.MaxValue {
			return badInput("audit.filter", "Det, du søger efter i loggen, er for langt.", "What you look for in the log is too long.")
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
