package ctl

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/note"

	"veilbox/appliance/casefile"
)

const maxCaseFile = 64 << 20

type verifyCmd struct {
	File  string   `arg:"" help:"A case file's JSON (\"case file -o FILE.json\"; a PDF has it attached as case.json) or a proof of deletion (\"case deletion-proof\")." type:"existingfile"`
	Files []string `arg:"" optional:"" help:"What belongs to the case: its documents, its copy, its clip. Each must be one that FILE has the hash of." type:"existingfile"`
	Key   string   `required:"" help:"The box's verifier key, or a file with it (audit.pub). Have it from the box's owner by another way than FILE came." placeholder:"KEY"`
}

// fileVerdict is what --json says.
type fileVerdict struct {
	Kind     string             `json:"kind"` // "case-file" or "deletion"
	Case     string             `json:"case"`
	Box      string             `json:"box"`
	Holds    bool               `json:"holds"`
	Checks   []casefile.Check   `json:"checks,omitempty"`
	Files    []matched          `json:"files,omitempty"`
	Deletion *casefile.Deletion `json:"deletion,omitempty"`
}

// A matched is a file that was given beside: Of is what it is, empty: nothing
// that the case file or the proof names.
type matched struct {
	File   string `json:"file"`
	SHA256 string `json:"sha256"`
	Of     string `json:"of,omitempty"`
}

var errFileNotVerified = errors.New("not all that the file says holds: each line above that does not says why")

func (c *verifyCmd) Run(e *env) error {
	key, err := verifierKey(c.Key)
	if err != nil {
		return err
	}
	text, err := e.readFile(c.File, maxCaseFile)
	if err != nil {
		return err
	}
	var v fileVerdict
	var t table
	hashes := map[string]string{}
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		vkey, err := readVerifier(c.Key)
		if err != nil {
			return err
		}
		f, checks, err := casefile.Verify(text, vkey)
		if err != nil {
			return err
		}
		v = fileVerdict{Kind: "case-file", Case: string(f.ID), Box: f.Box, Holds: casefile.Holds(checks), Checks: checks}
		for _, h := range f.Hashes {
			hashes[h.SHA256] = h.Of + " " + h.Name
		}
		t = v.table()
		for _, x := range checks {
			t = append(t, checkRow(x))
		}
	} else if v, t, err = deletionVerdict(text, key, hashes); err != nil {
		return err
	}
	for _, name := range c.Files {
		m, err := match(name, hashes)
		if err != nil {
			return err
		}
		v.Files, v.Holds = append(v.Files, m), v.Holds && m.Of != ""
		says := "is its " + m.Of
		if m.Of == "" {
			says = notHolds + ": nothing of the case has its SHA-256 " + m.SHA256
		}
		t = append(t, []string{filepath.Base(name), says})
	}
	if err := e.show(v, t); err != nil {
		return err
	}
	if !v.Holds {
		return errFileNotVerified
	}
	return nil
}

func (v fileVerdict) table() table { return table{{"case", v.Case}, {"box", v.Box}} }

var checkWords = map[string]string{
	casefile.CheckHead: "head of the log", casefile.CheckLog: "entries of the log", casefile.CheckSignatures: "signatures of assessors",
	casefile.CheckProof: "proof of the copy", casefile.CheckHashes: "hashes",
}

func checkRow(c casefile.Check) []string {
	says := holds
	if c.Why != "" {
		says = notHolds + ": " + c.Why
	}
	return []string{fmt.Sprintf("%s (%d)", checkWords[c.Of], c.Count), says}
}

// deletionVerdict checks a proof of deletion.
func deletionVerdict(text []byte, key note.Verifier, hashes map[string]string) (fileVerdict, table, error) {
	d, err := casefile.VerifyDeletion(text, key)
	if err != nil {
		return fileVerdict{}, nil, err
	}
	v := fileVerdict{Kind: "deletion", Case: string(d.Case), Box: d.Box, Holds: true, Deletion: &d}
	t := append(v.table(), table{{"signature", holds}, {"made", local(d.Created)}, {"deleted", local(d.Deleted)}, {"by", d.By}, {"why", d.Why},
		{"audit entry", fmt.Sprintf("%d of %d", d.Entry, d.Size)}, {"log's root", d.Root}, {"issued", local(d.Made)}}...)
	for _, g := range d.Gone {
		t = append(t, []string{"gone", g.Kind + " " + g.Hash.String()})
		hashes[g.Hash.String()] = g.Kind + " (deleted from the box)"
	}
	return v, t, nil
}

// match says what of a case a file is.
func match(name string, hashes map[string]string) (m matched, err error) {
	f, err := os.Open(name)
	if err != nil {
		return m, fmt.Errorf("ctl: %w", err)
	}
	h := sha256.New()
	_, err = io.Copy(h, f)
	if err := errors.Join(err, f.Close()); err != nil {
		return m, fmt.Errorf("ctl: %w", err)
	}
	sum := fmt.Sprintf("%x", h.Sum(nil))
	return matched{File: filepath.Base(name), SHA256: sum, Of: hashes[sum]}, nil
}
