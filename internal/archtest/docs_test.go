package archtest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each code that the README's table of troubles names is one that the programs
// can give.
func TestTroublesInTheREADMEExist(t *testing.T) {
	root := filepath.Join("..", "..")
	doc, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		source.Write(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(doc), "## Troubleshoot")
	table, _, _ = strings.Cut(table, "\n## ")
	code := regexp.MustCompile("`([a-z]+\\.[a-z-]+)`")
	seen := 0
	for _, row := range strings.Split(table, "\n") {
		cells := strings.Split(row, "|")
		if len(cells) < 4 {
			continue
		}
		for _, m := range code.FindAllStringSubmatch(cells[1], -1) {
			seen++
			// Packages whose codes share a prefix may write them without it.
			prefix, rest, _ := strings.Cut(m[1], ".")
			whole := strings.Contains(source.String(), `"`+m[1]+`"`)
			parts := strings.Contains(source.String(), `"`+prefix+`."`) && strings.Contains(source.String(), `"`+rest+`"`)
			if !whole && !parts {
				t.Errorf("README.md explains %s, which no program gives", m[1])
			}
		}
	}
	if seen < 15 {
		t.Fatalf("found %d codes in the README's table", seen)
	}
}

// Links between the documents lead somewhere.
func TestDocumentLinksLeadSomewhere(t *testing.T) {
	root := filepath.Join("..", "..")
	docs, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	link := regexp.MustCompile(`\]\(([^)#\s]+)`)
	for _, doc := range append(docs, filepath.Join(root, "README.md"), filepath.Join(root, "CHANGELOG.md")) {
		b, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(b), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(doc), filepath.FromSlash(m[1]))); err != nil {
				t.Errorf("%s links to %s: %v", filepath.Base(doc), m[1], err)
			}
		}
	}
}
