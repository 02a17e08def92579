package casefile

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"veilbox/appliance/audit"
	"veilbox/appliance/incident"
)

func write(t testing.TB, f File, lang string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := WritePDF(&b, f, lang); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var leaf = regexp.MustCompile(`/Type /Page\b[^s]`)

func pages(pdf []byte) int { return len(leaf.FindAll(pdf, -1)) }

// extract returns the text of each page, with single spaces.
func extract(t *testing.T, pdf []byte) []string {
	t.Helper()
	program, err := exec.LookPath("pdftotext")
	if err != nil {
		t.Fatal("install pdftotext (poppler-utils): ", err)
	}
	path := filepath.Join(t.TempDir(), "case.pdf")
	if err := os.WriteFile(path, pdf, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(program, "-layout", "-enc", "UTF-8", path, "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for p := range strings.SplitSeq(strings.TrimSuffix(string(out), "\f"), "\f") {
		all = append(all, strings.Join(strings.Fields(p), " "))
	}
	return all
}

func TestPDFSaysWhatTheFileSays(t *testing.T) {
	f := Build(sample())
	data, err := f.JSON()
	if err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256(data)
	for lang, want := range map[string][]string{
		"da": {"Sagsmappe", "Videregivet, indsnævret", "Tyveri (straffelovens § 276)", "4. marts 2026 kl. 09.00.00", "1. Hændelsen",
			"»så, så«, æøå ÆØÅ §", "2. De ni vilkår", "V1 Den rette person", "Opfyldt", "V3", "Ikke opfyldt", "3. Grundlaget", "3400 kr.", "0700-12345-00001-26",
			"kvittering fra politiet.pdf", "4. Den slørede kopi", "Bestået", "4,20 (højst 16,00)", "5. Vurderinger", "Afvist – 4. marts 2026 kl. 11.30.00", "berigelseskriminalitet",
			"6. Videregivelsen", "By: Odense", "Jakkehuset (butik-c), Tøj & Co (butik-b)", "7. Efter videregivelsen", "Indsnævring af kredsen", "Personen er tiltalt", "Ved skiltning",
			"8. Modtagernes adgang", "vagt-7, vagt", "9. Boksens log", "Anders Bech, medarbejder", "begrundelse nummer 59", "10. Kontroltal", sum("copy").String(), "Loggens hoved"},
		"en": {"Case file", "Disclosed, narrowed", "Theft (criminal code § 276)", "4 March 2026 09:00:00", "The nine conditions", "Not met", "4.20 (at most 16.00)", "Town: Odense", "Anders Bech, staff", "Head of the log"},
	} {
		pdf := write(t, f, lang)
		if !bytes.HasPrefix(pdf, []byte("%PDF-1.")) || !bytes.HasSuffix(bytes.TrimSpace(pdf), []byte("%%EOF")) {
			t.Fatal("it is no whole PDF")
		}
		text := extract(t, pdf)
		if len(text) != pages(pdf) || len(text) < 5 {
			t.Errorf("%s: %d pages of text, %d in the file", lang, len(text), pages(pdf))
		}
		rest := strings.Join(text, " ")
		for _, w := range want {
			_, after, ok := strings.Cut(rest, w)
			if !ok {
				t.Fatalf("%s: %q is not there, or not behind what comes before it:\n%s", lang, w, rest)
			}
			rest = after
		}
		for i, p := range text {
			for _, w := range []string{string(f.ID), hex.EncodeToString(hash[:]), fmt.Sprintf(" %d/%d", i+1, len(text))} {
				if !strings.Contains(p, w) {
					t.Errorf("%s: page %d does not say %s", lang, i+1, w)
				}
			}
		}
	}
}

func TestPDFIsTheSameAgain(t *testing.T) {
	for _, lang := range Languages {
		if !bytes.Equal(write(t, Build(sample()), lang), write(t, Build(sample()), lang)) {
			t.Errorf("%s: the same file was written in two ways", lang)
		}
	}
	if err := WritePDF(new(bytes.Buffer), Build(sample()), "de"); err == nil {
		t.Error("there is no German")
	}
}

func TestPDFCarriesTheJSON(t *testing.T) {
	f := Build(sample())
	data, err := f.JSON()
	if err != nil {
		t.Fatal(err)
	}
	program, err := exec.LookPath("pdfdetach")
	if err != nil {
		t.Fatal("install pdfdetach (poppler-utils): ", err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.pdf"), write(t, f, "da"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(program, "-save", "1", "-o", filepath.Join(dir, "out"), filepath.Join(dir, "a.pdf")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	got, err := os.ReadFile(filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, data) {
		t.Error("what is attached is not the JSON")
	}
	var back File
	if err := json.Unmarshal(got, &back); err != nil {
		t.Fatal(err)
	}
	if again, err := back.JSON(); err != nil || !bytes.Equal(again, data) {
		t.Errorf("the JSON read and written again is another (%v)", err)
	}
}

// A heading is never the last on a page.
func TestHeadingsStayWithWhatTheyHead(t *testing.T) {
	alone := regexp.MustCompile(`([0-9]+\. \p{Lu}\pL*( \pL+)*|Loggens hoved) SHA-256 case\.json`)
	for n := range 45 {
		in := sample()
		in.Accesses, in.Log = in.Accesses[:n%5], in.Log[:3]
		in.Case.What = strings.Repeat("En linje mere.\n", n)
		for i, p := range extract(t, write(t, Build(in), "da")) {
			if h := alone.FindString(p); h != "" {
				t.Errorf("%d lines more: page %d ends with %q", n, i+1, h)
			}
		}
	}
}

// The heading of a table is on every page that it goes on to.
func TestTablesGoOnWithTheirHeading(t *testing.T) {
	in := sample()
	for i := range 400 {
		in.Log = append(in.Log, audit.Entry{Seq: int64(100 + i), At: noon, Act: "case.change", Who: audit.Who{Name: "Anders Bech"}})
	}
	headed := 0
	for i, p := range extract(t, write(t, Build(in), "da")) {
		if strings.Contains(p, "case.change") {
			headed++
			if !strings.Contains(p, "Nr. Tidspunkt Hvem Handling Begrundelse") {
				t.Errorf("page %d has entries without a heading", i+1)
			}
		}
	}
	if headed < 8 {
		t.Errorf("%d pages of the log", headed)
	}
}

// What people write is theirs, and may be long, or not text at all.
func TestPDFTakesAnyWords(t *testing.T) {
	for name, words := range map[string]string{
		"long":      strings.Repeat("Han tog en jakke mere. ", 350),
		"one word":  strings.Repeat("å", 8000),
		"lines":     strings.Repeat("linje\r\n", 900),
		"controls":  "a\x00b\x1b[31mc\u202etxt.exe\u2028d\tf",
		"not UTF-8": "a\xff\xfeb",
		"far away":  "😀漢字עברית",
		"pdf":       ") Tj ET (\\",
		"empty":     "",
	} {
		t.Run(name, func(t *testing.T) {
			in := sample()
			in.Case.What, in.Case.Evidence.BasisWords, in.CameraName, in.By.Name = words, words, words, words
			in.Log = append(in.Log, audit.Entry{Seq: 99, At: noon, Act: "case.refuse", Who: audit.Who{Name: words}, Why: words})
			in.Case.Assessments[0].Reasons = words
			pdf := write(t, Build(in), "da")
			if n := pages(pdf); n < 5 || n > 120 {
				t.Errorf("%d pages", n)
			}
			all := strings.Join(extract(t, pdf), " ")
			if !strings.Contains(all, "Loggens hoved") {
				t.Error("the end is missing")
			}
			if name == "long" && strings.Count(all, "jakke mere") < 4*350-100 {
				t.Errorf("of what was written %d of %d are there", strings.Count(all, "jakke mere"), 4*350)
			}
		})
	}
}

func TestPDFOfAnEmptyAndOfADeletedCase(t *testing.T) {
	gone := sample()
	gone.Case = incident.Case{ID: gone.Case.ID, State: incident.Deleted, Created: noon, Deletion: &incident.Deletion{
		At: noon, Name: "Mette Holm", Why: "ikke mere brug for den", What: []incident.Gone{{Kind: "clip", Hash: sum("clip")}, {Kind: "answers"}}}}
	gone.Proof = nil
	for name, in := range map[string]Input{"empty": {Case: incident.Case{ID: "X", State: incident.Draft}}, "deleted": gone} {
		for _, lang := range Languages {
			f := Build(in)
			all := strings.Join(extract(t, write(t, f, lang)), " ")
			if name == "deleted" && (!strings.Contains(all, sum("clip").String()) || len(f.Conditions) != 0) {
				t.Errorf("%s: the file of a deleted case is wrong: %s", lang, all)
			}
		}
	}
}

func TestEveryTextIsInBothLanguages(t *testing.T) {
	for act := range acts {
		if x, ok := ActText(act); !ok || x.DA == "" || x.EN == "" || len(x.DA) > 40 || len(x.EN) > 40 {
			t.Errorf("%s is missing in a language, or too long for its column: %+v", act, x)
		}
	}
	for key, x := range texts {
		if strings.TrimSpace(x.DA) == "" || strings.TrimSpace(x.EN) == "" {
			t.Errorf("%s is missing in a language", key)
		}
	}
	for _, m := range incident.Moves {
		for _, s := range []incident.State{m.From, m.To} {
			if _, ok := texts["state."+string(s)]; !ok {
				t.Errorf("the state %s has no name", s)
			}
		}
	}
}

// The longest file that Build makes is written within bounds.
func TestPDFOfTheLongestFile(t *testing.T) {
	in := sample()
	in.Log, in.Accesses = nil, nil
	for i := range MaxLog {
		in.Log = append(in.Log, audit.Entry{Seq: int64(i), At: noon, Act: "case.change", Who: audit.Who{Name: strings.Repeat("n", 200)}, Why: strings.Repeat("fordi ", 660)})
	}
	for range MaxAccesses {
		in.Accesses = append(in.Accesses, Access{At: noon, MemberName: "Tøj & Co", Person: "vagt-7", Purpose: strings.Repeat("ser efter ", 20)})
	}
	for i := range 2000 {
		in.Case.Evidence.Circle.Members = append(in.Case.Evidence.Circle.Members, incident.MemberID(fmt.Sprintf("butik-%d", i)))
	}
	pdf := write(t, Build(in), "da")
	if n := pages(pdf); n < 300 || n > 1200 || len(pdf) > 8<<20 {
		t.Errorf("%d pages, %d bytes", n, len(pdf))
	}
}

func BenchmarkPDF(b *testing.B) {
	f := Build(sample())
	for b.Loop() {
		write(b, f, "da")
	}
}
