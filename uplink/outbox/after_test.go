package outbox_test

import (
	"testing"
	"time"

	"veilbox/appliance/incident"
	"veilbox/uplink/outbox"
	"veilbox/uplink/uplinktest"
	"veilbox/uplink/wire"
)

func (b *bench) narrow(p *uplinktest.Parcel, drop ...incident.MemberID) {
	b.T.Helper()
	must(b.T, b.box.Reassess(b.T.Context(), p.Manifest.Disclosure, wire.ReassessRequest{Version: wire.Version, At: b.Clock.Now().UTC(), Person: "ane", Name: "Ane", Reason: "Kun Aarhus nord", Drop: drop}))
}

func (b *bench) count(k outbox.Kind) (n int) {
	b.T.Helper()
	st, err := b.box.Status(b.T.Context())
	must(b.T, err)
	for _, it := range st {
		if it.Kind == k {
			n++
		}
	}
	return n
}

// A circle that is narrowed while the disclosure still waits is narrowed before
// anybody sees it, over a restart of the box.
func TestNarrowedWhileAway(t *testing.T) {
	b := newBench(t)
	b.Member("c")
	c := b.Box("c")
	b.open()
	b.Stop()
	b.run()
	p := b.Parcel(b.a, b.assessor, 1000, b.b, c)
	b.queue(p)
	b.narrow(p, "c")
	b.until("waiting", func() bool { return b.item(outbox.Disclose).Tries >= 1 })
	b.stop()
	must(t, b.box.Close())
	b.Start()
	b.open()
	b.run()
	b.until("the narrowing", func() bool { return b.item(outbox.Reassess).State == outbox.Done })
	b.stop()
	in, err := c.Link.Inbox(t.Context())
	must(t, err)
	if len(in.Items) != 0 {
		t.Fatalf("who had dropped out saw %+v", in.Items)
	}
	if in, err = b.b.Link.Inbox(t.Context()); err != nil || len(in.Items) != 1 || in.Items[0].State != wire.StateAvailable {
		t.Fatalf("who stayed sees %+v, %v", in, err)
	}
	if in, err = b.a.Link.Inbox(t.Context()); err != nil || len(in.Items[0].Dropped) != 1 || in.Items[0].Dropped[0].Member != "c" {
		t.Fatalf("the sender sees %+v, %v", in, err)
	}
}

// An act that was queued and could not be saved is done again, and counts once.
func TestTheSameActCountsOnce(t *testing.T) {
	b := newBench(t)
	b.open()
	ctx := t.Context()
	p := b.Parcel(b.a, b.assessor, 1000, b.b)
	id := p.Manifest.Disclosure
	b.queue(p)
	b.queue(p) // the same approval: nothing more is queued, and the file goes
	other := *p
	other.Manifest.NotAfter = other.Manifest.NotAfter.Add(-time.Hour)
	f, err := b.box.NewFile()
	must(t, err)
	_, err = f.Write(p.Content)
	must(t, err)
	if err := b.box.Disclose(ctx, other.Sign(), p.Envelope, f); err == nil {
		t.Error("another disclosure of the same name was queued")
	}
	must(t, f.Discard())
	report := wire.ReportRequest{Version: wire.Version, Number: uplinktest.Hash("1"), At: b.Clock.Now().UTC(), Person: "bo", Name: "Bo"}
	deleted := wire.DeletedRequest{Version: wire.Version, Name: "Kasse 1", Words: "intet gemt"}
	for range 3 {
		b.narrow(p, "b")
		must(t, b.box.Report(ctx, id, report))
		must(t, b.box.Deleted(ctx, "DDDDDDDDDDDDDDDDDDDDDDDDDD", deleted))
		b.Clock.Advance(time.Second)
	}
	for k, want := range map[outbox.Kind]int{outbox.Disclose: 1, outbox.Reassess: 1, outbox.Report: 1, outbox.Deleted: 1} {
		if n := b.count(k); n != want {
			t.Errorf("%d items of %s", n, k)
		}
	}
	report.Number = uplinktest.Hash("2")
	must(t, b.box.Report(ctx, id, report))
	deleted.Person = "p5"
	must(t, b.box.Deleted(ctx, "DDDDDDDDDDDDDDDDDDDDDDDDDD", deleted))
	b.narrow(p)
	for k, want := range map[outbox.Kind]int{outbox.Reassess: 2, outbox.Report: 2, outbox.Deleted: 2} {
		if n := b.count(k); n != want {
			t.Errorf("another act: %d items of %s", n, k)
		}
	}
	withdraw := wire.WithdrawRequest{Version: wire.Version, Reason: "slut", Person: "bo", Name: "Bo"}
	for range 3 {
		must(t, b.box.Withdraw(ctx, id, withdraw))
	}
	if n := b.count(outbox.Withdraw); n != 1 {
		t.Errorf("%d withdrawals", n)
	}
	// What was withdrawn does not come back.
	f, err = b.box.NewFile()
	must(t, err)
	_, err = f.Write(p.Content)
	must(t, err)
	if err := b.box.Disclose(ctx, p.Sign(), p.Envelope, f); err == nil {
		t.Error("a disclosure that was withdrawn was queued again")
	}
	must(t, f.Discard())
}

// What a recipient deleted arrives, also when the extranet was away.
func TestDeletedArrives(t *testing.T) {
	b := newBench(t)
	b.a, b.b = b.b, b.a // this box is the recipient
	p := b.Parcel(b.b, b.Assessor(b.b, "eva", true), 100, b.a)
	b.Send(b.b, p)
	must(t, b.b.Link.Withdraw(t.Context(), p.Manifest.Disclosure, wire.WithdrawRequest{Version: wire.Version, Reason: "slut", Person: "bo", Name: "Bo"}))
	b.open()
	b.Stop()
	b.run()
	must(t, b.box.Deleted(t.Context(), p.Manifest.Disclosure, wire.DeletedRequest{Version: wire.Version, Name: "Kasse 1", Words: "intet gemt"}))
	b.until("waiting", func() bool { return b.item(outbox.Deleted).Tries >= 1 })
	b.Start()
	b.until("done", func() bool { return b.item(outbox.Deleted).State == outbox.Done })
	b.stop()
	in, err := b.b.Link.Inbox(t.Context())
	must(t, err)
	if d := in.Items[0].Dropped; len(d) != 1 || d[0].Deleted == nil {
		t.Fatalf("the sender sees %+v", d)
	}
}
