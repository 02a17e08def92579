// Package sheet is the reveal sheet: pictures of everything in a finished copy
// that is not veiled, and the spans that need a second look. Approving a
// disclosure is approving this sheet.
//
// Pictures are JPEGs without EXIF, of three kinds:
//
//   - subject: a crop of exactly what is shown of one subject in one frame, at
//     most MaxSide pixels each way. Each subject has one at the first frame of
//     every run in which it is shown and then one each Interval at least; where
//     it is shown with a flag, at the first frame of the run, whenever a flag
//     joins that the run did not have, and one each FlaggedInterval.
//   - scene: the picture of the still scene where the copy shows it, at most
//     MaxLarge pixels each way, at the first frame that does. What the copy never
//     shows of it is grey.
//   - still: the copy itself, where it is a picture, at most MaxLarge each way.
//
// Times are ticks of 1/90000 s from the copy's first frame; rectangles are
// fractions of the frame.
//
// The order is a part of the sheet, and with it of the hash: first the pictures
// with a flag, by time, then the others, by time; those of one time by subject.
// So whoever shows a sheet shows it as it comes, and what was approved was seen
// with the flags first.
//
// The hash is the SHA-256 of, all numbers big endian:
//
//	"veilbox sheet 2\n"
//	sound uint8                     1: the copy has sound
//	pictures uint32
//	per picture:
//	  at int64                      ticks
//	  subject int8                  -1: of none
//	  kind uint8                    0 subject, 1 scene, 2 still
//	  flags uint16                  as in redact/mask
//	  x y w h float64               IEEE 754
//	  size uint32, JPEG
//	unsure uint32; per span: from, to int64
//	flagged uint32; per span: from, to int64
package sheet

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"veilbox/capture/footage"
	"veilbox/redact/mask"
	"veilbox/redact/subject"
)

// Bounds of a sheet.
const (
	MaxSide     = 320  // pixels of a subject's picture
	MaxLarge    = 1280 // of a scene's, or a still's
	MaxPictures = 20_000
	MaxPicture  = 256 << 10 // bytes of a subject's picture
	MaxLargeJPG = 960 << 10 // of the others: they fit in a frame of redact/work
	MaxSize     = 192 << 20 // bytes of all pictures
)

// A Kind says what a picture is of.
type Kind string

const (
	Subject Kind = "subject"
	Scene   Kind = "scene"
	Still   Kind = "still"
)

var kinds = []Kind{Subject, Scene, Still} // by their number in the hash

// A Picture is a part of one frame of the copy.
type Picture struct {
	At      footage.Ticks
	Subject int // from 0; -1 where it is of none
	Kind    Kind
	Flags   mask.Flags
	Rect    subject.Rect
	JPEG    []byte
}

type pictureJSON struct {
	At      footage.Ticks `json:"at"`
	Subject int           `json:"subject"`
	Kind    Kind          `json:"kind"`
	Flags   []string      `json:"flags"`
	Rect    subject.Rect  `json:"rect"`
	JPEG    []byte        `json:"jpeg"`
}

// MarshalJSON writes the flags by their names.
func (p Picture) MarshalJSON() ([]byte, error) {
	return json.Marshal(pictureJSON{p.At, p.Subject, p.Kind, p.Flags.Names(), p.Rect, p.JPEG})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (p *Picture) UnmarshalJSON(b []byte) error {
	var j pictureJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return fmt.Errorf("sheet: %w", err)
	}
	f, ok := mask.FlagsOf(j.Flags)
	if !ok {
		return fmt.Errorf("sheet: flags %q: make the copy anew", j.Flags)
	}
	*p = Picture{At: j.At, Subject: j.Subject, Kind: j.Kind, Flags: f, Rect: j.Rect, JPEG: j.JPEG}
	return nil
}

// A Sheet is all that a copy reveals.
type Sheet struct {
	Pictures []Picture      `json:"pictures"`
	Unsure   []footage.Span `json:"unsure"`  // a track was not sure: veiled
	Flagged  []footage.Span `json:"flagged"` // shown with a flag
	Sound    bool           `json:"sound"`   // the sound was kept
}

