package policy

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"veilbox/appliance/incident"
	"veilbox/capture/footage"
	"veilbox/internal/clock"
)

var modelSeed = flag.Uint64("seed", 20200228, "the seed of the random walks over cases")

// A chooser makes the choices of a walk: a random number generator, or the bytes
// of a fuzzer.
type chooser interface{ IntN(n int) int }

// A fromBytes chooses by bytes, and 0 when there are none left.
type fromBytes struct{ b []byte }

func (f *fromBytes) IntN(n int) int {
	if len(f.b) == 0 {
		return 0
	}
	x := int(f.b[0])
	f.b = f.b[1:]
	return x % n
}

// What the model writes into a case, and by which the oracle knows it again: it
// shares no code with the rules.
const (
	saysBasis   = "Ekspedienten så hende tage varerne"
	saysTrait   = "Foret taske og to medhjælpere"
	saysReasons = "Samme fremgangsmåde er set tre gange i denne måned"
	saysCircle  = "Personen har ramt dagligvarebutikker i tre fynske byer"
	saysYes     = "Klar sag med tydelig optagelse"
)

// A model is one case with its clocks, driven as the appliance drives one.
type model struct {
	pick    chooser
	c       incident.Case
	now     time.Time // what the clock says
	high    time.Time // the latest that it has said
	s       Settings
	copies  byte
	entered map[incident.State]int
}

func newModel(pick chooser) *model {
	m := &model{pick: pick, now: noon, high: noon, entered: map[incident.State]int{}, s: Settings{TwoPersons: true}}
	m.c = good()
	m.c.State, m.c.Copy, m.c.SubmittedBy, m.c.Assessments = incident.Draft, nil, nil, nil
	m.c.Evidence.Circle.Reason = saysCircle
	m.c.Evidence.RepeatReasons = saysReasons
	return m
}

func (m *model) rarely() bool { return m.pick.IntN(8) == 0 }

// someone is a person whose authorisation and qualification may have run out.
func (m *model) someone(id, name string, competences ...string) incident.Person {
	p := person(id, name, competences...)
	p.Authorisation.To = m.high.Add(40 * day)
	if m.rarely() {
		p.Authorisation.To = m.high.Add(time.Duration(m.pick.IntN(3)-1) * time.Hour)
	}
	if p.Qualification != nil && m.rarely() {
		p.Qualification.To = m.high
	}
	return p
}

// evidence changes one thing of the case, at any time and in any state: mostly
// to what is asked.
func (m *model) evidence() {
	e, ok := &m.c.Evidence, !m.rarely()
	when := func() *time.Time { t := m.high; return &t }
	switch m.pick.IntN(14) {
	case 0:
		e.Offence = incident.Theft
		if !ok {
			e.Offence = incident.Violence
		}
	case 1:
		e.Basis, e.BasisWords = incident.BasisCircumstances, saysBasis
		if !ok {
			e.BasisWords = ""
		}
	case 2:
		e.CertaintyLost = nil
		if !ok && m.rarely() {
			e.CertaintyLost = when()
		}
	case 3:
		e.ValueDKK = kr(501)
		if !ok {
			e.ValueDKK = kr(500)
		}
	case 4:
		e.Professional = ""
		if ok {
			e.Professional = saysTrait
		}
	case 5:
		e.RepeatReasons = saysReasons
		if !ok {
			e.RepeatReasons = "ja"
		}
	case 6:
		e.Charged = nil
		if !ok {
			e.Charged = when()
		}
	case 7:
		e.Report, e.ReportToday = &incident.Report{Number: "1900-1", At: m.high}, false
		if !ok {
			e.Report = nil
			e.ReportToday = m.pick.IntN(2) == 0
		}
	case 8:
		if e.Report != nil && !ok {
			e.Report.Withdrawn = when()
		}
	case 9:
		e.Circle.Members = []incident.MemberID{"butik-a", "butik-b", "butik-c"}
		if !ok {
			e.Circle.Members = append(e.Circle.Members, "butik-d")[m.pick.IntN(2)*3:]
		}
	case 10:
		e.Circle.Reason = saysCircle
		if !ok {
			e.Circle.Reason = "Det kan ikke udelukkes, at andre bliver ramt i Jylland"
		}
	case 11:
		next := m.high.Add(time.Duration(1+m.pick.IntN(29)) * day)
		e.NextReassessment = &next
		if !ok {
			next = m.high.Add(MaxDisclosure * time.Duration(m.pick.IntN(2)))
		}
	case 12:
		m.c.Tagged = m.someone("p1", "Bo Dam")
		e.Doubtful = !ok
	case 13:
		if m.c.Copy != nil && !ok {
			m.copies++
			m.c.Copy.Hash = footage.CopyHash{Hash: hash(100 + m.copies)}
		}
	}
}

