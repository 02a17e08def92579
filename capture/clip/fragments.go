package clip

import (
	"context"
	"fmt"
	"io"

	"veilbox/capture/footage"
	"veilbox/capture/mp4"
)

// FragmentOptions shape a fragmented stream. The zero value gives a file of its
// own, which shows what the movie shows.
type FragmentOptions struct {
	// Origin is the instant at which the stream's time is 0, for a stream that
	// is put together from several spans while recording goes on (Media Source
	// Extensions): pictures lie at their own wall time after it, and nothing is
	// hidden, so that the stream begins at the keyframe. It is at or before the
	// movie's first picture.
	Origin footage.Ticks
	// NoInit leaves the initialisation segment out.
	NoInit bool
	// Number is that of the first fragment; 0 is 1.
	Number uint32
}

// Init returns the initialisation segment of the movie's fragments. Movies
// with the same formats have the same, where opt.Origin is set.
func (m *Movie) Init(opt FragmentOptions) ([]byte, error) {
	var duration footage.Ticks
	if opt.Origin == 0 {
		duration = m.span.To - m.span.From
	}
	b, err := mp4.Init(m.fragmentTracks(opt), duration)
	if err != nil {
		return nil, fmt.Errorf("clip: camera %s: %w", m.cam, err)
	}
	return b, nil
}

func (m *Movie) fragmentTracks(opt FragmentOptions) []mp4.Track {
	start := delay(m.parts)
	if opt.Origin == 0 {
		start += m.lead
	}
	tracks := m.tracks(int64(start), 0)
	if m.sound != nil {
		e := &tracks[1].Edit
		e.Delay, e.Duration = 0, 0
		if opt.Origin != 0 {
			e.Start = 0
		}
	}
	return tracks
}

// WriteFragments writes the movie as fragmented MP4, one fragment a part, with
// no more than one part in memory. It returns when all of the span is written;
// what is recorded after Open is not in it.
func (m *Movie) WriteFragments(ctx context.Context, w io.Writer, opt FragmentOptions) error {
	tracks := m.fragmentTracks(opt)
	origin := m.first
	if opt.Origin != 0 {
		if origin = opt.Origin; origin > m.first {
			return fmt.Errorf("clip: the stream's origin is behind its first picture: ask from %d ticks on", origin)
		}
	}
	if !opt.NoInit {
		b, err := m.Init(opt)
		if err != nil {
			return err
		}
		if _, err := w.Write(b); err != nil {
			return fmt.Errorf("clip: write: %w", err)
		}
	}
	var s *sounder
	if m.sound != nil {
		s = m.sound.begin()
	}
	l := loader{m: m, ctx: ctx}
	var samples []footage.Sample
	var pieces []piece
	var head []byte
	for i := range m.parts {
		samples = m.pictures(i, samples[:0])
		pieces = m.addPictures(pieces[:0], i, samples)
		fragments := [2]mp4.Fragment{{
			Chunk: mp4.Chunk{Format: int(m.format[i]), Samples: samples},
			Time:  int64(m.parts[i].Start - origin),
		}}
		n := 1
		if s != nil && s.part(i, &m.parts[i].Audio) {
			fragments[1] = mp4.Fragment{Chunk: mp4.Chunk{Track: 1, Sound: s.runs}, Time: s.at + m.soundOffset(opt)}
			pieces = append(pieces, s.pieces...)
			n = 2
		}
		var err error
		head, err = mp4.Head(head[:0], tracks, max(1, opt.Number)+uint32(i), fragments[:n])
		if err != nil {
			return fmt.Errorf("clip: camera %s: %w", m.cam, err)
		}
		// The part is read before its head is written: where it is damaged, the
		// stream ends whole.
		if err := l.need(i); err != nil {
			return err
		}
		if _, err := w.Write(head); err != nil {
			return fmt.Errorf("clip: write: %w", err)
		}
		for k := range pieces {
			if err := l.write(w, &pieces[k]); err != nil {
				return err
			}
		}
	}
	if i := len(m.parts); s != nil && m.tail != nil && s.part(i, &m.tail.Audio) {
		return m.writeTail(&l, w, tracks, max(1, opt.Number)+uint32(i), s, opt)
	}
	return nil
}

// writeTail writes a fragment of the sound that lies behind the pictures' parts.
func (m *Movie) writeTail(l *loader, w io.Writer, tracks []mp4.Track, number uint32, s *sounder, opt FragmentOptions) error {
	head, err := mp4.Head(nil, tracks, number, []mp4.Fragment{{
		Chunk: mp4.Chunk{Track: 1, Sound: s.runs}, Time: s.at + m.soundOffset(opt),
	}})
	if err != nil {
		return fmt.Errorf("clip: camera %s: %w", m.cam, err)
	}
	if err := l.need(len(m.parts)); err != nil {
		return err
	}
	if _, err := w.Write(head); err != nil {
		return fmt.Errorf("clip: write: %w", err)
	}
	for k := range s.pieces {
		if err := l.write(w, &s.pieces[k]); err != nil {
			return err
		}
	}
	return nil
}

// soundOffset returns when the sound's first unit is heard on the stream's time
// line, in instants, before the edit.
func (m *Movie) soundOffset(opt FragmentOptions) int64 {
	if opt.Origin != 0 {
		return m.sound.instants(max(0, m.sound.origin-opt.Origin))
	}
	return m.sound.instants(max(0, m.sound.origin-m.span.From))
}
