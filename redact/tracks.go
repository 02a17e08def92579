//go:build linux

package redact

import (
	"slices"
	"time"

	"veilbox/capture/footage"
	"veilbox/redact/mask"
	"veilbox/redact/subject"
)

// Tracks is what a Session has followed, for a person to judge.
type Tracks struct {
	// Mask says all of it, in the canonical form of redact/mask; it is good as
	// Job.Known.
	Mask     []byte        `json:"-"`
	Length   float64       `json:"length"` // of the clip, seconds
	Frames   int           `json:"frames"`
	Walked   int           `json:"walked"` // frames that were tracked anew
	Took     time.Duration `json:"-"`
	Subjects []Track       `json:"subjects"`
}

// What a subject is in a Span.
const (
	SpanShown   = "shown"
	SpanFlagged = "flagged" // shown, and a person must look
	SpanUnsure  = "unsure"  // veiled: another keyframe here would show the subject
	SpanGone    = "gone"    // veiled: a person said that the subject is not in the picture
)

// A Track is one subject through the clip.
type Track struct {
	Spans  []TrackSpan `json:"spans"` // one after the other, from the first frame to the end
	Places []Place     `json:"places"`
}

// A TrackSpan is a run of frames in which a subject is one thing.
type TrackSpan struct {
	From    float64  `json:"from"` // seconds
	To      float64  `json:"to"`
	What    string   `json:"what"`
	Reasons []string `json:"reasons"` // of redact/mask, each once
	Flags   []string `json:"flags"`   // likewise
}

// A Place is the rectangle around what is shown of a subject in one frame.
type Place struct {
	At   float64      `json:"at"` // seconds
	Rect subject.Rect `json:"rect"`
}

// placeEach is the time between two places: enough to draw on a page.
const placeEach = footage.TicksPerSecond / 5

// TracksOf returns what m, the canonical form of a mask, says of each subject of
// a clip of the given length.
func TracksOf(m *mask.Mask, end footage.Ticks) []Track {
	out := make([]Track, m.Subjects)
	for k := range out {
		t := &out[k]
		t.Spans, t.Places = []TrackSpan{}, []Place{}
		shown, last := false, footage.Ticks(0)
		for i := range m.Frames {
			f := &m.Frames[i]
			next := end
			if i+1 < len(m.Frames) {
				next = m.Frames[i+1].At
			}
			s := &f.Subjects[k]
			t.add(s, seconds(f.At), seconds(next))
			if s.State != mask.Shown {
				shown = false
				continue
			}
			if !shown || f.At-last >= placeEach {
				shown, last = true, f.At
				t.Places = append(t.Places, Place{At: seconds(f.At), Rect: m.Grid.Rect(s.Shape.Bounds())})
			}
		}
	}
	return out
}

func (t *Track) add(s *mask.Seen, from, to float64) {
	what := s.State.String()
	if s.State == mask.Shown && s.Flags != 0 {
		what = SpanFlagged
	}
	n := len(t.Spans)
	if n == 0 || t.Spans[n-1].What != what {
		t.Spans = append(t.Spans, TrackSpan{From: from, What: what, Reasons: []string{}, Flags: []string{}})
		n++
	}
	span := &t.Spans[n-1]
	span.To = to
	if r := s.Reason.String(); r != "" && !slices.Contains(span.Reasons, r) {
		span.Reasons = append(span.Reasons, r)
	}
	if what != SpanFlagged {
		return
	}
	for _, f := range s.Flags.Names() {
		if !slices.Contains(span.Flags, f) {
			span.Flags = append(span.Flags, f)
		}
	}
}

func seconds(t footage.Ticks) float64 { return float64(t) / footage.TicksPerSecond }
