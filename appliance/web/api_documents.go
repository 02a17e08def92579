package web

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"

	"veilbox/appliance/account"
	"veilbox/appliance/casework"
	"veilbox/appliance/incident"
	"veilbox/internal/problem"
)

var errDocumentType = problem.New(http.StatusUnsupportedMediaType, "request.document-type",
	problem.Text{DA: "Et dokument skal være en PDF, et JPEG- eller et PNG-billede.", EN: "A document must be a PDF, a JPEG or a PNG picture."},
	problem.Text{DA: "Vælg en fil af den slags, eller tag et billede af papiret.", EN: "Choose a file of that kind, or take a picture of the paper."})

// apiAddDocument takes a document: the file as the body, what it is and is called
// in the query. What the file is by its bytes the Box finds out itself.
func (s *server) apiAddDocument(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	if err := a.Session.Allow(account.Tag, s.Clock.Now()); err != nil && a.Session.Allow(account.Assess, s.Clock.Now()) != nil {
		return err // before anything of the body is read
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || !slices.Contains([]string{incident.MediaPDF, incident.MediaJPEG, incident.MediaPNG, "application/octet-stream"}, kind) {
		return errDocumentType.With(err)
	}
	q := r.URL.Query()
	file := &counted{r: r.Body}
	v, err := s.Box.AddDocument(r.Context(), a, caseOf(r), casework.NewDocument{Kind: q.Get("kind"), Name: q.Get("name")}, file)
	var tooBig *http.MaxBytesError
	if errors.As(file.err, &tooBig) || errors.As(err, &tooBig) {
		return tooLarge(tooBig.Limit).With(err)
	}
	return created(w, v, err)
}

// counted remembers why reading a body failed, whatever is made of it elsewhere.
type counted struct {
	r   io.Reader
	err error
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		c.err = err
	}
	return n, err
}

// apiDocument hands a document out to be saved, never to be shown: it came from
// outside, and nothing of it may run or be drawn on the box's own pages.
func (s *server) apiDocument(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	d, m, err := s.Box.Document(r.Context(), a, caseOf(r), incident.DocumentID(r.PathValue("doc")))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Security-Policy", "sandbox; default-src 'none'")
	name := d.Name
	if name == "" {
		name = "dokument"
	}
	return s.serve(w, r, m, d.Media, name)
}

func (s *server) apiRemoveDocument(w http.ResponseWriter, r *http.Request, a casework.Actor) error {
	b, err := body[casework.DocumentRemoval](r)
	if err != nil {
		return err
	}
	v, err := s.Box.RemoveDocument(r.Context(), a, caseOf(r), incident.DocumentID(r.PathValue("doc")), b)
	return ok(w, v, err)
}

// attach says that what follows is to be saved under a name.
func attach(w http.ResponseWriter, name string) {
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
}

// handOut answers bytes to be saved.
func handOut(w http.ResponseWriter, kind, name string, b []byte, err error) error {
	if err != nil {
		return err
	}
	attach(w, name)
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Security-Policy", "sandbox; default-src 'none'")
	// A failed write means that the caller has gone; nobody is left to tell.
	_, _ = w.Write(b)
	return nil
}
