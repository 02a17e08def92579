// Package softkey is a software authenticator: passkeys in a file on the
// person's own computer, sealed under a pass phrase. Programs that have no
// browser use it, and it does what a browser and its authenticator do together
// (WebAuthn Level 3): it makes ES256 passkeys and signs with them, for pages of
// https://<RP ID>.
//
// The pass phrase is what verifies the person: whoever opens the file has shown
// it. The authenticator says that it is a file by its AAGUID,
// passkey.FileAAGUID, so that a box and an operator can see it.
//
// The file is one JSON object: version, the cost and salt of argon2id (RFC 9106)
// over the pass phrase, and the keys sealed by internal/keys.
package softkey

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/fxamacker/cbor/v2"
	"golang.org/x/crypto/argon2"

	"veilbox/internal/keys"
	"veilbox/internal/passkey"
)

const (
	version  = 1
	sealedAs = "veilbox softkey 1"
	maxKeys  = 100
	maxFile  = 256 << 10
	// MinPassphrase is the shortest pass phrase of a file, in bytes.
	MinPassphrase = 12
)

// A Key is one software authenticator with its passkeys. It is not safe for
// concurrent use.
type Key struct {
	passphrase string
	body       body
}

type body struct {
	// Counts says that each signature has a number, so that a copy of the file
	// is noticed. The file must then be written anew after each.
	Counts bool       `json:"counts,omitempty"`
	Keys   []resident `json:"keys"`
}

type resident struct {
	ID      []byte `json:"id"`
	RPID    string `json:"rp_id"`
	User    []byte `json:"user"`
	Name    string `json:"name"` // of the account
	Private []byte `json:"private"`
	Counter uint32 `json:"counter,omitempty"`
}

// New returns an authenticator without passkeys, to be written under passphrase.
func New(passphrase string) *Key { return &Key{passphrase: passphrase} }

// Count has k number its signatures from now on.
func (k *Key) Count() { k.body.Counts = true }

type file struct {
	Version int    `json:"version"`
	Memory  uint32 `json:"memory_kib"`
	Time    uint32 `json:"time"`
	Salt    []byte `json:"salt"`
	Sealed  []byte `json:"sealed"`
}

func (f file) key(passphrase string) (keys.Key, error) {
	return keys.FromBytes(argon2.IDKey([]byte(passphrase), f.Salt, f.Time, f.Memory, 1, keys.Size))
}

// Read opens an authenticator that was written.
func Read(r io.Reader, passphrase string) (*Key, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("softkey: %w", err)
	}
	var f file
	if len(b) > maxFile {
		return nil, errors.New("softkey: the file is too long to be a key file: choose another")
	}
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, fmt.Errorf("softkey: this is no key file: %w: choose another", err)
	}
	if f.Version != version {
		return nil, fmt.Errorf("softkey: a key file of version %d: use the program that wrote it", f.Version)
	}
	if f.Memory < 8 || f.Memory > 1<<18 || f.Time < 1 || f.Time > 8 || len(f.Salt) < 16 || len(f.Salt) > 64 {
		return nil, errors.New("softkey: the key file is damaged: take the copy of it, or make a new one")
	}
	sealing, err := f.key(passphrase)
	if err != nil {
		return nil, fmt.Errorf("softkey: %w", err)
	}
	plain, err := sealing.Open(sealedAs, f.Sealed)
	if err != nil {
		return nil, fmt.Errorf("softkey: %w: type the pass phrase of this file again", err)
	}
	k := New(passphrase)
	if err := json.Unmarshal(plain, &k.body); err != nil {
		return nil, fmt.Errorf("softkey: %w", err)
	}
	return k, nil
}

