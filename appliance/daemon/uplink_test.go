package daemon

import (
	"context"
	"testing"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/casework"
	"veilbox/appliance/incident"
	"veilbox/appliance/store"
	"veilbox/internal/keys"
	"veilbox/internal/passkey"
	"veilbox/uplink/link"
	"veilbox/uplink/outbox"
	"veilbox/uplink/uplinktest"
)

// linked is the extranet as a box's casework sees it, against a real one.
type linked struct {
	*extranet
	w       *uplinktest.World
	box     *uplinktest.Box
	refused chan outbox.Refusal
}

func newLinked(t *testing.T, w *uplinktest.World, member string) linked {
	t.Helper()
	l := linked{w: w, box: w.Box(member), refused: make(chan outbox.Refusal, 10)}
	ctx, cancel := context.WithCancel(context.Background())
	l.extranet = &extranet{ctx: ctx, clock: w.Clock, log: uplinktest.Log(t), store: l.box.Store, name: "boks-" + member}
	l.connect(l.box.Identity)
	var err error
	l.out, err = outbox.Open(ctx, outbox.Options{Dir: t.TempDir(), Key: keys.New(), Clock: w.Clock, Log: uplinktest.Log(t), Link: func() (*link.Client, error) { return l.client() },
		OnRefused: func(_ context.Context, r outbox.Refusal) error { l.refused <- r; return nil }})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- l.out.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := l.out.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// until waits for f, as long as it takes a queue on loopback.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not happen", what)
		}
	}
}

