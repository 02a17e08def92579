package casework

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"veilbox/appliance/account"
	"veilbox/appliance/audit"
	"veilbox/appliance/casework/documents"
	"veilbox/appliance/incident"
	"veilbox/appliance/policy"
	"veilbox/appliance/store"
	"veilbox/capture/seal"
	"veilbox/internal/durable"
	"veilbox/internal/problem"
)

// MaxDocuments is how many documents a case may have.
const MaxDocuments = 20

// A NewDocument is what a person says of a file that belongs to a case. Version
// may be 0: a document takes no answer of anybody's back.
type NewDocument struct {
	Version int    `json:"version,omitempty"`
	Kind    string `json:"kind"` // incident.DocumentReceipt...
	Name    string `json:"name"` // as the file is called
}

// A DocumentRemoval takes a document away again.
type DocumentRemoval struct {
	Version int    `json:"version,omitempty"`
	Reason  string `json:"reason"`
}

var (
	errNoDocument = problem.New(404, "document.missing",
		problem.Text{DA: "Dokumentet findes ikke i sagen.", EN: "The document is not in the case."},
		problem.Text{DA: "Hent sagen igen.", EN: "Load the case again."})
	errDocuments = problem.New(409, "document.many",
		problem.Text{DA: fmt.Sprintf("Sagen har allerede %d dokumenter.", MaxDocuments), EN: fmt.Sprintf("The case has %d documents already.", MaxDocuments)},
		problem.Text{DA: "Fjern et, der ikke skal bruges, eller saml flere sider i én PDF.", EN: "Remove one that is not needed, or gather several pages in one PDF."})
	errDocumentTwice = problem.New(409, "document.twice",
		problem.Text{DA: "Det dokument er allerede i sagen.", EN: "That document is in the case already."},
		problem.Text{DA: "Vælg en anden fil.", EN: "Choose another file."})
	errDocumentDamaged = problem.New(500, "document.damaged",
		problem.Text{DA: "Dokumentet på boksen er beskadiget.", EN: "The document on the box is damaged."},
		problem.Text{DA: "Hent det igen, hvor det kom fra, og læg det i sagen på ny.", EN: "Get it again where it came from, and add it to the case anew."})
	errDocumentKept = wrongState("Sagen ligger til vurdering eller er videregivet; dens dokumenter er en del af grundlaget og kan ikke fjernes.",
		"The case is being assessed or is disclosed; its documents are part of what it rests on and cannot be removed.")
)

// documentFile is where a document is kept, sealed for its case and itself.
func (s *Service) documentFile(id incident.CaseID, doc incident.DocumentID) copyFiles {
	name := string(id) + "." + string(doc)
	return copyFiles{path: filepath.Join(s.documentDir(), name+sealedSuffix), key: s.o.Key.Derive("veilbox documents v1"), context: "document/" + name}
}

func (s *Service) documentDir() string { return filepath.Join(s.o.Dir, "documents") }

const sealedSuffix = ".sealed"

// sweepDocuments removes the files that no case names: what a stop left between
// the file and the case, or between a deletion and its files.
func (s *Service) sweepDocuments(ctx context.Context) error {
	if err := os.MkdirAll(s.documentDir(), 0o700); err != nil {
		return fmt.Errorf("casework: %w: give the box a folder that it can write", err)
	}
	entries, err := os.ReadDir(s.documentDir())
	if err != nil {
		return fmt.Errorf("casework: %w", err)
	}
	for _, e := range entries {
		name := strings.TrimSuffix(e.Name(), sealedSuffix)
		id, doc, _ := strings.Cut(name, ".")
		c, err := s.o.Store.Case(ctx, incident.CaseID(id))
		switch {
		case err == nil && hasDocument(c, incident.DocumentID(doc)):
			continue
		case err != nil && !errors.Is(err, store.ErrNotFound):
			// A case that cannot be read may name it; it is restored with its files.
			s.o.Log.Error("the documents of a case are left as they are, because the case cannot be read", "case", id, "error", err)
			continue
		}
		if err := durable.Remove(filepath.Join(s.documentDir(), e.Name())); err != nil {
			return fmt.Errorf("casework: %w", err)
		}
	}
	return nil
}

