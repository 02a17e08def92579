package casework

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/audit"
	"veilbox/appliance/incident"
	"veilbox/capture/footage"
	"veilbox/internal/problem"
	"veilbox/redact/subject"
)

func (b *box) get(v CaseView) CaseView {
	b.t.Helper()
	v, err := b.Case(b.t.Context(), b.people["assessor"], v.ID)
	return b.must(v, err)
}

// amend changes a case behind the acts, as a bug, a crash or time could.
func (b *box) amend(v CaseView, f func(*incident.Case)) {
	b.t.Helper()
	c, err := b.opt.Store.Case(b.t.Context(), v.ID)
	if err != nil {
		b.t.Fatal(err)
	}
	f(&c)
	if _, err := b.opt.Store.UpdateCase(b.t.Context(), c); err != nil {
		b.t.Fatal(err)
	}
}

func TestSubmitNamesWhatIsMissing(t *testing.T) {
	b := newBox(t)
	full := b.veiled(b.newCase())
	for name, tc := range map[string]struct {
		want   string // the conditions named
		change func(*incident.Evidence)
	}{
		"all answered":      {"", func(*incident.Evidence) {}},
		"no basis":          {"V1", func(e *incident.Evidence) { e.Basis = "" }},
		"vandalism":         {"V1 V2", func(e *incident.Evidence) { e.Offence, e.ValueDKK = incident.Vandalism, nil }},
		"trivial":           {"V2", func(e *incident.Evidence) { e.ValueDKK = dkk(500) }},
		"no reasons":        {"V3", func(e *incident.Evidence) { e.RepeatReasons = "" }},
		"no report":         {"V4", func(e *incident.Evidence) { e.ReportToday = false }},
		"no circle":         {"V6", func(e *incident.Evidence) { e.Circle.Members = nil }},
		"only itself":       {"V6", func(e *incident.Evidence) { e.Circle.Members = []incident.MemberID{"butik-a"} }},
		"no reassessment":   {"V8", func(e *incident.Evidence) { e.NextReassessment = nil }},
		"nothing but theft": {"V1 V2 V3 V4 V6 V8", func(e *incident.Evidence) { *e = incident.Evidence{Offence: incident.Theft} }},
	} {
		t.Run(name, func(t *testing.T) {
			b.amend(full, func(c *incident.Case) { c.State, c.SubmittedBy = incident.Redacted, nil })
			e := evidence()
			tc.change(&e)
			v := b.answer(b.get(full), e)
			var missing []string
			for _, r := range v.Missing {
				if !r.ByAssessor && !slices.Contains(missing, string(r.Condition)) {
					missing = append(missing, string(r.Condition))
				}
			}
			if got := strings.Join(missing, " "); got != tc.want {
				t.Errorf("missing %q, want %q", got, tc.want)
			}
			_, err := b.Submit(t.Context(), b.people["staff"], v.ID, v.Version)
			if tc.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			refused(t, err, "gate.missing")
			for id := range strings.SplitSeq(tc.want, " ") {
				if p := problem.Of(err); !strings.Contains(p.Cause.DA, id+": ") || !strings.Contains(p.Cause.EN, id+": ") {
					t.Errorf("%s is not named: %s", id, p.Cause.EN)
				}
			}
			if got := b.get(v); got.State != incident.Redacted || got.SubmittedBy != nil {
				t.Errorf("%s, submitted by %v", got.State, got.SubmittedBy)
			}
		})
	}
	v := b.answer(b.newCase(), evidence())
	_, err := b.Submit(t.Context(), b.people["staff"], v.ID, v.Version)
	if refused(t, err, "gate.missing"); !strings.Contains(err.Error(), "V5: ") {
		t.Errorf("without a copy: %v", err)
	}
	b.amend(full, func(c *incident.Case) { c.State = incident.Redacted })
	full = b.get(full)
	_, err = b.Submit(t.Context(), b.people["staff"], full.ID, full.Version-1)
	refused(t, err, "case.conflict")
}

