package link

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"veilbox/appliance/incident"
	"veilbox/uplink/wire"
)

func path(id incident.DisclosureID, act string) string {
	p := "/v1/disclosures/" + url.PathEscape(string(id))
	if act != "" {
		p += "/" + act
	}
	return p
}

// Enrol sends a box's first words.
func (c *Client) Enrol(ctx context.Context, r wire.EnrolRequest) (a wire.EnrolResponse, err error) {
	return a, c.do(ctx, http.MethodPost, "/v1/enrol", r, &a)
}

// Renew asks for the next certificate.
func (c *Client) Renew(ctx context.Context, r wire.RenewRequest) (a wire.RenewResponse, err error) {
	return a, c.do(ctx, http.MethodPost, "/v1/renew", r, &a)
}

// Members returns who is connected, with the keys of boxes and assessors.
func (c *Client) Members(ctx context.Context) (a wire.Directory, err error) {
	return a, c.do(ctx, http.MethodGet, "/v1/members", nil, &a)
}

// RegisterAssessor registers or replaces an assessor's key.
func (c *Client) RegisterAssessor(ctx context.Context, r wire.AssessorRequest) (a wire.AssessorResponse, err error) {
	return a, c.do(ctx, http.MethodPost, "/v1/assessors", r, &a)
}

// Submit begins a disclosure.
func (c *Client) Submit(ctx context.Context, r wire.SubmitRequest) (a wire.SubmitResponse, err error) {
	return a, c.do(ctx, http.MethodPost, "/v1/disclosures", r, &a)
}

// Complete ends the upload; the answer is the receipt.
func (c *Client) Complete(ctx context.Context, id incident.DisclosureID) (a wire.CompleteResponse, err error) {
	return a, c.do(ctx, http.MethodPost, path(id, "complete"), struct{}{}, &a)
}

// Inbox lists what my member may see and what it sent.
func (c *Client) Inbox(ctx context.Context) (a wire.Inbox, err error) {
	return a, c.do(ctx, http.MethodGet, "/v1/disclosures", nil, &a)
}

// View asks for one viewing.
func (c *Client) View(ctx context.Context, id incident.DisclosureID, r wire.ViewRequest) (a wire.ViewResponse, err error) {
	return a, c.do(ctx, http.MethodPost, path(id, "viewings"), r, &a)
}

// Withdraw ends a disclosure.
func (c *Client) Withdraw(ctx context.Context, id incident.DisclosureID, r wire.WithdrawRequest) error {
	return c.do(ctx, http.MethodPost, path(id, "withdraw"), r, new(wire.OK))
}

// Report documents the report to the police.
func (c *Client) Report(ctx context.Context, id incident.DisclosureID, r wire.ReportRequest) error {
	return c.do(ctx, http.MethodPost, path(id, "report"), r, new(wire.OK))
}

// Reassess says that the conditions were looked at again.
func (c *Client) Reassess(ctx context.Context, id incident.DisclosureID, r wire.ReassessRequest) error {
	return c.do(ctx, http.MethodPost, path(id, "reassess"), r, new(wire.OK))
}

// Deleted records that my member has deleted what it had of a disclosure.
func (c *Client) Deleted(ctx context.Context, id incident.DisclosureID, r wire.DeletedRequest) error {
	return c.do(ctx, http.MethodPost, path(id, "deleted"), r, new(wire.OK))
}

// Accesses returns who has looked at an own disclosure.
func (c *Client) Accesses(ctx context.Context, id incident.DisclosureID) (a wire.AccessLog, err error) {
	return a, c.do(ctx, http.MethodGet, path(id, "accesses"), nil, &a)
}

// Heartbeat says that the box lives.
func (c *Client) Heartbeat(ctx context.Context, r wire.HeartbeatRequest) (a wire.HeartbeatResponse, err error) {
	return a, c.do(ctx, http.MethodPost, "/v1/heartbeat", r, &a)
}

// Head shows the head of the box's audit log.
func (c *Client) Head(ctx context.Context, r wire.HeadRequest) error {
	return c.do(ctx, http.MethodPost, "/v1/heads", r, new(wire.OK))
}

// tus is the version of the upload protocol (tus.io, 1.0.0).
const tus = "1.0.0"

// UploadOffset returns how many bytes of the upload the extranet holds.
func (c *Client) UploadOffset(ctx context.Context, upload string) (int64, error) {
	resp, err := c.request(ctx, http.MethodHead, upload, http.Header{"Tus-Resumable": {tus}}, nil)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	return offset(resp)
}

// UploadChunk sends chunk, which begins at the given offset, and returns the
// offset after it.
func (c *Client) UploadChunk(ctx context.Context, upload string, at int64, chunk []byte) (int64, error) {
	h := http.Header{
		"Tus-Resumable": {tus},
		"Upload-Offset": {strconv.FormatInt(at, 10)},
		"Content-Type":  {"application/offset+octet-stream"},
	}
	resp, err := c.request(ctx, http.MethodPatch, upload, h, bytes.NewReader(chunk))
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	return offset(resp)
}

func offset(resp *http.Response) (int64, error) {
	n, err := strconv.ParseInt(resp.Header.Get("Upload-Offset"), 10, 64)
	if err != nil || n < 0 {
		return 0, ErrAnswer.With(fmt.Errorf("link: upload offset %q", resp.Header.Get("Upload-Offset")))
	}
	return n, nil
}
