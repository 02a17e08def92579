package ctl

import (
	"fmt"
	"path/filepath"

	"veilbox/appliance/casework"
	"veilbox/appliance/ctl/client"
	"veilbox/appliance/incident"
	"veilbox/internal/durable"
)

// changing gives f the case's present version and shows the case afterwards.
func (e *env) changing(id incident.CaseID, f func(cl *client.Client, version int) (casework.CaseView, error)) error {
	return e.withCase(func(cl *client.Client) (casework.CaseView, error) {
		v, err := cl.Case(e.ctx, id)
		if err != nil {
			return v, err
		}
		return f(cl, v.Version)
	})
}

// withBox calls f with the box that is logged in to.
func (e *env) withBox(f func(*client.Client) error) error {
	cl, err := e.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	return f(cl)
}

// saveBytes writes what the box answered to a file and says so.
func (e *env) saveBytes(path string, get func(*client.Client) ([]byte, error)) error {
	return e.withBox(func(cl *client.Client) error {
		b, err := get(cl)
		if err != nil {
			return err
		}
		if err := durable.WriteFile(path, b, 0o600); err != nil {
			return err
		}
		return e.show(map[string]any{"file": path, "bytes": len(b)}, table{{"FILE", "BYTES"}, {path, fmt.Sprint(len(b))}})
	})
}

func members(names []string) (out []incident.MemberID) {
	for _, n := range names {
		out = append(out, incident.MemberID(n))
	}
	return out
}

type caseFactCmd struct {
	caseID
	What  string `arg:"" enum:"certainty-lost,charged,report-withdrawn,report-groundless" help:"One of certainty-lost (condition 1), charged (3), report-withdrawn and report-groundless (4)."`
	Words string `required:"" help:"What is known, and from whom."`
	At    string `default:"now" help:"When it happened: RFC 3339, \"2026-02-03 14:05\" in Copenhagen time, \"now\" or \"10m ago\"."`
}

func (c *caseFactCmd) Run(e *env) error {
	at, err := e.when(c.At)
	if err != nil {
		return err
	}
	return e.changing(c.id(), func(cl *client.Client, version int) (casework.CaseView, error) {
		return cl.AddFact(e.ctx, c.id(), casework.NewFact{Version: version, What: c.What, At: at, Words: c.Words})
	})
}

type caseReassessCmd struct {
	caseID
	Reasons string   `required:"" help:"Why all nine conditions still hold."`
	Next    string   `required:"" help:"When it is looked at again: RFC 3339 or \"2026-02-03\"."`
	Drop    []string `help:"A member that is to lose access; give the flag once for each." placeholder:"MEMBER"`
}

func (c *caseReassessCmd) Run(e *env) error {
	next, err := e.when(c.Next)
	if err != nil {
		return err
	}
	return e.changing(c.id(), func(cl *client.Client, version int) (casework.CaseView, error) {
		return cl.Reassess(e.ctx, c.id(), casework.Reassess{Version: version, Reasons: c.Reasons, Next: next, Drop: members(c.Drop)})
	})
}

type caseNarrowCmd struct {
	caseID
	Drop   []string `required:"" help:"A member that is to lose access; give the flag once for each." placeholder:"MEMBER"`
	Reason string   `required:"" help:"Why; the members that drop out are told."`
}

func (c *caseNarrowCmd) Run(e *env) error {
	return e.changing(c.id(), func(cl *client.Client, version int) (casework.CaseView, error) {
		return cl.Narrow(e.ctx, c.id(), casework.Narrow{Version: version, Drop: members(c.Drop), Reason: c.Reason})
	})
}

type caseDocumentCmd struct {
	Add    documentAddCmd    `cmd:"" help:"Add a PDF, JPEG or PNG of at most 10 MiB. It is kept sealed."`
	List   documentListCmd   `cmd:"" help:"List the documents."`
	Get    documentGetCmd    `cmd:"" help:"Save a document; that is on record."`
	Remove documentRemoveCmd `cmd:"" help:"Take a document away again."`
}

