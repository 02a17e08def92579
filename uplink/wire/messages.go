package wire

import (
	"time"

	"veilbox/appliance/incident"
	"veilbox/capture/footage"
	"veilbox/internal/passkey"
)

// An Alert is the text that recipients read in their list. The extranet sees
// only its ciphertext.
type Alert struct {
	What     string           `json:"what"`
	Offence  incident.Offence `json:"offence"`
	ValueDKK *int             `json:"value_dkk,omitempty"`
	When     time.Time        `json:"when"`
	Where    string           `json:"where"`
	Sender   string           `json:"sender"`  // the sending shop's name
	Contact  string           `json:"contact"` // whom to call there
	// Salt is 16 random bytes, so that the hash of a short text tells nothing of
	// it to who does not know them.
	Salt []byte `json:"salt,omitempty"`
}

// EnrolRequest is a box's first words (POST /v1/enrol).
type EnrolRequest struct {
	Version int    `json:"version"`
	Secret  string `json:"secret"`
	Name    string `json:"name"`    // what people call the box
	CSR     []byte `json:"csr"`     // PKCS #10, DER, P-256
	HPKE    []byte `json:"hpke"`    // public key
	Signing []byte `json:"signing"` // Ed25519 public key
	Audit   string `json:"audit"`   // verifier key of the box's audit log
}

// EnrolResponse makes the box a member's.
type EnrolResponse struct {
	Box         BoxID             `json:"box"`
	Member      incident.MemberID `json:"member"`
	MemberName  string            `json:"member_name"`
	Certificate []byte            `json:"certificate"` // DER
	CA          []byte            `json:"ca"`          // DER
}

// RenewRequest asks for the next year's certificate (POST /v1/renew).
type RenewRequest struct {
	Version int    `json:"version"`
	CSR     []byte `json:"csr"`
}

// RenewResponse brings it.
type RenewResponse struct {
	Certificate []byte `json:"certificate"`
}

// A Directory is who is connected (GET /v1/members).
type Directory struct {
	At      time.Time `json:"at"`
	Self    BoxID     `json:"self"`
	Members []Member  `json:"members"`
}

// A Member is a connected retailer with its boxes' and assessors' keys.
type Member struct {
	ID        incident.MemberID `json:"id"`
	Name      string            `json:"name"`
	Town      string            `json:"town"`
	Region    string            `json:"region"`
	Country   string            `json:"country"` // ISO 3166-1 alpha-2
	Trade     string            `json:"trade"`
	Chain     string            `json:"chain"`
	Active    bool              `json:"active"`
	People    int               `json:"people"` // who may view there, as its boxes count them (V7)
	Boxes     []BoxKeys         `json:"boxes"`
	Assessors []AssessorKey     `json:"assessors"`
}

// BoxKeys are the public keys of an enrolled box.
type BoxKeys struct {
	Box     BoxID  `json:"box"`
	HPKE    []byte `json:"hpke"`
	Signing []byte `json:"signing"`
	Revoked bool   `json:"revoked"`
}

// AssessorKey is an assessor's public key and where its registration stands.
type AssessorKey struct {
	Person incident.PersonID `json:"person"`
	ID     KeyID             `json:"id"`
	Key    *passkey.Key      `json:"key,omitempty"`
	// Ed25519 is a key of manifests before version 3, in place of Key.
	Ed25519 []byte        `json:"ed25519,omitempty"`
	State   AssessorState `json:"state"`
}

// An AssessorState is where an assessor's registration stands.
type AssessorState string

const (
	AssessorPending   AssessorState = "pending"   // waits for the operator
	AssessorConfirmed AssessorState = "confirmed" // may approve
	AssessorReplaced  AssessorState = "replaced"  // by a newer key; approves nothing more
	AssessorRevoked   AssessorState = "revoked"
)

// AssessorRequest registers a passkey of an assessor (POST /v1/assessors). A
// person may have several.
type AssessorRequest struct {
	Version       int                    `json:"version"`
	Person        incident.PersonID      `json:"person"`
	Name          string                 `json:"name"`
	Key           passkey.Key            `json:"key"`
	File          bool                   `json:"file"` // the key is a file on a computer, no authenticator
	Qualification incident.Qualification `json:"qualification"`
	Possession    passkey.Assertion      `json:"possession"` // over PossessionChallenge
}

