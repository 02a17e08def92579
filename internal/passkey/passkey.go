// Package passkey is the public side of passkeys (WebAuthn Level 3): what a box
// keeps of one, and whether what it signed holds. Log-ins and approvals use it on
// the box, approvals again on the extranet.
//
// Key.Public is a COSE_Key (RFC 9052) of ES256, EdDSA or RS256. An Assertion is
// what a browser's navigator.credentials.get gave, each field the bytes
// themselves, base64 in JSON.
//
// Every signature must come from a page of https://RPID, at any port, with the
// person present and verified (a finger, a face, a PIN). Attestations are not
// asked for and not looked at: which maker's key a person uses is no business of
// the box. All that is read here comes from outside, and is bounded.
package passkey

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/fxamacker/cbor/v2"
)

// Bounds, in bytes. A browser's answers stay far below them.
const (
	MinID         = 16
	MaxID         = 1023
	MaxPublic     = 2048
	MaxClientData = 8 << 10
	MaxAuthData   = 4 << 10
	MaxSignature  = 1024
	MaxResponse   = 64 << 10 // of the JSON form of an answer
)

// FileAAGUID is the kind of authenticator that a passkey in a file says it is
// (internal/passkey/softkey), so that a box and an operator can see it.
var FileAAGUID = [16]byte{0x5e, 0x1b, 0x0c, 0x91, 0x7a, 0x3d, 0x4f, 0x6e, 0x9c, 0x22, 0xd8, 0x40, 0xb7, 0x66, 0x13, 0xf5}

// A Key is the public half of a passkey.
type Key struct {
	ID     []byte `json:"id"`     // the credential's name, 16 to 1023 bytes
	Public []byte `json:"public"` // COSE_Key
	RPID   string `json:"rp_id"`  // the host name that it was made for
}

// An Assertion is one signature of a passkey.
type Assertion struct {
	Credential []byte `json:"credential"`  // the key's ID
	ClientData []byte `json:"client_data"` // JSON, as the browser wrote it
	AuthData   []byte `json:"auth_data"`
	Signature  []byte `json:"signature"`
}

// Seen is what a passkey said of itself and of the person as it signed.
type Seen struct {
	UserVerified bool
	BackedUp     bool   // it is kept in more places than one: a cloud's passkey
	Counter      uint32 // 0: it does not count
}

// The flags of authenticator data, WebAuthn section 6.1.
const (
	flagPresent  = 1 << 0
	flagVerified = 1 << 2
	flagEligible = 1 << 3
	flagBackedUp = 1 << 4
	flagAttested = 1 << 6
	flagExtended = 1 << 7

	authDataLen = 37 // hash of the RP ID, flags, counter
)

var (
	errChallenge = errors.New("passkey: it was signed for something else than was asked: begin again")
	errOrigin    = errors.New("passkey: it was signed on a page of another address: open the page under the box's own name")
	errUser      = errors.New("passkey: the person was not verified: use a passkey with a finger, a face or a PIN")
	errSignature = errors.New("passkey: the signature does not hold: use the passkey that was made for this account")
)

// File reports whether k says of itself that it is kept in a file: the names of
// such passkeys begin with FileAAGUID.
func (k Key) File() bool { return bytes.HasPrefix(k.ID, FileAAGUID[:]) }

// Check returns an error unless k is a key that signatures can be held against.
func (k Key) Check() error {
	_, err := k.public()
	return err
}

func (k Key) public() (crypto.PublicKey, error) {
	if len(k.ID) < MinID || len(k.ID) > MaxID {
		return nil, fmt.Errorf("passkey: a credential's name of %d bytes: use another passkey", len(k.ID))
	}
	if err := CheckRPID(k.RPID); err != nil {
		return nil, err
	}
	if len(k.Public) == 0 || len(k.Public) > MaxPublic {
		return nil, fmt.Errorf("passkey: a public key of %d bytes: use another passkey", len(k.Public))
	}
	return parseCOSE(k.Public)
}

// CheckRPID returns an error unless id is a host name in lower case. An address
// is none: browsers make no passkeys for one.
func CheckRPID(id string) error {
	bad := fmt.Errorf("passkey: %q is not a host name that passkeys can be made for: give the box a name", id[:min(len(id), 260)])
	if id == "" || len(id) > 253 {
		return bad
	}
	if _, err := netip.ParseAddr(id); err == nil {
		return bad
	}
	for label := range strings.SplitSeq(id, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return bad
		}
		for _, c := range []byte(label) {
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
				return bad
			}
		}
	}
	return nil
}

