package extranet_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"veilbox/internal/clock"
	"veilbox/uplink/uplinktest"
	"veilbox/uplink/wire"
)

// The day of a disclosure ends at midnight in Copenhagen, on the days of 23 and
// 25 hours too.
func TestReportMissing(t *testing.T) {
	for _, day := range []time.Time{
		uplinktest.Noon,
		time.Date(2026, 3, 29, 0, 30, 0, 0, clock.Copenhagen),  // 23 hours
		time.Date(2026, 10, 25, 0, 30, 0, 0, clock.Copenhagen), // 25 hours
	} {
		t.Run(day.Format(time.DateOnly), func(t *testing.T) {
			s := three(t, day)
			p, reported := s.parcel(1000), s.Parcel(s.a, s.assessor, 1000, s.b)
			s.Send(s.a, reported)
			must(t, s.Report(s.a, reported))
			s.Send(s.a, p)
			y, m, d := day.Date()
			midnight := time.Date(y, m, d+1, 0, 0, 0, 0, clock.Copenhagen)
			s.Clock.Advance(midnight.Sub(day) - time.Second)
			if _, err := s.view(t, s.b, p); err != nil {
				t.Fatalf("a second before midnight: %v", err)
			}
			s.Clock.Advance(time.Second)
			_, err := s.view(t, s.b, p)
			wantCode(t, err, "disclosure.ended")
			wantCode(t, s.Report(s.a, p), "disclosure.ended")
			if _, err := s.view(t, s.b, reported); err != nil {
				t.Fatalf("the reported one: %v", err)
			}
			in, err := s.b.Link.Inbox(t.Context())
			must(t, err)
			for _, it := range in.Items {
				if it.Disclosure == p.Manifest.Disclosure && (it.Ended == nil || it.Ended.Code != wire.EndReportMissing || it.Ended.By != "police report missing" || !it.Ended.At.Equal(midnight)) {
					t.Fatalf("ending %+v", it.Ended)
				}
			}
		})
	}
}

func TestThirtyDays(t *testing.T) {
	s := three(t, uplinktest.Noon)
	p := s.parcel(1000)
	s.Send(s.a, p)
	must(t, s.Report(s.a, p))
	s.Clock.Advance(wire.MaxAge - time.Second)
	if _, err := s.view(t, s.b, p); err != nil {
		t.Fatal(err)
	}
	s.Clock.Advance(time.Second)
	s.gone(t, p, wire.EndThirtyDays, "30 days")
}

// The clock ends disclosures while nobody calls, and at start after an outage.
func TestSweepByItself(t *testing.T) {
	s := three(t, uplinktest.Noon)
	p := s.parcel(1000)
	s.Send(s.a, p)
	must(t, s.Report(s.a, p))
	blob := filepath.Join(s.Config.Dir, "blobs", string(p.Manifest.Disclosure))
	s.Clock.Advance(wire.MaxAge)
	deadline := time.Now().Add(20 * time.Second)
	for {
		if _, err := os.Stat(blob); errors.Is(err, os.ErrNotExist) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the ciphertext outlived its 30 days")
		}
		s.Clock.Advance(30 * time.Second)
		time.Sleep(time.Millisecond)
	}

	q := s.parcel(1000)
	s.Send(s.a, q)
	s.Stop()
	s.Clock.Advance(48 * time.Hour)
	s.Start()
	if _, err := os.Stat(filepath.Join(s.Config.Dir, "blobs", string(q.Manifest.Disclosure))); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the ciphertext is there after an outage: %v", err)
	}
	var entries []struct {
		Act   string            `json:"act"`
		About map[string]string `json:"about"`
	}
	must(t, s.Op("GET", "/api/v1/audit", nil, &entries))
	ends := map[string]int{}
	for _, e := range entries {
		if e.Act == "disclosure.end" {
			ends[e.About["disclosure"]]++
		}
	}
	if ends[string(p.Manifest.Disclosure)] != 1 || ends[string(q.Manifest.Disclosure)] != 1 {
		t.Fatalf("endings in the audit log: %v", ends)
	}
	var rep struct {
		OK bool `json:"ok"`
	}
	must(t, s.Op("POST", "/api/v1/audit/verify", struct{}{}, &rep))
	if !rep.OK {
		t.Fatal("the audit log does not verify")
	}
}

// A clock that is set back lengthens nothing, while it runs and over a restart.
func TestClockSetBack(t *testing.T) {
	for _, restart := range []bool{false, true} {
		t.Run(fmt.Sprintf("restart=%v", restart), func(t *testing.T) {
			s := three(t, uplinktest.Noon)
			p := s.parcel(1000)
			s.Send(s.a, p)
			must(t, s.Report(s.a, p))
			s.Clock.Advance(wire.MaxAge - time.Minute)
			if _, err := s.view(t, s.b, p); err != nil {
				t.Fatal(err)
			}
			q := s.parcel(1000) // its end keeps the time, as a sweep would
			s.Send(s.a, q)
			must(t, s.a.Link.Withdraw(t.Context(), q.Manifest.Disclosure, wire.WithdrawRequest{Version: 1, Reason: "prøve", Person: "bo", Name: "Bo"}))
			if restart {
				s.Stop()
			}
			s.Clock.Advance(-10 * 24 * time.Hour)
			if restart {
				s.Start()
			}
			if _, err := s.view(t, s.b, p); err != nil {
				t.Fatalf("just after the step: %v", err)
			}
			s.Clock.Advance(2 * time.Minute)
			_, err := s.view(t, s.b, p)
			wantCode(t, err, "disclosure.ended")

			resp, err := (&http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Time: s.Clock.Now}}}).Get("https://" + s.Config.OperatorListen + "/healthz")
			must(t, err)
			resp.Body.Close()
			if resp.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("health with the clock set back: %s", resp.Status)
			}
			must(t, s.Op("POST", "/api/v1/clock", map[string]string{"reason": "uret gik forkert"}, nil))
			x := s.parcel(1000)
			s.Send(s.a, x)
			_, err = s.view(t, s.b, x)
			must(t, err)
		})
	}
}
