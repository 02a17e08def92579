package casework

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"veilbox/appliance/audit"
	"veilbox/appliance/incident"
	"veilbox/capture/clip"
	"veilbox/capture/footage"
	"veilbox/capture/ring"
	"veilbox/redact/subject"
)

func TestNewCaseBounds(t *testing.T) {
	b := newBox(t)
	before := b.state()
	from, to := span()
	for name, tc := range map[string]struct {
		code   string
		change func(*NewCase)
	}{
		"nothing said":     {"input.what", func(n *NewCase) { n.What = " \n" }},
		"too many words":   {"input.words", func(n *NewCase) { n.What = strings.Repeat("å", maxWords) }},
		"no UTF-8":         {"input.words", func(n *NewCase) { n.What = "jakke\xff" }},
		"a zero byte":      {"input.words", func(n *NewCase) { n.What = "jakke\x00" }},
		"a long offence":   {"input.words", func(n *NewCase) { n.Offence = incident.Offence(strings.Repeat("x", maxName+1)) }},
		"a negative value": {"input.value", func(n *NewCase) { n.ValueDKK = dkk(-1) }},
		"a huge value":     {"input.value", func(n *NewCase) { n.ValueDKK = dkk(maxValue + 1) }},
		"too long":         {"clip.long", func(n *NewCase) { n.To = from.Add(b.opt.MaxClip + 1) }},
		"empty":            {"clip.span", func(n *NewCase) { n.To = from }},
		"turned round":     {"clip.span", func(n *NewCase) { n.From, n.To = to, from }},
		"no times":         {"clip.span", func(n *NewCase) { n.From, n.To = time.Time{}, time.Time{} }},
		"all of time":      {"clip.long", func(n *NewCase) { n.From, n.To = time.Time{}, time.Unix(1<<40, 0) }},
		"all turned round": {"clip.span", func(n *NewCase) { n.From, n.To = time.Unix(1<<40, 0), time.Time{} }},
		"out of range":     {"clip.span", func(n *NewCase) { n.From, n.To = time.Unix(math.MaxInt64/2, 0), time.Unix(math.MaxInt64/2+5, 0) }},
		"nothing recorded": {"clip.none", func(n *NewCase) { n.From, n.To = from.Add(-time.Hour), to.Add(-time.Hour) }},
		"not yet recorded": {"clip.none", func(n *NewCase) { n.From, n.To = start, start.Add(time.Second) }},
		"another camera":   {"clip.none", func(n *NewCase) { n.Camera = "door-1" }},
		"no camera":        {"clip.none", func(n *NewCase) { n.Camera = "" }},
	} {
		t.Run(name, func(t *testing.T) {
			n := theft()
			tc.change(&n)
			_, err := b.NewCase(t.Context(), b.people["staff"], n)
			refused(t, err, tc.code)
		})
	}
	if after := b.state(); after != before {
		t.Errorf("a refused case has left something:\n%s\n%s", before, after)
	}
	if n := b.count("case.create"); n != 0 {
		t.Errorf("%d cases on record", n)
	}
}

