package extranet_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"veilbox/internal/clock"
	"veilbox/uplink/fleet"
	"veilbox/uplink/link"
	"veilbox/uplink/uplinktest"
	"veilbox/uplink/wire"
)

func TestEnrol(t *testing.T) {
	w := uplinktest.New(t, uplinktest.Noon)
	w.Member("fotex-aarhus")
	enrol := func(code string) error {
		_, err := fleet.Enrol(t.Context(), code, fleet.Options{Store: fleet.IdentityStore{Path: filepath.Join(t.TempDir(), "id")}, Name: "Kasse", Audit: "box+1+x", Clock: w.Clock})
		return err
	}
	b := w.Box("fotex-aarhus")
	if b.Member != "fotex-aarhus" || b.MemberName != "Butik fotex-aarhus" {
		t.Fatalf("identity %+v", b.Identity)
	}
	again, err := b.Store.Load()
	must(t, err)
	if again.Box != b.Identity.Box || !bytes.Equal(again.Signing, b.Signing) {
		t.Fatal("the identity did not come back as it was kept")
	}
	d, err := b.Link.Members(t.Context())
	must(t, err)
	if d.Self != b.Identity.Box || len(d.Members) != 1 || !bytes.Equal(d.Members[0].Boxes[0].HPKE, b.HPKE.PublicKey().Bytes()) {
		t.Fatalf("directory %+v", d)
	}

	code := w.Code("fotex-aarhus")
	c, err := fleet.ParseCode("  " + code[:20] + "\n" + code[20:])
	must(t, err)
	wantCode(t, enrol(code[:len(code)-9]), "enrol.bad")
	wantCode(t, enrol("veilbox2."+code), "enrol.bad")
	other := c
	other.Secret = strings.Repeat("A", 26)
	wantCode(t, enrol(other.String()), "enrol.bad")
	other = c
	other.CA = uplinktest.Hash("another CA")
	wantCode(t, enrol(other.String()), "extranet.stranger")
	other = c
	other.URL = "https://127.0.0.1:1"
	wantCode(t, enrol(other.String()), "enrol.unreachable")

	w.Clock.Advance(w.Config.CodeLife)
	wantCode(t, enrol(code), "enrol.expired")
	code = w.Code("fotex-aarhus")
	if _, err := fleet.Enrol(t.Context(), code, fleet.Options{Store: fleet.IdentityStore{Path: filepath.Join(t.TempDir(), "id"), Key: b.Store.Key}, Name: "Kasse", Audit: "box+1+x", Clock: w.Clock}); err != nil {
		t.Fatal(err)
	}
	wantCode(t, enrol(code), "enrol.used")
}

func TestRenew(t *testing.T) {
	w := uplinktest.New(t, uplinktest.Noon)
	w.Member("a")
	b := w.Box("a")
	w.Clock.Advance(350 * 24 * time.Hour)
	r, err := b.Link.Heartbeat(t.Context(), wire.HeartbeatRequest{Version: wire.Version, Program: "1"})
	must(t, err)
	if !r.Renew {
		t.Fatal("a certificate with 15 days left is not asked to be renewed")
	}
	next, err := fleet.Renew(t.Context(), b.Link, b.Store, b.Identity)
	must(t, err)
	w.Clock.Advance(20 * 24 * time.Hour)
	fresh := link.New(next.Credentials(), w.Clock)
	defer fresh.Close()
	if _, err := fresh.Members(t.Context()); err != nil {
		t.Fatal(err)
	}
	// The old one has run out, on a connection that is open and on a new one.
	if _, err := b.Link.Members(t.Context()); err == nil {
		t.Fatal("an open connection outlived its certificate")
	}
	old := link.New(b.Credentials(), w.Clock)
	defer old.Close()
	if _, err := old.Members(t.Context()); err == nil {
		t.Fatal("an expired certificate was accepted")
	}
}

func TestStrangersAreRefused(t *testing.T) {
	w := uplinktest.New(t, uplinktest.Noon)
	w.Member("a")
	b := w.Box("a")
	bare := b.Credentials()
	bare.Certificate = tls.Certificate{}
	c := link.New(bare, w.Clock)
	defer c.Close()
	_, err := c.Members(t.Context())
	wantCode(t, err, "box.certificate")

	// A certificate of another CA with the same names.
	v := uplinktest.New(t, uplinktest.Noon)
	v.Member("a")
	forged := b.Credentials()
	forged.Certificate = v.Box("a").Credentials().Certificate
	c = link.New(forged, w.Clock)
	defer c.Close()
	_, err = c.Members(t.Context())
	wantCode(t, err, "extranet.refused")

	// An extranet of another CA.
	wrong := b.Credentials()
	wrong.Roots = x509.NewCertPool()
	c = link.New(wrong, w.Clock)
	defer c.Close()
	_, err = c.Members(t.Context())
	wantCode(t, err, "extranet.stranger")

	// A box whose clock was lost.
	c = link.New(b.Credentials(), clock.NewFake(time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)))
	defer c.Close()
	_, err = c.Members(t.Context())
	wantCode(t, err, "extranet.clock")

	// TLS 1.2 is not spoken.
	if conn, err := tls.Dial("tcp", w.Config.BoxListen, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}); err == nil {
		conn.Close()
		t.Fatal("TLS 1.2 was accepted")
	}

	must(t, w.Op("POST", "/api/v1/boxes/"+string(b.Identity.Box)+"/revoke", map[string]string{"reason": "stjålet"}, nil))
	_, err = b.Link.Members(t.Context())
	wantCode(t, err, "box.revoked")
}