// clock moves the time on by up to two days, or back.
func (m *model) clock() {
	d := time.Duration(m.pick.IntN(48)) * time.Hour
	if m.rarely() {
		d = -d
	}
	m.now = m.now.Add(d)
	if m.now.After(m.high) {
		m.high = m.now
	}
}

// move makes the move and notes the state.
func (m *model) move(a incident.Act, by incident.Mover) bool {
	if m.c.Move(a, by) != nil {
		return false
	}
	m.entered[m.c.State]++
	return true
}

// sweep is the box's clock: it ends what must end.
func (m *model) sweep() {
	if _, ends := Ends(m.c, m.high); ends {
		m.over(incident.ActExpire, incident.ByClock)
	}
}

func (m *model) over(a incident.Act, by incident.Mover) {
	if m.c.Disclosure != nil && m.move(a, by) {
		t := m.high
		m.c.Disclosure.Ended = &t
	}
}

// act does one act by one mover, as the appliance does it: what the gate does not
// allow is not tried.
func (m *model) act(a incident.Act, by incident.Mover) {
	switch a {
	case incident.ActMark, incident.ActCancel:
		if m.move(a, by) {
			m.c.Copy = nil
		}
	case incident.ActMade, incident.ActReturn:
		if m.move(a, by) {
			m.copies++
			m.c.Copy = &incident.Copy{Hash: footage.CopyHash{Hash: hash(m.copies)}, Clip: m.c.Clip.Hash, Proof: footage.ProofHash{Hash: hash(3)}, Sheet: footage.SheetHash{Hash: hash(4)}, Passed: !m.rarely()}
		}
	case incident.ActSubmit:
		was := m.c.SubmittedBy
		p := m.someone("p2", "Ida Berg")
		m.c.SubmittedBy = &p
		if len(Assess(m.c, m.high, m.s).MissingBefore()) > 0 || !m.move(a, by) {
			m.c.SubmittedBy = was
		}
	case incident.ActApprove, incident.ActRefuse:
		m.assess(a, by)
	case incident.ActUndo:
		if m.move(a, by) {
			m.c.Disclosure, m.c.Assessments = nil, m.c.Assessments[:len(m.c.Assessments)-1]
		}
	case incident.ActReject:
		if m.move(a, by) {
			m.c.Disclosure = nil
		}
	case incident.ActDeliver:
		m.sweep()
		m.move(a, by)
	case incident.ActRemind:
		if t, ok := RemindAt(m.c); ok && !m.high.Before(t) {
			m.move(a, by)
		}
	case incident.ActReassess:
		r := incident.Reassessment{By: m.someone("p4", "Jens Lund", "law"), At: m.high, Reasons: saysYes, Next: m.high.Add(time.Duration(m.pick.IntN(31)) * day)}
		if Reassess(m.c, r, m.high, m.s).Satisfied() && m.move(a, by) {
			m.c.Reassessments, m.c.Evidence.NextReassessment = append(m.c.Reassessments, r), &r.Next
		}
	case incident.ActNarrow:
		members := m.c.Evidence.Circle.Members
		if len(members) > 2 && m.move(a, by) {
			gone := members[len(members)-1]
			m.c.Evidence.Circle.Members = slices.Clone(members[:len(members)-1])
			m.c.Narrowings = append(m.c.Narrowings, incident.Narrowing{At: m.high, Dropped: []incident.Dropped{{Member: gone}}})
		}
	case incident.ActWithdraw, incident.ActFact:
		m.over(a, by)
	case incident.ActExpire:
		m.sweep()
	default:
		m.move(a, by)
	}
}