func TestNewCaseKeepsWhatIsRecorded(t *testing.T) {
	b := newBox(t)
	for name, tc := range map[string]struct{ from, to, wantFrom, wantTo time.Duration }{
		"within":    {time.Second, 3 * time.Second, time.Second, 3 * time.Second},
		"too late":  {4 * time.Second, 20 * time.Second, 4 * time.Second, seconds * time.Second},
		"too early": {-10 * time.Second, 2 * time.Second, 0, 2 * time.Second},
		"both":      {-10 * time.Second, 20 * time.Second, 0, seconds * time.Second},
		// From the keyframe, so that nothing of the clip is hidden.
		"mid picture": {1010 * time.Millisecond, 2 * time.Second, time.Second, 2 * time.Second},
		"mid GOP":     {1700 * time.Millisecond, 2 * time.Second, time.Second, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			n := theft()
			n.From, n.To = recorded.Add(tc.from), recorded.Add(tc.to)
			v, err := b.NewCase(t.Context(), b.people["staff"], n)
			b.must(v, err)
			if want := footage.SpanOf(recorded.Add(tc.wantFrom), recorded.Add(tc.wantTo)); v.Clip.Span != want {
				t.Errorf("the clip is %v to %v, want %v to %v", v.ClipFrom, v.ClipTo, want.From.Time(), want.To.Time())
			}
			holds, err := b.opt.Ring.Holds(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			found := false
			for _, h := range holds {
				if h.ID != string(v.ID) {
					continue
				}
				found = true
				if h.Camera != till || h.Span != v.Clip.Span || h.Person != string(v.Tagged.ID) || !strings.Contains(h.Reason, string(v.ID)) || !h.Review.Equal(start.Add(holdReview)) {
					t.Errorf("hold %+v", h)
				}
			}
			if !found {
				t.Error("the footage of the case is not held")
			}
			if got := b.hash(v); got != v.Clip.Hash {
				t.Errorf("the clip is %s, the case says %s", got, v.Clip.Hash)
			}
		})
	}
}

