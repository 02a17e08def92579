package casefile

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"veilbox/appliance/audit"
	"veilbox/appliance/incident"
	"veilbox/capture/footage"
	"veilbox/internal/problem"
	"veilbox/redact/proof"
)

const maxFile = 64 << 20 // bytes of JSON

// ErrFile says that a text is no case file as a box writes it.
var ErrFile = problem.New(http.StatusBadRequest, "casefile.form",
	problem.Text{DA: "Teksten er ikke en sagsmappe, som en boks har skrevet den.", EN: "The text is no case file as a box writes it."},
	problem.Text{DA: "Brug JSON-filen uændret; i en PDF ligger den som vedhæftet fil (case.json).", EN: "Use the JSON file unchanged; a PDF has it as an attachment (case.json)."})

// A LogProof shows that the signed head of a File's Audit covers an entry of its
// Log (RFC 6962, section 2.1.1).
type LogProof struct {
	Seq  int64            `json:"seq"`
	Path tlog.RecordProof `json:"path"`
	// Head is the signed head that Path leads to, where the log had grown beyond
	// that of Audit; empty: that one.
	Head string `json:"head,omitempty"`
}

// What a Check is of.
const (
	CheckHead       = "head"       // the log's signed head
	CheckLog        = "log"        // each entry under it
	CheckSignatures = "signatures" // the approvals, and what they say
	CheckProof      = "proof"      // the proof's figures and what it is of
	CheckHashes     = "hashes"     // the list of them
)

// A Check is what Verify found of one thing that a file says. An empty Why: it
// holds.
type Check struct {
	Of    string `json:"of"`
	Count int    `json:"count"` // of what was looked at
	Why   string `json:"why,omitempty"`
}

// Holds reports whether every check does.
func Holds(all []Check) bool {
	return !slices.ContainsFunc(all, func(c Check) bool { return c.Why != "" })
}

