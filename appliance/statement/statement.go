// Package statement is the signed paper that goes with footage taken out of a
// box: what the file holds, where it comes from, who took it out and what for.
// The police or an auditor check it offline, with the box's verifier key.
//
// A statement is a note of golang.org/x/mod/sumdb/note: UTF-8 text, an empty
// line, one Ed25519 signature line, by the key that signs the box's audit heads.
// Its first line keeps it apart from those. The text is Danish for people and
// lines "Name: value" for programs: fixed names in fixed order, one spelling of
// every value, so that the same statement always has the same bytes and no byte
// of it can change unseen. The sentences around them are fixed.
//
// Times are rounded to milliseconds and written in Copenhagen's zone with its
// distance from UTC. Strings are one line of at most MaxText bytes of printable
// characters; Sign makes them so.
//
// Errors are *problem.Problem with the codes "statement.malformed",
// "statement.signature", "statement.size" and "statement.hash".
package statement

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"

	"veilbox/capture/footage"
	"veilbox/internal/problem"
)

const (
	MaxText = 500 // bytes of a string
	MaxGaps = 200 // gaps that are listed
	maxNote = 64 << 10
	maxSide = 1 << 16
)

var (
	ErrMalformed = problem.New(http.StatusBadRequest, "statement.malformed",
		problem.Text{DA: "Filen er ikke en erklæring fra en Veilbox, eller der er rettet i den.", EN: "The file is no statement of a Veilbox, or it was changed."},
		problem.Text{DA: "Bed den, der udleverede optagelsen, om erklæringen igen, og kontrollér den uændrede fil.", EN: "Ask whoever handed out the footage for the statement again, and check the file as it came."})
	ErrSignature = problem.New(http.StatusBadRequest, "statement.signature",
		problem.Text{DA: "Erklæringens underskrift passer ikke til boksens nøgle.", EN: "The statement's signature does not fit the box's key."},
		problem.Text{DA: "Kontrollér, at nøglen er boksens egen (audit.pub). Er den det, er erklæringen ændret eller fra en anden boks.", EN: "Check that the key is that box's own (audit.pub). If it is, the statement was changed or is another box's."})
	ErrSize = problem.New(http.StatusBadRequest, "statement.size",
		problem.Text{DA: "Videofilen har ikke den længde, som erklæringen siger.", EN: "The video file is not as long as the statement says."},
		problem.Text{DA: "Filen er afkortet eller ændret: hent den igen fra boksen.", EN: "The file was cut short or changed: fetch it from the box again."})
	ErrHash = problem.New(http.StatusBadRequest, "statement.hash",
		problem.Text{DA: "Videofilen er ikke den, som erklæringen gælder.", EN: "The video file is not the one that the statement is about."},
		problem.Text{DA: "Filen er ændret eller en anden: hent den igen fra boksen.", EN: "The file was changed or is another one: fetch it from the box again."})
)

// A Span is a time from From until just before To.
type Span struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// SpanOf returns s to the nearest millisecond.
func SpanOf(s footage.Span) Span { return Span{rounded(s.From.Time()), rounded(s.To.Time())} }

func rounded(t time.Time) time.Time { return t.UTC().Round(time.Millisecond) }

// A Statement is what is said of one exported file. Asked, Contained, SHA256,
// Size, Codec, Box, Camera, Person and Purpose are always there.
type Statement struct {
	Box        string           `json:"box"`    // its name
	Camera     footage.CameraID `json:"camera"` // its name in the system
	CameraName string           `json:"camera_name,omitempty"`
	Asked      Span             `json:"asked"`
	Contained  Span             `json:"contained"` // what the file shows
	Codec      string           `json:"codec"`
	Width      int              `json:"width"`
	Height     int              `json:"height"`
	Frames     int64            `json:"frames"`
	Gaps       []Span           `json:"gaps,omitempty"`      // within Contained; at most MaxGaps
	MoreGaps   int64            `json:"more_gaps,omitempty"` // how many are not listed
	Audio      string           `json:"audio,omitempty"`     // how the sound is coded; empty: none
	Size       int64            `json:"size"`                // bytes
	SHA256     footage.ClipHash `json:"sha256"`
	Purpose    string           `json:"purpose"`
	Person     string           `json:"person"`      // who took it out, as in the audit log
	Made       time.Time        `json:"made"`        // when
	AuditEntry int64            `json:"audit_entry"` // the act's number in the audit log
	// ClockNote is what was known of the box's clock, such as a step during the
	// span; empty: nothing to remark.
	ClockNote string `json:"clock_note,omitempty"`
}

