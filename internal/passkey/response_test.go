package passkey

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

func (a authenticator) create(t testing.TB, s said, id []byte) []byte {
	t.Helper()
	client, err := json.Marshal(s.client)
	if err != nil {
		t.Fatal(err)
	}
	object := encode(t, map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": s.data()})
	return fmt.Appendf(nil, `{"id":%q,"rawId":%[1]q,"type":"public-key","response":{"clientDataJSON":%q,"attestationObject":%q,"transports":["usb"]},"clientExtensionResults":{}}`,
		base64.RawURLEncoding.EncodeToString(id), base64.RawURLEncoding.EncodeToString(client), base64.RawURLEncoding.EncodeToString(object))
}

func (a authenticator) made() said {
	s := honest("webauthn.create")
	s.flags |= flagAttested
	s.after = append(make([]byte, 16), byte(len(a.key.ID)>>8), byte(len(a.key.ID)))
	s.after = append(append(s.after, a.key.ID...), a.key.Public...)
	return s
}

func TestParseMade(t *testing.T) {
	for _, a := range []authenticator{newES256(t), newEdDSA(t), newRS256(t)} {
		m, err := ParseMade(rpid, challenge, a.create(t, a.made(), a.key.ID))
		if err != nil || !bytes.Equal(m.Key.ID, a.key.ID) || !bytes.Equal(m.Key.Public, a.key.Public) || m.Key.RPID != rpid {
			t.Fatalf("%+v %v", m, err)
		}
		if _, err := Verify(m.Key, challenge, a.get(t, honest("webauthn.get"))); err != nil {
			t.Errorf("the key made does not verify: %v", err)
		}
	}
	a := newES256(t)
	for name, spoil := range map[string]func(*said){
		"got, not made":      func(s *said) { s.client["type"] = "webauthn.get" },
		"another challenge":  func(s *said) { s.client["challenge"] = "AAAA" },
		"another origin":     func(s *said) { s.client["origin"] = "https://evil.example" },
		"another RP":         func(s *said) { s.rpid = "evil.example" },
		"not verified":       func(s *said) { s.flags &^= flagVerified },
		"no key":             func(s *said) { s.flags &^= flagAttested },
		"nothing after":      func(s *said) { s.after = nil },
		"cut short":          func(s *said) { s.after = s.after[:len(s.after)-1] },
		"trailing bytes":     func(s *said) { s.after = append(s.after, 0) },
		"another credential": func(s *said) { s.after[20] ^= 1 },
		"a long name":        func(s *said) { s.after[16] = 0xff },
	} {
		s := a.made()
		spoil(&s)
		if _, err := ParseMade(rpid, challenge, a.create(t, s, a.key.ID)); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if _, err := ParseMade(rpid, challenge, a.create(t, a.made(), bytes.Repeat([]byte{1}, 32))); err == nil {
		t.Error("an answer under another name was taken")
	}
	if _, err := ParseMade("other.local", challenge, a.create(t, a.made(), a.key.ID)); err == nil {
		t.Error("a passkey for another box was taken")
	}
}

// Whatever attestation comes, the passkey is taken and the statement is not read.
func TestAttestationIsIgnored(t *testing.T) {
	a := newES256(t)
	var sent struct {
		ID, RawID, Type string
		Response        map[string]any
	}
	if err := json.Unmarshal(a.create(t, a.made(), a.key.ID), &sent); err != nil {
		t.Fatal(err)
	}
	for format, statement := range map[string]any{
		"packed":   map[string]any{"alg": -7, "sig": []byte("no signature"), "x5c": []any{[]byte("no certificate")}},
		"tpm":      map[string]any{"ver": "2.0"},
		"fido-u2f": map[string]any{},
		"none":     map[string]any{"sig": []byte{1}},
		"compound": []any{map[string]any{"fmt": "packed", "attStmt": map[string]any{}}},
		"unheard":  map[string]any{},
	} {
		object := encode(t, map[string]any{"fmt": format, "attStmt": statement, "authData": a.made().data()})
		sent.Response["attestationObject"] = base64.RawURLEncoding.EncodeToString(object)
		b, err := json.Marshal(sent)
		if err != nil {
			t.Fatal(err)
		}
		if m, err := ParseMade(rpid, challenge, b); err != nil || !bytes.Equal(m.Key.ID, a.key.ID) {
			t.Errorf("%s: %+v %v", format, m, err)
		}
	}
}

// What browsers take: PublicKeyCredentialCreationOptionsJSON and
// PublicKeyCredentialRequestOptionsJSON.
func TestOptions(t *testing.T) {
	made, err := CreationOptions(Creation{
		RPID: rpid, RPName: "Veilbox", UserID: []byte{1, 2}, User: "kirsten", UserName: "Kirsten", Challenge: challenge[:3],
		Exclude: [][]byte{{3}}, Timeout: 90 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := RequestOptions(rpid, challenge[:3], time.Minute, []byte{3})
	if err != nil {
		t.Fatal(err)
	}
	either, err := RequestOptions(rpid, challenge[:3], time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for have, want := range map[string]string{
		string(made): `{"rp":{"id":"veilbox.local","name":"Veilbox"},"user":{"id":"AQI","name":"kirsten","displayName":"Kirsten"},"challenge":"pf-l",
			"pubKeyCredParams":[{"type":"public-key","alg":-7},{"type":"public-key","alg":-8},{"type":"public-key","alg":-257}],"timeout":90000,
			"excludeCredentials":[{"type":"public-key","id":"Aw"}],"attestation":"none",
			"authenticatorSelection":{"residentKey":"required","requireResidentKey":true,"userVerification":"required"}}`,
		string(got):    `{"rpId":"veilbox.local","challenge":"pf-l","timeout":60000,"userVerification":"required","allowCredentials":[{"type":"public-key","id":"Aw"}]}`,
		string(either): `{"rpId":"veilbox.local","challenge":"pf-l","timeout":60000,"userVerification":"required"}`,
	} {
		var h, w map[string]any
		if err := errors.Join(json.Unmarshal([]byte(have), &h), json.Unmarshal([]byte(want), &w)); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(h, w) {
			t.Errorf("%s, not %s", have, want)
		}
	}
}

// response is what a browser sends of x.
func response(x Assertion) []byte {
	e := base64.RawURLEncoding.EncodeToString
	return fmt.Appendf(nil, `{"id":%q,"rawId":%[1]q,"type":"public-key","authenticatorAttachment":"platform","response":{"clientDataJSON":%q,"authenticatorData":%q,"signature":%q,"userHandle":null},"clientExtensionResults":{}}`,
		e(x.Credential), e(x.ClientData), e(x.AuthData), e(x.Signature))
}

func TestParseAssertion(t *testing.T) {
	a := newES256(t)
	want := a.get(t, honest("webauthn.get"))
	text := string(response(want))
	got, err := ParseAssertion([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(a.key, challenge, got); err != nil {
		t.Error(err)
	}
	long := base64.RawURLEncoding.EncodeToString(make([]byte, 1500))
	for name, bad := range map[string]string{
		"nothing":          "",
		"not JSON":         "x",
		"null":             "null",
		"another type":     strings.Replace(text, "public-key", "password", 1),
		"another id":       strings.Replace(text, `"id":"B`, `"id":"C`, 1),
		"no signature":     strings.Replace(text, "signature", "x", 1),
		"no data":          strings.Replace(text, "authenticatorData", "x", 1),
		"no client data":   strings.Replace(text, "clientDataJSON", "x", 1),
		"not base64":       strings.Replace(text, `"signature":"`, `"signature":"!`, 1),
		"a broken id":      strings.Replace(text, `"id":"B`, `"id":"\nB`, 1),
		"padded":           strings.Replace(text, `"rawId":"`, `"rawId":"====`, 1),
		"a long signature": strings.Replace(text, `"signature":"`, `"x":"","signature":"`+long, 1),
		"long":             text + strings.Repeat(" ", MaxResponse),
	} {
		if _, err := ParseAssertion([]byte(bad)); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func FuzzParseAssertion(f *testing.F) {
	f.Add(response(newES256(f).get(f, honest("webauthn.get"))))
	f.Add([]byte(`{"id":"","rawId":"","type":"public-key","response":{}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := ParseAssertion(b)
		if err == nil && (len(a.Credential) < MinID || len(a.Credential) > MaxID || len(a.AuthData) < authDataLen || len(a.AuthData) > MaxAuthData || len(a.Signature) > MaxSignature || len(a.ClientData) > MaxClientData) {
			t.Errorf("out of bounds: %+v", a)
		}
	})
}

func FuzzParseMade(f *testing.F) {
	for _, a := range []authenticator{newES256(f), newEdDSA(f)} {
		f.Add(a.create(f, a.made(), a.key.ID))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := ParseMade(rpid, challenge, b); err == nil && m.Key.Check() != nil {
			t.Errorf("a key that cannot be used: %+v", m)
		}
	})
}
