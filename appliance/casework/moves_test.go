package casework

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"veilbox/appliance/audit"
	"veilbox/appliance/incident"
	"veilbox/appliance/policy"
	"veilbox/internal/problem"
	"veilbox/redact/subject"
)

// Every move of the table is reached here over the Service itself, by everyone
// who may make it, and must be in the audit log: who, on which case, and why.
func TestEveryMoveIsOnRecord(t *testing.T) {
	for _, m := range incident.Moves {
		for _, by := range m.By {
			t.Run(fmt.Sprintf("%s %s by %s", m.From, m.Act, by), func(t *testing.T) {
				w := mover{newBox(t), m, by}
				v := w.bring()
				if v.State != m.From {
					t.Fatalf("it begins as %s", v.State)
				}
				entries, err := w.opt.Audit.Entries(t.Context(), audit.Filter{})
				if err != nil {
					t.Fatal(err)
				}
				w.act(v)
				after, err := w.opt.Store.Case(t.Context(), v.ID)
				if err != nil || after.State != m.To {
					t.Fatalf("it ends as %s, want %s: %v", after.State, m.To, err)
				}
				w.onRecord(v, int64(len(entries)))
			})
		}
	}
}

// A mover makes one move of the table.
type mover struct {
	*box
	m  incident.Move
	by incident.Mover
}

// who is the actor for people, by the names of a box.
func (w mover) who() Actor {
	for role, m := range movers {
		if m == w.by {
			return w.lasting(string(role))
		}
	}
	w.t.Fatalf("%s is no person", w.by)
	return Actor{}
}

// bring makes a case in the state where the move begins.
func (w mover) bring() CaseView {
	w.t.Helper()
	b, ctx := w.box, w.t.Context()
	next := start.Add(14 * day)
	three := func(e *incident.Evidence) {
		e.Circle.Members = []incident.MemberID{"butik-b", "butik-c", "butik-f"}
		e.NextReassessment = &next
	}
	switch w.m.From {
	case incident.Draft:
		return b.newCase()
	case incident.Tagged:
		if w.m.Act == incident.ActReturn {
			v := b.heard()
			v, err := b.KeepSound(ctx, b.people["assessor"], v.ID, SoundChange{Version: v.Version, Keep: true, Reason: "Han truer ekspedienten højt."})
			return b.must(v, err)
		}
		return b.redact(b.newCase())
	case incident.Redacted:
		return b.veiled(b.answer(b.newCase(), evidence()))
	case incident.Submitted:
		if w.m.Act == incident.ActMark {
			return b.heard()
		}
		return b.submitted()
	case incident.Refused:
		v := b.submitted()
		no := b.verdict(v, "assessor")
		no.Decision = incident.Refuse
		v, err := b.Assess(ctx, b.people["assessor"], v.ID, no)
		return b.must(v, err)
	case incident.Released:
		return b.released()
	case incident.Disclosed:
		return b.disclosed(three)
	case incident.ReassessmentDue:
		v := b.disclosed(three)
		b.at(next.Add(-policy.RemindBefore))
		b.sweep()
		return b.get(v)
	case incident.Narrowed:
		v := b.disclosed(three)
		v, err := b.Narrow(ctx, b.people["assessor"], v.ID, Narrow{Version: v.Version, Drop: []incident.MemberID{"butik-c"}, Reason: "Kun én gade er ramt."})
		return b.must(v, err)
	case incident.Withdrawn:
		v := b.disclosed(three)
		v, err := b.Withdraw(ctx, b.people["manager"], v.ID, "forkert person")
		return b.must(v, err)
	case incident.Expired:
		v := b.disclosed(three)
		b.at(v.Disclosure.NotAfter)
		b.sweep()
		return b.get(v)
	}
	w.t.Fatalf("nothing begins at %s", w.m.From)
	return CaseView{}
}

