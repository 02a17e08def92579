package casefile

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"veilbox/appliance/incident"
	"veilbox/appliance/statement"
)

func deletion() Deletion {
	return Deletion{Box: "test-box", Case: "CASEAAAAAAAAAAAAAAAAAAAAAA", Created: noon.Add(-time.Hour), Deleted: noon, By: "Mette Holm", Why: "ikke mere brug for den\nsagen er sluttet",
		Gone: []incident.Gone{{Kind: "clip", Hash: sum("clip")}, {Kind: "answers"}}, Entry: 41, Made: noon.Add(time.Hour), Size: 99, Root: "cm9vdA=="}
}

func TestDeletionProof(t *testing.T) {
	s := signer(t, 0)
	text, err := SignDeletion(deletion(), s)
	if err != nil {
		t.Fatal(err)
	}
	want := `Bevis for sletning
Sagen og det, der hørte til den, er slettet fra boksen. Tilbage er kun disse kontroltal.
Boks: test-box
Sag: CASEAAAAAAAAAAAAAAAAAAAAAA
Oprettet: 2026-03-04T10:00:00Z
Slettet: 2026-03-04T11:00:00Z
Af: Mette Holm
Begrundelse: ikke mere brug for den sagen er sluttet
Væk: clip ` + sum("clip").String() + `
Væk: answers -
Log-post: 41
Udstedt: 2026-03-04T12:00:00Z
Log-længde: 99
Log-rod: cm9vdA==

`
	if !strings.HasPrefix(string(text), want+"— test-box ") {
		t.Fatalf("%s", text)
	}
	d, err := VerifyDeletion(text, s)
	if err != nil {
		t.Fatal(err)
	}
	if d.Case != deletion().Case || !d.Deleted.Equal(noon) || len(d.Gone) != 2 || d.Gone[0].Hash != sum("clip") || d.Entry != 41 || d.Size != 99 {
		t.Errorf("%+v", d)
	}
	for i := range text {
		bad := bytes.Clone(text)
		bad[i] ^= 1
		if _, err := VerifyDeletion(bad, s); !errors.Is(err, ErrDeletion) {
			t.Fatalf("byte %d was changed and nobody saw it: %v", i, err)
		}
	}
	if _, err := VerifyDeletion(text, signer(t, 7)); !errors.Is(err, ErrDeletion) {
		t.Error("another box's key will do: ", err)
	}
	if _, err := statement.Verify(text, s); err == nil {
		t.Error("it passes for a statement of an export")
	}
}

func TestDeletionProofRefuses(t *testing.T) {
	s := signer(t, 0)
	many := deletion()
	many.Gone = make([]incident.Gone, maxGone+1)
	unnamed := deletion()
	unnamed.Gone = []incident.Gone{{}}
	for name, d := range map[string]Deletion{"many": many, "unnamed": unnamed} {
		if _, err := SignDeletion(d, s); err == nil {
			t.Errorf("%s: it was signed", name)
		}
	}
	for name, text := range map[string]string{
		"an audit head":    "test-box\n120\ncm9vdA==\n",
		"another heading":  strings.Replace(deletion().text(), "Bevis", "Intet bevis", 1),
		"a line more":      deletion().text() + "Af: En anden\n",
		"another order":    strings.Replace(deletion().text(), "Boks: test-box\nSag:", "Sag:", 1) + "Boks: test-box\n",
		"no time":          strings.Replace(deletion().text(), "Slettet: 2026", "Slettet: i går 2026", 1),
		"another spelling": strings.Replace(deletion().text(), "Log-post: 41", "Log-post: 041", 1),
	} {
		signed, err := note.Sign(&note.Note{Text: text}, s)
		if err != nil {
			t.Fatal(name, err)
		}
		if _, err := VerifyDeletion(signed, s); !errors.Is(err, ErrDeletion) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever is signed and accepted is spelt in the one way.
func FuzzParseDeletion(f *testing.F) {
	f.Add(deletion().text())
	f.Add(deletionHead)
	f.Add(deletionHead + "Væk: clip -\nVæk: x zz\nLog-post: 9223372036854775808\n")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := parseDeletion(text)
		if err != nil || d.text() != text {
			return
		}
		if len(d.Gone) > maxGone || !strings.HasPrefix(text, deletionHead) {
			t.Errorf("%+v", d)
		}
	})
}
