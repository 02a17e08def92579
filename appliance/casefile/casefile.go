// Package casefile is a case on paper: one file with the facts, the nine
// conditions and what each rests on, the assessments with their signatures, the
// figures of the proof, the disclosure and who has had access. It is for the data
// protection agency, the police or the person concerned; as JSON for programs and
// as a PDF for people, which carries the JSON as an attachment.
//
// There is no footage in it and no picture, and nothing that was answered is left
// out. Build is pure: what it says depends on its input alone, and the same input
// gives the same bytes, in JSON and in PDF.
//
// # The JSON
//
// Version says which form it is. Times are UTC (RFC 3339); the PDF gives them in
// Copenhagen's time. Hashes are SHA-256 in hexadecimal. Values are whole Danish
// kroner. Audit names the signed head of the box's audit log when the file was
// made, and LogProofs shows of each entry in Log that this head covers it; the
// whole log, which is handed out by itself, is checked against the same head.
// Verify checks all that a file says which can be checked without a box.
//
// # Signatures
//
// An approval is a signature of the assessor's passkey over SHA-256 of a prefix
// and the statement. Build verifies each again. Verifies says whether the bytes
// hold under the key that was kept with them; whose key that is, the operator of
// the extranet has confirmed by its own record.
//
// Errors are of writing only.
package casefile

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"veilbox/appliance/audit"
	"veilbox/appliance/incident"
	"veilbox/appliance/policy"
	"veilbox/capture/footage"
	"veilbox/internal/passkey"
	"veilbox/redact/subject"
)

// Version is the version of the JSON.
const Version = 1

// Bounds of what a file lists; how many there are beside them is said.
const (
	MaxLog      = 2000
	MaxAccesses = 5000
)

// An Access is one look at the disclosed copy by a recipient, as the extranet
// has it on record.
type Access struct {
	Member     incident.MemberID `json:"member"`
	MemberName string            `json:"member_name"`
	Person     incident.PersonID `json:"person"` // the recipient's own name of the person
	Function   string            `json:"function"`
	At         time.Time         `json:"at"`
	Purpose    string            `json:"purpose"`
}

// A Proof is what the proof of the veiled copy found.
type Proof struct {
	Passed    bool     `json:"passed"`
	Frames    int      `json:"frames"`
	Shown     int      `json:"frames_shown"`   // in which a subject is seen
	Unsure    int      `json:"frames_unsure"`  // in which a subject is veiled, because the track was not sure
	Flagged   int      `json:"frames_flagged"` // in which a person had to look twice
	Seconds   float64  `json:"seconds"`
	Width     int      `json:"width"`
	Height    int      `json:"height"`
	Cell      int      `json:"cell"` // pixels: the side of what is veiled as one
	Deviation Figure   `json:"deviation"`
	Energy    Figure   `json:"energy"`
	Ring      Figure   `json:"ring"`
	Sound     bool     `json:"sound"` // kept in the copy
	Reasons   []string `json:"reasons,omitempty"`
	Mask      string   `json:"mask"` // SHA-256
	Raw       string   `json:"raw"`  // the proof's own JSON, of which the copy names the SHA-256
}

// A Figure is the worst that was measured, and what was allowed.
type Figure struct {
	Worst float64 `json:"worst"`
	Most  float64 `json:"most"`
}

// A Signature is an approval as it was signed, verified again.
type Signature struct {
	// Kind is "approval", "opinion" (of an assessor beside the one who approves)
	// or empty, where it does not verify as either.
	Kind     string `json:"kind"`
	SHA256   string `json:"statement_hash"` // of it
	Key      string `json:"key"`            // the passkey's ID, base64url
	RPID     string `json:"rp_id"`
	Verifies bool   `json:"verifies"`
	Problem  string `json:"problem,omitempty"` // why it does not
}

// An Assessment is an assessor's decision. Its Signed has the bytes themselves, so
// that anybody can verify it without a box.
type Assessment struct {
	incident.Assessment
	Signature *Signature `json:"signature,omitempty"`
}

// A Head is the signed head of the box's audit log.
type Head struct {
	Origin      string `json:"origin"`
	Size        int64  `json:"size"`
	Root        string `json:"root"` // base64
	Note        string `json:"note"` // the signed checkpoint
	VerifierKey string `json:"verifier_key"`
}

