package casework

import (
	"encoding/json"
	"io"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/incident"
	"veilbox/appliance/policy"
	"veilbox/capture/footage"
	"veilbox/internal/problem"
	"veilbox/redact/subject"
)

// Media is a video that a browser can seek in. It is closed by who asked for it.
type Media interface {
	io.ReadSeekCloser
	Size() int64
}

// A ProblemView is a problem inside an answer that is itself no error.
type ProblemView struct {
	Code   string       `json:"code"`
	Cause  problem.Text `json:"cause"`
	Remedy problem.Text `json:"remedy"`
}

// A TimeSpan is a span in wall time.
type TimeSpan struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// A NewCase is what staff say when they mark an incident.
type NewCase struct {
	Camera     footage.CameraID `json:"camera"`
	From       time.Time        `json:"from"`
	To         time.Time        `json:"to"`
	What       string           `json:"what"`
	ValueDKK   *int             `json:"value_dkk,omitempty"`
	HappenedAt time.Time        `json:"happened_at"`
	Offence    incident.Offence `json:"offence"`
	Attempt    bool             `json:"attempt"`
}

// A Change replaces the answers of the form. Version is the one the answers
// were read at; another one in store is a conflict and nothing is lost.
type Change struct {
	Version    int               `json:"version"`
	What       string            `json:"what"`
	HappenedAt time.Time         `json:"happened_at"`
	Evidence   incident.Evidence `json:"evidence"`
}

// A SubjectChange says who may be seen and what else the copy is to be, and starts
// the redaction.
type SubjectChange struct {
	Version  int               `json:"version"`
	Subjects []subject.Subject `json:"subjects,omitempty"`
	Choice   subject.Choice    `json:"choice,omitzero"`
	// ShowMore says that the person means it, where the copy shows more than one
	// suspect and nothing else.
	ShowMore bool `json:"show_more,omitempty"`
}

// A Verdict is an assessor's decision. An approval is signed: Ceremony and
// Response are those of PrepareApproval. A refusal needs neither.
type Verdict struct {
	Version   int               `json:"version"`
	Decision  incident.Decision `json:"decision"`
	Reasons   string            `json:"reasons"`
	Copy      footage.CopyHash  `json:"copy"`  // what was played
	Sheet     footage.SheetHash `json:"sheet"` // what was looked at
	Guideline string            `json:"guideline,omitempty"`
	// SawFlagged is how many flagged stretches of the sheet were looked at.
	SawFlagged int `json:"saw_flagged,omitempty"`
	// Key is which of the person's passkeys is to sign, base64url; empty: the
	// first that the operator has confirmed. PrepareApproval alone asks for it.
	Key      string          `json:"key,omitempty"`
	Ceremony string          `json:"ceremony,omitempty"`
	Response json.RawMessage `json:"response,omitempty"` // PublicKeyCredential.toJSON()
}

// An ApprovalView is what an assessor signs, and the ceremony that signs it.
type ApprovalView struct {
	Ceremony account.Ceremony `json:"ceremony"`
	// Statement is the exact text whose hash is signed, JSON in a string.
	Statement string `json:"statement"`
	Hash      string `json:"hash"` // the challenge that the passkey signs, hex
	// Opinion says that this approval alone does not release: another
	// assessor's competences are needed beside it.
	Opinion bool      `json:"opinion,omitempty"`
	Until   time.Time `json:"until"` // five minutes
}

// A NewFact is something new about a case that stands in the way of sharing it.
type NewFact struct {
	Version int       `json:"version"`
	What    string    `json:"what"` // incident.FactCharged...
	At      time.Time `json:"at"`   // when it happened; zero: now
	Words   string    `json:"words"`
}

// A Reassess is a look at all nine conditions while the disclosure runs. Drop
// takes members out of the circle at the same time.
type Reassess struct {
	Version int                 `json:"version"`
	Reasons string              `json:"reasons"`
	Next    time.Time           `json:"next"` // when it is looked at again
	Drop    []incident.MemberID `json:"drop,omitempty"`
}

// A Narrow takes members out of the circle of a disclosure that runs.
type Narrow struct {
	Version int                 `json:"version"`
	Drop    []incident.MemberID `json:"drop"`
	Reason  string              `json:"reason"`
}

// Suggestions are what the box knows, so that the form need not ask.
type Suggestions struct {
	Version int `json:"version"` // of the case that they were made for
	// Town, Region, Country, Trade and Chain are the shop's own, from the list of
	// members; empty where the box is not enrolled.
	Town    string `json:"town"`
	Region  string `json:"region"`
	Country string `json:"country"`
	Trade   string `json:"trade"`
	Chain   string `json:"chain"`
	// Circle is who would be asked about first: the shop's town and trade.
	Circle      incident.Circle `json:"circle"`
	CircleCount CircleCount     `json:"circle_count"`
	// NextReassessment is 14 days ahead, and before the disclosure would end.
	NextReassessment time.Time `json:"next_reassessment"`
	// ReportToday is set where no report is documented: it can still be promised.
	ReportToday bool `json:"report_today"`
	// FirstOfKind is set where this box has disclosed no case of the offence before.
	FirstOfKind bool `json:"first_of_kind"`
	// Links are earlier cases that may be of the same person, the likeliest first.
	Links []LinkSuggestion `json:"links"`
}

// A LinkSuggestion is an earlier case, and what it has in common.
type LinkSuggestion struct {
	Case       incident.CaseID  `json:"case"`
	What       string           `json:"what"`
	HappenedAt time.Time        `json:"happened_at"`
	Offence    incident.Offence `json:"offence"`
	State      incident.State   `json:"state"`
	SameCamera bool             `json:"same_camera"`
	SameKind   bool             `json:"same_kind"` // of offence
}