func noErr(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A passkey is registered with what it signed, waits, and counts when the operator
// has confirmed it.
func TestAssessorOfTheExtranet(t *testing.T) {
	w := uplinktest.New(t, uplinktest.Noon)
	w.Member("a")
	l := newLinked(t, w, "a")
	ctx := t.Context()
	ane := uplinktest.NewAssessor("p1")
	q := w.Qualification()
	person := incident.Person{ID: "p1", Name: "Ane Friis", Qualification: &q}
	challenge, err := l.Possession(ctx, "p1", ane.Key)
	noErr(t, err)
	if err := l.RegisterAssessor(ctx, person, ane.Key, passkey.Assertion{}); err == nil {
		t.Error("a key was registered that nobody showed to have")
	}
	if err := l.RegisterAssessor(ctx, incident.Person{ID: "p1", Name: "Ane Friis"}, ane.Key, ane.Sign(challenge)); err == nil {
		t.Error("an assessor without a qualification was registered")
	}
	noErr(t, l.RegisterAssessor(ctx, person, ane.Key, ane.Sign(challenge)))
	confirmed := func(id incident.PersonID, key passkey.Key) bool {
		t.Helper()
		c, err := l.conn()
		noErr(t, err)
		_, err = c.in.Refresh(ctx)
		noErr(t, err)
		ok, err := l.AssessorConfirmed(ctx, id, key)
		noErr(t, err)
		return ok
	}
	if confirmed("p1", ane.Key) {
		t.Error("it counts before the operator has confirmed it")
	}
	noErr(t, w.Decide(l.box, ane, "confirm"))
	other := ane.Key
	other.RPID = "andet.example"
	if !confirmed("p1", ane.Key) || confirmed("p2", ane.Key) || confirmed("p1", other) {
		t.Error("confirmed: not the key, or another person's, or another key")
	}
	var rows []struct {
		Key  string `json:"key"`
		File bool   `json:"file"`
	}
	noErr(t, w.Op("GET", "/api/v1/assessors", nil, &rows))
	if len(rows) != 1 || rows[0].Key != l.KeyID(ane.Key) || !rows[0].File {
		t.Errorf("the operator sees %+v", rows)
	}
}

// The sender narrows and reassesses, and sees who looked and who has deleted; the
// recipient's box records by itself that nothing is left, once.
func TestNarrowedAndDeletedOverTheExtranet(t *testing.T) {
	w := uplinktest.New(t, uplinktest.Noon)
	for _, m := range []string{"a", "b", "c"} {
		w.Member(m)
	}
	a, b, c := newLinked(t, w, "a"), newLinked(t, w, "b"), newLinked(t, w, "c")
	ctx := t.Context()
	p := w.Parcel(a.box, w.Assessor(a.box, "ane", true), 100, b.box, c.box)
	id := p.Manifest.Disclosure
	accesses, err := a.Accesses(ctx, id)
	if err != nil || len(accesses) != 0 {
		t.Fatalf("before it arrived: %v, %v", accesses, err)
	}
	w.Send(a.box, p)
	if _, err := c.box.Link.View(ctx, id, uplinktest.Viewer()); err != nil {
		t.Fatal(err)
	}
	accesses, err = a.Accesses(ctx, id)
	if err != nil || len(accesses) != 1 || accesses[0].MemberName != "Butik c" || accesses[0].Person != "eva" || accesses[0].Function != "butikschef" {
		t.Fatalf("accesses %+v, %v", accesses, err)
	}
	ane := incident.Person{ID: "ane", Name: "Ane Friis"}
	for range 2 {
		noErr(t, a.Narrow(ctx, id, ane, "Kun Aarhus nord", []incident.MemberID{"c"}))
	}
	noErr(t, a.Reassess(ctx, id, ane, "Intet nyt", w.Clock.Now().Add(7*24*time.Hour), nil))
	deletions := func() []incident.Dropped {
		t.Helper()
		d, err := a.Deletions(ctx, id)
		noErr(t, err)
		return d
	}
	until(t, "the narrowing", func() bool { return len(deletions()) == 1 })
	if d := deletions()[0]; d.Member != "c" || d.Told == nil || d.Deleted != nil {
		t.Fatalf("dropped %+v", d)
	}
	// What the daemon asks at each heartbeat.
	for range 3 {
		for _, x := range []linked{a, b, c} {
			_, err := x.own(ctx)
			noErr(t, err)
		}
	}
	until(t, "the deletion", func() bool { return deletions()[0].Deleted != nil })
	at := *deletions()[0].Deleted
	st, err := c.out.Status(ctx)
	if err != nil || len(st) != 1 || st[0].Kind != outbox.Deleted {
		t.Errorf("c's queue %+v, %v", st, err)
	}
	if st, err := b.out.Status(ctx); err != nil || len(st) != 0 {
		t.Errorf("b, who stays, has queued %+v, %v", st, err)
	}
	// A person there says that a print was shredded.
	noErr(t, c.DeletedHere(ctx, id, incident.Person{ID: "p5", Name: "Eva Lund"}, "Udskriften er makuleret."))
	var list []struct {
		Dropped []struct{ By string } `json:"dropped"`
	}
	until(t, "the person's record", func() bool {
		noErr(t, w.Op("GET", "/api/v1/disclosures", nil, &list))
		return list[0].Dropped[0].By == "Eva Lund"
	})
	if d := deletions()[0]; !d.Deleted.Equal(at) {
		t.Errorf("the time of the deletion moved from %v to %v", at, *d.Deleted)
	}
	select {
	case r := <-a.refused:
		t.Errorf("refused: %+v", r)
	case r := <-c.refused:
		t.Errorf("refused: %+v", r)
	default:
	}
	// It ends: the sender is told at once.
	noErr(t, a.Withdraw(ctx, id, ane, "Forkert person"))
	until(t, "the end", func() bool { ended, err := a.own(ctx); return err == nil && len(ended) == 1 })
	_, err = b.own(ctx)
	noErr(t, err)
	until(t, "b's deletion", func() bool { d := deletions(); return len(d) == 2 && d[0].Deleted != nil && d[1].Deleted != nil })
}

// Who may view is counted, never named: active accounts with the right and a valid
// authorisation; and who of them has accepted the conditions as they stand.
func TestViewers(t *testing.T) {
	now := uplinktest.Noon
	valid := incident.Authorisation{By: "Mette Holm", Function: "vagt", Need: "tyverier", From: now.AddDate(0, -1, 0), To: now.AddDate(0, 1, 0)}
	over := valid
	over.To = now
	person := func(active bool, au incident.Authorisation, roles ...account.Role) account.Person {
		return account.Person{Active: active, Authorisation: au, Roles: roles}
	}
	people := []account.Person{
		person(true, valid, account.Staff), person(true, valid, account.Manager), person(true, valid, account.Assessor),
		person(false, valid, account.Staff), person(true, over, account.Staff), person(true, valid, account.Auditor), person(true, valid, account.Operator), {},
	}
	for i := range people {
		people[i].ID = incident.PersonID(rune('a' + i))
	}
	accepted := []store.Acceptance{
		{Person: "a", Version: casework.ConditionsVersion}, {Person: "b", Version: "2019-1"}, {Person: "c", Version: casework.ConditionsVersion},
		{Person: "c", Version: "2019-1"}, {Person: "d", Version: casework.ConditionsVersion}, {Person: "z", Version: casework.ConditionsVersion},
	}
	if may, have := viewers(people, accepted, now); may != 3 || have != 2 {
		t.Errorf("%d people, %d accepted", may, have)
	}
	if may, have := viewers(nil, accepted, now); may != 0 || have != 0 {
		t.Errorf("%d people of none, %d accepted", may, have)
	}
}
