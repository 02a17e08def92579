package ctl

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"veilbox/redact"
	"veilbox/redact/subject"
	"veilbox/redact/work"
)

// A rectFlag is a part of the frame, written x,y,w,h.
type rectFlag subject.Rect

// UnmarshalText reads what a flag says.
func (r *rectFlag) UnmarshalText(b []byte) error {
	words := strings.Split(string(b), ",")
	if len(words) != 4 {
		return fmt.Errorf("%q: write X,Y,W,H in fractions of the frame, such as 0.4,0.3,0.1,0.2", b)
	}
	for i, to := range []*float64{&r.X, &r.Y, &r.W, &r.H} {
		v, err := strconv.ParseFloat(strings.TrimSpace(words[i]), 64)
		if err != nil {
			return fmt.Errorf("%q: write X,Y,W,H in fractions of the frame, such as 0.4,0.3,0.1,0.2", b)
		}
		*to = v
	}
	return subject.Rect(*r).Check()
}

// job reads what the flags and the subject file ask for.
func (c *redactCmd) job(e *env) (redact.Job, error) {
	var j redact.Job
	if err := j.Choice.Mode.UnmarshalText([]byte(c.Mode)); err != nil {
		return j, usage("%v", err)
	}
	nobody := j.Choice.Mode == subject.BlurEverything
	switch {
	case c.Subject == "" && !nobody:
		return j, usage("give --subject FILE, or --mode blur-everything to show nobody")
	case c.Subject != "" && nobody:
		return j, usage("--mode blur-everything shows nobody: leave out --subject")
	case c.Background != "" && j.Choice.Mode != subject.StillScene:
		return j, usage("--background is for --mode still-scene")
	case c.Crop != nil && c.Still == nil:
		return j, usage("--crop is for --still")
	case c.Stamp != "" && c.Start == nil:
		return j, usage("--stamp burns in the time too: give --start, the time of the first frame")
	case c.KeepSound != "" && c.Still != nil:
		return j, usage("a picture has no sound: leave out --keep-sound")
	case c.CRF < 1 || c.CRF > 26:
		return j, usage("--crf %d: give 1 to 26; a coarser copy would not pass its proof", c.CRF)
	case (c.Model == "") != (c.ModelSHA256 == ""):
		return j, usage("give --model and --model-sha256 together: what is used must be what you meant")
	}
	if c.Still != nil {
		j.Choice.Still = &subject.Still{At: *c.Still, Crop: (*subject.Rect)(c.Crop)}
	}
	if c.Start != nil {
		j.Choice.Stamp = &subject.Stamp{Place: c.Stamp, Start: c.Start.UTC().Truncate(time.Millisecond)}
	}
	j.Choice.Sound = c.KeepSound
	if err := j.Choice.Check(); err != nil {
		return j, usage("%v", err)
	}
	for _, r := range c.Veil {
		j.Veiled = append(j.Veiled, subject.Rect(r))
	}
	if c.Background != "" {
		j.Scene = &redact.Scene{Open: func() (io.ReadCloser, error) { return os.Open(c.Background) }}
	}
	if nobody {
		return j, nil
	}
	b, err := e.readFile(c.Subject, subject.MaxFileSize)
	if err != nil {
		return j, err
	}
	if j.Subjects, err = subject.ParseSet(bytes.NewReader(b)); err != nil {
		return j, work.BadSubject.With(fmt.Errorf("%s: %w", c.Subject, err))
	}
	return j, nil
}
