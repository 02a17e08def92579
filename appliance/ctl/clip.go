package ctl

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"veilbox/appliance/ctl/client"
	"veilbox/capture/footage"
	"veilbox/internal/durable"
)

// outside is system condition S12, said at the moment of export.
const outside = "What you have just taken out of the system is your own responsibility from here: it is under the ordinary rules of data protection. The export is in the audit log, under your name."

type clipCmd struct {
	Export clipExportCmd `cmd:"" help:"Export recorded footage as MP4, not veiled, for the police or another lawful purpose. It is logged."`
}

type clipExportCmd struct {
	Camera  string `required:"" help:"The camera's name in the system."`
	From    string `required:"" help:"From when: RFC 3339, \"2026-02-03 14:05:06\" in Copenhagen time, \"now\" or \"10m ago\"."`
	To      string `required:"" help:"Until when."`
	Output  string `required:"" short:"o" help:"The file to write." placeholder:"FILE" type:"path"`
	Purpose string `required:"" help:"What it is for, such as \"police, case 4200-...\"; kept in the audit log."`
}

func (c *clipExportCmd) Run(e *env) error {
	cam, err := footage.ParseCameraID(c.Camera)
	if err != nil {
		return usage("%v", err)
	}
	from, err := e.when(c.From)
	if err != nil {
		return err
	}
	to, err := e.when(c.To)
	if err != nil {
		return err
	}
	if !from.Before(to) {
		return usage("--from must be before --to")
	}
	cl, err := e.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	m, err := cl.Footage(e.ctx, cam, from, to, true, c.Purpose)
	if err != nil {
		return err
	}
	return e.save(m, c.Output)
}

// saved is what --json says of a file.
type saved struct {
	File   string `json:"file"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// save writes m whole to path, or nothing, and tells the hash.
func (e *env) save(m *client.Media, path string) error {
	h := sha256.New()
	err := durable.WriteFunc(path, 0o600, func(w io.Writer) error {
		_, err := io.Copy(io.MultiWriter(w, h), m)
		return err
	})
	if err = errors.Join(err, m.Close()); err != nil {
		return err
	}
	v := saved{path, m.Size(), hex.EncodeToString(h.Sum(nil))}
	e.notice("%s", outside)
	return e.show(v, table{{"FILE", "BYTES", "SHA-256"}, {v.File, fmt.Sprint(v.Size), v.SHA256}})
}

// readFile reads a small file that the person gives; "-" is standard input.
func (e *env) readFile(path string, most int64) (_ []byte, err error) {
	r := e.In
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("ctl: %w", err)
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		r = f
	}
	b, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, fmt.Errorf("ctl: %s: %w", path, err)
	}
	if int64(len(b)) > most {
		return nil, fmt.Errorf("ctl: %s is over %d bytes", path, most)
	}
	return b, nil
}
