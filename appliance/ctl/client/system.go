package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"veilbox/appliance/casework"
)

// Members returns the connected retailers.
func (c *Client) Members(ctx context.Context) ([]casework.Member, error) {
	var v []casework.Member
	return v, c.ask(ctx, http.MethodGet, path("members"), nil, nil, &v)
}

// Enrolment returns whether the box belongs to an extranet.
func (c *Client) Enrolment(ctx context.Context) (casework.Enrolment, error) {
	var v casework.Enrolment
	return v, c.ask(ctx, http.MethodGet, path("enrolment"), nil, nil, &v)
}

// Enrol joins an extranet with a one-time code.
func (c *Client) Enrol(ctx context.Context, code string) (casework.Enrolment, error) {
	var v casework.Enrolment
	return v, c.ask(ctx, http.MethodPost, path("enrolment"), nil, map[string]string{"code": code}, &v)
}

// Health returns the checks of the health page.
func (c *Client) Health(ctx context.Context) ([]casework.Check, error) {
	var v []casework.Check
	return v, c.ask(ctx, http.MethodGet, path("health"), nil, nil, &v)
}

// AuditJSON returns audit entries as the box gives them. The query's keys are
// act, about, from, to, after and limit.
func (c *Client) AuditJSON(ctx context.Context, query url.Values) (json.RawMessage, error) {
	var v json.RawMessage
	return v, c.ask(ctx, http.MethodGet, path("audit"), query, nil, &v)
}
