package policy

import (
	"regexp"
	"strings"
	"unicode"
)

// A reason must be words that a reader can weigh: a field filled with "xxx" or
// "ok ok ok" is an unanswered question. What is counted are distinct words of
// at least two letters with a vowel among them, and the letters in them.
type measure struct{ words, letters int }

var (
	shortReason  = measure{3, 12} // what was seen, a trait, earlier cases
	fullReason   = measure{4, 20} // the reasons of conditions 3 and 6
	strongReason = measure{6, 30} // what must be left of a reason beside a phrase that is none
)

// says reports whether text holds at least m of real words.
func (m measure) says(text string) bool {
	seen := map[string]bool{}
	letters := 0
	for _, w := range strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) }) {
		n := len([]rune(w))
		if n < 2 || seen[w] || !strings.ContainsAny(w, "aeiouyæøåéüöä") {
			continue
		}
		seen[w] = true
		letters += n
	}
	return len(seen) >= m.words && letters >= m.letters
}

// cannotExclude matches the phrase that annex 2, condition 6, names as no
// reason, and its near forms in both languages.
var cannotExclude = regexp.MustCompile(`(?i)` +
	`\b(ikke|ej|aldrig|næppe)\b[^.;!?\n]{0,40}\b(ude\s?luk\w*|afvis\w*|ude\s?stænge\w*)` +
	`|\budelukke\w*[^.;!?\n]{0,20}\b(ikke|ej)\b` +
	`|\buudelukk\w*` +
	`|\b(cannot|can\s?not|can[’']?t|could\s?n[o’']?t|may not|not|never|hardly)\b[^.;!?\n]{0,40}\b(exclud\w*|rul\w* (it |this |that |them )?out|dismiss\w*)` +
	`|\b(exclud\w*|rul\w* out)[^.;!?\n]{0,20}\b(not|impossible)\b` +
	`|\bimpossible to (exclude|rule (it |this |that )?out)`)

var sentenceEnd = regexp.MustCompile(`[.;!?\n]+`)

// onlyNotExcluded reports whether reason rests on "it cannot be excluded":
// whether it says so, and says too little beside.
func onlyNotExcluded(reason string) bool {
	if !cannotExclude.MatchString(reason) {
		return false
	}
	var rest strings.Builder
	for _, s := range sentenceEnd.Split(reason, -1) {
		if !cannotExclude.MatchString(s) {
			rest.WriteString(s)
			rest.WriteByte(' ')
		}
	}
	return !strongReason.says(rest.String())
}
