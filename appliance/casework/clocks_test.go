package casework

import (
	"context"
	"fmt"
	"testing"
	"time"

	"veilbox/appliance/audit"
	"veilbox/appliance/incident"
	"veilbox/appliance/policy"
	"veilbox/internal/clock"
	"veilbox/internal/problem"
)

const day = 24 * time.Hour

// at brings the box's clock to t.
func (b *box) at(t time.Time) { b.clock.Advance(t.Sub(b.clock.Now())) }

func (b *box) sweep() {
	b.t.Helper()
	if err := b.Sweep(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
}

// ended fails the test unless v was ended once, by that clock.
func (b *box) ended(v CaseView, by string) {
	b.t.Helper()
	got := b.get(v)
	if got.State != incident.Expired || got.Disclosure == nil || got.Disclosure.Ended == nil || got.Disclosure.EndedBy != clockName || got.Disclosure.EndReason == "" {
		b.t.Fatalf("the case is %s: %+v; it should have ended by %s", got.State, got.Disclosure, by)
	}
	if _, ok := b.up.withdrawn[v.Disclosure.ID]; !ok {
		b.t.Error("the end was not queued for the extranet")
	}
	all, err := b.opt.Audit.Entries(b.t.Context(), audit.Filter{Act: "disclosure.expire", About: "case=" + string(v.ID)})
	if err != nil || len(all) != 1 || all[0].Why != by || all[0].Who.ID != "clock" {
		b.t.Errorf("on record: %+v, %v", all, err)
	}
	b.noCopy(got)
}

func (b *box) runs(v CaseView) {
	b.t.Helper()
	if got := b.get(v); !got.State.Running() || got.Disclosure.Ended != nil {
		b.t.Fatalf("the case is %s: %+v; it should still run", got.State, got.Disclosure)
	}
}

// disclosed makes a reported case that the extranet has; its next assessment is
// due on the last day unless change says otherwise.
func (b *box) disclosed(change ...func(*incident.Evidence)) CaseView {
	b.t.Helper()
	last := b.clock.Now().Add(policy.MaxDisclosure - time.Second)
	set := func(e *incident.Evidence) {
		e.NextReassessment, e.Report = &last, &incident.Report{Number: "1234", At: b.clock.Now()}
	}
	v := b.released(append([]func(*incident.Evidence){set}, change...)...)
	if err := b.Delivered(b.t.Context(), v.Disclosure.ID, b.clock.Now()); err != nil {
		b.t.Fatal(err)
	}
	if v = b.get(v); v.State != incident.Disclosed || v.Disclosure.Disclosed == nil {
		b.t.Fatalf("%s %+v", v.State, v.Disclosure)
	}
	return v
}

func TestThirtyDays(t *testing.T) {
	b := newBox(t)
	v := b.disclosed()
	if !v.Disclosure.NotAfter.Equal(start.Add(30 * day)) {
		t.Errorf("it ends %v", v.Disclosure.NotAfter)
	}
	b.at(start.Add(30*day - 2*time.Second))
	b.sweep()
	b.runs(v)
	b.clock.Advance(2 * time.Second)
	for range 3 {
		b.sweep()
	}
	b.ended(v, policy.By30Days)
	if n := len(b.up.log()); n != 2 { // disclose, withdraw
		t.Errorf("the uplink was called %d times: %s", n, b.up.log())
	}
}

func TestOneWeekWhereTheShopSaysSo(t *testing.T) {
	b := newBox(t)
	b.opt.Settings.MaxDisclosure = 7 * day
	b.restart()
	next := start.Add(7*day - 1)
	v := b.disclosed(func(e *incident.Evidence) { e.NextReassessment = &next })
	b.at(start.Add(7*day - 2))
	b.sweep()
	b.runs(v)
	b.clock.Advance(2)
	b.sweep()
	b.ended(v, policy.By30Days)
}

func TestReportMissingAtTheEndOfTheDay(t *testing.T) {
	for name, tc := range map[string]struct{ released, due string }{
		"winter":               {"2026-11-10T09:00:00Z", "2026-11-10T23:00:00Z"},
		"summer":               {"2026-07-10T09:00:00Z", "2026-07-10T22:00:00Z"},
		"summer time begins":   {"2026-03-29T00:30:00Z", "2026-03-29T22:00:00Z"},
		"the evening before":   {"2026-03-28T22:30:00Z", "2026-03-28T23:00:00Z"},
		"summer time ends":     {"2026-10-25T00:30:00Z", "2026-10-25T23:00:00Z"},
		"its second half hour": {"2026-10-25T01:30:00Z", "2026-10-25T23:00:00Z"},
		"a minute to midnight": {"2026-07-10T21:59:00Z", "2026-07-10T22:00:00Z"},
		"a minute past":        {"2026-07-10T22:01:00Z", "2026-07-11T22:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			at, err := time.Parse(time.RFC3339, tc.released)
			if err != nil {
				t.Fatal(err)
			}
			due, err := time.Parse(time.RFC3339, tc.due)
			if err != nil {
				t.Fatal(err)
			}
			v := b.veiled(b.newCase())
			b.at(at) // within what everybody is authorised for
			e := evidence()
			next := at.Add(14 * day)
			e.NextReassessment = &next
			v.HappenedAt = at.Add(-time.Hour)
			v = b.answer(v, e)
			v, err = b.Submit(t.Context(), b.people["staff"], v.ID, v.Version)
			v, err = b.approve(b.must(v, err), "assessor")
			if b.must(v, err); v.State != incident.Released || !v.Disclosure.ReportDue.Equal(due) {
				t.Fatalf("%s, due %v", v.State, v.Disclosure.ReportDue)
			}
			b.at(due.Add(-time.Millisecond))
			b.sweep()
			b.runs(v)
			b.at(due)
			b.sweep()
			b.sweep()
			b.ended(v, policy.ByReportMissing)
		})
	}
}

