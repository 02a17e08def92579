package fleet_test

import (
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"veilbox/appliance/audit"
	"veilbox/internal/keys"
	"veilbox/internal/problem"
	"veilbox/uplink/fleet"
	"veilbox/uplink/uplinktest"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type boxRow struct {
	ID       string  `json:"id"`
	HeadSize int64   `json:"head_size"`
	Alarm    *string `json:"alarm"`
	Program  string  `json:"program"`
	Beat     *string `json:"beat"`
}

func boxes(t *testing.T, w *uplinktest.World) boxRow {
	t.Helper()
	var rows []boxRow
	must(t, w.Op("GET", "/api/v1/boxes", nil, &rows))
	if len(rows) != 1 {
		t.Fatalf("boxes %+v", rows)
	}
	return rows[0]
}

func add(t *testing.T, l *audit.Log, n int, who string) {
	t.Helper()
	for range n {
		_, err := l.Append(t.Context(), audit.Entry{Act: "login", Who: audit.Who{ID: who, Name: who, Role: "staff"}})
		must(t, err)
	}
}

// Each head must extend the last: a log that was rewritten or cut is an alarm.
func TestHeads(t *testing.T) {
	w := uplinktest.New(t, uplinktest.Noon)
	w.Member("a")
	b := w.Box("a")
	heart := fleet.Heart{Link: b.Link, Audit: b.Audit, Program: "1.2", Health: func() map[string]string { return map[string]string{"ring": "ok"} }, Clock: w.Clock}
	for _, n := range []int{0, 3, 0, 5, 1} {
		add(t, b.Audit, n, "x")
		must(t, heart.Beat(t.Context()))
	}
	if r := boxes(t, w); r.HeadSize != 9 || r.Alarm != nil || r.Program != "1.2" || r.Beat == nil {
		t.Fatalf("box %+v", r)
	}

	for _, n := range []int{12, 4} { // longer than the one known, and shorter
		// The same name and key, another history.
		forged, err := audit.Open(t.Context(), audit.Options{Path: filepath.Join(t.TempDir(), "audit.db"), Key: b.Store.Key, Name: "box-a", Clock: w.Clock,
			Signing: ed25519.NewKeyFromSeed(b.Store.Key.Derive("sign").Bytes())})
		must(t, err)
		add(t, forged, n, "y")
		heart.Audit = forged
		err = heart.Beat(t.Context())
		if problem.Of(err).Code != "audit.fork" {
			t.Fatalf("a rewritten log of %d entries: %v", n, err)
		}
		r := boxes(t, w)
		if r.Alarm == nil || r.HeadSize != 9 {
			t.Fatalf("box %+v", r)
		}
		must(t, w.Op("POST", "/api/v1/boxes/"+r.ID+"/alarm", map[string]string{"reason": "set"}, nil))
		must(t, forged.Close())
	}
	heart.Audit = b.Audit
	add(t, b.Audit, 1, "x")
	must(t, heart.Beat(t.Context()))
	if r := boxes(t, w); r.HeadSize != 10 || r.Alarm != nil {
		t.Fatalf("box %+v", r)
	}
}

func TestIdentityStore(t *testing.T) {
	s := fleet.IdentityStore{Path: filepath.Join(t.TempDir(), "identity.sealed"), Key: keys.New()}
	if _, err := s.Load(); !errors.Is(err, fleet.ErrNotEnrolled) {
		t.Fatalf("no identity: %v", err)
	}
	must(t, os.WriteFile(s.Path, []byte("damaged"), 0o600))
	if _, err := s.Load(); !errors.Is(err, keys.ErrOpen) {
		t.Fatalf("a damaged identity: %v", err)
	}
}

func FuzzParseCode(f *testing.F) {
	f.Add(fleet.Code{URL: "https://extranet.example:9443", CA: uplinktest.Hash("ca"), Secret: "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}.String())
	f.Add("veilbox1.")
	f.Add("veilbox1.e30")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := fleet.ParseCode(s)
		if err != nil {
			if problem.Of(err).Code != "enrol.bad" {
				t.Fatal(err)
			}
			return
		}
		again, err := fleet.ParseCode(c.String())
		if err != nil || again != c {
			t.Fatalf("%+v came back as %+v, %v", c, again, err)
		}
	})
}
