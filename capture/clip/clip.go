// Package clip is a span of the ring as one MP4, without re-encoding and
// without a file: the structure is computed from the ring's index, the bytes
// are read and unsealed as they are asked for, a part at a time.
//
// The movie begins at a keyframe, as decoding must; an edit list makes players
// begin at the picture that was current when the span began, and end where the
// span ends. What lies behind the span is not in the movie, but for pictures
// that reordering (B-frames) puts before the last one shown. Media time stays
// true to the wall clock: where parts are missing, the picture before stands
// still for as long. So second n of the movie is second n after Span().From.
//
// # Sound
//
// Options.Audio puts the sound beside the pictures: behind the pictures of each
// part the sound of that part. It begins where it began, by an edit list of its
// own. Where sound is missing in the middle, silence stands in, because a
// browser plays what follows a hole at once and would be ahead of the pictures
// ever after; About says for how long. Sound never costs pictures: where its
// format changes or cannot be used, it is left out from there, and About says
// so.
//
// # Changes of format
//
// Where the camera changed its picture, the movie has a sample entry for each
// format, and each part carries its parameter sets in front as well, for players
// that only know the first entry. Options.OneFormat makes the change a problem
// instead, and so does another codec, or any change of MJPEG: ffmpeg takes a
// smaller JPEG behind a larger one for half a picture.
//
// The same span of an unchanged ring with the same options gives the same
// bytes. Errors that a person can act on are *problem.Problem.
package clip

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"veilbox/capture/footage"
	"veilbox/capture/mp4"
	"veilbox/capture/ring"
	"veilbox/internal/clock"
	"veilbox/internal/problem"
)

// MaxSpan is the longest clip.
const MaxSpan = 2 * time.Hour

// A Source is where parts come from: a *ring.Ring.
type Source interface {
	Parts(context.Context, footage.CameraID, footage.Span) ([]ring.PartInfo, error)
	Read(context.Context, ring.PartInfo) (*footage.Part, error)
}

var (
	// ErrSpan is the problem of a span that is empty, turned round or too long.
	ErrSpan = problem.New(http.StatusBadRequest, "clip.span",
		problem.Text{DA: "Tidsrummet er tomt eller længere end 2 timer.", EN: "The time span is empty or longer than 2 hours."},
		problem.Text{DA: "Vælg et tidsrum på højst 2 timer, eller del det op.", EN: "Choose a span of at most 2 hours, or divide it."})
	// ErrNone is the problem of a span with no footage.
	ErrNone = problem.New(http.StatusNotFound, "clip.none",
		problem.Text{DA: "Der er ingen optagelse fra kameraet i det tidsrum.", EN: "There is no footage of the camera in that time."},
		problem.Text{DA: "Vælg et tidsrum, hvor tidslinjen viser optagelser. Optagelser slettes efter 30 dage.", EN: "Choose a time where the time line shows footage. Footage is deleted after 30 days."})
	// ErrFormat has the code of the problem of a camera that changed its format.
	ErrFormat = formatChange(0)
	// ErrDamaged has the code of the problem of a part that is not what was
	// written.
	ErrDamaged = damaged("", 0)
	// ErrGone has the code of the problem of a part deleted while it was read.
	ErrGone = gone(0)
)

func local(at footage.Ticks) string {
	return at.Time().In(clock.Copenhagen).Format("2006-01-02 15:04:05")
}

func formatChange(at footage.Ticks) *problem.Problem {
	t := local(at)
	return problem.New(http.StatusConflict, "clip.format",
		problem.Text{DA: "Kameraet skiftede billedformat " + t + ", midt i tidsrummet.", EN: "The camera changed its picture format at " + t + ", within the span."},
		problem.Text{DA: "Lav et klip før og et klip efter det tidspunkt.", EN: "Make one clip before and one after that time."})
}

func damaged(cam footage.CameraID, at footage.Ticks) *problem.Problem {
	t := local(at)
	return problem.New(http.StatusInternalServerError, "clip.damaged",
		problem.Text{DA: "Optagelsen af " + string(cam) + " fra " + t + " er beskadiget og kan ikke læses.", EN: "The footage of " + string(cam) + " at " + t + " is damaged and cannot be read."},
		problem.Text{DA: "Lav et klip, der slutter før det tidspunkt, og et, der begynder efter. Kontakt den, der passer boksen: disken kan være ved at gå i stykker.", EN: "Make a clip that ends before that time and one that begins after it. Tell the operator of the box: the disk may be failing."})
}

func gone(at footage.Ticks) *problem.Problem {
	t := local(at)
	return problem.New(http.StatusGone, "clip.gone",
		problem.Text{DA: "Optagelsen fra " + t + " er blevet slettet, mens klippet blev læst.", EN: "The footage of " + t + " was deleted while the clip was read."},
		problem.Text{DA: "Vælg et senere tidsrum. Læg en sag på optagelser, der skal bevares.", EN: "Choose a later time. Put footage that must be kept in a case."})
}

// Audio says which sound a movie has.
type Audio uint8

const (
	None    Audio = iota // no sound
	All                  // as it was recorded
	Browser              // as it was recorded, where browsers play it: AAC and Opus
)

// Options shape a movie.
type Options struct {
	Audio Audio
	// OneFormat makes a change of the picture's format a problem.
	OneFormat bool
	// FromKeyframe shows the movie from its keyframe on, which Span().From then
	// names, instead of hiding what lies before the span: there are players
	// (Firefox, VLC) that show what an edit list hides, and are late by it ever
	// after.
	FromKeyframe bool
}