const maxDocument = 10 << 20 // bytes, as the box takes them

type documentAddCmd struct {
	caseID
	File string `arg:"" help:"The file." type:"existingfile"`
	Kind string `enum:"receipt,statement,other" default:"other" help:"receipt (of the report to the police), statement (a witness's) or other."`
	Name string `help:"What to call it (default: the file's name)."`
}

func (c *documentAddCmd) Run(e *env) error {
	b, err := e.readFile(c.File, maxDocument)
	if err != nil {
		return err
	}
	if c.Name == "" {
		c.Name = filepath.Base(c.File)
	}
	return e.withBox(func(cl *client.Client) error {
		v, err := cl.AddDocument(e.ctx, c.id(), casework.NewDocument{Kind: c.Kind, Name: c.Name}, b)
		if err != nil {
			return err
		}
		return e.documents(v)
	})
}

func (e *env) documents(v casework.CaseView) error {
	t := table{{"DOCUMENT", "KIND", "NAME", "BYTES", "ADDED", "BY", "SHA-256"}}
	for _, d := range v.Documents {
		t = append(t, []string{string(d.ID), d.Kind, d.Name, fmt.Sprint(d.Size), local(d.Added), d.ByName, d.Hash.String()})
	}
	return e.show(v.Documents, t)
}

type documentListCmd struct{ caseID }

func (c *documentListCmd) Run(e *env) error {
	return e.withBox(func(cl *client.Client) error {
		v, err := cl.Case(e.ctx, c.id())
		if err != nil {
			return err
		}
		return e.documents(v)
	})
}

type documentGetCmd struct {
	caseID
	Document string `arg:"" help:"The document, as \"case document list\" shows it."`
	Output   string `required:"" short:"o" help:"The file to write." placeholder:"FILE" type:"path"`
}

func (c *documentGetCmd) Run(e *env) error {
	return e.saveBytes(c.Output, func(cl *client.Client) ([]byte, error) {
		return cl.Document(e.ctx, c.id(), incident.DocumentID(c.Document))
	})
}

type documentRemoveCmd struct {
	caseID
	Document string `arg:"" help:"The document, as \"case document list\" shows it."`
	Reason   string `required:"" help:"Why; kept in the log."`
}

func (c *documentRemoveCmd) Run(e *env) error {
	return e.withBox(func(cl *client.Client) error {
		return cl.RemoveDocument(e.ctx, c.id(), incident.DocumentID(c.Document), c.Reason)
	})
}

type caseFileCmd struct {
	caseID
	Output   string `required:"" short:"o" help:"The file to write: a PDF, or JSON where its name ends in .json." placeholder:"FILE" type:"path"`
	Language string `enum:"da,en" default:"da" help:"Of the PDF: da or en."`
}

func (c *caseFileCmd) Run(e *env) error {
	return e.saveBytes(c.Output, func(cl *client.Client) ([]byte, error) {
		if filepath.Ext(c.Output) == ".json" {
			return cl.CaseFileJSON(e.ctx, c.id())
		}
		return cl.CaseFilePDF(e.ctx, c.id(), c.Language)
	})
}

type caseDeleteCmd struct {
	caseID
	Reason string `required:"" help:"Why; kept with the proof of the deletion."`
}

func (c *caseDeleteCmd) Run(e *env) error {
	return e.withBox(func(cl *client.Client) error { return cl.DeleteCase(e.ctx, c.id(), c.Reason) })
}

type caseGoneCmd struct {
	caseID
	Output string `required:"" short:"o" help:"The file to write." placeholder:"FILE" type:"path"`
}

func (c *caseGoneCmd) Run(e *env) error {
	return e.saveBytes(c.Output, func(cl *client.Client) ([]byte, error) { return cl.DeletionProof(e.ctx, c.id()) })
}
