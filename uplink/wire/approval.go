package wire

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"veilbox/appliance/incident"
	"veilbox/capture/footage"
	"veilbox/internal/passkey"
)

// A Statement is what an assessor signs: all that decides what is disclosed, to
// whom, how long and on which grounds. The box's own name, the ciphertexts and
// the keys are not part of it; Copy and Text bind what the ciphertexts hold.
//
// Its canonical form is JSON in UTF-8 with no space between the tokens, the
// fields in the order of the type and none left out but Reported, which is null;
// a list that is empty is []. Strings escape only the quotation mark, the
// backslash, U+2028, U+2029 and control characters, as encoding/json does. Times
// are RFC 3339 in UTC without trailing zeros in the fraction, hashes hex.
type Statement struct {
	Version    int                   `json:"version"`
	Disclosure incident.DisclosureID `json:"disclosure"`
	Sender     incident.MemberID     `json:"sender"`
	Case       incident.CaseID       `json:"case"`
	Clip       footage.ClipHash      `json:"clip"`
	Copy       footage.CopyHash      `json:"copy"`
	Proof      footage.ProofHash     `json:"proof"`
	Sheet      footage.SheetHash     `json:"sheet"`
	Shows      Shows                 `json:"shows"`
	Text       footage.Hash          `json:"text"` // of the alert in the clear, salt and all
	Created    time.Time             `json:"created"`
	NotAfter   time.Time             `json:"not_after"`
	ReportDue  time.Time             `json:"report_due"`
	Reported   *time.Time            `json:"reported"`
	Circle     Circle                `json:"circle"`
	Conditions [9]Condition          `json:"conditions"`
	Assessor   Assessor              `json:"assessor"`
}

