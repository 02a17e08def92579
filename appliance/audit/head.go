package audit

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// A Head is the state of a log: how many entries, and the root of their tree.
type Head struct {
	Origin string    `json:"origin"`
	Size   int64     `json:"size"`
	Hash   tlog.Hash `json:"hash"`
	Note   []byte    `json:"note"` // the signed checkpoint
}

// maxNote bounds a checkpoint that comes from outside.
const maxNote = 4096

// ParseHead checks a signed checkpoint against the verifier key (as
// Log.VerifierKey gives it) and returns its head.
func ParseHead(checkpoint []byte, verifierKey string) (Head, error) {
	if len(checkpoint) > maxNote {
		return Head{}, fmt.Errorf("audit: a checkpoint is at most %d bytes", maxNote)
	}
	v, err := note.NewVerifier(verifierKey)
	if err != nil {
		return Head{}, fmt.Errorf("audit: verifier key: %w", err)
	}
	n, err := note.Open(checkpoint, note.VerifierList(v))
	if err != nil {
		return Head{}, fmt.Errorf("audit: the checkpoint's signature does not hold: %w", err)
	}
	// One spelling only, so that no byte of a kept head can change unseen.
	if len(n.Sigs) != 1 || string(checkpoint) != n.Text+"\n— "+n.Sigs[0].Name+" "+n.Sigs[0].Base64+"\n" {
		return Head{}, errors.New("audit: a checkpoint is a text and one signature")
	}
	if _, err := base64.StdEncoding.Strict().DecodeString(n.Sigs[0].Base64); err != nil {
		return Head{}, fmt.Errorf("audit: the checkpoint's signature is misspelt: %w", err)
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 4 || lines[3] != "" {
		return Head{}, errors.New("audit: a checkpoint has three lines")
	}
	if lines[0] != v.Name() {
		return Head{}, fmt.Errorf("audit: the checkpoint is of log %q, wanted %q", lines[0], v.Name())
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return Head{}, fmt.Errorf("audit: checkpoint: %q is no size", lines[1])
	}
	h, err := tlog.ParseHash(lines[2])
	if err != nil || h.String() != lines[2] {
		return Head{}, errors.New("audit: checkpoint: the root hash is malformed")
	}
	return Head{Origin: lines[0], Size: size, Hash: h, Note: checkpoint}, nil
}

// CheckConsistency reports whether new extends old, by the proof that
// Log.ConsistencyProof gave for their sizes.
func CheckConsistency(old, new Head, proof tlog.TreeProof) error {
	switch {
	case old.Origin != new.Origin:
		return fmt.Errorf("audit: heads of two logs, %q and %q: %w", old.Origin, new.Origin, ErrTampered)
	case new.Size < old.Size:
		return fmt.Errorf("audit: the log had %d entries and has %d: entries are gone: %w", old.Size, new.Size, ErrTampered)
	case old.Size == 0:
		return nil
	}
	if err := tlog.CheckTree(proof, new.Size, new.Hash, old.Size, old.Hash); err != nil {
		return fmt.Errorf("audit: the head of size %d does not extend that of size %d (%v): %w", new.Size, old.Size, err, ErrTampered)
	}
	return nil
}

// A signer signs heads with an Ed25519 key under the log's name.
type signer struct {
	note.Verifier
	key ed25519.PrivateKey
}

func (s signer) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(s.key, msg), nil }

// VerifierKey returns the text form of the public key that checks the heads of
// the log called name.
func VerifierKey(name string, public ed25519.PublicKey) (string, error) {
	k, err := note.NewEd25519VerifierKey(name, public)
	if err != nil {
		return "", fmt.Errorf("audit: %w", err)
	}
	if _, err := note.NewVerifier(k); err != nil {
		return "", fmt.Errorf("audit: log name %q: use no spaces and no +: %w", name, err)
	}
	return k, nil
}

func newSigner(name string, key ed25519.PrivateKey) (signer, string, error) {
	if len(key) != ed25519.PrivateKeySize {
		return signer{}, "", fmt.Errorf("audit: the signing key is %d bytes, want %d", len(key), ed25519.PrivateKeySize)
	}
	vk, err := VerifierKey(name, key.Public().(ed25519.PublicKey))
	if err != nil {
		return signer{}, "", err
	}
	v, err := note.NewVerifier(vk)
	if err != nil {
		return signer{}, "", fmt.Errorf("audit: %w", err)
	}
	return signer{v, key}, vk, nil
}

func (s signer) checkpoint(size int64, root tlog.Hash) ([]byte, error) {
	text := s.Name() + "\n" + strconv.FormatInt(size, 10) + "\n" + base64.StdEncoding.EncodeToString(root[:]) + "\n"
	b, err := note.Sign(&note.Note{Text: text}, s)
	if err != nil {
		return nil, fmt.Errorf("audit: sign the head: %w", err)
	}
	return b, nil
}
