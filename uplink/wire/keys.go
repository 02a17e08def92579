package wire

import (
	"crypto/hpke"
	"crypto/sha256"
	"fmt"

	"veilbox/appliance/incident"
	"veilbox/capture/footage"
	"veilbox/internal/keys"
)

// A Purpose is what a wrapped key opens.
type Purpose string

const (
	PurposeAlert   Purpose = "alert"
	PurposeContent Purpose = "content"
)

// KEM is the key encapsulation of all boxes.
func KEM() hpke.KEM { return hpke.MLKEM768P256() }

// ErrEnvelope says that the recipients are not the manifest's; it is a kind of
// ErrManifest.
var ErrEnvelope = fmt.Errorf("the envelope does not fit the manifest (V6): %w", ErrManifest)

// A Recipient is a box that a disclosure is wrapped to.
type Recipient struct {
	Member incident.MemberID `json:"member"`
	Box    BoxID             `json:"box"`
	Key    []byte            `json:"key"` // HPKE public key
}

// An Envelope is what travels beside the manifest: the sealed alert, and the
// keys wrapped to each recipient box.
type Envelope struct {
	Version    int                   `json:"version"`
	Disclosure incident.DisclosureID `json:"disclosure"`
	Alert      []byte                `json:"alert"` // an Alert, sealed under the alert key
	Keys       []WrappedKeys         `json:"keys"`
}

// WrappedKeys are one box's two keys.
type WrappedKeys struct {
	Member  incident.MemberID `json:"member"`
	Box     BoxID             `json:"box"`
	Alert   []byte            `json:"alert"`
	Content []byte            `json:"content"`
}

// wrappedSize is the encapsulated key (ML-KEM-768 ciphertext and a P-256 point),
// the key and the GCM tag.
const wrappedSize = 1088 + 65 + keys.Size + 16

func info(p Purpose, d incident.DisclosureID, box BoxID) []byte {
	return []byte("veilbox 1\x00" + string(p) + "\x00" + string(d) + "\x00" + string(box))
}

// Wrap wraps k to box for one purpose of one disclosure.
func Wrap(to Recipient, p Purpose, d incident.DisclosureID, k keys.Key) ([]byte, error) {
	pub, err := KEM().NewPublicKey(to.Key)
	if err != nil {
		return nil, fmt.Errorf("wire: the public key of box %s: %w: enrol that box again", to.Box, err)
	}
	b, err := hpke.Seal(pub, hpke.HKDFSHA256(), hpke.AES256GCM(), info(p, d, to.Box), k.Bytes())
	if err != nil {
		return nil, fmt.Errorf("wire: wrap a key to box %s: %w", to.Box, err)
	}
	return b, nil
}

// Unwrap opens what Wrap made.
func Unwrap(priv hpke.PrivateKey, box BoxID, p Purpose, d incident.DisclosureID, wrapped []byte) (keys.Key, error) {
	if len(wrapped) != wrappedSize {
		return keys.Key{}, fmt.Errorf("wire: wrapped key of %d bytes, want %d: %w", len(wrapped), wrappedSize, ErrMessage)
	}
	b, err := hpke.Open(priv, hpke.HKDFSHA256(), hpke.AES256GCM(), info(p, d, box), wrapped)
	if err != nil {
		return keys.Key{}, fmt.Errorf("wire: the %s key of disclosure %s does not open on this box: %w", p, d, err)
	}
	return keys.FromBytes(b)
}

// AlertContext is the context under which the alert of d is sealed.
func AlertContext(d incident.DisclosureID) string { return "disclosure/" + string(d) + "/alert" }

// ContentContext is the context under which the video of d is sealed.
func ContentContext(d incident.DisclosureID) string { return "disclosure/" + string(d) + "/content" }

// Check returns what is wrong with e as the envelope of m.
func (e Envelope) Check(m Manifest) error {
	bad := func(s string) error { return fmt.Errorf("wire: envelope: %s: %w", s, ErrEnvelope) }
	switch {
	case e.Version != Version:
		return bad("another version")
	case e.Disclosure != m.Disclosure:
		return bad("it belongs to another disclosure")
	case len(e.Alert) == 0 || len(e.Alert) > MaxAlert || footage.Hash(sha256.Sum256(e.Alert)) != m.Alert:
		return bad("the alert is not the manifest's")
	case len(e.Keys) > MaxKeys:
		return bad("too many boxes")
	}
	in := map[incident.MemberID]bool{}
	for _, id := range m.Circle.Members {
		in[id] = true
	}
	boxes, reached := map[BoxID]bool{}, map[incident.MemberID]bool{m.Sender: true}
	for _, k := range e.Keys {
		switch {
		case !in[k.Member]:
			return bad("a recipient is outside the circle (V6)")
		case !ValidID(string(k.Box)) || boxes[k.Box]:
			return bad("a box is malformed or named twice")
		case len(k.Alert) != wrappedSize || len(k.Content) != wrappedSize:
			return bad("a wrapped key has the wrong length")
		}
		boxes[k.Box], reached[k.Member] = true, true
	}
	for _, id := range m.Circle.Members {
		if !reached[id] {
			return bad("member " + string(id) + " of the circle has no box that could receive: take it out of the circle")
		}
	}
	return nil
}
