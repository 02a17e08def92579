// Package mp4 writes the structure of MP4 files (ISO/IEC 14496-12), so that a
// file can be had without holding it.
//
// A progressive file is ftyp, moov, mdat (fast start): Header, for one track of
// pictures, and Compose, for pictures and sound, give everything in front of the
// samples, and the samples follow chunk after chunk. A fragmented file is what
// Init gives and then, as often as wanted, a head of Fragments.Head (moof and
// the head of an mdat) and its samples.
//
// Times are ticks of 1/90000 s in the movie and in tracks of pictures; a track
// of sound counts in its own sampling rate. The file says nothing of where,
// when or by what it was made: creation times are zero, handler and compressor
// names empty, and there is no udta. The same input gives the same bytes.
//
// Sample entries: H.264 avc1/avcC and H.265 hvc1/hvcC (ISO/IEC 14496-15), both
// with lengths of 4 bytes before each NAL unit, as footage.Part holds them;
// MJPEG mp4v/esds with object type 0x6C (ISO/IEC 14496-1 §7.2.6.6.2); AAC
// mp4a/esds (ISO/IEC 14496-14); Opus Opus/dOps; G.711 alaw and ulaw, where each
// instant is a sample. A track of pictures may have several entries, of one
// codec. Offsets grow to 64 bits (co64, large mdat) where the file needs them.
//
// Parameter sets come from a camera. Only the few fields that the entries
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

// Bounds of what Header and Compose take.
const (
	MaxSamples  = 2_000_000 // of a track, but for G.711
	MaxChunks   = 500_000
	MaxFormats  = 64
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

// A Track is one track of a file.
type Track struct {
	// Formats are the sample entries of a track of pictures, all of one codec;
	// none makes it a track of sound.
	Formats []footage.Format
	Sound   footage.AudioFormat
	Edit    Edit
	// Expect is about how many samples come, for room to be made at once; 0
	// where that is not known.
	Expect int
}

// An Edit says when and which part of a track's media is shown.
type Edit struct {
	// Delay is how long the track waits at the start.
	Delay footage.Ticks
	// Start is how much media is skipped, in the track's time scale: ticks, or
	// instants of sound.
	Start int64
	// Duration is how much is shown from there, in ticks; 0 is all there is.
	Duration footage.Ticks
}

// A Chunk is a run of samples of one track that lie one after the other.
type Chunk struct {
	Track   int // index
	Format  int // index of the sample entry in Track.Formats
	Samples []footage.Sample
	Sound   []Run // instead of Samples, where the track is one of sound
}

// A Run is a number of access units of sound that are alike.
type Run struct {
	Count  uint32
	Size   uint32 // bytes of each
	Length uint32 // instants of each; of G.711 one for Size/Channels bytes
}

// Header returns the bytes in front of the samples and the number of bytes of
// all samples together. Each slice of chunks is a run of samples that lie one
// after the other; a chunk per part keeps the tables small.
func Header(f footage.Format, chunks iter.Seq[[]footage.Sample], opt Options) (header []byte, dataSize int64, err error) {
	track := Track{Formats: []footage.Format{f}, Edit: Edit{Start: int64(opt.EditStart), Duration: opt.EditDuration}}
	return Compose([]Track{track}, func(yield func(Chunk) bool) {
		for c := range chunks {
			if !yield(Chunk{Samples: c}) {
				return
			}
		}
	})
}

// Compose returns the bytes in front of the samples and the number of bytes of
// all samples together. The file has its chunks in the order in which they
// come; a chunk and what is in it is not kept.
func Compose(tracks []Track, chunks iter.Seq[Chunk]) (header []byte, dataSize int64, err error) {
	ts, err := newTables(tracks)
	if err != nil {
		return nil, 0, err
	}
	var order []uint8 // the track of each chunk
	var size int64
	for c := range chunks {
		if len(c.Samples) == 0 && len(c.Sound) == 0 {
			continue
		}
		if c.Track < 0 || c.Track >= len(ts) {
			return nil, 0, fmt.Errorf("mp4: a chunk of track %d of %d: %w", c.Track, len(ts), ErrInput)
		}
		n, err := ts[c.Track].add(&c)
		if err != nil {
			return nil, 0, err
		}
		order = append(order, uint8(c.Track))
		size += n
	}
	for _, t := range ts {
		if err := t.finish(); err != nil {
			return nil, 0, err
		}
	}

	ftyp := fileType(tracks)
	// Offsets count from the start of the file, so the tables are sized once
	// with offsets of zero before they are filled in. Large offsets make the
	// table longer, never shorter, so one decision holds.
	mdatHeader := int64(8)
	if size+8 > math.MaxUint32 {
		mdatHeader = 16
	}
	moov := movie(ts, false)
	if int64(ftyp.Size()+moov.Size())+mdatHeader+size > math.MaxUint32 {
		moov = movie(ts, true)
	}
	start := int64(ftyp.Size()+moov.Size()) + mdatHeader
	at := start
	for _, k := range order {
		at += ts[k].place(at)
	}

	var b bytes.Buffer
	b.Grow(int(start))
	for _, box := range []interface{ Encode(io.Writer) error }{ftyp, moov} {
		if err := box.Encode(&b); err != nil {
			return nil, 0, fmt.Errorf("mp4: encode: %w", err)
		}
	}
	b.Write(mdatBytes(size, mdatHeader))
	if int64(b.Len()) != start {
		return nil, 0, fmt.Errorf("mp4: the header is %d bytes, its tables say %d", b.Len(), start)
	}
	return b.Bytes(), size, nil
}

func fileType(tracks []Track) *mp4.FtypBox {
	brands := []string{"isom", "iso2", "mp41"}
	switch c := tracks[0].codec(); c {
	case footage.H264:
		brands = []string{"isom", "iso2", "avc1", "mp41"}
	case footage.H265:
		brands = []string{"isom", "iso2", "hvc1", "mp41"}
	}
	return mp4.NewFtyp("isom", 0x200, brands)
}

// codec returns the codec of a track of pictures, else 0.
func (t *Track) codec() footage.Codec {
	if len(t.Formats) == 0 {
		return 0
	}
	return t.Formats[0].Codec
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