func TestSubmitAsksForAuthorisationsOfNow(t *testing.T) {
	b := newBox(t)
	v := b.veiled(b.answer(b.newCase(), evidence()))
	past := start.Add(-time.Minute)
	_, err := b.accounts.Change(t.Context(), b.people["manager"].Session.Person.ID, b.people["staff"].Session.Person.ID, account.Change{Until: &past})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Submit(t.Context(), b.people["second"], v.ID, v.Version)
	if refused(t, err, "gate.missing"); !strings.Contains(err.Error(), "V7: ") {
		t.Errorf("the one who tagged is no longer authorised: %v", err)
	}
}

func TestAssessRefuses(t *testing.T) {
	b := newBox(t)
	v := b.submitted()
	before := b.state()
	for name, tc := range map[string]struct {
		code   string
		change func(*Verdict)
	}{
		"no reasons":      {"assess.reasons", func(v *Verdict) { v.Reasons = " \t" }},
		"endless reasons": {"input.words", func(v *Verdict) { v.Reasons = strings.Repeat("x", maxWords+1) }},
		"unrecordable":    {"input.words", func(v *Verdict) { v.Reasons = strings.Repeat("tydeligt ", audit.MaxText/9+1) }},
		"endless rule":    {"input.words", func(v *Verdict) { v.Guideline = strings.Repeat("x", maxWords+1) }},
		"no decision":     {"assess.decision", func(v *Verdict) { v.Decision = "" }},
		"an older form":   {"case.conflict", func(v *Verdict) { v.Version-- }},
		"another copy":    {"case.state", func(v *Verdict) { v.Copy.Hash[0] ^= 1 }},
		"no copy":         {"case.state", func(v *Verdict) { v.Copy = footage.CopyHash{} }},
		"another sheet":   {"case.state", func(v *Verdict) { v.Sheet.Hash[0] ^= 1 }},
		"no sheet":        {"case.state", func(v *Verdict) { v.Sheet = footage.SheetHash{} }},
	} {
		t.Run(name, func(t *testing.T) {
			for _, d := range []incident.Decision{incident.Approve, incident.Refuse} {
				w := b.verdict(v, "assessor")
				w.Decision = d
				tc.change(&w)
				_, err := b.PrepareApproval(t.Context(), b.people["assessor"], v.ID, w)
				if d == incident.Refuse {
					_, err = b.Assess(t.Context(), b.people["assessor"], v.ID, w)
				}
				refused(t, err, tc.code)
			}
		})
	}
	if after := b.state(); after != before {
		t.Errorf("a refused verdict has changed something:\n%s\n%s", before, after)
	}
	if n := b.count("case.approve") + b.count("case.refuse"); n != 0 {
		t.Errorf("%d decisions on record", n)
	}
	w := b.verdict(v, "assessor")
	w.Reasons += strings.Repeat(" ", audit.MaxText-len(w.Reasons))
	w, err := b.sign(v, "assessor", w)
	if err != nil {
		t.Fatal(err)
	}
	got, err := b.Assess(t.Context(), b.people["assessor"], v.ID, w)
	if b.must(got, err).State != incident.Released {
		t.Errorf("long reasons: %s", got.State)
	}
}

func TestACopyMadeAnewMustBeSeenAnew(t *testing.T) {
	b := newBox(t)
	v := b.submitted()
	seen := b.verdict(v, "assessor")
	seen.Decision = incident.Refuse
	v, err := b.Assess(t.Context(), b.people["assessor"], v.ID, seen)
	b.must(v, err)
	if v.State != incident.Refused || len(v.Assessments) != 1 || v.Assessments[0].Decision != incident.Refuse {
		t.Fatalf("%s %+v", v.State, v.Assessments)
	}
	// Another subject, another copy.
	stop := b.work()
	other := somebody()
	other.Keyframes[0].Rect.X = 0.5
	v, err = b.Redact(t.Context(), b.people["staff"], v.ID, SubjectChange{Version: v.Version, Subjects: []subject.Subject{other}})
	b.must(v, err)
	v = b.await(v.ID, incident.Redacted)
	stop()
	if v.Copy.Hash == seen.Copy {
		t.Fatal("the copy is the same")
	}
	v, err = b.Submit(t.Context(), b.people["second"], v.ID, v.Version)
	if b.must(v, err).SubmittedBy.Name != names["second"] {
		t.Errorf("submitted by %s", v.SubmittedBy.Name)
	}
	seen.Version, seen.Decision = v.Version, incident.Approve
	_, err = b.PrepareApproval(t.Context(), b.people["assessor"], v.ID, seen)
	refused(t, err, "case.state")
	v, err = b.approve(v, "assessor")
	if b.must(v, err).State != incident.Released || len(v.Assessments) != 2 {
		t.Errorf("after the new copy was seen: %s", v.State)
	}
}

