package parcel

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"veilbox/appliance/incident"
	"veilbox/appliance/policy"
	"veilbox/capture/footage"
	"veilbox/uplink/wire"
)

// MaxDraft is how long a draft waits for its signature.
const MaxDraft = 10 * time.Minute

// A Draft is what an assessor is asked to sign. The zero Draft seals nothing.
type Draft struct {
	manifest wire.Manifest // without Box, Content and Alert
	alert    []byte        // in the clear, with its salt
}

// Prepare returns what the assessor signs for rel to be disclosed with the given
// alert.
func Prepare(rel policy.Release, alert wire.Alert, from Sender) (Draft, error) {
	if rel.IsZero() {
		return Draft{}, ErrUnbound.With(errors.New("parcel: there is no release"))
	}
	if err := from.Key.Check(); err != nil {
		return Draft{}, ErrApproval.With(fmt.Errorf("parcel: %w", err))
	}
	if from.Disclosure == "" {
		from.Disclosure = incident.DisclosureID(wire.NewID())
	}
	alert.Salt = make([]byte, 16)
	rand.Read(alert.Salt)
	text, err := json.Marshal(alert)
	if err != nil {
		return Draft{}, fmt.Errorf("parcel: encode the alert: %w", err)
	}
	d := Draft{manifest: manifest(rel, from, rel.At()), alert: text}
	d.manifest.Text = wire.TextHash(text)
	// What only sealing gives is filled in for the check: an assessor must not be
	// asked to sign what would be refused afterwards.
	m := d.manifest
	m.Box, m.Alert, m.Content = wire.BoxID(wire.NewID()), d.manifest.Text, wire.Content{Hash: d.manifest.Text, Size: 1}
	if err := m.Check(); err != nil {
		return Draft{}, fmt.Errorf("parcel: %w", err)
	}
	return d, nil
}

// Disclosure is the name that the draft's disclosure gets.
func (d Draft) Disclosure() incident.DisclosureID { return d.manifest.Disclosure }

// Statement returns the bytes that are approved, see wire.Statement.
func (d Draft) Statement() []byte { return d.manifest.Statement() }

// Challenge returns what the assessor's passkey signs.
func (d Draft) Challenge() []byte { return d.manifest.Challenge() }

// fits tells whether rel, the gate's answer as it is now, grants what was signed.
func (d Draft) fits(rel policy.Release, from Sender) error {
	was := d.manifest
	if was.Disclosure == "" {
		return ErrUnbound.With(errors.New("parcel: there is no draft"))
	}
	if from.Disclosure != "" && from.Disclosure != was.Disclosure {
		return ErrStale.With(errors.New("parcel: the draft is another disclosure's"))
	}
	from.Disclosure = was.Disclosure
	waited := rel.At().Sub(was.Created)
	now := manifest(rel, from, was.Created)
	if waited < 0 || waited > MaxDraft || now.NotAfter.Before(was.NotAfter) {
		return ErrStale.With(fmt.Errorf("parcel: the draft waited %s for its signature", waited))
	}
	// A release that is granted a little later ends a little later.
	now.NotAfter, now.Text = was.NotAfter, was.Text
	if !bytes.Equal(now.Statement(), was.Statement()) {
		return ErrStale.With(errors.New("parcel: the gate grants something else than what was signed"))
	}
	return nil
}

// manifest says what rel grants, as released at the given time, without what only
// sealing gives.
func manifest(rel policy.Release, from Sender, at time.Time) wire.Manifest {
	c, who := rel.Circle(), rel.Assessor()
	m := wire.Manifest{
		Version: wire.ManifestVersion, Disclosure: from.Disclosure, Sender: rel.Member(), Case: rel.Case(),
		Clip: rel.Clip(), Copy: rel.Copy(), Proof: rel.Proof(), Sheet: rel.Sheet(),
		Created: at.UTC(), NotAfter: rel.NotAfter().UTC(), ReportDue: rel.ReportDue().UTC(),
		Circle: wire.Circle{Area: c.Area, Place: c.Place, Trades: c.Trades, Chains: c.Chains, Members: c.Members},
	}
	shown := rel.Shows()
	m.Shows = &wire.Shows{Media: shown.Media, Mode: shown.Mode.String(), Subjects: shown.Subjects, Scene: shown.Scene, Flagged: shown.Flagged.Spans}
	if shown.Sound != nil {
		m.Shows.Sound = wire.Sound{Kept: true, Reason: shown.Sound.Reason}
	}
	if r := rel.Reported(); r != nil {
		t := r.UTC()
		m.Reported = &t
	}
	for i, f := range rel.Findings() {
		m.Conditions[i] = wire.Condition{ID: string(f.Condition), Satisfied: f.Satisfied, Evidence: evidence(rel, f, at)}
	}
	m.Assessor = wire.Assessor{ID: who.ID, Name: who.Name, Key: wire.KeyIDOf(from.Key)}
	return m
}

// evidence hashes what a finding rests on, so that the shop can show later that
// the case was as it says; that of V6 holds the circle with its reasons. The case
// and reasons salt it: a bare "satisfied" would hash alike everywhere.
func evidence(rel policy.Release, f policy.Finding, at time.Time) footage.Hash {
	var circle *incident.Circle
	if f.Condition == policy.V6 {
		circle = new(rel.Circle())
	}
	b, err := json.Marshal(struct {
		Case    incident.CaseID  `json:"case"`
		Copy    footage.CopyHash `json:"copy"`
		At      time.Time        `json:"at"`
		Reasons string           `json:"reasons"`
		Finding policy.Finding   `json:"finding"`
		Circle  *incident.Circle `json:"circle,omitempty"`
	}{rel.Case(), rel.Copy(), at.UTC(), rel.Reasons(), f, circle})
	if err != nil {
		return footage.Hash{} // refused by the manifest's own check
	}
	return sha256.Sum256(b)
}
