package extranet

import (
	"crypto/rand"
	"encoding/json"
	"sync"
	"time"

	"veilbox/internal/passkey"
)

const (
	questionLife     = 5 * time.Minute
	maxQuestions     = 4096
	maxQuestionsHere = 24 // of one address or session
)

const (
	askLogin = "login" // from is the address; answered from anywhere, as a laptop changes networks
	askProof = "proof" // from is the session, which alone may answer
	askKey   = "key"
	askApp   = "app" // challenge is the secret of an authenticator app
)

// A question waits in memory for its answer; a restart forgets it, and the page
// begins again.
type question struct {
	kind, from string
	challenge  []byte
	until      time.Time
}

type questions struct {
	mu sync.Mutex
	m  map[string]question
}

// put keeps q under id. Where there are too many the oldest goes, of the same
// place first.
func (w *questions) put(id string, q question, now time.Time) {
	q.until = now.Add(questionLife)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.m == nil {
		w.m = map[string]question{}
	}
	here, oldestHere, oldest := 0, "", ""
	for name, x := range w.m {
		if !x.until.After(now) {
			delete(w.m, name)
			continue
		}
		if x.from == q.from {
			here++
			if oldestHere == "" || x.until.Before(w.m[oldestHere].until) {
				oldestHere = name
			}
		}
		if oldest == "" || x.until.Before(w.m[oldest].until) {
			oldest = name
		}
	}
	if here >= maxQuestionsHere {
		delete(w.m, oldestHere)
	} else if len(w.m) >= maxQuestions {
		delete(w.m, oldest)
	}
	w.m[id] = q
}

// take returns a question; it may be answered once, but for the one of an app,
// whose code may be mistyped.
func (w *questions) take(id, kind, from string, now time.Time) (question, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	q, ok := w.m[id]
	if !ok || q.kind != kind || kind != askLogin && q.from != from {
		return question{}, errQuestion
	}
	if kind != askApp {
		delete(w.m, id)
	}
	if !q.until.After(now) {
		return question{}, errQuestion
	}
	return q, nil
}

func (w *questions) drop(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.m, id)
}

// A ceremony is a question to a browser's passkeys: options is what
// PublicKeyCredential.parseCreationOptionsFromJSON or parseRequestOptionsFromJSON
// takes.
type ceremony struct {
	ID      string          `json:"id"`
	Options json.RawMessage `json:"options"`
}

// ask asks for a signature with one of the passkeys in allow, or with any.
func (s *Server) ask(kind, from string, allow ...[]byte) (ceremony, error) {
	if err := s.passkeysOn(); err != nil {
		return ceremony{}, err
	}
	q := question{kind: kind, from: from, challenge: newChallenge()}
	options, err := passkey.RequestOptions(s.rpid, q.challenge, questionLife, allow...)
	if err != nil {
		return ceremony{}, err
	}
	id := secret()
	s.questions.put(id, q, s.now())
	return ceremony{id, options}, nil
}

// passkeysOn returns an error unless the extranet has a name that passkeys can be
// made for.
func (s *Server) passkeysOn() error {
	if passkey.CheckRPID(s.rpid) != nil {
		return errNoPasskeys
	}
	return nil
}

func newChallenge() []byte {
	b := make([]byte, 32)
	rand.Read(b)
	return b
}