// assess is the assessor's decision: of the copy that is there, or one that was.
func (m *model) assess(a incident.Act, by incident.Mover) {
	if m.c.State != incident.Submitted || by != incident.ByAssessor {
		return
	}
	x := incident.Assessment{Assessor: m.someone("p3", "Eva Friis", "property-crime", "law"), At: m.high, Decision: incident.Approve, Reasons: saysYes, SawSheet: footage.SheetHash{Hash: hash(4)}}
	switch {
	case m.rarely():
		x.Reasons = "ok"
	case m.rarely():
		x.Assessor.Qualification.Competences = []string{"law"}
	case m.rarely():
		x.SawSheet = footage.SheetHash{}
	}
	if m.c.Copy != nil {
		x.Copy = m.c.Copy.Hash
	}
	if a == incident.ActRefuse {
		x.Decision = incident.Refuse
		if m.move(a, by) {
			m.c.Assessments = append(m.c.Assessments, x)
		}
		return
	}
	m.c.Assessments = append(m.c.Assessments, x)
	rel, ok := Assess(m.c, m.high, m.s).Release()
	if !ok || !m.move(a, by) {
		m.c.Assessments = m.c.Assessments[:len(m.c.Assessments)-1]
		return
	}
	m.c.Disclosure = &incident.Disclosure{ID: "D", Released: rel.At(), NotAfter: rel.NotAfter(), ReportDue: rel.ReportDue(), Members: rel.Circle().Members}
}

// oracle says which conditions the case meets at m.high, in the terms of what the
// model writes.
func (m *model) oracle() [9]bool {
	c, e, from := m.c, m.c.Evidence, m.high
	if c.Disclosure != nil {
		from = c.Disclosure.Released
	}
	var last incident.Assessment
	if n := len(c.Assessments); n > 0 {
		last = c.Assessments[n-1]
	}
	due := clock.EndOfDay(from)
	reported := e.Report != nil && e.Report.Withdrawn == nil && e.Report.At.Before(due) && !e.Report.At.After(m.high)
	// A promise is no report, and a report that was withdrawn is worse than none.
	promised := e.Report == nil && e.ReportToday && m.high.Before(due)
	within := len(e.Circle.Members) > 0 && !slices.Equal(e.Circle.Members, []incident.MemberID{"butik-a"})
	for _, x := range e.Circle.Members {
		if c.Disclosure != nil && !slices.Contains(c.Disclosure.Members, x) {
			within = false
		}
		for _, n := range c.Narrowings {
			within = within && n.Dropped[0].Member != x
		}
	}
	valid := func(p *incident.Person) bool { return p != nil && m.high.Before(p.Authorisation.To) }
	q := last.Assessor.Qualification
	var next time.Time
	if e.NextReassessment != nil {
		next = *e.NextReassessment
	}
	if n := len(c.Reassessments); n > 0 && c.Reassessments[n-1].Next.Before(next) {
		next = c.Reassessments[n-1].Next
	}
	return [9]bool{
		e.Offence == incident.Theft && (e.Basis == incident.BasisRecording || e.BasisWords == saysBasis) && e.CertaintyLost == nil,
		*e.ValueDKK == 501 || e.Professional == saysTrait,
		e.RepeatReasons == saysReasons && e.Charged == nil,
		reported || promised,
		c.Copy != nil && c.Copy.Passed && last.Copy == c.Copy.Hash && last.SawSheet == c.Copy.Sheet,
		within && e.Circle.Reason == saysCircle,
		valid(&c.Tagged) && valid(c.SubmittedBy) && valid(&last.Assessor),
		e.NextReassessment != nil && m.high.Before(next) && next.Before(from.Add(30*day)) && m.high.Before(from.Add(30*day)),
		q != nil && m.high.Before(q.To) && last.Decision == incident.Approve && last.Reasons == saysYes && last.Copy == c.Copy.Hash && (!e.Doubtful || m.both()),
	}
}

// both reports whether law and property crime are covered by the approvals since
// the last refusal that would each hold by themselves.
func (m *model) both() bool {
	for _, a := range slices.Backward(m.c.Assessments) {
		if a.Decision != incident.Approve {
			return false
		}
		p := a.Assessor
		holds := a.Copy == m.c.Copy.Hash && a.SawSheet == m.c.Copy.Sheet && a.Reasons == saysYes
		if holds && m.high.Before(p.Authorisation.To) && m.high.Before(p.Qualification.To) && len(p.Qualification.Competences) == 2 {
			return true
		}
	}
	return false
}

// lacks names the conditions among those asked that do not hold.
func (m *model) lacks(asked ...ConditionID) error {
	holds := m.oracle()
	for i, id := range Conditions {
		if slices.Contains(asked, id) && !holds[i] {
			return fmt.Errorf("%s at %v with %s unmet: %+v", m.c.State, m.high, id, m.c.Evidence)
		}
	}
	return nil
}

// later is what is watched all along; the people are asked when they act.
var later = []ConditionID{V1, V2, V3, V4, V5, V6, V8}

