package policy

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"veilbox/appliance/incident"
	"veilbox/internal/problem"
)

// acts is what each act is called.
var acts = map[incident.Act]string{
	incident.ActMark: "markér", incident.ActMade: "kopien er lavet", incident.ActCancel: "afbryd", incident.ActReturn: "kopien er lavet om",
	incident.ActSubmit: "send til vurdering", incident.ActRefuse: "afvis", incident.ActApprove: "godkend", incident.ActUndo: "tag frigivelsen tilbage",
	incident.ActDeliver: "modtaget af ekstranettet", incident.ActReject: "afvist af ekstranettet", incident.ActRemind: "mind om vurdering",
	incident.ActReassess: "vurdér igen", incident.ActNarrow: "afgræns kredsen", incident.ActWithdraw: "træk tilbage", incident.ActFact: "ophør ved ny oplysning",
	incident.ActGiveUp: "opgiv", incident.ActExpire: "udløb", incident.ActDelete: "slet",
}

var movers = map[incident.Mover]problem.Text{
	incident.ByStaff: {DA: "personale", EN: "staff"}, incident.ByManager: {DA: "butikschef", EN: "shop manager"}, incident.ByAssessor: {DA: "fagperson", EN: "assessor"},
	incident.ByWorker: {DA: "sløringen", EN: "the redaction"}, incident.ByClock: {DA: "boksens ur", EN: "the box's clock"}, incident.ByExtranet: {DA: "ekstranettet", EN: "the extranet"},
}

// A constant is one of the table's source with the comment beside it.
type constant struct{ kind, value, comment string }

// constants reads the states, movers and acts from their source, in its order.
func constants(t *testing.T) []constant {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", "incident", "moves.go"), nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var all []constant
	ast.Inspect(f, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || len(v.Values) != 1 {
			return true
		}
		kind, isIdent := v.Type.(*ast.Ident)
		lit, isLit := v.Values[0].(*ast.BasicLit)
		if !isIdent || !isLit {
			return true
		}
		value, err := strconv.Unquote(lit.Value)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, constant{kind.Name, value, strings.TrimSpace(v.Comment.Text())})
		return true
	})
	return all
}

func texts(t *testing.T, lang string) map[string]string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "web", "text", lang+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]string
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestMovesAreSound: the table names known states, acts and movers only; no act of
// one mover leads two ways; each state is reached, each can end in Deleted, and
// nothing leaves that; there is one way into a disclosure, the assessor's yes.
func TestMovesAreSound(t *testing.T) {
	known := map[string]bool{}
	var states []incident.State
	for _, c := range constants(t) {
		known[c.kind+" "+c.value] = true
		if c.kind == "State" {
			states = append(states, incident.State(c.value))
		}
	}
	if len(states) != 12 {
		t.Errorf("%d states", len(states))
	}
	used := map[string]bool{}
	ways := map[string]bool{}
	for _, m := range incident.Moves {
		for _, x := range []string{"State " + string(m.From), "State " + string(m.To), "Act " + string(m.Act)} {
			if used[x] = true; !known[x] {
				t.Errorf("%+v: there is no %s", m, x)
			}
		}
		if len(m.By) == 0 {
			t.Errorf("%+v is made by nobody", m)
		}
		for _, by := range m.By {
			if used["Mover "+string(by)] = true; !known["Mover "+string(by)] {
				t.Errorf("%+v: there is no mover %s", m, by)
			}
			way := fmt.Sprint(m.From, m.Act, by)
			if ways[way] {
				t.Errorf("%s by %s of a case that is %s leads two ways", m.Act, by, m.From)
			}
			ways[way] = true
			c := incident.Case{State: m.From}
			if err := c.Move(m.Act, by); err != nil || c.State != m.To {
				t.Errorf("%+v: %s, %v", m, c.State, err)
			}
		}
		if m.To == incident.Released && (m.From != incident.Submitted || m.Act != incident.ActApprove || !slices.Equal(m.By, []incident.Mover{incident.ByAssessor})) {
			t.Errorf("%+v releases without an assessor's yes", m)
		}
		if m.To.Running() && m.To != incident.Released && !m.From.Running() {
			t.Errorf("%+v discloses what was not released", m)
		}
		if m.From.Over() && m.To != incident.Deleted || m.From == incident.Deleted {
			t.Errorf("%+v brings back what is over", m)
		}
		if m.From.Running() && !m.To.Running() && !m.To.Over() && m.From != incident.Released {
			t.Errorf("%+v takes back what was disclosed without ending it", m)
		}
	}
	for k := range known {
		if !used[k] {
			t.Errorf("%s is never used", k)
		}
	}
	reach := func(from incident.State) map[incident.State]bool {
		seen := map[incident.State]bool{from: true}
		for range states {
			for _, m := range incident.Moves {
				if seen[m.From] {
					seen[m.To] = true
				}
			}
		}
		return seen
	}
	fromDraft := reach(incident.Draft)
	for _, s := range states {
		if !fromDraft[s] {
			t.Errorf("%s is never reached", s)
		}
		if !reach(s)[incident.Deleted] {
			t.Errorf("a case that is %s is never deleted", s)
		}
	}
}

// TestStatesDoc: docs/states.md is what incident.Moves says.
func TestStatesDoc(t *testing.T) {
	da, en := texts(t, "da"), texts(t, "en")
	var b strings.Builder
	b.WriteString(`# The states of a case

Made from incident.Moves by ` + "`go test ./appliance/policy -run TestStatesDoc -update`" + `; the same test, without the flag, fails where this page and the code differ. Every move is recorded, by a named person or by a clock or service under its own name. What a move asks beside the state it starts from is in [conditions.md](conditions.md): *approve* and *reassess* need all nine conditions.

## States

| State | Dansk | English | |
|---|---|---|---|
`)
	comment := map[string]string{}
	for _, c := range constants(t) {
		comment[c.kind+" "+c.value] = c.comment
		if c.kind != "State" {
			continue
		}
		d, e := da["state."+c.value], en["state."+c.value]
		if d == "" || e == "" || c.comment == "" {
			t.Errorf("state %s: %q, %q, %q", c.value, d, e, c.comment)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", c.value, cell(d), cell(e), cell(c.comment))
	}
	b.WriteString("\n## Moves\n\n| State | Act | Handling | Who | Hvem | To |\n|---|---|---|---|---|---|\n")
	for _, m := range incident.Moves {
		var who, hvem []string
		for _, by := range m.By {
			if movers[by].DA == "" {
				t.Errorf("mover %s has no name", by)
			}
			who, hvem = append(who, movers[by].EN), append(hvem, movers[by].DA)
		}
		if acts[m.Act] == "" {
			t.Errorf("act %s has no Danish name", m.Act)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | `%s` |\n", m.From, m.Act, acts[m.Act], strings.Join(who, ", "), strings.Join(hvem, ", "), m.To)
	}
	b.WriteString("\n## Acts\n\n| Act | Handling | |\n|---|---|---|\n")
	for _, c := range constants(t) {
		if c.kind == "Act" {
			if c.comment == "" {
				t.Errorf("act %s has no comment", c.value)
			}
			fmt.Fprintf(&b, "| %s | %s | %s |\n", c.value, acts[incident.Act(c.value)], cell(c.comment))
		}
	}
	if !t.Failed() {
		document(t, "states.md", b.String())
	}
}
