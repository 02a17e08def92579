package casefile

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The impact assessment points at tests; they must be where it says.
func TestTheAssessmentNamesTestsThatExist(t *testing.T) {
	const root = "../.."
	doc, err := os.ReadFile(filepath.Join(root, "docs/dpia.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, m := range regexp.MustCompile("`(Test[A-Za-z0-9]+)`").FindAllStringSubmatch(string(doc), -1) {
		named[m[1]] = false
	}
	if len(named) < 15 {
		t.Errorf("the assessment names %d tests", len(named))
	}
	folders := regexp.MustCompile("`((?:appliance|redact|capture|uplink|internal)/[a-z/]+)`").FindAllStringSubmatch(string(doc), -1)
	for _, m := range folders {
		dir := filepath.Join(root, m[1])
		if _, err := os.Stat(dir); err != nil {
			t.Errorf("the assessment names %s: %v", m[1], err)
		}
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for _, f := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(b), -1) {
				if _, ok := named[f[1]]; ok {
					named[f[1]] = true
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, found := range named {
		if !found {
			t.Errorf("the assessment names %s, which no folder that it names has", name)
		}
	}
}