// documentName makes s a file name that every system takes: one bounded line
// without a path, without what a screen would show otherwise than it is.
func documentName(s string) string {
	if i := strings.LastIndexAny(s, `/\`); i >= 0 {
		s = s[i+1:]
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError || !unicode.IsPrint(r):
			return -1 // controls, and marks that turn the direction of writing
		case strings.ContainsRune(`<>:"|?*;%`, r):
			return '_'
		}
		return r
	}, s)
	s = strings.Trim(strings.Join(strings.Fields(s), " "), ". ")
	for len(s) > 120 {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return s
}

var extensions = map[string][]string{
	incident.MediaPDF:  {".pdf"},
	incident.MediaJPEG: {".jpg", ".jpeg"},
	incident.MediaPNG:  {".png"},
}

// withExtension gives name the ending of what the file is, whatever it said.
func withExtension(name, media string) string {
	allowed := extensions[media]
	ext := filepath.Ext(name)
	if slices.Contains(allowed, strings.ToLower(ext)) && len(ext) < len(name) {
		return name
	}
	if slices.ContainsFunc([]string{".pdf", ".jpg", ".jpeg", ".png"}, func(e string) bool { return strings.EqualFold(e, ext) }) {
		name = strings.TrimSuffix(name, ext)
	}
	if name == "" {
		name = "dokument"
	}
	return name + allowed[0]
}

// documentable says when and by whom a document may be added: after the release
// as well, for a receipt's number may come first and its paper later the same day
// (V4).
func (s *Service) documentable(a Actor, c incident.Case) error {
	if c.State == incident.Deleted {
		return wrongState("Sagen er slettet.", "The case is deleted.")
	}
	return s.allowDocuments(a)
}

func (s *Service) allowDocuments(a Actor) error {
	if a.Session.Can(account.Assess) {
		return s.allow(a, account.Assess)
	}
	return s.allow(a, account.Tag)
}

func removable(c incident.Case) error {
	switch c.State {
	case incident.Draft, incident.Tagged, incident.Redacted, incident.Refused:
		return nil
	case incident.Deleted:
		return wrongState("Sagen er slettet.", "The case is deleted.")
	default:
		return errDocumentKept
	}
}

// AddDocument takes a file into a case: a PDF, a JPEG or a PNG, as package
// documents finds out, sealed before it reaches the disk.
func (s *Service) AddDocument(ctx context.Context, a Actor, id incident.CaseID, n NewDocument, r io.Reader) (CaseView, error) {
	if err := s.allowDocuments(a); err != nil {
		return CaseView{}, err
	}
	c, err := s.load(ctx, id)
	if err != nil {
		return CaseView{}, err
	}
	if err := s.documentable(a, c); err != nil {
		return CaseView{}, err
	}
	if !slices.Contains([]string{incident.DocumentReceipt, incident.DocumentStatement, incident.DocumentOther}, n.Kind) {
		return CaseView{}, badInput("document.what", "Vælg, hvad dokumentet er: en kvittering, en forklaring eller andet.", "Choose what the document is: a receipt, a statement or other.")
	}
	if len(c.Documents) >= MaxDocuments {
		return CaseView{}, errDocuments
	}
	d := incident.Document{ID: incident.DocumentID(rand.Text()), Kind: n.Kind, By: a.Session.Person.ID, ByName: a.Session.Person.Name}
	file := s.documentFile(id, d.ID)
	found, err := s.takeDocument(file, r)
	if err != nil {
		return CaseView{}, err
	}
	d.Name, d.Media, d.Size, d.Hash = withExtension(documentName(n.Name), found.Media), found.Media, found.Size, found.Hash
	tell := false // the receipt documents the report of a disclosure that runs
	v, err := s.changeAbout(ctx, a, id, n.Version, "case.document.add", "", documentAbout(c, d), func(c *incident.Case) error {
		if err := s.documentable(a, *c); err != nil {
			return err
		}
		if len(c.Documents) >= MaxDocuments {
			return errDocuments
		}
		if slices.ContainsFunc(c.Documents, func(o incident.Document) bool { return o.Hash == d.Hash }) {
			return errDocumentTwice
		}
		d.Added = s.o.Clock.Now().UTC()
		shown := policy.Documented(*c)
		c.Documents = append(c.Documents, d)
		tell = !shown && c.State.Running() && policy.Documented(*c)
		return nil
	}, func(c incident.Case) error {
		if !tell {
			return nil
		}
		// The paper stands for the number: the extranet has a hash of either.
		if err := s.o.Uplink.Reported(ctx, c.Disclosure.ID, a.Session.Person, d.Hash.String(), c.Evidence.Report.At); err != nil {
			return fmt.Errorf("casework: tell the extranet of the report: %w", err)
		}
		return nil
	})
	if err != nil {
		// Whether the case was saved may be unknown: the file goes only where
		// the case says that it does not have it.
		now, e := s.load(context.WithoutCancel(ctx), id)
		if e == nil && !hasDocument(now, d.ID) {
			e = file.Remove()
		}
		return CaseView{}, errors.Join(err, e)
	}
	return v, nil
}