func TestTwoPersons(t *testing.T) {
	b := newBox(t)
	// The assessor has tagged it with another role.
	both := b.people["assessor"]
	both.Session.Roles = append(slices.Clone(both.Session.Roles), account.Staff)
	v, err := b.NewCase(t.Context(), both, theft())
	v = b.veiled(b.answer(b.must(v, err), evidence()))
	v, err = b.Submit(t.Context(), b.people["staff"], v.ID, v.Version)
	b.must(v, err)
	_, err = b.approve(v, "assessor")
	if refused(t, err, "gate.missing"); !strings.Contains(err.Error(), "V9: ") {
		t.Errorf("%v", err)
	}
	if got := b.get(v); got.State != incident.Submitted || len(got.Assessments) != 0 {
		t.Errorf("%s with %d approvals", got.State, len(got.Assessments))
	}
	w := b.verdict(v, "assessor")
	w.Decision = incident.Refuse
	if got, err := b.Assess(t.Context(), b.people["assessor"], v.ID, w); b.must(got, err).State != incident.Refused {
		t.Errorf("who tagged may say no: %s", got.State)
	}

	b.opt.Settings.TwoPersons = false
	b.restart()
	v, err = b.Submit(t.Context(), b.people["staff"], v.ID, 0)
	b.must(v, err)
	v, err = b.approve(v, "assessor")
	if b.must(v, err).State != incident.Released {
		t.Errorf("where the shop does not ask for two: %s", v.State)
	}
}

func TestADoubtfulCaseNeedsTwoCompetences(t *testing.T) {
	b := newBox(t)
	v := b.submitted(func(e *incident.Evidence) { e.Doubtful = true })
	v, err := b.approve(v, "assessor")
	if b.must(v, err); v.State != incident.Submitted || v.Disclosure != nil || len(v.Assessments) != 1 {
		t.Fatalf("after the first: %s with %d approvals", v.State, len(v.Assessments))
	}
	v, err = b.approve(v, "assessor") // the same again adds nothing
	if b.must(v, err); v.State != incident.Submitted || len(b.up.log()) != 0 {
		t.Fatalf("twice by one: %s, %s", v.State, b.up.log())
	}
	v, err = b.approve(v, "lawyer")
	if b.must(v, err); v.State != incident.Released || v.Assessments[0].Assessor.Name != names["assessor"] || b.up.sent[0].rel.Assessor().Name != names["lawyer"] {
		t.Errorf("after the second: %s %+v", v.State, v.Assessments)
	}

	// A refusal between takes the first approval's weight.
	v = b.submitted(func(e *incident.Evidence) { e.FirstOfKind = true })
	v, err = b.approve(v, "assessor")
	no := b.verdict(b.must(v, err), "lawyer")
	no.Decision = incident.Refuse
	v, err = b.Assess(t.Context(), b.people["lawyer"], v.ID, no)
	v, err = b.Submit(t.Context(), b.people["staff"], b.must(v, err).ID, v.Version)
	v, err = b.approve(b.must(v, err), "lawyer")
	if b.must(v, err).State != incident.Submitted {
		t.Errorf("an approval before a refusal still counts: %s", v.State)
	}
}

