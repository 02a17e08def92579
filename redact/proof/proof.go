// Package proof judges a finished copy: it reads the file, not the plan. It
// walks the structure, decodes every frame and holds it against the mask.
//
// # A clip
//
// A copy passes when
//
//   - it is an MP4 with one H.264 track, and one of AAC-LC where the mask says
//     that the sound was kept, and nothing beside them: no other box, no byte in
//     front of, between or after, no NAL units but slices, one picture a sample.
//     What is read is written again, and must be the same bytes (Walk, Units);
//   - what a player cuts off a coded frame, up to 15 rows and columns, is more of
//     its edge or of one colour: what an encoder fills its blocks with;
//   - it has the mask's frames, at the mask's times, in the mask's size; sound
//     begins with the first frame and ends with the last, within SoundOver and
//     SoundUnder;
//   - in each frame, outside what the mask shows or paints and a margin of 8
//     pixels where a codec rings, each cell of the veil is flat within Tolerance:
//     no sample of its inside further from the cell's mean than Deviation, no
//     more variance in the cell than Energy, and in the margin but for its inner
//     4 pixels no more than Ring. A frame in which the mask shows nothing, because
//     the track was unsure or the subject gone, is flat all over; so are the
//     regions that are always veiled, for no mask shows them;
//   - what the mask paints is the picture of the still scene, block by block, and
//     that picture is the one that the mask names;
//   - the stamp is drawn again and found where it is to be, in every frame.
//
// # What the bound on the energy says
//
// By Parseval's theorem the variance of a cell is the sum of the squares of all
// coefficients of its orthonormal transform apart from the first, over the number
// of samples. So whatever is finer than a cell, at all frequencies together, has
// less than Energy: at 24 steps squared a single sine wave across a cell has an
// amplitude below 7 steps of 255, and anything of structure far less of each. It
// is what a lossy codec leaves of a flat cell. Of a face it leaves nothing that
// could be told from that.
//
// # A still
//
// A copy that is a picture is one baseline JPEG as image/jpeg writes it: its
// tables are those of sheet.StillQuality, its segments SOI, DQT, SOF0, DHT, SOS
// and EOI, and its coded data ends with its last block. It is decoded, taken back
// to the range of video, and held against its mask as a frame is.
//
// # What it does not say
//
// In what is shown the picture itself is not judged: that is for who looks at the
// sheet. A codec's data can carry bits that nobody sees, by choices that all
// decode to the same picture or to one within Tolerance, or behind the last
// macroblock of a slice, where no decoder looks; so can the usability fields of
// an SPS, within 64 bytes. Sound is read as far as the sizes of its units: what is
// said in it, and what a fill element may hold, was the assessor's choice with the
// sound. Against a leak by carelessness, damage or a tampered file the proof
// stands; against a worker that wants to smuggle, the sandbox does.
//
// # The JSON
//
// The canonical form of a proof is json.Marshal of the Proof: keys in the order
// of the fields, those of maps sorted, no space. Parse takes no other, so that a
// signature or a hash over the bytes can be made again from the value.
//
// Times are ticks of 1/90000 s from the first frame. A failure is a reason in
// the Proof; errors are of the tools and of the context.
package proof

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"veilbox/capture/footage"
	"veilbox/internal/problem"
	"veilbox/internal/version"
	"veilbox/redact/codec"
	"veilbox/redact/mask"
	"veilbox/redact/sheet"
	"veilbox/redact/subject"
	"veilbox/redact/veil"
)

// Version is the version of the JSON.
const Version = 2

// Media of a copy.
const (
	Video   = "video/mp4"
	Picture = "image/jpeg"
)

// Tolerance is what a lossy codec may leave of a veil that was flat: the
// deviation in steps of a sample (0 to 255), the energy in steps squared, and
// that beside what is shown. With the default encoder street footage stays below
// 5, 2 and 6; at codec.MaxQuality, with shapes that change in every frame, below
// 12, 10 and 43. Of a head of a quarter of a cell's side, left unveiled at a
// contrast of 40 steps, the first two would be over 30. What is not named is as
// in veil.Lossy.
var Tolerance = veil.Tolerance{Deviation: 16, Energy: 24, Ring: 128}.Filled()

// Most that sound may be longer and shorter than the pictures.
const (
	SoundOver  footage.Ticks = footage.TicksPerSecond / 10
	SoundUnder footage.Ticks = footage.TicksPerSecond / 2
)

const (
	maxReasons = 20
	maxJSON    = 1 << 20
)

// A Proof is the finding on one copy. Its JSON is what the hash in a release
// names.
type Proof struct {
	Version int               `json:"version"`
	Media   string            `json:"media"`
	Mode    subject.Mode      `json:"mode"`
	Clip    footage.ClipHash  `json:"clip"`
	Copy    footage.CopyHash  `json:"copy"`
	Mask    footage.Hash      `json:"mask"`
	Sheet   footage.SheetHash `json:"sheet"`
	Scene   footage.Hash      `json:"scene"` // zeros: none was painted
	Tools   Tools             `json:"tools"`
	Figures Figures           `json:"figures"`
	Pass    bool              `json:"pass"`
	Reasons []string          `json:"reasons"` // why it does not pass, at most 20
}

// Tools says what made and judged a copy.
type Tools struct {
	Veilbox string        `json:"veilbox"` // version of this program
	FFmpeg  string        `json:"ffmpeg"`
	Encoder codec.Encoder `json:"encoder"`
	Mask    int           `json:"mask_version"`
	Sheet   int           `json:"sheet_version"`
}