// Verify reads a File's JSON and checks what it says by itself and the verifier
// key of the box's log, which must come from elsewhere than the file: that the
// head is signed by that key and covers every entry of the log; that each
// approval is signed, and the statement that was signed names this case, its
// copy, its sheet and its disclosure; that the proof is the one that was signed
// for and says the figures; that the hashes are those.
//
// What it cannot show: that nothing was left out of the log beside what the
// numbers of the entries tell, whose passkey signed (the operator of the extranet
// has that on record), and what the box never had a hash or a signature of: the
// names of cameras and members, and the accesses, which are the extranet's to show.
func Verify(data []byte, verifierKey string) (File, []Check, error) {
	var f File
	fail := func(err error) (File, []Check, error) {
		return File{}, nil, ErrFile.With(fmt.Errorf("casefile: %w", err))
	}
	if len(data) > maxFile {
		return fail(errors.New("it is too long"))
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return fail(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return fail(errors.New("something follows it"))
	}
	if f.Version != Version {
		return fail(fmt.Errorf("it is of version %d, this program reads %d", f.Version, Version))
	}
	// One spelling, so that what a person reads is all that there is.
	if again, err := f.JSON(); err != nil || !bytes.Equal(again, data) {
		return fail(errors.Join(errors.New("it is not spelt as a box spells it"), err))
	}
	var all []Check
	add := func(of string, count int, err error) {
		c := Check{Of: of, Count: count}
		if err != nil {
			c.Why = strings.TrimPrefix(err.Error(), "audit: ")
		}
		all = append(all, c)
	}
	add(CheckHead, 1, f.checkHead(verifierKey))
	add(CheckLog, len(f.Log), f.checkLog(verifierKey))
	n, err := f.checkSignatures()
	add(CheckSignatures, n, err)
	if f.Proof != nil {
		add(CheckProof, 1, f.checkProof())
	}
	add(CheckHashes, len(f.Hashes), f.checkHashes())
	return f, all, nil
}

func (f File) checkHead(key string) error {
	h, err := audit.ParseHead([]byte(f.Audit.Note), key)
	if err != nil {
		return err
	}
	if h.Origin != f.Audit.Origin || h.Size != f.Audit.Size || h.Hash.String() != f.Audit.Root {
		return errors.New("the file says another head than the one that is signed")
	}
	if h.Origin != f.Box {
		return fmt.Errorf("the head is of the log of %q, the file of the box %q", h.Origin, f.Box)
	}
	return nil
}

func (f File) checkLog(key string) error {
	if len(f.LogProofs) != len(f.Log) {
		return fmt.Errorf("%d entries have %d proofs", len(f.Log), len(f.LogProofs))
	}
	last := int64(0)
	for i, e := range f.Log {
		p := f.LogProofs[i]
		entry, err := canonical(e)
		if err != nil {
			return err
		}
		if e.Seq <= last || p.Seq != e.Seq {
			return fmt.Errorf("entry %d is out of order", e.Seq)
		}
		last = e.Seq
		head := p.Head
		if head == "" {
			head = f.Audit.Note
		}
		if _, _, err := (audit.Proof{Entry: entry, Head: head, Path: p.Path}).Check(key); err != nil {
			return fmt.Errorf("entry %d: %w", e.Seq, err)
		}
		if e.About["case"] != string(f.ID) {
			return fmt.Errorf("entry %d is about another case", e.Seq)
		}
	}
	if n := len(f.Log); n == 0 || f.Log[n-1].Act != "case.file" || f.Log[n-1].Who.ID != string(f.By.ID) || f.Log[n-1].Who.Name != f.By.Name {
		return errors.New("it does not end with the making of this file")
	}
	return nil
}

// canonical is an entry as it was hashed.
func canonical(e audit.Entry) (string, error) {
	var b bytes.Buffer
	j := json.NewEncoder(&b)
	j.SetEscapeHTML(false)
	if err := j.Encode(e); err != nil {
		return "", fmt.Errorf("casefile: %w", err)
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// said is what a signed statement says that a file says too, as
// uplink/wire writes an approval and casework an opinion.
type said struct {
	Case       incident.CaseID       `json:"case"`
	Disclosure incident.DisclosureID `json:"disclosure"`
	Copy       string                `json:"copy"`
	Sheet      string                `json:"sheet"`
	Circle     struct {
		Members []incident.MemberID `json:"members"`
	} `json:"circle"`
	Assessment *struct {
		Copy  string `json:"copy"`
		Sheet string `json:"saw_sheet"`
	} `json:"assessment"`
}

func (f File) checkSignatures() (n int, err error) {
	last := -1 // the approval that the disclosure rests on
	for i, a := range f.Assessments {
		if a.Decision == incident.Approve {
			last = i
		}
	}
	for i, a := range f.Assessments {
		if a.Signed == nil {
			if a.Signature != nil || a.Decision == incident.Approve {
				return n, fmt.Errorf("the approval by %s is not signed", a.Assessor.Name)
			}
			continue
		}
		n++
		s := signature(*a.Signed)
		if a.Signature == nil || *a.Signature != s {
			return n, fmt.Errorf("the file says something else of the signature by %s than it is", a.Assessor.Name)
		}
		if !s.Verifies {
			return n, fmt.Errorf("the signature by %s does not hold: %s", a.Assessor.Name, s.Problem)
		}
		if err := f.checkStatement(a, s.Kind, i == last); err != nil {
			return n, fmt.Errorf("what %s signed: %w", a.Assessor.Name, err)
		}
	}
	return n, nil
}

func (f File) checkStatement(a Assessment, kind string, last bool) error {
	var x said
	if err := json.Unmarshal(a.Signed.Statement, &x); err != nil {
		return err
	}
	if x.Assessment != nil {
		x.Copy, x.Sheet = x.Assessment.Copy, x.Assessment.Sheet
	}
	switch {
	case x.Case != f.ID:
		return errors.New("it is of another case")
	case x.Copy != a.Copy.String(), x.Sheet != a.SawSheet.String():
		return errors.New("it is of another copy")
	}
	d := f.Disclosure
	if !last || d == nil {
		return nil
	}
	if kind != "approval" {
		return errors.New("an opinion releases nothing")
	}
	if x.Disclosure != d.ID {
		return errors.New("it is of another disclosure")
	}
	if !slices.Equal(sorted(x.Circle.Members), sorted(d.Members)) {
		return errors.New("it is of another circle")
	}
	return nil
}

func sorted(m []incident.MemberID) []incident.MemberID { return slices.Sorted(slices.Values(m)) }

func (f File) checkProof() error {
	if f.Copy == nil {
		return errors.New("there is no copy that it could be of")
	}
	if footage.Hash(sha256.Sum256([]byte(f.Proof.Raw))) != f.Copy.Proof.Hash {
		return errors.New("it is not the proof that the copy names")
	}
	p, err := proof.Parse([]byte(f.Proof.Raw))
	if err != nil {
		return err
	}
	if p.Copy != f.Copy.Hash || p.Clip != f.Copy.Clip || p.Sheet != f.Copy.Sheet {
		return errors.New("it is of another copy")
	}
	want := Figures(p, f.Proof.Raw, f.Proof.Sound)
	if !sameProof(want, *f.Proof) {
		return errors.New("it says other figures")
	}
	return nil
}

func sameProof(a, b Proof) bool {
	reasons := slices.Equal(a.Reasons, b.Reasons)
	a.Reasons, b.Reasons = nil, nil
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return reasons && errX == nil && errY == nil && bytes.Equal(x, y)
}

// Figures is what a file says of a proof; raw is the JSON that was hashed.
func Figures(p *proof.Proof, raw string, sound bool) Proof {
	g := p.Figures
	return Proof{
		Passed: p.Pass, Frames: g.Frames, Shown: g.Shown, Unsure: g.Unsure, Flagged: g.Flagged, Seconds: g.Duration.Duration().Seconds(),
		Width: g.Width, Height: g.Height, Cell: g.Cell, Sound: sound, Reasons: p.Reasons, Mask: p.Mask.String(), Raw: raw,
		Deviation: Figure{Worst: g.Deviation.Value, Most: g.Tolerance.Deviation},
		Energy:    Figure{Worst: g.Energy.Value, Most: g.Tolerance.Energy},
		Ring:      Figure{Worst: g.Ring.Value, Most: g.Tolerance.Ring},
	}
}

func (f File) checkHashes() error {
	c := incident.Case{Copy: f.Copy, Documents: f.Documents}
	i := slices.IndexFunc(f.Hashes, func(h Hash) bool { return h.Of == "clip" })
	if i >= 0 {
		if err := c.Clip.Hash.UnmarshalText([]byte(f.Hashes[i].SHA256)); err != nil {
			return err
		}
	}
	if !slices.Equal(hashes(f, c), f.Hashes) {
		return errors.New("the list is not of what the file says")
	}
	if f.Copy != nil && f.Copy.Clip != c.Clip.Hash {
		return errors.New("the copy is of another clip")
	}
	return nil
}
