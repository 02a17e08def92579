package mp4

import (
	"fmt"

	"github.com/Eyevinn/mp4ff/mp4"

	"veilbox/capture/footage"
)

// tables is the sample table of a track, runs of equal values merged.
type tables struct {
	track      *Track
	entries    []mp4.Box
	scale      int64 // media time scale
	stts       *mp4.SttsBox
	ctts       *mp4.CttsBox
	stss       *mp4.StssBox
	stsc       *mp4.StscBox
	stsz       *mp4.StszBox
	perChunk   uint32 // of the last entry of stsc
	entry      int
	chunkSizes []int64
	size       int64
	n          int64         // samples
	keys       int64         // keyframes among them
	shifted    bool          // some sample is not shown when it is decoded
	duration   int64         // of the media, in scale
	ends       int64         // when the last picture's showing ends
	shown      footage.Ticks // after the edit
	edited     bool
	offsets    *offsets
	placed     int
}

func newTables(tracks []Track) ([]*tables, error) {
	if len(tracks) == 0 || len(tracks) > 8 {
		return nil, fmt.Errorf("mp4: %d tracks: %w", len(tracks), ErrInput)
	}
	var ts []*tables
	for i := range tracks {
		t := &tables{track: &tracks[i], scale: footage.TicksPerSecond,
			stts: &mp4.SttsBox{}, stsc: &mp4.StscBox{}, stsz: &mp4.StszBox{}, stss: &mp4.StssBox{},
			ctts: &mp4.CttsBox{EndSampleNr: []uint32{0}}}
		if t.sound() {
			e, err := soundEntry(t.track.Sound)
			if err != nil {
				return nil, err
			}
			t.entries, t.scale = []mp4.Box{e}, int64(t.track.Sound.Rate)
			t.stsz.SampleUniformSize = uniform(t.track.Sound)
		}
		if n := t.track.Expect; n > 0 && t.stsz.SampleUniformSize == 0 {
			t.stsz.SampleSize = make([]uint32, 0, min(n, MaxSamples))
		}
		if len(t.track.Formats) > MaxFormats {
			return nil, fmt.Errorf("mp4: %d formats: %w", len(t.track.Formats), ErrInput)
		}
		for _, f := range t.track.Formats {
			e, err := sampleEntry(f)
			if err != nil {
				return nil, err
			}
			if f.Codec != t.track.codec() {
				return nil, fmt.Errorf("mp4: %v and %v in one track: %w", t.track.codec(), f.Codec, ErrInput)
			}
			t.entries = append(t.entries, e)
		}
		ts = append(ts, t)
	}
	return ts, nil
}

func (t *tables) sound() bool { return len(t.track.Formats) == 0 }

// add enters a chunk and returns its size.
func (t *tables) add(c *Chunk) (int64, error) {
	if len(t.chunkSizes) == MaxChunks {
		return 0, fmt.Errorf("mp4: more than %d chunks: %w", MaxChunks, ErrInput)
	}
	if c.Format < 0 || c.Format >= len(t.entries) || t.sound() != (len(c.Samples) == 0) || len(c.Samples) > 0 && len(c.Sound) > 0 {
		return 0, fmt.Errorf("mp4: a chunk that is not of its track: %w", ErrInput)
	}
	n, size := t.n, t.size
	var err error
	if t.sound() {
		err = t.addSound(c.Sound)
	} else {
		err = t.addPictures(c.Samples)
	}
	if err != nil {
		return 0, err
	}
	size, per := t.size-size, uint32(t.n-n)
	t.chunkSizes = append(t.chunkSizes, size)
	if len(t.chunkSizes) == 1 || per != t.perChunk || c.Format != t.entry {
		if err := t.stsc.AddEntry(uint32(len(t.chunkSizes)), per, uint32(c.Format+1)); err != nil {
			return 0, fmt.Errorf("mp4: chunk table: %w", err)
		}
		t.perChunk, t.entry = per, c.Format
	}
	return size, nil
}

