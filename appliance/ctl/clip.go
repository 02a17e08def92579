package ctl

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"veilbox/appliance/casework"
	"veilbox/appliance/ctl/client"
	"veilbox/appliance/statement"
	"veilbox/capture/footage"
	"veilbox/internal/clock"
	"veilbox/internal/durable"
	"veilbox/internal/problem"
)

// outside is system condition S12, said at the moment of export.
const outside = "What you have just taken out of the system is your own responsibility from here: it is under the ordinary rules of data protection. The export is in the audit log, under your name."

type clipCmd struct {
	Export clipExportCmd `cmd:"" help:"Export recorded footage as MP4, not veiled, with a signed statement, for the police or another lawful purpose. It is logged."`
	Verify clipVerifyCmd `cmd:"" help:"Check an exported video against its statement. Needs no box: for the police, an auditor, a court."`
}

type clipExportCmd struct {
	Camera  string `required:"" help:"The camera's name in the system."`
	From    string `required:"" help:"From when: RFC 3339, \"2026-02-03 14:05:06\" in Copenhagen time, \"now\" or \"10m ago\"."`
	To      string `required:"" help:"Until when."`
	Output  string `required:"" short:"o" help:"The video to write; its statement goes beside it, as FILE.statement.txt." placeholder:"FILE" type:"path"`
	Purpose string `required:"" help:"What it is for, such as \"police, case 4200-...\"; kept in the audit log and said in the statement."`
	Keep    bool   `help:"Keep the recording beyond its 30 days for this, until somebody looks again in 90 days."`
	Key     string `help:"The box's verifier key, or a file with it (audit.pub in its data folder), where it is known beforehand; else the key that the box tells is used, and shown." placeholder:"KEY"`
}

// exported is what --json says of an export.
type exported struct {
	ID            string `json:"id"`
	File          string `json:"file"`
	StatementFile string `json:"statement_file"`
	Size          int64  `json:"size"`
	SHA256        string `json:"sha256"`
	Signature     string `json:"signature"` // "holds"
	VerifierKey   string `json:"verifier_key"`
	AuditEntry    int64  `json:"audit_entry"`
}

func (c *clipExportCmd) Run(e *env) error {
	cam, err := footage.ParseCameraID(c.Camera)
	if err != nil {
		return usage("%v", err)
	}
	from, err := e.when(c.From)
	if err != nil {
		return err
	}
	to, err := e.when(c.To)
	if err != nil {
		return err
	}
	if !from.Before(to) {
		return usage("--from must be before --to")
	}
	key, err := verifierKey(c.Key)
	if err != nil {
		return err
	}
	cl, err := e.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	v, err := cl.NewExport(e.ctx, cam, casework.NewExport{From: from, To: to, Purpose: c.Purpose, Keep: c.Keep})
	if err != nil {
		return err
	}
	if v, err = e.awaitExport(cl, v); err != nil {
		return err
	}
	told := c.Key == ""
	if told {
		// The box that TLS has shown to be the right one says what it signs with.
		if key, err = note.NewVerifier(v.VerifierKey); err != nil {
			return fmt.Errorf("ctl: the box tells no verifier key that can be read (%v): use a veilctl of the box's own version, or give --key", err)
		}
	}
	text, err := cl.ExportStatement(e.ctx, v.ID)
	if err != nil {
		return err
	}
	s, signature, err := readStatement(text, key)
	if err != nil {
		return err
	}
	if s.Camera != cam || s.SHA256.String() != v.SHA256 || s.Size != v.Size {
		return fmt.Errorf("ctl: the statement is not about this export (%s): nothing is kept; tell the operator", v.ID)
	}
	out := exported{ID: v.ID, File: c.Output, StatementFile: statementFile(c.Output), Size: s.Size, SHA256: v.SHA256, Signature: signature, VerifierKey: v.VerifierKey, AuditEntry: s.AuditEntry}
	if err := e.saveExport(cl, out, s, text); err != nil {
		return err
	}
	e.notice("%s", outside)
	if told {
		e.notice("The signature was checked with the key that the box told over this connection. Compare it with audit.pub in the box's data folder: %s", printable(v.VerifierKey))
	}
	return e.show(out, table{{"FILE", "BYTES", "SHA-256", "SIGNATURE"}, {out.File, fmt.Sprint(out.Size), out.SHA256, out.Signature}, {out.StatementFile, fmt.Sprint(len(text)), "", ""}})
}

// askAgain is how often the box is asked how far an export is.
const askAgain = time.Second

func (e *env) awaitExport(cl *client.Client, v casework.ExportView) (casework.ExportView, error) {
	told := int64(-1)
	for {
		switch v.State {
		case "ready":
			return v, nil
		case "failed":
			if v.Problem != nil {
				return v, problem.New(502, v.Problem.Code, v.Problem.Cause, v.Problem.Remedy)
			}
			return v, fmt.Errorf("ctl: the box could not make the export %s: its log says why", v.ID)
		}
		if v.Size > 0 && v.Done*10/v.Size != told {
			told = v.Done * 10 / v.Size
			e.notice("The box reads the footage: %d %%", told*10)
		}
		if err := clock.Sleep(e.ctx, e.Clock, askAgain); err != nil {
			return v, fmt.Errorf("ctl: waiting for the export: %w", err)
		}
		var err error
		if v, err = cl.Export(e.ctx, v.ID); err != nil {
			return v, err
		}
	}
}

// saveExport writes the video and its statement, both or neither, once the video
// is what the statement says.
func (e *env) saveExport(cl *client.Client, x exported, s statement.Statement, text []byte) error {
	m, err := cl.ExportClip(e.ctx, x.ID)
	if err != nil {
		return err
	}
	err = durable.WriteFunc(x.File, 0o600, func(w io.Writer) error {
		if err := s.Matches(io.TeeReader(m, w)); err != nil {
			return err
		}
		return durable.WriteFile(x.StatementFile, text, 0o600)
	})
	return errors.Join(err, m.Close())
}

func statementFile(video string) string { return strings.TrimSuffix(video, ".mp4") + ".statement.txt" }

// saved is what --json says of a file.
type saved struct {
	File   string `json:"file"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// save writes m whole to path, or nothing, and tells the hash.
func (e *env) save(m *client.Media, path string) error {
	h := sha256.New()
	err := durable.WriteFunc(path, 0o600, func(w io.Writer) error {
		_, err := io.Copy(io.MultiWriter(w, h), m)
		return err
	})
	if err = errors.Join(err, m.Close()); err != nil {
		return err
	}
	v := saved{path, m.Size(), hex.EncodeToString(h.Sum(nil))}
	e.notice("%s", outside)
	return e.show(v, table{{"FILE", "BYTES", "SHA-256"}, {v.File, fmt.Sprint(v.Size), v.SHA256}})
}

// readFile reads a small file that the person gives; "-" is standard input.
func (e *env) readFile(path string, most int64) (_ []byte, err error) {
	r := e.In
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("ctl: %w", err)
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		r = f
	}
	b, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, fmt.Errorf("ctl: %s: %w", path, err)
	}
	if int64(len(b)) > most {
		return nil, fmt.Errorf("ctl: %s is over %d bytes", path, most)
	}
	return b, nil
}
