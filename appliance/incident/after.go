package incident

import (
	"time"

	"veilbox/capture/footage"
)

// A DocumentID names a document of a case: 26 characters A-Z and 2-7, random.
type DocumentID string

// What a document is.
const (
	DocumentReceipt   = "receipt"   // of the report to the police (V4)
	DocumentStatement = "statement" // a witness's, signed or written down
	DocumentOther     = "other"
)

// What kinds of file a document may be. The box keeps them sealed and hands them
// out to be saved; it never draws one.
const (
	MediaPDF  = "application/pdf"
	MediaJPEG = "image/jpeg"
	MediaPNG  = "image/png"
)

// A Document is a file that belongs to a case's evidence. Its bytes are kept
// sealed beside the case.
type Document struct {
	ID     DocumentID   `json:"id"`
	Kind   string       `json:"kind"`  // DocumentReceipt...
	Name   string       `json:"name"`  // as the person called it
	Media  string       `json:"media"` // MediaPDF...
	Size   int64        `json:"size"`  // bytes
	Hash   footage.Hash `json:"hash"`  // SHA-256
	Added  time.Time    `json:"added"`
	By     PersonID     `json:"by"`
	ByName string       `json:"by_name"`
}

// A Statement is what a witness said, in words. The witness is named by function
// ("kasseassistent"), not by name.
type Statement struct {
	Witness string    `json:"witness"`
	Words   string    `json:"words"`
	At      time.Time `json:"at"` // when it was said
}

// A Link points at an earlier case of the same person on this box.
type Link struct {
	Case CaseID `json:"case"`
	Why  string `json:"why"` // how it is known to be the same person
}

// A Reassessment is a look at all nine conditions while the disclosure runs (V8).
type Reassessment struct {
	By      Person    `json:"by"`
	At      time.Time `json:"at"`
	Reasons string    `json:"reasons"`
	Next    time.Time `json:"next"` // the date of the one after it
}

// A Narrowing takes members out of the circle while the disclosure runs (V6).
type Narrowing struct {
	By      Person    `json:"by"`
	At      time.Time `json:"at"`
	Reason  string    `json:"reason"`
	Dropped []Dropped `json:"dropped"`
}

// Dropped is a member that had access and has it no more.
type Dropped struct {
	Member MemberID `json:"member"`
	// Told is when the extranet had ended the member's access, Deleted when the
	// member recorded that it has deleted what it had.
	Told    *time.Time `json:"told,omitempty"`
	Deleted *time.Time `json:"deleted,omitempty"`
}

// What a Fact says. Each ends a disclosure, or keeps one from beginning.
const (
	FactCertaintyLost    = "certainty-lost"    // V1
	FactCharged          = "charged"           // V3
	FactReportWithdrawn  = "report-withdrawn"  // V4
	FactReportGroundless = "report-groundless" // V4
)

// A Fact is something new that a person recorded about a case.
type Fact struct {
	What  string    `json:"what"` // FactCharged...
	At    time.Time `json:"at"`   // when it happened
	Words string    `json:"words"`
	By    PersonID  `json:"by"`
	Name  string    `json:"name"`
	Added time.Time `json:"added"`
}

// Informed is a note that the person on the footage was told, or why not (GDPR
// art. 13-14).
type Informed struct {
	At    time.Time `json:"at"`
	How   string    `json:"how"` // "sign", "letter", "in-person", "exempt"
	Words string    `json:"words"`
	By    PersonID  `json:"by"`
	Name  string    `json:"name"`
}

// A Deletion says what of a case was deleted. The case's own body is emptied of
// everything personal; what is left proves the deletion.
type Deletion struct {
	At   time.Time `json:"at"`
	By   PersonID  `json:"by"` // empty: the box's clock
	Name string    `json:"name"`
	Why  string    `json:"why"`
	What []Gone    `json:"what"`
}

// Gone is one thing that was deleted, named by its hash.
type Gone struct {
	Kind string       `json:"kind"` // "clip", "copy", "document", "answers"
	Hash footage.Hash `json:"hash,omitzero"`
}
