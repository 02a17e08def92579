package policy

import (
	"flag"
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

	"veilbox/internal/problem"
)

var update = flag.Bool("update", false, "write docs/conditions.md and docs/states.md anew from the code")

// root is the module's folder.
var root = filepath.Join("..", "..")

// A testFunc is a test of a folder, with the words that it and the tables it
// runs hold.
type testFunc struct {
	name, file string
	holds      []string
}

// testFuncs reads the tests and fuzz targets of a folder.
func testFuncs(t *testing.T, dir string) []testFunc {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	tables := map[string][]string{} // by the variable's name
	type body struct {
		testFunc
		ast.Node
	}
	var bodies []body
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if n := d.Name.Name; d.Recv == nil && d.Body != nil && (strings.HasPrefix(n, "Test") && n != "TestMain" || strings.HasPrefix(n, "Fuzz")) {
					bodies = append(bodies, body{testFunc{name: n, file: filepath.Base(name)}, d.Body})
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					if v, ok := s.(*ast.ValueSpec); ok && len(v.Names) == 1 {
						tables[v.Names[0].Name] = stringsIn(v)
					}
				}
			}
		}
	}
	var all []testFunc
	for _, b := range bodies {
		b.holds = stringsIn(b.Node)
		ast.Inspect(b.Node, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok {
				b.holds = append(b.holds, tables[id.Name]...)
			}
			return true
		})
		all = append(all, b.testFunc)
	}
	slices.SortFunc(all, func(a, b testFunc) int { return strings.Compare(a.file+a.name, b.file+b.name) })
	return all
}

func stringsIn(n ast.Node) []string {
	var out []string
	ast.Inspect(n, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if s, err := strconv.Unquote(lit.Value); err == nil {
				out = append(out, s)
			}
		}
		return true
	})
	return out
}

// document holds a document of docs against what the code says it should be.
func document(t *testing.T, name, want string) {
	t.Helper()
	path := filepath.Join(root, "docs", name)
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v: make it with go test ./appliance/policy -update", err)
	}
	if string(got) == want {
		return
	}
	a, b := strings.Split(string(got), "\n"), strings.Split(want, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			t.Fatalf("docs/%s is not what the code says: make it anew with go test ./appliance/policy -update\nline %d has  %s\nit should be %s", name, i+1, a[i], b[i])
		}
	}
	t.Fatalf("docs/%s has %d lines, not %d: make it anew with go test ./appliance/policy -update", name, len(a), len(b))
}

// cell writes text so that it stays within a table's cell.
func cell(s string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(s, "|", "\\|")), " ")
}

// A shown is one of the operator's conditions and what shows that it is met.
type shown struct {
	id    string
	asks  problem.Text
	files []string // of the module
	tests []string // folder/TestName
	note  string   // what no program can show
}

