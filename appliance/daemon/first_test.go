package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A power cut between the first account and the note of its log-in must not
// lock everybody out.
func TestFirstLoginAfterAStopInBetween(t *testing.T) {
	dir := t.TempDir()
	d := open(t, settings(dir))
	if err := d.store.DeleteSetting(t.Context(), firstTold); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "first-login")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	d = open(t, settings(dir))
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(string(b))
	if _, _, err := d.accounts.LogIn(t.Context(), lines[0], lines[1], "", "127.0.0.1"); err != nil {
		t.Errorf("the log-in in the file does not open the account: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	open(t, settings(dir))
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the file was made again at a start after it was told: %v", err)
	}
}
