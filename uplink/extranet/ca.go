package extranet

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"veilbox/appliance/incident"
	"veilbox/internal/clock"
	"veilbox/internal/durable"
	"veilbox/internal/keys"
	"veilbox/uplink/wire"
)

const (
	caLife     = 10 * 365 * 24 * time.Hour
	leafLife   = 365 * 24 * time.Hour
	renewEarly = 30 * 24 * time.Hour
	backdate   = time.Hour // a box's clock may lag a little
)

// authority is the extranet's own CA. Its key rests sealed in ca.sealed; ca.crt
// is public.
type authority struct {
	hosts []string
	clk   clock.Clock
	cert  *x509.Certificate
	key   *ecdsa.PrivateKey

	mu     sync.Mutex
	server *tls.Certificate
}

const caContext = "extranet/ca"

func hostOf(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil {
		return "", err
	}
	if u.Scheme != "https" || u.User != nil {
		return "", errors.New("extranet: not an https address")
	}
	return u.Hostname(), nil
}

func openAuthority(c Config, k keys.Key, clk clock.Clock) (*authority, error) {
	host, err := hostOf(c.URL)
	if err != nil {
		return nil, fmt.Errorf("extranet: %w", err)
	}
	a := &authority{clk: clk, hosts: []string{host}}
	for _, h := range append(c.Hosts, "localhost", "127.0.0.1", "::1") {
		if !slices.Contains(a.hosts, h) {
			a.hosts = append(a.hosts, h)
		}
	}
	sealed, crt := filepath.Join(c.Dir, "ca.sealed"), filepath.Join(c.Dir, "ca.crt")
	b, err := os.ReadFile(sealed)
	if errors.Is(err, fs.ErrNotExist) {
		return a, a.make(sealed, crt, k)
	}
	if err != nil {
		return nil, fmt.Errorf("extranet: %w", err)
	}
	plain, err := k.Open(caContext, b)
	if err != nil {
		return nil, fmt.Errorf("extranet: %s: restore it and extranet.key from the same backup: %w", sealed, err)
	}
	if len(plain) < 2 {
		return nil, fmt.Errorf("extranet: %s is damaged: restore it from the backup", sealed)
	}
	n := int(plain[0])<<8 | int(plain[1])
	if len(plain) < 2+n {
		return nil, fmt.Errorf("extranet: %s is damaged: restore it from the backup", sealed)
	}
	key, err := x509.ParseECPrivateKey(plain[2 : 2+n])
	if err != nil {
		return nil, fmt.Errorf("extranet: CA key: %w", err)
	}
	a.key = key
	if a.cert, err = x509.ParseCertificate(plain[2+n:]); err != nil {
		return nil, fmt.Errorf("extranet: CA: %w", err)
	}
	return a, nil
}

func serial() (*big.Int, error) { return rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)) }

func (a *authority) make(sealed, crt string, k keys.Key) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("extranet: %w", err)
	}
	n, err := serial()
	if err != nil {
		return fmt.Errorf("extranet: %w", err)
	}
	now := a.clk.Now()
	t := &x509.Certificate{SerialNumber: n, Subject: pkix.Name{CommonName: "Veilbox extranet CA"}, NotBefore: now.Add(-backdate), NotAfter: now.Add(caLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return fmt.Errorf("extranet: make the CA: %w", err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return fmt.Errorf("extranet: %w", err)
	}
	a.key = key
	kb, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return fmt.Errorf("extranet: %w", err)
	}
	plain := append([]byte{byte(len(kb) >> 8), byte(len(kb))}, append(kb, der...)...)
	if err := durable.WriteFile(sealed, k.Seal(caContext, plain), 0o600); err != nil {
		return fmt.Errorf("extranet: keep the CA: %w", err)
	}
	if err := durable.WriteFile(crt, der, 0o644); err != nil {
		return fmt.Errorf("extranet: keep the CA: %w", err)
	}
	return nil
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// serverCertificate returns the certificate of both listeners, a new one where
// the last ends soon. Its chain holds the CA, for the first contact of a box that
// knows only the CA's hash.
func (a *authority) serverCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.clk.Now()
	if a.server != nil && now.Before(a.server.Leaf.NotAfter.Add(-renewEarly)) && now.After(a.server.Leaf.NotBefore) {
		return a.server, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("extranet: %w", err)
	}
	t := &x509.Certificate{Subject: pkix.Name{CommonName: a.hosts[0]}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	for _, h := range a.hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	leaf, err := a.issue(t, &key.PublicKey)
	if err != nil {
		return nil, err
	}
	a.server = &tls.Certificate{Certificate: [][]byte{leaf.Raw, a.cert.Raw}, PrivateKey: key, Leaf: leaf}
	return a.server, nil
}

func (a *authority) issue(t *x509.Certificate, pub any) (*x509.Certificate, error) {
	n, err := serial()
	if err != nil {
		return nil, fmt.Errorf("extranet: %w", err)
	}
	now := a.clk.Now()
	t.SerialNumber, t.NotBefore, t.NotAfter = n, now.Add(-backdate), now.Add(leafLife)
	if t.NotAfter.After(a.cert.NotAfter) {
		t.NotAfter = a.cert.NotAfter
	}
	t.KeyUsage, t.BasicConstraintsValid = x509.KeyUsageDigitalSignature, true
	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, pub, a.key)
	if err != nil {
		return nil, fmt.Errorf("extranet: issue a certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

// box issues a box's certificate for the key in csr. Only the key is taken from
// the request: the names are the extranet's.
func (a *authority) box(csr []byte, box wire.BoxID, member incident.MemberID) (*x509.Certificate, error) {
	r, err := x509.ParseCertificateRequest(csr)
	if err != nil {
		return nil, errMessage.With(err)
	}
	if err := r.CheckSignature(); err != nil {
		return nil, errMessage.With(err)
	}
	pub, ok := r.PublicKey.(*ecdsa.PublicKey)
	if !ok || pub.Curve != elliptic.P256() {
		return nil, errMessage.With(errors.New("extranet: the box's key is not P-256"))
	}
	return a.issue(&x509.Certificate{Subject: pkix.Name{CommonName: string(box), Organization: []string{string(member)}}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, pub)
}
