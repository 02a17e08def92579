// Command shut does as veil-redact does: it opens a model, shuts itself in, and
// then detects in one frame that comes by its standard input. It prints the
// boxes.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"veilbox/redact/detect"
	"veilbox/redact/sandbox"
)

type task struct {
	Options detect.Options
	Model   *detect.Model
	Cascade string
	Fds     []int
	In      bool
}

type answer struct {
	Sandbox sandbox.Status
	Version string
	Boxes   []detect.Box
	Err     string
}

func main() {
	var t task
	err := json.Unmarshal([]byte(os.Args[1]), &t)
	if err == nil && !t.In {
		err = enter(t)
	}
	if err == nil {
		err = inside(t)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func enter(t task) error {
	t.In = true
	keep := func(f *os.File, err error) error {
		if err != nil {
			return err
		}
		fd, err := detect.Keep(f)
		t.Fds = append(t.Fds, fd)
		return err
	}
	if t.Model != nil {
		if err := keep(t.Model.Open()); err != nil {
			return err
		}
	}
	if t.Cascade != "" {
		if err := keep(detect.OpenCascade(t.Cascade)); err != nil {
			return err
		}
	}
	b, err := json.Marshal(t)
	if err != nil {
		return err
	}
	return sandbox.Enter(sandbox.Options{Programs: []string{t.Options.Tool.Path},
		Limits: sandbox.Limits{AddressSpace: 8 << 30, CPU: 300, FileSize: 1 << 30, OpenFiles: 256, Processes: 4096}}, []string{string(b)})
}

func inside(t task) (err error) {
	a := answer{Sandbox: sandbox.Confirm(0)}
	o := t.Options
	for i, to := range []**os.File{&o.Model, &o.Cascade} {
		if i == 0 && t.Model == nil || i == 1 && t.Cascade == "" {
			continue
		}
		if *to, err = detect.Kept(t.Fds[0]); err != nil {
			return err
		}
		t.Fds = t.Fds[1:]
	}
	luma := make([]byte, o.Width*o.Height)
	if _, err := io.ReadFull(os.Stdin, luma); err != nil {
		return err
	}
	d, err := detect.Start(context.Background(), o)
	if err == nil {
		defer d.Close()
		a.Version = d.Version()
		a.Boxes, err = d.Frame(luma)
	}
	if err != nil {
		a.Err = errors.Join(err).Error()
	}
	return json.NewEncoder(os.Stdout).Encode(a)
}