// Write writes k, sealed under its pass phrase.
func (k *Key) Write(w io.Writer) error {
	if len(k.passphrase) < MinPassphrase {
		return fmt.Errorf("softkey: a pass phrase of %d characters: choose one of at least %d", len(k.passphrase), MinPassphrase)
	}
	f := file{Version: version, Memory: 64 << 10, Time: 3, Salt: make([]byte, 16)}
	rand.Read(f.Salt)
	plain, err := json.Marshal(k.body)
	if err != nil {
		return fmt.Errorf("softkey: %w", err)
	}
	sealing, err := f.key(k.passphrase)
	if err != nil {
		return fmt.Errorf("softkey: %w", err)
	}
	f.Sealed = sealing.Seal(sealedAs, plain)
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return fmt.Errorf("softkey: %w", err)
	}
	if _, err := w.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("softkey: %w", err)
	}
	return nil
}

// RPIDs returns the host names that k has passkeys for.
func (k *Key) RPIDs() []string {
	var out []string
	for _, r := range k.body.Keys {
		if !slices.Contains(out, r.RPID) {
			out = append(out, r.RPID)
		}
	}
	return out
}

type b64 []byte

func (b b64) MarshalText() ([]byte, error) { return base64.RawURLEncoding.AppendEncode(nil, b), nil }

func (b *b64) UnmarshalText(text []byte) (err error) {
	*b, err = base64.RawURLEncoding.AppendDecode(nil, text)
	return err
}

type descriptor struct {
	ID b64 `json:"id"`
}

type creation struct {
	RP struct {
		ID string `json:"id"`
	} `json:"rp"`
	User struct {
		ID   b64    `json:"id"`
		Name string `json:"name"`
	} `json:"user"`
	Challenge b64 `json:"challenge"`
	Params    []struct {
		Alg int `json:"alg"`
	} `json:"pubKeyCredParams"`
	Exclude []descriptor `json:"excludeCredentials"`
}

type request struct {
	RPID      string       `json:"rpId"`
	Challenge b64          `json:"challenge"`
	Allow     []descriptor `json:"allowCredentials"`
}

type response struct {
	ClientData  b64      `json:"clientDataJSON"`
	AuthData    b64      `json:"authenticatorData,omitempty"`
	Attestation b64      `json:"attestationObject,omitempty"`
	Signature   b64      `json:"signature,omitempty"`
	UserHandle  b64      `json:"userHandle,omitempty"`
	Transports  []string `json:"transports,omitempty"`
}

type credential struct {
	ID         string   `json:"id"`
	RawID      b64      `json:"rawId"`
	Type       string   `json:"type"`
	Response   response `json:"response"`
	Extensions struct{} `json:"clientExtensionResults"`
}

func answer(id []byte, r response) ([]byte, error) {
	b, err := json.Marshal(credential{ID: base64.RawURLEncoding.EncodeToString(id), RawID: id, Type: "public-key", Response: r})
	if err != nil {
		return nil, fmt.Errorf("softkey: %w", err)
	}
	return b, nil
}

