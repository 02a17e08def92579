package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"veilbox/appliance/account"
	"veilbox/appliance/audit"
	"veilbox/internal/problem"
)

// resetFile is how a shop comes back in whose managers have lost every way to
// log in. Whoever rules the machine makes it in the data folder, with a manager's
// log-in name in it, and starts the box again: the manager gets a new first
// log-in, which the box writes to first-login, and the file is gone. It is on
// record, and so with the extranet, as done by root on the machine.
const resetFile = "reset-manager"

// rootWho is who does what only root can do.
var rootWho = audit.Who{ID: "root", Name: "root på maskinen", Role: "system"}

// maxReset bounds the file: a log-in name is at most 128 bytes.
const maxReset = 256

var errResetFile = problem.New(500, "reset.file",
	problem.Text{DA: "Filen reset-manager kan ikke læses.", EN: "The file reset-manager cannot be read."},
	problem.Text{DA: "Lav den som en almindelig fil, som tjenesten kan læse og slette: sudo -u veilbox tee /var/lib/veilbox/reset-manager.", EN: "Make it a plain file that the service can read and remove: sudo -u veilbox tee /var/lib/veilbox/reset-manager."})

// recover does what the file asks. A file that asks for nobody is told in the
// log and left: the cameras are recorded all the same.
func (d *Daemon) recover(ctx context.Context) error {
	path := d.path(resetFile)
	login, err := readReset(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		d.log.Error("nobody's log-in was reset", "error", errResetFile.With(err))
		return nil
	}
	p, password, err := d.accounts.Recover(ctx, login, func(p account.Person) error {
		_, err := d.audit.Append(ctx, audit.Entry{Act: "person.recover", Who: rootWho, Why: resetFile, About: map[string]string{"person": string(p.ID), "name": p.Name}})
		return err
	})
	if errors.Is(err, account.ErrRecover) {
		d.log.Error("nobody's log-in was reset", "error", err)
		return nil
	}
	if err != nil {
		return err
	}
	if err := keepText(d.path("first-login"), fmt.Sprintf("%s\n%s\n", p.Login, password), 0o600); err != nil {
		return err
	}
	// Only now: a stop before this resets once more, and locks nobody out.
	if err := os.Remove(path); err != nil {
		d.log.Error("a manager's log-in was reset, and will be at every start until the file is removed by hand", "file", path, "error", errResetFile.With(err))
		return nil
	}
	d.log.Warn("a manager's log-in was reset by root on this machine: the new one is in a file; log in, then remove the file", "file", d.path("first-login"))
	return nil
}

// readReset returns the log-in name that the file holds.
func readReset(path string) (login string, err error) {
	info, err := os.Lstat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() || info.Size() > maxReset {
		return "", fmt.Errorf("daemon: %s is no file of one name", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b, err := io.ReadAll(io.LimitReader(f, maxReset))
	return strings.TrimSpace(string(b)), err
}