// A Hash names what was hashed.
type Hash struct {
	Of     string `json:"of"` // "clip", "copy", "proof", "sheet", "mask", "document", "statement"
	Name   string `json:"name,omitempty"`
	SHA256 string `json:"sha256"`
}

// A Maker is who had the file made.
type Maker struct {
	ID   incident.PersonID `json:"id"`
	Name string            `json:"name"`
}

// A File is all that is on record about a case.
type File struct {
	Version int       `json:"version"`
	Made    time.Time `json:"made"`
	By      Maker     `json:"by"`
	Box     string    `json:"box"`

	ID         incident.CaseID     `json:"case"`
	Revision   int                 `json:"revision"` // of the case
	State      incident.State      `json:"state"`
	Member     incident.MemberID   `json:"member"`
	Created    time.Time           `json:"created"`
	Changed    time.Time           `json:"changed"`
	What       string              `json:"what"`
	HappenedAt time.Time           `json:"happened_at"`
	Tagged     incident.Person     `json:"tagged"`
	Submitted  *incident.Person    `json:"submitted_by,omitempty"`
	Camera     string              `json:"camera"`
	CameraName string              `json:"camera_name,omitempty"`
	ClipFrom   time.Time           `json:"clip_from"`
	ClipTo     time.Time           `json:"clip_to"`
	Subjects   int                 `json:"subjects"` // how many people are marked to be seen
	Widened    []incident.Widening `json:"widened,omitempty"`
	Copy       *incident.Copy      `json:"copy,omitempty"`
	Proof      *Proof              `json:"proof,omitempty"`

	// Conditions are the nine as the gate finds them at Made; none of a case that
	// is deleted.
	Conditions    []policy.Finding             `json:"conditions"`
	Evidence      incident.Evidence            `json:"evidence"`
	Members       map[incident.MemberID]string `json:"members,omitempty"` // names of the circle
	Documents     []incident.Document          `json:"documents,omitempty"`
	Assessments   []Assessment                 `json:"assessments"`
	Disclosure    *incident.Disclosure         `json:"disclosure,omitempty"`
	Reassessments []incident.Reassessment      `json:"reassessments,omitempty"`
	Narrowings    []incident.Narrowing         `json:"narrowings,omitempty"`
	Facts         []incident.Fact              `json:"facts,omitempty"`
	Informed      []incident.Informed          `json:"informed,omitempty"`
	Deletion      *incident.Deletion           `json:"deletion,omitempty"`
	Accesses      []Access                     `json:"accesses"`
	MoreAccesses  int                          `json:"more_accesses,omitempty"`
	// AccessesUnknown says that the extranet could not be asked.
	AccessesUnknown bool          `json:"accesses_unknown,omitempty"`
	Log             []audit.Entry `json:"log"`        // the box's own record of the case, the oldest first
	LogProofs       []LogProof    `json:"log_proofs"` // one for each entry of Log
	MoreLog         int           `json:"more_log,omitempty"`
	Hashes          []Hash        `json:"hashes"`
	Audit           Head          `json:"audit"`
}

// An Input is what a File is made of.
type Input struct {
	At         time.Time
	By         incident.Person
	Box        string
	Case       incident.Case
	Findings   []policy.Finding
	CameraName string
	Members    map[incident.MemberID]string // names, as far as they are known
	Proof      *Proof
	Accesses   []Access
	Unknown    bool          // the extranet could not be asked for the accesses
	Log        []audit.Entry // the oldest first
	LogProofs  []LogProof    // of the last MaxLog of them at least
	Head       audit.Head
	Verifier   string
}

