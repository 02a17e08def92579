package web

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/incident"
	"veilbox/capture"
	"veilbox/redact/mask"
	"veilbox/redact/subject"
	"veilbox/redact/work"
)

var (
	inTemplate = regexp.MustCompile(`\{\{[^}]*\bt "([a-z0-9._-]+)"`)
	prefixed   = regexp.MustCompile(`\btp "([a-z.]+\.)"`)
	inScript   = regexp.MustCompile("\\bt\\(['`]([a-z0-9._-]+)")
	verbs      = regexp.MustCompile(`%[sdv]`)
)

// valuesOf are the values that follow a prefix in templates and scripts.
func valuesOf() map[string][]string {
	modes := []string{subject.SubjectOnly.String(), subject.StillScene.String(), subject.BlurEverything.String()}
	all := map[string][]string{
		"nav.": {"start", "timeline", "alerts", "rights", "people", "admin", "audit"}, "rights.step.": {"1", "2", "3", "4", "5"}, "decision.": {string(incident.Approve), string(incident.Refuse)},
		"range.": {"10", "60", "360", "1440", "10080", "43200"}, "camera.accept.": {"pin", "device"}, "statenext.": {""}, "step.": caseData{}.Steps(), "conditions.": conditionsData{}.Rules(),
		"competence.": competences, "how.": {string(account.ByPasskey), string(account.ByCode), string(account.ByPassword)}, "acts.": auditActs,
		"due.": {account.DueReview, account.DueEnds, account.DueEnded, account.DueQualified, account.DueIdle, account.DueSelfGiven, account.DueSetUp}, "factor.": {"passkey", "totp", "both", "none"},
		"passkey.": {"twice", "twiceremedy", "address", "addressremedy", "kind", "kindremedy", "stopped", "stoppedremedy"},
		"stage.":   {"queued", "receive", "decode", "track", "veil", "write", "prove", "done", "failed", ""},
		"sending.": {"queued", "sending", "waiting", "delivered", "refused"}, "field.": answerNames(), "form.basis.": {string(incident.BasisRecording), string(incident.BasisCircumstances)}, "form.area.": {"town", "region", "country"},
		"fact.": caseData{}.Facts(), "factsays.": caseData{}.Facts(), "inform.": caseData{}.Hows(), "doc.": {incident.DocumentReceipt, incident.DocumentStatement, incident.DocumentOther}, "dossier.": {"met", "unmet", "waits"},
		"camstate.": {""}, "offence.": {""}, "mode.": modes, "modesays.": modes, "copymode.": modes,
		"what.": {"unsure", "flagged"}, "legend.": {"shown", "flagged", "unsure", "gone"}, "flag.": mask.Flags(0x1f).Names(), "reason.": {""},
		"notice.": {incident.NoticeShortScene},
	}
	for _, n := range work.Notices {
		all["notice."] = append(all["notice."], string(n))
	}
	for r := mask.Reason(1); r.String() != ""; r++ { // a reason that is added there needs words here
		all["reason."] = append(all["reason."], r.String())
	}
	for _, s := range caseStates {
		all["state."] = append(all["state."], string(s))
		all["next."] = append(all["next."], string(s))
	}
	for _, o := range slices.Concat(covered, uncovered) {
		all["offence."] = append(all["offence."], string(o))
	}
	for _, s := range states() {
		all["camstate."] = append(all["camstate."], s)
		all["statenext."] = append(all["statenext."], s)
	}
	for _, r := range account.Roles {
		all["role."] = append(all["role."], string(r))
		all["rolesays."] = append(all["rolesays."], string(r))
	}
	return all
}

// answerNames are the answers that a merge may have to name: the form's own and
// those kept beside its fields.
func answerNames() []string {
	return []string{"what", "happened_at", "offence", "attempt", "basis", "basis_words", "repetition", "professional", "repeat_reasons", "value_dkk", "statements", "links",
		"report_number", "report_today", "area", "place", "trades", "chains", "members", "circle_reason", "area_reason", "trades_reason", "chains_reason", "next_reassessment", "doubtful", "first_of_kind"}
}

