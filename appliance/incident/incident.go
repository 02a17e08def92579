// Package incident is the case model: what happened, who is shown, what was
// assessed and what was disclosed. It does no I/O and decides nothing; the
// gate is appliance/policy, the acts are appliance/casework.
//
// Times are instants in UTC; "the same day" is counted in Europe/Copenhagen.
// Values are whole Danish kroner.
package incident

import (
	"time"

	"veilbox/capture/footage"
	"veilbox/internal/passkey"
	"veilbox/redact/subject"
)

type (
	// CaseID names a case: 26 characters A-Z and 2-7, random.
	CaseID string
	// PersonID names a personal account on a box, unique within its member.
	PersonID string
	// MemberID names a connected retailer: 1 to 31 of a-z, 0-9 and "-".
	MemberID string
	// DisclosureID names a disclosure: 26 characters A-Z and 2-7, random.
	DisclosureID string
)

// An Offence is the kind of property offence (criminal code §§ 276-289 a).
type Offence string

const (
	Theft        Offence = "theft"        // § 276, shop theft among it
	TrickTheft   Offence = "trick-theft"  // § 276, tricktyveri
	TillSnatch   Offence = "till-snatch"  // § 276, kassedyk
	CardFraud    Offence = "card-fraud"   // §§ 279, 279 a, misuse of a payment card
	Fraud        Offence = "fraud"        // § 279
	Embezzlement Offence = "embezzlement" // § 278
	Robbery      Offence = "robbery"      // § 288
	Extortion    Offence = "extortion"    // § 281
	Handling     Offence = "handling"     // § 290 is outside; kept so that it can be refused by name
	VehicleUse   Offence = "vehicle-use"  // § 293 a, brugstyveri: closely related
	Vandalism    Offence = "vandalism"    // § 291: not a property offence in this sense; refused by name
	Violence     Offence = "violence"     // § 244: likewise
	OtherOffence Offence = "other"        // refused: it must be named
)

// Basis is why the person is held to be the perpetrator (V1).
type Basis string

const (
	BasisRecording     Basis = "recording"     // the offence is clearly seen on the recording
	BasisCircumstances Basis = "circumstances" // other circumstances, in words (a witness)
)

// An Authorisation is the formal permission of one person (V7).
type Authorisation struct {
	By       string    `json:"by"`       // name of who gave it
	Function string    `json:"function"` // the person's function in the shop
	Need     string    `json:"need"`     // why that function needs access
	From     time.Time `json:"from"`
	To       time.Time `json:"to"` // it ends by itself
}

// Valid reports whether a holds at t.
func (a Authorisation) Valid(t time.Time) bool {
	return a.By != "" && a.Function != "" && !t.Before(a.From) && t.Before(a.To)
}

// A Qualification is what makes an assessor (V9).
type Qualification struct {
	Education   string    `json:"education"`
	Experience  string    `json:"experience"`  // with cases of property crime
	Competences []string  `json:"competences"` // of "law", "security", "property-crime"
	From        time.Time `json:"from"`
	To          time.Time `json:"to"`
}

// Valid reports whether q is filled in and holds at t.
func (q Qualification) Valid(t time.Time) bool {
	return q.Education != "" && q.Experience != "" && len(q.Competences) > 0 && !t.Before(q.From) && t.Before(q.To)
}

// A Person is an account as it was when an act was done, kept with the act.
type Person struct {
	ID            PersonID       `json:"id"`
	Name          string         `json:"name"`
	Authorisation Authorisation  `json:"authorisation"`
	Qualification *Qualification `json:"qualification,omitempty"`
}

// A Clip is the span cut for the case.
type Clip struct {
	Camera footage.CameraID `json:"camera"`
	Span   footage.Span     `json:"span"`
	Hash   footage.ClipHash `json:"hash"`
	// Audio says that Hash is of the clip with its sound: an assessor chose to
	// keep it.
	Audio bool `json:"audio,omitempty"`
	// Heard says that sound was recorded, which may be chosen to be kept.
	Heard bool `json:"heard,omitempty"`
}

