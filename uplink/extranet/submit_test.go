package extranet_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"veilbox/appliance/incident"
	"veilbox/internal/clock"
	"veilbox/uplink/extranet"
	"veilbox/uplink/uplinktest"
	"veilbox/uplink/wire"
)

func TestSubmitRefuses(t *testing.T) {
	s := three(t, uplinktest.Noon)
	_, stranger, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	pending := s.Assessor(s.a, "pia", false)
	revoked := s.Assessor(s.a, "rie", true)
	must(t, s.Decide(s.a, revoked, "revoke"))
	others := s.Assessor(s.b, "ole", true)
	unknown := uplinktest.NewAssessor("ane")
	type submit = wire.SubmitRequest
	by := func(person string, k *uplinktest.Assessor) func(p *uplinktest.Parcel) submit {
		return func(p *uplinktest.Parcel) submit {
			p.Manifest.Assessor = wire.Assessor{ID: incident.PersonID(person), Name: person, Key: k.ID()}
			r := p.Submit()
			r.Manifest = uplinktest.SignRaw(p.Manifest, s.a.Signing, k)
			return r
		}
	}
	change := func(f func(m *wire.Manifest)) func(p *uplinktest.Parcel) submit {
		return func(p *uplinktest.Parcel) submit { f(&p.Manifest); return p.Submit() }
	}
	tests := []struct {
		name, code string
		make       func(p *uplinktest.Parcel) submit
	}{
		{"box signature", "disclosure.box-signature", func(p *uplinktest.Parcel) submit {
			r := p.Submit()
			r.Manifest.Box[3] ^= 1
			return r
		}},
		{"box signed by another key", "disclosure.box-signature", func(p *uplinktest.Parcel) submit {
			r := p.Submit()
			r.Manifest = uplinktest.SignRaw(p.Manifest, stranger, s.assessor)
			return r
		}},
		{"assessor signature", "disclosure.assessor-signature", func(p *uplinktest.Parcel) submit {
			r := p.Submit()
			r.Manifest.Approval.Signature[9] ^= 1
			return r
		}},
		{"box's signature as the assessor's", "disclosure.assessor-signature", func(p *uplinktest.Parcel) submit {
			r := p.Submit()
			r.Manifest.Assessor, r.Manifest.Approval = r.Manifest.Box, nil
			return r
		}},
		{"manifest changed after signing", "disclosure.box-signature", func(p *uplinktest.Parcel) submit {
			r := p.Submit()
			r.Manifest.Manifest = bytes.Replace(r.Manifest.Manifest, []byte("Aarhus"), []byte("Odense"), 1)
			return r
		}},
		{"assessor unknown", "disclosure.assessor-unknown", by("ane", unknown)},
		{"assessor of another shop", "disclosure.assessor-unknown", by("ole", others)},
		{"assessor under another name", "disclosure.assessor-unknown", by("bo", s.assessor)},
		{"assessor unconfirmed", "disclosure.assessor-unconfirmed", by("pia", pending)},
		{"assessor revoked", "disclosure.assessor-ended", by("rie", revoked)},
		{"another member's box", "disclosure.sender", change(func(m *wire.Manifest) { m.Box = s.b.Identity.Box })},
		{"another sender", "disclosure.sender", change(func(m *wire.Manifest) { m.Sender = "c" })},
		{"condition not satisfied", "disclosure.condition", change(func(m *wire.Manifest) { m.Conditions[4].Satisfied = false })},
		{"condition missing", "disclosure.condition", change(func(m *wire.Manifest) { m.Conditions[8] = wire.Condition{} })},
		{"condition twice", "disclosure.condition", change(func(m *wire.Manifest) { m.Conditions[8] = m.Conditions[0] })},
		{"condition without evidence", "disclosure.condition", change(func(m *wire.Manifest) { m.Conditions[0].Evidence = [32]byte{} })},
		{"31 days", "disclosure.too-long", change(func(m *wire.Manifest) { m.NotAfter = m.Created.Add(31 * 24 * time.Hour) })},
		{"30 days and a second", "disclosure.too-long", change(func(m *wire.Manifest) { m.NotAfter = m.Created.Add(wire.MaxAge + time.Second) })},
		{"over already", "disclosure.over", change(func(m *wire.Manifest) {
			m.Created = m.Created.Add(-40 * 24 * time.Hour)
			m.NotAfter, m.ReportDue = m.Created.Add(wire.MaxAge), clock.EndOfDay(m.Created)
		})},
		{"made tomorrow", "disclosure.clock", change(func(m *wire.Manifest) {
			m.Created = m.Created.Add(24 * time.Hour)
			m.NotAfter, m.ReportDue = m.Created.Add(wire.MaxAge), clock.EndOfDay(m.Created)
		})},
		{"report due tomorrow", "disclosure.report-due", change(func(m *wire.Manifest) { m.ReportDue = m.ReportDue.Add(24 * time.Hour) })},
		{"made yesterday, never reported", "disclosure.report-missing", change(func(m *wire.Manifest) {
			m.Created = m.Created.Add(-24 * time.Hour)
			m.NotAfter, m.ReportDue = m.Created.Add(wire.MaxAge), clock.EndOfDay(m.Created)
		})},
		{"reported tomorrow", "disclosure.clock", change(func(m *wire.Manifest) { r := m.Created.Add(24 * time.Hour); m.Reported = &r })},
		{"empty circle", "disclosure.circle", change(func(m *wire.Manifest) { m.Circle.Members = nil })},
		{"only itself", "disclosure.circle", change(func(m *wire.Manifest) { m.Circle.Members = []incident.MemberID{"a"} })},
		{"unknown member", "disclosure.circle", change(func(m *wire.Manifest) { m.Circle.Members = append(m.Circle.Members, "nobody") })},
		{"circle without recipient", "disclosure.recipients", change(func(m *wire.Manifest) { m.Circle.Members = append(m.Circle.Members, "c") })},
		{"recipient outside the circle", "disclosure.recipients", change(func(m *wire.Manifest) { m.Circle.Members = []incident.MemberID{"c"} })},
		{"box of another member", "disclosure.recipients", func(p *uplinktest.Parcel) submit {
			p.Envelope.Keys[0].Box = s.c.Identity.Box
			return p.Submit()
		}},
		{"alert exchanged", "disclosure.recipients", func(p *uplinktest.Parcel) submit {
			p.Envelope.Alert = append([]byte{}, p.Envelope.Alert...)
			p.Envelope.Alert[20] ^= 1
			return p.Submit()
		}},
		{"too large", "disclosure.size", change(func(m *wire.Manifest) { m.Content.Size = extranet.Defaults().MaxContent + 1 })},
		{"a hash missing", "disclosure.malformed", change(func(m *wire.Manifest) { m.Proof.Hash = [32]byte{} })},
		{"another version", "disclosure.malformed", change(func(m *wire.Manifest) { m.Version = 4 })},
		{"of version 3 and silent on what it shows", "disclosure.malformed", change(func(m *wire.Manifest) { m.Shows = nil })},
		{"of version 1 and saying what it shows", "disclosure.malformed", change(func(m *wire.Manifest) { m.Version = 1 })},
		{"of version 3 without the text's hash", "disclosure.malformed", change(func(m *wire.Manifest) { m.Text = [32]byte{} })},
		{"of version 2", "disclosure.version", change(func(m *wire.Manifest) { m.Version, m.Text = 2, [32]byte{} })},
		{"of version 1", "disclosure.version", change(func(m *wire.Manifest) { m.Version, m.Shows, m.Text = 1, nil, [32]byte{} })},
		{"another kind of file", "disclosure.shows", change(func(m *wire.Manifest) { m.Shows.Media = "video/webm" })},
		{"a copy for training", "disclosure.shows", change(func(m *wire.Manifest) { m.Shows.Mode = "blur-everything" })},
		{"an odd mode", "disclosure.shows", change(func(m *wire.Manifest) { m.Shows.Mode = "all" })},
		{"a background that was not asked for", "disclosure.shows", change(func(m *wire.Manifest) { m.Shows.Scene = true })},
		{"nobody shown", "disclosure.shows", change(func(m *wire.Manifest) { m.Shows.Subjects = 0 })},
		{"sound without a reason", "disclosure.shows", change(func(m *wire.Manifest) { m.Shows.Sound.Kept = true })},
		{"a reason without sound", "disclosure.shows", change(func(m *wire.Manifest) { m.Shows.Sound.Reason = "han truer" })},
		{"a picture with sound", "disclosure.shows", change(func(m *wire.Manifest) {
			m.Shows.Media, m.Shows.Sound = incident.MediaPicture, wire.Sound{Kept: true, Reason: "han truer"}
		})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := s.a.Link.Submit(t.Context(), tt.make(s.parcel(100)))
			wantCode(t, err, tt.code)
		})
	}
	if list, err := s.a.Link.Inbox(t.Context()); err != nil || len(list.Items) != 0 {
		t.Fatalf("something refused was kept: %v %v", list, err)
	}
	// What all of these were made from holds.
	s.Send(s.a, s.parcel(100))
}

