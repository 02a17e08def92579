package client

import (
	"context"
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
