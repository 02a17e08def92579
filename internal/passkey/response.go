package passkey

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-webauthn/webauthn/protocol"
)

// parseAnswer reads the JSON of response into one of the library's two forms of
// PublicKeyCredential.toJSON() (WebAuthn 5.1.8). It stops before the library's
// Parse, so that every part is measured first: the library has no bounds. Its
// base64 may be padded; what counts afterwards is the bytes.
func parseAnswer(response []byte, into any) error {
	if len(response) > MaxResponse {
		return fmt.Errorf("passkey: an answer of %d bytes: use another browser", len(response))
	}
	if err := json.Unmarshal(response, into); err != nil {
		return fmt.Errorf("passkey: the browser's answer cannot be read: %w: use another browser", err)
	}
	return nil
}

// measured returns an error unless c names a passkey by a name of a length that
// is taken. Its id must be written as rawId is: the library reads over line
// breaks in it.
func measured(c protocol.PublicKeyCredential, client []byte) error {
	if len(c.RawID) < MinID || len(c.RawID) > MaxID || c.ID != base64.RawURLEncoding.EncodeToString(c.RawID) {
		return errors.New("passkey: the browser's answer names no passkey: use another one")
	}
	if len(client) == 0 || len(client) > MaxClientData {
		return errors.New("passkey: the browser's answer does not say what was signed: use another browser")
	}
	return nil
}

// ParseAssertion reads what navigator.credentials.get gave, in the form of
// PublicKeyCredential.toJSON(). It verifies nothing.
func ParseAssertion(response []byte) (Assertion, error) {
	var c protocol.CredentialAssertionResponse
	if err := parseAnswer(response, &c); err != nil {
		return Assertion{}, err
	}
	r := c.AssertionResponse
	if err := measured(c.PublicKeyCredential, r.ClientDataJSON); err != nil {
		return Assertion{}, err
	}
	a := Assertion{Credential: c.RawID, ClientData: r.ClientDataJSON, AuthData: r.AuthenticatorData, Signature: r.Signature}
	if err := a.measured(); err != nil {
		return Assertion{}, err
	}
	if _, err := c.Parse(); err != nil {
		return Assertion{}, fmt.Errorf("passkey: the browser's answer holds no signature: %w: use another passkey", err)
	}
	return a, nil
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
	var c protocol.CredentialCreationResponse
	if err := parseAnswer(response, &c); err != nil {
		return Made{}, err
	}
	if err := measured(c.PublicKeyCredential, c.AttestationResponse.ClientDataJSON); err != nil {
		return Made{}, err
	}
	p, err := c.Parse()
	if err != nil {
		return Made{}, fmt.Errorf("passkey: the new passkey cannot be read: %w: use another one", err)
	}
	object := &p.Response.AttestationObject
	if len(object.RawAuthData) > MaxAuthData {
		return Made{}, fmt.Errorf("passkey: authenticator data of %d bytes: use another passkey", len(object.RawAuthData))
	}
	client := p.Response.CollectedClientData
	seen, err := strict(rpid, client, object.AuthData)
	if err != nil {
		return Made{}, err
	}
	// Where a browser gives an attestation that nobody asked for, it is treated
	// as none: else a passkey would be refused for its maker's certificates,
	// and the library would read more of what a stranger wrote.
	object.Format, object.AttStatement, object.SubStatements = string(protocol.AttestationFormatNone), nil, nil
	if _, err := p.Verify(base64.RawURLEncoding.EncodeToString(challenge), rpid, []string{client.Origin}, nil, nil,
		protocol.TopOriginExplicitVerificationMode, false, true, true, nil, params(), protocol.AttestationPolicy{}, protocol.SignaturePolicy{}); err != nil {
		return Made{}, fmt.Errorf("%w (%w)", errChallenge, err)
	}
	made := object.AuthData.AttData
	m := Made{Key: Key{ID: bytes.Clone(made.CredentialID), Public: made.CredentialPublicKey, RPID: rpid}, Seen: seen}
	copy(m.AAGUID[:], made.AAGUID)
	return m, m.Key.Check()
}