// A Copy points at the proved veiled copy; redact.Copy is the thing itself.
type Copy struct {
	Hash   footage.CopyHash  `json:"hash"`
	Clip   footage.ClipHash  `json:"clip"`
	Proof  footage.ProofHash `json:"proof"`
	Sheet  footage.SheetHash `json:"sheet"`
	Passed bool              `json:"passed"` // the proof passed
	Made   time.Time         `json:"made"`

	Media    string         `json:"media"`           // MediaVideo or MediaPicture
	Mode     subject.Mode   `json:"mode"`            // what of the clip may be seen
	Subjects int            `json:"subjects"`        // how many people are shown
	Scene    bool           `json:"scene,omitempty"` // a picture of the still scene is behind them
	Flagged  Flagged        `json:"flagged,omitzero"`
	Sound    *Sound         `json:"sound,omitempty"`   // nil: removed
	Veiled   []subject.Rect `json:"veiled,omitempty"`  // that were always veiled when it was made
	Notices  []string       `json:"notices,omitempty"` // what went otherwise than was asked: redact.Notice, or NoticeShortScene
	// Outdated says that the regions which are always veiled have changed since:
	// the copy must be made anew. It is found out when the case is read.
	Outdated bool `json:"outdated,omitempty"`
}

// What a copy is.
const (
	MediaVideo   = "video/mp4"
	MediaPicture = "image/jpeg"
)

// NoticeShortScene says that the box holds too little of the camera to learn its
// still scene from: nothing of the scene is shown.
const NoticeShortScene = "short-scene"

// Flagged counts what of a copy a person must look at twice.
type Flagged struct {
	Spans  int `json:"spans"`
	Frames int `json:"frames"`
}

// A Sound is kept in a copy because an assessor chose so.
type Sound struct {
	Reason string   `json:"reason"`
	By     PersonID `json:"by"`
	Name   string   `json:"name"`
}

// What a Widening is of.
const (
	WidenScene    = "still-scene"
	WidenSubjects = "subjects"
	WidenSound    = "sound"
)

// A Widening is a person's choice to show more than the least: the still scene,
// a second subject, the sound.
type Widening struct {
	What   string    `json:"what"`
	Count  int       `json:"count,omitempty"`  // of subjects
	Reason string    `json:"reason,omitempty"` // for the sound
	By     PersonID  `json:"by"`
	Name   string    `json:"name"`
	At     time.Time `json:"at"`
}

// A Report is the report to the police (V4).
type Report struct {
	Number     string     `json:"number"` // receipt or journal number
	At         time.Time  `json:"at"`     // when it was sent
	Withdrawn  *time.Time `json:"withdrawn,omitempty"`
	Groundless *time.Time `json:"groundless,omitempty"` // the police found it so
}

// A Circle is who may receive (V6).
type Circle struct {
	Area    string     `json:"area"`   // "town", "region" or "country"
	Place   string     `json:"place"`  // which town or region
	Trades  []string   `json:"trades"` // empty: not limited by trade
	Chains  []string   `json:"chains"`
	Members []MemberID `json:"members"` // who that is, resolved against the member list
	Reason  string     `json:"reason"`  // why these are exposed to the same kind of crime
	// Why the area, the trades and the chains were chosen; each choice that is
	// made has its own reason.
	AreaReason   string `json:"area_reason"`
	TradesReason string `json:"trades_reason"`
	ChainsReason string `json:"chains_reason"`
}

// Evidence is what the form asks. A nil pointer is a question not yet answered.
type Evidence struct {
	Offence       Offence    `json:"offence"`
	Attempt       bool       `json:"attempt"`
	Basis         Basis      `json:"basis"`
	BasisWords    string     `json:"basis_words"`
	CertaintyLost *time.Time `json:"certainty_lost,omitempty"` // V1 ended: new facts

	ValueDKK     *int   `json:"value_dkk,omitempty"`
	Repetition   string `json:"repetition"`   // earlier cases, in words; empty: none
	Professional string `json:"professional"` // professional or organised trait, in words

	RepeatReasons string     `json:"repeat_reasons"` // V3: concrete reasons to believe it will happen again
	Charged       *time.Time `json:"charged,omitempty"`
	// Statements are what witnesses said (V1, V3); Links are earlier cases of the
	// same person (V2, V3).
	Statements []Statement `json:"statements,omitempty"`
	Links      []Link      `json:"links,omitempty"`

	Report *Report `json:"report,omitempty"`
	// ReportToday is the undertaking to report before the day of the disclosure
	// ends (V4); without a report by then the disclosure ends by itself.
	ReportToday bool `json:"report_today"`

	Circle Circle `json:"circle"`

	NextReassessment *time.Time `json:"next_reassessment,omitempty"` // V8
	Doubtful         bool       `json:"doubtful"`                    // V9: a doubtful case
	FirstOfKind      bool       `json:"first_of_kind"`               // V9: first of its kind
}

