// Package parcel seals a released copy to the boxes of its circle, and opens what
// other members sent.
//
// A parcel is made in two steps. Prepare turns a release of the gate into a draft,
// whose statement the assessor reads and whose challenge the assessor's passkey
// signs. Seal needs three things bound to each other by hashes: the gate's release
// as it is then, the proved copy, and that signature. There is no other way to
// make a disclosure.
//
// The copy is sealed by capture/seal under a random content key, the alert by
// keys.Key under a random alert key; both keys are wrapped to each recipient box
// (uplink/wire). Neither key outlives Seal.
package parcel

import (
	"context"
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"

	"veilbox/appliance/incident"
	"veilbox/appliance/policy"
	"veilbox/capture/footage"
	"veilbox/capture/seal"
	"veilbox/internal/keys"
	"veilbox/internal/passkey"
	"veilbox/internal/problem"
	"veilbox/redact"
	"veilbox/uplink/wire"
)

// ErrUnbound says that release and copy do not belong together.
var ErrUnbound = problem.New(http.StatusConflict, "parcel.unbound",
	problem.Text{DA: "Den godkendte kopi og den slørede kopi passer ikke sammen.", EN: "The approved copy and the veiled copy do not belong together."},
	problem.Text{DA: "Lav den slørede kopi igen, og få den vurderet på ny.", EN: "Make the veiled copy again and have it assessed anew."})

// ErrRecipients says that the recipients are not the circle's.
var ErrRecipients = problem.New(http.StatusConflict, "parcel.recipients",
	problem.Text{DA: "Modtagerne svarer ikke til den godkendte kreds (vilkår 6).", EN: "The recipients are not those of the approved circle (V6)."},
	problem.Text{DA: "Tag medlemmer uden boks ud af kredsen, og få sagen vurderet på ny.", EN: "Take members without a box out of the circle, and have the case assessed anew."})

// ErrApproval says that the assessor's passkey has not signed what is to be sent.
var ErrApproval = problem.New(http.StatusForbidden, "parcel.approval",
	problem.Text{DA: "Vurdererens adgangsnøgle har ikke underskrevet netop denne deling (vilkår 9).", EN: "The assessor's passkey has not signed this very disclosure (V9)."},
	problem.Text{DA: "Godkend igen, og underskriv med den nøgle, operatøren har bekræftet.", EN: "Approve again, and sign with the key that the operator has confirmed."})

// ErrStale says that the release has changed since the assessor read the
// statement.
var ErrStale = problem.New(http.StatusConflict, "parcel.stale",
	problem.Text{DA: "Sagen eller tiden har ændret sig, siden godkendelsen blev underskrevet.", EN: "The case or the time has changed since the approval was signed."},
	problem.Text{DA: "Læs sagen igennem, og godkend igen.", EN: "Read the case through and approve again."})

// A Sender is whose box seals, and who approves.
type Sender struct {
	Box     wire.BoxID
	Signing ed25519.PrivateKey // the box's
	Key     passkey.Key        // the assessor's, the public half
	// Disclosure is the name to use; empty: a new one.
	Disclosure incident.DisclosureID
}

// Seal writes the sealed copy to dst and returns what goes with it. The release
// is the gate's answer at this moment; it must grant what the draft says, and the
// assertion must be the assessor's passkey's signature of the draft's Challenge.
func Seal(ctx context.Context, rel policy.Release, draft Draft, cp redact.Copy, approval passkey.Assertion, to []wire.Recipient, from Sender, dst io.Writer) (wire.SignedManifest, wire.Envelope, error) {
	sm, env, err := sealParcel(ctx, rel, draft, cp, approval, to, from, dst)
	if err != nil {
		return wire.SignedManifest{}, wire.Envelope{}, err
	}
	return sm, env, nil
}

