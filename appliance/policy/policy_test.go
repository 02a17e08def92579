package policy

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"veilbox/appliance/incident"
	"veilbox/capture/footage"
	"veilbox/internal/clock"
)

func TestOnePersonAlone(t *testing.T) {
	c := good()
	c.Assessments[0].Assessor.ID = c.Tagged.ID
	if _, ok := Assess(c, noon, Settings{}).Release(); !ok {
		t.Error("refused where the shop does not ask for two")
	}
}

// TestOnlyWholeApprovalsAddUp: what a second assessor lends to a doubtful case
// counts only where that approval would hold by itself.
func TestOnlyWholeApprovalsAddUp(t *testing.T) {
	for name, spoil := range map[string]func(*incident.Assessment){
		"another sheet":    func(a *incident.Assessment) { a.SawSheet = footage.SheetHash{Hash: hash(8)} },
		"another copy":     func(a *incident.Assessment) { a.Copy = footage.CopyHash{Hash: hash(8)} },
		"other flags":      func(a *incident.Assessment) { a.SawFlagged = 3 },
		"no time":          func(a *incident.Assessment) { a.At = time.Time{} },
		"in the future":    func(a *incident.Assessment) { a.At = noon.Add(1) },
		"no qualification": func(a *incident.Assessment) { a.Assessor.Qualification = nil },
		"qualification over": func(a *incident.Assessment) {
			a.Assessor.Qualification.To = noon
		},
		"no authorisation": func(a *incident.Assessment) { a.Assessor.Authorisation = incident.Authorisation{} },
		"no reasons":       func(a *incident.Assessment) { a.Reasons = "" },
		"whole":            nil,
	} {
		c := good()
		c.Evidence.Doubtful = true
		first := c.Assessments[0]
		first.Assessor = person("p4", "Jens Lund", "law")
		if spoil != nil {
			spoil(&first)
		}
		c.Assessments = append([]incident.Assessment{first}, c.Assessments...)
		v := Assess(c, noon, Settings{TwoPersons: true})
		if _, ok := v.Release(); ok != (spoil == nil) {
			t.Errorf("%s: released %v, %v", name, ok, codes(v.Missing()))
		}
	}
}

func TestRelease(t *testing.T) {
	c := good()
	v := Assess(c, noon, Settings{MaxDisclosure: 90 * day})
	r, ok := v.Release()
	if !ok || r.IsZero() {
		t.Fatal(codes(v.Missing()))
	}
	if !r.NotAfter().Equal(noon.Add(30*day)) || !r.ReportDue().Equal(time.Date(2026, 3, 5, 0, 0, 0, 0, clock.Copenhagen)) || !r.At().Equal(noon) || !r.Reported().Equal(noon.Add(-time.Hour)) {
		t.Errorf("times: %v %v %v %v", r.NotAfter(), r.ReportDue(), r.At(), r.Reported())
	}
	if r.Case() != "CASE" || r.Member() != "butik-a" || r.Copy().Hash != hash(2) || r.Clip().Hash != hash(1) || r.Proof().Hash != hash(3) || r.Sheet().Hash != hash(4) || r.Assessor().ID != "p3" || r.Reasons() == "" || r.Offence() != incident.Theft {
		t.Errorf("%+v", r)
	}
	// What was approved stays as it was, whatever becomes of the case.
	c.Evidence.Circle.Members[0] = "x"
	c.Evidence.Report.At = noon.Add(-9 * day)
	c.Copy.Proof = footage.ProofHash{}
	c.Assessments[0].Assessor.Qualification.Competences[0] = "x"
	r.Circle().Members[1] = "y"
	*r.Reported() = time.Time{}
	if r.Circle().Members[0] != "butik-a" || r.Circle().Members[1] != "butik-b" || !r.Reported().Equal(noon.Add(-time.Hour)) || r.Proof().Hash != hash(3) || r.Assessor().Qualification.Competences[0] != "property-crime" {
		t.Error("a release changed with the case")
	}
	if r, _ := Assess(good(), noon, Settings{MaxDisclosure: 11 * day}).Release(); !r.NotAfter().Equal(noon.Add(11 * day)) {
		t.Errorf("shorter: %v", r.NotAfter())
	}
	var zero Release
	if _, ok := (Verdict{}).Release(); ok || !zero.IsZero() || zero.Reported() != nil || !zero.Proof().IsZero() {
		t.Error("a zero value releases")
	}
}

