package client

import (
	"context"
	"net/http"
	"strconv"

	"veilbox/appliance/casework"
	"veilbox/appliance/incident"
)

func (c *Client) caseView(ctx context.Context, method, path string, in any) (casework.CaseView, error) {
	var v casework.CaseView
	return v, c.ask(ctx, method, path, nil, in, &v)
}

// Cases returns the cases, without findings where the box leaves them out.
func (c *Client) Cases(ctx context.Context) ([]casework.CaseView, error) {
	var v []casework.CaseView
	return v, c.ask(ctx, http.MethodGet, path("cases"), nil, nil, &v)
}

// NewCase marks an incident.
func (c *Client) NewCase(ctx context.Context, n casework.NewCase) (casework.CaseView, error) {
	return c.caseView(ctx, http.MethodPost, path("cases"), n)
}

// Case returns one case.
func (c *Client) Case(ctx context.Context, id incident.CaseID) (casework.CaseView, error) {
	return c.caseView(ctx, http.MethodGet, path("cases", string(id)), nil)
}

// ChangeCase replaces the answers of the form.
func (c *Client) ChangeCase(ctx context.Context, id incident.CaseID, ch casework.Change) (casework.CaseView, error) {
	return c.caseView(ctx, http.MethodPut, path("cases", string(id)), ch)
}

// CaseClip returns the case's own clip, not veiled.
func (c *Client) CaseClip(ctx context.Context, id incident.CaseID) (*Media, error) {
	return c.Media(ctx, path("cases", string(id), "clip.mp4"), nil)
}

// Redact says where the subject is and begins the redaction.
func (c *Client) Redact(ctx context.Context, id incident.CaseID, s casework.SubjectChange) (casework.CaseView, error) {
	return c.caseView(ctx, http.MethodPut, path("cases", string(id), "subject"), s)
}

// CaseProgress returns how far the redaction is.
func (c *Client) CaseProgress(ctx context.Context, id incident.CaseID) (casework.Progress, error) {
	var v casework.Progress
	return v, c.ask(ctx, http.MethodGet, path("cases", string(id), "progress"), nil, nil, &v)
}

// CancelRedaction stops the redaction.
func (c *Client) CancelRedaction(ctx context.Context, id incident.CaseID) error {
	return c.ask(ctx, http.MethodDelete, path("cases", string(id), "progress"), nil, nil, nil)
}

// CaseCopy returns the veiled copy.
func (c *Client) CaseCopy(ctx context.Context, id incident.CaseID) (*Media, error) {
	return c.Media(ctx, path("cases", string(id), "copy.mp4"), nil)
}

// Sheet returns the reveal sheet.
func (c *Client) Sheet(ctx context.Context, id incident.CaseID) (casework.SheetView, error) {
	var v casework.SheetView
	return v, c.ask(ctx, http.MethodGet, path("cases", string(id), "sheet"), nil, nil, &v)
}

// SheetPicture returns the sheet's picture n, as JPEG.
func (c *Client) SheetPicture(ctx context.Context, id incident.CaseID, n int) ([]byte, error) {
	return c.fetch(ctx, path("cases", string(id), "sheet", strconv.Itoa(n)+".jpg"))
}

// Proof returns the proof of the copy, as JSON.
func (c *Client) Proof(ctx context.Context, id incident.CaseID) ([]byte, error) {
	return c.fetch(ctx, path("cases", string(id), "proof.json"))
}

// KeepSound has the sound of the copy kept for a reason, or removed without one.
func (c *Client) KeepSound(ctx context.Context, id incident.CaseID, s casework.SoundChange) (casework.CaseView, error) {
	return c.caseView(ctx, http.MethodPut, path("cases", string(id), "sound"), s)
}

// Submit puts the case before the assessor.
func (c *Client) Submit(ctx context.Context, id incident.CaseID, version int) (casework.CaseView, error) {
	return c.caseView(ctx, http.MethodPost, path("cases", string(id), "submit"), map[string]int{"version": version})
}

// Assess approves or refuses.
func (c *Client) Assess(ctx context.Context, id incident.CaseID, v casework.Verdict) (casework.CaseView, error) {
	return c.caseView(ctx, http.MethodPost, path("cases", string(id), "assessment"), v)
}

// Report documents the report to the police.
func (c *Client) Report(ctx context.Context, id incident.CaseID, r casework.PoliceReport) (casework.CaseView, error) {
	return c.caseView(ctx, http.MethodPost, path("cases", string(id), "report"), r)
}

// Withdraw ends the disclosure.
func (c *Client) Withdraw(ctx context.Context, id incident.CaseID, reason string) (casework.CaseView, error) {
	return c.caseView(ctx, http.MethodPost, path("cases", string(id), "withdrawal"), map[string]string{"reason": reason})
}

// Alerts returns what other members disclosed to this one.
func (c *Client) Alerts(ctx context.Context) ([]casework.Alert, error) {
	var v []casework.Alert
	return v, c.ask(ctx, http.MethodGet, path("alerts"), nil, nil, &v)
}

// View begins a logged viewing of an alert's copy.
func (c *Client) View(ctx context.Context, id incident.DisclosureID, purpose string) (casework.Viewing, error) {
	var v casework.Viewing
	return v, c.ask(ctx, http.MethodPost, path("alerts", string(id), "viewings"), nil, map[string]string{"purpose": purpose}, &v)
}

// ViewingMedia returns the copy of a viewing.
func (c *Client) ViewingMedia(ctx context.Context, viewing string) (*Media, error) {
	return c.Media(ctx, path("viewings", viewing, "copy.mp4"), nil)
}
