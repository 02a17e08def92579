package passkey

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"strings"
	"testing"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncbor"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
)

const rpid = "veilbox.local"

// The flags of authenticator data, WebAuthn section 6.1.
const (
	flagPresent  = byte(protocol.FlagUserPresent)
	flagVerified = byte(protocol.FlagUserVerified)
	flagEligible = byte(protocol.FlagBackupEligible)
	flagBackedUp = byte(protocol.FlagBackupState)
	flagAttested = byte(protocol.FlagAttestedCredentialData)
	flagExtended = byte(protocol.FlagHasExtensions)

	authDataLen = 37 // hash of the RP ID, flags, counter
)

var challenge = bytes.Repeat([]byte{0xa5, 0xff}, 16)

// An authenticator signs whatever it is told to, unlike any that there is.
type authenticator struct {
	key  Key
	sign func(message []byte) []byte
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	b, err := webauthncbor.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func newES256(t testing.TB) authenticator {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := COSE(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return authenticator{Key{ID: bytes.Repeat([]byte{7}, 32), Public: public, RPID: rpid}, func(m []byte) []byte {
		h := sha256.Sum256(m)
		s, err := ecdsa.SignASN1(rand.Reader, private, h[:])
		if err != nil {
			t.Fatal(err)
		}
		return s
	}}
}

func newEdDSA(t testing.TB) authenticator {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cose := encode(t, map[int]any{1: 1, 3: -8, -1: 6, -2: []byte(public)})
	return authenticator{Key{ID: bytes.Repeat([]byte{8}, 16), Public: cose, RPID: rpid}, func(m []byte) []byte { return ed25519.Sign(private, m) }}
}

func rsaCOSE(t testing.TB, n *big.Int, e []byte) []byte {
	return encode(t, map[int]any{1: 3, 3: -257, -1: n.Bytes(), -2: e})
}

func newRS256(t testing.TB) authenticator {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return authenticator{Key{ID: bytes.Repeat([]byte{9}, 64), Public: rsaCOSE(t, private.N, []byte{1, 0, 1}), RPID: rpid}, func(m []byte) []byte {
		h := sha256.Sum256(m)
		s, err := rsa.SignPKCS1v15(rand.Reader, private, crypto.SHA256, h[:])
		if err != nil {
			t.Fatal(err)
		}
		return s
	}}
}

// said is what a browser and an authenticator say; a test spoils one thing.
type said struct {
	client  map[string]any
	rpid    string
	flags   byte
	counter uint32
	after   []byte
}

func honest(kind string) said {
	return said{
		client: map[string]any{"type": kind, "challenge": base64.RawURLEncoding.EncodeToString(challenge), "origin": "https://" + rpid, "crossOrigin": false},
		rpid:   rpid, flags: flagPresent | flagVerified,
	}
}

func (s said) data() []byte {
	h := sha256.Sum256([]byte(s.rpid))
	return append(binary.BigEndian.AppendUint32(append(h[:], s.flags), s.counter), s.after...)
}

func (a authenticator) get(t testing.TB, s said) Assertion {
	t.Helper()
	client, err := json.Marshal(s.client)
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.Sum256(client)
	data := s.data()
	return Assertion{Credential: a.key.ID, ClientData: client, AuthData: data, Signature: a.sign(append(bytes.Clone(data), h[:]...))}
}

func TestVerify(t *testing.T) {
	kinds := map[string]authenticator{"ES256": newES256(t), "EdDSA": newEdDSA(t), "RS256": newRS256(t)}
	for name, a := range kinds {
		s := honest("webauthn.get")
		s.counter, s.flags = 7, s.flags|flagEligible|flagBackedUp
		seen, err := Verify(a.key, challenge, a.get(t, s))
		if err != nil || seen != (Seen{UserVerified: true, BackedUp: true, Counter: 7}) {
			t.Errorf("%s: %+v %v", name, seen, err)
		}
	}
	a := kinds["ES256"]
	for _, c := range []struct {
		name  string
		spoil func(*said)
		ok    bool
	}{
		{"honest", func(*said) {}, true},
		{"another port", func(s *said) { s.client["origin"] = "https://veilbox.local:8443" }, true},
		{"with an extension", func(s *said) { s.flags |= flagExtended; s.after = encode(t, map[string]any{"credProtect": 2}) }, true},
		{"members not known", func(s *said) { s.client["other_keys_can_be_added_here"] = "x" }, true},
		{"eligible and not backed up", func(s *said) { s.flags |= flagEligible }, true},
		{"made, not got", func(s *said) { s.client["type"] = "webauthn.create" }, false},
		{"another challenge", func(s *said) { s.client["challenge"] = base64.RawURLEncoding.EncodeToString(make([]byte, 32)) }, false},
		{"a padded challenge", func(s *said) { s.client["challenge"] = base64.URLEncoding.EncodeToString(challenge) }, false},
		{"no challenge", func(s *said) { delete(s.client, "challenge") }, false},
		{"plain http", func(s *said) { s.client["origin"] = "http://veilbox.local" }, false},
		{"another host", func(s *said) { s.client["origin"] = "https://veilbox.local.evil.example" }, false},
		{"a host below", func(s *said) { s.client["origin"] = "https://x.veilbox.local" }, false},
		{"with a user", func(s *said) { s.client["origin"] = "https://veilbox.local@evil.example" }, false},
		{"with a user of its own", func(s *said) { s.client["origin"] = "https://x@veilbox.local" }, false},
		{"with a path", func(s *said) { s.client["origin"] = "https://veilbox.local/x" }, false},
		{"with an empty port", func(s *said) { s.client["origin"] = "https://veilbox.local:" }, false},
		{"a port out of range", func(s *said) { s.client["origin"] = "https://veilbox.local:70000" }, false},
		{"no origin", func(s *said) { delete(s.client, "origin") }, false},
		{"in a frame of another", func(s *said) { s.client["crossOrigin"] = true }, false},
		{"below another page", func(s *said) { s.client["topOrigin"] = "https://evil.example" }, false},
		{"another RP", func(s *said) { s.rpid = "evil.example" }, false},
		{"not present", func(s *said) { s.flags &^= flagPresent }, false},
		{"not verified", func(s *said) { s.flags &^= flagVerified }, false},
		{"backed up and not eligible", func(s *said) { s.flags |= flagBackedUp }, false},
		{"with a key", func(s *said) { s.flags |= flagAttested; s.after = make([]byte, 18) }, false},
		{"trailing bytes", func(s *said) { s.after = []byte{0} }, false},
		{"extensions missing", func(s *said) { s.flags |= flagExtended }, false},
		{"extensions and more", func(s *said) { s.flags |= flagExtended; s.after = append(encode(t, map[string]any{}), 0) }, false},
		{"extensions that are none", func(s *said) { s.flags |= flagExtended; s.after = []byte{0x01} }, false},
		{"very long client data", func(s *said) { s.client["x"] = strings.Repeat("x", MaxClientData) }, false},
	} {
		s := honest("webauthn.get")
		c.spoil(&s)
		if _, err := Verify(a.key, challenge, a.get(t, s)); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	good := a.get(t, honest("webauthn.get"))
	for name, spoil := range map[string]func(k *Key, a *Assertion){
		"another key":         func(k *Key, _ *Assertion) { k.Public = newES256(t).key.Public },
		"another kind of key": func(k *Key, _ *Assertion) { k.Public = kinds["EdDSA"].key.Public },
		"another credential":  func(_ *Key, a *Assertion) { a.Credential = bytes.Repeat([]byte{1}, 32) },
		"a flipped bit":       func(_ *Key, a *Assertion) { a.Signature = bytes.Clone(a.Signature); a.Signature[20] ^= 1 },
		"no signature":        func(_ *Key, a *Assertion) { a.Signature = nil },
		"a long signature":    func(_ *Key, a *Assertion) { a.Signature = make([]byte, MaxSignature+1) },
		"trailing signature":  func(_ *Key, a *Assertion) { a.Signature = append(bytes.Clone(a.Signature), 0) },
		"other client data":   func(_ *Key, a *Assertion) { a.ClientData = append(bytes.Clone(a.ClientData), ' ') },
		"no client data":      func(_ *Key, a *Assertion) { a.ClientData = nil },
		"no data":             func(_ *Key, a *Assertion) { a.AuthData = a.AuthData[:36] },
		"a raised counter":    func(_ *Key, a *Assertion) { a.AuthData = bytes.Clone(a.AuthData); a.AuthData[36]++ },
		"another RPID":        func(k *Key, _ *Assertion) { k.RPID = "evil.example" },
		"a short name":        func(k *Key, a *Assertion) { k.ID, a.Credential = k.ID[:15], k.ID[:15] },
	} {
		k, x := a.key, good
		spoil(&k, &x)
		if _, err := Verify(k, challenge, x); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if _, err := Verify(a.key, nil, good); err == nil {
		t.Error("a signature over no challenge was taken")
	}
}

func TestCheck(t *testing.T) {
	good := newES256(t).key
	p256 := func(x, y []byte) []byte { return encode(t, map[int]any{1: 2, 3: -7, -1: 1, -2: x, -3: y}) }
	odd := new(big.Int).SetBit(new(big.Int).SetBit(new(big.Int), 2047, 1), 0, 1)
	for name, c := range map[string]struct {
		spoil func(*Key)
		ok    bool
	}{
		"good":                  {func(*Key) {}, true},
		"short name":            {func(k *Key) { k.ID = make([]byte, 15) }, false},
		"long name":             {func(k *Key) { k.ID = make([]byte, 1024) }, false},
		"no key":                {func(k *Key) { k.Public = nil }, false},
		"a long key":            {func(k *Key) { k.Public = make([]byte, MaxPublic+1) }, false},
		"not CBOR":              {func(k *Key) { k.Public = []byte("key") }, false},
		"trailing bytes":        {func(k *Key) { k.Public = append(bytes.Clone(k.Public), 0) }, false},
		"no point of the curve": {func(k *Key) { k.Public = p256(bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{1}, 32)) }, false},
		"the point at infinity": {func(k *Key) { k.Public = p256(make([]byte, 32), make([]byte, 32)) }, false},
		"short coordinates":     {func(k *Key) { k.Public = p256([]byte{1}, []byte{2}) }, false},
		"P-384": {func(k *Key) {
			k.Public = encode(t, map[int]any{1: 2, 3: -35, -1: 2, -2: make([]byte, 48), -3: make([]byte, 48)})
		}, false},
		"Ed25519, short":     {func(k *Key) { k.Public = encode(t, map[int]any{1: 1, 3: -8, -1: 6, -2: make([]byte, 31)}) }, false},
		"RSA 2048":           {func(k *Key) { k.Public = rsaCOSE(t, odd, []byte{1, 0, 1}) }, true},
		"RSA 1024":           {func(k *Key) { k.Public = rsaCOSE(t, new(big.Int).Rsh(odd, 1024), []byte{1, 0, 1}) }, false},
		"RSA, even exponent": {func(k *Key) { k.Public = rsaCOSE(t, odd, []byte{2}) }, false},
		"RSA, exponent 1":    {func(k *Key) { k.Public = rsaCOSE(t, odd, []byte{1}) }, false},
		"RSA with SHA-1":     {func(k *Key) { k.Public = encode(t, map[int]any{1: 3, 3: -65535, -1: odd.Bytes(), -2: []byte{1, 0, 1}}) }, false},
		"RSA 8192": {func(k *Key) {
			k.Public = rsaCOSE(t, new(big.Int).SetBit(new(big.Int).Set(odd), 8191, 1), []byte{1, 0, 1})
		}, false},
		"RSA, a long exponent": {func(k *Key) { k.Public = rsaCOSE(t, odd, []byte{1, 0, 0, 0, 1}) }, false},
		"RSA, even modulus":    {func(k *Key) { k.Public = rsaCOSE(t, new(big.Int).Sub(odd, big.NewInt(1)), []byte{1, 0, 1}) }, false},
		"RSA with PSS":         {func(k *Key) { k.Public = encode(t, map[int]any{1: 3, 3: -37, -1: odd.Bytes(), -2: []byte{1, 0, 1}}) }, false},
		"ESP256": {func(k *Key) {
			x := elliptic.P256().Params()
			k.Public = encode(t, map[int]any{1: 2, 3: -9, -1: 1, -2: x.Gx.Bytes(), -3: x.Gy.Bytes()})
		}, false},
		"Ed25519 under its own name": {func(k *Key) {
			k.Public = encode(t, map[int]any{1: 1, 3: -19, -1: 6, -2: bytes.Repeat([]byte{1}, 32)})
		}, false},
		"an address":     {func(k *Key) { k.RPID = "192.168.1.2" }, false},
		"IPv6":           {func(k *Key) { k.RPID = "::1" }, false},
		"localhost":      {func(k *Key) { k.RPID = "localhost" }, true},
		"capitals":       {func(k *Key) { k.RPID = "Veilbox.local" }, false},
		"a port":         {func(k *Key) { k.RPID = "veilbox.local:1" }, false},
		"no host":        {func(k *Key) { k.RPID = "" }, false},
		"an empty label": {func(k *Key) { k.RPID = "veilbox..local" }, false},
		"a long host":    {func(k *Key) { k.RPID = strings.Repeat("a.", 127) + "a" }, false},
	} {
		k := good
		c.spoil(&k)
		if err := k.Check(); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	for _, a := range []authenticator{newES256(f), newEdDSA(f), newRS256(f)} {
		x := a.get(f, honest("webauthn.get"))
		f.Add(a.key.Public, x.ClientData, x.AuthData, x.Signature)
	}
	f.Fuzz(func(t *testing.T, public, client, data, signature []byte) {
		k := Key{ID: make([]byte, 16), Public: public, RPID: rpid}
		seen, err := Verify(k, challenge, Assertion{k.ID, client, data, signature})
		if err == nil && (!seen.UserVerified || k.Check() != nil) {
			t.Errorf("%+v", seen)
		}
	})
}

// The test vectors of WebAuthn Level 3, section 16, for example.org. Two of the
// signatures were made without the person verified: they hold, and are refused.
func TestVectors(t *testing.T) {
	type hexed = map[string]string
	var all struct{ Made, Signed map[string]hexed }
	text, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	raw := func(v hexed, name string) []byte {
		t.Helper()
		b, err := hex.DecodeString(v[name])
		if err != nil || len(b) == 0 {
			t.Fatal(name, err)
		}
		return b
	}
	if len(all.Made) != 1 || len(all.Signed) != 3 {
		t.Fatalf("%d and %d vectors", len(all.Made), len(all.Signed))
	}
	for name, v := range all.Made {
		e := base64.RawURLEncoding.EncodeToString
		response := fmt.Appendf(nil, `{"id":%q,"rawId":%[1]q,"type":"public-key","response":{"clientDataJSON":%q,"attestationObject":%q}}`,
			e(raw(v, "credential")), e(raw(v, "client_data")), e(raw(v, "object")))
		m, err := ParseMade("example.org", raw(v, "challenge"), response)
		if err != nil || !bytes.Equal(m.Key.ID, raw(v, "credential")) || !m.Seen.BackedUp || m.AAGUID[0] != 0xdf {
			t.Errorf("%s: %+v %v", name, m, err)
		}
	}
	for name, v := range all.Signed {
		k := Key{ID: raw(v, "credential"), Public: raw(v, "public"), RPID: "example.org"}
		public, err := parseCOSE(k.Public)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		x := Assertion{k.ID, raw(v, "client_data"), raw(v, "auth_data"), raw(v, "signature")}
		hash := sha256.Sum256(x.ClientData)
		if holds, err := webauthncose.VerifySignature(public, append(bytes.Clone(x.AuthData), hash[:]...), x.Signature); err != nil || !holds {
			t.Errorf("%s: the signature does not hold: %v", name, err)
		}
		seen, err := Verify(k, raw(v, "challenge"), x)
		if verified := x.AuthData[32]&flagVerified != 0; verified != (err == nil) || !verified && !errors.Is(err, errUser) || seen.UserVerified != verified {
			t.Errorf("%s: %+v %v", name, seen, err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	a := newES256(b)
	x := a.get(b, honest("webauthn.get"))
	for b.Loop() {
		if _, err := Verify(a.key, challenge, x); err != nil {
			b.Fatal(err)
		}
	}
}
