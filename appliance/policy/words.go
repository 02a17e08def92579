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
	strongReason = measure{6, 30} // the whole country; what must be left beside a phrase that is no reason
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
// reason, and what means the same, in both languages. What follows such a
// phrase in its sentence is governed by it ("... at personen har ramt andre").
// Go's \b knows ASCII only, so a word that begins with æ, ø or å has none.
var cannotExclude = regexp.MustCompile(`(?i)` +
	`\b(ikke|ej|aldrig|næppe|umuligt)\b[^.;!?\n]{0,40}\b(ude\s?luk\w*|afvis\w*|ude\s?stænge\w*|ses bort fra|se bort fra|vides?\b|vide med sikkerhed)` +
	`|\budelukke\w*[^.;!?\n]{0,20}\b(ikke|ej)\b` +
	`|\buudelukk\w*` +
	`|\b(ikke|ej) (helt |aldeles )?(utænkelig|usandsynlig|umulig)\w*` +
	`|\bkunne (godt |jo |måske )?tænkes|\btænkes kan` +
	`|\bdet er (jo |da |godt |også )?(muligt|tænkeligt),? at (han|hun|de|den|det|personen|gerningsm|tyv|band|andre|alle|nogle|flere)` +
	`|\b(man|vi) ved (jo )?aldrig\b` +
	`|\b(cannot|can\s?not|can[’']?t|could\s?n[o’']?t|may not|must not|not|never|hardly)\b[^.;!?\n]{0,40}\b(exclud\w*|rul\w* (it |this |that |them )?out|dismiss\w*|discount(ed)?|disregard\w*)` +
	`|\b(exclud\w*|rul\w* out)[^.;!?\n]{0,20}\b(not|impossible)\b` +
	`|\bimpossible to (exclude|dismiss|rule (it |this |that )?out)` +
	`|\b(not|n[’']t) (entirely |wholly )?(unthinkable|inconceivable|impossible|unlikely)\b` +
	`|\bit is (quite |just |also )?(possible|conceivable|thinkable),? (that|he|she|they|the|it)\b` +
	`|\b(you|we|one) never knows?\b|\bwho knows\b`)

// justInCase matches what makes a clause a guess or a precaution. It governs
// its own clause only.
var justInCase = regexp.MustCompile(`(?i)` +
	`\b(muligvis|måske|eventuelt|potentielt|teoretisk set|hypotetisk|formentlig måske)\b` +
	`|\bfor en sikkerhed[s]?\s?skyld|\bsikre side\b|\bforholdsregel|\bfor alle tilfældes skyld` +
	`|\bkunne (godt |jo |også )?(komme|ramme|finde på|dukke|ske|rejse|tage til)\b` +
	`|\b(possibly|perhaps|maybe|potentially|conceivably|theoretically|hypothetically)\b` +
	`|\b(just|only) in case\b|\bin case (they|he|she|it)\b|\bto be (on the )?safe\b|\bsafe side\b|\bsafe than sorry\b|\b(as a|by way of) precaution|\bprecautionary\b` +
	`|\b(might|could) (well |also |even )?(come|hit|go|turn|appear|strike|happen|be|travel|show)\b`)

// observed matches what tells that a clause speaks of something that happened.
var observed = regexp.MustCompile(`(?i)` +
	`\b(har|havde|blev|var|er (set|kendt|stjålet|ramt|begået)|blevet|været|set|sås|ramt|ramte|stjal|stjålet|tog|slog|kom|gik|brugte|forsøgte|begik|lavede|truede|tømte|besøgte|opsøgte|afledte|arbejdede)\b` +
	`|\b(has|have|had|was|were|been|is known|seen|saw|hit|stole|stolen|took|struck|came|went|used|robbed|attacked|targeted|visited|tried|emptied|threatened|worked)\b`)

var (
	sentenceEnd = regexp.MustCompile(`[.;!?\n]+`)
	clauseEnd   = regexp.MustCompile(`(?i)[,:()–—]+|\s(og|men|fordi|så|derfor|and|but|because|so|while|mens)\s`)
)

// onlyNotExcluded reports whether reason rests on "it cannot be excluded" or a
// guess: whether it says so, and says too little beside.
//
// It is meant to miss little and to hinder few. A text without such a phrase is
// never held back. With one, what counts is what else is said: whole sentences
// without a phrase; in a sentence with one, the clauses that speak of something
// that happened ("har ramt tre butikker i Odense, måske flere"), but none after
// "cannot be excluded", which governs what follows it. Enough is strongReason
// beside that phrase and fullReason beside a guess. Who is held back wrongly
// writes what happened as a sentence of its own.
func onlyNotExcluded(reason string) bool {
	reason = strings.Join(strings.FieldsFunc(reason, func(r rune) bool { return unicode.IsSpace(r) && r != '\n' }), " ")
	hard := cannotExclude.MatchString(reason)
	if !hard && !justInCase.MatchString(reason) {
		return false
	}
	var rest strings.Builder
	for _, s := range sentenceEnd.Split(reason, -1) {
		governs := cannotExclude.FindStringIndex(s)
		if governs == nil && !justInCase.MatchString(s) {
			rest.WriteString(s + " ")
			continue
		}
		if governs != nil {
			s = uptoClause(s, governs[0])
		}
		var kept strings.Builder
		seen := false
		for _, clause := range clauseEnd.Split(s, -1) {
			if justInCase.MatchString(clause) {
				continue
			}
			kept.WriteString(clause + " ")
			seen = seen || observed.MatchString(clause)
		}
		if seen {
			rest.WriteString(kept.String())
		}
	}
	if hard {
		return !strongReason.says(rest.String())
	}
	return !fullReason.says(rest.String())
}

// uptoClause cuts s where the clause begins that holds position i.
func uptoClause(s string, i int) string {
	cut := 0
	for _, at := range clauseEnd.FindAllStringIndex(s, -1) {
		if at[0] < i {
			cut = at[0]
		}
	}
	return s[:cut]
}

var (
	noneSaid = regexp.MustCompile(`(?i)^\s*((vi|der|det|we|there|it) (har|er|kender|have|has|know|is|are|was|were)( of)? )?(nej|ingen|intet|ikke|aldrig|ukendt|ved ikke|no|none|not|nothing|never|unknown|n/a)(\W|$)`)
	butSome  = regexp.MustCompile(`(?i)(ikke|not)( (den|det|the))? (første|første\w*|første gang|first|only|kun|bare|alene)|ingen tvivl|no doubt|not only|ikke kun|ingen undtagelse|no exception`)
)

// told reports whether text says, in at least m of real words, that there is
// something: "ingen kendte tilfælde" is words, and says that there is nothing.
func (m measure) told(text string) bool {
	var rest strings.Builder
	for _, s := range sentenceEnd.Split(text, -1) {
		if !noneSaid.MatchString(s) || butSome.MatchString(s) {
			rest.WriteString(s + " ")
		}
	}
	return m.says(rest.String())
}
