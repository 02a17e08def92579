package account

import (
	"crypto/rand"
	"encoding/json"
	"sync"
	"time"

	"veilbox/appliance/incident"
)

// A Ceremony is one question to a browser's passkeys. Options is what
// PublicKeyCredential.parseCreationOptionsFromJSON or parseRequestOptionsFromJSON
// takes; the answer is given back with ID, once.
type Ceremony struct {
	ID      string          `json:"id"`
	Options json.RawMessage `json:"options"`
}

const (
	// CeremonyLife is how long a question may be answered.
	CeremonyLife  = 5 * time.Minute
	maxCeremonies = 4096
	maxHere       = 24  // of one session
	maxPlace      = 512 // of one place: more than web lets it ask for in CeremonyLife
)

type ceremonyKind int

const (
	kindLogin ceremonyKind = iota
	kindPasskey
	kindApp
)

// A ceremony waits in memory for its answer; a restart forgets it, and the page
// begins again.
type ceremony struct {
	kind      ceremonyKind
	challenge []byte
	until     time.Time
	// from is the place of a log-in, else the session: only it may answer.
	from   string
	known  bool // the place is known: its question outlives those of strangers
	person incident.PersonID
}

type ceremonies struct {
	mu sync.Mutex
	m  map[string]ceremony
}

// add keeps c and returns its name. Where there are too many the oldest goes, of
// the same place first, then of places that are not known: nobody's questions
// can be pushed out by a stranger's as long as strangers have any.
func (w *ceremonies) add(c ceremony, now time.Time) (id string) {
	c.until = now.Add(CeremonyLife)
	id = rand.Text()
	w.mu.Lock()
	defer w.mu.Unlock()
	here, oldestHere, oldest := 0, "", ""
	for name, x := range w.m {
		if !x.until.After(now) || x.until.After(c.until) { // over, or from a clock that was ahead
			delete(w.m, name)
			continue
		}
		if x.from == c.from && x.kind == c.kind {
			here++
			if oldestHere == "" || x.until.Before(w.m[oldestHere].until) {
				oldestHere = name
			}
		}
		if o := w.m[oldest]; oldest == "" || o.known && !x.known || o.known == x.known && x.until.Before(o.until) {
			oldest = name
		}
	}
	most := maxHere
	if c.kind == kindLogin {
		most = maxPlace
	}
	if here >= most {
		delete(w.m, oldestHere)
	} else if len(w.m) >= maxCeremonies {
		delete(w.m, oldest)
	}
	w.m[id] = c
	return id
}

// take returns the ceremony and forgets it. from is the session that must have
// asked; a log-in may be answered from any place, as a phone changes networks.
func (w *ceremonies) take(id string, kind ceremonyKind, from string, now time.Time) (ceremony, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c, ok := w.m[id]
	if !ok || c.kind != kind || kind != kindLogin && c.from != from {
		return ceremony{}, ErrCeremony
	}
	delete(w.m, id)
	if !c.until.After(now) || c.until.After(now.Add(CeremonyLife)) {
		return ceremony{}, ErrCeremony
	}
	return c, nil
}

func newChallenge() []byte {
	b := make([]byte, 32)
	rand.Read(b)
	return b
}

// peek returns the one ceremony of a session without forgetting it.
func (w *ceremonies) peek(from string, kind ceremonyKind, now time.Time) (ceremony, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.m {
		if c.kind == kind && c.from == from && c.until.After(now) && !c.until.After(now.Add(CeremonyLife)) {
			return c, nil
		}
	}
	return ceremony{}, ErrCeremony
}

// forget drops the ceremonies of a session of one kind.
func (w *ceremonies) forget(from string, kind ceremonyKind) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, c := range w.m {
		if c.kind == kind && c.from == from {
			delete(w.m, id)
		}
	}
}
