package archtest

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
)

// go.mod calls a module direct where our own code or tests import it, and
// indirect where they do not.
func TestDirectDependenciesAreMarked(t *testing.T) {
	root := filepath.Join("..", "..")
	b, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	mod, err := modfile.Parse("go.mod", b, nil)
	if err != nil {
		t.Fatal(err)
	}
	imported := map[string]string{} // path -> one of the files that import it
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && path != root && (name == "testdata" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")) {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(name) != ".go" {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, i := range f.Imports {
			p, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			imported[p] = path
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range mod.Require {
		by := ""
		for p, file := range imported {
			if p == r.Mod.Path || strings.HasPrefix(p, r.Mod.Path+"/") {
				by = file
			}
		}
		switch {
		case by != "" && r.Indirect:
			t.Errorf("%s is imported by %s, and go.mod calls it indirect", r.Mod.Path, by)
		case by == "" && !r.Indirect:
			t.Errorf("%s is imported by nothing of ours, and go.mod calls it direct", r.Mod.Path)
		}
	}
}

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
