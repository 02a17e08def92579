package casework

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/incident"
	"veilbox/appliance/policy"
	"veilbox/internal/passkey"
	"veilbox/internal/problem"
	"veilbox/redact/subject"
)

// A walk does acts at random, by whoever, in whatever state, and holds what comes
// of them against the gate.
type walk struct {
	*box
	r     *rand.Rand
	cases []incident.CaseID
	ready map[incident.CaseID]Verdict // prepared and signed, perhaps long ago
	done  map[string]int
}

// pick is one of a few, without a table of weights.
func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

func (w *walk) anybody() string {
	return pick(w.r, "manager", "staff", "second", "assessor", "lawyer", "auditor", "operator", "idle")
}

// form is evidence that may lack anything.
func (w *walk) form() incident.Evidence {
	e := evidence()
	next := w.clock.Now().Add(time.Duration(1+w.r.IntN(40)) * day)
	e.NextReassessment = &next
	for range w.r.IntN(3) {
		switch w.r.IntN(12) {
		case 0:
			e.Basis = ""
		case 1:
			e.ValueDKK = dkk(500)
		case 2:
			e.RepeatReasons = "ved ikke"
		case 3:
			e.ReportToday = false
		case 4:
			e.Report = &incident.Report{Number: "1234", At: w.clock.Now()}
		case 5:
			e.Circle.Members = nil
		case 6:
			e.Circle.Reason = "Det kan ikke udelukkes."
		case 7:
			e.NextReassessment = nil
		case 8:
			e.Doubtful = true
		case 9:
			e.Offence = incident.Vandalism
		case 10:
			now := w.clock.Now()
			e.Charged = &now
		case 11:
			wide(&e)
		}
	}
	return e
}

// sensible is what of step's acts would come next in a state.
var sensible = map[incident.State][]int{
	incident.Draft: {0, 3, 3}, incident.Redacted: {0, 5, 5, 5}, incident.Refused: {0, 5, 5}, incident.Submitted: {8, 8, 11, 11},
	incident.Released: {16, 16, 18}, incident.Disclosed: {17, 18, 19, 15}, incident.ReassessmentDue: {17}, incident.Narrowed: {17, 19},
	incident.Withdrawn: {20}, incident.Expired: {20},
}