// Build makes the file.
func Build(in Input) File {
	c := in.Case.Clone()
	f := File{
		Version: Version, Made: in.At.UTC(), By: Maker{in.By.ID, in.By.Name}, Box: in.Box,
		ID: c.ID, Revision: c.Version, State: c.State, Member: c.Member, Created: c.Created, Changed: c.Changed,
		What: c.What, HappenedAt: c.HappenedAt, Tagged: c.Tagged, Submitted: c.SubmittedBy,
		Camera: string(c.Clip.Camera), CameraName: in.CameraName, Subjects: len(c.Subjects), Widened: c.Widened,
		Copy: c.Copy, Proof: in.Proof, Conditions: in.Findings, Evidence: c.Evidence,
		Documents: c.Documents, Assessments: []Assessment{}, Disclosure: c.Disclosure, Reassessments: c.Reassessments,
		Narrowings: c.Narrowings, Facts: c.Facts, Informed: c.Informed, Deletion: c.Deletion,
		Accesses: in.Accesses, AccessesUnknown: in.Unknown, Log: in.Log,
		Audit: Head{Origin: in.Head.Origin, Size: in.Head.Size, Root: in.Head.Hash.String(), Note: string(in.Head.Note), VerifierKey: in.Verifier},
	}
	if c.Clip.Span.To > c.Clip.Span.From {
		f.ClipFrom, f.ClipTo = c.Clip.Span.From.Time(), c.Clip.Span.To.Time()
	}
	if c.Deletion != nil || f.Conditions == nil {
		f.Conditions = []policy.Finding{}
	}
	if f.Copy != nil && f.Copy.Mode == subject.BlurEverything {
		f.Subjects = 0
	}
	for _, m := range circleOf(c) {
		if name, ok := in.Members[m]; ok {
			if f.Members == nil {
				f.Members = map[incident.MemberID]string{}
			}
			f.Members[m] = name
		}
	}
	for _, a := range c.Assessments {
		as := Assessment{Assessment: a}
		if a.Signed != nil {
			s := signature(*a.Signed)
			as.Signature = &s
		}
		f.Assessments = append(f.Assessments, as)
	}
	if more := len(f.Accesses) - MaxAccesses; more > 0 {
		f.Accesses, f.MoreAccesses = f.Accesses[more:], more
	}
	if more := len(f.Log) - MaxLog; more > 0 {
		f.Log, f.MoreLog = f.Log[more:], more
	}
	if f.LogProofs = in.LogProofs; f.LogProofs == nil {
		f.LogProofs = []LogProof{}
	}
	if more := len(f.LogProofs) - MaxLog; more > 0 {
		f.LogProofs = f.LogProofs[more:]
	}
	if f.Accesses == nil {
		f.Accesses = []Access{}
	}
	if f.Log == nil {
		f.Log = []audit.Entry{}
	}
	f.Hashes = hashes(f, c)
	return f
}

// circleOf is everybody who is or was in the circle.
func circleOf(c incident.Case) []incident.MemberID {
	all := append([]incident.MemberID(nil), c.Evidence.Circle.Members...)
	for _, n := range c.Narrowings {
		for _, d := range n.Dropped {
			all = append(all, d.Member)
		}
	}
	return all
}

func hashes(f File, c incident.Case) []Hash {
	list := []Hash{}
	add := func(of, name string, h footage.Hash) {
		if !h.IsZero() {
			list = append(list, Hash{of, name, h.String()})
		}
	}
	add("clip", "", c.Clip.Hash.Hash)
	if c.Copy != nil {
		add("copy", "", c.Copy.Hash.Hash)
		add("proof", "", c.Copy.Proof.Hash)
		add("sheet", "", c.Copy.Sheet.Hash)
	}
	if f.Proof != nil && f.Proof.Mask != "" {
		list = append(list, Hash{"mask", "", f.Proof.Mask})
	}
	for _, d := range c.Documents {
		add("document", d.Name, d.Hash)
	}
	for _, a := range f.Assessments {
		if a.Signature != nil {
			list = append(list, Hash{"statement", a.Assessor.Name, a.Signature.SHA256})
		}
	}
	return list
}

// What an assessor's passkey signs is the hash of one of these and the statement.
var signed = []struct{ kind, prefix string }{
	{"approval", "veilbox approval 3\x00"},
	{"opinion", "veilbox opinion 1\x00"},
}

func signature(s incident.Signed) Signature {
	sum := sha256.Sum256(s.Statement)
	out := Signature{
		SHA256: footage.Hash(sum).String(),
		Key:    base64.RawURLEncoding.EncodeToString(s.Key.ID), RPID: s.Key.RPID,
	}
	for _, as := range signed {
		challenge := sha256.Sum256(append([]byte(as.prefix), s.Statement...))
		_, err := passkey.Verify(s.Key, challenge[:], s.Assertion)
		if err == nil {
			out.Kind, out.Verifies, out.Problem = as.kind, true, ""
			return out
		}
		if out.Problem == "" {
			out.Problem = err.Error()
		}
	}
	return out
}

// JSON returns the file as one JSON document: what SHA256 hashes and the PDF has
// attached.
func (f File) JSON() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(f); err != nil {
		return nil, fmt.Errorf("casefile: %w", err)
	}
	return b.Bytes(), nil
}
