package mp4

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/Eyevinn/mp4ff/mp4"

	"veilbox/capture/footage"
)

// Init returns the initialisation segment of a fragmented file of the tracks
// (ISO/IEC 14496-12 §8.8), whose samples come in fragments. duration is how long
// all of them are shown, 0 where nobody knows yet; an edit's own is left out.
func Init(tracks []Track, duration footage.Ticks) ([]byte, error) {
	ts, err := newTables(tracks)
	if err != nil {
		return nil, err
	}
	for _, t := range ts {
		if e := t.track.Edit; e.Start < 0 || e.Delay < 0 {
			return nil, fmt.Errorf("mp4: an edit from %d after %d: %w", e.Start, e.Delay, ErrInput)
		}
		t.edited = t.track.Edit.Start > 0 || t.track.Edit.Delay > 0
		t.stsz.SampleUniformSize = 0
	}
	moov := movie(ts, false)
	moov.Mvhd.Duration = 0
	mvex := mp4.NewMvexBox()
	if duration > 0 {
		mvex.AddChild(&mp4.MehdBox{Version: 1, FragmentDuration: int64(duration)})
	}
	for i, t := range moov.Traks {
		t.Tkhd.Duration = 0
		mvex.AddChild(mp4.CreateTrex(uint32(i + 1)))
	}
	moov.AddChild(mvex)
	ftyp := fileType(tracks)
	ftyp = mp4.NewFtyp("iso6", 0, append([]string{"iso6"}, ftyp.CompatibleBrands()...))
	var b bytes.Buffer
	for _, box := range []interface{ Encode(io.Writer) error }{ftyp, moov} {
		if err := box.Encode(&b); err != nil {
			return nil, fmt.Errorf("mp4: encode: %w", err)
		}
	}
	return b.Bytes(), nil
}

// A Fragment is the samples of one track in a fragment.
type Fragment struct {
	Chunk
	// Time is the decode time of the first sample, in the track's time scale:
	// ticks, or instants of sound.
	Time int64
}

// Flags of ISO/IEC 14496-12 §8.8.7, §8.8.8 and §8.8.3.1.
const (
	tfhdEntry = 0x00_0002
	tfhdFlags = 0x00_0020
	tfhdBase  = 0x02_0000

	trunOffset   = 0x001
	trunDuration = 0x100
	trunSize     = 0x200
	trunFlags    = 0x400
	trunShift    = 0x800

	sampleKey   = 0x0200_0000 // depends on no other
	sampleDelta = 0x0101_0000 // depends on others, no sync sample
)

// Head appends to b what goes in front of the samples of one fragment: moof and
// the head of an mdat. tracks are those of Init; number counts the fragments
// from 1. The samples follow in the order of the fragments.
func Head(b []byte, tracks []Track, number uint32, fragments []Fragment) ([]byte, error) {
	start := len(b)
	b = open(b, "moof")
	b = open(b, "mfhd")
	b = binary.BigEndian.AppendUint32(b, 0)
	b = binary.BigEndian.AppendUint32(b, number)
	shut(b, len(b)-16)
	var patches [16]int
	var sizes [16]int64
	if len(fragments) == 0 || len(fragments) > len(patches) {
		return nil, fmt.Errorf("mp4: %d runs in a fragment: %w", len(fragments), ErrInput)
	}
	for i := range fragments {
		f := &fragments[i]
		if f.Track < 0 || f.Track >= len(tracks) || f.Time < 0 {
			return nil, fmt.Errorf("mp4: a fragment of track %d at %d: %w", f.Track, f.Time, ErrInput)
		}
		traf := len(b)
		b = open(b, "traf")
		if t := &tracks[f.Track]; len(t.Formats) > 0 {
			b, patches[i], sizes[i] = pictureRun(b, f)
		} else {
			b, patches[i], sizes[i] = soundRun(b, f)
		}
		shut(b, traf)
	}
	shut(b, start)
	at := int64(len(b)-start) + 8
	for i := range fragments {
		if at > math.MaxInt32 {
			return nil, fmt.Errorf("mp4: a fragment of more than 2 GiB: %w", ErrInput)
		}
		binary.BigEndian.PutUint32(b[patches[i]:], uint32(at))
		at += sizes[i]
	}
	b = binary.BigEndian.AppendUint32(b, uint32(at-int64(len(b)-start)))
	return append(b, "mdat"...), nil
}

func open(b []byte, name string) []byte { return append(append(b, 0, 0, 0, 0), name...) }

func shut(b []byte, at int) { binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at)) }

// tfdt appends the times of a run, ibid. §8.8.12.
func tfdt(b []byte, at int64) []byte {
	n := len(b)
	b = open(b, "tfdt")
	b = binary.BigEndian.AppendUint32(b, 1<<24)
	b = binary.BigEndian.AppendUint64(b, uint64(at))
	shut(b, n)
	return b
}

func pictureRun(b []byte, f *Fragment) (out []byte, patch int, size int64) {
	n := len(b)
	b = open(b, "tfhd")
	for _, v := range []uint32{tfhdBase | tfhdEntry, uint32(f.Track + 1), uint32(f.Format + 1)} {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	shut(b, n)
	b = tfdt(b, f.Time)
	n = len(b)
	flags := uint32(1<<24 | trunOffset | trunDuration | trunSize | trunFlags)
	for i := range f.Samples {
		if f.Samples[i].Offset != 0 {
			flags |= trunShift
			break
		}
	}
	b = open(b, "trun")
	b = binary.BigEndian.AppendUint32(b, flags)
	b = binary.BigEndian.AppendUint32(b, uint32(len(f.Samples)))
	patch = len(b)
	b = append(b, 0, 0, 0, 0)
	for i := range f.Samples {
		s := &f.Samples[i]
		size += int64(s.Size)
		b = binary.BigEndian.AppendUint32(b, s.Duration)
		b = binary.BigEndian.AppendUint32(b, s.Size)
		if s.Key {
			b = binary.BigEndian.AppendUint32(b, sampleKey)
		} else {
			b = binary.BigEndian.AppendUint32(b, sampleDelta)
		}
		if flags&trunShift != 0 {
			b = binary.BigEndian.AppendUint32(b, uint32(s.Offset))
		}
	}
	shut(b, n)
	return b, patch, size
}

// soundRun writes a row for each unit of a run, also of G.711: players make a
// packet of each row, and one for each instant would be thousands a second.
func soundRun(b []byte, f *Fragment) (out []byte, patch int, size int64) {
	n := len(b)
	var count uint32
	for _, r := range f.Sound {
		count += r.Count
		size += int64(r.Count) * int64(r.Size)
	}
	b = open(b, "tfhd")
	for _, v := range []uint32{tfhdBase | tfhdFlags, uint32(f.Track + 1), sampleKey} {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	shut(b, n)
	b = tfdt(b, f.Time)
	n = len(b)
	b = open(b, "trun")
	b = binary.BigEndian.AppendUint32(b, 1<<24|trunOffset|trunDuration|trunSize)
	b = binary.BigEndian.AppendUint32(b, count)
	patch = len(b)
	b = append(b, 0, 0, 0, 0)
	for _, r := range f.Sound {
		for range r.Count {
			b = binary.BigEndian.AppendUint32(b, r.Length)
			b = binary.BigEndian.AppendUint32(b, r.Size)
		}
	}
	shut(b, n)
	return b, patch, size
}
