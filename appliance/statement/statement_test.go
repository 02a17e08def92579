package statement

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"veilbox/capture/footage"
)

func testSigner(t testing.TB, seed byte) note.Signer {
	t.Helper()
	s, err := NewSigner("veilbox-box-k3x", ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func verifier(s note.Signer) note.Verifier { return s.(signer).Verifier }

func full() Statement {
	at := func(h, m, s, ms int) time.Time { return time.Date(2026, 10, 25, h, m, s, ms*1e6, time.UTC) }
	return Statement{
		Box: "veilbox.local", Camera: "till-1", CameraName: "Kasse 1 ved døren",
		Asked: Span{at(0, 58, 0, 0), at(1, 2, 0, 0)}, Contained: Span{at(0, 57, 59, 40), at(1, 1, 59, 999)},
		Codec: "H.265", Width: 2560, Height: 1440, Frames: 6001,
		Gaps:  []Span{{at(0, 59, 0, 0), at(0, 59, 2, 120)}, {at(1, 0, 0, 1), at(1, 0, 1, 0)}},
		Audio: "AAC", Size: 7, SHA256: footage.ClipHash{Hash: sha256.Sum256([]byte("an MP4!"))},
		Purpose: "Politiet, sag 4200-12345-00001-26", Person: "Mette Holm", Made: at(9, 0, 0, 0), AuditEntry: 812,
		ClockNote: "Uret blev stillet 2,1 s frem kl. 02:59:00 (NTP).",
	}
}

func least() Statement {
	s := full()
	s.CameraName, s.Gaps, s.Audio, s.ClockNote = "", nil, "", ""
	return s
}

// The text is held byte by byte: a box of today must still be verified in years.
func TestGolden(t *testing.T) {
	for name, s := range map[string]Statement{"full": full(), "least": least()} {
		got, err := Sign(s, testSigner(t, 1))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name+".txt")
		if os.Getenv("UPDATE_GOLDEN") != "" {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s:\n%s\nwant:\n%s", name, got, want)
		}
		back, err := Verify(want, verifier(testSigner(t, 1)))
		if err != nil || !reflect.DeepEqual(back, s) {
			t.Errorf("%s: verified as %+v, %v\nwant %+v", name, back, err, s)
		}
		back, key, err := Read(want)
		if err != nil || !reflect.DeepEqual(back, s) || key != "veilbox-box-k3x" {
			t.Errorf("%s: read as %+v, %q, %v", name, back, key, err)
		}
	}
}

func TestEveryChangedByteIsFound(t *testing.T) {
	whole, err := Sign(full(), testSigner(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	v := verifier(testSigner(t, 1))
	for i := range whole {
		for _, x := range []byte{1, 0x20, 0x80} {
			b := bytes.Clone(whole)
			b[i] ^= x
			if _, err := Verify(b, v); !errors.Is(err, ErrSignature) && !errors.Is(err, ErrMalformed) {
				t.Fatalf("byte %d changed to %q: %v", i, b[i], err)
			}
		}
		if _, err := Verify(whole[:i], v); err == nil {
			t.Fatalf("cut at %d: it holds", i)
		}
	}
	// The last character of a signature has bits to spare, which no byte of it
	// needs: another character there says the same, and is another text.
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	last := len(bytes.TrimRight(whole, "=\n")) - 1
	for i := range len(alphabet) {
		b := bytes.Clone(whole)
		if b[last] == alphabet[i] {
			continue
		}
		b[last] = alphabet[i]
		if _, err := Verify(b, v); err == nil {
			t.Errorf("the signature ends in %q instead of %q: it holds", b[last], whole[last])
		}
	}
	for _, more := range []string{"\n", " ", "— veilbox-box-k3x AAAA\n"} {
		if _, err := Verify(append(bytes.Clone(whole), more...), v); err == nil {
			t.Errorf("with %q behind it: it holds", more)
		}
	}
}

func TestAnotherKeyAndAnotherTextOfTheSameKey(t *testing.T) {
	s := testSigner(t, 1)
	b, err := Sign(full(), s)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{nil, []byte("x"), []byte(full().text()), make([]byte, maxNote+1)} {
		if _, _, err := Read(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("read without a signature: %v", err)
		}
	}
	if _, err := Verify(b, verifier(testSigner(t, 2))); !errors.Is(err, ErrSignature) {
		t.Errorf("another key: %v", err)
	}
	// The same key signs audit heads, and could be made to sign what looks alike.
	good := full().text()
	for _, text := range []string{
		"veilbox-box-k3x\n3\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
		strings.Replace(good, "Billede: 2560x1440", "Billede: +2560x01440", 1),
		strings.Replace(good, "02:58:00.000 +02:00", "00:58:00.000 +00:00", 1),
		strings.Replace(good, "Boks: veilbox.local", "Boks: veilbox.local ", 1),
		strings.Replace(good, "Huller i optagelsen: 2", "Huller i optagelsen: 1", 1),
		strings.Replace(good, "Huller i optagelsen: 2", "Huller i optagelsen: 99999999", 1),
		strings.Replace(good, "Lyd: AAC\n", "", 1),
		strings.Replace(good, "Nummer i loggen: 812", "Nummer i loggen: 0", 1),
		strings.Replace(good, "Formål: Politiet", "Formål: \u202eteitiloP", 1),
	} {
		if text == good {
			t.Fatal("the text to refuse was not made")
		}
		n, err := note.Sign(&note.Note{Text: text}, s)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(n, verifier(s)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%.60q...: %v", text, err)
		}
	}
}

func TestSignTidiesAndRefuses(t *testing.T) {
	s := full()
	s.Purpose = "  Politiet\nNummer i loggen: 1\r\x00\u2028 sag\xff " + strings.Repeat("æ", 400)
	s.Made = s.Made.Add(400 * time.Microsecond)
	s.Gaps = make([]Span, MaxGaps+3)
	for i := range s.Gaps {
		s.Gaps[i] = full().Gaps[0]
	}
	b, err := Sign(s, testSigner(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	got, err := Verify(b, verifier(testSigner(t, 1)))
	if err != nil {
		t.Fatal(err)
	}
	if want := "Politiet Nummer i loggen: 1 sag ææ"; !strings.HasPrefix(got.Purpose, want) || len(got.Purpose) > MaxText {
		t.Errorf("purpose %q, %d bytes", got.Purpose, len(got.Purpose))
	}
	if got.AuditEntry != 812 || len(got.Gaps) != MaxGaps || got.MoreGaps != 3 || !got.Made.Equal(full().Made) {
		t.Errorf("entry %d, gaps %d+%d, made %v", got.AuditEntry, len(got.Gaps), got.MoreGaps, got.Made)
	}
	for name, break_ := range map[string]func(*Statement){
		"box": func(s *Statement) { s.Box = "\n" }, "purpose": func(s *Statement) { s.Purpose = " - " },
		"person": func(s *Statement) { s.Person = " " }, "camera": func(s *Statement) { s.Camera = "Till 1" },
		"hash": func(s *Statement) { s.SHA256 = footage.ClipHash{} }, "size": func(s *Statement) { s.Size = 0 },
		"picture": func(s *Statement) { s.Width = 0 }, "entry": func(s *Statement) { s.AuditEntry = 0 },
		"frames": func(s *Statement) { s.Frames = -1 }, "span": func(s *Statement) { s.Asked.To = s.Asked.From.Add(-1e9) },
		"made": func(s *Statement) { s.Made = time.Time{} }, "more": func(s *Statement) { s.Gaps, s.MoreGaps = nil, 2 },
	} {
		s := full()
		break_(&s)
		if b, err := Sign(s, testSigner(t, 1)); err == nil {
			t.Errorf("%s: signed\n%s", name, b)
		}
	}
}

func TestMatches(t *testing.T) {
	s := full()
	for _, c := range []struct {
		file string
		want error
	}{{"an MP4!", nil}, {"an MP4?", ErrHash}, {"an MP4", ErrSize}, {"an MP4!!", ErrSize}} {
		if err := s.Matches(strings.NewReader(c.file)); !errors.Is(err, c.want) {
			t.Errorf("%q: %v, want %v", c.file, err, c.want)
		}
	}
}

func TestSpanOfRoundsToMilliseconds(t *testing.T) {
	base := time.Date(2026, 2, 3, 12, 0, 0, 0, time.UTC)
	from := footage.TicksOf(base)
	got := SpanOf(footage.Span{From: from + 44, To: from + 46})
	if want := (Span{base, base.Add(time.Millisecond)}); got != want {
		t.Errorf("%v, want %v", got, want)
	}
}

func FuzzVerify(f *testing.F) {
	s := testSigner(f, 1)
	for _, st := range []Statement{full(), least()} {
		f.Add(st.text())
	}
	f.Add("veilbox-box-k3x\n3\nAAAA\n")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := Verify([]byte(text), verifier(s)); err == nil {
			t.Fatal("a text without a signature holds")
		}
		n, err := note.Sign(&note.Note{Text: text}, s)
		if err != nil {
			return
		}
		got, err := Verify(n, verifier(s))
		if err != nil {
			return
		}
		again, err := Sign(got, s)
		if err != nil || !bytes.Equal(again, n) {
			t.Fatalf("what holds is not what is signed: %v\n%s\n%s", err, n, again)
		}
	})
}