// Open computes the movie of span for a case: pictures of one format, without
// sound. ctx also bounds the reading: where it ends, ReadAt and Read fail.
func Open(ctx context.Context, src Source, cam footage.CameraID, span footage.Span) (*Movie, error) {
	return OpenWith(ctx, src, cam, span, Options{OneFormat: true})
}

// OpenWith computes the movie of span. ctx also bounds the reading: where it
// ends, ReadAt and Read fail.
func OpenWith(ctx context.Context, src Source, cam footage.CameraID, span footage.Span, opt Options) (*Movie, error) {
	if span.Empty() || span.From <= 0 || span.To-span.From > footage.TicksIn(MaxSpan) {
		return nil, ErrSpan
	}
	ask := span
	if opt.Audio != None {
		ask.To += maxLate
	}
	parts, err := src.Parts(ctx, cam, ask)
	if err != nil {
		return nil, fmt.Errorf("clip: %w", err)
	}
	m := &Movie{ctx: ctx, src: src, cam: cam, parts: parts}
	if opt.Audio != None {
		m.parts, m.tail = withoutTail(parts, span.To)
	}
	if len(m.parts) == 0 {
		return nil, ErrNone
	}
	if err := m.sortFormats(opt.OneFormat); err != nil {
		return nil, err
	}
	if !m.measure(span, opt.FromKeyframe) {
		return nil, ErrNone
	}
	if opt.Audio != None {
		m.hear(opt.Audio)
	}
	err = m.compose()
	if err != nil && m.sound != nil {
		// Sound never costs the pictures.
		m.audio = Sound{Format: m.sound.format, Why: SoundUnusable, Until: m.sound.origin}
		m.sound = nil
		err = m.compose()
	}
	if err != nil {
		return nil, fmt.Errorf("clip: camera %s: %w", cam, err)
	}
	return m, nil
}

// sortFormats fills m's formats and the format of each part.
func (m *Movie) sortFormats(one bool) error {
	m.formats = []footage.Format{m.parts[0].Format}
	m.format = make([]uint8, len(m.parts))
	for i := 1; i < len(m.parts); i++ {
		f := &m.parts[i].Format
		k := int(m.format[i-1])
		if !f.Equal(m.formats[k]) {
			for k = 0; k < len(m.formats) && !f.Equal(m.formats[k]); k++ {
			}
		}
		if k == len(m.formats) {
			if one || f.Codec != m.formats[0].Codec || f.Codec == footage.MJPEG || k == mp4.MaxFormats {
				return formatChange(m.parts[i].Start)
			}
			m.formats = append(m.formats, *f)
		}
		m.format[i] = uint8(k)
	}
	return nil
}

// compose lays the movie out.
func (m *Movie) compose() error {
	// Presentation lags decoding by a constant where the camera reorders; the
	// wall clock counts from what is shown first.
	tracks := m.tracks(int64(m.lead+delay(m.parts)), m.span.To-m.span.From)
	var s *sounder
	if m.sound != nil {
		s = m.sound.begin()
	}
	for i := range m.parts {
		tracks[0].Expect += len(m.parts[i].Samples)
		if s != nil {
			tracks[1].Expect += len(m.parts[i].Audio.Samples)
		}
	}
	if s != nil && m.tail != nil {
		tracks[1].Expect += len(m.tail.Audio.Samples)
	}
	var samples []footage.Sample
	m.pieces, m.frames, m.keys = make([]piece, 0, len(tracks)*len(m.parts)), 0, 0
	header, data, err := mp4.Compose(tracks, func(yield func(mp4.Chunk) bool) {
		for i := range m.parts {
			samples = m.pictures(i, samples[:0])
			m.count(samples)
			m.pieces = m.addPictures(m.pieces, i, samples)
			if !yield(mp4.Chunk{Format: int(m.format[i]), Samples: samples}) {
				return
			}
			if s == nil || !s.part(i, &m.parts[i].Audio) {
				continue
			}
			m.pieces = append(m.pieces, s.pieces...)
			if !yield(mp4.Chunk{Track: 1, Sound: s.runs}) {
				return
			}
		}
		if s != nil && m.tail != nil && s.part(len(m.parts), &m.tail.Audio) {
			m.pieces = append(m.pieces, s.pieces...)
			yield(mp4.Chunk{Track: 1, Sound: s.runs})
		}
	})
	if err != nil {
		return err
	}
	if s != nil {
		m.audio = s.about()
	}
	m.header, m.size = header, int64(len(header))+data
	at := int64(len(header))
	for i := range m.pieces {
		m.pieces[i].at = at
		at += m.pieces[i].size
	}
	if at != m.size {
		return fmt.Errorf("%d bytes of pieces, the tables say %d", at, m.size)
	}
	return nil
}

// tracks returns the tracks, the one of pictures edited to show duration from
// start on.
func (m *Movie) tracks(start int64, duration footage.Ticks) []mp4.Track {
	tracks := []mp4.Track{{Formats: m.formats, Edit: mp4.Edit{Start: start, Duration: duration}}}
	if m.sound != nil {
		tracks = append(tracks, mp4.Track{Sound: m.sound.format, Edit: m.sound.edit(m.span)})
	}
	return tracks
}

// failed turns an error of reading part i into what a person can act on.
func (m *Movie) failed(i int, err error) error {
	at := m.info(i).Start
	switch {
	case errors.Is(err, ring.ErrGone):
		return gone(at).With(fmt.Errorf("clip: %w", err))
	case errors.Is(err, ring.ErrDamaged):
		return damaged(m.cam, at).With(fmt.Errorf("clip: %w", err))
	}
	return fmt.Errorf("clip: %w", err)
}
