package ringtest

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"testing"
	"time"

	"veilbox/capture/footage"
	"veilbox/capture/ring"
	"veilbox/internal/clock"
	"veilbox/internal/keys"
)

func spec(t testing.TB, cameras, days int) Spec {
	t.Helper()
	k, err := keys.FromBytes(bytes.Repeat([]byte{9}, keys.Size))
	if err != nil {
		t.Fatal(err)
	}
	return Spec{Dir: t.TempDir(), Key: k, Cameras: cameras, Days: days, Part: time.Second, Bytes: 500_000,
		End: time.Date(2026, 3, 14, 9, 30, 0, 0, time.UTC)}
}

// What Fill makes is a ring as if it had been recorded, all but the pictures.
func TestFill(t *testing.T) {
	s := spec(t, 2, 2)
	if n, err := strconv.Atoi(os.Getenv("VEILBOX_RING_DAYS")); err == nil {
		s = spec(t, 8, n) // the size of a real one takes a minute and some gigabytes
	}
	if err := Fill(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	fake := clock.NewFake(s.End)
	began := time.Now()
	took := func(what string) { t.Logf("%s %v", what, time.Since(began)); began = time.Now() }
	r, err := ring.Open(t.Context(), ring.Options{Dir: s.Dir, Key: s.Key, Quota: 1 << 50, Clock: fake, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	took("open")
	st, err := r.Stats(t.Context())
	took("stats")
	gap := int64(30 * (s.Days*24/6 + 1))
	want := int64(s.Cameras) * (int64(s.Days)*86400 + 1800 - gap)
	if err != nil || st.Parts != want || st.Damaged+st.Torn+st.Orphans+st.Recovered != 0 {
		t.Fatalf("%+v, %v; want %d parts", st, err, want)
	}
	for i := range s.Cameras {
		tl, err := r.Timeline(t.Context(), Camera(i), footage.Span{From: 1, To: st.Newest})
		if err != nil || len(tl) != s.Days*4+1 {
			t.Fatalf("%d runs, %v", len(tl), err)
		}
	}
	took("timeline")
	p, err := r.Parts(t.Context(), Camera(0), footage.Span{From: st.Newest - 60*footage.TicksPerSecond, To: st.Newest})
	if err != nil || len(p) != 60 || p[0].Size != int64(s.Bytes) {
		t.Fatalf("%d parts, %v", len(p), err)
	}
	took("parts")
	if s.Days >= 30 {
		for range 3 {
			fake.Advance(time.Minute)
			e, err := r.Expire(t.Context())
			took(fmt.Sprintf("expire %+v", e))
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	took("close")
}
