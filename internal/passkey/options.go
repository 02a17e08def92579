package passkey

import (
	"encoding/json"
	"fmt"
	"time"
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

type descriptor struct {
	Type string `json:"type"`
	ID   b64    `json:"id"`
}

func descriptors(ids [][]byte) []descriptor {
	out := make([]descriptor, 0, len(ids))
	for _, id := range ids {
		out = append(out, descriptor{"public-key", id})
	}
	return out
}

// CreationOptions is what PublicKeyCredential.parseCreationOptionsFromJSON takes
// (WebAuthn 5.1.9): a passkey that is found without a name and verifies its user.
func CreationOptions(c Creation) (json.RawMessage, error) {
	type param struct {
		Type string `json:"type"`
		Alg  int    `json:"alg"`
	}
	var params []param
	for _, alg := range Algorithms {
		params = append(params, param{"public-key", alg})
	}
	b, err := json.Marshal(map[string]any{
		"rp":                 map[string]string{"id": c.RPID, "name": c.RPName},
		"user":               map[string]any{"id": b64(c.UserID), "name": c.User, "displayName": c.UserName},
		"challenge":          b64(c.Challenge),
		"pubKeyCredParams":   params,
		"timeout":            c.Timeout.Milliseconds(),
		"excludeCredentials": descriptors(c.Exclude),
		"authenticatorSelection": map[string]any{
			"residentKey": "required", "requireResidentKey": true, "userVerification": "required",
		},
		"attestation": "none",
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
	b, err := json.Marshal(map[string]any{
		"rpId": rpid, "challenge": b64(challenge), "timeout": timeout.Milliseconds(), "userVerification": "required",
		"allowCredentials": descriptors(allow),
	})
	if err != nil {
		return nil, fmt.Errorf("passkey: %w", err)
	}
	return b, nil
}
