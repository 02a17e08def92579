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
// the box. All that is read here comes from outside, and is bounded before the
// library, github.com/go-webauthn/webauthn/protocol, reads it; where the library
// is laxer than that, the stricter check stands here.
package passkey

import (
	"bytes"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/go-webauthn/webauthn/protocol"
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
	if len(k.ID) < MinID || len(k.ID) > MaxID {
		return fmt.Errorf("passkey: a credential's name of %d bytes: use another passkey", len(k.ID))
	}
	if err := CheckRPID(k.RPID); err != nil {
		return err
	}
	if len(k.Public) == 0 || len(k.Public) > MaxPublic {
		return fmt.Errorf("passkey: a public key of %d bytes: use another passkey", len(k.Public))
	}
	_, err := parseCOSE(k.Public)
	return err
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

// measured returns an error where a part of a is longer than any passkey's, or
// missing.
func (a Assertion) measured() error {
	if len(a.ClientData) > MaxClientData || len(a.AuthData) > MaxAuthData || len(a.Signature) == 0 || len(a.Signature) > MaxSignature {
		return errors.New("passkey: an answer without a signature, or longer than any passkey's: use another browser")
	}
	return nil
}

// Verify returns what was seen where a is a signature by k over challenge, made
// on a page of https://k.RPID with the person present and verified.
func Verify(k Key, challenge []byte, a Assertion) (Seen, error) {
	if err := k.Check(); err != nil {
		return Seen{}, err
	}
	if len(challenge) < 16 || len(challenge) > 1024 {
		return Seen{}, fmt.Errorf("passkey: a challenge of %d bytes", len(challenge))
	}
	if subtle.ConstantTimeCompare(a.Credential, k.ID) != 1 {
		return Seen{}, errSignature
	}
	if err := a.measured(); err != nil {
		return Seen{}, err
	}
	p, err := a.answer().Parse()
	if err != nil {
		return Seen{}, fmt.Errorf("passkey: what was signed cannot be read: %w: use another browser", err)
	}
	client, data := p.Response.CollectedClientData, p.Response.AuthenticatorData
	if data.Flags.HasAttestedCredentialData() {
		return Seen{}, errors.New("passkey: a signature that carries a key: begin again")
	}
	seen, err := strict(k.RPID, client, data)
	if err != nil {
		return Seen{}, err
	}
	err = p.Verify(base64.RawURLEncoding.EncodeToString(challenge), k.RPID, "", []string{client.Origin}, nil, nil,
		protocol.TopOriginExplicitVerificationMode, false, true, true, k.Public, protocol.SignaturePolicy{})
	var why *protocol.Error
	switch {
	case err == nil:
		return seen, nil
	case errors.As(err, &why) && why.Type == protocol.ErrAssertionSignature.Type:
		return Seen{}, errSignature
	}
	return Seen{}, fmt.Errorf("%w (%w)", errChallenge, err)
}

// answer is a in the form that a browser gave it in.
func (a Assertion) answer() protocol.CredentialAssertionResponse {
	id := base64.RawURLEncoding.EncodeToString(a.Credential)
	return protocol.CredentialAssertionResponse{
		PublicKeyCredential: protocol.PublicKeyCredential{
			Credential: protocol.Credential{ID: id, Type: string(protocol.PublicKeyCredentialType)}, RawID: a.Credential,
		},
		AssertionResponse: protocol.AuthenticatorAssertionResponse{
			AuthenticatorResponse: protocol.AuthenticatorResponse{ClientDataJSON: a.ClientData},
			AuthenticatorData:     a.AuthData, Signature: a.Signature,
		},
	}
}

// strict holds an answer to what the library leaves open: any port of https://rpid
// is the box's (the library wants each origin listed, and is given the one that
// was found good here), whatever way a page writes its own address is not, no
// page may be in a frame of another, and only what can be backed up is. That the
// person was verified the library checks too; here it gets its own words.
func strict(rpid string, c protocol.CollectedClientData, d protocol.AuthenticatorData) (Seen, error) {
	if c.CrossOrigin || c.TopOrigin != "" || !ownOrigin(c.Origin, rpid) {
		return Seen{}, errOrigin
	}
	if !d.Flags.UserPresent() || !d.Flags.UserVerified() {
		return Seen{}, errUser
	}
	if d.Flags.HasBackupState() && !d.Flags.HasBackupEligible() {
		return Seen{}, errors.New("passkey: backed up, and not one that can be: use another passkey")
	}
	return Seen{UserVerified: true, BackedUp: d.Flags.HasBackupState(), Counter: d.Counter}, nil
}

// ownOrigin reports whether origin is https://rpid, at any port.
func ownOrigin(origin, rpid string) bool {
	port, more := strings.CutPrefix(origin, "https://"+rpid)
	if !more || port == "" {
		return more
	}
	digits, more := strings.CutPrefix(port, ":")
	n, err := strconv.ParseUint(digits, 10, 16)
	return more && err == nil && n != 0
}