func TestWhatElseEndsADisclosure(t *testing.T) {
	now := start.Add(time.Hour)
	for name, tc := range map[string]struct {
		by     string
		change func(*incident.Case)
	}{
		"charged":                {"V3", func(c *incident.Case) { c.Evidence.Charged = &now }},
		"certainty lost":         {"V1", func(c *incident.Case) { c.Evidence.CertaintyLost = &now }},
		"report withdrawn":       {"V4", func(c *incident.Case) { c.Evidence.Report.Withdrawn = &now }},
		"report groundless":      {"V4", func(c *incident.Case) { c.Evidence.Report.Groundless = &now }},
		"reassessment missed":    {policy.ByReassessmentMissed, func(c *incident.Case) { c.Evidence.NextReassessment = &now }},
		"no reassessment at all": {"V8", func(c *incident.Case) { c.Evidence.NextReassessment = nil }},
		"no copy":                {"V5", func(c *incident.Case) { c.Copy = nil }},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			v := b.disclosed()
			b.amend(v, tc.change)
			b.at(now)
			b.sweep()
			b.sweep()
			b.ended(v, tc.by)
		})
	}
}

func TestAnEndThatCannotBeQueuedIsTriedAgain(t *testing.T) {
	b := newBox(t)
	v, other := b.disclosed(), b.disclosed()
	b.at(start.Add(31 * day))
	b.up.fail = fmt.Errorf("disk full")
	if err := b.Sweep(t.Context()); err == nil {
		t.Error("it is not told")
	}
	b.runs(v)
	b.up.fail = nil
	b.sweep()
	for _, v := range []CaseView{v, other} {
		if got := b.get(v); got.State != incident.Expired || b.up.withdrawn[v.Disclosure.ID] == "" {
			t.Errorf("%s", got.State)
		}
	}
}

func TestAfterAnOutage(t *testing.T) {
	b := newBox(t)
	v := b.disclosed()
	b.at(start.Add(90 * day))
	b.restart()
	b.sweep()
	b.ended(v, policy.By30Days)
	if got := b.get(v); !got.Disclosure.Ended.Equal(b.clock.Now()) {
		t.Errorf("it ended %v", got.Disclosure.Ended)
	}
}

func TestTheClocksRunByThemselves(t *testing.T) {
	b := newBox(t)
	v := b.disclosed()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	b.at(start.Add(31 * day))
	b.until(func() bool {
		b.clock.Advance(sweepEvery)
		return b.get(v).State == incident.Expired
	}, func() string { return "the disclosure never ended" })
}

func TestAStepBackLengthensNothing(t *testing.T) {
	b := newBox(t)
	v := b.disclosed()
	b.at(start.Add(20 * day))
	b.sweep()
	for _, restart := range []bool{false, true} {
		b.at(start.Add(19 * day))
		if restart {
			b.restart()
		}
		b.sweep()
		b.runs(v)
		if got := b.deadlineNow(); !got.Equal(start.Add(20 * day)) {
			t.Errorf("restart %v: deadlines are held against %v", restart, got)
		}
	}
	// The clock is two days behind what it has shown, and set right at last: the
	// time between does not come twice.
	b.at(start.Add(30*day - time.Second))
	b.sweep()
	b.at(start.Add(29 * day))
	b.restart()
	if got := b.deadlineNow(); !got.Equal(start.Add(30*day - time.Second)) {
		t.Errorf("deadlines are held against %v", got)
	}
	b.ended(v, policy.ByReassessmentMissed)
}

