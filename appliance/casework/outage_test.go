package casework

import (
	"crypto/ed25519"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/audit"
	"veilbox/appliance/incident"
	"veilbox/appliance/policy"
	"veilbox/appliance/store"
)

// reopen closes all that the box keeps on its disk and starts anew from it, as
// after a power cut.
func (b *box) reopen() {
	b.t.Helper()
	must := func(err error) {
		b.t.Helper()
		if err != nil {
			b.t.Fatal(err)
		}
	}
	must(errors.Join(b.opt.Store.Close(), b.opt.Audit.Close()))
	st, err := store.Open(b.t.Context(), store.Options{Path: filepath.Join(b.opt.Dir, "box.db"), Key: b.opt.Key.Derive("s"), Clock: b.clock})
	must(err)
	b.t.Cleanup(func() { must(st.Close()) })
	log, err := audit.Open(b.t.Context(), audit.Options{Path: filepath.Join(b.opt.Dir, "audit.db"), Key: b.opt.Key.Derive("a"), Name: "test-box", Signing: ed25519.NewKeyFromSeed(make([]byte, 32)), Clock: b.clock})
	must(err)
	b.t.Cleanup(func() { must(log.Close()) })
	acc, err := account.New(account.Options{Store: st, Clock: b.clock, Params: account.Params{MemoryKiB: 8, Time: 1, Threads: 1}, FirstLogin: "manager", FirstName: names["manager"], RPID: "boks.example", RPName: "Boks"})
	must(err)
	b.opt.Store, b.opt.Audit, b.opt.Accounts, b.accounts = st, log, acc, acc
	b.restart()
}

// Each clock with the box off over its time: it acts at the start, once, and not
// before; and a clock that then steps back takes nothing of it back.
func TestEveryClockActsAfterAnOutage(t *testing.T) {
	next := start.Add(14 * day)
	planned := func(e *incident.Evidence) { e.NextReassessment = &next }
	for name, tc := range map[string]struct {
		begin func(*box) CaseView
		at    func(CaseView) time.Time
		act   string
		why   string
		then  incident.State
	}{
		"midnight without a report": {
			func(b *box) CaseView { return b.released() },
			func(v CaseView) time.Time { return v.Disclosure.ReportDue }, "disclosure.expire", policy.ByReportMissing, incident.Expired},
		"the reminder": {
			func(b *box) CaseView { return b.disclosed(planned) },
			func(CaseView) time.Time { return next.Add(-policy.RemindBefore) }, "disclosure.reassessment-due", "datoen for næste vurdering nærmer sig", incident.ReassessmentDue},
		"a reassessment missed": {
			func(b *box) CaseView { return b.disclosed(planned) },
			func(CaseView) time.Time { return next }, "disclosure.expire", policy.ByReassessmentMissed, incident.Expired},
		"thirty days": {
			func(b *box) CaseView { return b.disclosed() },
			func(v CaseView) time.Time { return v.Disclosure.NotAfter }, "disclosure.expire", policy.By30Days, incident.Expired},
		"the case has been kept": {
			func(b *box) CaseView {
				v := b.disclosed()
				v, err := b.Withdraw(b.t.Context(), b.people["manager"], v.ID, "forkert person")
				return b.must(v, err)
			},
			func(v CaseView) time.Time { return v.Disclosure.Ended.Add(keepCases) }, "case.delete", "opbevaringstiden er udløbet", incident.Deleted},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			v := tc.begin(b)
			due := tc.at(v)
			b.at(due.Add(-2 * time.Second))
			b.sweep()
			if before := b.kept(v); before.State != v.State && tc.then != incident.Expired || before.State.Over() != v.State.Over() {
				t.Fatalf("two seconds before it is %s", before.State)
			}
			// Off then, on again when the time has come.
			b.at(due)
			b.reopen()
			b.sweep()
			b.reopen()
			b.sweep()
			b.at(due.Add(-time.Hour)) // the clock steps back
			b.reopen()
			b.sweep()
			if got := b.kept(v); got.State != tc.then {
				t.Fatalf("it is %s, want %s", got.State, tc.then)
			}
			list, err := b.opt.Audit.Entries(t.Context(), audit.Filter{Act: tc.act, About: "case=" + string(v.ID)})
			if err != nil || len(list) != 1 || list[0].Why != tc.why || list[0].Who.ID != clockWho.ID || !list[0].At.Equal(due) {
				t.Errorf("on record: %+v, %v", list, err)
			}
			if r, err := b.opt.Audit.Verify(t.Context()); err != nil || !r.OK {
				t.Errorf("the log: %+v, %v", r, err)
			}
		})
	}
}
