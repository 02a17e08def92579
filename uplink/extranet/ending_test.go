package extranet_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"veilbox/appliance/incident"
	"veilbox/uplink/uplinktest"
	"veilbox/uplink/wire"
)

// gone fails unless neither ciphertext nor wrapped keys are left, and everyone
// who was in the circle sees why.
func (s shops) gone(t *testing.T, p *uplinktest.Parcel, code wire.EndCode, reason string) {
	t.Helper()
	id := p.Manifest.Disclosure
	_, err := s.view(t, s.b, p)
	wantCode(t, err, "disclosure.ended")
	if reason != "" && !strings.Contains(err.Error(), reason) {
		t.Fatalf("the refusal does not say why: %v", err)
	}
	for _, b := range []*uplinktest.Box{s.a, s.b} {
		in, err := b.Link.Inbox(t.Context())
		must(t, err)
		if len(in.Items) != 1 {
			t.Fatalf("inbox %+v", in)
		}
		it := in.Items[0]
		if it.State != wire.StateEnded || it.Ended == nil || it.Ended.Code != code || it.Alert != nil || it.AlertKey != nil {
			t.Fatalf("item %+v, ended %+v", it, it.Ended)
		}
	}
	if _, err := os.Stat(filepath.Join(s.Config.Dir, "blobs", string(id))); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the ciphertext is there: %v", err)
	}
	for _, f := range []string{"extranet.db", "extranet.db-wal"} {
		b, err := os.ReadFile(filepath.Join(s.Config.Dir, f))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		for _, k := range p.Envelope.Keys {
			if bytes.Contains(b, k.Content[:64]) || bytes.Contains(b, k.Alert[:64]) || bytes.Contains(b, p.Envelope.Alert[:32]) {
				t.Errorf("%s still holds a wrapped key or the alert", f)
			}
		}
	}
}

func TestWithdraw(t *testing.T) {
	s := three(t, uplinktest.Noon)
	p := s.parcel(2 << 20)
	s.Send(s.a, p)
	v, err := s.view(t, s.b, p)
	must(t, err)
	req := wire.WithdrawRequest{Version: wire.Version, Reason: "Forkert person", Person: "bo", Name: "Bo Holm"}
	must(t, s.a.Link.Withdraw(t.Context(), p.Manifest.Disclosure, req))
	_, err = s.read(t.Context(), s.b, p, v.Token)
	wantCode(t, err, "disclosure.ended")
	s.gone(t, p, wire.EndWithdrawn, "Forkert person")
	// Once more changes nothing.
	req.Reason = "Anden grund"
	must(t, s.a.Link.Withdraw(t.Context(), p.Manifest.Disclosure, req))
	s.gone(t, p, wire.EndWithdrawn, "Forkert person")
	_, err = s.a.Link.Submit(t.Context(), p.Submit())
	wantCode(t, err, "disclosure.ended")
}

func TestOperatorEnds(t *testing.T) {
	s := three(t, uplinktest.Noon)
	p := s.parcel(1000)
	s.Send(s.a, p)
	must(t, s.Op("POST", "/api/v1/disclosures/"+string(p.Manifest.Disclosure)+"/end", map[string]string{"reason": "Kredsen er for vid"}, nil))
	s.gone(t, p, wire.EndOperator, "Kredsen er for vid")
}

// What a member disclosed ends when it leaves: nobody watches it any longer.
func TestMemberLeaves(t *testing.T) {
	s := three(t, uplinktest.Noon)
	p := s.parcel(1000)
	s.Send(s.a, p)
	must(t, s.Op("POST", "/api/v1/members", map[string]any{"id": "a", "name": "A", "town": "Aarhus", "region": "Midtjylland", "country": "DK", "trade": "dagligvarer", "chain": "", "active": false}, nil))
	_, err := s.view(t, s.b, p)
	wantCode(t, err, "disclosure.ended")
	_, err = s.a.Link.Inbox(t.Context())
	wantCode(t, err, "box.revoked")
}

// A file that cannot be removed is tried again, is reported meanwhile, and the
// ending is in the audit log once.
func TestPurgeIsTriedAgain(t *testing.T) {
	s := three(t, uplinktest.Noon)
	p := s.parcel(1000)
	s.Send(s.a, p)
	// A folder that is not empty cannot be removed as a file.
	blob := filepath.Join(s.Config.Dir, "blobs", string(p.Manifest.Disclosure))
	must(t, os.Remove(blob))
	must(t, os.MkdirAll(filepath.Join(blob, "in the way"), 0o700))
	must(t, s.a.Link.Withdraw(t.Context(), p.Manifest.Disclosure, wire.WithdrawRequest{Version: 1, Reason: "Forkert person", Person: "bo", Name: "Bo"}))
	_, err := s.view(t, s.b, p)
	wantCode(t, err, "disclosure.ended")
	var list []struct {
		Purging bool `json:"purging"`
	}
	must(t, s.Op("GET", "/api/v1/disclosures", nil, &list))
	if len(list) != 1 || !list[0].Purging {
		t.Fatalf("disclosures %+v", list)
	}
	if s.Server.Sweep(t.Context()) == nil {
		t.Fatal("a sweep that cannot remove a file is silent")
	}
	must(t, os.RemoveAll(blob))
	must(t, s.Server.Sweep(t.Context()))
	must(t, s.Op("GET", "/api/v1/disclosures", nil, &list))
	if len(list) != 1 || list[0].Purging {
		t.Fatalf("disclosures %+v", list)
	}
	s.gone(t, p, wire.EndWithdrawn, "Forkert person")
	var entries []struct {
		Act string `json:"act"`
		Who struct {
			Name string `json:"name"`
		} `json:"who"`
	}
	must(t, s.Op("GET", "/api/v1/audit", nil, &entries))
	n := 0
	for _, e := range entries {
		if e.Act == "disclosure.end" && e.Who.Name == "Bo" {
			n++
		}
	}
	if n != 1 {
		t.Fatalf("%d entries of the ending", n)
	}
}

func TestNarrowed(t *testing.T) {
	s := three(t, uplinktest.Noon)
	p := s.Parcel(s.a, s.assessor, 1000, s.b, s.c)
	s.Send(s.a, p)
	must(t, s.a.Link.Reassess(t.Context(), p.Manifest.Disclosure, wire.ReassessRequest{Version: wire.Version, At: s.Clock.Now(), Person: "ane", Name: "Ane", Reason: "Kun Aarhus nord", Drop: []incident.MemberID{"c"}}))
	_, err := s.view(t, s.c, p)
	wantCode(t, err, "disclosure.ended")
	in, err := s.c.Link.Inbox(t.Context())
	must(t, err)
	if in.Items[0].Ended == nil || in.Items[0].Ended.Code != wire.EndNarrowed || in.Items[0].AlertKey != nil {
		t.Fatalf("c sees %+v", in.Items[0])
	}
	if _, err := s.view(t, s.b, p); err != nil {
		t.Fatal(err)
	}
}