func TestAReleaseThatIsNotQueuedIsUndone(t *testing.T) {
	b := newBox(t)
	v := b.submitted()
	b.up.fail = problem.New(503, "outbox.full", problem.Text{DA: "Fuld.", EN: "Full."}, problem.Text{DA: "Vent.", EN: "Wait."})
	_, err := b.approve(v, "assessor")
	refused(t, err, "outbox.full")
	b.up.fail = nil
	v = b.get(v)
	if v.State != incident.Submitted || v.Disclosure != nil || len(v.Assessments) != 0 {
		t.Errorf("%s, %+v, %d approvals", v.State, v.Disclosure, len(v.Assessments))
	}
	if n := b.count("case.release.undone"); n != 1 {
		t.Errorf("it is %d times on record", n)
	}
	v, err = b.approve(v, "assessor")
	if b.must(v, err).State != incident.Released {
		t.Errorf("once more: %s", v.State)
	}
}

func TestAClosedPageDoesNotUndoAnApproval(t *testing.T) {
	b := newBox(t)
	v := b.submitted()
	ctx, cancel := context.WithCancel(t.Context())
	b.up.during = func(incident.DisclosureID) { cancel() }
	w, err := b.sign(v, "assessor", b.verdict(v, "assessor"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := b.Assess(ctx, b.people["assessor"], v.ID, w)
	if b.must(got, err).State != incident.Released || b.get(v).State != incident.Released || len(b.up.sent) != 1 {
		t.Errorf("%s", got.State)
	}
}

func TestNothingTouchesACaseWhileItIsQueued(t *testing.T) {
	b := newBox(t)
	v := b.submitted()
	b.up.during = func(incident.DisclosureID) {
		if err := b.Sweep(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := b.Withdraw(t.Context(), b.people["manager"], v.ID, "nej"); err == nil {
			t.Error("withdrawn before it was queued: the copy would be sent after its end")
		}
	}
	got, err := b.approve(v, "assessor")
	if b.must(got, err); got.State != incident.Released || got.Disclosure == nil || b.up.sent[0].id != got.Disclosure.ID {
		t.Fatalf("it was queued, and the case is %s: nobody could withdraw it", got.State)
	}
	b.up.during = nil
	got, err = b.Withdraw(t.Context(), b.people["manager"], v.ID, "forkert")
	if b.must(got, err).State != incident.Withdrawn {
		t.Errorf("afterwards: %s", got.State)
	}
}

func TestAStopBeforeTheQueueIsUndone(t *testing.T) {
	b := newBox(t)
	v := b.released()
	b.up.sent = nil // the power went before it was queued
	b.restart()
	if err := b.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	v = b.get(v)
	if v.State != incident.Submitted || v.Disclosure != nil || len(v.Assessments) != 0 {
		t.Errorf("%s, %+v, %d approvals", v.State, v.Disclosure, len(v.Assessments))
	}
	if len(b.up.withdrawn) > 0 {
		t.Error("what never left was withdrawn")
	}
	v, err := b.approve(v, "assessor")
	if b.must(v, err).State != incident.Released {
		t.Errorf("once more: %s", v.State)
	}
}

func TestReport(t *testing.T) {
	b := newBox(t)
	staff := b.people["staff"]
	v := b.released()
	b.clock.Advance(time.Hour)
	now := b.clock.Now()
	for name, tc := range map[string]struct {
		code string
		r    PoliceReport
	}{
		"no number":           {"report.number", PoliceReport{At: now}},
		"blank":               {"report.number", PoliceReport{Number: " ", At: now}},
		"no time":             {"report.number", PoliceReport{Number: "1234"}},
		"tomorrow":            {"report.number", PoliceReport{Number: "1234", At: now.Add(time.Hour)}},
		"long":                {"input.words", PoliceReport{Number: strings.Repeat("1", maxName+1), At: now}},
		"before the incident": {"report.number", PoliceReport{Number: "1234", At: now.AddDate(0, 0, -2)}},
		"an older form":       {"case.conflict", PoliceReport{Number: "1234", At: now, Version: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := b.Report(t.Context(), staff, v.ID, tc.r)
			refused(t, err, tc.code)
		})
	}
	b.up.fail = errors.New("disk full")
	if _, err := b.Report(t.Context(), staff, v.ID, PoliceReport{Number: "1234", At: now}); err == nil || b.get(v).Evidence.Report != nil {
		t.Errorf("the extranet was not told, and the case says it is reported: %v", err)
	}
	b.up.fail = nil
	// A page's clock may be a little ahead of the box's.
	got, err := b.Report(t.Context(), staff, v.ID, PoliceReport{Version: v.Version, Number: "1234", At: now.Add(30 * time.Second)})
	if b.must(got, err); got.Evidence.Report == nil || got.Evidence.Report.Number != "1234" || b.up.reported[v.Disclosure.ID] != "1234" {
		t.Errorf("%+v, told %v", got.Evidence.Report, b.up.reported)
	}
	if err := b.Sweep(t.Context()); err != nil || b.get(v).State != incident.Released {
		t.Errorf("reported, and the case is %s: %v", b.get(v).State, err)
	}
	_, err = b.Report(t.Context(), staff, v.ID, PoliceReport{Number: "5678", At: now})
	refused(t, err, "case.state")
	b.clock.Advance(20 * time.Hour)
	if err := b.Sweep(t.Context()); err != nil || b.get(v).State != incident.Released {
		t.Errorf("the day after: %s, %v", b.get(v).State, err)
	}
}

func TestReportTooLate(t *testing.T) {
	b := newBox(t)
	v := b.released()
	// 23:59:59 in Copenhagen is in time, midnight is not: neither for the time
	// of the report nor for that of the record.
	b.clock.Advance(v.Disclosure.ReportDue.Sub(start))
	for _, at := range []time.Time{start, v.Disclosure.ReportDue} {
		_, err := b.Report(t.Context(), b.people["staff"], v.ID, PoliceReport{Number: "1234", At: at})
		refused(t, err, "case.state")
	}
	b.clock.Advance(-time.Second)
	got, err := b.Report(t.Context(), b.people["staff"], v.ID, PoliceReport{Number: "1234", At: b.clock.Now()})
	if b.must(got, err).Evidence.Report == nil {
		t.Error("the last second of the day was too late")
	}
	v = b.released()
	w, err := b.Withdraw(t.Context(), b.people["manager"], v.ID, "forkert person")
	b.must(w, err)
	_, err = b.Report(t.Context(), b.people["staff"], v.ID, PoliceReport{Number: "1234", At: b.clock.Now()})
	refused(t, err, "case.state")
}

func TestWithdraw(t *testing.T) {
	b := newBox(t)
	manager := b.people["manager"]
	v := b.released()
	for name, tc := range map[string]struct{ code, reason string }{
		"no reason": {"withdraw.reason", " "}, "endless": {"input.words", strings.Repeat("x", maxWords+1)}, "unrecordable": {"input.words", strings.Repeat("x", audit.MaxText+1)},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := b.Withdraw(t.Context(), manager, v.ID, tc.reason)
			refused(t, err, tc.code)
		})
	}
	b.up.fail = errors.New("disk full")
	if _, err := b.Withdraw(t.Context(), manager, v.ID, "forkert person"); err == nil {
		t.Error("a withdrawal that was not queued counts")
	}
	if got := b.get(v); got.State != incident.Released || got.Disclosure.Ended != nil {
		t.Errorf("not queued, and the case is %s", got.State)
	}
	b.up.fail = nil
	got, err := b.Withdraw(t.Context(), manager, v.ID, "forkert person")
	if b.must(got, err); got.State != incident.Withdrawn || got.Disclosure.EndReason != "forkert person" || got.Disclosure.EndedBy != names["manager"] || !got.Disclosure.Ended.Equal(start) {
		t.Errorf("%s %+v", got.State, got.Disclosure)
	}
	if b.up.withdrawn[v.Disclosure.ID] != names["manager"]+": forkert person" {
		t.Errorf("queued: %v", b.up.withdrawn)
	}
	b.noCopy(v)
	_, err = b.Withdraw(t.Context(), manager, v.ID, "igen")
	refused(t, err, "case.state")

	// A copy that could not be removed then goes with the next sweep.
	if err := os.WriteFile(b.copyFiles(v.ID).path, []byte("left"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := b.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.noCopy(v)
}
