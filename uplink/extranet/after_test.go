package extranet_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"veilbox/appliance/incident"
	"veilbox/uplink/uplinktest"
	"veilbox/uplink/wire"
)

func (s shops) item(t *testing.T, b *uplinktest.Box, p *uplinktest.Parcel) wire.InboxItem {
	t.Helper()
	in, err := b.Link.Inbox(t.Context())
	must(t, err)
	for _, it := range in.Items {
		if it.Disclosure == p.Manifest.Disclosure {
			return it
		}
	}
	t.Fatalf("%s is not in the list", p.Manifest.Disclosure)
	return wire.InboxItem{}
}

func (s shops) narrow(t *testing.T, p *uplinktest.Parcel, drop ...incident.MemberID) error {
	return s.a.Link.Reassess(t.Context(), p.Manifest.Disclosure, wire.ReassessRequest{Version: wire.Version, At: s.Clock.Now(), Person: "ane", Name: "Ane", Reason: "Kun Aarhus nord", Drop: drop})
}

func byBox() wire.DeletedRequest {
	return wire.DeletedRequest{Version: wire.Version, Name: "Kasse 1", Words: "intet gemt"}
}

func byPerson() wire.DeletedRequest {
	return wire.DeletedRequest{Version: wire.Version, Person: "p5", Name: "Eva Lund", Words: "Udskriften er makuleret."}
}

// Who drops out has no access from that moment, even within a viewing, sees why,
// and records that what it had is deleted; the sender sees that.
func TestNarrowedAndDeleted(t *testing.T) {
	s := three(t, uplinktest.Noon)
	p := s.Parcel(s.a, s.assessor, 3<<20, s.b, s.c)
	id := p.Manifest.Disclosure
	s.Send(s.a, p)
	must(t, s.Report(s.a, p))
	vb, err := s.view(t, s.b, p)
	must(t, err)
	vc, err := s.view(t, s.c, p)
	must(t, err)
	wantCode(t, s.c.Link.Deleted(t.Context(), id, byBox()), "disclosure.running")
	if d := s.item(t, s.a, p).Dropped; d != nil {
		t.Fatalf("dropped before anybody was: %+v", d)
	}

	s.Clock.Advance(time.Minute)
	told := s.Clock.Now()
	must(t, s.narrow(t, p, "c"))
	_, err = s.read(t.Context(), s.c, p, vc.Token)
	wantCode(t, err, "disclosure.ended")
	if !strings.Contains(err.Error(), "Kun Aarhus nord") {
		t.Errorf("the refusal does not say why: %v", err)
	}
	_, err = s.view(t, s.c, p)
	wantCode(t, err, "disclosure.ended")
	it := s.item(t, s.c, p)
	if it.State != wire.StateEnded || it.Ended.Code != wire.EndNarrowed || it.Ended.Reason != "Kun Aarhus nord" || it.AlertKey != nil || it.Alert != nil || it.Deleted != nil || it.Dropped != nil {
		t.Fatalf("c sees %+v, %+v", it, it.Ended)
	}
	if got, err := s.read(t.Context(), s.b, p, vb.Token); err != nil || !bytes.Equal(got, p.Content) {
		t.Fatalf("b, who stays: %v", err)
	}
	wantCode(t, s.b.Link.Deleted(t.Context(), id, byBox()), "disclosure.running")

	// Who has dropped out comes back by nothing that the sender can do.
	must(t, s.narrow(t, p))
	wider := p.Submit()
	_, err = s.a.Link.Submit(t.Context(), wider)
	must(t, err)
	_, err = s.view(t, s.c, p)
	wantCode(t, err, "disclosure.ended")
	s.Clock.Advance(time.Minute)
	must(t, s.narrow(t, p, "c")) // again: the time stays
	if d := s.item(t, s.a, p).Dropped; len(d) != 1 || d[0].Member != "c" || !d[0].Told.Equal(told) || d[0].Deleted != nil {
		t.Fatalf("the sender sees %+v", d)
	}

	// c's box records the deletion, then a person; the first sets the time.
	at := s.Clock.Now()
	for range 2 {
		must(t, s.c.Link.Deleted(t.Context(), id, byBox()))
		s.Clock.Advance(time.Minute)
	}
	must(t, s.c.Link.Deleted(t.Context(), id, byPerson()))
	must(t, s.c.Link.Deleted(t.Context(), id, byBox()))
	if it := s.item(t, s.c, p); it.Deleted == nil || !it.Deleted.Equal(at) {
		t.Fatalf("c sees %v, want %v", it.Deleted, at)
	}
	if d := s.item(t, s.a, p).Dropped; len(d) != 1 || d[0].Deleted == nil || !d[0].Deleted.Equal(at) {
		t.Fatalf("the sender sees %+v", d)
	}
	var list []struct {
		Dropped []struct{ Member, By, Words string } `json:"dropped"`
	}
	must(t, s.Op("GET", "/api/v1/disclosures", nil, &list))
	if len(list[0].Dropped) != 1 || list[0].Dropped[0].By != "Eva Lund" || list[0].Dropped[0].Words != "Udskriften er makuleret." {
		t.Fatalf("the operator sees %+v", list)
	}
	if body := s.Page("/disclosures"); !strings.Contains(body, "Udskriften er makuleret.") {
		t.Error("the page does not show the deletion")
	}
	if n := s.acts(t, "disclosure.deleted"); n != 2 {
		t.Errorf("%d entries of a deletion in the audit log, want the box's and the person's", n)
	}

	// The end of the whole is told and recorded by those who were left.
	must(t, s.a.Link.Withdraw(t.Context(), id, wire.WithdrawRequest{Version: wire.Version, Reason: "Forkert person", Person: "bo", Name: "Bo"}))
	if it := s.item(t, s.c, p); it.Ended.Code != wire.EndNarrowed {
		t.Errorf("c is told of another end than its own: %+v", it.Ended)
	}
	d := s.item(t, s.a, p).Dropped
	if len(d) != 2 || d[0].Member != "b" || d[0].Told == nil || d[0].Deleted != nil || !d[1].Told.Equal(told) {
		t.Fatalf("the sender sees %+v", d)
	}
	must(t, s.b.Link.Deleted(t.Context(), id, byBox()))
	if d := s.item(t, s.a, p).Dropped; d[0].Deleted == nil {
		t.Fatalf("the sender sees %+v", d)
	}

	// It is kept over a restart, and not in the clear.
	s.Stop()
	for _, f := range []string{"extranet.db", "extranet.db-wal"} {
		if b, err := os.ReadFile(filepath.Join(s.Config.Dir, f)); err == nil && bytes.Contains(b, []byte("makuleret")) {
			t.Errorf("%s holds a person's words in the clear", f)
		}
	}
	s.Start()
	if d := s.item(t, s.a, p).Dropped; len(d) != 2 || d[0].Deleted == nil || d[1].Deleted == nil {
		t.Fatalf("after a restart the sender sees %+v", d)
	}
}