// operators is the conditions for the system (vilkår for systemet), in the
// permission's order; S12 is annex 2's last words on condition 8.
var operators = []shown{
	{"S1", problem.Text{DA: "En løbende liste over tilsluttede erhvervsdrivende", EN: "A running list of connected members"},
		[]string{"uplink/extranet/register.go"}, []string{"uplink/extranet/TestEnrol", "uplink/extranet/TestMemberLeaves"}, ""},
	{"S2", problem.Text{DA: "Beskyttelse mod uautoriseret adgang og kompromittering, blandt andet ved sikkerhedsopdateringer", EN: "Protection against unauthorised access and compromise, security updates among it"},
		[]string{"uplink/extranet/submit.go", "scripts/lint.sh"}, []string{"uplink/extranet/TestStrangersAreRefused", "uplink/extranet/TestSubmitRefuses", "uplink/extranet/TestEveryBoxRouteRefuses", "uplink/extranet/TestEveryOperatorRouteRefuses", "uplink/extranet/TestActsThatOthersTrustInAskForAProof", "uplink/extranet/TestNobodyLocksAnotherOut", "uplink/extranet/TestABoxTakenOverCannotApprove", "appliance/casework/TestPermissions", "appliance/web/TestWhoMayWhat", "appliance/web/TestEveryAnswerIsGuarded"},
		"`make lint` fails on a known vulnerability that the programs reach (govulncheck). The operator installs updates."},
	{"S3", problem.Text{DA: "Mindst to penetrationstest om året", EN: "At least two penetration tests a year"},
		[]string{"uplink/extranet/oversight.go"}, []string{"uplink/extranet/TestRegisterOfPenetrationTests", "uplink/extranet/TestBadStart", "appliance/config/TestFaultsNameLineKeyAndRemedy"},
		"The register warns when one is due. The operator has them done."},
	{"S4", problem.Text{DA: "Et lukket system: certifikat for bruger og maskine, whitelistede IP-adresser", EN: "Closed: certificates for user and machine, allow-listed addresses"},
		[]string{"uplink/extranet/ca.go", "uplink/extranet/enrol.go", "uplink/extranet/extranet.go"}, []string{"uplink/extranet/TestStrangersAreRefused", "uplink/extranet/TestAllowList", "uplink/extranet/TestRenew"}, ""},
	{"S5", problem.Text{DA: "Enhver brugerkonto er personlig", EN: "Every account is personal"},
		[]string{"appliance/account/account.go", "uplink/extranet/accounts.go", "uplink/extranet/login.go"}, []string{"appliance/account/TestCreate", "uplink/extranet/TestOperators", "uplink/extranet/TestFirstLogIn", "uplink/extranet/TestLocalCommands", "uplink/extranet/TestPeopleOfAMember"}, ""},
	{"S6", problem.Text{DA: "Logning af tilgang og downloads; logs opbevares i mindst et år", EN: "Access and downloads are logged; logs are kept a year at least"},
		[]string{"uplink/extranet/viewing.go", "appliance/audit/log.go"}, []string{"uplink/extranet/TestDisclosure", "uplink/extranet/TestAccessLogOfTheSender", "uplink/extranet/TestBadStart", "appliance/casework/TestAViewingIsOnePersonsAndEnds", "appliance/casework/TestWhatCannotBeRecordedIsNotDone", "appliance/casework/TestWhatHandsOutBytesRecordsIt", "appliance/audit/TestTampering", "appliance/audit/TestPrune"}, ""},
	{"S7", problem.Text{DA: "Kryptering under transport og i hvile", EN: "Encrypted in transit and at rest"},
		[]string{"uplink/parcel/parcel.go", "uplink/wire/keys.go"}, []string{"uplink/parcel/TestSeal", "uplink/wire/TestWrap", "uplink/extranet/TestStrangersAreRefused", "appliance/daemon/TestNothingPersonalAtRestInTheClear", "appliance/audit/TestNothingInTheClear"}, ""},
	{"S8", problem.Text{DA: "Alle tilsluttede får meddelt, at enhver videregivelse skal følge vilkårene", EN: "All who connect are told that every disclosure must follow the conditions"},
		[]string{"appliance/casework/alerts.go", "appliance/casework/accounts.go"}, []string{"appliance/casework/TestViewAsksForTheConditionsFirst", "appliance/casework/TestAcceptanceIsOfOneVersion"}, ""},
	{"S9", problem.Text{DA: "Den systemansvarlige bringer en ulovlig videregivelse til ophør", EN: "The operator ends a disclosure that it learns is unlawful"},
		[]string{"uplink/extranet/oversight.go", "uplink/extranet/ending.go"}, []string{"uplink/extranet/TestOperatorEnds", "uplink/extranet/TestTheOperatorEndsWhatIsUnlawful", "appliance/casework/TestWhatTheExtranetSays"}, ""},
	{"S10", problem.Text{DA: "Væsentlige ændringer kræver en ny tilladelse; ophør meddeles straks", EN: "Essential changes need a new permission; the end of operation is reported at once"},
		[]string{"uplink/extranet/essential.go"}, []string{"uplink/extranet/TestRegisterOfEssentialChanges"}, "The register warns while the agency has not been told, or a change lacks its permission. The operator tells it; CHANGELOG.md says what changed."},
	{"S11", problem.Text{DA: "Den dataansvarlige laver en konsekvensanalyse først", EN: "The data controller makes an impact assessment first"},
		[]string{"docs/dpia.md", "docs/shop/README.md"}, []string{"appliance/policy/TestImpactAssessmentHasItsFourParts"}, "The shop's own duty; the document is a start."},
	{"S12", problem.Text{DA: "Den, der tager optagelser ud af systemet, svarer for dem efter de almindelige regler", EN: "Who takes footage out of the system answers for it under the ordinary rules"},
		[]string{"appliance/casework/rights.go"}, []string{"appliance/casework/TestSubjectCopy", "appliance/casework/TestAnExportIsWhatItsStatementSays"}, "Said, and to be confirmed, at the moment of export; each export is logged."},
}

// TestImpactAssessmentHasItsFourParts: the start of a DPIA has the four parts that
// article 35(7) asks for, none empty, and speaks of each of the nine conditions.
func TestImpactAssessmentHasItsFourParts(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root, "docs", "dpia.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"a", "b", "c", "d"} {
		_, text, ok := strings.Cut(string(b), "\n## "+part+") ")
		text, _, _ = strings.Cut(text, "\n## ")
		if !ok || len(strings.Fields(text)) < 100 {
			t.Errorf("part %s) has %d words", part, len(strings.Fields(text)))
		}
	}
	for i := range Conditions {
		if rule := fmt.Sprintf("v%d.go", i+1); !strings.Contains(string(b), rule) {
			t.Errorf("it does not say how %s holds", rule)
		}
	}
}

