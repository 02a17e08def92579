package subject

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// A Mode says what of a clip may be seen. Its values are in masks and proofs.
type Mode uint8

const (
	// SubjectOnly shows the subjects and nothing else.
	SubjectOnly Mode = 0
	// StillScene shows the subjects, before a picture of the camera's long-still
	// background that was learnt from hours of the recording.
	StillScene Mode = 1
	// BlurEverything shows nobody: for training.
	BlurEverything Mode = 2
)

var modes = []string{"subject-only", "still-scene", "blur-everything"}

func (m Mode) String() string {
	if int(m) < len(modes) {
		return modes[m]
	}
	return fmt.Sprintf("mode %d", uint8(m))
}

// MarshalText writes the mode's name.
func (m Mode) MarshalText() ([]byte, error) {
	if int(m) >= len(modes) {
		return nil, fmt.Errorf("subject: there is no %v", m)
	}
	return []byte(modes[m]), nil
}

// UnmarshalText reads a mode's name; no name is SubjectOnly.
func (m *Mode) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*m = SubjectOnly
		return nil
	}
	for i, name := range modes {
		if name == string(b) {
			*m = Mode(i)
			return nil
		}
	}
	return fmt.Errorf("subject: mode %q: write %s", b, strings.Join(modes, ", "))
}

// Limits of a choice.
const (
	MaxSubjects = 8
	MaxVeiled   = 32  // rectangles that are always veiled
	MaxPlace    = 60  // characters of a stamp's place
	MaxReason   = 500 // characters
)

// A Still asks for one frame as a picture instead of a clip.
type Still struct {
	At   float64 `json:"at"`             // seconds from the clip's first frame; the frame nearest to it
	Crop *Rect   `json:"crop,omitempty"` // the whole frame where nil
}

// A Stamp asks for time and place burnt into the copy.
type Stamp struct {
	Place string    `json:"place,omitempty"`
	Start time.Time `json:"start"` // of the clip's first frame
}

// A Choice is what a person asked the copy to be. The zero Choice is the one
// that shows least but for the subjects: no sound, no stamp.
type Choice struct {
	Mode  Mode   `json:"mode"`
	Still *Still `json:"still,omitempty"`
	Stamp *Stamp `json:"stamp,omitempty"`
	// Sound is the assessor's reason to keep the sound. Empty: it is removed.
	Sound string `json:"sound,omitempty"`
}

// Check returns what is wrong with c.
func (c Choice) Check() error {
	if int(c.Mode) >= len(modes) {
		return fmt.Errorf("subject: there is no %v", c.Mode)
	}
	if s := c.Still; s != nil {
		if !(s.At >= 0 && s.At <= MaxAt) {
			return fmt.Errorf("subject: a still at %g: give seconds from the start of the clip, 0 to %g", s.At, MaxAt)
		}
		if s.Crop != nil {
			if err := s.Crop.Check(); err != nil {
				return fmt.Errorf("subject: crop: %w", err)
			}
		}
		if c.Sound != "" {
			return errors.New("subject: a still has no sound: leave out the reason to keep it")
		}
	}
	if s := c.Stamp; s != nil {
		if !plain(s.Place, MaxPlace) || s.Start.Year() < 1970 || s.Start.Year() > 9999 {
			return fmt.Errorf("subject: a stamp of %d characters at %v: give a place of at most %d characters on one line, and a time", utf8.RuneCountInString(s.Place), s.Start, MaxPlace)
		}
	}
	if !plain(c.Sound, MaxReason) {
		return fmt.Errorf("subject: the reason to keep the sound: give at most %d characters on one line", MaxReason)
	}
	return nil
}

func plain(s string, most int) bool {
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= most && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// CheckVeiled returns what is wrong with rectangles that are always veiled.
func CheckVeiled(rects []Rect) error {
	if len(rects) > MaxVeiled {
		return fmt.Errorf("subject: %d always veiled regions, at most %d", len(rects), MaxVeiled)
	}
	for _, r := range rects {
		if err := r.Check(); err != nil {
			return fmt.Errorf("subject: always veiled region: %w", err)
		}
	}
	return nil
}

// A Set is the people of a clip who may be seen. Its file is a subject file of
// version 2, {"version":2,"subjects":[{"version":1,"keyframes":[...]}]}; that of
// one subject of version 1 is read as well.
type Set struct {
	Version  int       `json:"version"`
	Subjects []Subject `json:"subjects"`
}

// SetVersion is the version of a set's file.
const SetVersion = 2

// ParseSet reads and checks a subject file of either version.
func ParseSet(r io.Reader) ([]Subject, error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("subject: %w", err)
	}
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(b, &head); err != nil || head.Version != SetVersion {
		s, err := Parse(bytes.NewReader(b))
		if err != nil {
			return nil, err
		}
		return []Subject{s}, nil
	}
	if len(b) > MaxFileSize {
		return nil, fmt.Errorf("subject: the file is over %d bytes", MaxFileSize)
	}
	var set Set
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&set); err != nil {
		return nil, fmt.Errorf("subject: %w: write it as {\"version\":2,\"subjects\":[{\"version\":1,\"keyframes\":[...]}]}", err)
	}
	for i := range set.Subjects {
		set.Subjects[i].sort()
	}
	return set.Subjects, CheckAll(set.Subjects)
}

// CheckAll returns what is wrong with the subjects of one clip.
func CheckAll(all []Subject) error {
	if len(all) < 1 || len(all) > MaxSubjects {
		return fmt.Errorf("subject: %d subjects: give 1 to %d", len(all), MaxSubjects)
	}
	for i, s := range all {
		if err := s.Check(); err != nil {
			return fmt.Errorf("subject %d: %w", i+1, err)
		}
	}
	return nil
}
