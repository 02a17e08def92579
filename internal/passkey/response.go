package passkey

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// b64 is base64url without padding, as PublicKeyCredential.toJSON() writes bytes.
type b64 []byte

// MarshalText implements encoding.TextMarshaler.
func (b b64) MarshalText() ([]byte, error) {
	return base64.RawURLEncoding.AppendEncode(nil, b), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (b *b64) UnmarshalText(text []byte) (err error) {
	*b, err = base64.RawURLEncoding.Strict().AppendDecode(nil, text)
	return err
}

// An answer is PublicKeyCredential.toJSON() (WebAuthn 5.1.8), of either ceremony.
type answer struct {
	ID       string `json:"id"`
	RawID    b64    `json:"rawId"`
	Type     string `json:"type"`
	Response struct {
		ClientData  b64 `json:"clientDataJSON"`
		AuthData    b64 `json:"authenticatorData"`
		Signature   b64 `json:"signature"`
		Attestation b64 `json:"attestationObject"`
	} `json:"response"`
}

func parseAnswer(response []byte) (a answer, err error) {
	if len(response) > MaxResponse {
		return a, fmt.Errorf("passkey: an answer of %d bytes: use another browser", len(response))
	}
	if err := json.Unmarshal(response, &a); err != nil {
		return a, fmt.Errorf("passkey: the browser's answer cannot be read: %w", err)
	}
	if a.Type != "public-key" || a.ID != base64.RawURLEncoding.EncodeToString(a.RawID) || len(a.RawID) < MinID || len(a.RawID) > MaxID {
		return a, errors.New("passkey: the browser's answer names no passkey: use another one")
	}
	if len(a.Response.ClientData) == 0 || len(a.Response.ClientData) > MaxClientData {
		return a, errors.New("passkey: the browser's answer does not say what was signed: use another browser")
	}
	return a, nil
}

// ParseAssertion reads what navigator.credentials.get gave, in the form of
// PublicKeyCredential.toJSON(). It verifies nothing.
func ParseAssertion(response []byte) (Assertion, error) {
	a, err := parseAnswer(response)
	if err != nil {
		return Assertion{}, err
	}
	r := a.Response
	if len(r.AuthData) < authDataLen || len(r.AuthData) > MaxAuthData || len(r.Signature) == 0 || len(r.Signature) > MaxSignature {
		return Assertion{}, errors.New("passkey: the browser's answer holds no signature: use another passkey")
	}
	return Assertion{Credential: a.RawID, ClientData: r.ClientData, AuthData: r.AuthData, Signature: r.Signature}, nil
}

// A Made is a new passkey and what it said of itself.
type Made struct {
	Key    Key
	AAGUID [16]byte // the kind of authenticator; zero where it does not say
	Seen   Seen
}

// ParseMade reads what navigator.credentials.create gave for challenge on a page
// of https://rpid, in the form of PublicKeyCredential.toJSON(), and checks it.
func ParseMade(rpid string, challenge, response []byte) (Made, error) {
	a, err := parseAnswer(response)
	if err != nil {
		return Made{}, err
	}
	if err := checkClient(a.Response.ClientData, "webauthn.create", rpid, challenge); err != nil {
		return Made{}, err
	}
	var object struct {
		AuthData []byte `cbor:"authData"`
	}
	if err := decoder.Unmarshal(a.Response.Attestation, &object); err != nil {
		return Made{}, fmt.Errorf("passkey: the new passkey cannot be read: %w: use another one", err)
	}
	if len(object.AuthData) > MaxAuthData {
		return Made{}, fmt.Errorf("passkey: authenticator data of %d bytes", len(object.AuthData))
	}
	seen, flags, rest, err := parseAuthData(object.AuthData, rpid)
	if err != nil {
		return Made{}, err
	}
	m := Made{Seen: seen}
	if flags&flagAttested == 0 || len(rest) < 18 {
		return Made{}, errors.New("passkey: the answer holds no new passkey: begin again")
	}
	copy(m.AAGUID[:], rest)
	n := int(binary.BigEndian.Uint16(rest[16:]))
	if rest = rest[18:]; len(rest) < n || !bytes.Equal(rest[:n], a.RawID) {
		return Made{}, errors.New("passkey: the answer names another passkey than it holds: begin again")
	}
	rest = rest[n:]
	var public cbor.RawMessage
	after, err := decoder.UnmarshalFirst(rest, &public)
	if err != nil {
		return Made{}, fmt.Errorf("passkey: the public key cannot be read: %w: use another passkey", err)
	}
	if err := onlyExtensions(flags, after); err != nil {
		return Made{}, err
	}
	m.Key = Key{ID: a.RawID, Public: public, RPID: rpid}
	return m, m.Key.Check()
}
