package passkey

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"

	"github.com/fxamacker/cbor/v2"
)

// COSE algorithms (RFC 9053, RFC 8812).
const (
	algES256 = -7
	algEdDSA = -8
	algRS256 = -257
)

// Algorithms is the COSE algorithms taken, the one liked best first.
var Algorithms = []int{algES256, algEdDSA, algRS256}

// decoder reads the CTAP2 canonical form: no indefinite lengths, no tags, no key
// twice, and few levels.
var decoder = func() cbor.DecMode {
	m, err := cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, MaxNestedLevels: 8, MaxArrayElements: 64, MaxMapPairs: 64,
		IndefLength: cbor.IndefLengthForbidden, TagsMd: cbor.TagsForbidden,
	}.DecMode()
	if err != nil {
		panic(err) // the options above are constant
	}
	return m
}()

// coseKey is the members of a COSE_Key of the three kinds (RFC 9052, section 7;
// RFC 9053, sections 7.1 and 7.2; RFC 8230, section 4). Members -1 and -2 are
// the curve and x, or an RSA key's n and e.
type coseKey struct {
	Kty int64           `cbor:"1,keyasint"`
	Alg int64           `cbor:"3,keyasint"`
	M1  cbor.RawMessage `cbor:"-1,keyasint"`
	M2  []byte          `cbor:"-2,keyasint"`
	M3  []byte          `cbor:"-3,keyasint"`
}

// parseCOSE returns the public key that b holds: an *ecdsa.PublicKey on P-256,
// an ed25519.PublicKey or an *rsa.PublicKey of 2048 to 4096 bits.
func parseCOSE(b []byte) (crypto.PublicKey, error) {
	var k coseKey
	if err := decoder.Unmarshal(b, &k); err != nil {
		return nil, fmt.Errorf("passkey: the public key cannot be read: %w: use another passkey", err)
	}
	bad := fmt.Errorf("passkey: a public key of kind %d and algorithm %d: use a passkey of ES256, EdDSA or RS256", k.Kty, k.Alg)
	if k.Kty == 3 && k.Alg == algRS256 {
		var n []byte
		if err := decoder.Unmarshal(k.M1, &n); err != nil || len(n) > 512 || bits(n) < 2048 || n[0] == 0 || len(k.M2) == 0 || len(k.M2) > 4 {
			return nil, bad
		}
		e := int(new(big.Int).SetBytes(k.M2).Int64())
		if e < 3 || e > 1<<31-1 || e&1 == 0 || n[len(n)-1]&1 == 0 {
			return nil, bad
		}
		return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: e}, nil
	}
	var curve int64
	if err := decoder.Unmarshal(k.M1, &curve); err != nil {
		return nil, bad
	}
	switch {
	case k.Kty == 2 && k.Alg == algES256 && curve == 1 && len(k.M2) == 32 && len(k.M3) == 32:
		point := append(append([]byte{4}, k.M2...), k.M3...)
		p, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
		if err != nil {
			return nil, fmt.Errorf("passkey: the public key is no point of its curve: %w: use another passkey", err)
		}
		return p, nil
	case k.Kty == 1 && k.Alg == algEdDSA && curve == 6 && len(k.M2) == ed25519.PublicKeySize:
		return ed25519.PublicKey(k.M2), nil
	}
	return nil, bad
}

func bits(n []byte) int { return new(big.Int).SetBytes(n).BitLen() }

// COSE returns the COSE_Key of an ES256 key, for a software authenticator.
func COSE(p *ecdsa.PublicKey) ([]byte, error) {
	if p.Curve != elliptic.P256() {
		return nil, errors.New("passkey: not a key on P-256")
	}
	point, err := p.Bytes()
	if err != nil {
		return nil, fmt.Errorf("passkey: %w", err)
	}
	m, err := cbor.CTAP2EncOptions().EncMode()
	if err != nil {
		return nil, fmt.Errorf("passkey: %w", err)
	}
	return m.Marshal(map[int]any{1: 2, 3: algES256, -1: 1, -2: point[1:33], -3: point[33:65]})
}

// holds reports whether signature is public's over message.
func holds(public crypto.PublicKey, message, signature []byte) bool {
	hash := sha256.Sum256(message)
	switch p := public.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(p, hash[:], signature)
	case ed25519.PublicKey:
		return len(signature) == ed25519.SignatureSize && ed25519.Verify(p, message, signature)
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(p, crypto.SHA256, hash[:], signature) == nil
	}
	return false
}