// leave is what ends a case or takes it back.
var leave = []incident.Act{incident.ActDelete, incident.ActGiveUp, incident.ActWithdraw, incident.ActFact, incident.ActCancel, incident.ActUndo, incident.ActReject}

// step does one thing and holds the case against the oracle.
func (m *model) step() error {
	was := m.c.State
	switch n := m.pick.IntN(10); {
	case n < 3:
		if !m.c.State.Running() || m.rarely() {
			m.evidence()
		}
	case n < 4:
		m.clock()
	case n < 9: // something that this state knows: seldom what takes it away
		var here []incident.Move
		away := m.pick.IntN(30) == 0
		for _, x := range incident.Moves {
			if x.From == m.c.State && away == slices.Contains(leave, x.Act) {
				here = append(here, x)
			}
		}
		if len(here) == 0 {
			return nil
		}
		x := here[m.pick.IntN(len(here))]
		m.act(x.Act, x.By[m.pick.IntN(len(x.By))])
	default: // anything by anybody
		x, y := incident.Moves[m.pick.IntN(len(incident.Moves))], incident.Moves[m.pick.IntN(len(incident.Moves))]
		if !slices.Contains(leave, x.Act) || m.rarely() {
			m.act(x.Act, y.By[0])
		}
	}
	switch is := m.c.State; {
	case is == was:
	case is == incident.Released:
		if err := m.lacks(Conditions[:]...); err != nil {
			return err
		}
	case is == incident.Disclosed:
		if was != incident.Released && was != incident.ReassessmentDue {
			return fmt.Errorf("disclosed from %s", was)
		}
		if err := m.lacks(later...); err != nil {
			return err
		}
		if n := len(m.c.Reassessments); was == incident.ReassessmentDue && !m.high.Before(m.c.Reassessments[n-1].By.Authorisation.To) {
			return errors.New("reassessed by somebody without authorisation")
		}
	case was.Over() && is != incident.Deleted:
		return fmt.Errorf("%s after %s", is, was)
	}
	m.sweep()
	if !m.c.State.Running() {
		return nil
	}
	if m.high.Sub(m.c.Disclosure.Released) >= MaxDisclosure {
		return errors.New("runs for more than 30 days")
	}
	return m.lacks(later...)
}

// walk takes up to n steps, or fewer where the case is over.
func (m *model) walk(n int) error {
	var err error
	for range n {
		if err = m.step(); err != nil || m.c.State.Over() {
			break
		}
	}
	return err
}

// walks goes many ways from the seed and returns the first breach, and how often
// each state was entered.
func walks(seed uint64, n int) (map[incident.State]int, error) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	all := map[incident.State]int{}
	for i := range n {
		m := newModel(rnd)
		if err := m.walk(200); err != nil {
			return all, fmt.Errorf("walk %d: %w", i, err)
		}
		for s, k := range m.entered {
			all[s] += k
		}
	}
	return all, nil
}

// TestNoWayAround: no sequence of acts, answers and times makes a case released
// or disclosed whose nine conditions are not all met at that moment.
func TestNoWayAround(t *testing.T) {
	t.Logf("seed %d (-seed)", *modelSeed)
	entered, err := walks(*modelSeed, 800)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(entered)
	for _, s := range []incident.State{incident.Submitted, incident.Refused, incident.Released, incident.Disclosed, incident.ReassessmentDue, incident.Narrowed, incident.Withdrawn, incident.Expired} {
		if entered[s] < 8 {
			t.Errorf("%s was entered %d times: the walks say little of it", s, entered[s])
		}
	}
}

// TestNoWayAroundNoticesEachRule takes away one rule after the other: the walks
// must find the way that it left open.
func TestNoWayAroundNoticesEachRule(t *testing.T) {
	for i := range rules {
		was := rules[i]
		rules[i].check = func(question) ([]Refusal, *time.Time) { return nil, nil }
		_, err := walks(*modelSeed, 800)
		rules[i] = was
		if err == nil {
			t.Errorf("the walks do not notice that %s is never asked", was.id)
		} else {
			t.Logf("without %s: %.120s", was.id, err)
		}
	}
}

func FuzzNoWayAround(f *testing.F) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		b := make([]byte, 300)
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		in := &fromBytes{b: b[:min(len(b), 400)]}
		m := newModel(in)
		for len(in.b) > 0 && !m.c.State.Over() {
			if err := m.step(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
