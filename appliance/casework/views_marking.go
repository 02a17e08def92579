package casework

import (
	"slices"

	"veilbox/redact"
	"veilbox/redact/mask"
	"veilbox/redact/subject"
)

// The states of a MarkingView.
const (
	markingClosed   = "closed"
	markingOpening  = "opening" // the clip is being read
	markingReady    = "ready"
	markingTracking = "tracking"
	markingFailed   = "failed"
)

// A MarkingView is how far the following of people through a case's clip is.
type MarkingView struct {
	State    string       `json:"state"` // "closed", "opening", "ready", "tracking", "failed"
	Detects  bool         `json:"detects"`
	Run      int          `json:"run"` // rises with each asking: whose tracks these are
	Progress *Progress    `json:"progress,omitempty"`
	Tracks   *TracksView  `json:"tracks,omitempty"`
	Problem  *ProblemView `json:"problem,omitempty"`
}

// A TracksView is what was followed.
type TracksView struct {
	Subjects []redact.Track `json:"subjects"`
	Length   float64        `json:"length"` // of the clip, seconds
	Frames   int            `json:"frames"`
	Walked   int            `json:"walked"` // frames that were tracked anew
	Took     float64        `json:"took"`   // seconds
}

// Followed asks to follow people.
type Followed struct {
	Subjects []subject.Subject `json:"subjects"`
}

// A ShapesView is what is shown in each frame of a stretch, in blocks.
type ShapesView struct {
	Run    int           `json:"run"`
	Width  int           `json:"width"` // of the picture, pixels
	Height int           `json:"height"`
	Block  int           `json:"block"` // side of a block, pixels
	Frames []FrameShapes `json:"frames"`
}

// FrameShapes is one frame: for each subject the runs of blocks that are shown,
// as row, first and end, over and over.
type FrameShapes struct {
	At       float64 `json:"at"` // seconds
	Subjects [][]int `json:"subjects"`
}

// A SoundChange is the assessor's choice about the sound.
type SoundChange struct {
	Version int    `json:"version"`
	Keep    bool   `json:"keep"`
	Reason  string `json:"reason,omitempty"`
}

// A VeiledChange says which parts of a camera's picture are always veiled.
type VeiledChange struct {
	Veiled []subject.Rect `json:"veiled"`
}

// shapesFrames bounds an answer.
const shapesFrames = 1500

func shapesOf(m *mask.Mask, run int, from, to float64) ShapesView {
	v := ShapesView{Run: run, Width: m.Grid.W, Height: m.Grid.H, Block: m.Grid.Block, Frames: []FrameShapes{}}
	for i := range m.Frames {
		f := &m.Frames[i]
		at := f.At.Duration().Seconds()
		if at < from || at >= to || len(v.Frames) >= shapesFrames {
			continue
		}
		fs := FrameShapes{At: at, Subjects: make([][]int, len(f.Subjects))}
		for k, s := range f.Subjects {
			runs := make([]int, 0, 3*len(s.Shape))
			for _, r := range s.Shape {
				runs = append(runs, int(r.Row), int(r.From), int(r.To))
			}
			fs.Subjects[k] = runs
		}
		v.Frames = append(v.Frames, fs)
	}
	return v
}

func equalRects(a, b []subject.Rect) bool { return slices.Equal(a, b) }