// Verify returns what was seen where a is a signature by k over challenge, made
// on a page of https://k.RPID with the person present and verified.
func Verify(k Key, challenge []byte, a Assertion) (Seen, error) {
	public, err := k.public()
	if err != nil {
		return Seen{}, err
	}
	if len(challenge) < 16 || len(challenge) > 1024 {
		return Seen{}, fmt.Errorf("passkey: a challenge of %d bytes", len(challenge))
	}
	if subtle.ConstantTimeCompare(a.Credential, k.ID) != 1 {
		return Seen{}, errSignature
	}
	if len(a.ClientData) > MaxClientData || len(a.AuthData) > MaxAuthData || len(a.Signature) == 0 || len(a.Signature) > MaxSignature {
		return Seen{}, errors.New("passkey: an answer that is longer than any passkey's: use another browser")
	}
	if err := checkClient(a.ClientData, "webauthn.get", k.RPID, challenge); err != nil {
		return Seen{}, err
	}
	seen, flags, rest, err := parseAuthData(a.AuthData, k.RPID)
	if err != nil {
		return Seen{}, err
	}
	if flags&flagAttested != 0 {
		return Seen{}, errors.New("passkey: a signature that carries a key: begin again")
	}
	if err := onlyExtensions(flags, rest); err != nil {
		return Seen{}, err
	}
	hash := sha256.Sum256(a.ClientData)
	signed := append(slices.Clone(a.AuthData), hash[:]...)
	if !holds(public, signed, a.Signature) {
		return Seen{}, errSignature
	}
	return seen, nil
}

// clientData is the part of CollectedClientData (WebAuthn 5.8.1) that matters.
type clientData struct {
	Type        string `json:"type"`
	Challenge   string `json:"challenge"`
	Origin      string `json:"origin"`
	CrossOrigin bool   `json:"crossOrigin"`
	TopOrigin   string `json:"topOrigin"`
}

func checkClient(b []byte, kind, rpid string, challenge []byte) error {
	var c clientData
	if err := json.Unmarshal(b, &c); err != nil {
		return fmt.Errorf("passkey: what the browser signed cannot be read: %w", err)
	}
	if c.Type != kind || subtle.ConstantTimeCompare([]byte(c.Challenge), []byte(base64.RawURLEncoding.EncodeToString(challenge))) != 1 {
		return errChallenge
	}
	if c.CrossOrigin || c.TopOrigin != "" || !ownOrigin(c.Origin, rpid) {
		return errOrigin
	}
	return nil
}

// ownOrigin reports whether origin is https://rpid, at any port.
func ownOrigin(origin, rpid string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "https" || u.Hostname() != rpid {
		return false
	}
	want := "https://" + rpid
	if p := u.Port(); p != "" {
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
			return false
		}
		want += ":" + p
	}
	return origin == want
}

// parseAuthData reads the head of authenticator data and returns what follows it.
func parseAuthData(b []byte, rpid string) (seen Seen, flags byte, rest []byte, err error) {
	if len(b) < authDataLen {
		return Seen{}, 0, nil, fmt.Errorf("passkey: authenticator data of %d bytes", len(b))
	}
	want := sha256.Sum256([]byte(rpid))
	if subtle.ConstantTimeCompare(b[:32], want[:]) != 1 {
		return Seen{}, 0, nil, errOrigin
	}
	flags = b[32]
	if flags&flagPresent == 0 || flags&flagVerified == 0 {
		return Seen{}, 0, nil, errUser
	}
	if flags&flagBackedUp != 0 && flags&flagEligible == 0 {
		return Seen{}, 0, nil, errors.New("passkey: backed up, and not one that can be: use another passkey")
	}
	seen = Seen{UserVerified: true, BackedUp: flags&flagBackedUp != 0, Counter: binary.BigEndian.Uint32(b[33:37])}
	return seen, flags, b[authDataLen:], nil
}

// onlyExtensions returns an error unless rest is one CBOR map where the flags
// say so, else nothing.
func onlyExtensions(flags byte, rest []byte) error {
	if flags&flagExtended == 0 {
		if len(rest) != 0 {
			return fmt.Errorf("passkey: %d bytes after the authenticator data", len(rest))
		}
		return nil
	}
	var extensions map[string]cbor.RawMessage
	if err := decoder.Unmarshal(rest, &extensions); err != nil {
		return fmt.Errorf("passkey: extensions that cannot be read: %w", err)
	}
	return nil
}
