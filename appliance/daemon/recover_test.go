package daemon

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"veilbox/appliance/account"
	"veilbox/appliance/audit"
)

// A shop whose only manager has lost everything comes back in by root's hand, on
// record, and nobody else does.
func TestRootGivesAManagerANewLogin(t *testing.T) {
	dir := t.TempDir()
	again := func(d *Daemon, put func(path string) error) *Daemon {
		t.Helper()
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		if err := put(filepath.Join(dir, resetFile)); err != nil {
			t.Fatal(err)
		}
		return open(t, settings(dir))
	}
	write := func(text string) func(string) error {
		return func(path string) error { return os.WriteFile(path, []byte(text), 0o600) }
	}
	first := func() (login, password string) {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(dir, "first-login"))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Fields(string(b))
		return lines[0], lines[1]
	}
	d := open(t, settings(dir))
	login, password := first()
	token, s, err := d.accounts.LogIn(t.Context(), login, password, "", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	const chosen = "otte grønne cykler"
	if err := d.accounts.ChangePassword(t.Context(), s, password, chosen); err != nil {
		t.Fatal(err)
	}

	for name, put := range map[string]func(string) error{
		"nobody's":    write("bo\n"),
		"too long":    write(strings.Repeat("leder ", 99)),
		"a folder":    func(path string) error { return os.Mkdir(path, 0o700) },
		"a link":      func(path string) error { return os.Symlink(filepath.Join(dir, "first-login"), path) },
		"two at once": write(login + "\n" + login),
	} {
		d = again(d, put)
		if _, err := os.Lstat(filepath.Join(dir, resetFile)); err != nil {
			t.Errorf("%s: the file is gone: %v", name, err)
		}
		if _, _, err := d.accounts.LogIn(t.Context(), login, chosen, "", "127.0.0.1"); err != nil {
			t.Errorf("%s: the password is not the manager's any more: %v", name, err)
		}
		if err := os.Remove(filepath.Join(dir, resetFile)); err != nil {
			t.Fatal(err)
		}
	}

	for _, text := range []string{" " + strings.ToUpper(login) + "\n", ""} {
		d = again(d, write(text))
		if _, err := os.Lstat(filepath.Join(dir, resetFile)); !os.IsNotExist(err) {
			t.Errorf("%q: the file is still there: %v", text, err)
		}
		if _, err := d.accounts.Authenticate(t.Context(), token); !errors.Is(err, account.ErrSession) {
			t.Errorf("%q: an old session: %v", text, err)
		}
		if _, _, err := d.accounts.LogIn(t.Context(), login, chosen, "", "127.0.0.1"); !errors.Is(err, account.ErrLogin) {
			t.Errorf("%q: the old password: %v", text, err)
		}
		now, fresh := first()
		if _, s, err = d.accounts.LogIn(t.Context(), now, fresh, "", "127.0.0.1"); err != nil || len(s.Must) != 2 {
			t.Errorf("%q: the new log-in: %v %v", text, s.Must, err)
		}
	}
	all, err := d.audit.Entries(t.Context(), audit.Filter{Act: "person.recover"})
	if err != nil || len(all) != 2 || all[0].Who.ID != "root" || all[0].About["person"] != string(s.Person.ID) {
		t.Errorf("on record: %+v %v", all, err)
	}
	d = again(d, func(string) error { return nil })
	if all, err = d.audit.Entries(t.Context(), audit.Filter{Act: "person.recover"}); err != nil || len(all) != 2 {
		t.Errorf("a start without the file: %+v %v", all, err)
	}
}
