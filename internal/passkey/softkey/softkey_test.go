package softkey

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"veilbox/internal/passkey"
)

const rpid = "veilbox.local"

var challenge = bytes.Repeat([]byte{3}, 32)

func creationFor(rp string, exclude ...[]byte) []byte {
	var list []string
	for _, x := range exclude {
		list = append(list, fmt.Sprintf(`{"type":"public-key","id":%q}`, base64.RawURLEncoding.EncodeToString(x)))
	}
	return fmt.Appendf(nil, `{"rp":{"id":%q,"name":"Veilbox"},"user":{"id":"AAEC","name":"mette","displayName":"Mette"},"challenge":%q,"pubKeyCredParams":[{"type":"public-key","alg":-7}],"excludeCredentials":[%s]}`,
		rp, base64.RawURLEncoding.EncodeToString(challenge), strings.Join(list, ","))
}

func requestFor(rp string, allow ...[]byte) []byte {
	var list []string
	for _, x := range allow {
		list = append(list, fmt.Sprintf(`{"type":"public-key","id":%q}`, base64.RawURLEncoding.EncodeToString(x)))
	}
	return fmt.Appendf(nil, `{"rpId":%q,"challenge":%q,"userVerification":"required","allowCredentials":[%s]}`, rp, base64.RawURLEncoding.EncodeToString(challenge), strings.Join(list, ","))
}

func made(t *testing.T, k *Key) passkey.Made {
	t.Helper()
	response, err := k.Create(creationFor(rpid))
	if err != nil {
		t.Fatal(err)
	}
	m, err := passkey.ParseMade(rpid, challenge, response)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func got(t *testing.T, k *Key, m passkey.Made, options []byte) passkey.Seen {
	t.Helper()
	response, err := k.Get(options)
	if err != nil {
		t.Fatal(err)
	}
	a, err := passkey.ParseAssertion(response)
	if err != nil {
		t.Fatal(err)
	}
	seen, err := passkey.Verify(m.Key, challenge, a)
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

func TestRoundTrip(t *testing.T) {
	const phrase = "tre ugler i regnvejr"
	k := New(phrase)
	m := made(t, k)
	if m.AAGUID != passkey.FileAAGUID || m.Seen.BackedUp {
		t.Errorf("%+v", m)
	}
	if seen := got(t, k, m, requestFor(rpid)); seen.Counter != 0 {
		t.Errorf("counted to %d without being told to", seen.Counter)
	}
	second := made(t, k)
	got(t, k, second, requestFor(rpid))
	got(t, k, m, requestFor(rpid, make([]byte, 32), m.Key.ID))
	k.Count()
	got(t, k, m, requestFor(rpid, m.Key.ID))

	var file bytes.Buffer
	if err := k.Write(&file); err != nil {
		t.Fatal(err)
	}
	again, err := Read(bytes.NewReader(file.Bytes()), phrase)
	if err != nil {
		t.Fatal(err)
	}
	if seen := got(t, again, m, requestFor(rpid, m.Key.ID)); seen.Counter != 2 {
		t.Errorf("the counter went on to %d", seen.Counter)
	}
	if ids := again.RPIDs(); len(ids) != 1 || ids[0] != rpid {
		t.Errorf("%q", ids)
	}
	if _, err := Read(bytes.NewReader(file.Bytes()), "another phrase"); err == nil {
		t.Error("another pass phrase opened the file")
	}
	if bytes.Contains(file.Bytes(), []byte(rpid)) || bytes.Contains(file.Bytes(), []byte("mette")) {
		t.Error("the file says what it is for")
	}
}

func TestRefusals(t *testing.T) {
	k := New("")
	m := made(t, k)
	if err := k.Write(&bytes.Buffer{}); err == nil {
		t.Error("written without a pass phrase")
	}
	for name, options := range map[string][]byte{
		"a second of the account": creationFor(rpid, m.Key.ID),
		"an address":              creationFor("10.0.0.1"),
		"not JSON":                []byte("x"),
		"no challenge":            []byte(`{"rp":{"id":"veilbox.local"},"user":{"id":"AAEC"}}`),
		"another algorithm":       bytes.Replace(creationFor(rpid), []byte("-7"), []byte("-8"), 1),
	} {
		if _, err := k.Create(options); err == nil {
			t.Errorf("%s: made", name)
		}
	}
	for name, options := range map[string][]byte{
		"another host":       requestFor("evil.example"),
		"another credential": requestFor(rpid, make([]byte, 32)),
		"an empty name":      requestFor(rpid, nil),
		"not JSON":           []byte("x"),
		"no challenge":       []byte(`{"rpId":"veilbox.local"}`),
	} {
		if _, err := k.Get(options); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"version":1,"memory_kib":8,"time":1,"salt":"AAAAAAAAAAAAAAAAAAAAAA==","sealed":"AQ=="}`))
	f.Add([]byte(`{"version":2}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 4096 || bytes.Contains(b, []byte("000")) {
			return // a high cost is bounded, but not by what a fuzzer can wait for
		}
		if k, err := Read(bytes.NewReader(b), "x"); err == nil {
			t.Errorf("opened: %+v", k)
		}
	})
}

func FuzzOptions(f *testing.F) {
	f.Add(creationFor(rpid))
	f.Add(requestFor(rpid))
	f.Fuzz(func(t *testing.T, b []byte) {
		k := New("")
		_, madeErr := k.Create(b)
		if madeErr != nil && len(k.body.Keys) != 0 {
			t.Error("a passkey was kept that was refused")
		}
		if _, err := k.Get(b); err == nil && madeErr != nil {
			t.Error("signed without a passkey")
		}
	})
}