// step does one act. Errors are the answers of a box that says no.
func (w *walk) step() (string, error) {
	ctx, a := w.t.Context(), w.lasting(w.anybody())
	if len(w.cases) == 0 || len(w.cases) < 4 && w.r.IntN(12) == 0 {
		n := theft()
		v, err := w.NewCase(ctx, a, n)
		if err == nil {
			w.cases = append(w.cases, v.ID)
		}
		return "new", err
	}
	id := pick(w.r, w.cases...)
	c, err := w.opt.Store.Case(ctx, id)
	if err != nil {
		w.t.Fatal(err)
	}
	version := c.Version - w.r.IntN(8)/7
	// Mostly what would come next, else whatever.
	n := w.r.IntN(20)
	if next, ok := sensible[c.State]; ok && w.r.IntN(10) < 6 {
		n = pick(w.r, next...)
		a = w.lasting(pick(w.r, "staff", "second", "manager"))
	}
	if n == 14 && w.r.IntN(6) > 0 {
		n = 19 // facts end everything
	}
	switch n {
	case 0, 1, 2:
		_, err = w.ChangeCase(ctx, a, id, Change{Version: version, What: "En mand tog en jakke.", HappenedAt: w.clock.Now().Add(-time.Hour), Evidence: w.form()})
		return "change", err
	case 3, 4:
		_, err = w.Redact(ctx, a, id, SubjectChange{Version: version, Subjects: []subject.Subject{somebody()}})
		if err == nil && w.r.IntN(4) > 0 { // the worker, done at once
			if err := w.copied(id); err != nil {
				w.t.Fatal(err)
			}
		}
		return "redact", err
	case 5, 6, 7:
		_, err = w.Submit(ctx, a, id, version)
		return "submit", err
	case 8, 9, 10:
		who := pick(w.r, "assessor", "lawyer")
		a := w.lasting(who)
		v := Verdict{Version: version, Decision: incident.Approve, Reasons: "Optagelsen viser tyveriet tydeligt."}
		if c.Copy != nil {
			v.Copy, v.Sheet, v.SawFlagged = c.Copy.Hash, c.Copy.Sheet, c.Copy.Flagged.Spans
		}
		p, err := w.PrepareApproval(ctx, a, id, v)
		if err != nil {
			return "prepare", err
		}
		if v.Response, err = w.keys[who].Get(p.Ceremony.Options); err != nil {
			w.t.Fatal(err)
		}
		v.Ceremony = p.Ceremony.ID
		w.ready[id] = v
		return "prepare", nil
	case 11, 12, 13:
		v, ok := w.ready[id]
		if !ok || w.r.IntN(8) == 0 {
			v = Verdict{Decision: pick(w.r, incident.Approve, incident.Refuse), Reasons: "Det er ikke sikkert nok."}
			if c.Copy != nil {
				v.Copy, v.Sheet, v.SawFlagged = c.Copy.Hash, c.Copy.Sheet, c.Copy.Flagged.Spans
			}
		}
		_, err = w.Assess(ctx, w.lasting(pick(w.r, "assessor", "lawyer")), id, v)
		return "assess", err
	case 14:
		_, err = w.SetFact(ctx, a, id, NewFact{What: pick(w.r, facts...), Words: "Det er sket i dag."})
		return "fact", err
	case 15:
		_, err = w.Withdraw(ctx, a, id, "forkert person")
		return "withdraw", err
	case 16:
		if c.Disclosure != nil {
			err = pick(w.r, func() error { return w.Delivered(ctx, c.Disclosure.ID, w.clock.Now()) },
				func() error { return w.Delivered(ctx, c.Disclosure.ID, w.clock.Now()) },
				func() error {
					return w.Rejected(ctx, c.Disclosure.ID, problem.New(400, "x", problem.Text{}, problem.Text{}))
				})()
		}
		return "extranet", err
	case 17:
		_, err = w.Reassess(ctx, w.lasting("assessor"), id, Reassess{Reasons: "Intet er ændret siden sidst.", Next: w.clock.Now().Add(time.Duration(w.r.IntN(20)) * day), Drop: pick(w.r, nil, nil, []incident.MemberID{"butik-c"})})
		return "reassess", err
	case 18:
		_, err = w.Report(ctx, a, id, PoliceReport{Number: "1234", At: w.clock.Now()})
		return "report", err
	case 20:
		w.cases = slices.DeleteFunc(w.cases, func(x incident.CaseID) bool { return x == id })
		return "forget", nil
	default:
		w.clock.Advance(pick(w.r, time.Second, 3*time.Minute, time.Hour, time.Hour, 9*time.Hour, -2*time.Hour, 3*day))
		if w.r.IntN(10) == 0 {
			w.restart()
			w.ready = map[incident.CaseID]Verdict{}
		}
		return "time", w.Sweep(ctx)
	}
}

// copied makes the copy that a case waits for.
func (w *walk) copied(id incident.CaseID) error {
	w.jobs.cancel(id)
	return w.redactOne(w.t.Context(), id)
}

