package camera

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"
)

var errTLS = errors.New("camera: no secure connection")

// secure speaks TLS on c, to the camera whose public key has the SHA-256 pin, or
// to any if pin is empty, and returns the pin of the one it found. Nothing but
// the handshake has been sent when it refuses. A camera makes its certificate
// itself, so no authority is asked: that it is the same key as before is all that
// can be known.
func secure(ctx context.Context, c net.Conn, host, pin string) (out net.Conn, found string, err error) {
	defer func() {
		if r := recover(); r != nil {
			out, err = nil, fmt.Errorf("%w: the handshake failed: %s", errTLS, bounded(fmt.Sprint(r), maxTold))
		}
	}()
	t := tls.Client(c, &tls.Config{
		ServerName:         host,
		InsecureSkipVerify: true, // VerifyConnection compares the key instead
		MinVersion:         tls.VersionTLS12,
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 {
				return fmt.Errorf("%w: the camera shows no certificate", errTLS)
			}
			sum := sha256.Sum256(s.PeerCertificates[0].RawSubjectPublicKeyInfo)
			found = hex.EncodeToString(sum[:])
			if pin != "" && !strings.EqualFold(pin, found) {
				return ErrPin.With(fmt.Errorf("camera: the fingerprint is %s, not %s", found, bounded(pin, 64)))
			}
			return nil
		},
	})
	if err := t.HandshakeContext(ctx); err != nil {
		if errors.Is(err, ErrPin) {
			return nil, found, err
		}
		return nil, "", fmt.Errorf("%w: %w", errTLS, err)
	}
	return t, found, nil
}

// cleanPin returns a fingerprint as it is compared: colons and spaces are as
// people copy them.
func cleanPin(pin string) (string, error) {
	p := strings.ToLower(strings.NewReplacer(":", "", " ", "").Replace(pin))
	if p == "" {
		return "", nil
	}
	if b, err := hex.DecodeString(p); err != nil || len(b) != sha256.Size {
		return "", ErrURL.With(fmt.Errorf("camera: the fingerprint is not %d hexadecimal digits", 2*sha256.Size))
	}
	return p, nil
}
