package casework

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/incident"
	"veilbox/internal/passkey"
	"veilbox/redact/subject"
)

func (b *box) prepare(v CaseView, who string) ApprovalView {
	b.t.Helper()
	p, err := b.PrepareApproval(b.t.Context(), b.people[who], v.ID, b.verdict(v, who))
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

func TestWhatIsPreparedIsWhatIsSigned(t *testing.T) {
	b := newBox(t)
	v := b.submitted()
	before, log := b.state(), len(b.acts())
	p := b.prepare(v, "assessor")
	if b.state() != before || len(b.acts()) != log {
		t.Error("an approval that nobody has signed has changed something")
	}
	sum := approvalSum([]byte(p.Statement))
	var o struct {
		Challenge, RPID, UserVerification string
		AllowCredentials                  []struct{ ID string }
	}
	if err := json.Unmarshal(p.Ceremony.Options, &o); err != nil {
		t.Fatal(err)
	}
	if p.Hash != hex.EncodeToString(sum[:]) || p.Opinion || !p.Until.Equal(start.Add(5*time.Minute)) || !strings.Contains(p.Statement, v.Copy.Hash.String()) {
		t.Errorf("%+v", p)
	}
	if o.UserVerification != "required" || o.RPID != "boks.example" || len(o.AllowCredentials) != 1 {
		t.Errorf("%s", p.Ceremony.Options)
	}
	w, err := b.sign(v, "assessor", b.verdict(v, "assessor"))
	if err != nil {
		t.Fatal(err)
	}
	b.clock.Advance(4 * time.Minute)
	got, err := b.Assess(t.Context(), b.people["assessor"], v.ID, w)
	b.must(got, err)
	x := got.Assessments[0]
	if x.Signed == nil || x.Decision != incident.Approve || !x.At.Equal(start) {
		t.Fatalf("%+v", x)
	}
	kept := b.get(v).Assessments[0].Signed
	sum = approvalSum(kept.Statement)
	if _, err := passkey.Verify(kept.Key, sum[:], kept.Assertion); err != nil {
		t.Errorf("what is kept does not verify: %v", err)
	}
	// The clock of the disclosure began when it was signed for.
	if d := got.Disclosure; !d.Released.Equal(start) || !d.NotAfter.Equal(start.Add(30*day)) || len(d.Members) != 1 {
		t.Errorf("%+v", d)
	}
	if s := b.up.sent[0]; s.id != got.Disclosure.ID || !s.rel.At().Equal(start.Add(4*time.Minute)) {
		t.Errorf("sent %s at %v", s.id, s.rel.At())
	}
}

func TestAnApprovalThatIsNotSignedIsNone(t *testing.T) {
	b := newBox(t)
	v := b.submitted()
	good := func() Verdict {
		w, err := b.sign(v, "assessor", b.verdict(v, "assessor"))
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	other := good()
	lawyer := b.people["lawyer"]
	again := b.people["assessor"]
	_, again.Session = b.again("assessor")
	for name, tc := range map[string]struct {
		code   string
		who    Actor
		change func(*Verdict)
	}{
		"unsigned":            {code: "assess.signature", change: func(w *Verdict) { w.Ceremony, w.Response = "", nil }},
		"no signature":        {code: "assess.signature", change: func(w *Verdict) { w.Response = nil }},
		"no ceremony":         {code: "assess.signature", change: func(w *Verdict) { w.Ceremony = "" }},
		"unknown ceremony":    {code: "assess.over", change: func(w *Verdict) { w.Ceremony = "AAAAAAAAAAAAAAAAAAAAAAAAAA" }},
		"of another ceremony": {code: "assess.signature", change: func(w *Verdict) { w.Response = other.Response }},
		"no JSON":             {code: "assess.signature", change: func(w *Verdict) { w.Response = json.RawMessage(`{"id":`) }},
		"other reasons":       {code: "assess.over", change: func(w *Verdict) { w.Reasons += " Og mere." }},
		"another guideline":   {code: "assess.over", change: func(w *Verdict) { w.Guideline = "R 1" }},
		"fewer flagged seen":  {code: "assess.over", change: func(w *Verdict) { w.SawFlagged++ }},
		"another person":      {code: "assess.over", who: lawyer, change: func(*Verdict) {}},
		"another session":     {code: "assess.over", who: again, change: func(*Verdict) {}},
		"another's key": {code: "assess.signature", change: func(w *Verdict) {
			p := b.prepare(v, "assessor")
			o := strings.Replace(string(p.Ceremony.Options), `"allowCredentials":[{`, `"allowCredentials":[],"was":[{`, 1)
			r, err := b.keys["lawyer"].Get([]byte(o))
			if err != nil {
				t.Fatal(err)
			}
			w.Ceremony, w.Response = p.Ceremony.ID, r
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := good()
			tc.change(&w)
			if tc.who.From == "" {
				tc.who = b.people["assessor"]
			}
			tried := b.count("case.approve.refused")
			_, err := b.Assess(t.Context(), tc.who, v.ID, w)
			refused(t, err, tc.code)
			if b.count("case.approve.refused") != tried+1 {
				t.Error("the attempt is not on record")
			}
			if got := b.get(v); got.State != incident.Submitted || len(got.Assessments) != 0 || got.Version != v.Version {
				t.Errorf("%s with %d assessments", got.State, len(got.Assessments))
			}
		})
	}
	w := good()
	got, err := b.Assess(t.Context(), b.people["assessor"], v.ID, w)
	b.must(got, err)
	_, err = b.Assess(t.Context(), b.people["assessor"], v.ID, w)
	refused(t, err, "assess.over")
	if len(b.up.sent) != 1 {
		t.Errorf("sent %d times", len(b.up.sent))
	}
}

// again logs a person in once more.
func (b *box) again(who string) (string, account.Session) {
	b.t.Helper()
	c, err := b.accounts.PasskeyLoginOptions(b.t.Context(), "192.0.2.1")
	if err != nil {
		b.t.Fatal(err)
	}
	r, err := b.keys[who].Get(c.Options)
	if err != nil {
		b.t.Fatal(err)
	}
	token, s, err := b.accounts.LogInPasskey(b.t.Context(), c.ID, r, "192.0.2.1")
	if err != nil {
		b.t.Fatal(err)
	}
	s.Must = nil
	return token, s
}

func TestTheGateIsAskedAgainWhenItIsSigned(t *testing.T) {
	for name, tc := range map[string]struct {
		code   string
		change func(*box, CaseView)
	}{
		"five minutes": {"assess.over", func(b *box, _ CaseView) { b.clock.Advance(5 * time.Minute) }},
		"a restart":    {"assess.over", func(b *box, _ CaseView) { b.restart() }},
		"a new answer": {"case.conflict", func(b *box, v CaseView) { b.amend(v, func(c *incident.Case) { c.What += "." }) }},
		"the report comes": {"case.conflict", func(b *box, v CaseView) {
			got, err := b.Report(b.t.Context(), b.people["staff"], v.ID, PoliceReport{Number: "1234", At: b.clock.Now()})
			b.must(got, err)
		}},
		"somebody refuses": {"case.conflict", func(b *box, v CaseView) {
			w := b.verdict(v, "lawyer")
			w.Decision = incident.Refuse
			got, err := b.Assess(b.t.Context(), b.people["lawyer"], v.ID, w)
			b.must(got, err)
		}},
		"more is always veiled": {"gate.missing", func(b *box, _ CaseView) {
			_, err := b.SetVeiled(b.t.Context(), b.people["manager"], till, VeiledChange{Veiled: []subject.Rect{{X: 0.1, Y: 0.1, W: 0.2, H: 0.1}}})
			if err != nil {
				b.t.Fatal(err)
			}
		}},
		"staff may no longer": {"gate.missing", func(b *box, _ CaseView) {
			past := start.Add(-time.Minute)
			_, err := b.accounts.Change(b.t.Context(), b.people["manager"].Session.Person.ID, b.people["staff"].Session.Person.ID, account.Change{Until: &past})
			if err != nil {
				b.t.Fatal(err)
			}
		}},
		"the assessor is another": {"assess.over", func(b *box, _ CaseView) {
			a := b.people["assessor"]
			a.Session.Person = a.Session.Person.Clone()
			a.Session.Person.Qualification.Competences = []string{"law"}
			b.people["assessor"] = a
		}},
		"the key is gone": {"assess.key", func(b *box, _ CaseView) {
			id := b.people["assessor"].Session.Person.ID
			p, err := b.accounts.Person(b.t.Context(), id)
			if err == nil {
				_, err = b.accounts.UnconfirmPasskey(b.t.Context(), id, p.Passkeys[0].ID)
			}
			if err != nil {
				b.t.Fatal(err)
			}
		}},
		"nothing": {"", func(*box, CaseView) {}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			v := b.submitted()
			w, err := b.sign(v, "assessor", b.verdict(v, "assessor"))
			if err != nil {
				t.Fatal(err)
			}
			tc.change(b, v)
			got, err := b.Assess(t.Context(), b.people["assessor"], v.ID, w)
			if tc.code == "" {
				if b.must(got, err).State != incident.Released {
					t.Errorf("%s", got.State)
				}
				return
			}
			refused(t, err, tc.code)
			if got := b.get(v); got.State == incident.Released || len(b.up.sent) != 0 || got.Disclosure != nil {
				t.Errorf("%s", got.State)
			}
		})
	}
}

// A report that was promised for one day is not promised for the next.
func TestAnApprovalIsOfItsDay(t *testing.T) {
	b := newBox(t)
	v := b.submitted()
	b.at(time.Date(2026, 3, 4, 22, 58, 0, 0, time.UTC)) // 23:58 in Copenhagen
	w, err := b.sign(v, "assessor", b.verdict(v, "assessor"))
	if err != nil {
		t.Fatal(err)
	}
	b.clock.Advance(3 * time.Minute)
	_, err = b.Assess(t.Context(), b.people["assessor"], v.ID, w)
	refused(t, err, "assess.over")
	if len(b.up.sent) != 0 || b.get(v).State != incident.Submitted {
		t.Error("it was released on another day than it was signed for")
	}
	v = b.get(v)
	v, err = b.approve(v, "assessor")
	if b.must(v, err); v.State != incident.Released || !v.Disclosure.ReportDue.Equal(time.Date(2026, 3, 5, 23, 0, 0, 0, time.UTC)) {
		t.Errorf("%s %+v", v.State, v.Disclosure)
	}
}

func TestFewApprovalsWait(t *testing.T) {
	b := newBox(t)
	v := b.submitted()
	first, err := b.sign(v, "assessor", b.verdict(v, "assessor"))
	if err != nil {
		t.Fatal(err)
	}
	for range maxApprovalsEach {
		b.clock.Advance(time.Second)
		b.prepare(v, "assessor")
	}
	if n := len(b.approvals.m); n != maxApprovalsEach {
		t.Errorf("%d wait", n)
	}
	_, err = b.Assess(t.Context(), b.people["assessor"], v.ID, first)
	refused(t, err, "assess.over")
	b.approvals.m = map[string]pendingApproval{}
	for i := range maxApprovals {
		b.approvals.m[string(rune('a'+i))] = pendingApproval{person: incident.Person{ID: incident.PersonID(rune('a' + i))}, until: start.Add(time.Hour)}
	}
	_, err = b.PrepareApproval(t.Context(), b.people["assessor"], v.ID, b.verdict(v, "assessor"))
	refused(t, err, "assess.busy")
	b.clock.Advance(time.Hour)
	b.prepare(b.get(v), "assessor")
	if n := len(b.approvals.m); n != 1 {
		t.Errorf("%d wait after an hour", n)
	}
}

func TestOnlyAConfirmedKeySigns(t *testing.T) {
	b := newBox(t)
	v := b.submitted()
	id := b.people["assessor"].Session.Person.ID
	p, err := b.accounts.Person(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.accounts.UnconfirmPasskey(t.Context(), id, p.Passkeys[0].ID); err != nil {
		t.Fatal(err)
	}
	b.up.unconfirmed = true
	_, err = b.PrepareApproval(t.Context(), b.people["assessor"], v.ID, b.verdict(v, "assessor"))
	refused(t, err, "assess.key")
	b.up.unconfirmed = false // the operator has confirmed it since
	if v, err = b.approve(v, "assessor"); b.must(v, err).State != incident.Released {
		t.Errorf("%s", v.State)
	}
	w := b.verdict(v, "assessor")
	w.Key = "another"
	_, err = b.PrepareApproval(t.Context(), b.people["assessor"], b.submitted().ID, w)
	refused(t, err, "assess.key")
}

func TestAnOpinionIsSignedToo(t *testing.T) {
	b := newBox(t)
	v := b.submitted(func(e *incident.Evidence) { e.Doubtful = true })
	if p := b.prepare(v, "assessor"); !p.Opinion || !strings.Contains(p.Statement, string(v.ID)) {
		t.Errorf("%+v", p)
	}
	v, err := b.approve(v, "assessor")
	if b.must(v, err); v.State != incident.Submitted || v.Assessments[0].Signed == nil {
		t.Fatalf("%s %+v", v.State, v.Assessments)
	}
	x := v.Assessments[0].Signed
	sum := sha256.Sum256(append([]byte("veilbox opinion 1\x00"), x.Statement...))
	if _, err := passkey.Verify(x.Key, sum[:], x.Assertion); err != nil {
		t.Error(err)
	}
	if p := b.prepare(v, "lawyer"); p.Opinion {
		t.Error("the second releases")
	}
}
