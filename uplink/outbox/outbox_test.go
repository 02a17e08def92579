package outbox_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"veilbox/appliance/incident"
	"veilbox/internal/keys"
	"veilbox/internal/problem"
	"veilbox/uplink/fleet"
	"veilbox/uplink/link"
	"veilbox/uplink/outbox"
	"veilbox/uplink/uplinktest"
	"veilbox/uplink/wire"
)

type bench struct {
	*uplinktest.World
	a, b     *uplinktest.Box
	assessor *uplinktest.Assessor
	dir      string
	key      keys.Key
	box      *outbox.Outbox
	stop     func()

	mu       sync.Mutex
	receipts []outbox.Receipt
	refused  []outbox.Refusal
	failing  int // callbacks to fail
	offline  bool
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newBench(t *testing.T) *bench {
	w := uplinktest.New(t, uplinktest.Noon)
	w.Member("a")
	w.Member("b")
	b := &bench{World: w, a: w.Box("a"), b: w.Box("b"), dir: t.TempDir(), key: keys.New()}
	b.assessor = w.Assessor(b.a, "ane", true)
	return b
}

func (b *bench) open() {
	b.T.Helper()
	var err error
	b.box, err = outbox.Open(b.T.Context(), outbox.Options{Dir: b.dir, Key: b.key, Clock: b.Clock, Log: uplinktest.Log(b.T),
		Link: func() (*link.Client, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			if b.offline {
				return nil, fleet.ErrNotEnrolled
			}
			return b.a.Link, nil
		},
		OnReceipt: func(_ context.Context, r outbox.Receipt) error {
			b.mu.Lock()
			defer b.mu.Unlock()
			if b.failing > 0 {
				b.failing--
				return errors.New("the store is full")
			}
			b.receipts = append(b.receipts, r)
			return nil
		},
		OnRefused: func(_ context.Context, r outbox.Refusal) error {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.refused = append(b.refused, r)
			return nil
		},
	})
	must(b.T, err)
	b.T.Cleanup(func() { b.box.Close() })
}

func (b *bench) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.box.Run(ctx) }()
	b.stop = func() {
		cancel()
		if err := <-done; err != nil {
			b.T.Error(err)
		}
	}
	b.T.Cleanup(func() { cancel() })
}

func (b *bench) queue(p *uplinktest.Parcel) {
	b.T.Helper()
	f, err := b.box.NewFile()
	must(b.T, err)
	_, err = f.Write(p.Content)
	must(b.T, err)
	must(b.T, b.box.Disclose(b.T.Context(), p.Sign(), p.Envelope, f))
	must(b.T, f.Discard())
}

// until advances the clock until f holds.
func (b *bench) until(what string, f func() bool) {
	b.T.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !f() {
		if time.Now().After(deadline) {
			st, _ := b.box.Status(b.T.Context())
			b.T.Fatalf("%s did not happen; status %+v", what, st)
		}
		b.Clock.Advance(time.Second)
		time.Sleep(time.Millisecond)
	}
}

func (b *bench) item(k outbox.Kind) outbox.Item {
	b.T.Helper()
	st, err := b.box.Status(b.T.Context())
	must(b.T, err)
	for _, it := range st {
		if it.Kind == k {
			return it
		}
	}
	return outbox.Item{}
}

func (b *bench) got() (int, int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.receipts), len(b.refused)
}

// The extranet is away, then comes; both ends restart on the way; the receipt's
// callback fails once.
func TestSurvives(t *testing.T) {
	b := newBench(t)
	b.open()
	p := b.Parcel(b.a, b.assessor, 5<<20, b.b)
	b.Stop()
	b.run()
	b.queue(p)
	b.until("waiting", func() bool { return b.item(outbox.Disclose).Tries >= 2 })
	it := b.item(outbox.Disclose)
	if it.Code != "extranet.unreachable" || it.Cause.DA == "" || it.State != outbox.Queued {
		t.Fatalf("status %+v", it)
	}
	b.stop()
	must(t, b.box.Close())

	b.failing = 1
	b.Start()
	b.open()
	b.run()
	b.until("the receipt", func() bool { n, _ := b.got(); return n == 1 })
	b.until("done", func() bool { return b.item(outbox.Disclose).State == outbox.Done })
	b.stop()
	if b.receipts[0].Disclosure != p.Manifest.Disclosure || b.receipts[0].At.IsZero() {
		t.Fatalf("receipt %+v", b.receipts[0])
	}
	left, err := filepath.Glob(filepath.Join(b.dir, "outbox", "*"))
	must(t, err)
	if len(left) != 0 {
		t.Fatalf("files left: %v", left)
	}
	in, err := b.b.Link.Inbox(t.Context())
	must(t, err)
	if len(in.Items) != 1 || in.Items[0].State != wire.StateAvailable {
		t.Fatalf("the receiver's inbox %+v", in)
	}
}

// The box is stopped in the middle of an upload and goes on where it was.
func TestResumes(t *testing.T) {
	b := newBench(t)
	b.open()
	p := b.Parcel(b.a, b.assessor, 6<<20, b.b)
	r, err := b.a.Link.Submit(t.Context(), p.Submit())
	must(t, err)
	// Two thirds were sent before the power went.
	for off := int64(0); off < 4<<20; off += wire.ChunkSize {
		if _, err := b.a.Link.UploadChunk(t.Context(), r.Upload, off, p.Content[off:off+wire.ChunkSize]); err != nil {
			t.Fatal(err)
		}
	}
	b.Stop()
	b.Start()
	b.queue(p)
	b.run()
	var first int64
	b.until("the receipt", func() bool {
		if it := b.item(outbox.Disclose); first == 0 {
			first = it.Sent
		}
		n, _ := b.got()
		return n == 1
	})
	b.stop()
	if first != 0 && first < 4<<20 {
		t.Fatalf("the upload began again at %d", first)
	}
}