// NewSigner returns the signer of the box whose audit log is called name.
func NewSigner(name string, key ed25519.PrivateKey) (note.Signer, error) {
	if len(key) != ed25519.PrivateKeySize {
		return nil, errors.New("statement: the signing key is no Ed25519 key")
	}
	vkey, err := note.NewEd25519VerifierKey(name, key.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, fmt.Errorf("statement: %w", err)
	}
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return nil, fmt.Errorf("statement: %w", err)
	}
	return signer{v, key}, nil
}

type signer struct {
	note.Verifier
	key ed25519.PrivateKey
}

func (s signer) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(s.key, msg), nil }

// Sign returns s as signed text.
func Sign(s Statement, signer note.Signer) ([]byte, error) {
	s = s.tidy()
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("statement: %w", err)
	}
	b, err := note.Sign(&note.Note{Text: s.text()}, signer)
	if err != nil {
		return nil, fmt.Errorf("statement: %w", err)
	}
	return b, nil
}

// Verify returns the statement that text is, where its one signature is by v.
func Verify(text []byte, v note.Verifier) (Statement, error) {
	if len(text) > maxNote {
		return Statement{}, errLong
	}
	n, err := note.Open(text, note.VerifierList(v))
	var unverified *note.UnverifiedNoteError
	var invalid *note.InvalidSignatureError
	if errors.As(err, &unverified) || errors.As(err, &invalid) {
		return Statement{}, ErrSignature.With(fmt.Errorf("statement: %w", err))
	}
	if err != nil {
		return Statement{}, ErrMalformed.With(fmt.Errorf("statement: %w", err))
	}
	return of(text, n.Text, n.Sigs)
}

// Read returns what text states and the name of the key that it says it is signed
// with, without a check of the signature: anybody could have written it.
func Read(text []byte) (s Statement, key string, err error) {
	if len(text) > maxNote {
		return Statement{}, "", errLong
	}
	_, err = note.Open(text, note.VerifierList())
	var unverified *note.UnverifiedNoteError
	if !errors.As(err, &unverified) || len(unverified.Note.UnverifiedSigs) == 0 {
		return Statement{}, "", ErrMalformed.With(fmt.Errorf("statement: %w", err))
	}
	n := unverified.Note
	s, err = of(text, n.Text, n.UnverifiedSigs)
	return s, n.UnverifiedSigs[0].Name, err
}

var errLong = ErrMalformed.With(fmt.Errorf("statement: it is over %d bytes", maxNote))

func of(whole []byte, text string, sigs []note.Signature) (Statement, error) {
	// One spelling only, so that no byte can change unseen.
	if len(sigs) != 1 || string(whole) != text+"\n— "+sigs[0].Name+" "+sigs[0].Base64+"\n" {
		return Statement{}, ErrMalformed.With(errors.New("statement: it is not a text and one signature"))
	}
	// The last character of the signature has spare bits.
	if _, err := base64.StdEncoding.Strict().DecodeString(sigs[0].Base64); err != nil {
		return Statement{}, ErrMalformed.With(fmt.Errorf("statement: the signature: %w", err))
	}
	s, err := parse(text)
	if err == nil {
		err = s.check()
	}
	if err == nil && s.text() != text {
		err = errors.New("its lines are not spelt as a box spells them")
	}
	if err != nil {
		return Statement{}, ErrMalformed.With(fmt.Errorf("statement: %w", err))
	}
	return s, nil
}