func TestReassessmentLengthensNothing(t *testing.T) {
	c := running()
	c.Evidence.NextReassessment = at(25 * day)
	r, ok := Assess(c, noon.Add(9*day), Settings{}).Release()
	if !ok || !r.NotAfter().Equal(noon.Add(30*day)) || !r.ReportDue().Equal(clock.EndOfDay(noon)) {
		t.Errorf("%v %v %v", ok, r.NotAfter(), r.ReportDue())
	}
	c.Disclosure.NotAfter = noon.Add(90 * day)
	if r, _ := Assess(c, noon.Add(9*day), Settings{}).Release(); !r.NotAfter().Equal(noon.Add(30 * day)) {
		t.Errorf("a stored end past 30 days was taken: %v", r.NotAfter())
	}
}

func TestPromiseHasADeadline(t *testing.T) {
	c := good()
	c.Evidence.Report, c.Evidence.ReportToday = nil, true
	v := Assess(c, noon, Settings{})
	f := v.Findings()[3]
	if r, ok := v.Release(); !ok || f.Due == nil || !f.Due.Equal(clock.EndOfDay(noon)) || r.Reported() != nil {
		t.Errorf("%v %+v", ok, f)
	}
	for i, f := range v.Findings() {
		if i != 3 && f.Due != nil {
			t.Errorf("%s is due", f.Condition)
		}
	}
}

func TestBeforeTheAssessor(t *testing.T) {
	c := good()
	c.Assessments, c.SubmittedBy = nil, nil
	v := Assess(c, noon, Settings{})
	if got := codes(v.MissingBefore()); got != nil {
		t.Errorf("a complete case cannot be submitted: %v", got)
	}
	if _, ok := v.Release(); ok {
		t.Error("released without an assessor")
	}
	// A refused case is submitted again, whatever became of who refused it.
	c.Assessments = good().Assessments
	c.Assessments[0].Decision = incident.Refuse
	c.Assessments[0].Assessor.Authorisation = incident.Authorisation{}
	if got := codes(Assess(c, noon, Settings{TwoPersons: true}).MissingBefore()); got != nil {
		t.Errorf("a refused case cannot be submitted again: %v", got)
	}
	c.Copy.Passed = false
	if got := codes(Assess(c, noon, Settings{}).MissingBefore()); !slices.Equal(got, []string{"v5.proof"}) {
		t.Errorf("%v", got)
	}
}

// TestProperty makes random cases out of the changes above, at random times, and
// holds the answer against the findings and against the changes that were made.
func TestProperty(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	released := 0
	for n := range 5_000 {
		c, s := good(), Settings{TwoPersons: rnd.IntN(2) == 0}
		if rnd.IntN(3) == 0 {
			c = running()
		}
		var names []string
		breaks := false
		for range rnd.IntN(4) {
			ch := changes[rnd.IntN(len(changes))]
			if len(c.Assessments) == 0 || c.Copy == nil || c.SubmittedBy == nil || c.Evidence.Report == nil || c.Assessments[0].Assessor.Qualification == nil || len(c.Assessments) > 1 {
				break // a change may need what an earlier one took
			}
			ch.do(&c)
			names = append(names, ch.name)
			breaks = breaks || ch.want != "" && len(names) == 1 && ch.want != "v9.two-persons"
		}
		only := len(names) == 1
		now := noon
		if rnd.IntN(4) == 0 {
			now = noon.Add(time.Duration(rnd.Int64N(int64(80*day))) - 20*day)
			only = false
		}
		v := Assess(c, now, s)
		r, ok := v.Release()
		all := true
		for _, f := range v.Findings() {
			all = all && f.Satisfied
			if f.Satisfied == (len(f.Refusals) > 0) {
				t.Fatalf("%v: %+v", names, f)
			}
		}
		if ok != all || ok == r.IsZero() || ok != (len(v.Missing()) == 0) {
			t.Fatalf("%d %v: released %v with findings %v", n, names, ok, codes(v.Missing()))
		}
		if only && breaks && ok {
			t.Fatalf("%v was released", names)
		}
		if !ok {
			continue
		}
		released++
		if r.NotAfter().Sub(now) > MaxDisclosure || c.Disclosure != nil && r.NotAfter().Sub(c.Disclosure.Released) > MaxDisclosure || !r.NotAfter().After(now) {
			t.Fatalf("%v: until %v", names, r.NotAfter())
		}
		if r.Copy() != c.Copy.Hash || r.Clip() != c.Clip.Hash || r.Sheet() != c.Copy.Sheet || !c.Copy.Passed {
			t.Fatalf("%v: another copy", names)
		}
		if r.Reported() == nil && !c.Evidence.ReportToday {
			t.Fatalf("%v: neither reported nor promised", names)
		}
	}
	if released < 200 {
		t.Fatalf("only %d of the random cases passed: the test says little", released)
	}
}
