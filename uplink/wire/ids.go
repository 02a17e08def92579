package wire

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"

	"veilbox/appliance/incident"
)

// A BoxID names an enrolled box: 26 characters A-Z and 2-7, random, given by
// the extranet.
type BoxID string

// A KeyID names an assessor's public key: 32 hex digits, see KeyIDOf.
type KeyID string

var base32id = base32.StdEncoding.WithPadding(base32.NoPadding)

// NewID returns 128 random bits as 26 characters A-Z and 2-7.
func NewID() string {
	var b [16]byte
	rand.Read(b[:])
	return base32id.EncodeToString(b[:])
}

// ValidID reports whether s looks like an id of NewID, and so is safe in a path.
func ValidID(s string) bool {
	if len(s) != 26 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'A' || c > 'Z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}

// ValidMember reports whether m is 1 to 31 of a-z, 0-9 and "-", beginning with a
// letter or digit.
func ValidMember(m incident.MemberID) bool {
	if len(m) == 0 || len(m) > 31 || m[0] == '-' {
		return false
	}
	for i := range len(m) {
		if c := m[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// Ed25519KeyID returns the name of an assessor's key of a manifest before version 3.
func Ed25519KeyID(k ed25519.PublicKey) KeyID {
	h := sha256.Sum256(k)
	return KeyID(hex.EncodeToString(h[:16]))
}