// Matches reads r and reports whether it is the file that s is about: nil,
// ErrSize, ErrHash or the error of reading.
func (s Statement) Matches(r io.Reader) error {
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(r, s.Size+1))
	switch {
	case err != nil:
		return fmt.Errorf("statement: the video file: %w", err)
	case n > s.Size:
		return ErrSize.With(fmt.Errorf("statement: it is over %d bytes", s.Size))
	case n < s.Size:
		return ErrSize.With(fmt.Errorf("statement: it is %d bytes, not %d", n, s.Size))
	case footage.Hash(h.Sum(nil)) != s.SHA256.Hash:
		return ErrHash.With(fmt.Errorf("statement: its SHA-256 is %x", h.Sum(nil)))
	}
	return nil
}

// line makes s one bounded line of printable characters.
func line(s string) string {
	s = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)), " ")
	if len(s) > MaxText {
		cut := MaxText
		for !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = strings.TrimRight(s[:cut], " ")
	}
	if s == none {
		return ""
	}
	return s
}

func (s Statement) tidy() Statement {
	for _, p := range []*string{&s.Box, &s.CameraName, &s.Codec, &s.Audio, &s.Purpose, &s.Person, &s.ClockNote} {
		*p = line(*p)
	}
	for _, p := range []*time.Time{&s.Asked.From, &s.Asked.To, &s.Contained.From, &s.Contained.To, &s.Made} {
		*p = rounded(*p)
	}
	if more := len(s.Gaps) - MaxGaps; more > 0 {
		s.Gaps, s.MoreGaps = s.Gaps[:MaxGaps], s.MoreGaps+int64(more)
	}
	gaps := s.Gaps
	s.Gaps = nil
	for _, g := range gaps {
		s.Gaps = append(s.Gaps, Span{rounded(g.From), rounded(g.To)})
	}
	return s
}

func (s Statement) check() error {
	for _, f := range []struct{ name, value string }{
		{"box", s.Box}, {"codec", s.Codec}, {"purpose", s.Purpose}, {"person", s.Person},
	} {
		if f.value == "" {
			return fmt.Errorf("the %s is missing", f.name)
		}
	}
	for _, v := range []string{s.Box, s.CameraName, s.Codec, s.Audio, s.Purpose, s.Person, s.ClockNote} {
		if v != line(v) {
			return fmt.Errorf("%.40q is not one bounded line", v)
		}
	}
	if _, err := footage.ParseCameraID(string(s.Camera)); err != nil {
		return fmt.Errorf("camera: %w", err)
	}
	spans := append([]Span{s.Asked, s.Contained}, s.Gaps...)
	for _, p := range append(spans, Span{s.Made, s.Made}) {
		if y := p.From.Year(); y < 1970 || y > 9998 || p.To.Before(p.From) || p.To.Year() > 9998 {
			return fmt.Errorf("%v to %v is no span", p.From, p.To)
		}
	}
	switch {
	case s.SHA256.IsZero():
		return errors.New("the file's hash is missing")
	case s.Size < 1 || s.Size > 1<<50:
		return fmt.Errorf("a file of %d bytes", s.Size)
	case s.Width < 1 || s.Height < 1 || s.Width > maxSide || s.Height > maxSide:
		return fmt.Errorf("a picture of %dx%d", s.Width, s.Height)
	case s.Frames < 1 || s.Frames > 1<<40 || s.AuditEntry < 1 || s.MoreGaps < 0 || s.MoreGaps > 1<<40:
		return errors.New("a count is out of bounds")
	case len(s.Gaps) > MaxGaps, s.MoreGaps > 0 && len(s.Gaps) == 0:
		return errors.New("the gaps are not listed as they should be")
	}
	return nil
}