// Versions of the canonical forms that a proof names by their hashes.
const (
	MaskVersion  = 2
	SheetVersion = 2
)

// Figures are what was measured.
type Figures struct {
	Bytes       int64          `json:"bytes"`
	Width       int            `json:"width"`
	Height      int            `json:"height"`
	Block       int            `json:"block"`
	Cell        int            `json:"cell"`
	Frames      int            `json:"frames"`
	Shown       int            `json:"frames_shown"`
	Unsure      int            `json:"frames_unsure"`
	Flagged     int            `json:"frames_flagged"`
	Flags       map[string]int `json:"frames_by_flag"`
	Duration    footage.Ticks  `json:"duration_ticks"` // 0 of a still
	Pictures    int            `json:"pictures"`
	Painted     float64        `json:"painted_share"` // of the area of all frames
	Deviation   Worst          `json:"deviation"`
	Energy      Worst          `json:"energy"`
	Edge        Worst          `json:"edge"`
	Ring        Worst          `json:"ring"`
	PaintedMean Worst          `json:"painted_mean"`
	PaintedMax  Worst          `json:"painted_max"`
	Stamp       Worst          `json:"stamp_energy"`
	Tolerance   Bounds         `json:"tolerance"`
	Sound       Sound          `json:"sound"`
	Still       *Still         `json:"still"`
}

// Bounds are the figures that a copy may have at most.
type Bounds struct {
	Deviation   float64 `json:"deviation"`
	Energy      float64 `json:"energy"`
	Ring        float64 `json:"ring"`
	PaintedMean float64 `json:"painted_mean"`
	PaintedMax  float64 `json:"painted_max"`
	Stamp       float64 `json:"stamp_energy"`
}

// Sound is what sound a copy has.
type Sound struct {
	Kept     bool    `json:"kept"`
	Codec    string  `json:"codec"` // "" or "AAC-LC"
	Rate     int     `json:"rate"`
	Channels int     `json:"channels"`
	Seconds  float64 `json:"seconds"`
}

// Still says which part of which frame of the clip a still is.
type Still struct {
	At   footage.Ticks `json:"at"`
	Crop *subject.Rect `json:"crop"` // null: the whole frame
}

// Worst is the largest value of all frames.
type Worst struct {
	Value float64       `json:"value"`
	At    footage.Ticks `json:"at"`
}

func (w *Worst) take(v float64, at footage.Ticks) {
	if v > w.Value || v == w.Value && at < w.At {
		*w = Worst{v, at}
	}
}

// Parse reads a proof's JSON, which must be in its canonical form.
func Parse(b []byte) (*Proof, error) {
	var p Proof
	if len(b) > maxJSON {
		return nil, fmt.Errorf("proof: %d bytes of JSON", len(b))
	}
	if err := json.Unmarshal(b, &p); err != nil {
		return nil, fmt.Errorf("proof: %w", err)
	}
	if p.Version != Version {
		return nil, fmt.Errorf("proof: version %d, this program reads %d: make the copy anew", p.Version, Version)
	}
	again, err := json.Marshal(&p)
	if err != nil {
		return nil, fmt.Errorf("proof: %w", err)
	}
	if !bytes.Equal(again, b) {
		return nil, errors.New("proof: the JSON is not in its one form: keep a proof byte by byte")
	}
	return &p, nil
}

// An Input is what is judged.
type Input struct {
	File *os.File // regular, or in memory
	Size int64
	Mask *mask.Mask
	// Scene is the picture that the mask paints; nil where it paints none.
	Scene *veil.Frame
	// Still is which part of the clip a still is, for the record.
	Still *Still
}

// Run judges a copy. The caller fills in what it cannot know: the hashes of
// clip, copy and mask, the version of ffmpeg and the encoder.
func Run(ctx context.Context, t codec.Tools, in Input, progress func(done, total int)) (*Proof, *sheet.Sheet, error) {
	m := in.Mask
	if err := m.Check(); err != nil {
		return nil, nil, fmt.Errorf("proof: %w", err)
	}
	r := &run{in: in, m: m, progress: progress, p: &Proof{Version: Version, Media: Video, Mode: m.Mode, Scene: m.Scene, Reasons: []string{},
		Tools: Tools{Veilbox: version.Version, Mask: MaskVersion, Sheet: SheetVersion}}}
	r.figures()
	err := r.scene()
	if err == nil {
		err = r.stamp()
	}
	switch {
	case err != nil:
	case m.Still:
		err = r.still()
	default:
		if err = r.structure(); err == nil {
			err = r.frames(ctx, t)
		}
	}
	if err != nil {
		if hard(err) || ctx.Err() != nil {
			return nil, nil, err
		}
		r.p.fail(err.Error())
	}
	sh := sheet.New(m, r.p.Figures.Duration)
	sh.Pictures = append(sh.Pictures, r.pictures...)
	sh.Sort()
	r.p.Figures.Pictures = len(sh.Pictures)
	r.p.Sheet = sh.Hash()
	r.p.Pass = len(r.p.Reasons) == 0
	return r.p, &sh, nil
}

// hard reports whether err is of the machine and not of the copy.
func hard(err error) bool {
	var pr *problem.Problem
	return errors.Is(err, sheet.ErrTooLarge) || errors.Is(err, errMachine) || errors.As(err, &pr) && !errors.Is(pr, codec.NotVideo)
}

var errMachine = errors.New("the copy could not be judged")

func (p *Proof) fail(reason string) {
	if len(p.Reasons) < maxReasons {
		p.Reasons = append(p.Reasons, reason)
	}
}
