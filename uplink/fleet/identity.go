// Package fleet makes a box one of the fleet: enrolment by a one-time code, the
// box's keys at rest, renewal of its certificate, and the heartbeat.
//
// # The code
//
// An enrolment code is one string, "veilbox1." and the base64url of a JSON
// object: u, the extranet's address; f, the SHA-256 of its CA certificate; s,
// the secret. So the box knows the extranet at first contact, and nobody in
// between can pose as either. A code works once, for an hour.
//
// # Keys
//
// The box makes its own keys and never sends a private one: P-256 for TLS,
// ML-KEM-768 with P-256 for HPKE, Ed25519 for signatures. They rest in one file,
// sealed.
package fleet

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"time"

	"veilbox/appliance/incident"
	"veilbox/internal/durable"
	"veilbox/internal/keys"
	"veilbox/internal/problem"
	"veilbox/uplink/link"
	"veilbox/uplink/wire"
)

// ErrNotEnrolled says that the box belongs to no member yet.
var ErrNotEnrolled = problem.New(http.StatusConflict, "enrol.missing",
	problem.Text{DA: "Boksen er ikke tilmeldt ekstranettet.", EN: "The box is not enrolled with the extranet."},
	problem.Text{DA: "Få en tilmeldingskode af operatøren, og indtast den under Opsætning.", EN: "Get an enrolment code from the operator and enter it under Set-up."})

// ErrIdentity says that what the box keeps of its enrolment cannot be read.
var ErrIdentity = problem.New(http.StatusInternalServerError, "enrol.damaged",
	problem.Text{DA: "Boksens tilmelding til ekstranettet er beskadiget.", EN: "The box's enrolment with the extranet is damaged."},
	problem.Text{DA: "Gendan identity.sealed fra sikkerhedskopien, og genstart boksen, eller tilmeld boksen igen med en ny kode. Optagelsen fortsætter.",
		EN: "Restore identity.sealed from the backup and restart the box, or enrol it again with a new code. Recording goes on."})

// An Identity is who the box is to the extranet.
type Identity struct {
	URL         string
	Box         wire.BoxID
	Member      incident.MemberID
	MemberName  string
	Name        string // what people call the box
	Certificate *x509.Certificate
	CA          *x509.Certificate
	TLS         *ecdsa.PrivateKey
	HPKE        hpke.PrivateKey
	Signing     ed25519.PrivateKey
}

// Credentials returns what uplink/link needs.
func (id Identity) Credentials() link.Credentials {
	roots := x509.NewCertPool()
	roots.AddCert(id.CA)
	return link.Credentials{URL: id.URL, Roots: roots,
		Certificate: tls.Certificate{Certificate: [][]byte{id.Certificate.Raw}, PrivateKey: id.TLS, Leaf: id.Certificate}}
}

// Expires returns when the certificate ends.
func (id Identity) Expires() time.Time { return id.Certificate.NotAfter }

// An IdentityStore keeps the identity in one file, sealed under Key.
type IdentityStore struct {
	Path string
	Key  keys.Key
}

const identityContext = "fleet/identity"

type stored struct {
	Version     int               `json:"version"`
	URL         string            `json:"url"`
	Box         wire.BoxID        `json:"box"`
	Member      incident.MemberID `json:"member"`
	MemberName  string            `json:"member_name"`
	Name        string            `json:"name"`
	Certificate []byte            `json:"certificate"`
	CA          []byte            `json:"ca"`
	TLS         []byte            `json:"tls"` // PKCS #8
	HPKE        []byte            `json:"hpke"`
	Signing     []byte            `json:"signing"` // seed
}

// Load returns the identity, ErrNotEnrolled, or ErrIdentity where the file is
// damaged.
func (s IdentityStore) Load() (Identity, error) {
	b, err := os.ReadFile(s.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return Identity{}, ErrNotEnrolled
	}
	if err != nil {
		return Identity{}, fmt.Errorf("fleet: read the identity: %w", err)
	}
	plain, err := s.Key.Open(identityContext, b)
	if err != nil {
		return Identity{}, ErrIdentity.With(fmt.Errorf("fleet: %s: %w", s.Path, err))
	}
	var st stored
	if err := wire.DecodeBytes(plain, &st); err != nil {
		return Identity{}, ErrIdentity.With(fmt.Errorf("fleet: %s: %w", s.Path, err))
	}
	id := Identity{URL: st.URL, Box: st.Box, Member: st.Member, MemberName: st.MemberName, Name: st.Name}
	var errs [4]error
	id.Certificate, errs[0] = x509.ParseCertificate(st.Certificate)
	id.CA, errs[1] = x509.ParseCertificate(st.CA)
	k, err := x509.ParsePKCS8PrivateKey(st.TLS)
	id.TLS, _ = k.(*ecdsa.PrivateKey) // nil is refused below
	errs[2] = err
	id.HPKE, errs[3] = wire.KEM().NewPrivateKey(st.HPKE)
	if err := errors.Join(errs[:]...); err != nil {
		return Identity{}, ErrIdentity.With(fmt.Errorf("fleet: %s: %w", s.Path, err))
	}
	if id.TLS == nil || len(st.Signing) != ed25519.SeedSize {
		return Identity{}, ErrIdentity.With(fmt.Errorf("fleet: %s: a key is of the wrong kind", s.Path))
	}
	id.Signing = ed25519.NewKeyFromSeed(st.Signing)
	return id, nil
}

// Save replaces the identity.
func (s IdentityStore) Save(id Identity) error {
	st := stored{Version: 1, URL: id.URL, Box: id.Box, Member: id.Member, MemberName: id.MemberName, Name: id.Name,
		Certificate: id.Certificate.Raw, CA: id.CA.Raw, Signing: id.Signing.Seed()}
	var err error
	if st.TLS, err = x509.MarshalPKCS8PrivateKey(id.TLS); err != nil {
		return fmt.Errorf("fleet: %w", err)
	}
	if st.HPKE, err = id.HPKE.Bytes(); err != nil {
		return fmt.Errorf("fleet: %w", err)
	}
	b, err := json.Marshal(st)
	if err != nil {
		return fmt.Errorf("fleet: %w", err)
	}
	if err := durable.WriteFile(s.Path, s.Key.Seal(identityContext, b), 0o600); err != nil {
		return fmt.Errorf("fleet: keep the identity: %w", err)
	}
	return nil
}
