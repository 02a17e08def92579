package client

import (
	"context"
	"net/http"

	"veilbox/appliance/account"
)

// NewTOTP begins to add an authenticator app to the logged-in person's account.
// The secret is told once.
func (c *Client) NewTOTP(ctx context.Context) (account.TOTP, error) {
	var t account.TOTP
	return t, c.ask(ctx, http.MethodPost, path("session", "totp"), nil, nil, &t)
}

// ConfirmTOTP ends what NewTOTP began, with the code that the app shows.
func (c *Client) ConfirmTOTP(ctx context.Context, code string) error {
	return c.ask(ctx, http.MethodPut, path("session", "totp"), nil, map[string]string{"code": code}, nil)
}