// A CircleCount says how many a circle is.
type CircleCount struct {
	Members int `json:"members"`
	Shops   int `json:"shops"`  // boxes
	People  int `json:"people"` // authorised to view, as their shops last said
}

// A PoliceReport documents the report (V4).
type PoliceReport struct {
	Version int       `json:"version"`
	Number  string    `json:"number"`
	At      time.Time `json:"at"`
}

// Progress is how far a redaction is.
type Progress struct {
	Running bool         `json:"running"`
	Stage   string       `json:"stage"`             // "queued", "receive", "decode", "track", "veil", "write", "prove", "done", "failed"
	Done    int          `json:"done"`              // frames
	Total   int          `json:"total"`             // frames; 0: not yet known
	Preview int          `json:"preview,omitempty"` // rises with each picture of how the copy will be
	Problem *ProblemView `json:"problem,omitempty"`
}

// Sending is how far a disclosure is on its way to the extranet.
type Sending struct {
	State   string       `json:"state"` // "queued", "sending", "waiting", "delivered", "refused"
	Sent    int64        `json:"sent"`  // bytes
	Size    int64        `json:"size"`  // bytes
	Problem *ProblemView `json:"problem,omitempty"`
}

// A CaseView is a case with what can be said about it now.
type CaseView struct {
	incident.Case
	ClipFrom time.Time        `json:"clip_from"` // wall time of the clip
	ClipTo   time.Time        `json:"clip_to"`
	Findings []policy.Finding `json:"findings"` // V1 to V9
	Missing  []policy.Refusal `json:"missing"`  // nothing missing: ready
	Progress *Progress        `json:"progress,omitempty"`
	Sending  *Sending         `json:"sending,omitempty"`
	May      []string         `json:"may"` // acts this person may do now: "change","redact","submit","assess","sound","withdraw","report","download","reassess","narrow","fact","delete","document"
}

// A SheetView is the reveal sheet: everything that anyone will see unveiled.
type SheetView struct {
	Hash     footage.SheetHash `json:"hash"`
	Pictures []SheetPicture    `json:"pictures"` // flags first, then by time
	Flagged  []SheetFlag       `json:"flagged"`  // stretches that must be looked at
	Unsure   []ClipSpan        `json:"unsure"`   // where a subject is veiled because the track was not sure
	Sound    bool              `json:"sound"`    // the copy has sound
	Subjects int               `json:"subjects"`
	Shown    float64           `json:"shown"` // seconds in which a subject is shown
	Duration float64           `json:"duration"`
}

// A SheetPicture is one picture of the sheet; its bytes have an own address.
type SheetPicture struct {
	At      float64      `json:"at"`      // seconds from the clip's start
	Subject int          `json:"subject"` // from 0; -1: of none
	Kind    string       `json:"kind"`    // "subject", "scene", "still"
	Flags   []string     `json:"flags"`   // as in a SheetFlag
	Rect    subject.Rect `json:"rect"`
	URL     string       `json:"url"`
}

// A SheetFlag is a stretch in which a subject is shown and a person must look.
// Flags are of "crowded", "cut", "detected", "grown", "low".
type SheetFlag struct {
	From     float64  `json:"from"` // seconds
	To       float64  `json:"to"`
	Flags    []string `json:"flags"`
	Subjects []int    `json:"subjects"` // from 0
}

// A ClipSpan is a part of a clip in seconds from its start.
type ClipSpan struct {
	From float64 `json:"from"`
	To   float64 `json:"to"`
}

// A Member is a connected retailer (S1).
type Member struct {
	ID      incident.MemberID `json:"id"`
	Name    string            `json:"name"`
	Town    string            `json:"town"`
	Region  string            `json:"region"`
	Country string            `json:"country"`
	Trade   string            `json:"trade"`
	Chain   string            `json:"chain,omitempty"`
	Boxes   int               `json:"boxes"`
	People  int               `json:"people"` // authorised to view what is shared
	Own     bool              `json:"own"`
}

// An Alert is a disclosure that another member made to this one.
type Alert struct {
	ID       incident.DisclosureID `json:"id"`
	Sender   string                `json:"sender"` // member's name
	What     string                `json:"what"`
	Offence  incident.Offence      `json:"offence"`
	ValueDKK *int                  `json:"value_dkk,omitempty"`
	When     time.Time             `json:"when"`
	Made     time.Time             `json:"made"`
	NotAfter time.Time             `json:"not_after"`
	Ended    *time.Time            `json:"ended,omitempty"`
	Why      problem.Text          `json:"why,omitzero"` // why it ended; a person's words are the same in both
	Seen     bool                  `json:"seen"`         // somebody here has viewed it
	Media    string                `json:"media"`        // "video/mp4" or "image/jpeg"
}

// A Viewing is one logged look at an alert's copy.
type Viewing struct {
	ID    string    `json:"id"`
	URL   string    `json:"url"`
	Media string    `json:"media"` // "video/mp4" or "image/jpeg"
	Until time.Time `json:"until"`
}

// An Enrolment says whether this box belongs to an extranet.
type Enrolment struct {
	Enrolled bool              `json:"enrolled"`
	Member   incident.MemberID `json:"member,omitempty"`
	Name     string            `json:"name,omitempty"`
	Box      string            `json:"box,omitempty"`
	URL      string            `json:"url,omitempty"`
	Until    *time.Time        `json:"until,omitempty"` // certificate
	Problem  *ProblemView      `json:"problem,omitempty"`
}

// A Check is one line of the health page.
type Check struct {
	Name    string       `json:"name"` // "clock","disk","ffmpeg","sandbox","extranet","camera:<id>","ring","expiry"
	OK      bool         `json:"ok"`
	Text    problem.Text `json:"text"`
	Problem *ProblemView `json:"problem,omitempty"`
}
