package client

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// A Trust says which certificate a box must show. The zero Trust is the
// system's list of authorities.
type Trust struct {
	roots *x509.CertPool
	pin   *[sha256.Size]byte
}

// TrustRoots trusts the authorities in pool.
func TrustRoots(pool *x509.CertPool) Trust { return Trust{roots: pool} }

// TrustFile trusts the authorities in a PEM file, such as a box's own CA.
func TrustFile(path string) (Trust, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Trust{}, fmt.Errorf("client: %w", err)
	}
	t, err := TrustPEM(b)
	if err != nil {
		return Trust{}, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// TrustPEM trusts the authorities in b.
func TrustPEM(b []byte) (Trust, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return Trust{}, errors.New("client: no certificate there: give the PEM file of the box's CA")
	}
	return TrustRoots(pool), nil
}

// TrustFingerprint trusts the certificate with this SHA-256 (64 hex digits,
// colons allowed). Where it is an authority's, the box's own certificate must be
// signed by it and hold for the host's name; where it is the box's own, that is
// enough.
func TrustFingerprint(fingerprint string) (Trust, error) {
	b, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(fingerprint), ":", ""))
	if err != nil || len(b) != sha256.Size {
		return Trust{}, errors.New("client: a fingerprint is the SHA-256 of a certificate, 64 hex digits: the box writes it to its log at first start")
	}
	return Trust{pin: (*[sha256.Size]byte)(b)}, nil
}

// Fingerprint returns the SHA-256 of a certificate as TrustFingerprint takes it.
func Fingerprint(cert *x509.Certificate) string {
	h := sha256.Sum256(cert.Raw)
	return hex.EncodeToString(h[:])
}

var errPin = errors.New("no certificate that the box showed has the fingerprint given")

func transport(t Trust, host string) *http.Transport {
	conf := &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: t.roots}
	if t.pin != nil {
		// The chain is checked below against the pinned certificate instead of
		// against the system's list.
		conf.InsecureSkipVerify = true
		conf.VerifyConnection = func(cs tls.ConnectionState) error { return t.verify(cs, host) }
	}
	return &http.Transport{
		// No proxy: a box is on the shop's own network, and a session must not
		// pass through one that an environment variable names.
		DialContext:           (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:       conf,
		TLSHandshakeTimeout:   dialTimeout,
		ResponseHeaderTimeout: askTimeout,
		MaxIdleConnsPerHost:   4,
		IdleConnTimeout:       time.Minute,
		ForceAttemptHTTP2:     true,
	}
}

func (t Trust) verify(cs tls.ConnectionState, host string) error {
	for i, cert := range cs.PeerCertificates {
		if sha256.Sum256(cert.Raw) != *t.pin {
			continue
		}
		o := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool()}
		o.Roots.AddCert(cert)
		for _, c := range cs.PeerCertificates[1:] {
			o.Intermediates.AddCert(c)
		}
		if i > 0 {
			o.DNSName = host // ConnectionState has no name where the host is an address
		}
		if _, err := cs.PeerCertificates[0].Verify(o); err != nil {
			return &tls.CertificateVerificationError{UnverifiedCertificates: cs.PeerCertificates, Err: err}
		}
		return nil
	}
	return &tls.CertificateVerificationError{UnverifiedCertificates: cs.PeerCertificates, Err: errPin}
}

func isTrust(err error) bool {
	var v *tls.CertificateVerificationError
	return errors.As(err, &v)
}
