package account

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	_ "embed"
	"fmt"
	"runtime/debug"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
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
	key := argon2.IDKey([]byte(password), salt, p.Time, p.MemoryKiB, p.Threads, 32)
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

//go:embed common.txt
var commonText string

// common is passwords and their stems that are tried first, folded by stem.
var common = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(commonText) {
		m[stem(w)] = true
	}
	return m
}()

// stem folds what people vary: case, digits for letters, and what they put
// behind or before to reach a length.
func stem(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	if t := strings.TrimFunc(s, func(r rune) bool { return !unicode.IsLetter(r) }); t != "" {
		s = t
	}
	s = strings.NewReplacer("0", "o", "1", "i", "3", "e", "4", "a", "5", "s", "7", "t", "@", "a", "$", "s", "!", "i").Replace(s)
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' || r == '_' || r == '.' {
			return -1
		}
		return r
	}, s)
}

// CheckPassword returns the problem with password as the choice of the person
// with that log-in and name, or nil. There are no rules of composition.
func CheckPassword(password, login, name string) error {
	if len(password) > MaxPassword {
		return ErrLongPassword
	}
	if !utf8.ValidString(password) || utf8.RuneCountInString(password) < MinPassword {
		return ErrWeakPassword
	}
	if s := stem(password); common[s] || monotonous(password) || s != "" && (s == stem(login) || s == stem(name)) {
		return ErrWeakPassword
	}
	// A word of the list said twice or more is the word.
	for unit := 1; unit <= len(password)/2; unit++ {
		if len(password)%unit == 0 && strings.Repeat(password[:unit], len(password)/unit) == password && (unit < MinPassword) {
			return ErrWeakPassword
		}
	}
	return nil
}

// monotonous reports few different characters, or runs such as 123456 and
// abcdef through most of the password.
func monotonous(s string) bool {
	r := []rune(strings.ToLower(s))
	seen := map[rune]bool{}
	steps := 0
	for i, c := range r {
		seen[c] = true
		if i > 0 {
			if d := c - r[i-1]; d == 0 || d == 1 || d == -1 {
				steps++
			}
		}
	}
	return len(seen) < 5 || steps*4 >= (len(r)-1)*3
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
