package web

import (
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/audit"
	"veilbox/appliance/casework"
	"veilbox/internal/clock"
	"veilbox/internal/problem"
)

type auditData struct {
	Entries         []audit.Entry
	Act, Who, About string
	From, To        string // dates as the form holds them
	Before          int64  // entries below it are shown; 0: from the newest on
	Problem         *problem.Problem
	Full            bool // there may be more entries than are shown
	Files           bool // the person may open a case's file
	filter          audit.Filter
}

// auditActs are the acts that the page offers to choose from: one, or those that
// begin with it.
var auditActs = []string{"case.", "disclosure.", "footage.", "clip.", "copy.", "export.", "hold.", "camera.", "login", "login.refused", "logout", "password.", "passkey.", "totp.", "session.", "person.", "conditions.", "audit.", "box.", "clock."}

// Acts are the choices of the page.
func (auditData) Acts() []string { return auditActs }

// OtherAct says that an act was asked for that is no choice of the page.
func (d auditData) OtherAct() bool { return d.Act != "" && !slices.Contains(auditActs, d.Act) }

// page is the address of the page with these filters, from the entry before on.
func (d auditData) page(before int64) string {
	q := url.Values{}
	for k, v := range map[string]string{"act": d.Act, "who": d.Who, "about": d.About, "from": d.From, "to": d.To} {
		if v != "" {
			q.Set(k, v)
		}
	}
	if before > 0 {
		q.Set("before", strconv.FormatInt(before, 10))
	}
	if len(q) == 0 {
		return "/audit"
	}
	return "/audit?" + q.Encode()
}

// First and Older are the addresses of the first and of the next page.
func (d auditData) First() string { return d.page(0) }
func (d auditData) Older() string { return d.page(d.Entries[len(d.Entries)-1].Seq) }

// Export is the address of all the entries that the filters choose.
func (d auditData) Export(format string) string {
	q := url.Values{"format": {format}}
	for k, v := range map[string]string{"act": d.Act, "who": d.Who, "about": d.About} {
		if v != "" {
			q.Set(k, v)
		}
	}
	for k, v := range map[string]time.Time{"from": d.filter.From, "to": d.filter.To} {
		if !v.IsZero() {
			q.Set(k, v.UTC().Format(time.RFC3339))
		}
	}
	return "/api/v1/audit/export?" + q.Encode()
}

// auditDays reads the page's from and to, which are Copenhagen days.
func auditDays(q func(string) string) (from, to time.Time, err error) {
	day := func(name string) (time.Time, error) {
		v := q(name)
		if v == "" {
			return time.Time{}, nil
		}
		t, err := time.ParseInLocation(time.DateOnly, v, clock.Copenhagen)
		if err != nil {
			return t, badField(name, "Skriv datoen som 2026-02-03.", "Write the date as 2026-02-03.").With(err)
		}
		return t, nil
	}
	if from, err = day("from"); err != nil {
		return
	}
	if to, err = day("to"); err == nil && !to.IsZero() {
		to = clock.EndOfDay(to)
	}
	return
}

func (s *server) auditPage(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	if err := a.Session.Allow(account.ReadAudit, s.Clock.Now()); err != nil {
		return err
	}
	q := r.URL.Query().Get
	d := auditData{Act: q("act"), Who: q("who"), About: q("about"), From: q("from"), To: q("to")}
	d.filter = audit.Filter{Act: d.Act, Who: d.Who, About: d.About, Newest: true, Limit: auditPageSize}
	var err error
	if d.filter.From, d.filter.To, err = auditDays(q); err == nil && q("before") != "" {
		var n int
		n, err = number(q("before"), "before", 1, 1<<53)
		d.Before = int64(n)
	}
	if err != nil {
		d.Problem = problem.Of(err)
		return s.render(w, r, d.Problem.Status, "audit", a, d)
	}
	d.filter.After = d.Before // with the newest first: below it
	if d.Entries, err = s.Box.Audit(r.Context(), a, d.filter); err != nil {
		return err
	}
	d.Files = a.Session.Allow(account.CaseFile, s.Clock.Now()) == nil
	d.Full = len(d.Entries) == auditPageSize
	return s.render(w, r, http.StatusOK, "audit", a, d)
}

// maxAudit is the most entries of one answer; more are asked for with "after".
const (
	maxAudit      = 1000
	auditPageSize = 200
)

func auditFilter(r *http.Request) (audit.Filter, error) {
	q := r.URL.Query()
	f := audit.Filter{Act: q.Get("act"), Who: q.Get("who"), About: q.Get("about"), Limit: auditPageSize}
	var err error
	if f.From, err = instant(q, "from"); err != nil {
		return f, err
	}
	if f.To, err = instant(q, "to"); err != nil {
		return f, err
	}
	if v := q.Get("limit"); v != "" {
		if f.Limit, err = number(v, "limit", 1, maxAudit); err != nil {
			return f, err
		}
	}
	if v := q.Get("after"); v != "" {
		n, err := number(v, "after", 0, 1<<53)
		if err != nil {
			return f, err
		}
		f.After = int64(n)
	}
	return f, nil
}

func (s *server) apiAudit(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	f, err := auditFilter(r)
	if err != nil {
		return err
	}
	v, err := s.Box.Audit(r.Context(), a, f)
	return list(w, v, err)
}

func (s *server) apiVerify(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	v, err := s.Box.VerifyAudit(r.Context(), a)
	return ok(w, v, err)
}

// exportKinds are the formats of an export and their media types.
var exportKinds = map[audit.Format]string{audit.JSONL: "application/jsonl", audit.CSV: "text/csv; charset=utf-8"}

// apiExportAudit sends the log as it is read: what fails before the first byte is
// told as a problem; after it the answer is cut, so that nobody takes a part for
// the whole.
func (s *server) apiExportAudit(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	f, err := auditFilter(r)
	if err != nil {
		return err
	}
	if r.URL.Query().Get("limit") == "" {
		f.Limit = 0 // all of them
	}
	format := audit.Format(r.URL.Query().Get("format"))
	if format == "" {
		format = audit.JSONL
	}
	kind, known := exportKinds[format]
	if !known {
		return badField("format", "Vælg jsonl eller csv.", "Choose jsonl or csv.")
	}
	out := &begun{ResponseWriter: w, header: map[string]string{
		"Content-Type":        kind,
		"Content-Disposition": mime.FormatMediaType("attachment", map[string]string{"filename": "veilbox-log-" + s.Clock.Now().In(clock.Copenhagen).Format(time.DateOnly) + "." + string(format)}),
	}}
	if err = s.Box.ExportAudit(r.Context(), a, out, format, f); err == nil {
		_, err = out.Write(nil) // an empty log is an answer too
	}
	if err == nil {
		return nil
	}
	if !out.yes {
		return err
	}
	s.Log.Error("export of the audit log cut short", "error", err)
	panic(http.ErrAbortHandler)
}

// A begun sets the headers of an answer at its first write.
type begun struct {
	http.ResponseWriter
	header map[string]string
	yes    bool
}

func (b *begun) Write(p []byte) (int, error) {
	if !b.yes {
		for k, v := range b.header {
			b.Header().Set(k, v)
		}
		b.WriteHeader(http.StatusOK)
		b.yes = true
	}
	return b.ResponseWriter.Write(p)
}
