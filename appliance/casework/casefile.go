package casework

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"veilbox/appliance/account"
	"veilbox/appliance/audit"
	"veilbox/appliance/casefile"
	"veilbox/appliance/incident"
	"veilbox/appliance/policy"
	"veilbox/appliance/store"
	"veilbox/capture/footage"
	"veilbox/internal/problem"
	"veilbox/redact"
	"veilbox/redact/mask"
	"veilbox/redact/proof"
)

// CaseFile returns all that is on record about a case, without footage. It is on
// record first, and so the last line of its own log.
func (s *Service) CaseFile(ctx context.Context, a Actor, id incident.CaseID) (casefile.File, error) {
	return s.caseFile(ctx, a, id, "json")
}

// CaseFilePDF writes the same as a PDF, with the JSON attached; lang is "da" or
// "en". Nothing is written where it returns an error of its own.
func (s *Service) CaseFilePDF(ctx context.Context, a Actor, id incident.CaseID, lang string, w io.Writer) error {
	if !slices.Contains(casefile.Languages, lang) {
		return badInput("casefile.lang", "Vælg dansk (da) eller engelsk (en).", "Choose Danish (da) or English (en).")
	}
	f, err := s.caseFile(ctx, a, id, "pdf")
	if err != nil {
		return err
	}
	if err := casefile.WritePDF(w, f, lang); err != nil {
		return fmt.Errorf("casework: %w", err)
	}
	return nil
}

// allowFile is allow for all that is kept of a case. There is no picture in it,
// but it names the person and tells of the recording: but for an auditor, who
// reads it as the log, that asks for a formal authorisation (V7).
func (s *Service) allowFile(a Actor) error {
	if err := s.allow(a, account.CaseFile); err != nil || slices.Contains(a.Session.Roles, account.Auditor) {
		return err
	}
	return s.allow(a, account.ViewCases)
}

func (s *Service) caseFile(ctx context.Context, a Actor, id incident.CaseID, format string) (casefile.File, error) {
	if err := s.allowFile(a); err != nil {
		return casefile.File{}, err
	}
	c, err := s.load(ctx, id)
	if err != nil {
		return casefile.File{}, err
	}
	about := caseAbout(c)
	about["format"] = format
	if err := s.record(ctx, a, "case.file", "", about); err != nil {
		return casefile.File{}, err
	}
	in := casefile.Input{At: s.o.Clock.Now(), By: a.Session.Person, Box: s.o.Signer.Name(), Case: c, Verifier: s.o.Audit.VerifierKey()}
	if c.Deletion == nil {
		findings := policy.Assess(c, s.deadlineNow(), s.o.Settings).Findings()
		in.Findings = findings[:]
	}
	if cam, err := s.o.Store.Camera(ctx, c.Clip.Camera); err == nil {
		in.CameraName = cam.Name
	} else if !errors.Is(err, store.ErrNotFound) {
		return casefile.File{}, err
	}
	if in.Proof, err = s.proofFigures(ctx, id); err != nil {
		return casefile.File{}, err
	}
	in.Members = s.memberNames(ctx)
	in.Accesses, in.Unknown = s.accesses(ctx, c)
	if in.Log, err = s.o.Audit.Entries(ctx, audit.Filter{About: "case=" + string(id)}); err != nil {
		return casefile.File{}, fmt.Errorf("casework: %w", err)
	}
	if in.Head, err = s.o.Audit.Head(ctx); err != nil {
		return casefile.File{}, fmt.Errorf("casework: %w", err)
	}
	if in.LogProofs, err = s.logProofs(ctx, in.Log, in.Head); err != nil {
		return casefile.File{}, err
	}
	return casefile.Build(in), nil
}

// proofFigures returns what the proof of a case's copy found; nil where there is
// no copy, or none that this program can read.
func (s *Service) proofFigures(ctx context.Context, id incident.CaseID) (*casefile.Proof, error) {
	r, err := s.copyRecord(ctx, id)
	if problem.Of(err).Status == 404 && err != nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return figuresOf(r)
}

func figuresOf(r redact.Record) (*casefile.Proof, error) {
	p, err := proof.Parse(r.Proof)
	if err != nil {
		return nil, errCopyOld.With(err)
	}
	m, err := mask.Decode(r.Mask)
	if err != nil {
		return nil, errCopyOld.With(err)
	}
	f := casefile.Figures(p, string(r.Proof), m.Sound)
	return &f, nil
}

// logProofs proves that the log's head covers the entries that a file lists.
func (s *Service) logProofs(ctx context.Context, list []audit.Entry, head audit.Head) ([]casefile.LogProof, error) {
	list = list[max(0, len(list)-casefile.MaxLog):]
	out := make([]casefile.LogProof, 0, len(list))
	for _, e := range list {
		p, err := s.o.Audit.Prove(ctx, e.Seq)
		if err != nil {
			return nil, fmt.Errorf("casework: %w", err)
		}
		x := casefile.LogProof{Seq: e.Seq, Path: p.Path}
		if p.Head != string(head.Note) {
			x.Head = p.Head // somebody has acted since
		}
		out = append(out, x)
	}
	return out, nil
}

// memberNames returns the names of the members; none where they are not known.
func (s *Service) memberNames(ctx context.Context) map[incident.MemberID]string {
	all, err := s.o.Uplink.Members(ctx)
	if err != nil {
		s.o.Log.Warn("a case file has no names of members", "error", err)
		return nil
	}
	names := map[incident.MemberID]string{}
	for _, m := range all {
		names[m.ID] = m.Name
	}
	return names
}

// accesses returns who at other members has looked. The file is made without them
// where the extranet does not answer, and says so.
func (s *Service) accesses(ctx context.Context, c incident.Case) (list []casefile.Access, unknown bool) {
	if c.Disclosure == nil {
		return nil, false
	}
	all, err := s.o.Uplink.Accesses(ctx, c.Disclosure.ID)
	if err != nil {
		s.o.Log.Warn("the extranet was not asked who has looked at a disclosure", "disclosure", c.Disclosure.ID, "error", err)
		return nil, true
	}
	for _, x := range all {
		list = append(list, casefile.Access(x))
	}
	return list, false
}

// cameraNames returns the names of the box's cameras.
func (s *Service) cameraNames(ctx context.Context) (map[footage.CameraID]string, error) {
	cams, err := s.o.Store.Cameras(ctx)
	if err != nil {
		return nil, err
	}
	names := map[footage.CameraID]string{}
	for _, c := range cams {
		names[c.ID] = c.Name
	}
	return names, nil
}