// However people act, nothing is disclosed that does not meet all nine conditions
// at that moment: what the extranet is given is put to the gate again here.
func TestNoWayPastTheGate(t *testing.T) {
	released, refusals := 0, 0
	for seed := range uint64(4) {
		w := &walk{box: newBox(t), r: rand.New(rand.NewPCG(seed, 5)), ready: map[incident.CaseID]Verdict{}, done: map[string]int{}}
		sent := 0
		w.up.during = func(id incident.DisclosureID) {
			// The case as it is in the store while it is on its way.
			all, err := w.opt.Store.Cases(t.Context(), incident.Released)
			if err != nil {
				t.Error(err)
			}
			for _, c := range all {
				if c.Disclosure.ID == id {
					w.satisfied(c)
					sent++
				}
			}
		}
		before := map[incident.CaseID]incident.State{}
		for i := range 300 {
			what, err := w.step()
			if err == nil {
				w.done[what]++
			} else if p := problem.Of(err); p.Status >= 500 {
				t.Fatalf("seed %d, step %d, %s: %v", seed, i, what, err)
			} else {
				refusals++
			}
			cases, err := w.opt.Store.Cases(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range cases {
				was := before[c.ID]
				if c.State.Running() && !was.Running() && what != "assess" {
					t.Fatalf("seed %d, step %d: %s made a case %s that was %s", seed, i, what, c.State, was)
				}
				if was.Over() && !c.State.Over() {
					t.Fatalf("seed %d, step %d: %s made a case %s that was %s", seed, i, what, c.State, was)
				}
				if c.State.Running() && c.Disclosure.NotAfter.After(c.Disclosure.Released.Add(policy.MaxDisclosure)) {
					t.Fatalf("seed %d, step %d: it lasts until %v", seed, i, c.Disclosure.NotAfter)
				}
				before[c.ID] = c.State
			}
		}
		if sent != len(w.up.sent) {
			t.Errorf("seed %d: %d were sent, %d of them seen", seed, len(w.up.sent), sent)
		}
		for _, s := range w.up.sent {
			if f := s.rel.Findings(); !all(f[:]) {
				t.Errorf("seed %d: %+v", seed, f)
			}
		}
		released += sent
		t.Logf("seed %d: %v, %d sent", seed, w.done, sent)
	}
	if released < 3 || refusals < 100 {
		t.Errorf("%d were released and %d acts refused: the walk shows too little", released, refusals)
	}
}

func all(f []policy.Finding) bool {
	for _, x := range f {
		if !x.Satisfied {
			return false
		}
	}
	return len(f) == 9
}

// satisfied puts a case that is on its way to the gate as it is now, and checks
// what the assessor signed.
func (w *walk) satisfied(c incident.Case) {
	w.t.Helper()
	x := c.Clone()
	x.Disclosure = nil
	v := policy.Assess(x, w.clock.Now(), policy.Settings{TwoPersons: true})
	if f := v.Findings(); !all(f[:]) {
		w.t.Fatalf("a case was released with this missing: %+v", v.Missing())
	}
	last := c.Assessments[len(c.Assessments)-1]
	if last.Signed == nil {
		w.t.Fatal("nobody has signed it")
	}
	sum := approvalSum(last.Signed.Statement)
	if _, err := passkey.Verify(last.Signed.Key, sum[:], last.Signed.Assertion); err != nil {
		w.t.Fatal(err)
	}
	if p := w.lasting("assessor"); !account.Can(account.Assessor, account.Assess) || p.Session.Person.ID == "" {
		w.t.Fatal("there is no assessor")
	}
}

// Two people change one case at once: one of them wins, and nothing is lost.
func TestTwoAtOnce(t *testing.T) {
	b := newBox(t)
	v := b.newCase()
	for round := range 20 {
		v = b.get(v)
		var wg sync.WaitGroup
		var mu sync.Mutex
		won, lost := []string{}, 0
		for _, who := range []string{"staff", "second"} {
			wg.Go(func() {
				e := evidence()
				e.BasisWords = fmt.Sprintf("%s skriver i runde %d, hvad der skete.", names[who], round)
				_, err := b.ChangeCase(t.Context(), b.people[who], v.ID, Change{Version: v.Version, What: v.What, HappenedAt: v.HappenedAt, Evidence: e})
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					won = append(won, e.BasisWords)
				case errors.Is(err, errConflict):
					lost++
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		got := b.get(v)
		if len(won) != 1 || lost != 1 || got.Version != v.Version+1 || got.Evidence.BasisWords != won[0] {
			t.Fatalf("round %d: %s won, %d lost, version %d after %d", round, won, lost, got.Version, v.Version)
		}
	}
	if p := problem.Of(errConflict); p.Status != 409 || p.Code != "case.conflict" {
		t.Errorf("%+v", p)
	}
}

// Two assessors approve at once: it is released once.
func TestTwoApproveAtOnce(t *testing.T) {
	b := newBox(t)
	v := b.submitted()
	verdicts := map[string]Verdict{}
	for _, who := range []string{"assessor", "lawyer"} {
		w, err := b.sign(v, who, b.verdict(v, who))
		if err != nil {
			t.Fatal(err)
		}
		verdicts[who] = w
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	errs := []error{}
	for who, w := range verdicts {
		wg.Go(func() {
			_, err := b.Assess(t.Context(), b.people[who], v.ID, w)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, err)
			}
		})
	}
	wg.Wait()
	if got := b.get(v); len(errs) != 1 || len(b.up.sent) != 1 || got.State != incident.Released || len(got.Assessments) != 1 {
		t.Errorf("%v; sent %d times; %s", errs, len(b.up.sent), got.State)
	}
}
