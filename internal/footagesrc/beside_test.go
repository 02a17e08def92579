package footagesrc

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestBesideNamesWhatIsMissing(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("VEILBOX_FOOTAGE", dir)
	if _, err := Beside(Aisle); err == nil || !strings.Contains(err.Error(), "VEILBOX_FOOTAGE") {
		t.Fatalf("empty folder: %v", err)
	}
	whole(t, filepath.Join(dir, Aisle))
	if got, err := Beside(Aisle); err != nil || got != filepath.Join(dir, Aisle) {
		t.Fatalf("Beside() = %q, %v", got, err)
	}
}
