package policy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// A written is a refusal as the source has it.
type written struct{ file, code, da, en string }

// refusals reads every refusal from the source of the rules.
func refusals(t *testing.T) []written {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(err, "no source")
	}
	var all []written
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, src, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			id, ok := call.Fun.(*ast.Ident)
			if !ok || id.Name != "refuse" && id.Name != "refuseAssessor" {
				return true
			}
			var text [3]string
			for i, arg := range call.Args {
				lit, ok := arg.(*ast.BasicLit)
				if !ok {
					if name == "policy.go" {
						return true // refuseAssessor hands on what it was given
					}
					t.Fatalf("%s: a refusal whose words are not written out", name)
				}
				if text[i], err = strconv.Unquote(lit.Value); err != nil {
					t.Fatal(err)
				}
			}
			all = append(all, written{name, text[0], text[1], text[2]})
			return true
		})
	}
	if len(all) < 50 {
		t.Fatalf("only %d refusals found", len(all))
	}
	return all
}

// produced runs every table and returns each refusal that came of it.
func produced() map[string][]Refusal {
	all := map[string][]Refusal{}
	add := func(rs ...Refusal) {
		for _, r := range rs {
			all[r.Code] = append(all[r.Code], r)
		}
	}
	for _, ch := range changes {
		c := good()
		ch.do(&c)
		add(Assess(c, noon, Settings{TwoPersons: true}).Missing()...)
	}
	for _, x := range endCases {
		c := running()
		if x.do != nil {
			x.do(&c)
		}
		if e, ends := Ends(c, noon.Add(x.after)); ends {
			add(e.Refusal)
		}
	}
	for _, x := range reassessCases {
		c, r := running(), again()
		if x.do != nil {
			x.do(&c, &r)
		}
		add(Reassess(c, r, noon.Add(9*day), Settings{TwoPersons: true}).Missing()...)
	}
	return all
}

// TestEveryRefusalIsTested: each refusal that the source has, word by word, comes
// of a case of a table, in both languages, with its source.
func TestEveryRefusalIsTested(t *testing.T) {
	came := produced()
	for _, w := range refusals(t) {
		found := false
		for _, r := range came[w.code] {
			found = found || r.Text.DA == w.da && r.Text.EN == w.en
		}
		if !found {
			t.Errorf("%s: no case is refused by %s: %s", w.file, w.code, w.en)
		}
		n := w.code[1:2]
		if strings.HasPrefix(w.file, "v") && w.file != "v"+n+".go" {
			t.Errorf("%s has a refusal of condition %s", w.file, n)
		}
	}
	for code, rs := range came {
		for _, r := range rs {
			n := string(r.Condition)[1:]
			if !strings.HasPrefix(code, "v"+n+".") || r.Source != "Vilkår "+n+", bilag 1 og 2" {
				t.Fatalf("%s is of %s and cites %q", code, r.Condition, r.Source)
			}
			for _, words := range []string{r.Text.DA, r.Text.EN} {
				if len(words) < 20 || !strings.HasSuffix(words, ".") && !strings.HasSuffix(words, "?") {
					t.Errorf("%s says little: %q", code, words)
				}
			}
			if r.Text.DA == r.Text.EN || strings.ContainsAny(r.Text.EN, "æøåÆØÅ") {
				t.Errorf("%s is not in two languages: %q, %q", code, r.Text.DA, r.Text.EN)
			}
		}
	}
}

// TestDescribe: the form can say what each condition asks and why, before
// anything is answered.
func TestDescribe(t *testing.T) {
	seen := map[string]bool{}
	for i, f := range Describe() {
		if f.Condition != Conditions[i] || f.Title.DA == "" || f.Title.EN == "" || f.Satisfied {
			t.Errorf("%+v", f)
		}
		for _, words := range []string{f.Asks.DA, f.Asks.EN, f.Why.DA, f.Why.EN} {
			if len(words) < 40 || !strings.HasSuffix(words, ".") || seen[words] {
				t.Errorf("%s: %q", f.Condition, words)
			}
			seen[words] = true
		}
		if strings.ContainsAny(f.Asks.EN+f.Why.EN, "æøåÆØÅ") {
			t.Errorf("%s: English has Danish letters", f.Condition)
		}
	}
}
