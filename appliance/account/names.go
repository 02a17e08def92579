package account

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"veilbox/appliance/incident"
	"veilbox/appliance/policy"
)

func normalLogin(s string) (string, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	n := 0
	for _, c := range s {
		if !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("._-@", c) {
			return "", ErrLoginName
		}
		n++
	}
	if n < 2 || n > 64 || len(s) > 128 {
		return "", ErrLoginName
	}
	return s, nil
}

// generic are words that name a place or a function, not a person.
var generic = []string{"butik", "butikken", "butikschef", "kasse", "kassen", "personale", "medarbejder", "leder", "admin", "administrator", "bruger", "user", "staff", "shop", "store", "manager", "test", "fælles", "shared", "vagt", "assessor", "operator"}

// checkName returns name tidied, or ErrName where it is not a person's: a first
// and a last name in letters, not all of them generic words.
func checkName(name string) (string, error) {
	words := strings.Fields(name)
	if len(words) < 2 || len(name) > 200 {
		return "", ErrName
	}
	own := 0
	for _, w := range words {
		for _, c := range w {
			if !unicode.IsLetter(c) && !unicode.IsMark(c) && !strings.ContainsRune("-'’.", c) {
				return "", ErrName
			}
		}
		if !slices.Contains(generic, strings.ToLower(w)) {
			own++
		}
	}
	if own < 2 {
		return "", ErrName
	}
	return strings.Join(words, " "), nil
}

// checkQualification checks q, which an assessor must have.
func checkQualification(q *incident.Qualification, needed bool) error {
	if q == nil {
		if needed {
			return ErrQualification
		}
		return nil
	}
	if !words(q.Education) || !words(q.Experience) || len(q.Competences) == 0 || len(q.Competences) > maxCompetences ||
		q.From.IsZero() || !q.To.After(q.From) || q.To.Sub(q.From) > maxQualified {
		return ErrQualification
	}
	for i, c := range q.Competences {
		if !slices.Contains(policy.Competences[:], c) || slices.Contains(q.Competences[:i], c) {
			return ErrQualification
		}
	}
	return nil
}

// words reports whether s says something, in bounds and without control
// characters but line breaks.
func words(s string) bool {
	return len(strings.TrimSpace(s)) >= 2 && len(s) <= maxTextLen && clean(s, "\n\r\t")
}

// short reports whether s is a name on one line of 1 to n characters.
func short(s string, n int) bool {
	return s != "" && utf8.RuneCountInString(s) <= n && clean(s, "")
}

func clean(s, but string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(c rune) bool { return unicode.IsControl(c) && !strings.ContainsRune(but, c) })
}
