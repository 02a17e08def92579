// Package known knows the passwords that are tried first: those of breaches, and
// those that follow from what is known of a person.
//
// known.bin is the sorted list of the first five bytes of the SHA-256 of each
// stem (see Stem), 5 bytes a stem. It is made by the program in generate from the
// password list of the npm package @zxcvbn-ts/language-common (MIT) and from
// generate/danish.txt. Of a random password one in ten million looks like one of
// the list by chance.
//
// A File is the operator's own copy of a larger list, in the form of Pwned
// Passwords: lines of the SHA-1 in hexadecimal, a colon and a count, in order.
// It is searched where it lies.
package known

import (
	"crypto/sha256"
	_ "embed"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"
)

//go:generate go run ./generate -o known.bin passwords.json

//go:embed known.bin
var list string

// Size is the length of an entry of the list, in bytes.
const Size = 5

// Entry is how stem is kept in the list.
func Entry(stem string) string {
	h := sha256.Sum256([]byte(stem))
	return string(h[:Size])
}

// Contains reports whether stem is on the list.
func Contains(stem string) bool {
	want := Entry(stem)
	n := len(list) / Size
	i := sort.Search(n, func(i int) bool { return list[i*Size:(i+1)*Size] >= want })
	return i < n && list[i*Size:(i+1)*Size] == want
}

var letters = strings.NewReplacer("0", "o", "1", "i", "3", "e", "4", "a", "5", "s", "7", "t", "@", "a", "$", "s", "!", "i")

// Stem folds what people vary: case, digits for letters, what they put between
// words, and what they put behind or before to reach a length.
func Stem(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	if t := strings.TrimFunc(s, func(r rune) bool { return !unicode.IsLetter(r) }); t != "" {
		s = t
	}
	return join(letters.Replace(s))
}

// join takes out what is put between words.
func join(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" -_.,+/", r) {
			return -1
		}
		return r
	}, s)
}

// minLeft is how many characters must be left of a password once what is known
// of the person is taken out.
const minLeft = 6

// Guess reports whether password is one of those tried first: on the list, by
// itself or under what was put around it; the same again and again; a run of
// characters or of keys; or made of about, what is known of the person (the
// log-in, the name, the shop).
func Guess(password string, about ...string) bool {
	if monotonous(password) || repeated(password) || walk(password) {
		return true
	}
	lower := strings.ToLower(password)
	if Contains(lower) || Contains(join(lower)) {
		return true
	}
	s := Stem(password)
	if Contains(s) || repeated(s) {
		return true
	}
	left := s
	for _, a := range about {
		for _, w := range append([]string{a}, strings.FieldsFunc(a, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })...) {
			if w = Stem(w); utf8.RuneCountInString(w) >= 3 {
				left = strings.ReplaceAll(left, w, "")
			}
		}
	}
	if left == s {
		return false
	}
	left = strings.TrimFunc(left, func(r rune) bool { return !unicode.IsLetter(r) })
	return utf8.RuneCountInString(left) < minLeft || Contains(left)
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

// maxUnit is the longest part, in bytes, that is noticed when it is said again.
const maxUnit = 11

// repeated reports a part said again and again, a last time perhaps not to its
// end, with what is put behind it taken off.
func repeated(s string) bool {
	s = strings.ToLower(s)
	for _, t := range []string{s, strings.TrimRightFunc(s, func(r rune) bool { return !unicode.IsLetter(r) })} {
		for n := 1; n <= len(t)/2 && n <= maxUnit; n++ {
			if strings.HasPrefix(strings.Repeat(t[:n], len(t)/n+1), t) {
				return true
			}
		}
	}
	return false
}

// rows is a Danish keyboard.
var rows = []string{"½1234567890+´", "qwertyuiopå¨", "asdfghjklæø'", "<zxcvbnm,.-"}

var keys = func() map[rune][2]int {
	m := map[rune][2]int{}
	for y, row := range rows {
		x := 0
		for _, c := range row {
			if y == 0 || y == 3 {
				m[c] = [2]int{x - 1, y}
			} else {
				m[c] = [2]int{x, y}
			}
			x++
		}
	}
	return m
}()

// walk reports a password most of which goes from key to neighbouring key.
func walk(s string) bool {
	r := []rune(strings.ToLower(s))
	near := 0
	for i := 1; i < len(r); i++ {
		a, ok := keys[r[i-1]]
		b, too := keys[r[i]]
		if dx, dy := b[0]-a[0], b[1]-a[1]; ok && too && dx >= -1 && dx <= 1 && dy >= -1 && dy <= 1 {
			near++
		}
	}
	return len(r) > 1 && near*5 >= (len(r)-1)*4
}
