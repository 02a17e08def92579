package ctl

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"veilbox/capture/ring"
	"veilbox/internal/keys"
)

type checkCmd struct {
	Dir string `arg:"" help:"The data folder of a box that is stopped." type:"existingdir"`
	Key string `help:"The master key, where it is not in the folder (from its systemd credential: systemd-creds decrypt)." placeholder:"FILE" type:"existingfile"`
}

// Run reads every sealed part of the recording and says what is damaged.
func (c *checkCmd) Run(e *env) error {
	file := c.Key
	if file == "" {
		file = filepath.Join(c.Dir, "keys", "box.key")
	}
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("ctl: %s has no master key of a box: give it with --key FILE", c.Dir)
	}
	if err != nil {
		return fmt.Errorf("ctl: %w", err)
	}
	master, err := keys.FromBytes(b)
	if err != nil {
		return fmt.Errorf("ctl: %s: %w", file, err)
	}
	r, err := ring.Open(e.ctx, ring.Options{
		Dir: filepath.Join(c.Dir, "ring"), Key: master.Derive("veilbox ring v1"), Quota: 1 << 62, Clock: e.Clock, Log: e.log,
	})
	if err != nil {
		return err
	}
	rep, err := r.Check(e.ctx)
	if err := errors.Join(err, r.Close()); err != nil {
		return err
	}
	t := table{{"parts", fmt.Sprint(rep.Parts)}, {"bytes", fmt.Sprint(rep.Bytes)}, {"damaged", fmt.Sprint(int64(len(rep.Damaged)) + rep.More)}}
	for _, d := range rep.Damaged {
		t = append(t, []string{"  " + string(d.Camera), local(d.Span.From.Time()) + ", " + d.Span.Duration().Round(time.Millisecond).String()})
	}
	if err := e.show(rep, t); err != nil {
		return err
	}
	if n := int64(len(rep.Damaged)) + rep.More; n > 0 {
		return fmt.Errorf("ctl: %d parts of the recording are damaged; the rest can be used: look at the disk (smartctl) and keep a copy of the folder", n)
	}
	return nil
}