func (t *tables) addPictures(chunk []footage.Sample) error {
	if t.n+int64(len(chunk)) > MaxSamples {
		return fmt.Errorf("mp4: more than %d samples: %w", MaxSamples, ErrInput)
	}
	for i := range chunk {
		s := &chunk[i]
		t.n++
		if t.n == 1 && !s.Key {
			return fmt.Errorf("mp4: the first sample is no keyframe: %w", ErrInput)
		}
		t.size += int64(s.Size)
		t.ends = max(t.ends, t.duration+int64(s.Offset)+int64(s.Duration))
		t.duration += int64(s.Duration)
		t.stsz.SampleSize = append(t.stsz.SampleSize, s.Size)
		t.last(1, s.Duration)
		if k := len(t.ctts.SampleOffset) - 1; k >= 0 && t.ctts.SampleOffset[k] == s.Offset {
			t.ctts.EndSampleNr[k+1] = uint32(t.n)
		} else {
			t.ctts.SampleOffset = append(t.ctts.SampleOffset, s.Offset)
			t.ctts.EndSampleNr = append(t.ctts.EndSampleNr, uint32(t.n))
		}
		t.shifted = t.shifted || s.Offset != 0
		if s.Offset < 0 {
			t.ctts.Version = 1
		}
		if s.Key {
			t.keys++
			t.stss.SampleNumber = append(t.stss.SampleNumber, uint32(t.n))
		}
	}
	return nil
}

// last enters n samples that last d each.
func (t *tables) last(n, d uint32) {
	if k := len(t.stts.SampleCount) - 1; k >= 0 && t.stts.SampleTimeDelta[k] == d {
		t.stts.SampleCount[k] += n
		return
	}
	t.stts.SampleCount = append(t.stts.SampleCount, n)
	t.stts.SampleTimeDelta = append(t.stts.SampleTimeDelta, d)
}

func (t *tables) addSound(runs []Run) error {
	for _, r := range runs {
		size, length := int64(r.Count)*int64(r.Size), int64(r.Count)*int64(r.Length)
		n := int64(r.Count)
		if u := int64(t.stsz.SampleUniformSize); u > 0 {
			n = size / u
			if size%u != 0 || length != n {
				return fmt.Errorf("mp4: %d bytes of G.711 for %d instants: %w", size, length, ErrInput)
			}
			t.last(uint32(n), 1)
		} else {
			if t.n+n > MaxSamples {
				return fmt.Errorf("mp4: more than %d samples: %w", MaxSamples, ErrInput)
			}
			for range n {
				t.stsz.SampleSize = append(t.stsz.SampleSize, r.Size)
			}
			t.last(r.Count, r.Length)
		}
		t.n += n
		t.size += size
		t.duration += length
		if t.duration > MaxDuration/footage.TicksPerSecond*t.scale {
			return fmt.Errorf("mp4: more than a day of sound: %w", ErrInput)
		}
	}
	t.ends, t.keys = t.duration, t.n
	return nil
}

// finish checks the table and applies the edit.
func (t *tables) finish() error {
	if t.n == 0 || t.size == 0 || t.duration <= 0 || t.duration > MaxDuration/footage.TicksPerSecond*t.scale {
		return fmt.Errorf("mp4: %d samples of %d bytes and %d/%d s together: %w", t.n, t.size, t.duration, t.scale, ErrInput)
	}
	e := t.track.Edit
	if e.Start < 0 || e.Duration < 0 || e.Delay < 0 || e.Start >= t.duration {
		return fmt.Errorf("mp4: an edit from %d for %d does not lie in media of %d: %w", e.Start, e.Duration, t.duration, ErrInput)
	}
	t.stsz.SampleNumber = uint32(t.n)
	end := max(t.duration, t.ends)
	whole := footage.Ticks((end - e.Start) * footage.TicksPerSecond / t.scale)
	t.shown = whole
	if e.Duration > 0 {
		t.shown = min(t.shown, e.Duration)
	}
	t.edited = e.Delay > 0 || e.Start > 0 || t.shown < whole
	return nil
}

// place notes where the next chunk lies and returns its size.
func (t *tables) place(at int64) int64 {
	t.offsets.set(t.placed, at)
	t.placed++
	return t.chunkSizes[t.placed-1]
}
