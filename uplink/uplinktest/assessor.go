package uplinktest

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"veilbox/appliance/incident"
	"veilbox/internal/passkey"
	"veilbox/internal/passkey/softkey"
	"veilbox/uplink/wire"
)

// RPID is the host name that the assessors' passkeys are made for.
const RPID = "veilbox.local"

// An Assessor is a person with a passkey.
type Assessor struct {
	Person incident.PersonID
	Name   string
	Key    passkey.Key
	soft   *softkey.Key
}

// NewAssessor makes a passkey that nobody knows yet.
func NewAssessor(person string) *Assessor { return newAssessor(person, RPID) }

func newAssessor(person, rpid string) *Assessor {
	a := &Assessor{Person: incident.PersonID(person), Name: "Ane " + person, soft: softkey.New(rand.Text())}
	challenge := []byte(rand.Text())
	resp, err := a.soft.Create(encode(map[string]any{
		"rp": map[string]string{"id": rpid, "name": "Veilbox"}, "user": map[string]string{"id": "dXNlcg", "name": person}, "challenge": b64(challenge)}))
	if err != nil {
		panic(err)
	}
	made, err := passkey.ParseMade(rpid, challenge, resp)
	if err != nil {
		panic(err)
	}
	a.Key = made.Key
	return a
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// ID is the name of the passkey.
func (a *Assessor) ID() wire.KeyID { return wire.KeyIDOf(a.Key) }

// Sign signs a challenge.
func (a *Assessor) Sign(challenge []byte) passkey.Assertion {
	if len(challenge) == 0 {
		challenge = make([]byte, 32) // a manifest that has nothing to sign
	}
	resp, err := a.soft.Get(encode(map[string]any{"rpId": a.Key.RPID, "challenge": b64(challenge), "allowCredentials": []any{map[string]string{"type": "public-key", "id": b64(a.Key.ID)}}}))
	if err != nil {
		panic(err)
	}
	x, err := passkey.ParseAssertion(resp)
	if err != nil {
		panic(err)
	}
	return x
}

// Request is how b asks for the registration of a.
func (w *World) Request(b *Box, a *Assessor) wire.AssessorRequest {
	return wire.AssessorRequest{Version: wire.Version, Person: a.Person, Name: a.Name, Key: a.Key, File: true,
		Qualification: w.Qualification(), Possession: a.Sign(wire.PossessionChallenge(b.Member, a.Person, a.Key))}
}

// Assessor registers an assessor of b's member and, where confirmed is set, has
// the operator confirm it.
func (w *World) Assessor(b *Box, person string, confirmed bool) *Assessor {
	w.T.Helper()
	a := NewAssessor(person)
	_, err := b.Link.RegisterAssessor(w.T.Context(), w.Request(b, a))
	w.must(err)
	if confirmed {
		w.must(w.Decide(b, a, "confirm"))
	}
	return a
}

// Decide has the operator confirm or revoke an assessor of b's member.
func (w *World) Decide(b *Box, a *Assessor, act string) error {
	w.T.Helper()
	return w.Op("POST", fmt.Sprintf("/api/v1/assessors/%s/%s/%s", b.Member, a.ID(), act), map[string]string{"reason": "eksamensbevis set"}, nil)
}
