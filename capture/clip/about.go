package clip

import (
	"time"

	"veilbox/capture/footage"
	"veilbox/capture/ring"
)

// About is what a movie is made of, for a statement about it.
type About struct {
	Camera    footage.CameraID
	Span      footage.Span // as Movie.Span
	Parts     int
	Frames    int // in the file, with those in front of the span that decoding needs
	Keyframes int
	// Gaps are the times within Span of which nothing was recorded.
	Gaps    []footage.Span
	Formats []footage.Format // of the pictures, in the order in which they come
	Audio   Sound
}

// Sound is what a movie has of sound. Without units it has no track of sound;
// then Format and Why say what was left out, and their zero values that there
// was none or that none was asked for.
type Sound struct {
	Format footage.AudioFormat
	Units  int // access units, or packets of G.711
	// Silence is for how long silence stands in where none was recorded.
	Silence time.Duration
	// Dropped is how many units are left out because their time was taken or
	// they cannot be used.
	Dropped int
	// Why is why sound is left out from Until on, one of the Sound constants; ""
	// where it is whole.
	Why   string
	Until footage.Ticks
	// Other reports sound that was recorded and not asked for.
	Other bool
}

// About returns what the movie is made of.
func (m *Movie) About() About {
	a := About{Camera: m.cam, Span: m.span, Parts: len(m.parts), Frames: m.frames, Keyframes: m.keys, Gaps: m.Gaps(), Formats: m.formats, Audio: m.audio}
	a.Audio.Other = m.sound == nil && a.Audio.Why == "" && hasSound(m.parts)
	return a
}

// Gaps returns the times within Span, longer than a second, of which nothing
// was recorded; the picture before stands still there.
func (m *Movie) Gaps() []footage.Span {
	var out []footage.Span
	for i := range m.parts[1:] {
		end, next := m.parts[i].End, m.parts[i+1].Start
		if next-end <= ring.Join || next <= m.span.From {
			continue
		}
		if g := (footage.Span{From: max(end, m.span.From), To: min(next, m.span.To)}); !g.Empty() {
			out = append(out, g)
		}
	}
	return out
}
