package casework

import (
	"time"

	"veilbox/appliance/casefile"
	"veilbox/appliance/incident"
	"veilbox/capture/footage"
	"veilbox/internal/problem"
)

// A NewInformed says that the person on the footage was told, or why not (GDPR
// art. 13-14).
type NewInformed struct {
	Version int       `json:"version,omitempty"`
	At      time.Time `json:"at"`  // zero: now
	How     string    `json:"how"` // "sign", "letter", "in-person", "exempt"
	Words   string    `json:"words"`
}

// A Handout is the copy given to the person that it shows (GDPR art. 15(3)).
type Handout struct {
	To         string `json:"to"`         // to whom, and how the shop knows that it is the person shown
	Understood bool   `json:"understood"` // that outside of the system ordinary rules hold (S12)
}

// Holdings are everything that is kept about a case, for the person concerned
// (GDPR art. 15(1)). It names the shop's own people by role only.
type Holdings struct {
	Case     incident.CaseID     `json:"case"`
	At       time.Time           `json:"at"`
	Purpose  problem.Text        `json:"purpose"` // of the processing
	Source   problem.Text        `json:"source"`  // where the data come from
	Rights   problem.Text        `json:"rights"`
	Items    []Holding           `json:"items"`
	Given    []Recipient         `json:"recipients"` // members that the copy was made available to
	Accesses []casefile.Access   `json:"accesses"`   // looks at the shared copy, without names
	Own      []OwnAccess         `json:"own"`        // looks on this box
	Informed []incident.Informed `json:"informed"`
	// Unknown says that the extranet could not be asked for the accesses.
	Unknown bool `json:"unknown,omitempty"`
}

// A Holding is one kind of data about a case.
type Holding struct {
	Kind  string       `json:"kind"` // "clip","copy","answers","document","disclosure","export","log"
	What  problem.Text `json:"what"`
	Where problem.Text `json:"where"`
	Since time.Time    `json:"since,omitzero"`
	Until *time.Time   `json:"until,omitempty"`
	Ends  problem.Text `json:"ends"` // what ends it, where there is no day
	Hash  string       `json:"hash,omitempty"`
	Count int          `json:"count,omitempty"` // entries of the log
}

// A Recipient is a member in the circle of a disclosure.
type Recipient struct {
	Member incident.MemberID `json:"member"`
	Name   string            `json:"name,omitempty"`
	Ended  *time.Time        `json:"ended,omitempty"` // its access
}

// An OwnAccess is a look at the footage of a case on this box.
type OwnAccess struct {
	At   time.Time `json:"at"`
	Role string    `json:"role"`
	Act  string    `json:"act"`
	Why  string    `json:"why,omitempty"`
}

// A FindQuery finds what concerns a person who was in the shop at some time.
type FindQuery struct {
	From   time.Time        `json:"from"`
	To     time.Time        `json:"to"`
	Camera footage.CameraID `json:"camera,omitempty"` // empty: all
	Words  string           `json:"words,omitempty"`  // in the case's words; empty: any
	Why    string           `json:"why"`              // what the search is for, such as the request's number
}

// FindResult is what a FindQuery finds.
type FindResult struct {
	Cases []FoundCase `json:"cases"` // newest first
	// Recorded is what the box still has of the time, whether a case or not.
	Recorded []FoundFootage `json:"recorded"`
	More     int            `json:"more,omitempty"` // spans of footage that are not listed
}

// A FoundCase is a case of which the footage lies within the time asked for.
type FoundCase struct {
	ID         incident.CaseID  `json:"id"`
	State      incident.State   `json:"state"`
	What       string           `json:"what"`
	HappenedAt time.Time        `json:"happened_at"`
	Camera     footage.CameraID `json:"camera"`
	CameraName string           `json:"camera_name,omitempty"`
	ClipFrom   time.Time        `json:"clip_from"`
	ClipTo     time.Time        `json:"clip_to"`
}

// FoundFootage is a span that a camera has recorded.
type FoundFootage struct {
	Camera footage.CameraID `json:"camera"`
	Name   string           `json:"name,omitempty"`
	Span   TimeSpan         `json:"span"`
}
