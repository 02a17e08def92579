package incident

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var states = []State{Draft, Tagged, Redacted, Submitted, Refused, Released, Disclosed, ReassessmentDue, Narrowed, Withdrawn, Expired, Deleted}

func TestMovesAreATable(t *testing.T) {
	type key struct {
		from State
		act  Act
		by   Mover
	}
	seen := map[key]State{}
	from, to := map[State]bool{}, map[State]bool{Draft: true}
	for _, m := range Moves {
		if !slices.Contains(states, m.From) || !slices.Contains(states, m.To) || len(m.By) == 0 {
			t.Errorf("%+v", m)
		}
		from[m.From], to[m.To] = true, true
		for _, by := range m.By {
			k := key{m.From, m.Act, by}
			if was, ok := seen[k]; ok {
				t.Errorf("%s by %s of what is %s leads to %s and %s", m.Act, by, m.From, was, m.To)
			}
			seen[k] = m.To
		}
	}
	for _, s := range states {
		if !to[s] {
			t.Errorf("nothing leads to %s", s)
		}
		if from[s] == (s == Deleted) {
			t.Errorf("%s leads on: %v", s, from[s])
		}
	}
}

// What is disclosed went through an assessor, and what is over stays over.
func TestMovesOfTheLaw(t *testing.T) {
	for _, m := range Moves {
		switch {
		case m.To == Released && !(m.From == Submitted && m.Act == ActApprove && slices.Equal(m.By, []Mover{ByAssessor})):
			t.Errorf("released by %+v", m)
		case m.To == Disclosed && m.From != Released && !m.From.Running():
			t.Errorf("disclosed from %s", m.From)
		case m.To.Running() && m.To != Released && !m.From.Running():
			t.Errorf("%s from %s", m.To, m.From)
		case m.From.Over() && m.To != Deleted:
			t.Errorf("%s is over and becomes %s", m.From, m.To)
		case m.From.Running() && m.To == Deleted:
			t.Errorf("%s is deleted while it runs", m.From)
		}
	}
}

func TestMove(t *testing.T) {
	for _, s := range states {
		for _, a := range []Act{ActMark, ActMade, ActCancel, ActReturn, ActSubmit, ActRefuse, ActApprove, ActUndo, ActDeliver, ActReject, ActRemind, ActReassess, ActNarrow, ActWithdraw, ActFact, ActGiveUp, ActExpire, ActDelete, "", "other"} {
			for _, by := range []Mover{ByStaff, ByManager, ByAssessor, ByWorker, ByClock, ByExtranet, "", "operator"} {
				c, want := Case{State: s}, s
				for _, m := range Moves {
					if m.From == s && m.Act == a && slices.Contains(m.By, by) {
						want = m.To
					}
				}
				allowed := slices.ContainsFunc(Moves, func(m Move) bool { return m.From == s && m.Act == a && slices.Contains(m.By, by) })
				err := c.Move(a, by)
				if c.State != want || (err == nil) != allowed || err != nil && !errors.Is(err, ErrMove) {
					t.Errorf("%s by %s of %s: %s, %v", a, by, s, c.State, err)
				}
			}
		}
	}
}

// Every change of a case's state goes through Move: nowhere else in the product
// is one written.
func TestOnlyMoveSetsAState(t *testing.T) {
	// What reads a state of before, and what a case begins as.
	allowed := map[string]string{
		"store/cases.go":    "incident.Tagged", // what was called redacting
		"casework/cases.go": "incident.Draft",  // a new case
	}
	files := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		name := strings.TrimPrefix(filepath.ToSlash(path), "../")
		if strings.HasPrefix(name, "incident/") {
			return nil
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(f.Imports, func(i *ast.ImportSpec) bool {
			p, err := strconv.Unquote(i.Path.Value)
			return err == nil && p == "veilbox/appliance/incident"
		}) {
			return nil
		}
		files++
		check := func(at token.Pos, value ast.Expr) {
			x, ok := value.(*ast.SelectorExpr)
			if !ok {
				return
			}
			pkg, _ := x.X.(*ast.Ident)
			if pkg == nil || pkg.Name != "incident" {
				return
			}
			if said := pkg.Name + "." + x.Sel.Name; allowed[name] != said {
				t.Errorf("%s: a case's state is set to %s and not moved", set.Position(at), said)
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				for i, l := range n.Lhs {
					s, ok := l.(*ast.SelectorExpr)
					if !ok || s.Sel.Name != "State" {
						continue
					}
					if len(n.Rhs) != len(n.Lhs) {
						t.Errorf("%s: a state is set from a call", set.Position(n.Pos()))
						continue
					}
					// A string or a state of something else is no case's.
					if id, ok := s.X.(*ast.Ident); ok && id.Name == "c" && !strings.HasPrefix(name, "store/") {
						t.Errorf("%s: c.State is set and not moved", set.Position(n.Pos()))
					}
					check(n.Pos(), n.Rhs[i])
				}
			case *ast.KeyValueExpr:
				if k, ok := n.Key.(*ast.Ident); ok && k.Name == "State" {
					check(n.Pos(), n.Value)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 20 {
		t.Errorf("only %d files were read", files)
	}
}
