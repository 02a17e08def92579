// Package audit is the record of who did what: an append-only Merkle log in one
// SQLite file, with a signed head, so that tampering shows.
//
// The tree is that of RFC 6962 as golang.org/x/mod/sumdb/tlog keeps it; a leaf's
// hash is over the entry's canonical JSON in the clear. The entries themselves
// are sealed at rest, because they name people. After every append the new head
// is signed (Ed25519, a note of golang.org/x/mod/sumdb/note) in the same
// transaction. The text of a head is a checkpoint of three lines:
//
//	origin, the log's name
//	size, the number of entries, decimal
//	root hash, base64
//
// What shows: a changed, swapped, inserted or removed entry, a changed hash, a
// changed or missing head. What one file alone cannot show is the file put back
// as it was at an earlier head; for that a head is kept elsewhere (a box sends
// its heads to the extranet) and given to Verify.
//
// Prune drops the sealed entries that are older than a year and keeps their
// hashes, so that all of this holds on; see there. Prove shows a single entry to
// somebody who has the log's verifier key alone.
package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of an entry.
const (
	MaxText  = 4000 // bytes of Why
	MaxName  = 200  // bytes of a name, role, address or key
	MaxValue = 1000 // bytes of a value of About
	MaxAbout = 32   // pairs
)

// ErrTampered says that a log is not as it was written.
var ErrTampered = errors.New("the audit log is not as it was written")

// A Who is a person, or a clock or service that acts by itself.
type Who struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Role string `json:"role"`
}

// An Entry is one act.
type Entry struct {
	Seq  int64     `json:"seq"` // 1 for the first; the log sets it
	At   time.Time `json:"at"`  // UTC; the log sets it
	Act  string    `json:"act"` // such as "case.create", "footage.view", "login"
	Who  Who       `json:"who"`
	From string    `json:"from,omitempty"` // address
	// About says what the act was on: case, camera, disclosure, span...
	About map[string]string `json:"about,omitempty"`
	Why   string            `json:"why,omitempty"`
}

var actName = regexp.MustCompile(`^[a-z0-9]+([.-][a-z0-9]+)*$`)

// check bounds an entry. One that is too long is refused, not cut: a cut record
// would say something else than what was done.
func (e Entry) check() error {
	if len(e.Act) > MaxName || !actName.MatchString(e.Act) {
		return fmt.Errorf("audit: act %.40q: use lower-case words with dots, such as case.create", e.Act)
	}
	if e.Who.ID == "" && e.Who.Name == "" {
		return fmt.Errorf("audit: %s: nobody is named: every act has a person or a clock", e.Act)
	}
	if len(e.About) > MaxAbout {
		return fmt.Errorf("audit: %s: %d details, at most %d", e.Act, len(e.About), MaxAbout)
	}
	short := []string{e.Who.ID, e.Who.Name, e.Who.Role, e.From}
	for k, v := range e.About {
		short = append(short, k)
		if len(v) > MaxValue || !utf8.ValidString(v) {
			return fmt.Errorf("audit: %s: detail %.40q is over %d bytes or not UTF-8", e.Act, k, MaxValue)
		}
	}
	for _, s := range short {
		if len(s) > MaxName || !utf8.ValidString(s) {
			return fmt.Errorf("audit: %s: %.40q is over %d bytes or not UTF-8", e.Act, s, MaxName)
		}
	}
	if len(e.Why) > MaxText || !utf8.ValidString(e.Why) {
		return fmt.Errorf("audit: %s: the reason is over %d bytes or not UTF-8", e.Act, MaxText)
	}
	return nil
}

// canonical is the JSON that is hashed: fields in the order of the type, the
// keys of About sorted, no HTML escapes, times in UTC to the microsecond.
func (e Entry) canonical() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// A Filter chooses entries; what is zero does not limit.
type Filter struct {
	Act      string    // exact, or a prefix that ends in "." such as "case."
	Who      string    // a person's ID or name
	About    string    // "key=value" or the value of any detail
	From, To time.Time // From is in, To is not
	After    int64     // only entries numbered above it; below it with Newest
	Newest   bool      // newest first
	Limit    int       // 0: MaxEntries
}

// MaxEntries is how many entries Entries returns at most.
const MaxEntries = 10_000

func (f Filter) match(e *Entry) bool {
	if f.Act != "" && e.Act != f.Act && !(strings.HasSuffix(f.Act, ".") && strings.HasPrefix(e.Act, f.Act)) {
		return false
	}
	if f.Who != "" && e.Who.ID != f.Who && e.Who.Name != f.Who {
		return false
	}
	if f.About == "" {
		return true
	}
	for k, v := range e.About {
		if v == f.About || k+"="+v == f.About {
			return true
		}
	}
	return false
}
