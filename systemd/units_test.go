package systemd

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The units keep what the threat model says of them.
func TestUnitsAreHardened(t *testing.T) {
	for unit, credential := range map[string]string{"veilboxd.service": "box", "veil-extranet.service": "extranet"} {
		b, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		lines := map[string]bool{}
		for _, l := range strings.Split(string(b), "\n") {
			lines[strings.TrimSpace(l)] = true
		}
		for _, want := range []string{
			"NoNewPrivileges=yes", "ProtectSystem=strict", "ProtectHome=yes", "PrivateTmp=yes", "PrivateDevices=yes", "UMask=0077",
			"CapabilityBoundingSet=", "LimitCORE=0", "StateDirectoryMode=0700", "ProtectKernelModules=yes", "SystemCallArchitectures=native",
		} {
			if !lines[want] {
				t.Errorf("%s: %s is missing", unit, want)
			}
		}
		if !regexp.MustCompile(`(?m)^LoadCredentialEncrypted=` + credential + `:/`).Match(b) {
			t.Errorf("%s: the master key is no encrypted credential called %q", unit, credential)
		}
		if !regexp.MustCompile(`(?m)^User=veil`).Match(b) {
			t.Errorf("%s: no user of its own", unit)
		}
	}
}

// systemd itself finds nothing wrong, where it is there to ask.
func TestUnitsVerify(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("no systemd on this machine")
	}
	dir := t.TempDir()
	program := regexp.MustCompile(`(?m)^ExecStart=\S+`)
	for _, unit := range []string{"veilboxd.service", "veil-extranet.service"} {
		b, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, unit)
		// The programs need not be installed to check the rest.
		if err := os.WriteFile(path, program.ReplaceAll(b, []byte("ExecStart=/bin/true")), 0o644); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.CommandContext(t.Context(), "systemd-analyze", "verify", "--man=no", path).CombinedOutput(); err != nil || strings.Contains(string(out), unit) {
			t.Errorf("%s: %v: %s", unit, err, out)
		}
	}
}
