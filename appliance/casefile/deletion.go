package casefile

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"

	"veilbox/appliance/incident"
	"veilbox/capture/footage"
	"veilbox/internal/problem"
)

const (
	maxLine = 500 // bytes of a value
	maxGone = 100 // things that were deleted
	maxNote = 64 << 10
)

// ErrDeletion says that a text is no proof of deletion, or was changed, or is
// signed with another key.
var ErrDeletion = problem.New(http.StatusBadRequest, "deletion.proof",
	problem.Text{DA: "Teksten er ikke et uændret bevis for sletning fra den boks.", EN: "The text is not an unchanged proof of deletion of that box."},
	problem.Text{DA: "Bed butikken om beviset igen, og kontrollér, at nøglen er boksens egen (audit.pub).", EN: "Ask the shop for the proof again, and check that the key is that box's own (audit.pub)."})

// A Deletion proves that a case was deleted. As text it is a note of
// golang.org/x/mod/sumdb/note by the key that signs the box's audit heads: lines
// "Name: value" in a fixed order under a heading that no head and no statement
// has. There is one spelling, so that no byte can change unseen.
type Deletion struct {
	Box     string
	Case    incident.CaseID
	Created time.Time // the case
	Deleted time.Time
	By      string // a person, or the box's clock
	Why     string
	Gone    []incident.Gone // at most 100
	Entry   int64           // of the audit log, which recorded it; 0: not known
	Made    time.Time       // the proof
	Size    int64           // of the audit log then
	Root    string          // of its tree, base64
}

const (
	deletionHead = "Bevis for sletning\nSagen og det, der hørte til den, er slettet fra boksen. Tilbage er kun disse kontroltal.\n"
	stamp        = "2006-01-02T15:04:05Z"
)

// oneLine makes s one bounded line of printable characters.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)), " ")
	for len(s) > maxLine {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return strings.TrimSpace(s)
}

func (d Deletion) text() string {
	var b strings.Builder
	b.WriteString(deletionHead)
	line := func(name, value string) { fmt.Fprintf(&b, "%s: %s\n", name, value) }
	line("Boks", d.Box)
	line("Sag", string(d.Case))
	line("Oprettet", d.Created.UTC().Format(stamp))
	line("Slettet", d.Deleted.UTC().Format(stamp))
	line("Af", d.By)
	line("Begrundelse", d.Why)
	for _, g := range d.Gone {
		hash := "-"
		if !g.Hash.IsZero() {
			hash = g.Hash.String()
		}
		line("Væk", g.Kind+" "+hash)
	}
	line("Log-post", strconv.FormatInt(d.Entry, 10))
	line("Udstedt", d.Made.UTC().Format(stamp))
	line("Log-længde", strconv.FormatInt(d.Size, 10))
	line("Log-rod", d.Root)
	return b.String()
}

// SignDeletion returns d as signed text.
func SignDeletion(d Deletion, signer note.Signer) ([]byte, error) {
	d.Box, d.By, d.Why, d.Root = oneLine(d.Box), oneLine(d.By), oneLine(d.Why), oneLine(d.Root)
	if len(d.Gone) > maxGone {
		return nil, fmt.Errorf("casefile: %d things were deleted, at most %d can be named", len(d.Gone), maxGone)
	}
	for _, g := range d.Gone {
		if g.Kind == "" || strings.ContainsAny(g.Kind, " \n") {
			return nil, fmt.Errorf("casefile: %.40q is no kind of thing", g.Kind)
		}
	}
	b, err := note.Sign(&note.Note{Text: d.text()}, signer)
	if err != nil {
		return nil, fmt.Errorf("casefile: %w", err)
	}
	return b, nil
}

// VerifyDeletion returns the proof that text is, where its one signature is by v.
func VerifyDeletion(text []byte, v note.Verifier) (Deletion, error) {
	fail := func(err error) (Deletion, error) {
		return Deletion{}, ErrDeletion.With(fmt.Errorf("casefile: %w", err))
	}
	if len(text) > maxNote {
		return fail(errors.New("it is too long"))
	}
	n, err := note.Open(text, note.VerifierList(v))
	if err != nil {
		return fail(err)
	}
	if len(n.Sigs) != 1 || string(text) != n.Text+"\n— "+n.Sigs[0].Name+" "+n.Sigs[0].Base64+"\n" {
		return fail(errors.New("it is not a text and one signature"))
	}
	// The last character of the signature has spare bits.
	if _, err := base64.StdEncoding.Strict().DecodeString(n.Sigs[0].Base64); err != nil {
		return fail(err)
	}
	d, err := parseDeletion(n.Text)
	if err != nil {
		return fail(err)
	}
	if d.text() != n.Text {
		return fail(errors.New("its lines are not spelt as a box spells them"))
	}
	return d, nil
}

func parseDeletion(text string) (d Deletion, err error) {
	body, ok := strings.CutPrefix(text, deletionHead)
	if !ok {
		return d, errors.New("it has another heading")
	}
	at := func(v string) time.Time {
		t, e := time.Parse(stamp, v)
		err = errors.Join(err, e)
		return t
	}
	count := func(v string) int64 {
		n, e := strconv.ParseInt(v, 10, 64)
		err = errors.Join(err, e)
		return n
	}
	for l := range strings.Lines(body) {
		name, v, _ := strings.Cut(strings.TrimSuffix(l, "\n"), ": ")
		switch name {
		case "Boks":
			d.Box = v
		case "Sag":
			d.Case = incident.CaseID(v)
		case "Oprettet":
			d.Created = at(v)
		case "Slettet":
			d.Deleted = at(v)
		case "Af":
			d.By = v
		case "Begrundelse":
			d.Why = v
		case "Væk":
			kind, hex, _ := strings.Cut(v, " ")
			g := incident.Gone{Kind: kind}
			if hex != "-" {
				var h footage.Hash
				err = errors.Join(err, h.UnmarshalText([]byte(hex)))
				g.Hash = h
			}
			if d.Gone = append(d.Gone, g); len(d.Gone) > maxGone {
				return d, errors.New("it names too many things")
			}
		case "Log-post":
			d.Entry = count(v)
		case "Udstedt":
			d.Made = at(v)
		case "Log-længde":
			d.Size = count(v)
		case "Log-rod":
			d.Root = v
		}
	}
	return d, err
}