func TestAReportIsNotInTimeByAStepBack(t *testing.T) {
	b := newBox(t)
	v := b.released()
	b.at(v.Disclosure.ReportDue.Add(time.Second))
	if err := b.keepHighWater(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.at(v.Disclosure.ReportDue.Add(-time.Hour))
	b.restart()
	_, err := b.Report(t.Context(), b.people["staff"], v.ID, PoliceReport{Number: "1234", At: b.clock.Now()})
	refused(t, err, "case.state")
	b.sweep()
	b.ended(v, policy.ByReportMissing)
}

func TestAClockSetFarAheadAndBack(t *testing.T) {
	b := newBox(t)
	v := b.disclosed()
	b.at(start.Add(200 * day))
	b.sweep()
	b.ended(v, policy.By30Days) // a disclosure too few, not one too many
	b.at(start.Add(time.Hour))
	b.restart()
	b.sweep()
	if got := b.deadlineNow(); !got.Equal(start.Add(time.Hour)) {
		t.Errorf("deadlines are held against %v", got)
	}
	b.restart()
	if got := b.deadlineNow(); !got.Equal(start.Add(time.Hour)) {
		t.Errorf("after a restart deadlines are held against %v", got)
	}
	v = b.disclosed()
	b.sweep()
	b.runs(v)

	// What is released while the clock is ahead ends no later than by the true one.
	b.at(start.Add(10 * day))
	b.sweep()
	b.at(start.Add(2 * time.Hour))
	if b.Sweep(t.Context()) != nil || b.get(v).State != incident.Disclosed {
		t.Errorf("ten days ahead and back: %s", b.get(v).State)
	}
}

func TestWhatTheExtranetSays(t *testing.T) {
	b := newBox(t)
	ctx := t.Context()
	why := problem.New(403, "wire.circle", problem.Text{DA: "Kredsen er for stor.", EN: "The circle is too large."}, problem.Text{})
	for range 2 { // of what it does not know
		if err := b.Delivered(ctx, "NONE", start); err != nil {
			t.Error(err)
		}
		if err := b.Rejected(ctx, "NONE", why); err != nil {
			t.Error(err)
		}
		if err := b.Ended(ctx, "NONE", "drift", "ulovlig"); err != nil {
			t.Error(err)
		}
	}
	if n := b.count("disclosure.delivered") + b.count("disclosure.rejected") + b.count("disclosure.ended"); n != 0 {
		t.Errorf("%d acts on no case are on record", n)
	}

	v := b.released()
	for i := range 3 {
		if err := b.Delivered(ctx, v.Disclosure.ID, start.Add(time.Duration(i)*time.Hour).In(clock.Copenhagen)); err != nil {
			t.Fatal(err)
		}
	}
	got := b.get(v)
	if got.State != incident.Disclosed || !got.Disclosure.Disclosed.Equal(start) || got.Disclosure.Disclosed.Location() != time.UTC || b.count("disclosure.delivered") != 1 {
		t.Errorf("%s %+v", got.State, got.Disclosure)
	}
	if err := b.Rejected(ctx, v.Disclosure.ID, why); err != nil || b.get(v).State != incident.Disclosed {
		t.Errorf("refused after it was taken: %s, %v", b.get(v).State, err)
	}
	for range 3 {
		if err := b.Ended(ctx, v.Disclosure.ID, "drift", "ulovlig"); err != nil {
			t.Fatal(err)
		}
	}
	got = b.get(v)
	if got.State != incident.Expired || got.Disclosure.EndedBy != "drift" || got.Disclosure.EndReason != "ulovlig" || b.count("disclosure.ended") != 1 {
		t.Errorf("%s %+v", got.State, got.Disclosure)
	}
	b.sweep()
	b.noCopy(got)

	v = b.released()
	for range 3 {
		if err := b.Rejected(ctx, v.Disclosure.ID, why); err != nil {
			t.Fatal(err)
		}
	}
	got = b.get(v)
	if got.State != incident.Refused || got.Disclosure != nil || b.count("disclosure.rejected") != 1 {
		t.Errorf("%s %+v", got.State, got.Disclosure)
	}
	if err := b.Delivered(ctx, v.Disclosure.ID, start); err != nil || b.get(v).State != incident.Refused {
		t.Errorf("delivered after it was refused: %s, %v", b.get(v).State, err)
	}
	// The shop narrows the circle and sends it anew, as another disclosure.
	w, err := b.Submit(ctx, b.people["staff"], v.ID, got.Version)
	w, err = b.approve(b.must(w, err), "assessor")
	if b.must(w, err); w.State != incident.Released || w.Disclosure.ID == v.Disclosure.ID {
		t.Errorf("%s %+v", w.State, w.Disclosure)
	}
	w, err = b.Withdraw(ctx, b.people["manager"], w.ID, "forkert person")
	if err := b.Ended(ctx, b.must(w, err).Disclosure.ID, "drift", "trukket tilbage"); err != nil || b.get(w).State != incident.Withdrawn || b.get(w).Disclosure.EndReason != "forkert person" {
		t.Errorf("the echo of its own withdrawal: %+v, %v", b.get(w).Disclosure, err)
	}
}

// Each deadline that is a day's or counts in days holds over both nights on which
// Copenhagen's clock is turned: at the instant, acted on once, after an outage,
// and not put off by a step back.
func TestDeadlinesOverTheTurnsOfTheClock(t *testing.T) {
	for name, day0 := range map[string]time.Time{
		"summer time begins": time.Date(2026, 3, 27, 10, 0, 0, 0, time.UTC),
		"summer time ends":   time.Date(2026, 10, 23, 10, 0, 0, 0, time.UTC),
	} {
		for what, tc := range map[string]struct {
			next, due time.Duration // from the release
			by        string
		}{
			// Instants, whatever the wall clock of the day says.
			"reassessment": {4 * day, 4 * day, policy.ByReassessmentMissed},
			"30 days":      {30*day - time.Nanosecond, 30 * day, policy.By30Days},
		} {
			t.Run(name+", "+what, func(t *testing.T) {
				b := newBox(t)
				v := b.veiled(b.newCase())
				b.at(day0)
				e := evidence()
				next := day0.Add(tc.next)
				e.NextReassessment, e.Report = &next, &incident.Report{Number: "1234", At: day0}
				v.HappenedAt = day0.Add(-time.Hour)
				v = b.answer(v, e)
				v, err := b.Submit(t.Context(), b.people["staff"], v.ID, v.Version)
				v, err = b.approve(b.must(v, err), "assessor")
				if err := b.Delivered(t.Context(), b.must(v, err).Disclosure.ID, day0); err != nil {
					t.Fatal(err)
				}
				due := day0.Add(tc.due)
				b.at(due.Add(-2 * time.Nanosecond))
				b.sweep()
				b.runs(v)
				b.at(due.Add(-time.Hour)) // the second 02:30 is not an hour more
				b.restart()
				b.sweep()
				b.runs(v)
				b.at(due)
				b.restart()
				for range 3 {
					b.sweep()
				}
				b.ended(v, tc.by)
				b.at(due.Add(-day))
				b.restart()
				b.sweep()
				b.ended(v, tc.by)
			})
		}
	}
}

// The reminder comes once, some days before the date, and after an outage.
func TestTheReminder(t *testing.T) {
	for name, outage := range map[string]bool{"running": false, "after an outage": true} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			next := start.Add(14 * day)
			v := b.disclosed(func(e *incident.Evidence) { e.NextReassessment = &next })
			remind := next.Add(-policy.RemindBefore)
			b.at(remind.Add(-1))
			b.sweep()
			if got := b.get(v); got.State != incident.Disclosed {
				t.Fatalf("%s", got.State)
			}
			if b.at(remind); outage {
				b.at(next.Add(-time.Hour))
				b.restart()
			}
			for range 3 {
				b.sweep()
			}
			if got := b.get(v); got.State != incident.ReassessmentDue || b.count("disclosure.reassessment-due") != 1 {
				t.Fatalf("%s, %d times", got.State, b.count("disclosure.reassessment-due"))
			}
			b.at(remind.Add(-day))
			b.restart()
			b.sweep()
			if got := b.get(v); got.State != incident.ReassessmentDue {
				t.Errorf("after a step back: %s", got.State)
			}
			b.at(next)
			b.sweep()
			b.ended(v, policy.ByReassessmentMissed)
		})
	}
}
