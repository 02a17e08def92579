package ctl

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/mod/sumdb/note"

	"veilbox/appliance/audit"
	"veilbox/appliance/ctl/client"
	"veilbox/internal/durable"
)

type auditExportCmd struct {
	Output string `required:"" short:"o" help:"The file to write." placeholder:"FILE" type:"path"`
	Format string `enum:"jsonl,csv" default:"jsonl" help:"jsonl (JSON, one entry a line, exactly as it was hashed) or csv (for a spreadsheet)."`
	From   string `help:"From when: RFC 3339, \"2026-02-03 14:05\" in Copenhagen time, \"now\" or \"10m ago\"."`
	To     string `help:"Until when."`
	Act    string `help:"Only this act, or those below it, such as \"case.\"."`
	Who    string `help:"Only what this person did: an ID or a name."`
	About  string `help:"Only what was done on this, such as \"case=ID\"."`
}

func (c *auditExportCmd) Run(e *env) error {
	f := audit.Filter{Act: c.Act, Who: c.Who, About: c.About}
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
	return e.withBox(func(cl *client.Client) error {
		lines := &counter{}
		err := durable.WriteFunc(c.Output, 0o600, func(w io.Writer) error {
			lines.Writer = w
			return cl.ExportAudit(e.ctx, lines, audit.Format(c.Format), f)
		})
		if err != nil {
			return err
		}
		return e.show(map[string]any{"file": c.Output, "bytes": lines.bytes}, table{{"FILE", "BYTES"}, {c.Output, fmt.Sprint(lines.bytes)}})
	})
}

// A counter counts what passes.
type counter struct {
	io.Writer
	bytes int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.bytes += int64(n)
	return n, err
}

type auditProveCmd struct {
	folderFlags
	Entry  int64  `arg:"" help:"The entry's number."`
	Output string `required:"" short:"o" help:"The file to write; it names the people that the entry names." placeholder:"FILE" type:"path"`
}

func (c *auditProveCmd) Run(e *env) error {
	k, err := c.keys()
	if err != nil {
		return err
	}
	p, err := audit.ProveFile(e.ctx, filepath.Join(c.Dir, "audit.db"), k.entries, k.verifier, c.Entry)
	if errors.Is(err, audit.ErrPruned) {
		return fmt.Errorf("%w: only an export or a proof from before the prune has what it said", err)
	}
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return fmt.Errorf("ctl: %w", err)
	}
	if err := durable.WriteFile(c.Output, append(b, '\n'), 0o600); err != nil {
		return err
	}
	return e.proved(p, k.verifier)
}

// proved checks p and shows the entry.
func (e *env) proved(p audit.Proof, verifier string) error {
	entry, h, err := p.Check(verifier)
	if err != nil {
		return err
	}
	t := table{{"entry", fmt.Sprint(entry.Seq)}, {"when", local(entry.At)}, {"act", entry.Act}, {"who", strings.Join([]string{entry.Who.Name, entry.Who.Role, entry.Who.ID}, ", ")}}
	for _, x := range [][2]string{{"from", entry.From}, {"why", entry.Why}} {
		if x[1] != "" {
			t = append(t, x[:])
		}
	}
	if len(entry.About) > 0 {
		about, err := compact(entry.About)
		if err != nil {
			return err
		}
		t = append(t, []string{"about", about})
	}
	t = append(t, table{{"log", h.Origin}, {"under a head of", fmt.Sprint(h.Size)}, {"head", h.Hash.String()}, {"verdict", "the log has this entry"}}...)
	return e.show(map[string]any{"ok": true, "entry": entry, "origin": h.Origin, "size": h.Size, "hash": h.Hash.String()}, t)
}

type auditProofCmd struct {
	File     string `arg:"" help:"The proof, from \"audit prove\"; - is standard input."`
	Verifier string `required:"" help:"The log's verifier key, or a file with it (audit.pub). Have it from the box's owner by another way than the proof came." placeholder:"KEY"`
}

func (c *auditProofCmd) Run(e *env) error {
	verifier := strings.TrimSpace(c.Verifier)
	if text, err := readText(c.Verifier); err == nil && len(text) <= maxKey {
		verifier = text
	}
	if _, err := note.NewVerifier(verifier); err != nil {
		return usage("--verifier is neither a verifier key (NAME+HASH+KEY) nor a file with one, such as audit.pub of the box's data folder")
	}
	b, err := e.readFile(c.File, 1<<20)
	if err != nil {
		return err
	}
	p, err := audit.ParseProof(b)
	if err != nil {
		return err
	}
	return e.proved(p, verifier)
}

type auditPruneCmd struct {
	folderFlags
	Before string `required:"" help:"Drop what entries before this say, of those over 365 days old: \"2026-02-03\" or RFC 3339."`
}

func (c *auditPruneCmd) Run(e *env) error {
	before, err := e.when(c.Before)
	if err != nil {
		return err
	}
	k, err := c.keys()
	if err != nil {
		return err
	}
	if !k.box {
		return fmt.Errorf("ctl: %s is the extranet's, which prunes its log by itself", c.Dir)
	}
	v, err := note.NewVerifier(k.verifier)
	if err != nil {
		return usage("--verifier is no verifier key")
	}
	// A running box has this lock; a second writer would stop its log.
	lock, err := os.OpenFile(filepath.Join(c.Dir, "ring", "ring.lock"), os.O_RDWR, 0)
	if err == nil {
		defer func() { _ = lock.Close() }() // it was only locked
		if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			return fmt.Errorf("ctl: %s belongs to a box that runs: it prunes its log by itself (%w)", c.Dir, err)
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("ctl: %w", err)
	}
	l, err := audit.Open(e.ctx, audit.Options{Path: filepath.Join(c.Dir, "audit.db"), Key: k.entries, Name: v.Name(), Signing: k.signing, Clock: e.Clock})
	if err != nil {
		return err
	}
	r, err := l.Prune(e.ctx, before)
	if err := errors.Join(err, l.Close()); err != nil {
		return err
	}
	return e.show(r, table{{"DROPPED", "UP TO ENTRY", "RECORDED AS"}, {fmt.Sprint(r.Dropped), fmt.Sprint(r.Upto), fmt.Sprint(r.Seq)}})
}
