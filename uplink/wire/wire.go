// Package wire is what boxes and the extranet say to each other: versioned JSON
// messages, the signed manifest of a disclosure, and keys wrapped to boxes.
//
// Every message is JSON in UTF-8, decoded with Decode: a size limit, unknown
// keys refused, nothing after the value. Times are RFC 3339 in UTC; sizes are
// bytes; hashes are SHA-256 in hex; keys, signatures and sealed values are
// base64. An error is a problem detail (RFC 9457), see internal/problem.
//
// # The manifest
//
// A manifest says what is disclosed, by whom, to whom, until when and on which
// grounds. Its exact bytes travel with the Ed25519 signature (RFC 8032) of the
// sending box, made over a domain label, the role and the bytes, and with the
// approval of the assessor (V9): an assertion (WebAuthn Level 3) of a passkey
// that the operator has confirmed, whose challenge is the hash of the manifest's
// Statement. So who holds the box and not the assessor's passkey can approve
// nothing, and what was approved fits no other copy, circle, text or time.
// Evidence travels as hashes: it stays in the shop. What the copy is and shows is
// said in the clear, so that the extranet can refuse what may not be disclosed.
//
// A passkey shows its holder who asks, not what for: a box that was taken over can
// let an assessor believe that a log-in is all that they sign. Each touch of the
// key gives one disclosure at most, which the extranet lists with the assessor's
// name; an approval from veilctl is signed on the assessor's own computer. A box
// that is taken over before a passkey is registered can register its own in its
// place and show its name, which is why the operator speaks to the person first;
// the name of a key file shows on the person's own computer.
//
// Manifests of version 1 and 2 carry an Ed25519 signature of the assessor over
// the bytes instead. They are read for as long as disclosures run that were made
// with them; new ones are not taken.
//
// # Wrapped keys
//
// Two keys a disclosure are wrapped to each recipient box by HPKE (RFC 9180,
// draft-ietf-hpke-pq): MLKEM768-P256, HKDF-SHA256, AES-256-GCM, with the
// purpose, the disclosure and the box in the info string. The alert key opens
// the short text that a recipient sees in the list. The content key opens the
// video and is handed out by the extranet for one logged viewing at a time.
//
// # Clocks
//
// A disclosure ends at NotAfter, 30 days after it was made at most (V8), and at
// ReportDue where no report to the police is documented (V4). ReportDue is the
// end of the day, in Europe/Copenhagen, on which the manifest was made.
package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Version is the version of the messages.
const Version = 1

// ManifestVersion is the version of the manifests that are made. Version 1, which
// has no Shows, and version 2, which has no Text, are read as well: disclosures
// that were made with them run for their 30 days.
const ManifestVersion = 3

// Limits of what is sent.
const (
	MaxMessage   = 64 << 10 // bytes of a JSON message, other than:
	MaxSubmit    = 16 << 20 // a SubmitRequest
	MaxManifest  = 256 << 10
	MaxAlert     = 32 << 10
	MaxText      = 2000    // characters of a reason, a purpose
	MaxName      = 200     // characters of a name
	MaxMembers   = 2000    // members in a circle
	MaxKeys      = 4000    // boxes a disclosure is wrapped to
	MaxPeople    = 100_000 // people of one box
	MaxContent   = int64(16) << 30
	MaxAge       = 30 * 24 * time.Hour // V8
	Skew         = 2 * time.Minute     // how far two clocks may differ
	ChunkSize    = 1 << 20             // bytes of one upload request
	MaxDirectory = 64 << 20            // bytes of the member directory and the inbox
)

// ErrMessage says that a message does not follow this package.
var ErrMessage = errors.New("the message does not follow the protocol: bring both programs to the same release")

// Decode reads one JSON value of at most limit bytes from r into v.
func Decode(r io.Reader, limit int64, v any) error {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return fmt.Errorf("wire: read: %w", err)
	}
	if int64(len(b)) > limit {
		return fmt.Errorf("wire: more than %d bytes: %w", limit, ErrMessage)
	}
	return DecodeBytes(b, v)
}

// DecodeBytes is Decode of what was read already.
func DecodeBytes(b []byte, v any) error {
	if !utf8.Valid(b) {
		return fmt.Errorf("wire: not UTF-8: %w", ErrMessage)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("wire: %w: %w", err, ErrMessage)
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("wire: something follows the message: %w", ErrMessage)
	}
	return nil
}

// Text checks a line or two written by a person: its length in characters, no
// control characters other than line breaks, and not empty where it is needed.
func Text(what, s string, limit int, needed bool) error {
	if needed && strings.TrimSpace(s) == "" {
		return fmt.Errorf("wire: %s is missing: %w", what, ErrMessage)
	}
	if utf8.RuneCountInString(s) > limit {
		return fmt.Errorf("wire: %s is longer than %d characters: %w", what, limit, ErrMessage)
	}
	for _, r := range s {
		if r == utf8.RuneError || unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' {
			return fmt.Errorf("wire: %s holds a character that is no text: %w", what, ErrMessage)
		}
	}
	return nil
}
