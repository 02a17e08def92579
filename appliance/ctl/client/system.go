package client

import (
	"context"
	"net/http"
	"strconv"

	"veilbox/appliance/audit"
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

// Audit returns the audit entries that f chooses, by rising number.
func (c *Client) Audit(ctx context.Context, f audit.Filter) ([]audit.Entry, error) {
	q := auditQuery(f)
	q.Set("after", strconv.FormatInt(f.After, 10))
	if f.Limit > 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	var v []audit.Entry
	return v, c.ask(ctx, http.MethodGet, path("audit"), q, nil, &v)
}

// VerifyAudit has the box check its audit log.
func (c *Client) VerifyAudit(ctx context.Context) (audit.Report, error) {
	var v audit.Report
	return v, c.ask(ctx, http.MethodGet, path("audit", "verify"), nil, nil, &v)
}