// TestConditionsDoc: docs/conditions.md is what the code, the tables and the
// tests say; what it names exists.
func TestConditionsDoc(t *testing.T) {
	var b strings.Builder
	b.WriteString(`# The conditions, and where each is held

Made from the code by ` + "`go test ./appliance/policy -run TestConditionsDoc -update`" + `; the same test, without the flag, fails where this page and the code differ. The conditions are those of the Danish data protection agency's permission of 28 February 2020 (annex 1) and its guidance (annex 2), under § 4 c of tv-overvågningsloven. A case's states are in [states.md](states.md).

No disclosure begins without all nine, and none goes on where one of V1 to V6 or V8 fails. That no sequence of acts, answers and times leads around them is shown by ` + "`TestNoWayAround`" + ` and ` + "`FuzzNoWayAround`" + `; that these notice each rule that is missing, by ` + "`TestNoWayAroundNoticesEachRule`" + `; that a clock set back gains nothing, by ` + "`TestOnceEndedStaysEnded`" + ` and ` + "`TestNoTimeIsGained`" + `.

## The nine conditions of a disclosure

| | Condition | Rule | Tests | Refusals |
|---|---|---|---|---|
`)
	all, tests := refusals(t), testFuncs(t, ".")
	described := Describe()
	for i, id := range Conditions {
		d, prefix := described[i], strings.ToLower(string(id))+"."
		rule := strings.ToLower(string(id)) + ".go"
		if _, err := os.Stat(rule); err != nil {
			t.Errorf("%s: %v", id, err)
		}
		var names, codes []string
		for _, f := range tests {
			named := slices.ContainsFunc(statements, func(s statement) bool { return s.of == id && slices.Contains(s.cases, f.name) })
			tabled := slices.ContainsFunc(f.holds, func(s string) bool { return strings.HasPrefix(s, prefix) })
			if named || tabled && f.name != "TestEveryStatementHasACase" {
				names = append(names, "`"+f.name+"`")
			}
		}
		for _, r := range all {
			if c := "`" + r.code + "`"; strings.HasPrefix(r.code, prefix) && !slices.Contains(codes, c) {
				codes = append(codes, c)
			}
		}
		if len(names) < 2 || len(codes) == 0 {
			t.Errorf("%s has the tests %v and the refusals %v", id, names, codes)
		}
		fmt.Fprintf(&b, "| %s | %s<br>%s | [%s](../appliance/policy/%s) | %s | %s |\n", id, cell(d.Title.DA), cell(d.Title.EN), rule, rule, strings.Join(names, "<br>"), strings.Join(codes, "<br>"))
	}
	for i, id := range Conditions {
		d := described[i]
		fmt.Fprintf(&b, "\n### %s: %s\n\n%s\n\nWhy: %s Source: %s.\n\n| What the annexes say | The cases that hold the rule to it |\n|---|---|\n", id, d.Title.EN, d.Asks.EN, d.Why.EN, d.Source)
		for _, s := range statements {
			if s.of == id {
				fmt.Fprintf(&b, "| %s | %s |\n", cell(s.words), cell(strings.Join(s.cases, "; ")))
			}
		}
		b.WriteString("\n| Refusal | Dansk | English |\n|---|---|---|\n")
		for _, r := range all {
			if strings.HasPrefix(r.code, strings.ToLower(string(id))+".") {
				fmt.Fprintf(&b, "| `%s` | %s | %s |\n", r.code, cell(r.da), cell(r.en))
			}
		}
	}
	b.WriteString("\n## The operator's and the shops' conditions\n\n| | Condition | Where | Tests | |\n|---|---|---|---|---|\n")
	known := map[string][]testFunc{}
	for i, s := range operators {
		if s.id != fmt.Sprintf("S%d", i+1) || len(s.tests) == 0 && s.note == "" {
			t.Errorf("%s is out of order, or nothing shows it", s.id)
		}
		var files, names []string
		for _, f := range s.files {
			if _, err := os.Stat(filepath.Join(root, f)); err != nil {
				t.Errorf("%s: %v", s.id, err)
			}
			files = append(files, fmt.Sprintf("[%s](../%s)", f, f))
		}
		for _, x := range s.tests {
			dir, name := filepath.Split(x)
			if known[dir] == nil {
				known[dir] = testFuncs(t, filepath.Join(root, dir))
			}
			if !slices.ContainsFunc(known[dir], func(f testFunc) bool { return f.name == name }) {
				t.Errorf("%s: there is no test %s in %s", s.id, name, dir)
			}
			names = append(names, "`"+name+"` ("+strings.TrimSuffix(dir, "/")+")")
		}
		fmt.Fprintf(&b, "| %s | %s<br>%s | %s | %s | %s |\n", s.id, cell(s.asks.DA), cell(s.asks.EN), strings.Join(files, "<br>"), strings.Join(names, "<br>"), cell(s.note))
	}
	if !t.Failed() {
		document(t, "conditions.md", b.String())
	}
}