func TestRefused(t *testing.T) {
	b := newBench(t)
	b.open()
	p := b.Parcel(b.a, b.Assessor(b.a, "pia", false), 100, b.b)
	b.queue(p)
	b.run()
	b.until("the refusal", func() bool { _, n := b.got(); return n == 1 })
	b.until("settled", func() bool { return b.item(outbox.Disclose).State == outbox.Refused })
	b.stop()
	if b.refused[0].Problem.Code != "disclosure.assessor-unconfirmed" || b.refused[0].Kind != outbox.Disclose {
		t.Fatalf("refusal %+v", b.refused[0])
	}
	if it := b.item(outbox.Disclose); it.Code != "disclosure.assessor-unconfirmed" {
		t.Fatalf("status %+v", it)
	}
}

// A box that is not enrolled waits; a report documented meanwhile goes with the
// disclosure, so that the day's end does not refuse it.
func TestReportWhileAway(t *testing.T) {
	b := newBench(t)
	b.open()
	b.offline = true
	p := b.Parcel(b.a, b.assessor, 100, b.b)
	b.run()
	b.queue(p)
	must(t, b.box.Report(t.Context(), p.Manifest.Disclosure, wire.ReportRequest{Version: wire.Version, Number: uplinktest.Hash("nr"), At: b.Clock.Now(), Person: "bo", Name: "Bo"}))
	b.until("waiting", func() bool { return b.item(outbox.Disclose).Code == "enrol.missing" })
	b.Clock.Advance(36 * time.Hour)
	b.mu.Lock()
	b.offline = false
	b.mu.Unlock()
	b.until("the receipt", func() bool { n, _ := b.got(); return n == 1 })
	b.until("the report", func() bool { return b.item(outbox.Report).State == outbox.Done })
	b.stop()
	in, err := b.a.Link.Inbox(t.Context())
	must(t, err)
	if in.Items[0].Reported == nil || in.Items[0].State != wire.StateAvailable {
		t.Fatalf("item %+v", in.Items[0])
	}
}

// A withdrawal takes a disclosure that waits out of the queue, and one that
// arrived off the extranet.
func TestWithdraw(t *testing.T) {
	b := newBench(t)
	b.open()
	req := wire.WithdrawRequest{Version: wire.Version, Reason: "Forkert person", Person: "bo", Name: "Bo"}
	waits := b.Parcel(b.a, b.assessor, 100, b.b)
	b.queue(waits)
	must(t, b.box.Withdraw(t.Context(), waits.Manifest.Disclosure, req))
	if it := b.item(outbox.Disclose); it.State != outbox.Cancelled {
		t.Fatalf("status %+v", it)
	}
	b.run()
	b.until("withdrawn", func() bool { return b.item(outbox.Withdraw).State == outbox.Done })
	b.until("the ciphertext goes", func() bool {
		_, err := os.Stat(filepath.Join(b.dir, "outbox", string(waits.Manifest.Disclosure)+".sealed"))
		return errors.Is(err, os.ErrNotExist)
	})
	sent := b.Parcel(b.a, b.assessor, 100, b.b)
	b.queue(sent)
	b.until("the receipt", func() bool { n, _ := b.got(); return n == 1 })
	must(t, b.box.Withdraw(t.Context(), sent.Manifest.Disclosure, req))
	b.until("withdrawn", func() bool {
		_, err := b.b.Link.View(t.Context(), sent.Manifest.Disclosure, uplinktest.Viewer())
		return err != nil && problem.Of(err).Code == "disclosure.ended"
	})
	b.stop()
	in, err := b.b.Link.Inbox(t.Context())
	must(t, err)
	if len(in.Items) != 1 || in.Items[0].Disclosure != sent.Manifest.Disclosure {
		t.Fatalf("the receiver's inbox %+v", in)
	}
}

func TestLeftOverFilesGo(t *testing.T) {
	b := newBench(t)
	b.open()
	f, err := b.box.NewFile()
	must(t, err)
	_, err = f.Write([]byte("x"))
	must(t, err)
	must(t, b.box.Close())
	b.open()
	left, err := filepath.Glob(filepath.Join(b.dir, "outbox", "*"))
	must(t, err)
	if len(left) != 0 {
		t.Fatalf("left over: %v", left)
	}
}

// What is queued is found by its name, however much was queued after it: a box
// that thinks a release was never queued takes it back.
func TestDisclosureIsFoundBehindManyItems(t *testing.T) {
	b := newBench(t)
	b.open()
	p := b.Parcel(b.a, b.assessor, 1<<10, b.b)
	b.queue(p)
	for range 1001 {
		must(t, b.box.Withdraw(t.Context(), incident.DisclosureID(wire.NewID()), wire.WithdrawRequest{Version: wire.Version, Reason: "prøve", Person: "ane", Name: "Ane Andersen"}))
	}
	if it := b.item(outbox.Disclose); it.Disclosure != "" {
		t.Fatalf("the list is not bounded any more: %+v", it)
	}
	it, ok, err := b.box.Disclosure(t.Context(), p.Envelope.Disclosure)
	if err != nil || !ok || it.Kind != outbox.Disclose || it.State != outbox.Queued || it.Disclosure != p.Envelope.Disclosure {
		t.Errorf("%+v, %v, %v", it, ok, err)
	}
	if _, ok, err := b.box.Disclosure(t.Context(), incident.DisclosureID(wire.NewID())); err != nil || ok {
		t.Errorf("one that was never queued: %v, %v", ok, err)
	}
}
