// Package keys holds symmetric keys and seals small values with them.
//
// A Key is 32 bytes for AES-256-GCM. It never prints. A sealed value is
//
//	1 byte   version, 1
//	12 bytes nonce, random
//	n bytes  ciphertext
//	16 bytes GCM tag
//
// with the context string as additional data, so that a value sealed for one
// place does not open in another. Random nonces keep within the bound of NIST
// SP 800-38D (2^32 values a key) for what is sealed here: keys, cases,
// accounts, audit entries. Bulk footage goes through capture/seal.
package keys

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"veilbox/internal/durable"
)

// Size is the length of a key in bytes.
const Size = 32

// Overhead is how much longer a sealed value is than what it holds, in bytes.
const Overhead = 1 + 12 + 16

const version = 1

// ErrOpen says that a sealed value is damaged, was sealed with another key, or
// belongs to another context. Which of these it is cannot be told.
var ErrOpen = errors.New("sealed value does not open: it is damaged or belongs elsewhere")

// A Key is an AES-256 key. The zero Key is not usable.
type Key struct {
	b   [Size]byte
	set bool
}

// New returns a random key.
func New() Key {
	var k Key
	rand.Read(k.b[:])
	k.set = true
	return k
}

// FromBytes returns the key that b holds; b must be Size bytes.
func FromBytes(b []byte) (Key, error) {
	if len(b) != Size {
		return Key{}, fmt.Errorf("keys: a key is %d bytes, got %d", Size, len(b))
	}
	k := Key{set: true}
	copy(k.b[:], b)
	return k, nil
}

// Bytes returns a copy of the key's bytes.
func (k Key) Bytes() []byte { return append([]byte(nil), k.b[:]...) }

// IsZero reports whether k was never set.
func (k Key) IsZero() bool { return !k.set }

func (k Key) String() string               { return "***" }
func (k Key) GoString() string             { return "keys.Key(***)" }
func (k Key) Format(f fmt.State, _ rune)   { _, _ = f.Write([]byte("***")) }
func (k Key) LogValue() slog.Value         { return slog.StringValue("***") }
func (k Key) MarshalText() ([]byte, error) { return nil, errors.New("keys: a key is never marshalled") }

// Derive returns the subkey of k for the purpose that label names (HKDF-SHA256).
func (k Key) Derive(label string) Key {
	if !k.set {
		panic("keys: Derive on a key that was never set")
	}
	b, err := hkdf.Key(sha256.New, k.b[:], nil, label, Size)
	if err != nil {
		panic("keys: " + err.Error()) // only for lengths over 255 hashes
	}
	d, _ := FromBytes(b)
	return d
}

// AEAD returns AES-256-GCM under k.
func (k Key) AEAD() cipher.AEAD {
	if !k.set {
		panic("keys: AEAD on a key that was never set")
	}
	block, err := aes.NewCipher(k.b[:])
	if err != nil {
		panic("keys: " + err.Error()) // the length is fixed
	}
	g, err := cipher.NewGCM(block)
	if err != nil {
		panic("keys: " + err.Error())
	}
	return g
}

// Seal returns plaintext sealed under k for context.
func (k Key) Seal(context string, plaintext []byte) []byte {
	out := make([]byte, 1+12, Overhead+len(plaintext))
	out[0] = version
	rand.Read(out[1:13])
	return k.AEAD().Seal(out, out[1:13], plaintext, []byte(context))
}

// Open returns what Seal sealed for context, or an error that wraps ErrOpen.
func (k Key) Open(context string, sealed []byte) ([]byte, error) {
	if len(sealed) < Overhead || sealed[0] != version {
		return nil, fmt.Errorf("keys: %q: %w", context, ErrOpen)
	}
	p, err := k.AEAD().Open(nil, sealed[1:13], sealed[13:], []byte(context))
	if err != nil {
		return nil, fmt.Errorf("keys: %q: %w", context, ErrOpen)
	}
	return p, nil
}

// Load returns the key called name: from the systemd credential of that name
// where the process has one, else from dir/name.key, which is made with a
// random key (mode 0600) if it is missing.
func Load(dir, name string) (Key, error) {
	if cred := os.Getenv("CREDENTIALS_DIRECTORY"); cred != "" {
		b, err := os.ReadFile(filepath.Join(cred, name))
		if err == nil {
			return fromFile(b, "credential "+name)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return Key{}, fmt.Errorf("keys: read credential %s: %w", name, err)
		}
	}
	path := filepath.Join(dir, name+".key")
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		k := New()
		if err := durable.WriteFile(path, k.b[:], 0o600); err != nil {
			return Key{}, fmt.Errorf("keys: make %s: %w", path, err)
		}
		return k, nil
	}
	if err != nil {
		return Key{}, fmt.Errorf("keys: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return Key{}, fmt.Errorf("keys: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return Key{}, fmt.Errorf("keys: %s can be read by others (mode %v): run chmod 600 on it, and replace the key if anyone else may have read it", path, info.Mode().Perm())
	}
	return fromFile(b, path)
}

func fromFile(b []byte, what string) (Key, error) {
	k, err := FromBytes(b)
	if err != nil {
		return Key{}, fmt.Errorf("keys: %s is damaged (%d bytes, want %d): restore it from the backup; without it nothing sealed can be opened", what, len(b), Size)
	}
	return k, nil
}
