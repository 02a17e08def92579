// Package mp4 writes the structure of a progressive MP4 file (ISO/IEC 14496-12)
// with one video track, so that the file can be had without holding it: Header
// gives everything in front of the samples, and the samples follow one after
// the other in decode order.
//
// Layout: ftyp, moov, mdat (fast start). Times are ticks of 1/90000 s in both
// the movie and the media time base. The file says nothing of where, when or by
// what it was made: creation times are zero, handler and compressor names
// empty, and there is no udta. The same input gives the same bytes.
//
// H.264 is written as avc1/avcC and H.265 as hvc1/hvcC (ISO/IEC 14496-15), both
// with lengths of 4 bytes before each NAL unit, as footage.Part holds them.
// Offsets grow to 64 bits (co64, large mdat) where the file needs them.
//
// Parameter sets come from a camera. Only the few fields that avcC and hvcC
// repeat are read from them, by a reader that stops at the end of its bytes.
package mp4

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"

	"github.com/Eyevinn/mp4ff/mp4"

	"veilbox/capture/footage"
)

// Bounds of what Header takes.
const (
	MaxSamples  = 2_000_000
	MaxChunks   = 500_000
	MaxDuration = 24 * 3600 * footage.TicksPerSecond
)

// ErrInput says that a format or a sample table is outside the bounds, or that
// a parameter set cannot be read.
var ErrInput = errors.New("the stream's description cannot be used")

// Options say which part of the media is shown.
type Options struct {
	// EditStart is how much media time is skipped at the start, in ticks. What
	// is skipped stays in the file, for the decoder.
	EditStart footage.Ticks
	// EditDuration is how much is shown from there; 0 is all that is left.
	EditDuration footage.Ticks
}

// Header returns the bytes in front of the samples and the number of bytes of
// all samples together. Each slice of chunks is a run of samples that lie one
// after the other; a chunk per part keeps the tables small.
func Header(f footage.Format, chunks iter.Seq[[]footage.Sample], opt Options) (header []byte, dataSize int64, err error) {
	entry, err := sampleEntry(f)
	if err != nil {
		return nil, 0, err
	}
	t, err := collect(chunks)
	if err != nil {
		return nil, 0, err
	}
	if opt.EditStart < 0 || opt.EditDuration < 0 || opt.EditStart >= t.duration {
		return nil, 0, fmt.Errorf("mp4: an edit from tick %d for %d does not lie in media of %d: %w", opt.EditStart, opt.EditDuration, t.duration, ErrInput)
	}
	shown := max(t.duration, t.shown) - opt.EditStart
	if opt.EditDuration > 0 {
		shown = min(shown, opt.EditDuration)
	}
	edited := opt.EditStart > 0 || shown < max(t.duration, t.shown)

	ftyp := mp4.NewFtyp("isom", 0x200, []string{"isom", "iso2", brand(f.Codec), "mp41"})
	// Offsets count from the start of the file, so the tables are sized once
	// with offsets of zero before they are filled in. Large offsets make the
	// table longer, never shorter, so one decision holds.
	mdatHeader := int64(8)
	if t.size+8 > math.MaxUint32 {
		mdatHeader = 16
	}
	offsets := newOffsets(len(t.chunkSizes), false)
	moov := t.moov(f, entry, offsets, opt.EditStart, shown, edited)
	if int64(ftyp.Size()+moov.Size())+mdatHeader+t.size > math.MaxUint32 {
		offsets = newOffsets(len(t.chunkSizes), true)
		moov = t.moov(f, entry, offsets, opt.EditStart, shown, edited)
	}
	start := int64(ftyp.Size()+moov.Size()) + mdatHeader
	at := start
	for i, n := range t.chunkSizes {
		offsets.set(i, at)
		at += n
	}

	var b bytes.Buffer
	b.Grow(int(start))
	for _, box := range []interface{ Encode(io.Writer) error }{ftyp, moov} {
		if err := box.Encode(&b); err != nil {
			return nil, 0, fmt.Errorf("mp4: encode: %w", err)
		}
	}
	b.Write(mdatBytes(t.size, mdatHeader))
	if int64(b.Len()) != start {
		return nil, 0, fmt.Errorf("mp4: the header is %d bytes, its tables say %d", b.Len(), start)
	}
	return b.Bytes(), t.size, nil
}

func brand(c footage.Codec) string {
	if c == footage.H265 {
		return "hvc1"
	}
	return "avc1"
}

func mdatBytes(size, header int64) []byte {
	b := make([]byte, 0, 16)
	if header == 16 {
		b = append(b, 0, 0, 0, 1, 'm', 'd', 'a', 't')
		return appendUint(b, uint64(size+16), 8)
	}
	b = appendUint(b, uint64(size+8), 4)
	return append(b, 'm', 'd', 'a', 't')
}

func appendUint(b []byte, v uint64, n int) []byte {
	for i := n - 1; i >= 0; i-- {
		b = append(b, byte(v>>(8*i)))
	}
	return b
}

type offsets struct {
	short *mp4.StcoBox
	long  *mp4.Co64Box
}

func newOffsets(n int, long bool) *offsets {
	if long {
		return &offsets{long: &mp4.Co64Box{ChunkOffset: make([]uint64, n)}}
	}
	return &offsets{short: &mp4.StcoBox{ChunkOffset: make([]uint32, n)}}
}

func (o *offsets) box() mp4.Box {
	if o.long != nil {
		return o.long
	}
	return o.short
}

func (o *offsets) set(i int, at int64) {
	if o.long != nil {
		o.long.ChunkOffset[i] = uint64(at)
		return
	}
	o.short.ChunkOffset[i] = uint32(at)
}
