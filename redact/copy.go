//go:build linux

package redact

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"slices"

	"veilbox/capture/footage"
	"veilbox/internal/problem"
	"veilbox/redact/mask"
	"veilbox/redact/proof"
	"veilbox/redact/sheet"
	"veilbox/redact/subject"
	"veilbox/redact/work"
)

// A Picture is one crop of the reveal sheet.
type Picture = sheet.Picture

// A Copy is a veiled copy with a passing proof. It comes from Produce or Reopen
// and from nowhere else; the zero Copy is none.
type Copy struct {
	size    int64
	raw     []byte // the proof's JSON
	proof   *proof.Proof
	mask    []byte
	made    *mask.Mask // what mask says
	choice  subject.Choice
	notices []Notice
	sheet   sheet.Sheet
	store   Storage
}

// IsZero reports whether c is no copy.
func (c Copy) IsZero() bool { return c.proof == nil }

// Hash returns the SHA-256 of the copy's file.
func (c Copy) Hash() footage.CopyHash {
	if c.proof == nil {
		return footage.CopyHash{}
	}
	return c.proof.Copy
}

// Clip returns the hash of the clip that the copy was made of.
func (c Copy) Clip() footage.ClipHash {
	if c.proof == nil {
		return footage.ClipHash{}
	}
	return c.proof.Clip
}

// Proof returns the proof's JSON, and ProofHash its SHA-256.
func (c Copy) Proof() []byte { return slices.Clone(c.raw) }

// ProofHash returns the hash of Proof.
func (c Copy) ProofHash() footage.ProofHash {
	if c.proof == nil {
		return footage.ProofHash{}
	}
	return footage.ProofHash{Hash: sum(c.raw)}
}

// Figures returns what the proof measured.
func (c Copy) Figures() proof.Figures {
	if c.proof == nil {
		return proof.Figures{}
	}
	return c.proof.Figures
}

// SheetHash returns the hash of the reveal sheet (redact/sheet).
func (c Copy) SheetHash() footage.SheetHash {
	if c.proof == nil {
		return footage.SheetHash{}
	}
	return c.proof.Sheet
}

// Sheet returns the pictures of the reveal sheet, in its order: those with a flag
// first. They are not to be changed.
func (c Copy) Sheet() []Picture { return c.sheet.Pictures }

// Unsure returns the spans, in ticks from the first frame, in which the track
// was unsure and everything is veiled.
func (c Copy) Unsure() []footage.Span { return slices.Clone(c.sheet.Unsure) }

// Flagged returns the spans, likewise, in which a subject is shown and a person
// must look: somebody else may be near.
func (c Copy) Flagged() []footage.Span { return slices.Clone(c.sheet.Flagged) }

// Mask returns what is shown in each frame.
func (c Copy) Mask() (*mask.Mask, error) { return mask.Decode(c.mask) }

// Choice returns what was asked for. Its reason to keep the sound is that of
// whoever asked; Sound says whether there is any.
func (c Copy) Choice() subject.Choice { return c.choice }

// Mode returns what of the clip may be seen.
func (c Copy) Mode() subject.Mode { return c.choice.Mode }

// Sound reports whether the copy has sound.
func (c Copy) Sound() bool { return c.made != nil && c.made.Sound }

// Still reports whether the copy is one picture.
func (c Copy) Still() bool { return c.made != nil && c.made.Still }

// Media returns the media type of the copy's bytes.
func (c Copy) Media() string {
	if c.Still() {
		return "image/jpeg"
	}
	return "video/mp4"
}

// Notices returns what went otherwise than was asked.
func (c Copy) Notices() []Notice { return slices.Clone(c.notices) }

// Size returns the bytes of the copy.
func (c Copy) Size() int64 { return c.size }

// Open returns the copy's bytes. Reading to the end fails where they are not
// the ones that were proven.
func (c Copy) Open() (io.ReadCloser, error) {
	if c.proof == nil {
		return nil, errors.New("redact: there is no copy")
	}
	r, err := c.store.Open()
	if err != nil {
		return nil, fmt.Errorf("redact: open the copy: %w", err)
	}
	return &reader{r: r, h: sha256.New(), left: c.size, want: c.proof.Copy}, nil
}

type reader struct {
	r    io.ReadCloser
	h    hash.Hash
	left int64
	want footage.CopyHash
}

var errChanged = errors.New("redact: the stored copy is not the one that was proven: make it anew")

func (r *reader) Read(b []byte) (int, error) {
	n, err := r.r.Read(b)
	r.h.Write(b[:n])
	r.left -= int64(n)
	if r.left < 0 {
		return 0, errChanged
	}
	if errors.Is(err, io.EOF) {
		var got footage.CopyHash
		r.h.Sum(got.Hash[:0])
		if r.left != 0 || got != r.want {
			return n, errChanged
		}
	}
	return n, err
}

