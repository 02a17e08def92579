// Package passkey is the public side of passkeys (WebAuthn Level 3): what a box
// keeps of one, and whether what it signed holds. Log-ins and approvals use it on
// the box, approvals again on the extranet.
//
// Key.Public is a COSE_Key (RFC 9052) of ES256, EdDSA or RS256. An Assertion is
// what a browser's navigator.credentials.get gave, each field the bytes
// themselves, base64 in JSON.
package passkey

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