// hash reads the clip of a case as a page does.
func (b *box) hash(v CaseView) footage.ClipHash {
	b.t.Helper()
	m, err := clip.Open(b.t.Context(), b.opt.Ring, v.Clip.Camera, v.Clip.Span)
	if err != nil {
		b.t.Fatal(err)
	}
	h, err := m.Hash(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return h
}

func TestTheClipStaysTheSame(t *testing.T) {
	b := newBox(t)
	n := theft()
	n.To = recorded.Add(time.Hour).Add(-59*time.Minute - 30*time.Second) // the end is not yet recorded
	v, err := b.NewCase(t.Context(), b.people["staff"], n)
	b.must(v, err)
	for _, p := range recording(t)[seconds:] {
		if err := b.opt.Ring.Append(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	if got := b.hash(v); got != v.Clip.Hash {
		t.Errorf("after more recording it is %s, was %s", got, v.Clip.Hash)
	}
	b.restart()
	if got := b.hash(v); got != v.Clip.Hash {
		t.Errorf("after a restart it is %s, was %s", got, v.Clip.Hash)
	}
	// The rest goes after 30 days; what the case needs stays.
	b.clock.Advance(ring.MaxRetention + time.Hour)
	if _, err := b.opt.Ring.Expire(t.Context()); err != nil {
		t.Fatal(err)
	}
	if runs, err := b.opt.Ring.Timeline(t.Context(), till, footage.SpanOf(recorded.Add(seconds*time.Second), start)); err != nil || len(runs) > 0 {
		t.Errorf("recordings of no case are kept: %v, %v", runs, err)
	}
	if got := b.hash(v); got != v.Clip.Hash {
		t.Errorf("after 30 days it is %s, was %s", got, v.Clip.Hash)
	}
	m, err := b.CaseClip(t.Context(), b.people["assessor"], v.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if head := make([]byte, 8); m.Size() < 1000 {
		t.Errorf("%d bytes", m.Size())
	} else if _, err := io.ReadFull(m, head); err != nil || string(head[4:]) != "ftyp" {
		t.Errorf("%q, %v", head, err)
	}
}

func TestARequestThatEndedLeavesNoCase(t *testing.T) {
	b := newBox(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.NewCase(ctx, b.people["staff"], theft()); err == nil {
		t.Fatal("made")
	}
	if all, err := b.opt.Store.Cases(t.Context()); err != nil || len(all) > 0 {
		t.Errorf("%d cases, %v", len(all), err)
	}
}

func TestACaseFromBeforeTheBoxWasEnrolled(t *testing.T) {
	for name, set := range map[string]func(*uplink){
		"not enrolled yet": func(u *uplink) { u.alone = true },
		"identity damaged": func(u *uplink) { u.enrolment = fmt.Errorf("the identity cannot be read") },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			set(b.up)
			v := b.veiled(b.answer(b.newCase(), evidence()))
			b.up.alone, b.up.enrolment = false, nil
			v, err := b.Submit(t.Context(), b.people["staff"], v.ID, v.Version)
			v, err = b.approve(b.must(v, err), "assessor")
			if b.must(v, err); v.Member != "butik-a" || b.up.sent[0].rel.Member() != "butik-a" {
				t.Errorf("released for the member %q", v.Member)
			}
		})
	}
}

func TestChangeCase(t *testing.T) {
	b := newBox(t)
	staff := b.people["staff"]
	v := b.newCase()
	first := Change{Version: v.Version, What: "En mand tog to jakker.", HappenedAt: v.HappenedAt.In(time.FixedZone("x", 3600)), Evidence: evidence()}
	changed, err := b.ChangeCase(t.Context(), staff, v.ID, first)
	b.must(changed, err)
	if changed.Version != v.Version+1 || changed.What != first.What || changed.Evidence.BasisWords == "" || changed.HappenedAt.Location() != time.UTC {
		t.Errorf("%+v", changed.Case)
	}
	second := first
	second.What = "Noget andet."
	_, err = b.ChangeCase(t.Context(), b.people["second"], v.ID, second)
	refused(t, err, "case.conflict")
	now, err := b.Case(t.Context(), staff, v.ID)
	if b.must(now, err).What != first.What {
		t.Errorf("an older form has won: %s", now.What)
	}
	_, err = b.ChangeCase(t.Context(), staff, "NONE", first)
	refused(t, err, "case.missing")

	first.Version = now.Version
	long, many := strings.Repeat("x", maxWords+1), make([]string, 501)
	for name, tc := range map[string]struct {
		code   string
		change func(*Change)
	}{
		"what":           {"input.words", func(c *Change) { c.What = long }},
		"nothing said":   {"input.what", func(c *Change) { c.What = "  " }},
		"basis words":    {"input.words", func(c *Change) { c.Evidence.BasisWords = long }},
		"repetition":     {"input.words", func(c *Change) { c.Evidence.Repetition = long }},
		"professional":   {"input.words", func(c *Change) { c.Evidence.Professional = long }},
		"repeat reasons": {"input.words", func(c *Change) { c.Evidence.RepeatReasons = long }},
		"circle reason":  {"input.words", func(c *Change) { c.Evidence.Circle.Reason = long }},
		"place":          {"input.words", func(c *Change) { c.Evidence.Circle.Place = long }},
		"report":         {"input.words", func(c *Change) { c.Evidence.Report = &incident.Report{Number: long} }},
		"a trade":        {"input.words", func(c *Change) { c.Evidence.Circle.Trades = []string{long} }},
		"many trades":    {"input.circle", func(c *Change) { c.Evidence.Circle.Trades = many }},
		"many chains":    {"input.circle", func(c *Change) { c.Evidence.Circle.Chains = many }},
		"many members":   {"input.circle", func(c *Change) { c.Evidence.Circle.Members = make([]incident.MemberID, 20_001) }},
		"a long member":  {"input.words", func(c *Change) { c.Evidence.Circle.Members = []incident.MemberID{incident.MemberID(long)} }},
		"value":          {"input.value", func(c *Change) { c.Evidence.ValueDKK = dkk(maxValue + 1) }},
	} {
		t.Run(name, func(t *testing.T) {
			c := first
			tc.change(&c)
			_, err := b.ChangeCase(t.Context(), staff, v.ID, c)
			refused(t, err, tc.code)
		})
	}
}

func TestWhatCanBeChangedWhen(t *testing.T) {
	b := newBox(t)
	v := b.newCase()
	for state, open := range map[incident.State]bool{
		incident.Draft: true, incident.Redacted: true, incident.Refused: true, incident.Tagged: true,
		incident.Submitted: false, incident.Released: false, incident.Disclosed: false,
		incident.Withdrawn: false, incident.Expired: false, "unknown": false,
	} {
		c, err := b.opt.Store.Case(t.Context(), v.ID)
		if err != nil {
			t.Fatal(err)
		}
		c.State, c.Disclosure = state, &incident.Disclosure{ID: "D"}
		if c, err = b.opt.Store.UpdateCase(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		_, change := b.ChangeCase(t.Context(), b.people["staff"], v.ID, Change{Version: c.Version, What: "x", Evidence: evidence()})
		if open != (change == nil) {
			t.Errorf("%s: %v", state, change)
		}
		if !open {
			refused(t, change, "case.state")
		}
		if !open || state == incident.Tagged {
			_, err := b.Redact(t.Context(), b.people["staff"], v.ID, SubjectChange{Subjects: []subject.Subject{somebody()}})
			refused(t, err, "case.state")
			_, err = b.Submit(t.Context(), b.people["staff"], v.ID, 0)
			refused(t, err, "case.state")
		}
		if state != incident.Submitted {
			_, err := b.Assess(t.Context(), b.people["assessor"], v.ID, Verdict{Decision: incident.Refuse, Reasons: "nej"})
			refused(t, err, "case.state")
		}
		if state != incident.Released && state != incident.Disclosed {
			_, err := b.Withdraw(t.Context(), b.people["manager"], v.ID, "nej")
			refused(t, err, "case.state")
		}
	}
}

// The answers are no part of the copy: they are given while it is made, and the
// copy that is done then joins them.
func TestAnswersWhileTheCopyIsMade(t *testing.T) {
	b := newBox(t)
	v := b.redact(b.newCase())
	if v.State != incident.Tagged || !slices.Contains(v.May, "change") || slices.Contains(v.May, "submit") {
		t.Fatalf("%s, may %v", v.State, v.May)
	}
	e := evidence()
	e.RepeatReasons = "Han kom målrettet efter dyre varer."
	v = b.answer(v, e)
	if v.State != incident.Tagged || v.Evidence.RepeatReasons != e.RepeatReasons {
		t.Fatalf("%s %+v", v.State, v.Evidence)
	}
	stop := b.work()
	v = b.await(v.ID, incident.Redacted)
	stop()
	if v.Copy == nil || v.Evidence.RepeatReasons != e.RepeatReasons {
		t.Errorf("the copy came and the answers are %+v", v.Evidence)
	}
	// A copy that the assessor asked for is part of what is assessed.
	b.amend(v, func(c *incident.Case) { c.State, c.Assessing = incident.Tagged, true })
	_, err := b.ChangeCase(t.Context(), b.people["staff"], v.ID, Change{What: "x", Evidence: e})
	refused(t, err, "case.state")
	v, err = b.Case(t.Context(), b.people["staff"], v.ID)
	if b.must(v, err); slices.Contains(v.May, "change") {
		t.Errorf("with the assessor, may %v", v.May)
	}
}

func TestACaseSaysWhoChangedItLast(t *testing.T) {
	b := newBox(t)
	v := b.newCase()
	is := func(when, who string) {
		t.Helper()
		v, err := b.Case(t.Context(), b.people["staff"], v.ID)
		b.must(v, err)
		if p := b.people[who].Session.Person; v.ChangedBy == nil || v.ChangedBy.ID != p.ID || v.ChangedBy.Name != p.Name {
			t.Errorf("%s: %+v, want %s", when, v.ChangedBy, p.Name)
		}
	}
	is("made", "staff")
	v, err := b.ChangeCase(t.Context(), b.people["second"], v.ID, Change{Version: v.Version, What: "x", Evidence: evidence()})
	b.must(v, err)
	is("changed", "second")
	v, err = b.Redact(t.Context(), b.people["second"], v.ID, SubjectChange{Version: v.Version, Subjects: []subject.Subject{somebody()}})
	b.must(v, err)
	stop := b.work()
	b.await(v.ID, incident.Redacted)
	stop()
	is("made by the worker", "second")
}

func TestTimelineShowsGapsAndCases(t *testing.T) {
	b := newBox(t)
	v := b.newCase()
	tl, err := b.Timeline(t.Context(), b.people["staff"], till, recorded.Add(-time.Hour), start, 0)
	if err != nil || len(tl.Recorded) != 1 || !tl.Recorded[0].From.Equal(recorded) || !tl.Recorded[0].To.Equal(recorded.Add(seconds*time.Second)) {
		t.Errorf("%+v, %v", tl.Recorded, err)
	}
	if len(tl.Cases) != 1 || tl.Cases[0].ID != v.ID || !tl.Cases[0].Span.From.Equal(v.ClipFrom) {
		t.Errorf("%+v", tl.Cases)
	}
	for _, to := range []time.Time{recorded, recorded.Add(-1), recorded.Add(maxTimeline + 1)} {
		_, err := b.Timeline(t.Context(), b.people["staff"], till, recorded, to, 0)
		refused(t, err, "timeline.span")
	}
}

func TestMaySaysWhatIsOpen(t *testing.T) {
	b := newBox(t)
	v := b.submitted()
	for who, want := range map[string]string{"staff": "[fact document]", "assessor": "[assess fact document]"} {
		got, err := b.Case(t.Context(), b.people[who], v.ID)
		if fmt.Sprint(b.must(got, err).May) != want {
			t.Errorf("submitted, %s: %s", who, got.May)
		}
	}
	v, err := b.approve(v, "assessor")
	b.must(v, err)
	for who, want := range map[string]string{"staff": "[report fact document]", "manager": "[report withdraw fact document]", "assessor": "[withdraw fact document]"} {
		got, err := b.Case(t.Context(), b.people[who], v.ID)
		if fmt.Sprint(b.must(got, err).May) != want {
			t.Errorf("released, %s: %s", who, got.May)
		}
	}
}

func TestALookIsRecordedOnce(t *testing.T) {
	b := newBox(t)
	from, to := span()
	look := func(who string, export bool, why string) {
		t.Helper()
		m, err := b.Footage(t.Context(), b.people[who], till, Wanted{From: from, To: to, Export: export, Purpose: why})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
	count := func(act string, want int) {
		t.Helper()
		if n := b.count(act); n != want {
			t.Fatalf("%d times %s on record, want %d", n, act, want)
		}
	}
	for range 3 {
		look("staff", false, "")
		b.clock.Advance(3 * time.Minute)
	}
	count("footage.view", 1)
	look("second", false, "")
	count("footage.view", 2)
	b.clock.Advance(time.Minute) // ten after the first
	look("staff", false, "")
	count("footage.view", 3)
	b.clock.Advance(-time.Minute) // a clock set back is another time
	look("staff", false, "")
	count("footage.view", 4)
	from = from.Add(time.Millisecond)
	look("staff", false, "")
	count("footage.view", 5)

	look("manager", true, "politiet, 1234")
	look("manager", true, "politiet, 1234")
	count("footage.export", 1)
	look("manager", true, "forsikringen")
	count("footage.export", 2)
	all, err := b.opt.Audit.Entries(t.Context(), audit.Filter{Act: "footage.export"})
	if err != nil || all[0].Why != "politiet, 1234" || all[1].Why != "forsikringen" || all[0].Who.Name != names["manager"] || all[0].About["camera"] != string(till) {
		t.Errorf("on record: %+v, %v", all, err)
	}
	_, err = b.Footage(t.Context(), b.people["manager"], till, Wanted{From: from, To: to, Export: true, Purpose: " "})
	refused(t, err, "export.purpose")
}