// AssessorResponse says where the registration stands.
type AssessorResponse struct {
	Key   KeyID         `json:"key"`
	State AssessorState `json:"state"`
}

// SubmitRequest begins a disclosure (POST /v1/disclosures). Repeated, it gives
// the same answer.
type SubmitRequest struct {
	Version  int            `json:"version"`
	Manifest SignedManifest `json:"manifest"`
	Envelope Envelope       `json:"envelope"`
	// Report documents a report made after the manifest, while the extranet
	// could not be reached.
	Report *ReportRequest `json:"report,omitempty"`
}

// SubmitResponse says where to upload, by tus 1.0.
type SubmitResponse struct {
	Disclosure incident.DisclosureID `json:"disclosure"`
	State      State                 `json:"state"`
	Upload     string                `json:"upload"` // path
}

// CompleteResponse is the receipt (POST /v1/disclosures/{id}/complete).
type CompleteResponse struct {
	Disclosure incident.DisclosureID `json:"disclosure"`
	State      State                 `json:"state"`
	Available  time.Time             `json:"available"`
	Ends       time.Time             `json:"ends"`
}

// A State is where a disclosure stands on the extranet.
type State string

const (
	StateUploading State = "uploading"
	StateAvailable State = "available"
	StateEnded     State = "ended"
)

// An EndCode is why a disclosure ended, for programs.
type EndCode string

const (
	EndWithdrawn     EndCode = "withdrawn"      // by the sender
	EndOperator      EndCode = "operator"       // by the operator (S9)
	EndThirtyDays    EndCode = "30-days"        // by the clock (V8)
	EndReportMissing EndCode = "report-missing" // by the clock (V4)
	EndNarrowed      EndCode = "narrowed"       // this member dropped out of the circle (V6)
	EndLost          EndCode = "lost"           // the ciphertext was lost or damaged
)

// An Ending tells everyone who had access why it ended.
type Ending struct {
	At     time.Time `json:"at"`
	Code   EndCode   `json:"code"`
	Reason string    `json:"reason"`
	By     string    `json:"by"` // a person's name, or the clock's: "30 days", "police report missing"
}

// An Inbox lists what my member may see, and what it sent (GET /v1/disclosures).
type Inbox struct {
	At    time.Time   `json:"at"`
	Items []InboxItem `json:"items"`
}

// An InboxItem is one disclosure. AlertKey and Alert are empty once it ended.
type InboxItem struct {
	Disclosure incident.DisclosureID `json:"disclosure"`
	Own        bool                  `json:"own"` // my member sent it
	State      State                 `json:"state"`
	SenderName string                `json:"sender_name"`
	Manifest   SignedManifest        `json:"manifest"`
	Alert      []byte                `json:"alert,omitempty"`
	AlertKey   []byte                `json:"alert_key,omitempty"` // wrapped to this box
	Available  *time.Time            `json:"available,omitempty"`
	Ends       time.Time             `json:"ends"`
	ReportDue  time.Time             `json:"report_due"`
	Reported   *time.Time            `json:"reported,omitempty"`
	Viewings   int                   `json:"viewings"` // of everyone where own, else of my member
	Ended      *Ending               `json:"ended,omitempty"`
	// Dropped are, of an own disclosure, the members whose access has ended, and
	// who of them has recorded that what they had is deleted.
	Dropped []incident.Dropped `json:"dropped,omitempty"`
	// Deleted is when my member recorded that, of a disclosure of another's.
	Deleted *time.Time `json:"deleted,omitempty"`
}

// ViewRequest asks for one viewing by a named person (S6). It is logged before
// it is answered.
type ViewRequest struct {
	Version  int               `json:"version"`
	Person   incident.PersonID `json:"person"`
	Name     string            `json:"name"`
	Function string            `json:"function"`
	Purpose  string            `json:"purpose"`
}

