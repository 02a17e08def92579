package ctl

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"veilbox/capture/footage"
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
	v := checkedOf(rep)
	if err := e.show(v, v.table()); err != nil {
		return err
	}
	if v.OK {
		return nil
	}
	return fmt.Errorf("ctl: %d parts of the recording and %d files or keys are damaged; the rest can be used: look at the disk (smartctl) and keep a copy of the folder", v.Damaged, v.broken())
}

// checked is what --json says of a recording.
type checked struct {
	OK       bool      `json:"ok"`
	Parts    int64     `json:"parts"`
	Bytes    int64     `json:"bytes"`
	Segments int64     `json:"segments"`
	Keys     int64     `json:"keys"`
	Repaired int64     `json:"repaired"` // parts that were found again when the ring was opened
	CutOff   int64     `json:"cut_off"`  // parts at the end that a power cut left unfinished
	Damaged  int64     `json:"damaged"`  // parts
	Damage   []damaged `json:"damage"`
	Faults   []damaged `json:"faults"` // files and keys
}

// damaged is a run of damaged parts of one file, or one file or key.
type damaged struct {
	Kind   ring.Kind        `json:"kind"`
	Camera footage.CameraID `json:"camera"`
	From   time.Time        `json:"from,omitzero"`
	To     time.Time        `json:"to,omitzero"`
	File   string           `json:"file,omitempty"`
	Parts  int64            `json:"parts,omitempty"`
	Why    string           `json:"why"` // of the first
}

// kinds are what is wrong, for people.
var kinds = map[ring.Kind]string{
	ring.KindRecord:  "changed on the disk",
	ring.KindIndex:   "the index says otherwise",
	ring.KindMissing: "file missing",
	ring.KindShort:   "file too short",
	ring.KindDisk:    "the disk cannot read it",
	ring.KindKey:     "the day's key does not open",
	ring.KindHeader:  "not the file that it should be",
	ring.KindStray:   "file that the index does not know",
}

func checkedOf(rep ring.Report) checked {
	v := checked{Parts: rep.Parts, Bytes: rep.Bytes, Segments: rep.Segments, Keys: rep.Keys, Repaired: rep.Recovered, CutOff: rep.Torn,
		Damaged: int64(len(rep.Damaged)) + rep.More, Damage: []damaged{}, Faults: []damaged{}}
	for _, d := range rep.Damaged {
		if n := len(v.Damage); n > 0 {
			if last := &v.Damage[n-1]; last.Kind == d.Kind && last.Camera == d.Camera && last.File == d.File {
				last.To = d.Span.To.Time()
				last.Parts++
				continue
			}
		}
		v.Damage = append(v.Damage, damaged{d.Kind, d.Camera, d.Span.From.Time(), d.Span.To.Time(), d.File, 1, why(d.Err)})
	}
	for _, f := range rep.Faults {
		x := damaged{Kind: f.Kind, Camera: f.Camera, File: f.File, Why: why(f.Err)}
		if !f.Span.Empty() {
			x.From, x.To = f.Span.From.Time(), f.Span.To.Time()
		}
		v.Faults = append(v.Faults, x)
	}
	v.OK = v.Damaged == 0 && v.broken() == 0
	return v
}

func why(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// broken is how many files and keys are damaged; one that nobody knows is only
// told.
func (v checked) broken() (n int) {
	for _, f := range v.Faults {
		if f.Kind != ring.KindStray {
			n++
		}
	}
	return n
}

func (v checked) table() table {
	state := "whole"
	if !v.OK {
		state = "DAMAGED"
	}
	t := table{{"recording", state}, {"parts", fmt.Sprint(v.Parts)}, {"bytes", fmt.Sprint(v.Bytes)}, {"files", fmt.Sprint(v.Segments)}, {"keys", fmt.Sprint(v.Keys)},
		{"repaired at start", fmt.Sprint(v.Repaired)}, {"cut off by a stop", fmt.Sprint(v.CutOff)}, {"damaged parts", fmt.Sprint(v.Damaged)}}
	row := func(d damaged) {
		what, ok := kinds[d.Kind]
		if !ok {
			what = string(d.Kind)
		}
		switch {
		case d.Parts == 1:
			what += ", 1 part"
		case d.Parts > 1:
			what += fmt.Sprintf(", %d parts", d.Parts)
		}
		when := ""
		if !d.From.IsZero() {
			when = local(d.From) + " to " + local(d.To)
		}
		t = append(t, []string{"  " + string(d.Camera), what, when, d.File})
	}
	for _, d := range v.Damage {
		row(d)
	}
	if len(v.Faults) > 0 {
		t = append(t, []string{"files and keys", fmt.Sprint(len(v.Faults))})
	}
	for _, f := range v.Faults {
		row(f)
	}
	return t
}