// Statement returns the canonical bytes of all that the assessor of m signs. Of
// manifests before version 3, which have no such statement, it is nil.
func (m Manifest) Statement() []byte {
	if m.Version < 3 || m.Shows == nil {
		return nil
	}
	s := Statement{
		Version: m.Version, Disclosure: m.Disclosure, Sender: m.Sender, Case: m.Case,
		Clip: m.Clip, Copy: m.Copy, Proof: m.Proof, Sheet: m.Sheet, Shows: *m.Shows, Text: m.Text,
		Created: m.Created.UTC(), NotAfter: m.NotAfter.UTC(), ReportDue: m.ReportDue.UTC(),
		Circle: m.Circle, Conditions: m.Conditions, Assessor: m.Assessor,
	}
	if m.Reported != nil {
		s.Reported = new(m.Reported.UTC())
	}
	s.Circle.Trades = append([]string{}, m.Circle.Trades...)
	s.Circle.Chains = append([]string{}, m.Circle.Chains...)
	s.Circle.Members = append([]incident.MemberID{}, m.Circle.Members...)
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return nil // a time beyond the year 9999; Check refuses it
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// Challenge returns what the assessor's passkey signs.
func (m Manifest) Challenge() []byte { return ChallengeOf(m.Statement()) }

// ChallengeOf returns the WebAuthn challenge of a statement: SHA-256 of a label of
// its own and the bytes, so that no other challenge of the system is one.
func ChallengeOf(statement []byte) []byte {
	h := sha256.Sum256(append([]byte("veilbox approval 3\x00"), statement...))
	return h[:]
}

// TextHash returns the hash of an alert in the clear, as a manifest's Text has it.
func TextHash(alert []byte) footage.Hash {
	return sha256.Sum256(append([]byte("veilbox alert 3\x00"), alert...))
}

// approved tells whether a is key's approval of m.
func (m Manifest) approved(key passkey.Key, a passkey.Assertion) error {
	if KeyIDOf(key) != m.Assessor.Key {
		return fmt.Errorf("wire: disclosure %s: the key is not the one the manifest names: %w", m.Disclosure, ErrAssessorSignature)
	}
	seen, err := passkey.Verify(key, m.Challenge(), a)
	if err != nil {
		return fmt.Errorf("wire: disclosure %s: %w: %w", m.Disclosure, ErrAssessorSignature, err)
	}
	if !seen.UserVerified {
		return fmt.Errorf("wire: disclosure %s: nobody showed who they are: %w", m.Disclosure, ErrAssessorSignature)
	}
	return nil
}

// Approve tells whether a is the approval of m by key, whoever sends it. A box
// asks before it seals.
func Approve(m Manifest, key passkey.Key, a passkey.Assertion) error { return m.approved(key, a) }

// Sign checks m and its approval by key, encodes it and signs it for the box.
func Sign(m Manifest, box ed25519.PrivateKey, key passkey.Key, approval passkey.Assertion) (SignedManifest, error) {
	if m.Version != ManifestVersion {
		return SignedManifest{}, fmt.Errorf("wire: manifests are made of version %d: %w", ManifestVersion, ErrManifest)
	}
	if err := m.Check(); err != nil {
		return SignedManifest{}, err
	}
	if err := m.approved(key, approval); err != nil {
		return SignedManifest{}, err
	}
	b, err := json.Marshal(m)
	if err != nil {
		return SignedManifest{}, fmt.Errorf("wire: encode the manifest: %w", err)
	}
	if len(b) > MaxManifest {
		return SignedManifest{}, fmt.Errorf("wire: the manifest is %d bytes, %d is the most: narrow the circle: %w", len(b), MaxManifest, ErrManifest)
	}
	return SignedManifest{Manifest: b, Box: ed25519.Sign(box, signed(roleBox, b)), Approval: &approval}, nil
}

// Keys are those that a manifest is held against: the sending box's, and the
// assessor's that the operator has confirmed.
type Keys struct {
	Box      ed25519.PublicKey
	Assessor passkey.Key
	// Ed25519 is the assessor's key of a manifest before version 3.
	Ed25519 ed25519.PublicKey
}

// Verify returns the manifest where both signatures and all that it claims hold
// at now.
func Verify(sm SignedManifest, k Keys, now time.Time) (Manifest, error) {
	m, err := sm.Parse()
	if err != nil {
		return Manifest{}, err
	}
	if len(k.Box) != ed25519.PublicKeySize || !ed25519.Verify(k.Box, signed(roleBox, sm.Manifest), sm.Box) {
		return Manifest{}, fmt.Errorf("wire: disclosure %s: %w", m.Disclosure, ErrBoxSignature)
	}
	if err := sm.assessor(m, k); err != nil {
		return Manifest{}, err
	}
	if m.Created.After(now.Add(Skew)) {
		return Manifest{}, fmt.Errorf("wire: disclosure %s was made at %s: %w", m.Disclosure, m.Created.Format(time.RFC3339), ErrTimes)
	}
	if !now.Before(m.NotAfter) {
		return Manifest{}, fmt.Errorf("wire: disclosure %s ended at %s (V8): %w", m.Disclosure, m.NotAfter.Format(time.RFC3339), ErrOver)
	}
	return m, nil
}

func (sm SignedManifest) assessor(m Manifest, k Keys) error {
	no := fmt.Errorf("wire: disclosure %s: %w", m.Disclosure, ErrAssessorSignature)
	if m.Version < 3 {
		if sm.Approval != nil || len(k.Ed25519) != ed25519.PublicKeySize || Ed25519KeyID(k.Ed25519) != m.Assessor.Key ||
			!ed25519.Verify(k.Ed25519, signed(roleAssessor, sm.Manifest), sm.Assessor) {
			return no
		}
		return nil
	}
	if sm.Approval == nil || len(sm.Assessor) != 0 {
		return no
	}
	return m.approved(k.Assessor, *sm.Approval)
}

// KeyIDOf returns the name of an assessor's passkey: the first half of SHA-256 of
// a label and the key's parts, each after its length.
func KeyIDOf(k passkey.Key) KeyID {
	h := sha256.New()
	h.Write([]byte("veilbox passkey 1\x00"))
	for _, p := range [][]byte{k.ID, k.Public, []byte(k.RPID)} {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(p))))
		h.Write(p)
	}
	return KeyID(fmt.Sprintf("%x", h.Sum(nil)[:16]))
}

// PossessionOf is what an assessor's passkey signs the SHA-256 of, as a WebAuthn
// challenge, to show that the key is theirs.
func PossessionOf(member incident.MemberID, person incident.PersonID, key passkey.Key) []byte {
	b64 := base64.RawURLEncoding.EncodeToString
	return []byte("veilbox assessor 3\x00" + string(member) + "\x00" + string(person) + "\x00" + key.RPID + "\x00" + b64(key.ID) + "\x00" + b64(key.Public))
}

// PossessionChallenge is the SHA-256 of PossessionOf.
func PossessionChallenge(member incident.MemberID, person incident.PersonID, key passkey.Key) []byte {
	h := sha256.Sum256(PossessionOf(member, person, key))
	return h[:]
}