// A Decision is what an assessor decided.
type Decision string

const (
	Approve Decision = "approve"
	Refuse  Decision = "refuse"
)

// An Assessment is one assessor's decision on one copy (V9).
type Assessment struct {
	Assessor  Person            `json:"assessor"`
	At        time.Time         `json:"at"`
	Decision  Decision          `json:"decision"`
	Reasons   string            `json:"reasons"`
	SawSheet  footage.SheetHash `json:"saw_sheet"` // the reveal sheet that was looked at (V5)
	Copy      footage.CopyHash  `json:"copy"`
	Guideline string            `json:"guideline,omitempty"` // the written guideline a clear case follows
	// SawFlagged is how many flagged stretches of the sheet the assessor says to
	// have looked at (V5).
	SawFlagged int `json:"saw_flagged,omitempty"`
	// Signed is the approval as the assessor's passkey signed it. Refusals have
	// none.
	Signed *Signed `json:"signed,omitempty"`
}

// Signed is what an assessor signed and the signature.
type Signed struct {
	Statement []byte            `json:"statement"` // the bytes whose hash is signed
	Key       passkey.Key       `json:"key"`       // the public half
	Assertion passkey.Assertion `json:"assertion"`
}

// A Disclosure is a released copy on its way or made available.
type Disclosure struct {
	ID        DisclosureID `json:"id"`
	Released  time.Time    `json:"released"`
	Disclosed *time.Time   `json:"disclosed,omitempty"` // receipt of the extranet
	NotAfter  time.Time    `json:"not_after"`           // 30 days at most
	ReportDue time.Time    `json:"report_due"`          // end of the day of the disclosure
	// Members is whom it was released to; the circle may only shrink from there
	// (V6).
	Members   []MemberID `json:"members,omitempty"`
	Ended     *time.Time `json:"ended,omitempty"`
	EndReason string     `json:"end_reason,omitempty"`
	EndedBy   string     `json:"ended_by,omitempty"` // a person's name or the clock's: "30 days", "police report missing"
}

// A Changer is who changed a case, by name: all that a colleague needs to know
// where two work on it at once.
type Changer struct {
	ID   PersonID `json:"id"`
	Name string   `json:"name"`
}

// A Case is an incident with its evidence and assessments.
type Case struct {
	ID      CaseID    `json:"id"`
	Version int       `json:"version"` // rises by one at each change; for optimistic locking
	State   State     `json:"state"`
	Member  MemberID  `json:"member"`
	Created time.Time `json:"created"`
	Changed time.Time `json:"changed"`
	// ChangedBy is the person who changed it last; a clock or a worker leaves it
	// as it is.
	ChangedBy *Changer `json:"changed_by,omitempty"`

	Tagged     Person    `json:"tagged"` // who marked it
	What       string    `json:"what"`
	HappenedAt time.Time `json:"happened_at"`

	Clip     Clip              `json:"clip"`
	Subjects []subject.Subject `json:"subjects"`         // who may be seen
	Choice   subject.Choice    `json:"choice"`           // what else is asked of the copy
	Veiled   []subject.Rect    `json:"veiled,omitempty"` // always veiled, as the camera had it when the copy was asked for
	Widened  []Widening        `json:"widened,omitempty"`
	// Assessing says that the copy is being made anew while the case is with the
	// assessor, where it comes back to.
	Assessing bool     `json:"assessing,omitempty"`
	Copy      *Copy    `json:"copy,omitempty"`
	Evidence  Evidence `json:"evidence"`

	Documents   []Document   `json:"documents,omitempty"`
	SubmittedBy *Person      `json:"submitted_by,omitempty"`
	Assessments []Assessment `json:"assessments"`
	Disclosure  *Disclosure  `json:"disclosure,omitempty"`

	Reassessments []Reassessment `json:"reassessments,omitempty"`
	Narrowings    []Narrowing    `json:"narrowings,omitempty"`
	Facts         []Fact         `json:"facts,omitempty"`
	Informed      []Informed     `json:"informed,omitempty"`
	Deletion      *Deletion      `json:"deletion,omitempty"`
}