// act makes the move.
func (w mover) act(v CaseView) {
	w.t.Helper()
	b, ctx := w.box, w.t.Context()
	var err error
	switch w.m.Act {
	case incident.ActMark:
		if w.by == incident.ByAssessor {
			_, err = b.KeepSound(ctx, w.who(), v.ID, SoundChange{Version: v.Version, Keep: true, Reason: "Han truer ekspedienten højt."})
		} else {
			_, err = b.Redact(ctx, w.who(), v.ID, SubjectChange{Version: v.Version, Subjects: []subject.Subject{somebody()}})
		}
	case incident.ActCancel:
		err = b.CancelRedaction(ctx, b.people["staff"], v.ID)
	case incident.ActMade, incident.ActReturn:
		stop := b.work()
		b.await(v.ID, w.m.To)
		stop()
	case incident.ActSubmit:
		_, err = b.Submit(ctx, w.who(), v.ID, v.Version)
	case incident.ActRefuse:
		no := b.verdict(v, "assessor")
		no.Decision, no.Reasons = incident.Refuse, "Kredsen er for stor."
		_, err = b.Assess(ctx, w.who(), v.ID, no)
	case incident.ActApprove:
		_, err = b.approve(v, "assessor")
	case incident.ActUndo:
		b.up.sent = nil
		b.restart()
		b.sweep()
	case incident.ActDeliver:
		err = b.Delivered(ctx, v.Disclosure.ID, b.clock.Now())
	case incident.ActReject:
		err = b.Rejected(ctx, v.Disclosure.ID, problem.New(403, "wire.circle", problem.Text{DA: "Kredsen er for stor.", EN: "The circle is too large."}, problem.Text{}))
	case incident.ActRemind:
		b.at(v.Evidence.NextReassessment.Add(-policy.RemindBefore))
		b.sweep()
	case incident.ActReassess:
		_, err = b.Reassess(ctx, w.who(), v.ID, Reassess{Version: v.Version, Reasons: "Alt er uændret, og der er set en mand med samme taske.", Next: b.clock.Now().Add(7 * day)})
	case incident.ActNarrow:
		_, err = b.Narrow(ctx, w.who(), v.ID, Narrow{Version: v.Version, Drop: []incident.MemberID{"butik-f"}, Reason: "Kun én gade er ramt."})
	case incident.ActWithdraw:
		_, err = b.Withdraw(ctx, w.who(), v.ID, "forkert person")
	case incident.ActFact:
		_, err = b.SetFact(ctx, w.who(), v.ID, NewFact{Version: v.Version, What: incident.FactCharged, Words: "Politiet ringede."})
	case incident.ActGiveUp:
		err = b.ReleaseHold(ctx, w.who(), string(v.ID), "skal ikke bruges")
	case incident.ActExpire:
		if w.by == incident.ByExtranet {
			err = b.Ended(ctx, v.Disclosure.ID, "drift", "ulovlig")
			break
		}
		b.at(v.Disclosure.NotAfter)
		b.sweep()
	case incident.ActDelete:
		if w.by == incident.ByManager {
			err = b.DeleteCase(ctx, w.who(), v.ID, "ikke mere brug for den")
			break
		}
		if !v.State.Over() {
			err = b.opt.Ring.Release(ctx, string(v.ID), "test")
		}
		b.clock.Advance(keepCases)
		b.sweep()
	default:
		w.t.Fatalf("nobody knows how to %s", w.m.Act)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// moveActs are what the moves are called in the log.
var moveActs = map[incident.Act]string{
	incident.ActMark: "case.redact", incident.ActCancel: "case.redact.none", incident.ActMade: "case.redact.done", incident.ActReturn: "case.redact.done",
	incident.ActSubmit: "case.submit", incident.ActRefuse: "case.refuse", incident.ActApprove: "case.approve", incident.ActUndo: "case.release.undone",
	incident.ActDeliver: "disclosure.delivered", incident.ActReject: "disclosure.rejected", incident.ActRemind: "disclosure.reassessment-due",
	incident.ActReassess: "disclosure.reassess", incident.ActNarrow: "disclosure.narrow", incident.ActWithdraw: "disclosure.withdraw",
	incident.ActFact: "case.fact", incident.ActGiveUp: "hold.release", incident.ActExpire: "disclosure.expire", incident.ActDelete: "case.delete",
}

// needless are the moves whose name says why.
var needless = map[incident.Act]bool{incident.ActMark: true, incident.ActSubmit: true}

func (w mover) onRecord(v CaseView, before int64) {
	w.t.Helper()
	act := moveActs[w.m.Act]
	if w.m.Act == incident.ActMark && w.by == incident.ByAssessor {
		act = "case.sound"
	}
	if w.m.Act == incident.ActExpire && w.by == incident.ByExtranet {
		act = "disclosure.ended"
	}
	list, err := w.opt.Audit.Entries(w.t.Context(), audit.Filter{Act: act, About: "case=" + string(v.ID), After: before})
	if err != nil || len(list) != 1 {
		w.t.Fatalf("%d times %s on record: %v", len(list), act, err)
	}
	e := list[0]
	want := map[incident.Mover]audit.Who{incident.ByClock: clockWho, incident.ByWorker: workerWho, incident.ByExtranet: extranetWho}[w.by]
	from := ""
	if want.ID == "" {
		a := w.who()
		want, from = who(a), a.From
	}
	if e.Who != want || e.From != from || want.Name == "" {
		w.t.Errorf("by %+v from %q, want %+v from %q", e.Who, e.From, want, from)
	}
	if e.Why == "" && !needless[w.m.Act] {
		w.t.Error("nothing says why")
	}
	if w.m.Act == incident.ActNarrow && e.About["dropped"] != "butik-f" || w.m.Act == incident.ActReassess && e.About["next"] == "" {
		w.t.Errorf("what was done is not said: %v", e.About)
	}
	if d := w.clock.Now().Sub(e.At); d < 0 || d > time.Second {
		w.t.Errorf("at %v, it is %v", e.At, w.clock.Now())
	}
}

func TestMembersAreNamedWithinTheBoundsOfTheLog(t *testing.T) {
	var short, long []incident.MemberID
	for i := range 30 {
		short = append(short, incident.MemberID(fmt.Sprintf("butik-%02d", 29-i)))
		long = append(long, incident.MemberID(fmt.Sprintf("%02d", i)+strings.Repeat("x", maxName-2)))
	}
	if s := named(short); !strings.HasPrefix(s, "butik-00 butik-01 ") || !strings.HasSuffix(s, " butik-19 +10") {
		t.Errorf("%s", s)
	}
	if s := named(long); len(s) > audit.MaxValue || !strings.HasSuffix(s, "x +26") {
		t.Errorf("%d bytes: %s", len(s), s)
	}
	if s := named(short[:1]); s != "butik-29" {
		t.Errorf("%s", s)
	}
}
