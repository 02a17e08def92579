package archtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// docs/dependencies.md has every direct dependency, in the version that is used.
func TestDependenciesAreDocumented(t *testing.T) {
	root := filepath.Join("..", "..")
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile(filepath.Join(root, "docs", "dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, l := range strings.Split(string(doc), "\n") {
		if cells := strings.Split(l, "|"); len(cells) == 8 && strings.Contains(cells[1], "/") {
			documented[strings.TrimSpace(cells[1])] = strings.TrimSpace(cells[2])
		}
	}
	direct := 0
	for _, l := range strings.Split(string(mod), "\n") {
		f := strings.Fields(strings.TrimPrefix(l, "require "))
		if len(f) != 2 || !strings.Contains(f[0], "/") || !strings.HasPrefix(f[1], "v") {
			continue // an indirect one has a comment behind it
		}
		direct++
		switch got := documented[f[0]]; got {
		case f[1]:
		case "":
			t.Errorf("%s %s is in go.mod and not in docs/dependencies.md: say why it is there", f[0], f[1])
		default:
			t.Errorf("%s: docs/dependencies.md says %s, go.mod %s", f[0], got, f[1])
		}
		delete(documented, f[0])
	}
	if direct < 5 {
		t.Fatalf("found %d direct dependencies in go.mod", direct)
	}
	for m := range documented {
		t.Errorf("docs/dependencies.md has %s, which go.mod does not", m)
	}
}
