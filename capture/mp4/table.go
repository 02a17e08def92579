package mp4

import (
	"fmt"
	"iter"

	"github.com/Eyevinn/mp4ff/mp4"

	"veilbox/capture/footage"
)

// tables is the sample table of the track, runs of equal values merged.
type tables struct {
	stts       *mp4.SttsBox
	ctts       *mp4.CttsBox // nil where every sample is shown when it is decoded
	stss       *mp4.StssBox // nil where every sample is a keyframe
	stsc       *mp4.StscBox
	stsz       *mp4.StszBox
	chunkSizes []int64
	size       int64
	duration   footage.Ticks
	shown      footage.Ticks // when the last picture's showing ends
}

func collect(chunks iter.Seq[[]footage.Sample]) (*tables, error) {
	t := &tables{stts: &mp4.SttsBox{}, stsc: &mp4.StscBox{}, stsz: &mp4.StszBox{}}
	ctts := &mp4.CttsBox{EndSampleNr: []uint32{0}}
	stss := &mp4.StssBox{}
	var n uint32
	shifted := false
	for chunk := range chunks {
		if len(chunk) == 0 {
			continue
		}
		if len(t.chunkSizes) == MaxChunks || int(n)+len(chunk) > MaxSamples {
			return nil, fmt.Errorf("mp4: more than %d chunks or %d samples: %w", MaxChunks, MaxSamples, ErrInput)
		}
		var bytes int64
		for i := range chunk {
			s := &chunk[i]
			n++
			if n == 1 && !s.Key {
				return nil, fmt.Errorf("mp4: the first sample is no keyframe: %w", ErrInput)
			}
			bytes += int64(s.Size)
			t.shown = max(t.shown, t.duration+footage.Ticks(s.Offset)+footage.Ticks(s.Duration))
			t.duration += footage.Ticks(s.Duration)
			t.stsz.SampleSize = append(t.stsz.SampleSize, s.Size)
			if k := len(t.stts.SampleCount) - 1; k >= 0 && t.stts.SampleTimeDelta[k] == s.Duration {
				t.stts.SampleCount[k]++
			} else {
				t.stts.SampleCount = append(t.stts.SampleCount, 1)
				t.stts.SampleTimeDelta = append(t.stts.SampleTimeDelta, s.Duration)
			}
			if k := len(ctts.SampleOffset) - 1; k >= 0 && ctts.SampleOffset[k] == s.Offset {
				ctts.EndSampleNr[k+1] = n
			} else {
				ctts.SampleOffset = append(ctts.SampleOffset, s.Offset)
				ctts.EndSampleNr = append(ctts.EndSampleNr, n)
			}
			shifted = shifted || s.Offset != 0
			if s.Offset < 0 {
				ctts.Version = 1
			}
			if s.Key {
				stss.SampleNumber = append(stss.SampleNumber, n)
			}
		}
		t.size += bytes
		t.chunkSizes = append(t.chunkSizes, bytes)
		if k := len(t.stsc.Entries) - 1; k < 0 || t.stsc.Entries[k].SamplesPerChunk != uint32(len(chunk)) {
			if err := t.stsc.AddEntry(uint32(len(t.chunkSizes)), uint32(len(chunk)), 1); err != nil {
				return nil, fmt.Errorf("mp4: chunk table: %w", err)
			}
		}
	}
	if n == 0 || t.size == 0 || t.duration <= 0 || t.duration > MaxDuration {
		return nil, fmt.Errorf("mp4: %d samples of %d bytes and %d ticks together: %w", n, t.size, t.duration, ErrInput)
	}
	t.stsz.SampleNumber = n
	if shifted {
		t.ctts = ctts
	}
	if len(stss.SampleNumber) != int(n) {
		t.stss = stss
	}
	return t, nil
}

// moov builds the movie box around the tables. The offsets box is the caller's
// to fill in afterwards.
func (t *tables) moov(f footage.Format, entry *mp4.VisualSampleEntryBox, o *offsets, from, shown footage.Ticks, edited bool) *mp4.MoovBox {
	stsd := mp4.NewStsdBox()
	stsd.AddChild(entry)
	stbl := mp4.NewStblBox()
	stbl.AddChild(stsd)
	stbl.AddChild(t.stts)
	if t.ctts != nil {
		stbl.AddChild(t.ctts)
	}
	if t.stss != nil {
		stbl.AddChild(t.stss)
	}
	stbl.AddChild(t.stsc)
	stbl.AddChild(t.stsz)
	stbl.AddChild(o.box())

	dinf := &mp4.DinfBox{}
	dinf.AddChild(mp4.CreateDref())
	minf := mp4.NewMinfBox()
	minf.AddChild(mp4.CreateVmhd())
	minf.AddChild(dinf)
	minf.AddChild(stbl)

	mdhd := &mp4.MdhdBox{Timescale: footage.TicksPerSecond, Duration: uint64(t.duration)}
	if t.duration > 0xffff_ffff {
		mdhd.Version = 1
	}
	mdhd.SetLanguage("und")
	mdia := mp4.NewMdiaBox()
	mdia.AddChild(mdhd)
	mdia.AddChild(&mp4.HdlrBox{HandlerType: "vide"})
	mdia.AddChild(minf)

	tkhd := mp4.CreateTkhd()
	tkhd.Duration = uint64(shown)
	tkhd.Width, tkhd.Height = mp4.Fixed32(f.Width<<16), mp4.Fixed32(f.Height<<16)
	mvhd := mp4.CreateMvhd()
	mvhd.Timescale = footage.TicksPerSecond
	mvhd.Duration = uint64(shown)
	elst := &mp4.ElstBox{Entries: []mp4.ElstEntry{{SegmentDuration: uint64(shown), MediaTime: int64(from), MediaRateInteger: 1}}}
	if shown > 0xffff_ffff || from > 0x7fff_ffff {
		tkhd.Version, mvhd.Version, elst.Version = 1, 1, 1
	}

	trak := mp4.NewTrakBox()
	trak.AddChild(tkhd)
	if edited {
		edts := &mp4.EdtsBox{}
		edts.AddChild(elst)
		trak.AddChild(edts)
	}
	trak.AddChild(mdia)
	moov := mp4.NewMoovBox()
	moov.AddChild(mvhd)
	moov.AddChild(trak)
	return moov
}