// Create makes a passkey as options ask (PublicKeyCredentialCreationOptionsJSON)
// and returns PublicKeyCredential.toJSON(). k must be written afterwards.
func (k *Key) Create(options []byte) ([]byte, error) {
	var o creation
	if err := json.Unmarshal(options, &o); err != nil {
		return nil, fmt.Errorf("softkey: the options cannot be read: %w", err)
	}
	if err := passkey.CheckRPID(o.RP.ID); err != nil {
		return nil, fmt.Errorf("softkey: %w", err)
	}
	if len(o.User.ID) == 0 || len(o.User.ID) > 64 || len(o.User.Name) > 256 || len(o.Challenge) < 16 || len(o.Challenge) > 1024 {
		return nil, errors.New("softkey: the options name no account, or no challenge")
	}
	if len(o.Params) > 0 && !slices.ContainsFunc(o.Params, func(p struct {
		Alg int `json:"alg"`
	}) bool {
		return p.Alg == passkey.Algorithms[0]
	}) {
		return nil, errors.New("softkey: the box does not take ES256, which is all that a key file makes")
	}
	for _, x := range o.Exclude {
		if k.find(o.RP.ID, x.ID) != nil {
			return nil, errors.New("softkey: this key file has a passkey for this account already: use it")
		}
	}
	if len(k.body.Keys) >= maxKeys {
		return nil, fmt.Errorf("softkey: the key file holds %d passkeys: make another file", maxKeys)
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("softkey: %w", err)
	}
	raw, err := private.Bytes()
	if err != nil {
		return nil, fmt.Errorf("softkey: %w", err)
	}
	public, err := passkey.COSE(&private.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("softkey: %w", err)
	}
	r := resident{ID: make([]byte, 32), RPID: o.RP.ID, User: o.User.ID, Name: o.User.Name, Private: raw}
	rand.Read(r.ID[copy(r.ID, passkey.FileAAGUID[:]):]) // see passkey.Key.File
	data := r.authData(1 << 6)                          // a key follows
	data = append(data, passkey.FileAAGUID[:]...)
	data = binary.BigEndian.AppendUint16(data, uint16(len(r.ID)))
	data = append(append(data, r.ID...), public...)
	object, err := cbor.Marshal(map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": data})
	if err != nil {
		return nil, fmt.Errorf("softkey: %w", err)
	}
	client, err := clientData("webauthn.create", o.Challenge, r.RPID)
	if err != nil {
		return nil, err
	}
	out, err := answer(r.ID, response{ClientData: client, Attestation: object, Transports: []string{"internal"}})
	if err == nil {
		k.body.Keys = append(k.body.Keys, r)
	}
	return out, err
}

// Get signs as options ask (PublicKeyCredentialRequestOptionsJSON) and returns
// PublicKeyCredential.toJSON(). Where options name no passkey the one made last
// for that host signs.
func (k *Key) Get(options []byte) ([]byte, error) {
	var o request
	if err := json.Unmarshal(options, &o); err != nil {
		return nil, fmt.Errorf("softkey: the options cannot be read: %w", err)
	}
	if len(o.Challenge) < 16 || len(o.Challenge) > 1024 {
		return nil, errors.New("softkey: the options hold no challenge")
	}
	var r *resident
	if len(o.Allow) == 0 {
		r = k.find(o.RPID, nil)
	}
	for _, x := range o.Allow {
		if len(x.ID) > 0 && r == nil {
			r = k.find(o.RPID, x.ID)
		}
	}
	if r == nil {
		return nil, fmt.Errorf("softkey: the key file has no passkey for this account at %s: use another file", o.RPID)
	}
	if k.body.Counts {
		r.Counter++
	}
	client, err := clientData("webauthn.get", o.Challenge, r.RPID)
	if err != nil {
		return nil, err
	}
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), r.Private)
	if err != nil {
		return nil, fmt.Errorf("softkey: %w", err)
	}
	data := r.authData(0)
	hash := sha256.Sum256(client)
	digest := sha256.Sum256(append(slices.Clone(data), hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, private, digest[:])
	if err != nil {
		return nil, fmt.Errorf("softkey: %w", err)
	}
	return answer(r.ID, response{ClientData: client, AuthData: data, Signature: signature, UserHandle: r.User})
}

// find returns the passkey for rpid called id, or the last one where id is nil.
func (k *Key) find(rpid string, id []byte) *resident {
	for i := len(k.body.Keys) - 1; i >= 0; i-- {
		if r := &k.body.Keys[i]; r.RPID == rpid && (id == nil || bytes.Equal(r.ID, id)) {
			return r
		}
	}
	return nil
}

// authData is the head of authenticator data: the person is present and verified.
func (r *resident) authData(flags byte) []byte {
	hash := sha256.Sum256([]byte(r.RPID))
	return binary.BigEndian.AppendUint32(append(hash[:], flags|1<<0|1<<2), r.Counter)
}

func clientData(kind string, challenge []byte, rpid string) ([]byte, error) {
	b, err := json.Marshal(struct {
		Type        string `json:"type"`
		Challenge   b64    `json:"challenge"`
		Origin      string `json:"origin"`
		CrossOrigin bool   `json:"crossOrigin"`
	}{kind, challenge, "https://" + rpid, false})
	if err != nil {
		return nil, fmt.Errorf("softkey: %w", err)
	}
	return b, nil
}
