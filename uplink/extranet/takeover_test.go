package extranet_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"testing"
	"time"

	"veilbox/appliance/incident"
	"veilbox/capture/footage"
	"veilbox/internal/passkey"
	"veilbox/internal/passkey/softkey"
	"veilbox/uplink/uplinktest"
	"veilbox/uplink/wire"
)

// Who has taken a box over has its keys, its store, its sessions and everything
// that the assessor ever signed; not the assessor's passkey. Whatever is made of
// that, the extranet takes nothing.
func TestABoxTakenOverCannotApprove(t *testing.T) {
	s := three(t, uplinktest.Noon)
	ctx := t.Context()
	bo := s.Assessor(s.a, "bo", true)
	others := s.Assessor(s.b, "ole", true)
	// An approval that was given in earnest, and sent.
	old := s.Parcel(s.a, s.assessor, 100, s.b)
	s.Send(s.a, old)
	spent := s.assessor.Sign(old.Manifest.Challenge())
	// What else the assessor signs in a day's work.
	login := s.assessor.Sign([]byte(rand.Text()))
	possession := s.Request(s.a, s.assessor).Possession
	// The box's own passkey, registered under the assessor's name; the operator has
	// not confirmed it.
	own := uplinktest.NewAssessor("ane")
	_, err := s.a.Link.RegisterAssessor(ctx, s.Request(s.a, own))
	must(t, err)

	copied := func(m wire.Manifest) wire.Manifest { // the old one, as it would be changed
		m.Disclosure = incident.DisclosureID(wire.NewID())
		return m
	}
	with := func(a passkey.Assertion, f func(m *wire.Manifest)) func(p *uplinktest.Parcel) wire.SignedManifest {
		return func(p *uplinktest.Parcel) wire.SignedManifest {
			if f != nil {
				f(&p.Manifest)
			}
			return uplinktest.SignBox(p.Manifest, s.a.Signing, &a)
		}
	}
	// replay puts one change into the very manifest that was approved
	replay := func(f func(m *wire.Manifest)) func(p *uplinktest.Parcel) wire.SignedManifest {
		return func(p *uplinktest.Parcel) wire.SignedManifest {
			box, content, alert := p.Manifest.Box, p.Manifest.Content, p.Manifest.Alert
			p.Manifest = copied(old.Manifest)
			p.Manifest.Box, p.Manifest.Content, p.Manifest.Alert = box, content, alert
			f(&p.Manifest)
			p.Envelope.Disclosure = p.Manifest.Disclosure
			return uplinktest.SignBox(p.Manifest, s.a.Signing, &spent)
		}
	}
	changed := func(f func(a *passkey.Assertion)) func(p *uplinktest.Parcel) wire.SignedManifest {
		return func(p *uplinktest.Parcel) wire.SignedManifest {
			a := s.assessor.Sign(p.Manifest.Challenge())
			a.AuthData, a.ClientData = bytes.Clone(a.AuthData), bytes.Clone(a.ClientData)
			f(&a)
			return uplinktest.SignBox(p.Manifest, s.a.Signing, &a)
		}
	}
	as := func(a *uplinktest.Assessor, sign func(challenge []byte) passkey.Assertion) func(p *uplinktest.Parcel) wire.SignedManifest {
		return func(p *uplinktest.Parcel) wire.SignedManifest {
			p.Manifest.Assessor = wire.Assessor{ID: "ane", Name: "Ane ane", Key: a.ID()}
			x := sign(p.Manifest.Challenge())
			return uplinktest.SignBox(p.Manifest, s.a.Signing, &x)
		}
	}
	elsewhere := foreignKey(t, "evil.example")
	for _, tt := range []struct {
		name, code string
		sign       func(p *uplinktest.Parcel) wire.SignedManifest
	}{
		{"no approval", "disclosure.assessor-signature", func(p *uplinktest.Parcel) wire.SignedManifest {
			return uplinktest.SignBox(p.Manifest, s.a.Signing, nil)
		}},
		{"the box's signature as the approval", "disclosure.assessor-signature", func(p *uplinktest.Parcel) wire.SignedManifest {
			sm := uplinktest.SignBox(p.Manifest, s.a.Signing, nil)
			sm.Assessor = sm.Box
			return sm
		}},
		{"a log-in as the approval", "disclosure.assessor-signature", with(login, nil)},
		{"the proof of possession as the approval", "disclosure.assessor-signature", with(possession, nil)},
		{"an old approval for this", "disclosure.assessor-signature", with(spent, nil)},
		{"an old approval, another disclosure", "disclosure.assessor-signature", replay(func(*wire.Manifest) {})},
		{"an old approval, another copy", "disclosure.assessor-signature", replay(func(m *wire.Manifest) { m.Copy = footage.CopyHash{Hash: uplinktest.Hash("all in the clear")} })},
		{"an old approval, another text", "disclosure.assessor-signature", replay(func(m *wire.Manifest) { m.Text = uplinktest.Hash("another text") })},
		{"an old approval, a wider circle", "disclosure.assessor-signature", replay(func(m *wire.Manifest) { m.Circle.Members = append(m.Circle.Members, "c") })},
		{"an old approval, another end", "disclosure.assessor-signature", replay(func(m *wire.Manifest) { m.NotAfter = m.NotAfter.Add(-time.Second) })},
		{"an old approval, made anew", "disclosure.assessor-signature", replay(func(m *wire.Manifest) {
			m.Created, m.NotAfter = m.Created.Add(time.Second), m.NotAfter.Add(time.Second)
		})},
		{"an old approval, another case", "disclosure.assessor-signature", replay(func(m *wire.Manifest) { m.Case = incident.CaseID(wire.NewID()) })},
		{"an old approval, sound kept", "disclosure.assessor-signature", replay(func(m *wire.Manifest) { m.Shows.Sound = wire.Sound{Kept: true, Reason: "x"} })},
		{"the person not verified", "disclosure.assessor-signature", changed(func(a *passkey.Assertion) { a.AuthData[32] &^= 4 })},
		{"the page of another origin", "disclosure.assessor-signature", changed(func(a *passkey.Assertion) {
			a.ClientData = bytes.Replace(a.ClientData, []byte("https://"+uplinktest.RPID), []byte("https://evil.example"), 1)
		})},
		{"another challenge written in", "disclosure.assessor-signature", func(p *uplinktest.Parcel) wire.SignedManifest {
			a := login
			a.ClientData = rechallenge(t, login.ClientData, p.Manifest.Challenge())
			return uplinktest.SignBox(p.Manifest, s.a.Signing, &a)
		}},
		{"another RP ID's key under the same name", "disclosure.assessor-signature", func(p *uplinktest.Parcel) wire.SignedManifest {
			a := elsewhere(p.Manifest.Challenge())
			a.Credential = s.assessor.Key.ID
			return uplinktest.SignBox(p.Manifest, s.a.Signing, &a)
		}},
		{"another person's confirmed key, named as theirs", "disclosure.assessor-unknown", as(bo, bo.Sign)},
		{"another person's confirmed key, under this key's name", "disclosure.assessor-signature", as(s.assessor, bo.Sign)},
		{"another shop's confirmed key", "disclosure.assessor-unknown", as(others, others.Sign)},
		{"the box's own key, not confirmed", "disclosure.assessor-unconfirmed", as(own, own.Sign)},
		{"the box's own key, under the confirmed one's name", "disclosure.assessor-signature", as(s.assessor, own.Sign)},
		{"the box's own key, never registered", "disclosure.assessor-unknown", as(uplinktest.NewAssessor("ane"), own.Sign)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := s.parcel(100)
			sm := tt.sign(p)
			_, err := s.a.Link.Submit(ctx, wire.SubmitRequest{Version: wire.Version, Manifest: sm, Envelope: p.Envelope})
			wantCode(t, err, tt.code)
		})
	}

	t.Run("the confirmed key replaced by the box", func(t *testing.T) {
		// The same name of a credential, another public half: it is another key.
		fake := s.Request(s.a, own)
		fake.Key.ID = s.assessor.Key.ID
		_, err := s.a.Link.RegisterAssessor(ctx, fake)
		wantCode(t, err, "message")
		// The confirmed key for a person that the box invents.
		taken := s.Request(s.a, s.assessor)
		taken.Person = "p9"
		taken.Possession = s.assessor.Sign(wire.PossessionChallenge("a", "p9", s.assessor.Key))
		_, err = s.a.Link.RegisterAssessor(ctx, taken)
		wantCode(t, err, "assessor.taken")
		// Possession that another shop's box proved, or another person's.
		r := s.Request(s.b, s.assessor)
		_, err = s.a.Link.RegisterAssessor(ctx, r)
		wantCode(t, err, "message")
	})

	if list, err := s.a.Link.Inbox(ctx); err == nil && len(list.Items) > 1 {
		t.Fatalf("something refused was kept: %+v", list.Items)
	}
}