// ViewResponse brings the content key and a token for the content.
type ViewResponse struct {
	Viewing int64     `json:"viewing"` // number in the access log
	Token   string    `json:"token"`   // header Veilbox-Viewing of GET .../content
	Expires time.Time `json:"expires"`
	Key     []byte    `json:"key"` // wrapped content key
}

// ViewingHeader carries the token of a viewing.
const ViewingHeader = "Veilbox-Viewing"

// WithdrawRequest ends a disclosure before time.
type WithdrawRequest struct {
	Version int               `json:"version"`
	Reason  string            `json:"reason"`
	Person  incident.PersonID `json:"person"`
	Name    string            `json:"name"`
}

// DeletedRequest records that a recipient has deleted all that it had of a
// disclosure to which its access has ended (V6, V8; POST
// /v1/disclosures/{id}/deleted). Person is empty where the box acts by itself,
// because nothing was taken out of the system there; Name is then the box's.
type DeletedRequest struct {
	Version int               `json:"version"`
	Person  incident.PersonID `json:"person"`
	Name    string            `json:"name"`
	Words   string            `json:"words"`
}

// AccessLog is who has looked at an own disclosure (GET
// /v1/disclosures/{id}/accesses; S6), the newest first.
type AccessLog struct {
	At    time.Time `json:"at"`
	Items []Access  `json:"items"`
	More  bool      `json:"more"` // there are older ones that are not listed
}

// An Access is one viewing. The sender learns which shop looked, in which
// function and why, and the name of the account there; the names of other shops'
// people stay with the operator, whom the sender asks where it has to know.
type Access struct {
	Number     int64             `json:"number"`
	Member     incident.MemberID `json:"member"`
	MemberName string            `json:"member_name"`
	Person     incident.PersonID `json:"person"`
	Function   string            `json:"function"`
	Purpose    string            `json:"purpose"`
	At         time.Time         `json:"at"`
}

// ReportRequest documents the report to the police (V4). The number itself
// stays in the shop.
type ReportRequest struct {
	Version int               `json:"version"`
	Number  footage.Hash      `json:"number"`
	At      time.Time         `json:"at"`
	Person  incident.PersonID `json:"person"`
	Name    string            `json:"name"`
}

// ReassessRequest says that the conditions were looked at again (V8), and who
// drops out of the circle (V6).
type ReassessRequest struct {
	Version int               `json:"version"`
	At      time.Time         `json:"at"`
	Person  incident.PersonID `json:"person"`
	Name    string            `json:"name"`
	Reason  string            `json:"reason"`
	// Next is the date of the reassessment after it; zero where the circle was
	// narrowed and no more.
	Next time.Time           `json:"next,omitzero"`
	Drop []incident.MemberID `json:"drop"`
}

// HeartbeatRequest says that a box lives (POST /v1/heartbeat).
type HeartbeatRequest struct {
	Version int               `json:"version"`
	Program string            `json:"program"`
	At      time.Time         `json:"at"`
	Health  map[string]string `json:"health"` // a few words a part; no names
	People  int               `json:"people"` // who may view what is shared, a number and no names
	// Accepted is how many of these have accepted the version of the conditions
	// that is in Conditions (S8).
	Accepted   int    `json:"accepted"`
	Conditions string `json:"conditions,omitempty"`
}

// HeartbeatResponse tells the box what the extranet knows of it.
type HeartbeatResponse struct {
	At       time.Time `json:"at"`
	HeadSize int64     `json:"head_size"` // entries of the audit log last seen; 0: none
	// HeadDue says that the head is asked for even where it has not grown: it has
	// not been shown for some time.
	HeadDue bool `json:"head_due"`
	Renew   bool `json:"renew"` // the certificate ends soon
}

// HeadRequest shows a head of the box's audit log and that it extends the last
// one seen (POST /v1/heads).
type HeadRequest struct {
	Version int            `json:"version"`
	Head    string         `json:"head"`  // signed note
	From    int64          `json:"from"`  // size that Proof begins at
	Proof   []footage.Hash `json:"proof"` // consistency proof (RFC 9162, 2.1.4)
}

// OK is the answer of acts that have none.
type OK struct {
	State State `json:"state,omitempty"`
}
