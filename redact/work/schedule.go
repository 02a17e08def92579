//go:build linux

package work

import (
	"fmt"
	"strings"

	"veilbox/capture/footage"
	"veilbox/redact/codec"
	"veilbox/redact/mask"
	"veilbox/redact/stamp"
	"veilbox/redact/veil"
)

// A schedule says which frames of a copy are the one before again: those in
// which nothing is seen and no cell is renewed. They are neither veiled nor
// coded, and where it is known in time not handed on by the decoder either. A nil
// schedule has none.
type schedule struct {
	m     *mask.Mask
	each  [2]int // every so many frames there is a new one: cells, keyframes
	again []bool // by frame; nil where all but these are
	keys  []int  // of the frames that are coded; nil where all are
}

// mostRuns is how many runs of frames the decoder is told of.
const mostRuns = 200

// schedule returns the schedule of a copy, nil where each frame is coded.
func (w *worker) schedule(m *mask.Mask, back *backdrop, rate float64) (*schedule, error) {
	if w.each || back != nil || !w.job.Encoder.Software() {
		return nil, nil
	}
	hold, gop := w.job.Veil.Hold, max(1, int(w.job.Encoder.Defaults().GOP*rate+0.5))
	if hold == 0 {
		hold = veil.DefaultHold
	}
	s := &schedule{m: m, each: [2]int{hold, gop}}
	if m.Subjects == 0 && m.Stamp == nil {
		return s, nil
	}
	if m.Subjects == 0 {
		return nil, nil // its times, and so its stamps, are not known yet
	}
	text := func(footage.Ticks) string { return "" }
	if m.Stamp != nil {
		st, err := stamp.New(m.Grid, *m.Stamp)
		if err != nil {
			return nil, BadSubject.With(fmt.Errorf("work: %w", err))
		}
		text = st.Text
	}
	s.again = make([]bool, len(m.Frames))
	s.keys = []int{}
	coded, was, said := 0, true, ""
	for i := range m.Frames {
		shown, says := m.State(i) == mask.Shown, text(m.Frames[i].At)
		s.again[i] = i > 0 && !shown && !was && says == said && !s.regular(i)
		if !s.again[i] {
			if i > 0 && s.again[i-1] {
				s.keys = append(s.keys, coded)
			}
			coded++
		}
		was, said = shown, says
	}
	return s, nil
}

func (s *schedule) regular(i int) bool { return i%s.each[0] == 0 || i%s.each[1] == 0 }

// repeats reports whether frame i is the one before.
func (s *schedule) repeats(i int) bool {
	switch {
	case s == nil:
		return false
	case s.again == nil:
		return !s.regular(i)
	}
	return i < len(s.again) && s.again[i]
}

// encoder returns e with the keyframes that a schedule needs: a frame that is
// coded after one that was repeated refers to nothing before it.
func (s *schedule) encoder(e codec.Encoder) codec.Encoder {
	if s == nil {
		return e
	}
	e.Keys, e.EachKey = s.keys, s.again == nil
	return e
}

// pick returns an expression of ffmpeg's select that is true for the frames that
// are needed; "" where it would be too long.
func (s *schedule) pick() string {
	if s == nil {
		return ""
	}
	all := []string{fmt.Sprintf("not(mod(n,%d))", s.each[0]), fmt.Sprintf("not(mod(n,%d))", s.each[1])}
	for from := 0; from < len(s.again); from++ {
		if s.again[from] || s.regular(from) {
			continue
		}
		to := from
		for to+1 < len(s.again) && !s.again[to+1] {
			to++
		}
		all = append(all, fmt.Sprintf("between(n,%d,%d)", from, to))
		from = to
		if len(all) > mostRuns {
			return ""
		}
	}
	if s.again != nil {
		// What is more than there should be must be seen to be.
		all = append(all, fmt.Sprintf("gte(n,%d)", len(s.again)))
	}
	return strings.ReplaceAll(strings.Join(all, "+"), ",", "\\,")
}