// What may be shown is taken.
func TestSubmitTakes(t *testing.T) {
	s := three(t, uplinktest.Noon)
	for name, change := range map[string]func(m *wire.Manifest){
		"a picture":       func(m *wire.Manifest) { m.Shows.Media = incident.MediaPicture },
		"the still scene": func(m *wire.Manifest) { m.Shows.Mode, m.Shows.Scene, m.Shows.Flagged = "still-scene", true, 3 },
		"two, with sound": func(m *wire.Manifest) {
			m.Shows.Subjects, m.Shows.Sound = 2, wire.Sound{Kept: true, Reason: "han truer højt"}
		},
		"scene without one": func(m *wire.Manifest) { m.Shows.Mode = "still-scene" },
	} {
		t.Run(name, func(t *testing.T) {
			p := s.parcel(100)
			change(&p.Manifest)
			s.Send(s.a, p)
			list, err := s.b.Link.Inbox(t.Context())
			must(t, err)
			i := slices.IndexFunc(list.Items, func(it wire.InboxItem) bool { return it.Disclosure == p.Manifest.Disclosure })
			if i < 0 {
				t.Fatal("it is not in the list")
			}
			m, err := list.Items[i].Manifest.Parse()
			if err != nil || m.Media() != p.Manifest.Media() {
				t.Errorf("%+v, %v", m.Shows, err)
			}
		})
	}
}