func hasDocument(c incident.Case, doc incident.DocumentID) bool {
	return slices.ContainsFunc(c.Documents, func(d incident.Document) bool { return d.ID == doc })
}

// takeDocument writes the sealed file, whole or not at all.
func (s *Service) takeDocument(file copyFiles, r io.Reader) (found documents.Found, err error) {
	err = durable.WriteFunc(file.path, 0o600, func(w io.Writer) error {
		sealed, err := seal.NewWriter(w, file.key, file.context)
		if err != nil {
			return err
		}
		if found, err = documents.Copy(sealed, r); err != nil {
			return err
		}
		return sealed.Close()
	})
	if err != nil {
		return found, fmt.Errorf("casework: keep the document: %w", err)
	}
	return found, nil
}

// Document opens a document to be saved. It is on record before a byte of it is
// handed out. Its media type and name are for the answer's header; it must go out
// as an attachment.
func (s *Service) Document(ctx context.Context, a Actor, id incident.CaseID, doc incident.DocumentID) (incident.Document, Media, error) {
	if err := s.allow(a, account.ViewCases); err != nil {
		return incident.Document{}, nil, err
	}
	c, err := s.load(ctx, id)
	if err != nil {
		return incident.Document{}, nil, err
	}
	i := slices.IndexFunc(c.Documents, func(d incident.Document) bool { return d.ID == doc })
	if i < 0 {
		return incident.Document{}, nil, errNoDocument
	}
	d := c.Documents[i]
	if err := s.record(ctx, a, "case.document.view", "", documentAbout(c, d)); err != nil {
		return d, nil, err
	}
	m, err := s.documentFile(id, doc).open()
	if err != nil {
		if errors.Is(err, errCopyDamaged) {
			err = errDocumentDamaged.With(err)
		}
		return d, nil, err
	}
	return d, m, nil
}

func documentAbout(c incident.Case, d incident.Document) map[string]string {
	return map[string]string{"case": string(c.ID), "document": string(d.ID), "hash": d.Hash.String(), "kind": d.Kind}
}

// RemoveDocument takes a document out of a case that nobody has decided on yet.
func (s *Service) RemoveDocument(ctx context.Context, a Actor, id incident.CaseID, doc incident.DocumentID, r DocumentRemoval) (CaseView, error) {
	if err := s.allow(a, account.Tag); err != nil {
		return CaseView{}, err
	}
	if strings.TrimSpace(r.Reason) == "" {
		return CaseView{}, badInput("document.reason", "Skriv, hvorfor dokumentet fjernes.", "Write why the document is removed.")
	}
	if err := checkWords("reason", r.Reason, audit.MaxText); err != nil {
		return CaseView{}, err
	}
	about := map[string]string{}
	v, err := s.changeAbout(ctx, a, id, r.Version, "case.document.remove", r.Reason, about, func(c *incident.Case) error {
		if err := removable(*c); err != nil {
			return err
		}
		i := slices.IndexFunc(c.Documents, func(d incident.Document) bool { return d.ID == doc })
		if i < 0 {
			return errNoDocument
		}
		maps.Copy(about, documentAbout(*c, c.Documents[i]))
		c.Documents = slices.DeleteFunc(c.Documents, func(d incident.Document) bool { return d.ID == doc })
		return nil
	})
	if err != nil {
		return CaseView{}, err
	}
	if err := s.documentFile(id, doc).Remove(); err != nil {
		return v, fmt.Errorf("casework: the document is out of the case, but its file stays until the box starts again: %w", err)
	}
	return v, nil
}

// dropDocuments removes every document of a case for good.
func (s *Service) dropDocuments(_ context.Context, id incident.CaseID) error {
	entries, err := os.ReadDir(s.documentDir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("casework: the documents: %w", err)
	}
	var errs []error
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), string(id)+".") {
			errs = append(errs, durable.Remove(filepath.Join(s.documentDir(), e.Name())))
		}
	}
	return errors.Join(errs...)
}
