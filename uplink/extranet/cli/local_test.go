package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"veilbox/uplink/uplinktest"
)

// Root on the server lists and confirms keys, and makes a way in for an operator.
func TestLocal(t *testing.T) {
	w := uplinktest.New(t, uplinktest.Noon)
	w.Member("a")
	waiting := w.Assessor(w.Box("a"), "pia", false)
	file := filepath.Join(t.TempDir(), "extranet.toml")
	if err := os.WriteFile(file, []byte("data_dir = \""+w.Config.Dir+"\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		t.Helper()
		var out, errw bytes.Buffer
		if err := Main(t.Context(), append([]string{"--config", file}, args...), &out, &errw, w.Clock); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	id := string(waiting.ID())
	has := func(out string, want ...string) {
		t.Helper()
		for _, x := range want {
			if !strings.Contains(out, x) {
				t.Errorf("it does not say %q: %s", x, out)
			}
		}
	}
	has(run("assessors"), "pending  a  Ane pia", groups(id), "a file on a computer", "Cand.jur.", "read its whole name aloud")
	has(run("assessors", "confirm", "a", groups(id), "set på stedet"), "done")
	has(run("assessors"), "confirmed  a  Ane pia")
	has(run("assessors", "revoke", "a", id, "tabt"), "done")
	has(run("assessors"), "revoked  a")
	has(run("operators", "add", "mia", "Mia Juul"), "mia ", "shown only now")
	has(run("operators"), "mia       Mia Juul    0 passkeys", "operator  Otto Olsen  1 passkeys")
	has(run("operators", "reset", "operator", "nøglen er tabt"), "operator ")
	has(run("operators", "end", "mia", "fratrådt"), "done")
	has(run("operators"), "ended 2026-03-10", "operator  Otto Olsen  0 passkeys")
	if groups("") != "" || groups("abcde") != "abcd e" {
		t.Error("groups")
	}
}