func (s shops) acts(t *testing.T, act string) (n int) {
	t.Helper()
	var entries []struct {
		Act string `json:"act"`
	}
	must(t, s.Op("GET", "/api/v1/audit", nil, &entries))
	for _, e := range entries {
		if e.Act == act {
			n++
		}
	}
	return n
}

// A member that drops out while the video is on its way learns nothing of it, and
// has nothing to delete.
func TestDroppedBeforeItArrived(t *testing.T) {
	s := three(t, uplinktest.Noon)
	p := s.Parcel(s.a, s.assessor, 10, s.b, s.c)
	id := p.Manifest.Disclosure
	r, err := s.a.Link.Submit(t.Context(), p.Submit())
	must(t, err)
	must(t, s.narrow(t, p, "c"))
	s.Clock.Advance(time.Second)
	_, err = s.a.Link.UploadChunk(t.Context(), r.Upload, 0, p.Content)
	must(t, err)
	_, err = s.a.Link.Complete(t.Context(), id)
	must(t, err)
	_, err = s.view(t, s.c, p)
	wantCode(t, err, "missing")
	wantCode(t, s.c.Link.Deleted(t.Context(), id, byBox()), "missing")
	in, err := s.c.Link.Inbox(t.Context())
	must(t, err)
	if len(in.Items) != 0 {
		t.Fatalf("c's inbox %+v", in)
	}
	if d := s.item(t, s.a, p).Dropped; len(d) != 1 || d[0].Member != "c" || d[0].Told == nil || d[0].Deleted == nil {
		t.Fatalf("the sender sees %+v", d)
	}
	if _, err := s.view(t, s.b, p); err != nil {
		t.Fatal(err)
	}
}