func sealParcel(ctx context.Context, rel policy.Release, draft Draft, cp redact.Copy, approval passkey.Assertion, to []wire.Recipient, from Sender, dst io.Writer) (sm wire.SignedManifest, env wire.Envelope, err error) {
	if err := bound(rel, cp); err != nil {
		return sm, env, err
	}
	if err := draft.fits(rel, from); err != nil {
		return sm, env, err
	}
	m := draft.manifest
	if err := shows(m, cp); err != nil {
		return sm, env, err
	}
	if err := fits(m, to); err != nil {
		return sm, env, err
	}
	if err := wire.Approve(m, from.Key, approval); err != nil {
		return sm, env, ErrApproval.With(fmt.Errorf("parcel: %w", err))
	}
	m.Box = from.Box
	content, alertKey := keys.New(), keys.New()
	env = wire.Envelope{Version: wire.Version, Disclosure: m.Disclosure, Alert: alertKey.Seal(wire.AlertContext(m.Disclosure), draft.alert)}
	m.Alert = sha256.Sum256(env.Alert)
	for _, r := range to {
		w := wire.WrappedKeys{Member: r.Member, Box: r.Box}
		if w.Alert, err = wire.Wrap(r, wire.PurposeAlert, m.Disclosure, alertKey); err != nil {
			return sm, env, fmt.Errorf("parcel: %w", err)
		}
		if w.Content, err = wire.Wrap(r, wire.PurposeContent, m.Disclosure, content); err != nil {
			return sm, env, fmt.Errorf("parcel: %w", err)
		}
		env.Keys = append(env.Keys, w)
	}
	if m.Content, err = sealContent(ctx, cp, content, wire.ContentContext(m.Disclosure), dst); err != nil {
		return sm, env, err
	}
	if sm, err = wire.Sign(m, from.Signing, from.Key, approval); err != nil {
		return sm, env, fmt.Errorf("parcel: %w", err)
	}
	if err := env.Check(m); err != nil {
		return sm, env, fmt.Errorf("parcel: %w", err)
	}
	return sm, env, nil
}

func bound(rel policy.Release, cp redact.Copy) error {
	unbound := func(s string) error { return ErrUnbound.With(errors.New("parcel: " + s)) }
	switch {
	case rel.IsZero():
		return unbound("there is no release")
	case cp.Hash().IsZero() || cp.Clip().IsZero() || cp.ProofHash().IsZero() || cp.SheetHash().IsZero() || cp.Size() <= 0:
		return unbound("there is no copy")
	case rel.Copy() != cp.Hash():
		return unbound("the release is for another copy")
	case rel.Clip() != cp.Clip():
		return unbound("the release is for another clip")
	case rel.Proof() != cp.ProofHash():
		return unbound("the release rests on another proof")
	case rel.Sheet() != cp.SheetHash():
		return unbound("the assessor saw another sheet")
	}
	return nil
}

// shows holds what the case says of the copy against the mask that was proven.
func shows(m wire.Manifest, cp redact.Copy) error {
	made, err := cp.Mask()
	if err != nil {
		return ErrUnbound.With(fmt.Errorf("parcel: %w", err))
	}
	media := incident.MediaVideo
	if made.Still {
		media = incident.MediaPicture
	}
	is := wire.Shows{Media: media, Mode: made.Mode.String(), Subjects: made.Subjects, Scene: !made.Scene.IsZero(),
		Flagged: len(made.Flagged(cp.Figures().Duration)), Sound: wire.Sound{Kept: made.Sound, Reason: m.Shows.Sound.Reason}}
	if is != *m.Shows {
		return ErrUnbound.With(fmt.Errorf("parcel: the copy shows %+v, the release says %+v", is, *m.Shows))
	}
	return nil
}

// fits checks that the boxes are those of the circle: none outside, and each
// member other than the sender reached.
func fits(m wire.Manifest, to []wire.Recipient) error {
	reached := map[incident.MemberID]bool{m.Sender: true}
	in := map[incident.MemberID]bool{}
	for _, id := range m.Circle.Members {
		in[id] = true
	}
	for _, r := range to {
		if !in[r.Member] {
			return ErrRecipients.With(fmt.Errorf("parcel: member %s is outside the circle", r.Member))
		}
		reached[r.Member] = true
	}
	for _, id := range m.Circle.Members {
		if !reached[id] {
			return ErrRecipients.With(fmt.Errorf("parcel: member %s has no box", id))
		}
	}
	return nil
}