// foreignKey signs with a key for another host.
func foreignKey(t *testing.T, rpid string) func(challenge []byte) passkey.Assertion {
	k := softkey.New(rand.Text())
	b64 := base64.RawURLEncoding.EncodeToString
	_, err := k.Create([]byte(`{"rp":{"id":"` + rpid + `"},"user":{"id":"dXNlcg","name":"x"},"challenge":"` + b64([]byte(rand.Text())) + `"}`))
	must(t, err)
	return func(challenge []byte) passkey.Assertion {
		resp, err := k.Get([]byte(`{"rpId":"` + rpid + `","challenge":"` + b64(challenge) + `"}`))
		must(t, err)
		a, err := passkey.ParseAssertion(resp)
		must(t, err)
		return a
	}
}

// rechallenge writes another challenge into client data.
func rechallenge(t *testing.T, client, challenge []byte) []byte {
	var c map[string]any
	must(t, json.Unmarshal(client, &c))
	c["challenge"] = base64.RawURLEncoding.EncodeToString(challenge)
	b, err := json.Marshal(c)
	must(t, err)
	return b
}

// The extranet asks again what the box's pages showed: the same approval with
// other ciphertexts is the sender's to make, and recipients see that it is not
// what was approved (uplink/inbox). The same bytes again are the same disclosure.
func TestAnApprovalIsSpentOnce(t *testing.T) {
	s := three(t, uplinktest.Noon)
	p := s.parcel(100)
	approval := s.assessor.Sign(p.Manifest.Challenge())
	first := p.Submit()
	first.Manifest = uplinktest.SignBox(p.Manifest, s.a.Signing, &approval)
	_, err := s.a.Link.Submit(t.Context(), first)
	must(t, err)
	_, err = s.a.Link.Submit(t.Context(), first)
	must(t, err)
	p.Content = []byte("another ciphertext")
	p.Manifest.Content = wire.Content{Hash: sha256.Sum256(p.Content), Size: int64(len(p.Content))}
	again := p.Submit()
	again.Manifest = uplinktest.SignBox(p.Manifest, s.a.Signing, &approval)
	_, err = s.a.Link.Submit(t.Context(), again)
	wantCode(t, err, "disclosure.taken")
}
