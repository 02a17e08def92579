package pki

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"veilbox/internal/clock"
	"veilbox/internal/keys"
)

func TestServerCertificateIsTrustedAndRenewed(t *testing.T) {
	dir, k := t.TempDir(), keys.New()
	clk := clock.NewFake(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	a, err := Open(dir, k, "Veilbox test", []string{"veilbox.local", "127.0.0.1"}, clk)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Open(dir, k, "Veilbox test", []string{"veilbox.local", "127.0.0.1"}, clk)
	if err != nil {
		t.Fatal(err)
	}
	if a.Fingerprint() != again.Fingerprint() {
		t.Error("the second start has another authority")
	}
	roots := x509.NewCertPool()
	roots.AddCert(again.Certificate())
	first := certificate(t, a)
	for _, host := range []string{"veilbox.local", "127.0.0.1"} {
		if _, err := first.Verify(x509.VerifyOptions{Roots: roots, DNSName: host, CurrentTime: clk.Now()}); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	if _, err := first.Verify(x509.VerifyOptions{Roots: roots, DNSName: "example.org", CurrentTime: clk.Now()}); err == nil {
		t.Error("the certificate holds for another host")
	}
	clk.Advance(24 * time.Hour)
	if !certificate(t, a).Equal(first) {
		t.Error("renewed after one day")
	}
	clk.Advance(serverLife - renewAhead)
	if certificate(t, a).Equal(first) {
		t.Error("not renewed a month before its end")
	}
}

func certificate(t *testing.T, a *Authority) *x509.Certificate {
	t.Helper()
	c, err := a.Config().GetCertificate(&tls.ClientHelloInfo{})
	if err != nil {
		t.Fatal(err)
	}
	return c.Leaf
}

func TestKeyIsSealedAndAWrongOneIsRefused(t *testing.T) {
	dir, k, clk := t.TempDir(), keys.New(), clock.NewFake(time.Unix(1_800_000_000, 0))
	a, err := Open(dir, k, "x", nil, clk)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "ca.key.sealed"))
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(a.key)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b, secret[7:39]) {
		t.Error("the key lies on the disk in the clear")
	}
	if _, err := Open(dir, keys.New(), "x", nil, clk); err == nil || !strings.Contains(err.Error(), "backup") {
		t.Errorf("with another master key: %v", err)
	}
}
