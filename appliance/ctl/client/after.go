package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"veilbox/appliance/audit"
	"veilbox/appliance/casework"
	"veilbox/appliance/incident"
)

// AddFact records something new about a case, which may end its disclosure.
func (c *Client) AddFact(ctx context.Context, id incident.CaseID, f casework.NewFact) (casework.CaseView, error) {
	return c.caseView(ctx, http.MethodPost, path("cases", string(id), "facts"), f)
}

// Reassess looks at all nine conditions while the disclosure runs.
func (c *Client) Reassess(ctx context.Context, id incident.CaseID, r casework.Reassess) (casework.CaseView, error) {
	return c.caseView(ctx, http.MethodPost, path("cases", string(id), "reassessments"), r)
}

// Narrow takes members out of the circle while the disclosure runs.
func (c *Client) Narrow(ctx context.Context, id incident.CaseID, n casework.Narrow) (casework.CaseView, error) {
	return c.caseView(ctx, http.MethodPost, path("cases", string(id), "narrowings"), n)
}

// DeleteCase deletes everything personal of a case.
func (c *Client) DeleteCase(ctx context.Context, id incident.CaseID, reason string) error {
	return c.ask(ctx, http.MethodDelete, path("cases", string(id)), nil, map[string]string{"reason": reason}, nil)
}

// AddDocument adds a PDF, JPEG or PNG to the case's evidence.
func (c *Client) AddDocument(ctx context.Context, id incident.CaseID, n casework.NewDocument, content []byte) (casework.CaseView, error) {
	var v casework.CaseView
	q := url.Values{"kind": {n.Kind}, "name": {n.Name}}
	header := http.Header{"Accept": {"application/json"}, "Content-Type": {http.DetectContentType(content)}}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	_, err := c.send(ctx, http.MethodPost, path("cases", string(id), "documents"), q, header, content, &v)
	return v, err
}

// Document returns the bytes of a document.
func (c *Client) Document(ctx context.Context, id incident.CaseID, doc incident.DocumentID) ([]byte, error) {
	return c.fetch(ctx, path("cases", string(id), "documents", string(doc)))
}

// RemoveDocument takes a document away again.
func (c *Client) RemoveDocument(ctx context.Context, id incident.CaseID, doc incident.DocumentID, reason string) error {
	return c.ask(ctx, http.MethodDelete, path("cases", string(id), "documents", string(doc)), nil, map[string]string{"reason": reason}, nil)
}

// CaseFilePDF returns the case file to be read, in "da" or "en".
func (c *Client) CaseFilePDF(ctx context.Context, id incident.CaseID, lang string) ([]byte, error) {
	return c.fetchQuery(ctx, path("cases", string(id), "file.pdf"), url.Values{"lang": {lang}})
}

// CaseFileJSON returns the case file for programs.
func (c *Client) CaseFileJSON(ctx context.Context, id incident.CaseID) ([]byte, error) {
	return c.fetch(ctx, path("cases", string(id), "file.json"))
}

// DeletionProof returns the signed statement of what of a case was deleted.
func (c *Client) DeletionProof(ctx context.Context, id incident.CaseID) ([]byte, error) {
	return c.fetch(ctx, path("cases", string(id), "deletion.txt"))
}

// auditQuery is a filter as the API takes it.
func auditQuery(f audit.Filter) url.Values {
	q := url.Values{}
	for name, v := range map[string]string{"act": f.Act, "who": f.Who, "about": f.About} {
		if v != "" {
			q.Set(name, v)
		}
	}
	for name, v := range map[string]time.Time{"from": f.From, "to": f.To} {
		if !v.IsZero() {
			q.Set(name, v.UTC().Format(time.RFC3339Nano))
		}
	}
	return q
}

// ExportAudit copies the entries that f chooses to w, all of them: After, Limit
// and Newest are not heeded. The export is on record.
func (c *Client) ExportAudit(ctx context.Context, w io.Writer, format audit.Format, f audit.Filter) (err error) {
	q := auditQuery(f)
	q.Set("format", string(format))
	resp, err := c.do(ctx, http.MethodGet, path("audit", "export"), q, nil, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	last := &lastByte{Writer: w}
	n, err := io.Copy(last, resp.Body)
	if err != nil {
		return unreachable(c.base.Host, err)
	}
	if n > 0 && last.b != '\n' || format == audit.CSV && n == 0 {
		return errors.New("client: the export was cut off: what was written is not whole; export again")
	}
	return nil
}

// lastByte keeps the last byte written.
type lastByte struct {
	io.Writer
	b byte
}

func (l *lastByte) Write(p []byte) (int, error) {
	if len(p) > 0 {
		l.b = p[len(p)-1]
	}
	return l.Writer.Write(p)
}