// sealContent streams the copy into dst, and checks on the way that the bytes
// are those that were approved.
func sealContent(ctx context.Context, cp redact.Copy, k keys.Key, label string, dst io.Writer) (c wire.Content, err error) {
	src, err := cp.Open()
	if err != nil {
		return c, fmt.Errorf("parcel: open the copy: %w", err)
	}
	defer src.Close()
	sum, plain := sha256.New(), sha256.New()
	count := &counter{}
	w, err := seal.NewWriter(io.MultiWriter(dst, sum, count), k, label)
	if err != nil {
		return c, fmt.Errorf("parcel: %w", err)
	}
	n, err := io.Copy(io.MultiWriter(w, plain), &bounded{ctx, src})
	if err != nil {
		return c, fmt.Errorf("parcel: seal the copy: %w", err)
	}
	if err := w.Close(); err != nil {
		return c, fmt.Errorf("parcel: seal the copy: %w", err)
	}
	if n != cp.Size() || footage.Hash(plain.Sum(nil)) != cp.Hash().Hash {
		return c, ErrUnbound.With(errors.New("parcel: the copy's file is not what was approved"))
	}
	return wire.Content{Hash: footage.Hash(sum.Sum(nil)), Size: count.n}, nil
}

type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) { c.n += int64(len(p)); return len(p), nil }

type bounded struct {
	ctx context.Context
	r   io.Reader
}

func (b *bounded) Read(p []byte) (int, error) {
	if err := context.Cause(b.ctx); err != nil {
		return 0, err
	}
	return b.r.Read(p)
}

// OpenAlert opens the alert of a disclosure with the key wrapped to this box.
func OpenAlert(m wire.Manifest, sealed, wrapped []byte, priv hpke.PrivateKey, box wire.BoxID) (wire.Alert, error) {
	if len(sealed) > wire.MaxAlert || footage.Hash(sha256.Sum256(sealed)) != m.Alert {
		return wire.Alert{}, fmt.Errorf("parcel: the alert of %s is not the one that was signed: %w", m.Disclosure, wire.ErrManifest)
	}
	k, err := wire.Unwrap(priv, box, wire.PurposeAlert, m.Disclosure, wrapped)
	if err != nil {
		return wire.Alert{}, fmt.Errorf("parcel: %w", err)
	}
	b, err := k.Open(wire.AlertContext(m.Disclosure), sealed)
	if err != nil {
		return wire.Alert{}, fmt.Errorf("parcel: alert: %w", err)
	}
	if m.Version >= 3 && wire.TextHash(b) != m.Text {
		return wire.Alert{}, fmt.Errorf("parcel: the alert of %s is not the one that the assessor approved: %w", m.Disclosure, wire.ErrManifest)
	}
	var a wire.Alert
	if err := wire.DecodeBytes(b, &a); err != nil {
		return wire.Alert{}, fmt.Errorf("parcel: alert: %w", err)
	}
	return a, nil
}

// OpenContent opens the video with the key handed out for one viewing.
func OpenContent(m wire.Manifest, wrapped []byte, priv hpke.PrivateKey, box wire.BoxID, ciphertext io.ReaderAt) (*seal.ReaderAt, error) {
	k, err := wire.Unwrap(priv, box, wire.PurposeContent, m.Disclosure, wrapped)
	if err != nil {
		return nil, fmt.Errorf("parcel: %w", err)
	}
	r, err := seal.OpenAt(ciphertext, m.Content.Size, k, wire.ContentContext(m.Disclosure))
	if err != nil {
		return nil, fmt.Errorf("parcel: open the video of %s: %w", m.Disclosure, err)
	}
	return r, nil
}

// VerifyCopy reads r to its end and tells whether it is the copy that was
// approved.
func VerifyCopy(m wire.Manifest, r io.Reader) error {
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return fmt.Errorf("parcel: read the copy: %w", err)
	}
	if footage.Hash(h.Sum(nil)) != m.Copy.Hash {
		return fmt.Errorf("parcel: the copy of %s is not what was approved: %w", m.Disclosure, wire.ErrManifest)
	}
	return nil
}
