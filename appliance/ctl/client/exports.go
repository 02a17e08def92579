package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"veilbox/appliance/casework"
	"veilbox/capture/footage"
)

// NewExport begins to take out the original of a span; it is on record from then.
// The answer may come before the box has read the footage (State "hashing"):
// Export tells when it has.
func (c *Client) NewExport(ctx context.Context, cam footage.CameraID, n casework.NewExport) (casework.ExportView, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	body, err := json.Marshal(n)
	if err != nil {
		return casework.ExportView{}, fmt.Errorf("client: %w", err)
	}
	header := http.Header{"Accept": {"application/json"}, "Content-Type": {"application/json"}, "Prefer": {"respond-async"}}
	resp, err := c.do(ctx, http.MethodPost, path("cameras", string(cam), "exports"), nil, header, body)
	if err != nil {
		return casework.ExportView{}, err
	}
	b, err := readAll(resp, maxAnswer)
	if err != nil {
		return casework.ExportView{}, err
	}
	var v casework.ExportView
	if err := json.NewDecoder(bytes.NewReader(b)).Decode(&v); err != nil || v.ID == "" {
		return casework.ExportView{}, fmt.Errorf("client: the answer to an export cannot be read (%v): use a veilctl of the box's own version", err)
	}
	return v, nil
}

// Export returns how far an export is.
func (c *Client) Export(ctx context.Context, id string) (casework.ExportView, error) {
	var v casework.ExportView
	return v, c.ask(ctx, http.MethodGet, path("exports", id), nil, nil, &v)
}

// ExportClip returns the video of an export that is ready.
func (c *Client) ExportClip(ctx context.Context, id string) (*Media, error) {
	return c.Media(ctx, path("exports", id, "clip.mp4"), nil)
}

// ExportStatement returns the signed statement of an export that is ready.
func (c *Client) ExportStatement(ctx context.Context, id string) ([]byte, error) {
	return c.fetch(ctx, path("exports", id, "statement.txt"))
}