// New returns the sheet, without pictures, of a copy that shows what m says and
// ends at end.
func New(m *mask.Mask, end footage.Ticks) Sheet {
	s := Sheet{Pictures: []Picture{}, Unsure: []footage.Span{}, Flagged: []footage.Span{}, Sound: m.Sound}
	s.Unsure = append(s.Unsure, m.Unsure(end)...)
	s.Flagged = append(s.Flagged, m.Flagged(end)...)
	return s
}

// ErrTooLarge says that a copy reveals more than a person can look through.
var ErrTooLarge = errors.New("sheet: the copy reveals too much for one sheet: choose a shorter span")

// compare is the order of a sheet.
func compare(a, b Picture) int {
	if fa, fb := a.Flags != 0, b.Flags != 0; fa != fb {
		if fa {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Subject, b.Subject))
}

// Sort puts the pictures in their order.
func (s *Sheet) Sort() { slices.SortStableFunc(s.Pictures, compare) }

// Hash returns the hash of s.
func (s *Sheet) Hash() footage.SheetHash {
	h := sha256.New()
	b := append(make([]byte, 0, 256), "veilbox sheet 2\n"...)
	if s.Sound {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(s.Pictures)))
	for i := range s.Pictures {
		p := &s.Pictures[i]
		b = appendHead(b, p)
		b = binary.BigEndian.AppendUint32(b, uint32(len(p.JPEG)))
		h.Write(b)
		h.Write(p.JPEG)
		b = b[:0]
	}
	for _, spans := range [][]footage.Span{s.Unsure, s.Flagged} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(spans)))
		for _, u := range spans {
			b = binary.BigEndian.AppendUint64(b, uint64(u.From))
			b = binary.BigEndian.AppendUint64(b, uint64(u.To))
		}
	}
	h.Write(b)
	var out footage.SheetHash
	h.Sum(out.Hash[:0])
	return out
}

// Check returns what is wrong with s.
func (s *Sheet) Check() error {
	if len(s.Pictures) > MaxPictures {
		return ErrTooLarge
	}
	total, large := 0, 0
	for i := range s.Pictures {
		p := &s.Pictures[i]
		if err := p.check(); err != nil {
			return fmt.Errorf("sheet: picture %d: %w", i, err)
		}
		w, h, err := Structure(p.JPEG)
		if err != nil {
			return fmt.Errorf("sheet: picture %d: %w", i, err)
		}
		most := MaxSide
		if p.Kind != Subject {
			most = MaxLarge
			large++
		}
		if w > most || h > most {
			return fmt.Errorf("sheet: picture %d is %dx%d, at most %d pixels each way", i, w, h, most)
		}
		if i > 0 && compare(s.Pictures[i-1], *p) > 0 {
			return fmt.Errorf("sheet: picture %d is out of order", i)
		}
		total += len(p.JPEG)
	}
	if large > 1 {
		return fmt.Errorf("sheet: %d pictures of a whole frame", large)
	}
	if total > MaxSize {
		return ErrTooLarge
	}
	return nil
}

// check returns what is wrong with p, but for what its JPEG holds.
func (p *Picture) check() error {
	most := MaxLargeJPG
	switch {
	case p.Kind == Subject && p.Subject >= 0 && p.Subject < subject.MaxSubjects:
		most = MaxPicture
	case (p.Kind == Scene || p.Kind == Still) && p.Subject == -1:
	default:
		return fmt.Errorf("a picture of kind %.10q of subject %d", p.Kind, p.Subject)
	}
	if f, _ := mask.FlagsOf(p.Flags.Names()); f != p.Flags || p.At < 0 {
		return fmt.Errorf("flags %d at tick %d", uint16(p.Flags), p.At)
	}
	r := p.Rect
	for _, v := range []float64{r.X, r.Y, r.W, r.H} {
		if !(v >= 0 && v <= 1) {
			return fmt.Errorf("rectangle %v is not within the frame", r)
		}
	}
	if len(p.JPEG) > most {
		return fmt.Errorf("%d bytes, at most %d", len(p.JPEG), most)
	}
	return nil
}
