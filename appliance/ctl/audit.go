package ctl

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"veilbox/appliance/audit"
	"veilbox/internal/keys"
)

type auditCmd struct {
	Verify auditVerifyCmd `cmd:"" help:"Check that the log is as it was written: on a data folder, or on the box with --api."`
	Export auditExportCmd `cmd:"" help:"Write the box's audit log to a file. That is on record."`
	Prove  auditProveCmd  `cmd:"" help:"Take one entry out of a data folder with the proof that the log has it."`
	Check  auditProofCmd  `cmd:"" help:"Check such a proof, without the log."`
	Key    auditKeyCmd    `cmd:"" help:"Write the key of the log's entries for an auditor: with it and the verifier key a copy of audit.db is checked and read, and nothing else opened."`
	Prune  auditPruneCmd  `cmd:"" help:"Drop what entries over a year old say, on the data folder of a stopped box. A running box does it by itself."`
}

// folderFlags name a data folder and what is not in it.
type folderFlags struct {
	Dir      string `arg:"" help:"Data folder of a box or of the extranet, or a copy of one." type:"existingdir"`
	Key      string `help:"The master key's file, where it is not in DIR (a systemd credential)." placeholder:"FILE" type:"existingfile"`
	Entries  string `help:"The key of the entries, as veilctl audit key writes it, in place of the master key; asks for --verifier." placeholder:"FILE" type:"existingfile"`
	Verifier string `help:"The log's verifier key, kept since the first start. Better than the one in DIR: whoever changed the log could change that too." placeholder:"KEY"`
}

func (f folderFlags) keys() (logKeys, error) {
	if f.Entries != "" {
		return entriesKeys(f.Dir, f.Entries, f.Verifier)
	}
	k, err := keysOf(f.Dir, f.Key)
	if f.Verifier != "" {
		k.verifier = f.Verifier
	}
	return k, err
}

type auditVerifyCmd struct {
	Dir      string `arg:"" optional:"" help:"Data folder of a box or of the extranet, or a copy of one." type:"existingdir"`
	API      bool   `help:"Ask the box that you are logged in to." name:"api"`
	Key      string `help:"The master key's file, where it is not in DIR (a systemd credential)." placeholder:"FILE" type:"existingfile"`
	Entries  string `help:"The key of the entries, as veilctl audit key writes it, in place of the master key; asks for --verifier." placeholder:"FILE" type:"existingfile"`
	Verifier string `help:"The log's verifier key, kept since the first start. Better than the one in DIR: whoever changed the log could change that too." placeholder:"KEY"`
	Head     string `help:"A signed head that was kept elsewhere: the log must go through it." placeholder:"FILE" type:"existingfile"`
}

var errUsageVerify = usageError("give either a data folder or --api")

func (c *auditVerifyCmd) Run(e *env) error {
	if c.API == (c.Dir != "") {
		return errUsageVerify
	}
	if c.API {
		cl, err := e.client()
		if err != nil {
			return err
		}
		defer cl.Close()
		r, err := cl.VerifyAudit(e.ctx)
		if err != nil {
			return err
		}
		return e.verdict(r)
	}
	k, err := folderFlags{c.Dir, c.Key, c.Entries, c.Verifier}.keys()
	if err != nil {
		return err
	}
	var known []audit.Head
	if c.Head != "" {
		b, err := e.readFile(c.Head, 64<<10)
		if err != nil {
			return err
		}
		h, err := audit.ParseHead(b, k.verifier)
		if err != nil {
			return err
		}
		known = append(known, h)
	}
	r, err := audit.VerifyFile(e.ctx, filepath.Join(c.Dir, "audit.db"), k.entries, k.verifier, known...)
	if err != nil && !errors.Is(err, audit.ErrTampered) {
		return err
	}
	if errors.Is(err, audit.ErrTampered) && r.Bad == "" {
		r.OK, r.Bad = false, err.Error()
	}
	return e.verdict(r)
}

func (e *env) verdict(r audit.Report) error {
	state := "as it was written"
	if !r.OK {
		state = "NOT AS IT WAS WRITTEN: " + r.Bad
	}
	t := table{{"log", r.Origin}, {"entries", fmt.Sprint(r.Size)}, {"head", r.Hash}, {"first", local(r.First)}, {"last", local(r.Last)}, {"verdict", state}}
	if r.Pruned > 0 {
		t = append(t, []string{"pruned", fmt.Sprintf("entries 1 to %d: their hashes are checked, what they said is gone", r.Pruned)})
	}
	if r.BadSeq > 0 {
		t = append(t, []string{"first bad entry", fmt.Sprint(r.BadSeq)})
	}
	if err := e.show(r, t); err != nil {
		return err
	}
	if !r.OK {
		return fmt.Errorf("%w: keep the folder as it is, take a copy, and tell the data controller and the operator", audit.ErrTampered)
	}
	return nil
}

// A layout says where a data folder has its keys and how the log's are made of
// the master key; it is what appliance/daemon and uplink/extranet write.
type layout struct {
	master   string // file, below the folder
	name     string // of the key
	entries  string // label of the key that seals the entries
	signing  string // label of the seed that signs the heads
	logName  string // origin of the log, where the folder has no audit.pub
	verifier string // file with the verifier key
}

var layouts = []layout{
	{master: "keys/box.key", name: "box", entries: "veilbox audit v1", signing: "veilbox audit signing v1", verifier: "audit.pub"},
	{master: "extranet.key", name: "extranet", entries: "audit", signing: "audit signing", logName: "veilbox-extranet"},
}

// logKeys are the keys of a log.
type logKeys struct {
	entries  keys.Key
	signing  ed25519.PrivateKey
	verifier string
	box      bool // not the extranet's
}

// keysOf finds the keys of the log in dir. Nothing is made where it is missing.
func keysOf(dir, keyFile string) (logKeys, error) {
	if _, err := os.Stat(filepath.Join(dir, "audit.db")); err != nil {
		return logKeys{}, fmt.Errorf("ctl: %s is no data folder of a box or of the extranet: %w", dir, err)
	}
	for _, l := range layouts {
		file := filepath.Join(dir, filepath.FromSlash(l.master))
		pub, pubErr := readText(filepath.Join(dir, l.verifier))
		has := l.verifier != "" && pubErr == nil
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			// With the key elsewhere, what lies beside it tells whose folder it is.
			if keyFile == "" || has == (l.verifier == "") {
				continue
			}
			file = keyFile
		} else if err != nil {
			return logKeys{}, fmt.Errorf("ctl: %w", err)
		} else if keyFile != "" {
			file = keyFile
		}
		b, err := os.ReadFile(file)
		if err != nil {
			return logKeys{}, fmt.Errorf("ctl: %w", err)
		}
		master, err := keys.FromBytes(b)
		if err != nil {
			return logKeys{}, fmt.Errorf("ctl: %s: %w", file, err)
		}
		k := logKeys{master.Derive(l.entries), ed25519.NewKeyFromSeed(master.Derive(l.signing).Bytes()), pub, l.logName == ""}
		if has {
			return k, nil
		}
		if l.logName == "" {
			return logKeys{}, fmt.Errorf("ctl: %s has no %s: give the verifier key with --verifier", dir, l.verifier)
		}
		k.verifier, err = audit.VerifierKey(l.logName, k.signing.Public().(ed25519.PublicKey))
		return k, err
	}
	return logKeys{}, fmt.Errorf("ctl: %s has no master key: give it with --key FILE (from its systemd credential: systemd-creds decrypt)", dir)
}

func readText(path string) (string, error) {
	b, err := os.ReadFile(path)
	return strings.TrimSpace(string(b)), err
}
