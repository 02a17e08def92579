package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"
)

// counter counts what has been read.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}

// firstGOP reads an MP4 from its beginning until its index and the samples
// before the second keyframe are there, and returns the length of its track.
func firstGOP(r io.Reader) (time.Duration, error) {
	in := &counter{r: r}
	for {
		b, err := mp4.DecodeBox(uint64(in.n), in)
		if err != nil {
			return 0, fmt.Errorf("the clip's index: %w", err)
		}
		moov, ok := b.(*mp4.MoovBox)
		if !ok {
			if b.Type() == "mdat" {
				return 0, errors.New("the clip's index comes after its samples: it does not start fast")
			}
			continue
		}
		end, length, err := gop(moov)
		if err != nil {
			return 0, err
		}
		if _, err := io.CopyN(io.Discard, in, end-in.n); err != nil {
			return 0, fmt.Errorf("the clip's first GOP: %w", err)
		}
		return length, nil
	}
}

// gop returns where the first GOP ends in the file.
func gop(moov *mp4.MoovBox) (end int64, length time.Duration, err error) {
	t := moov.Trak
	if t == nil || t.Mdia == nil || t.Mdia.Mdhd == nil || t.Mdia.Minf == nil || t.Mdia.Minf.Stbl == nil {
		return 0, 0, errors.New("the clip's index has no track")
	}
	s := t.Mdia.Minf.Stbl
	if s.Stsz == nil || s.Stsz.GetNrSamples() == 0 || t.Mdia.Mdhd.Timescale == 0 {
		return 0, 0, errors.New("the clip's track has no samples")
	}
	switch {
	case s.Stco != nil && len(s.Stco.ChunkOffset) > 0:
		end = int64(s.Stco.ChunkOffset[0])
	case s.Co64 != nil && len(s.Co64.ChunkOffset) > 0:
		end = int64(s.Co64.ChunkOffset[0])
	default:
		return 0, 0, errors.New("the clip's index does not say where its samples are")
	}
	last := s.Stsz.GetNrSamples()
	if s.Stss != nil && len(s.Stss.SampleNumber) > 1 {
		last = s.Stss.SampleNumber[1] - 1
	}
	for i := uint32(1); i <= last; i++ {
		end += int64(s.Stsz.GetSampleSize(int(i)))
	}
	return end, time.Duration(float64(t.Mdia.Mdhd.Duration) / float64(t.Mdia.Mdhd.Timescale) * float64(time.Second)), nil
}