// states are the values of capture.State, as its source declares them: one that
// is added there needs words here.
func states() []string {
	var all []string
	files, err := filepath.Glob("../../capture/*.go")
	if err != nil {
		panic(err)
	}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			panic(err)
		}
		for _, d := range f.Decls {
			g, _ := d.(*ast.GenDecl)
			if g == nil || g.Tok != token.CONST {
				continue
			}
			for _, s := range g.Specs {
				v := s.(*ast.ValueSpec)
				if kind, _ := v.Type.(*ast.Ident); kind == nil || kind.Name != "State" {
					continue
				}
				for _, x := range v.Values {
					word, err := strconv.Unquote(x.(*ast.BasicLit).Value)
					if err != nil {
						panic(err)
					}
					all = append(all, word)
				}
			}
		}
	}
	return all
}

// What a person sees and is to do is said for each state, in both languages, and
// differently for each.
func TestEveryCameraStateSpeaks(t *testing.T) {
	all := states()
	for _, s := range []capture.State{capture.Connecting, capture.Recording, capture.Unwritten} {
		if !slices.Contains(all, string(s)) {
			t.Fatalf("the source declares %q, without %s", all, s)
		}
	}
	texts, err := loadTexts()
	if err != nil {
		t.Fatal(err)
	}
	for lang, c := range texts {
		said := map[string]string{}
		for _, s := range all {
			for _, key := range []string{"camstate." + s, "statenext." + s} {
				words := strings.TrimSpace(c[key])
				if words == "" || said[words] != "" {
					t.Errorf("%s: %s says %q, as %q does", lang, key, words, said[words])
				}
				said[words] = key
			}
		}
	}
}

func usedKeys(t *testing.T) map[string]bool {
	t.Helper()
	used := map[string]bool{"value.unknown": true, "value.thousands": true} // of kroner
	values := valuesOf()
	prefix := func(p string) {
		if values[p] == nil {
			t.Errorf("nothing is known to follow the prefix %s", p)
		}
		for _, v := range values[p] {
			used[p+v] = true
		}
	}
	read := func(fsys fs.FS, glob string, work func(string)) {
		files, err := fs.Glob(fsys, glob)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", glob, len(files), err)
		}
		for _, f := range files {
			b, err := fs.ReadFile(fsys, f)
			if err != nil {
				t.Fatal(err)
			}
			work(string(b))
		}
	}
	read(templateFiles, "templates/*.html", func(s string) {
		for _, m := range inTemplate.FindAllStringSubmatch(s, -1) {
			used[m[1]] = true
		}
		for _, m := range prefixed.FindAllStringSubmatch(s, -1) {
			prefix(m[1])
		}
	})
	read(assetFiles, "assets/*.js", func(s string) {
		for _, m := range inScript.FindAllStringSubmatch(s, -1) {
			if strings.HasSuffix(m[1], ".") {
				prefix(m[1])
			} else {
				used[m[1]] = true
			}
		}
	})
	return used
}

func TestTextsAreThereAndUsed(t *testing.T) {
	texts, err := loadTexts()
	if err != nil {
		t.Fatal(err)
	}
	used := usedKeys(t)
	for _, lang := range languages {
		for key := range used {
			if strings.TrimSpace(texts[lang][key]) == "" {
				t.Errorf("%s: no text for %q", lang, key)
			}
		}
		for _, key := range slices.Sorted(maps.Keys(texts[lang])) {
			if !used[key] {
				t.Errorf("%s: the text %q is not used", lang, key)
			}
		}
	}
	for key, da := range texts["da"] {
		if a, b := verbs.FindAllString(da, -1), verbs.FindAllString(texts["en"][key], -1); !slices.Equal(a, b) {
			t.Errorf("%s: the languages take different arguments: %q, %q", key, a, b)
		}
	}
}

func TestTimesAreDanish(t *testing.T) {
	at := time.Date(2026, 7, 1, 22, 30, 0, 0, time.UTC) // the next day in Copenhagen
	if got, want := whenIn("da", at), "2. jul. 2026 kl. 00.30"; got != want {
		t.Errorf("da: %q, want %q", got, want)
	}
	if got, want := whenIn("en", at), "2 Jul 2026 00:30"; got != want {
		t.Errorf("en: %q, want %q", got, want)
	}
	if got := whenIn("da", time.Time{}); got != "–" {
		t.Errorf("no time is %q", got)
	}
}

func TestKroner(t *testing.T) {
	texts, err := loadTexts()
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]string{0: "0 kr.", 999: "999 kr.", 1000: "1.000 kr.", 1234567: "1.234.567 kr."} {
		if got := kroner(texts["da"], &n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
	if got := kroner(texts["da"], nil); got != "værdi ukendt" {
		t.Errorf("no value is %q", got)
	}
}
