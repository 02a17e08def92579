package passkey

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"errors"
	"fmt"

	"github.com/go-webauthn/webauthn/protocol/webauthncbor"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
)

// Algorithms is the COSE algorithms taken (RFC 9053, RFC 8812), the one liked
// best first.
var Algorithms = []int{int(webauthncose.AlgES256), int(webauthncose.AlgEdDSA), int(webauthncose.AlgRS256)}

// parseCOSE returns the public key that b holds, in one of webauthncose's types.
// The library knows more algorithms than were asked for, and takes an RSA key of
// any size and exponent: a short one is forged, a long one keeps the box busy.
func parseCOSE(b []byte) (any, error) {
	public, err := webauthncose.ParsePublicKey(b)
	if err != nil {
		return nil, fmt.Errorf("passkey: the public key cannot be read: %w: use another passkey", err)
	}
	var alg int64
	ok := false
	switch k := public.(type) {
	case webauthncose.EC2PublicKeyData:
		alg, ok = k.Algorithm, k.Algorithm == int64(webauthncose.AlgES256)
	case webauthncose.OKPPublicKeyData:
		alg, ok = k.Algorithm, k.Algorithm == int64(webauthncose.AlgEdDSA)
	case webauthncose.RSAPublicKeyData:
		alg, ok = k.Algorithm, k.Algorithm == int64(webauthncose.AlgRS256) && soundRSA(k)
	}
	if !ok {
		return nil, fmt.Errorf("passkey: a public key of algorithm %d: use a passkey of ES256, EdDSA or RS256", alg)
	}
	return public, nil
}

// soundRSA reports whether k is of 2048 to 4096 bits, and odd where it must be.
func soundRSA(k webauthncose.RSAPublicKeyData) bool {
	n := k.Modulus
	if len(n) < 256 || len(n) > 512 || n[0] == 0 || len(n) == 256 && n[0] < 0x80 || n[len(n)-1]&1 == 0 || len(k.Exponent) > 4 {
		return false
	}
	e, err := webauthncose.ParseRSAPublicKeyDataExponent(&k)
	return err == nil && e >= 3 && e <= 1<<31-1 && e&1 == 1
}

// COSE returns the COSE_Key of an ES256 key, for a software authenticator.
func COSE(p *ecdsa.PublicKey) ([]byte, error) {
	if p.Curve != elliptic.P256() {
		return nil, errors.New("passkey: not a key on P-256")
	}
	point, err := p.Bytes()
	if err != nil {
		return nil, fmt.Errorf("passkey: %w", err)
	}
	b, err := webauthncbor.Marshal(webauthncose.EC2PublicKeyData{
		PublicKeyData: webauthncose.PublicKeyData{KeyType: int64(webauthncose.EllipticKey), Algorithm: int64(webauthncose.AlgES256)},
		Curve:         int64(webauthncose.P256), XCoord: point[1:33], YCoord: point[33:65],
	})
	if err != nil {
		return nil, fmt.Errorf("passkey: %w", err)
	}
	return b, nil
}
