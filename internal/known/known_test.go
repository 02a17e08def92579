package known

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestListIsSorted(t *testing.T) {
	n := len(list) / Size
	if len(list)%Size != 0 || n < 40_000 || len(list) > 1<<20 {
		t.Fatalf("%d bytes", len(list))
	}
	for i := 1; i < n; i++ {
		if list[(i-1)*Size:i*Size] >= list[i*Size:(i+1)*Size] {
			t.Fatalf("entry %d is out of order", i)
		}
	}
	for i := 0; i < n; i += 1000 {
		if !holds(list[i*Size : (i+1)*Size]) {
			t.Fatalf("entry %d is not found", i)
		}
	}
	random := 0
	for i := range 20_000 {
		if Contains(fmt.Sprintf("%x", sha1.Sum([]byte{byte(i), byte(i >> 8), 7}))) {
			random++
		}
	}
	if random > 1 {
		t.Errorf("%d of 20000 random strings look known", random)
	}
}

func holds(entry string) bool {
	for i := 0; i < len(list); i += Size {
		if list[i:i+Size] == entry {
			return true
		}
	}
	return false
}

func TestGuess(t *testing.T) {
	for password, want := range map[string]bool{
		"password1234!":         true,
		"Passw0rd2026":          true,
		"Football-1999":         true,
		"adgangskode123":        true,
		"123123123123":          true,
		"ghghghghghgh":          true,
		"kagekagekage7":         true,
		"sladrehank-sladrehank": true,
		"qazwsxedcrfv":          true,
		"poiuytrewq12":          true,
		"asdfghjklæø'":          true,
		"1q2w3e4r5t6y":          true,
		"abcdefghijkl":          true,
		"mettemettemette":       true,
		"Mette.Holm.1984":       true,
		"1984mette!!!":          true,
		"rybutikken2026":        true,
		"mette":                 true,
		"mette elsker rødgrød":  false,
		"otte grønne cykler":    false,
		"fire heste spiser hø":  false,
		"Xk9#vQ2m!rT7":          false,
		"hest lampe sky tinder": false,
		"ærlighed varer længst": false,
	} {
		if got := Guess(password, "mette", "Mette Holm", "Ry Butikken"); got != want {
			t.Errorf("%s: %v", password, got)
		}
	}
}

func FuzzGuess(f *testing.F) {
	f.Add("otte grønne cykler", "mette")
	f.Add("\xff\xfe", "")
	f.Fuzz(func(t *testing.T, password, about string) {
		if len(password) > 256 || len(about) > 256 {
			return
		}
		if Guess(password) && !Guess(password, about) {
			t.Errorf("%q is a good password once %q is known", password, about)
		}
	})
}

// pwned writes a list of n passwords and returns it.
func pwned(t *testing.T, n int, end string) (string, []string) {
	t.Helper()
	var lines, words []string
	for i := range n {
		w := fmt.Sprint("kodeord ", i)
		h := sha1.Sum([]byte(w))
		words = append(words, w)
		lines = append(lines, fmt.Sprintf("%s:%d", strings.ToUpper(hex.EncodeToString(h[:])), 1+i*i*i))
	}
	slices.Sort(lines)
	path := filepath.Join(t.TempDir(), "pwned.txt")
	text := strings.Join(lines, end)
	if n%2 == 0 {
		text += end
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, words
}

func TestFile(t *testing.T) {
	for _, end := range []string{"\r\n", "\n"} {
		for _, n := range []int{1, 2, 3, 4, 7, 64, 1000} {
			path, words := pwned(t, n, end)
			f, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range words {
				if got, err := f.Contains(w); err != nil || !got {
					t.Fatalf("%d lines: %q is not found: %v", n, w, err)
				}
			}
			for i := range 200 {
				if got, err := f.Contains(fmt.Sprint("et andet ", i)); err != nil || got {
					t.Fatalf("%d lines: found what is not there: %v", n, err)
				}
			}
		}
	}
	none, err := Open("")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := none.Contains("x"); err != nil || got {
		t.Error("no file holds something", err)
	}
}

func TestFileRefusals(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(filepath.Join(dir, "missing")); err == nil {
		t.Error("a file that is not there was opened")
	}
	if _, err := Open(dir); err == nil {
		t.Error("a folder was opened")
	}
	for name, text := range map[string]string{"empty": "", "words": "password\n123456\n", "short": "ABC:1\n", "binary": strings.Repeat("\x00", 200)} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path); err == nil {
			t.Errorf("%s was opened", name)
		}
	}
	line := func(i int) string { return fmt.Sprintf("%05X%035X:1\r\n", i, 0) }
	list := func(n int) (text string) {
		for i := range n {
			text += line(i)
		}
		return text
	}
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"by count":           {line(9) + line(3) + line(7), errOrder},
		"swapped at the end": {list(5000) + line(17), errOrder},
		"backwards":          {line(5000) + list(5000), errOrder},
		"a line cut short":   {list(5000)[:5000*len(line(0))-30], errShort},
		"rubbish after":      {strings.Repeat("0", 40) + ":1\n" + strings.Repeat("x", 10_000), nil},
	} {
		path := filepath.Join(dir, "bad")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path); err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	// One of the size of all known passwords that has not all of them; the file
	// has holes, and takes no room.
	path := filepath.Join(dir, "huge")
	big, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer big.Close()
	if _, err := big.WriteString(list(3)); err != nil {
		t.Fatal(err)
	}
	if err := big.Truncate(2 * whole); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil {
		t.Error("a file with holes was opened")
	}
	// What is torn between the places looked at is no answer.
	text := strings.Repeat("0", 40) + ":1\n" + strings.Repeat("x", 10_000)
	torn := &File{strings.NewReader(text), int64(len(text))}
	if _, err := torn.Contains("x"); err == nil {
		t.Error("a torn file gave an answer")
	}
}

func FuzzFile(f *testing.F) {
	f.Add([]byte("0000000000000000000000000000000000000000:1\r\nFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF:9\r\n"), "x")
	f.Add([]byte("\n\n\n"), "")
	f.Fuzz(func(t *testing.T, b []byte, password string) {
		l := &File{strings.NewReader(string(b)), int64(len(b))}
		found, err := l.Contains(password)
		h := sha1.Sum([]byte(password))
		if found && (err != nil || !strings.Contains(strings.ToUpper(string(b)), strings.ToUpper(hex.EncodeToString(h[:])))) {
			t.Error("found what is not there", err)
		}
	})
}