func (r *reader) Close() error { return r.r.Close() }

// A Record is a Copy as it is stored: everything but the copy's bytes, which
// its Storage keeps. It marshals to JSON.
type Record struct {
	Version  int            `json:"version"`
	Size     int64          `json:"size"`
	Proof    []byte         `json:"proof"`
	Mask     []byte         `json:"mask"`
	Choice   subject.Choice `json:"choice"`
	Notices  []Notice       `json:"notices"`
	Pictures []Picture      `json:"pictures"`
}

const recordVersion = 2

// Outdated is the problem of a record of an earlier version.
var Outdated = problem.New(http.StatusConflict, "redact.record",
	problem.Text{DA: "Den slørede kopi er lavet af en ældre udgave af Veilbox.", EN: "The veiled copy was made by an older version of Veilbox."},
	problem.Text{DA: "Lav kopien igen, og gennemse den på ny.", EN: "Make the copy anew, and look it through again."})

// Record returns c for storing.
func (c Copy) Record() Record {
	return Record{Version: recordVersion, Size: c.size, Proof: c.raw, Mask: c.mask, Choice: c.choice, Notices: c.notices, Pictures: c.sheet.Pictures}
}

// Reopen returns the copy that was stored as r. It reads and hashes everything
// again, and refuses what is not as it was proven; Outdated says that r is of an
// earlier version.
func Reopen(r Record, store Storage) (Copy, error) {
	if r.Version < recordVersion {
		return Copy{}, Outdated.With(fmt.Errorf("redact: a record of version %d, this program reads %d: make the copy anew", r.Version, recordVersion))
	}
	if r.Version != recordVersion {
		return Copy{}, fmt.Errorf("redact: a record of version %d, this program reads %d: install the version that made it, or make the copy anew", r.Version, recordVersion)
	}
	p, err := proof.Parse(r.Proof)
	if err != nil {
		return Copy{}, fmt.Errorf("redact: %w", err)
	}
	m, err := mask.Decode(r.Mask)
	if err != nil {
		return Copy{}, fmt.Errorf("redact: %w", err)
	}
	for _, n := range r.Notices {
		if !slices.Contains(work.Notices, n) {
			return Copy{}, fmt.Errorf("redact: a record with the notice %q: make the copy anew", n)
		}
	}
	c := Copy{size: r.Size, raw: r.Proof, proof: p, mask: r.Mask, made: m, choice: r.Choice, notices: r.Notices, store: store,
		sheet: sheet.New(m, p.Figures.Duration)}
	c.sheet.Pictures = append(c.sheet.Pictures, r.Pictures...)
	if err := c.check(p.Copy, p.Clip); err != nil {
		return Copy{}, err
	}
	f, err := c.Open()
	if err != nil {
		return Copy{}, err
	}
	defer f.Close() // read only
	if _, err := io.Copy(io.Discard, f); err != nil {
		return Copy{}, err
	}
	return c, nil
}

// check holds c's proof against everything that it names.
func (c *Copy) check(is footage.CopyHash, of footage.ClipHash) error {
	p, m := c.proof, c.made
	if err := errors.Join(c.choice.Check(), matches(c.choice, m)); err != nil {
		return NotProven.With(err)
	}
	if !p.Pass || len(p.Reasons) > 0 {
		return NotProven.With(fmt.Errorf("redact: %q", p.Reasons))
	}
	if err := c.sheet.Check(); err != nil {
		return NotProven.With(err)
	}
	switch {
	case is.IsZero() || p.Copy != is || p.Figures.Bytes != c.size:
		return NotProven.With(errors.New("redact: the proof is of another copy"))
	case p.Clip != of:
		return NotProven.With(errors.New("redact: the proof is of another clip"))
	case p.Mask != mask.Hash(c.mask) || p.Figures.Frames != len(m.Frames):
		return NotProven.With(errors.New("redact: the proof is of another mask"))
	case !sameStill(p.Figures.Still, c.choice.Still):
		return NotProven.With(errors.New("redact: the proof is of another part of the frame"))
	case p.Media != c.Media() || p.Mode != m.Mode || p.Scene != m.Scene:
		return NotProven.With(errors.New("redact: the proof is of another kind of copy"))
	case p.Sheet != c.sheet.Hash() || p.Figures.Pictures != len(c.sheet.Pictures):
		return NotProven.With(errors.New("redact: the reveal sheet is not the one of the proof"))
	}
	return nil
}

// sameStill reports whether a proof is of the crop that was asked for. Its time
// is that of the nearest frame, which is not known here.
func sameStill(is *proof.Still, asked *subject.Still) bool {
	if is == nil || asked == nil {
		return is == nil && asked == nil
	}
	return (is.Crop == nil) == (asked.Crop == nil) && (is.Crop == nil || *is.Crop == *asked.Crop)
}
