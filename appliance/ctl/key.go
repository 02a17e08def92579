package ctl

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"veilbox/appliance/ctl/client"
	"veilbox/internal/durable"
	"veilbox/internal/passkey/softkey"
)

type keyCmd struct {
	New     keyNewCmd     `cmd:"" help:"Make a key file: a passkey for work without a browser."`
	Add     keyAddCmd     `cmd:"" help:"Make a key file a passkey of your own account."`
	Approve keyApproveCmd `cmd:"" help:"Ask the operator to confirm your key file as one that signs approvals."`
}

const maxKeyFile = 1 << 20

// keyFlags name a key file.
type keyFlags struct {
	Key            string `help:"Your key file, from \"key new\"." placeholder:"FILE" type:"existingfile"`
	PassphraseFile string `help:"File with its passphrase; - is standard input. Without it you are asked." placeholder:"FILE"`
}

// A keyFile is an open key file.
type keyFile struct {
	*softkey.Key
	path string
}

// open opens the key file; nil where none is named.
func (f keyFlags) open(e *env) (*keyFile, error) {
	if f.Key == "" {
		return nil, nil
	}
	info, err := os.Stat(f.Key)
	if err != nil {
		return nil, fmt.Errorf("ctl: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("ctl: %s can be read by others (mode %v): chmod 600 it, and make a new key if that was so for long", f.Key, info.Mode().Perm())
	}
	b, err := e.readFile(f.Key, maxKeyFile)
	if err != nil {
		return nil, err
	}
	passphrase, err := e.secret(f.PassphraseFile, "passphrase of "+f.Key)
	if err != nil {
		return nil, err
	}
	k, err := softkey.Read(bytes.NewReader(b), passphrase.Reveal())
	if err != nil {
		return nil, err
	}
	return &keyFile{k, f.Key}, nil
}

// keep writes the key file again: its passkeys, and the numbers of its signatures.
func (k *keyFile) keep() error {
	if k == nil {
		return nil
	}
	return durable.WriteFunc(k.path, 0o600, func(w io.Writer) error { return k.Write(w) })
}

type keyNewCmd struct {
	Output         string `required:"" short:"o" help:"The file to write; it must not be there yet." placeholder:"FILE" type:"path"`
	PassphraseFile string `help:"File with the passphrase that seals it, at least 12 characters; - is standard input. Without it you are asked twice." placeholder:"FILE"`
}

func (c *keyNewCmd) Run(e *env) error {
	if _, err := os.Lstat(c.Output); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("ctl: %s is there already (%v): a key is never written over; give another name", c.Output, err)
	}
	passphrase, err := e.secret(c.PassphraseFile, "passphrase for the new key")
	if err != nil {
		return err
	}
	if c.PassphraseFile == "" {
		again, err := e.secret("", "the same passphrase again")
		if err != nil {
			return err
		}
		if again.Reveal() != passphrase.Reveal() {
			return errors.New("ctl: the two passphrases are not the same: no key was made; try again")
		}
	}
	k := keyFile{softkey.New(passphrase.Reveal()), c.Output}
	if err := k.keep(); err != nil {
		return err
	}
	e.notice("Keep a copy of the file in a safe place, and the passphrase elsewhere: nobody can make either again.")
	return e.show(map[string]string{"file": c.Output}, table{{"FILE"}, {c.Output}})
}

type keyAddCmd struct {
	File           string `arg:"" help:"Your key file." type:"existingfile"`
	Name           string `help:"What the account calls it." default:"veilctl"`
	PassphraseFile string `help:"File with its passphrase; - is standard input. Without it you are asked." placeholder:"FILE"`
}

func (c *keyAddCmd) Run(e *env) error {
	return e.withKey(keyFlags{c.File, c.PassphraseFile}, func(cl *client.Client, k *keyFile) error {
		return cl.AddPasskey(e.ctx, kept{k}, c.Name)
	})
}

type keyApproveCmd struct {
	File           string `arg:"" help:"Your key file; it must be a passkey of your account already." type:"existingfile"`
	PassphraseFile string `help:"File with its passphrase; - is standard input. Without it you are asked." placeholder:"FILE"`
}

func (c *keyApproveCmd) Run(e *env) error {
	err := e.withKey(keyFlags{c.File, c.PassphraseFile}, func(cl *client.Client, k *keyFile) error {
		return cl.RegisterApprovalKey(e.ctx, k)
	})
	if err == nil {
		e.notice("The operator has been asked. The key signs approvals once the operator has confirmed it.")
	}
	return err
}

func (e *env) withKey(f keyFlags, do func(*client.Client, *keyFile) error) error {
	cl, err := e.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	k, err := f.open(e)
	if err != nil {
		return err
	}
	return errors.Join(do(cl, k), k.keep())
}

// kept is a key file that is written before the box hears of a new passkey: one
// that the account has and no file holds would be of no use.
type kept struct{ *keyFile }

func (k kept) Create(options []byte) ([]byte, error) {
	response, err := k.keyFile.Create(options)
	if err != nil {
		return nil, err
	}
	return response, k.keep()
}

type codeCmd struct{}

// Run adds an authenticator app, for a log-in with password and code.
func (c *codeCmd) Run(e *env) error {
	return e.withBox(func(cl *client.Client) error {
		t, err := cl.NewTOTP(e.ctx)
		if err != nil {
			return err
		}
		e.notice("Type this secret into your authenticator app; it is shown once: %s", t.Secret)
		code, err := e.secret("", "code that the app shows")
		if err != nil {
			return err
		}
		return cl.ConfirmTOTP(e.ctx, code.Reveal())
	})
}
