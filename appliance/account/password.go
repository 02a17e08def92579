package account

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"runtime/debug"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"veilbox/internal/known"
)

// Bounds of a password.
const (
	MinPassword = 12  // characters
	MaxPassword = 256 // bytes
)

// Params are the cost of argon2id (RFC 9106).
type Params struct {
	MemoryKiB uint32 `json:"m"`
	Time      uint32 `json:"t"`
	Threads   uint8  `json:"p"`
}

// DefaultParams are sized for a small ARM box: 64 MiB, three passes, one lane.
var DefaultParams = Params{MemoryKiB: 64 << 10, Time: 3, Threads: 1}

func (p Params) valid() bool {
	return p.MemoryKiB >= 8 && p.MemoryKiB <= 1<<20 && p.Time >= 1 && p.Time <= 64 && p.Threads >= 1 && p.Threads <= 16
}

// A passwordHash is argon2id with the parameters it was made with, so that they
// can be raised later.
type passwordHash struct {
	Params
	Salt []byte `json:"salt"`
	Hash []byte `json:"hash"`
}

// returnedFrom is from how much memory on, in KiB, a hash returns it at once.
const returnedFrom = 16 << 10

// derive runs argon2id. At most two run at once, so that log-ins cannot take
// the memory that recording needs.
func (a *Accounts) derive(ctx context.Context, p Params, password string, salt []byte) ([]byte, error) {
	if !p.valid() {
		return nil, fmt.Errorf("account: argon2id parameters %+v are out of bounds: restore the store from the backup", p)
	}
	select {
	case a.hashing <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { <-a.hashing }()
	// The same characters may come as other bytes from another keyboard.
	key := argon2.IDKey(norm.NFKC.Bytes([]byte(password)), salt, p.Time, p.MemoryKiB, p.Threads, 32)
	if p.MemoryKiB >= returnedFrom {
		// Left to itself the runtime keeps these tens of megabytes for minutes,
		// and a box has little memory beside the recording.
		debug.FreeOSMemory()
	}
	return key, nil
}

func (a *Accounts) hash(ctx context.Context, password string) (passwordHash, error) {
	h := passwordHash{Params: a.o.Params, Salt: make([]byte, 16)}
	rand.Read(h.Salt)
	var err error
	h.Hash, err = a.derive(ctx, h.Params, password, h.Salt)
	return h, err
}

// fits reports whether password is the one that h was made of.
func (a *Accounts) fits(ctx context.Context, h passwordHash, password string) (bool, error) {
	if len(password) > MaxPassword {
		password = "" // no stored password is empty
	}
	got, err := a.derive(ctx, h.Params, password, h.Salt)
	if err != nil {
		return false, err
	}
	return password != "" && len(h.Hash) == len(got) && subtle.ConstantTimeCompare(got, h.Hash) == 1, nil
}

// CheckPassword returns the problem with password as the choice of the person
// with that log-in and name in that shop, or nil. There are no rules of
// composition.
func CheckPassword(password, login, name, shop string) error {
	if len(password) > MaxPassword {
		return ErrLongPassword
	}
	if !utf8.ValidString(password) || utf8.RuneCountInString(password) < MinPassword || known.Guess(password, login, name, shop, "Veilbox") {
		return ErrWeakPassword
	}
	return nil
}

// choose is CheckPassword, and the operator's list of known passwords.
func (a *Accounts) choose(password string, r *record) error {
	if err := CheckPassword(password, r.Login, r.Name, a.o.RPName); err != nil {
		return err
	}
	found, err := a.breached.Contains(password)
	if err != nil {
		return err
	}
	if found {
		return ErrWeakPassword
	}
	return nil
}

// alphabet is 31 characters that are hard to confuse when read aloud or copied.
const alphabet = "abcdefghjkmnpqrstuvwxyz23456789"

// GeneratePassword returns four groups of five characters of 31, 99 bits.
func GeneratePassword() string {
	const letters = len(alphabet)
	var b strings.Builder
	for n := 0; n < 20; {
		var one [1]byte
		rand.Read(one[:])
		if int(one[0]) >= 256/letters*letters {
			continue // keeps every character equally likely
		}
		if n > 0 && n%5 == 0 {
			b.WriteByte('-')
		}
		b.WriteByte(alphabet[int(one[0])%letters])
		n++
	}
	return b.String()
}
