package passkey

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
)

// A Creation is what a new passkey is asked for with.
type Creation struct {
	RPID, RPName string
	UserID       []byte // 1 to 64 bytes that name nobody
	User         string // the log-in name
	UserName     string // the person's
	Challenge    []byte
	Exclude      [][]byte // credentials that the account has already
	Timeout      time.Duration
}

func params() (all []protocol.CredentialParameter) {
	for _, alg := range Algorithms {
		all = append(all, protocol.CredentialParameter{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.COSEAlgorithmIdentifier(alg)})
	}
	return all
}

func descriptors(ids [][]byte) (all []protocol.CredentialDescriptor) {
	for _, id := range ids {
		all = append(all, protocol.CredentialDescriptor{Type: protocol.PublicKeyCredentialType, CredentialID: id})
	}
	return all
}

// CreationOptions is what PublicKeyCredential.parseCreationOptionsFromJSON takes
// (WebAuthn 5.1.9): a passkey that is found without a name and verifies its user.
func CreationOptions(c Creation) (json.RawMessage, error) {
	b, err := json.Marshal(protocol.PublicKeyCredentialCreationOptions{
		RelyingParty:          protocol.RelyingPartyEntity{CredentialEntity: protocol.CredentialEntity{Name: c.RPName}, ID: c.RPID},
		User:                  protocol.UserEntity{CredentialEntity: protocol.CredentialEntity{Name: c.User}, DisplayName: c.UserName, ID: protocol.URLEncodedBase64(c.UserID)},
		Challenge:             c.Challenge,
		Parameters:            params(),
		Timeout:               int(c.Timeout.Milliseconds()),
		CredentialExcludeList: descriptors(c.Exclude),
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementRequired, RequireResidentKey: protocol.ResidentKeyRequired(),
			UserVerification: protocol.VerificationRequired,
		},
		Attestation: protocol.PreferNoAttestation,
	})
	if err != nil {
		return nil, fmt.Errorf("passkey: %w", err)
	}
	return b, nil
}

// RequestOptions is what PublicKeyCredential.parseRequestOptionsFromJSON takes
// (WebAuthn 5.1.10): a signature over challenge with one of the credentials in
// allow, or with any that was made for rpid.
func RequestOptions(rpid string, challenge []byte, timeout time.Duration, allow ...[]byte) (json.RawMessage, error) {
	b, err := json.Marshal(protocol.PublicKeyCredentialRequestOptions{
		RelyingPartyID: rpid, Challenge: challenge, Timeout: int(timeout.Milliseconds()),
		UserVerification: protocol.VerificationRequired, AllowedCredentials: descriptors(allow),
	})
	if err != nil {
		return nil, fmt.Errorf("passkey: %w", err)
	}
	return b, nil
}
