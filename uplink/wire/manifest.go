package wire

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"veilbox/appliance/incident"
	"veilbox/capture/footage"
	"veilbox/internal/clock"
	"veilbox/internal/passkey"
	"veilbox/redact/subject"
)

// ConditionIDs are the nine conditions of a disclosure, in order.
var ConditionIDs = [9]string{"V1", "V2", "V3", "V4", "V5", "V6", "V7", "V8", "V9"}

// A Manifest says what is disclosed.
type Manifest struct {
	Version    int                   `json:"version"`
	Disclosure incident.DisclosureID `json:"disclosure"`
	Sender     incident.MemberID     `json:"sender"`
	Box        BoxID                 `json:"box"`
	Case       incident.CaseID       `json:"case"`

	Clip  footage.ClipHash  `json:"clip"`
	Copy  footage.CopyHash  `json:"copy"`
	Proof footage.ProofHash `json:"proof"`
	Sheet footage.SheetHash `json:"sheet"`

	// Shows is of manifests of version 2 on. Before, a copy was a clip in which one
	// person is seen and everything else is veiled, without sound.
	Shows *Shows `json:"shows,omitempty"`

	// Text is of manifests of version 3 on: the hash of the alert in the clear,
	// whose salt only the recipients know.
	Text footage.Hash `json:"text,omitzero"`

	Content Content      `json:"content"`
	Alert   footage.Hash `json:"alert"` // of the sealed alert

	Created   time.Time  `json:"created"`
	NotAfter  time.Time  `json:"not_after"`
	ReportDue time.Time  `json:"report_due"`
	Reported  *time.Time `json:"reported"` // when the police got the report; null: not yet

	Circle     Circle       `json:"circle"`
	Conditions [9]Condition `json:"conditions"`
	Assessor   Assessor     `json:"assessor"`
}

// Shows is what a copy is and what can be seen and heard of it.
type Shows struct {
	Media    string `json:"media"`    // "video/mp4" or "image/jpeg"
	Mode     string `json:"mode"`     // "subject-only" or "still-scene"
	Subjects int    `json:"subjects"` // how many people are shown
	Scene    bool   `json:"scene"`    // the camera's still background is behind them
	Flagged  int    `json:"flagged"`  // stretches that the assessor looked at twice
	Sound    Sound  `json:"sound"`
}

// Sound says whether the sound was kept, and the assessor's reason for it.
type Sound struct {
	Kept   bool   `json:"kept"`
	Reason string `json:"reason"`
}

// Content is the sealed copy.
type Content struct {
	Hash footage.Hash `json:"hash"` // of the ciphertext
	Size int64        `json:"size"` // of the ciphertext, bytes
}

// A Circle is who may receive (V6).
type Circle struct {
	Area    string              `json:"area"` // "town", "region" or "country"
	Place   string              `json:"place"`
	Trades  []string            `json:"trades"`
	Chains  []string            `json:"chains"`
	Members []incident.MemberID `json:"members"`
}

// A Condition is the gate's finding on one of the nine.
type Condition struct {
	ID        string       `json:"id"`
	Satisfied bool         `json:"satisfied"`
	Evidence  footage.Hash `json:"evidence"`
}

// An Assessor is who approved (V9).
type Assessor struct {
	ID   incident.PersonID `json:"id"`
	Name string            `json:"name"`
	Key  KeyID             `json:"key"`
}

// A SignedManifest is a manifest with its two signatures.
type SignedManifest struct {
	Manifest []byte `json:"manifest"` // JSON; the exact bytes that the box signed
	Box      []byte `json:"box"`      // Ed25519

	// Approval is the assessor's passkey's signature of the manifest's Challenge.
	Approval *passkey.Assertion `json:"approval,omitempty"`
	// Assessor is, of manifests before version 3, an Ed25519 signature of the
	// bytes.
	Assessor []byte `json:"assessor,omitempty"`
}

// Errors of Verify.
var (
	ErrBoxSignature      = errors.New("the box's signature does not hold")
	ErrAssessorSignature = errors.New("the assessor's signature does not hold")
	ErrManifest          = errors.New("the manifest does not hold")

	// These are kinds of ErrManifest.
	ErrCondition = fmt.Errorf("a condition is not satisfied: %w", ErrManifest)
	ErrTooLong   = fmt.Errorf("a disclosure lasts 30 days at most (V8): %w", ErrManifest)
	ErrReportDue = fmt.Errorf("the report to the police is due at the end of the day of the disclosure (V4): %w", ErrManifest)
	ErrCircle    = fmt.Errorf("the circle does not hold (V6): %w", ErrManifest)
	ErrOver      = fmt.Errorf("the disclosure has ended: %w", ErrManifest)
	ErrShows     = fmt.Errorf("the copy is none that may be disclosed (V5): %w", ErrManifest)
	ErrTimes     = fmt.Errorf("a time is yet to come; set the clocks: %w", ErrManifest)
)

type role string

const (
	roleBox      role = "box"
	roleAssessor role = "assessor"
)

func signed(r role, manifest []byte) []byte {
	return append([]byte("veilbox manifest 1\x00"+string(r)+"\x00"), manifest...)
}

// Parse decodes the manifest and checks it for itself, but not its signatures:
// it tells which keys to ask for.
func (sm SignedManifest) Parse() (Manifest, error) {
	if len(sm.Manifest) > MaxManifest {
		return Manifest{}, fmt.Errorf("wire: manifest of %d bytes: %w", len(sm.Manifest), ErrMessage)
	}
	var m Manifest
	if err := DecodeBytes(sm.Manifest, &m); err != nil {
		return Manifest{}, err
	}
	return m, m.Check()
}

