package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"veilbox/appliance/casework"
	"veilbox/appliance/incident"
)

// Holdings returns everything that is kept about a case.
func (c *Client) Holdings(ctx context.Context, id incident.CaseID) (casework.Holdings, error) {
	var v casework.Holdings
	return v, c.ask(ctx, http.MethodGet, path("cases", string(id), "holdings"), nil, nil, &v)
}

// Inform notes that the person on the footage was told, or why not.
func (c *Client) Inform(ctx context.Context, id incident.CaseID, n casework.NewInformed) (casework.CaseView, error) {
	return c.caseView(ctx, http.MethodPost, path("cases", string(id), "informed"), n)
}

// FindCases finds what concerns a person who was in the shop at some time.
func (c *Client) FindCases(ctx context.Context, q casework.FindQuery) (casework.FindResult, error) {
	var v casework.FindResult
	return v, c.ask(ctx, http.MethodPost, path("rights", "find"), nil, q, &v)
}

// HandOut copies to w the copy that is given to the person whom it shows.
func (c *Client) HandOut(ctx context.Context, id incident.CaseID, h casework.Handout, w io.Writer) (err error) {
	b, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	resp, err := c.do(ctx, http.MethodPost, path("cases", string(id), "handout"), nil, http.Header{"Content-Type": {"application/json"}}, b)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	// A transfer that is cut short is an error of the copying: the box says the
	// length first.
	if resp.ContentLength < 0 {
		return errors.New("client: the box did not say how long the copy is: use a veilctl of the box's own version")
	}
	if _, err := io.Copy(w, resp.Body); err != nil {
		return unreachable(c.base.Host, err)
	}
	return nil
}

// DeletedHere records that this shop has deleted what it took of an alert.
func (c *Client) DeletedHere(ctx context.Context, id incident.DisclosureID, words string) error {
	return c.ask(ctx, http.MethodPost, path("alerts", string(id), "deletion"), nil, map[string]string{"words": words}, nil)
}
