// Package pki makes and keeps a machine's own certificate authority and serves
// with certificates of it, for a box that has no name in the public DNS.
//
// The authority's key is sealed at rest; its certificate (ca.pem, 10 years) is
// for people to install or pin. Server keys live in memory only: each start makes
// a new one, and one about to run out is replaced while the server runs.
// Algorithms: ECDSA with P-256 and SHA-256 (FIPS 186-5), X.509 (RFC 5280).
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"veilbox/internal/clock"
	"veilbox/internal/durable"
	"veilbox/internal/keys"
)

const (
	caLife     = 10 * 365 * 24 * time.Hour
	serverLife = 397 * 24 * time.Hour // the longest that browsers take
	renewAhead = 30 * 24 * time.Hour
	sealedFor  = "pki/ca-key"
	// backdate covers a client whose clock is a little behind.
	backdate = time.Hour
)

// An Authority issues this machine's server certificates.
type Authority struct {
	cert  *x509.Certificate
	key   *ecdsa.PrivateKey
	hosts []string
	clock clock.Clock

	mu   sync.Mutex
	leaf *tls.Certificate
}

// Open returns the authority kept in dir, made at the first call with name as
// its common name. Hosts are the names and addresses its servers are reached by.
func Open(dir string, k keys.Key, name string, hosts []string, clk clock.Clock) (*Authority, error) {
	a := &Authority{hosts: hosts, clock: clk}
	certPath, keyPath := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "ca.key.sealed")
	sealed, err := os.ReadFile(keyPath)
	if errors.Is(err, fs.ErrNotExist) {
		return a, a.make(dir, certPath, keyPath, k, name)
	}
	if err != nil {
		return nil, fmt.Errorf("pki: %w", err)
	}
	der, err := k.Open(sealedFor, sealed)
	if err != nil {
		return nil, fmt.Errorf("pki: %s: %w: restore it from the backup, or remove %s and trust the new certificate", keyPath, err, dir)
	}
	if a.key, err = x509.ParseECPrivateKey(der); err != nil {
		return nil, fmt.Errorf("pki: %s: %w", keyPath, err)
	}
	text, err := os.ReadFile(certPath)
	if err != nil {
		return nil, fmt.Errorf("pki: %w: restore it from the backup", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("pki: %s is no PEM file: restore it from the backup", certPath)
	}
	if a.cert, err = x509.ParseCertificate(block.Bytes); err != nil {
		return nil, fmt.Errorf("pki: %s: %w", certPath, err)
	}
	if !a.key.PublicKey.Equal(a.cert.PublicKey) {
		return nil, fmt.Errorf("pki: %s and %s do not belong together: restore both from one backup", certPath, keyPath)
	}
	return a, nil
}

func (a *Authority) make(dir, certPath, keyPath string, k keys.Key, name string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("pki: %w", err)
	}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return fmt.Errorf("pki: %w", err)
	}
	now := a.clock.Now()
	t := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-backdate), NotAfter: now.Add(caLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &a.key.PublicKey, a.key)
	if err != nil {
		return fmt.Errorf("pki: %w", err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return fmt.Errorf("pki: %w", err)
	}
	secret, err := x509.MarshalECPrivateKey(a.key)
	if err != nil {
		return fmt.Errorf("pki: %w", err)
	}
	// The key last: it is what Open looks for.
	if err := durable.WriteFile(certPath, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644); err != nil {
		return fmt.Errorf("pki: %w", err)
	}
	if err := durable.WriteFile(keyPath, k.Seal(sealedFor, secret), 0o600); err != nil {
		return fmt.Errorf("pki: %w", err)
	}
	return nil
}

func serial() *big.Int {
	b := make([]byte, 16)
	rand.Read(b)
	b[0] &= 0x7f // positive, RFC 5280 §4.1.2.2
	return new(big.Int).SetBytes(b)
}

// Certificate returns the authority's certificate.
func (a *Authority) Certificate() *x509.Certificate { return a.cert }

// Fingerprint returns the SHA-256 of the authority's certificate in hexadecimal.
func (a *Authority) Fingerprint() string {
	h := sha256.Sum256(a.cert.Raw)
	return hex.EncodeToString(h[:])
}

// Config returns a server's settings: TLS 1.3, with a certificate that is made
// anew before it runs out. The authority is sent along, so that a client can
// pin it.
func (a *Authority) Config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		Time:       a.clock.Now,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return a.server()
		},
	}
}

func (a *Authority) server() (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.clock.Now()
	if a.leaf != nil && now.After(a.leaf.Leaf.NotBefore) && a.leaf.Leaf.NotAfter.Sub(now) > renewAhead {
		return a.leaf, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("pki: %w", err)
	}
	t := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: a.cert.Subject.CommonName},
		NotBefore: now.Add(-backdate), NotAfter: now.Add(serverLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, h := range a.hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return nil, fmt.Errorf("pki: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("pki: %w", err)
	}
	a.leaf = &tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key, Leaf: leaf}
	return a.leaf, nil
}