// Media returns what the copy is: "video/mp4" or "image/jpeg".
func (m Manifest) Media() string {
	if m.Shows == nil {
		return incident.MediaVideo
	}
	return m.Shows.Media
}

// Check returns the first thing that is wrong with m, whoever signed it and
// whenever it is read.
func (m Manifest) Check() error {
	bad := func(format string, a ...any) error {
		return fmt.Errorf("wire: manifest: "+format+": %w", append(a, ErrManifest)...)
	}
	switch {
	case m.Version < 1 || m.Version > ManifestVersion:
		return bad("version %d, this program knows 1 to %d", m.Version, ManifestVersion)
	case (m.Shows != nil) != (m.Version >= 2):
		return bad("what the copy shows is said of it from version 2 on")
	case m.Text.IsZero() == (m.Version >= 3):
		return bad("the hash of the alert's text is given from version 3 on")
	case !ValidID(string(m.Disclosure)) || !ValidID(string(m.Case)) || !ValidID(string(m.Box)):
		return bad("an id is malformed")
	case !ValidMember(m.Sender):
		return bad("the sender is malformed")
	case m.Clip.IsZero() || m.Copy.IsZero() || m.Proof.IsZero() || m.Sheet.IsZero() || m.Alert.IsZero() || m.Content.Hash.IsZero():
		return bad("a hash is missing")
	case m.Content.Size <= 0 || m.Content.Size > MaxContent:
		return bad("size %d", m.Content.Size)
	case m.Created.Year() < 2025 || m.Created.Year() > 9000:
		return bad("the time of making is %s: set the box's clock", m.Created.Format(time.RFC3339))
	case !m.NotAfter.After(m.Created) || m.NotAfter.Sub(m.Created) > MaxAge:
		return fmt.Errorf("wire: manifest: from %s to %s: %w", m.Created.Format(time.RFC3339), m.NotAfter.Format(time.RFC3339), ErrTooLong)
	case !m.ReportDue.Equal(clock.EndOfDay(m.Created)):
		return fmt.Errorf("wire: manifest: due %s: %w", m.ReportDue.Format(time.RFC3339), ErrReportDue)
	case m.Reported != nil && m.Reported.After(m.Created.Add(Skew)):
		return fmt.Errorf("wire: manifest: report: %w", ErrTimes)
	case m.Assessor.ID == "" || len(m.Assessor.ID) > MaxName || m.Assessor.Key == "":
		return bad("the assessor is missing (V9)")
	}
	if m.Shows != nil {
		if err := m.Shows.check(); err != nil {
			return err
		}
	}
	if err := Text("the assessor's name", m.Assessor.Name, MaxName, true); err != nil {
		return err
	}
	for i, c := range m.Conditions {
		if c.ID != ConditionIDs[i] || !c.Satisfied || c.Evidence.IsZero() {
			return fmt.Errorf("wire: manifest: %s: %w", ConditionIDs[i], ErrCondition)
		}
	}
	return m.Circle.check(m.Sender)
}

// maxFlagged is more stretches than a sheet has pictures.
const maxFlagged = 100_000

// check refuses what no copy is, and what may not be disclosed: one in which
// everything is veiled, and sound that nobody has given a reason for.
func (s Shows) check() error {
	bad := func(format string, a ...any) error {
		return fmt.Errorf("wire: what the copy shows: "+format+": %w", append(a, ErrShows)...)
	}
	switch {
	case s.Media != incident.MediaVideo && s.Media != incident.MediaPicture:
		return bad("%q is neither %s nor %s", s.Media, incident.MediaVideo, incident.MediaPicture)
	case s.Mode == subject.BlurEverything.String():
		return bad("everybody is veiled: a copy for training is not disclosed")
	case s.Mode != subject.SubjectOnly.String() && s.Mode != subject.StillScene.String():
		return bad("there is no mode %q", s.Mode)
	case s.Scene && s.Mode != subject.StillScene.String():
		return bad("a background that nobody asked for")
	case s.Subjects < 1 || s.Subjects > subject.MaxSubjects:
		return bad("%d people", s.Subjects)
	case s.Flagged < 0 || s.Flagged > maxFlagged:
		return bad("%d flagged stretches", s.Flagged)
	case s.Sound.Kept && s.Media == incident.MediaPicture:
		return bad("a picture with sound")
	case s.Sound.Kept == (strings.TrimSpace(s.Sound.Reason) == ""):
		return bad("sound is kept for a reason that the assessor gives, and for nothing less")
	}
	return Text("the reason to keep the sound", s.Sound.Reason, MaxText, s.Sound.Kept)
}

func (c Circle) check(sender incident.MemberID) error {
	bad := func(s string) error { return fmt.Errorf("wire: circle: %s: %w", s, ErrCircle) }
	if c.Area != "town" && c.Area != "region" && c.Area != "country" {
		return bad("the area is town, region or country")
	}
	if err := Text("the circle's place", c.Place, MaxName, true); err != nil {
		return err
	}
	if len(c.Trades) > 100 || len(c.Chains) > 100 || len(c.Members) > MaxMembers {
		return bad("too long")
	}
	for _, s := range append(slices.Clone(c.Trades), c.Chains...) {
		if err := Text("a trade or chain", s, MaxName, true); err != nil {
			return err
		}
	}
	seen := map[incident.MemberID]bool{}
	others := 0
	for _, m := range c.Members {
		if !ValidMember(m) || seen[m] {
			return bad("a member is malformed or named twice")
		}
		seen[m] = true
		if m != sender {
			others++
		}
	}
	if others == 0 {
		return bad("nobody but the sender is in it")
	}
	return nil
}
