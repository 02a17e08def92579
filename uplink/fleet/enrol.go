package fleet

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net/http"

	"veilbox/capture/footage"
	"veilbox/internal/clock"
	"veilbox/internal/problem"
	"veilbox/uplink/link"
	"veilbox/uplink/wire"
)

// Options are what Enrol needs beside the code.
type Options struct {
	Store IdentityStore
	Name  string // what people call the box
	Audit string // verifier key of the box's audit log
	Clock clock.Clock
}

// ErrAway says that the code was not used: nobody was there to take it.
var ErrAway = problem.New(http.StatusBadGateway, "enrol.unreachable",
	problem.Text{DA: "Ekstranettet svarer ikke, så boksen er ikke tilmeldt.", EN: "The extranet does not answer, so the box is not enrolled."},
	problem.Text{DA: "Kontrollér butikkens internetforbindelse, og indtast koden igen; den er ikke brugt endnu.", EN: "Check the shop's internet connection and enter the code again; it has not been used yet."})

// Enrol makes the box a member's and keeps its identity. Where the code was used
// or has run out, the extranet says so (enrol.used, enrol.expired, enrol.bad).
func Enrol(ctx context.Context, code string, o Options) (Identity, error) {
	c, err := ParseCode(code)
	if err != nil {
		return Identity{}, err
	}
	id, csr, err := newKeys(o.Name)
	if err != nil {
		return Identity{}, err
	}
	id.URL = c.URL
	first := link.NewPinned(c.URL, o.Clock, func(chain []*x509.Certificate) error {
		return verifyPinned(c.host(), chain, c.CA, o.Clock)
	})
	defer first.Close()
	resp, err := first.Enrol(ctx, wire.EnrolRequest{
		Version: wire.Version, Secret: c.Secret, Name: o.Name, CSR: csr, Audit: o.Audit,
		HPKE: id.HPKE.PublicKey().Bytes(), Signing: id.Signing.Public().(ed25519.PublicKey),
	})
	if errors.Is(err, link.ErrUnreachable) {
		return Identity{}, ErrAway.With(err)
	}
	if err != nil {
		return Identity{}, err
	}
	if footage.Hash(sha256.Sum256(resp.CA)) != c.CA || !wire.ValidID(string(resp.Box)) || !wire.ValidMember(resp.Member) {
		return Identity{}, link.ErrAnswer.With(errors.New("fleet: the answer to the enrolment does not fit the code"))
	}
	id.Box, id.Member, id.MemberName = resp.Box, resp.Member, resp.MemberName
	if id.CA, err = x509.ParseCertificate(resp.CA); err != nil {
		return Identity{}, link.ErrAnswer.With(err)
	}
	if id.Certificate, err = issued(resp.Certificate, id); err != nil {
		return Identity{}, link.ErrAnswer.With(err)
	}
	if err := o.Store.Save(id); err != nil {
		return Identity{}, err
	}
	return id, nil
}

// Renew gets the next year's certificate, with a new key, and keeps it.
func Renew(ctx context.Context, c *link.Client, store IdentityStore, id Identity) (Identity, error) {
	k, csr, err := newTLS(id.Name)
	if err != nil {
		return Identity{}, err
	}
	resp, err := c.Renew(ctx, wire.RenewRequest{Version: wire.Version, CSR: csr})
	if err != nil {
		return Identity{}, err
	}
	next := id
	next.TLS = k
	if next.Certificate, err = issued(resp.Certificate, next); err != nil {
		return Identity{}, link.ErrAnswer.With(err)
	}
	if err := store.Save(next); err != nil {
		return Identity{}, err
	}
	return next, nil
}

func newTLS(name string) (*ecdsa.PrivateKey, []byte, error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("fleet: %w", err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: name}}, k)
	if err != nil {
		return nil, nil, fmt.Errorf("fleet: %w", err)
	}
	return k, csr, nil
}

func newKeys(name string) (Identity, []byte, error) {
	id := Identity{Name: name}
	var csr []byte
	var err error
	if id.TLS, csr, err = newTLS(name); err != nil {
		return id, nil, err
	}
	if id.HPKE, err = wire.KEM().GenerateKey(); err != nil {
		return id, nil, fmt.Errorf("fleet: %w", err)
	}
	if _, id.Signing, err = ed25519.GenerateKey(rand.Reader); err != nil {
		return id, nil, fmt.Errorf("fleet: %w", err)
	}
	return id, csr, nil
}

// verifyPinned checks the chain that a server showed at first contact: its root
// must be the certificate whose hash the code carries.
func verifyPinned(host string, chain []*x509.Certificate, ca footage.Hash, clk clock.Clock) error {
	if len(chain) == 0 {
		return link.ErrStranger
	}
	roots := x509.NewCertPool()
	found := false
	for _, c := range chain {
		if footage.Hash(sha256.Sum256(c.Raw)) == ca {
			roots.AddCert(c)
			found = true
		}
	}
	if !found {
		return link.ErrStranger.With(errors.New("fleet: the extranet's CA is not the one in the code"))
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, DNSName: host, CurrentTime: clk.Now()})
	return err
}

// issued checks that the certificate is the CA's and for the box's key.
func issued(der []byte, id Identity) (*x509.Certificate, error) {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("fleet: the box's certificate: %w", err)
	}
	if pub, ok := c.PublicKey.(*ecdsa.PublicKey); !ok || !pub.Equal(&id.TLS.PublicKey) {
		return nil, errors.New("fleet: the certificate is for another key")
	}
	if err := c.CheckSignatureFrom(id.CA); err != nil {
		return nil, fmt.Errorf("fleet: the box's certificate: %w", err)
	}
	return c, nil
}