// The sender sees which shops looked, when and why; the names of their people stay
// with the operator.
func TestAccessLogOfTheSender(t *testing.T) {
	s := three(t, uplinktest.Noon)
	p, other := s.parcel(100), s.parcel(100)
	s.Send(s.a, p)
	s.Send(s.a, other)
	first := s.Clock.Now()
	_, err := s.view(t, s.b, p)
	must(t, err)
	s.Clock.Advance(time.Hour)
	_, err = s.view(t, s.b, p)
	must(t, err)
	_, err = s.view(t, s.b, other)
	must(t, err)
	must(t, s.a.Link.Withdraw(t.Context(), p.Manifest.Disclosure, wire.WithdrawRequest{Version: wire.Version, Reason: "slut", Person: "bo", Name: "Bo"}))
	log, err := s.a.Link.Accesses(t.Context(), p.Manifest.Disclosure)
	must(t, err)
	if len(log.Items) != 2 || log.More || !log.Items[1].At.Equal(first) || !log.Items[0].At.Equal(first.Add(time.Hour)) {
		t.Fatalf("log %+v", log)
	}
	want := wire.Access{Number: log.Items[1].Number, Member: "b", MemberName: "Butik b", Person: "eva", Function: "butikschef", Purpose: "genkendelse ved indgangen", At: first.UTC()}
	if log.Items[1] != want {
		t.Fatalf("an access is %+v, want %+v", log.Items[1], want)
	}
	for _, b := range []*uplinktest.Box{s.b, s.c} {
		_, err := b.Link.Accesses(t.Context(), p.Manifest.Disclosure)
		wantCode(t, err, "missing")
	}
	if s.acts(t, "access.own") != 1 {
		t.Error("looking into the access log is not recorded")
	}
}

// The directory says how many people may look at each shop: the sum of its boxes.
func TestPeopleOfAMember(t *testing.T) {
	s := three(t, uplinktest.Noon)
	beat := func(b *uplinktest.Box, n int) error {
		_, err := b.Link.Heartbeat(t.Context(), wire.HeartbeatRequest{Version: wire.Version, Program: "1", At: s.Clock.Now(), People: n})
		return err
	}
	must(t, beat(s.b, 7))
	second := s.Box("b")
	must(t, beat(second, 5))
	people := func() int {
		d, err := s.a.Link.Members(t.Context())
		must(t, err)
		return d.Members[1].People
	}
	if n := people(); n != 12 {
		t.Fatalf("%d people", n)
	}
	_, err := s.b.Link.Heartbeat(t.Context(), wire.HeartbeatRequest{Version: wire.Version, Program: "1", At: s.Clock.Now(), People: 7, Accepted: 6, Conditions: "2026-1"})
	must(t, err)
	if body := s.Page("/boxes?lang=en"); !strings.Contains(body, "have accepted conditions 2026-1: 6") {
		t.Error("the operator does not see who has accepted the conditions (S8)")
	}
	_, err = s.b.Link.Heartbeat(t.Context(), wire.HeartbeatRequest{Version: wire.Version, Program: "1", At: s.Clock.Now(), People: 7, Accepted: 8})
	wantCode(t, err, "message")
	for _, n := range []int{-1, wire.MaxPeople + 1, 1 << 40} {
		wantCode(t, beat(s.b, n), "message")
	}
	must(t, beat(s.b, 6))
	must(t, s.Op("POST", "/api/v1/boxes/"+string(second.Identity.Box)+"/revoke", map[string]string{"reason": "stjålet"}, nil))
	if n := people(); n != 6 {
		t.Fatalf("%d people after a box was revoked", n)
	}
}

// Who does not record a deletion is counted after two days; the sender's list says
// who has for three months, the operator's for as long as it is kept.
func TestDeletionsThatAreMissing(t *testing.T) {
	s := three(t, uplinktest.Noon)
	p := s.Parcel(s.a, s.assessor, 10, s.b, s.c)
	s.Send(s.a, p)
	must(t, s.narrow(t, p, "c"))
	must(t, s.a.Link.Withdraw(t.Context(), p.Manifest.Disclosure, wire.WithdrawRequest{Version: wire.Version, Reason: "slut", Person: "bo", Name: "Bo"}))
	missing := func(want string) {
		t.Helper()
		if !strings.Contains(s.Page("/metrics"), "veil_extranet_deletions_missing "+want+"\n") {
			t.Errorf("not %s members are counted", want)
		}
	}
	missing("0")
	s.Clock.Advance(48*time.Hour + time.Second)
	missing("2")
	must(t, s.b.Link.Deleted(t.Context(), p.Manifest.Disclosure, byBox()))
	missing("1")
	s.Clock.Advance(80 * 24 * time.Hour)
	if d := s.item(t, s.a, p).Dropped; len(d) != 2 || d[0].Deleted == nil || d[1].Deleted != nil {
		t.Errorf("the sender sees %+v", d)
	}
	s.Clock.Advance(10 * 24 * time.Hour)
	if d := s.item(t, s.a, p).Dropped; d != nil {
		t.Errorf("after three months the sender sees %+v", d)
	}
	if body := s.Page("/disclosures?lang=en"); !strings.Contains(body, "deletion not recorded") {
		t.Error("the operator no longer sees it")
	}
}
