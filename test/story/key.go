package story

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/pquerna/otp/totp"

	"veilbox/appliance/ctl/client"
	"veilbox/internal/passkey/softkey"
)

// FirstKey logs in with a password that was made for somebody, which opens
// nothing but the making of a passkey, makes one under passphrase and logs in
// with it.
func FirstKey(ctx context.Context, c *client.Client, login, password, passphrase string) (*softkey.Key, error) {
	if _, err := c.Login(ctx, login, password); err != nil {
		return nil, fmt.Errorf("story: first log-in as %s: %w", login, err)
	}
	_, err := c.Cameras(ctx)
	if err := refused("a look at the cameras before the account is one's own", err, "session.set-up"); err != nil {
		return nil, err
	}
	k := softkey.New(passphrase)
	if err := c.AddPasskey(ctx, k, "Nøglefil"); err != nil {
		return nil, fmt.Errorf("story: a passkey for %s: %w", login, err)
	}
	if _, err := c.LogInPasskey(ctx, k); err != nil {
		return nil, fmt.Errorf("story: log in as %s: %w", login, err)
	}
	return k, nil
}

// fallBack logs in with a password that was made for somebody, chooses another
// and adds an authenticator app.
func fallBack(ctx context.Context, c *client.Client, login, made string) (password, secret string, err error) {
	if _, err := c.Login(ctx, login, made); err != nil {
		return "", "", fmt.Errorf("story: first log-in as %s: %w", login, err)
	}
	password = "demo-" + strings.ToLower(rand.Text()[:16])
	if err := c.ChangePassword(ctx, made, password); err != nil {
		return "", "", fmt.Errorf("story: a password for %s: %w", login, err)
	}
	t, err := c.NewTOTP(ctx)
	if err != nil {
		return "", "", fmt.Errorf("story: codes for %s: %w", login, err)
	}
	code, err := totp.GenerateCode(t.Secret, time.Now())
	if err != nil {
		return "", "", fmt.Errorf("story: %w", err)
	}
	if err := c.ConfirmTOTP(ctx, code); err != nil {
		return "", "", fmt.Errorf("story: codes for %s: %w", login, err)
	}
	return password, t.Secret, nil
}
