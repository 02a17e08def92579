package ctl

import (
	"bufio"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"veilbox/appliance/audit"
	"veilbox/internal/durable"
	"veilbox/internal/keys"
)

type auditCmd struct {
	Verify auditVerifyCmd `cmd:"" help:"Check that the log is as it was written: on a data folder, or on the box with --api."`
	Export auditExportCmd `cmd:"" help:"Write the box's audit log to a file."`
}

type auditVerifyCmd struct {
	Dir      string `arg:"" optional:"" help:"Data folder of a box or of the extranet, or a copy of one." type:"existingdir"`
	API      bool   `help:"Ask the box that you are logged in to." name:"api"`
	Key      string `help:"The master key's file, where it is not in DIR (a systemd credential)." placeholder:"FILE" type:"existingfile"`
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
	key, verifier, err := logKeys(c.Dir, c.Key)
	if err != nil {
		return err
	}
	if c.Verifier != "" {
		verifier = c.Verifier
	}
	var known []audit.Head
	if c.Head != "" {
		b, err := e.readFile(c.Head, 64<<10)
		if err != nil {
			return err
		}
		h, err := audit.ParseHead(b, verifier)
		if err != nil {
			return err
		}
		known = append(known, h)
	}
	r, err := audit.VerifyFile(e.ctx, filepath.Join(c.Dir, "audit.db"), key, verifier, known...)
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
	{master: "keys/box.key", name: "box", entries: "veilbox audit v1", verifier: "audit.pub"},
	{master: "extranet.key", name: "extranet", entries: "audit", signing: "audit signing", logName: "veilbox-extranet"},
}

// logKeys finds the keys of the log in dir. Nothing is made where it is missing.
func logKeys(dir, keyFile string) (keys.Key, string, error) {
	if _, err := os.Stat(filepath.Join(dir, "audit.db")); err != nil {
		return keys.Key{}, "", fmt.Errorf("ctl: %s is no data folder of a box or of the extranet: %w", dir, err)
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
			return keys.Key{}, "", fmt.Errorf("ctl: %w", err)
		} else if keyFile != "" {
			file = keyFile
		}
		b, err := os.ReadFile(file)
		if err != nil {
			return keys.Key{}, "", fmt.Errorf("ctl: %w", err)
		}
		master, err := keys.FromBytes(b)
		if err != nil {
			return keys.Key{}, "", fmt.Errorf("ctl: %s: %w", file, err)
		}
		if has {
			return master.Derive(l.entries), pub, nil
		}
		if l.logName == "" {
			return keys.Key{}, "", fmt.Errorf("ctl: %s has no %s: give the verifier key with --verifier", dir, l.verifier)
		}
		public := ed25519.NewKeyFromSeed(master.Derive(l.signing).Bytes()).Public().(ed25519.PublicKey)
		v, err := audit.VerifierKey(l.logName, public)
		return master.Derive(l.entries), v, err
	}
	return keys.Key{}, "", fmt.Errorf("ctl: %s has no master key: give it with --key FILE (from its systemd credential: systemd-creds decrypt)", dir)
}

func readText(path string) (string, error) {
	b, err := os.ReadFile(path)
	return strings.TrimSpace(string(b)), err
}

type auditExportCmd struct {
	Output string `required:"" short:"o" help:"The file to write; JSON, one entry a line." placeholder:"FILE" type:"path"`
	From   string `help:"From when: RFC 3339, \"2026-02-03 14:05\" in Copenhagen time, \"now\" or \"10m ago\"."`
	To     string `help:"Until when."`
	Act    string `help:"Only this act, or those below it, such as \"case.\"."`
}

func (c *auditExportCmd) Run(e *env) error {
	f := audit.Filter{Act: c.Act}
	for _, k := range []struct {
		to   *time.Time
		text string
	}{{&f.From, c.From}, {&f.To, c.To}} {
		if k.text == "" {
			continue
		}
		t, err := e.when(k.text)
		if err != nil {
			return err
		}
		*k.to = t
	}
	cl, err := e.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	n := 0
	err = durable.WriteFunc(c.Output, 0o600, func(out io.Writer) error {
		w := bufio.NewWriter(out)
		for f.Limit = 1000; ; {
			page, err := cl.Audit(e.ctx, f)
			if err != nil {
				return err
			}
			for _, entry := range page {
				line, err := compact(entry)
				if err != nil {
					return err
				}
				if _, err := fmt.Fprintln(w, line); err != nil {
					return err
				}
			}
			n += len(page)
			if len(page) < f.Limit {
				return w.Flush()
			}
			last := page[len(page)-1].Seq
			if last <= f.After {
				return errors.New("ctl: the box gives the same entries again: use a veilctl of the box's own version")
			}
			f.After = last
		}
	})
	if err != nil {
		return err
	}
	return e.show(map[string]any{"file": c.Output, "entries": n}, table{{"FILE", "ENTRIES"}, {c.Output, fmt.Sprint(n)}})
}
