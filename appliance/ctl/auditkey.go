package ctl

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"veilbox/internal/durable"
	"veilbox/internal/keys"
)

// An auditor checks and reads the log with the key of its entries, which opens
// nothing else of a box: not the master key, from which all others come.
type auditKeyCmd struct {
	folderFlags
	Output string `short:"o" required:"" help:"File to write the key to; nobody else can read it." placeholder:"FILE"`
}

func (c *auditKeyCmd) Run(e *env) error {
	if c.Entries != "" {
		return usageError("the key of the entries comes from the master key: leave --entries out")
	}
	k, err := c.keys()
	if err != nil {
		return err
	}
	if err := durable.WriteFile(c.Output, k.entries.Bytes(), 0o600); err != nil {
		return err
	}
	return e.show(map[string]string{"file": c.Output, "verifier": k.verifier}, table{
		{"file", c.Output}, {"verifier", k.verifier},
		{"use", "veilctl audit verify COPY --entries " + c.Output + " --verifier KEY, on a copy of audit.db"},
	})
}

// entriesKeys are the keys of a log without a master key.
func entriesKeys(dir, file, verifier string) (logKeys, error) {
	if _, err := os.Stat(filepath.Join(dir, "audit.db")); err != nil {
		return logKeys{}, fmt.Errorf("ctl: %s has no audit.db: %w", dir, err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return logKeys{}, fmt.Errorf("ctl: %w", err)
	}
	k, err := keys.FromBytes(b)
	if err != nil {
		return logKeys{}, fmt.Errorf("ctl: %s: %w", file, err)
	}
	if verifier == "" {
		return logKeys{}, errors.New("ctl: give the log's verifier key with --verifier, from where it was kept and not from the copy")
	}
	return logKeys{entries: k, verifier: verifier}, nil
}
