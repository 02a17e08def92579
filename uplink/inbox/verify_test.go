package inbox

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"veilbox/internal/passkey"
	"veilbox/uplink/wire"
)

// What was disclosed before passkeys is read until it ends, with the keys of that
// time, and with no other's.
func TestOlderManifestsRunOn(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "wire", "testdata", "manifest-2.json"))
	if err != nil {
		t.Fatal(err)
	}
	var sm wire.SignedManifest
	if err := json.Unmarshal(b, &sm); err != nil {
		t.Fatal(err)
	}
	m, err := sm.Parse()
	if err != nil {
		t.Fatal(err)
	}
	public := func(b byte) []byte {
		return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, 32)).Public().(ed25519.PublicKey)
	}
	old := wire.AssessorKey{Person: m.Assessor.ID, ID: m.Assessor.Key, Ed25519: public(2), State: wire.AssessorReplaced}
	pending, another, person, modern := old, old, old, old
	pending.State = wire.AssessorPending
	another.Ed25519 = public(3)
	person.Person = "bo"
	modern.Key, modern.Ed25519 = &passkey.Key{ID: public(2), Public: public(2), RPID: "x.example"}, nil
	for name, tt := range map[string]struct {
		key  wire.AssessorKey
		want error
	}{
		"the key of then":          {old, nil},
		"a key that waits":         {pending, wire.ErrAssessorSignature},
		"another key of its name":  {another, wire.ErrAssessorSignature},
		"another person's":         {person, wire.ErrAssessorSignature},
		"a passkey under its name": {modern, wire.ErrAssessorSignature},
	} {
		d := wire.Directory{Members: []wire.Member{{ID: m.Sender, Boxes: []wire.BoxKeys{{Box: m.Box, Signing: public(1)}}, Assessors: []wire.AssessorKey{tt.key}}}}
		if _, err := verify(d, sm, m.Created); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
