package proof

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"veilbox/capture/footage"
	"veilbox/capture/mp4"
)

// Bounds of a copy's structure.
const (
	maxHeader  = 64 << 20 // bytes in front of the samples
	maxSamples = 1_000_000
)

// children are the boxes that a copy has, by what they are in (ISO/IEC
// 14496-12 §8). A box that is not named here is not in a copy.
var children = map[string][]string{
	"moov": {"mvhd", "trak"}, "trak": {"tkhd", "mdia"}, "mdia": {"mdhd", "hdlr", "minf"},
	"minf": {"vmhd", "smhd", "dinf", "stbl"}, "dinf": {"dref"},
	"stbl": {"stsd", "stts", "stss", "stsc", "stsz", "stco", "co64"},
}

// A Structure is what the boxes of a copy say.
type Structure struct {
	Format  footage.Format
	Samples []footage.Sample
	// Sound is empty where there is none; the durations of its samples are
	// instants.
	Sound footage.AudioFormat
	Heard []footage.Sample
	Start int64 // where the samples begin
}

// Walk reads the structure of a copy and refuses everything that a copy does
// not have. What it has read is then written again by Header: a file that
// differs from that in one byte holds something else beside its video. At most
// one track of sound may follow that of pictures; whether it is to be there, the
// mask says.
func Walk(r io.ReaderAt, size int64) (*Structure, error) {
	head, err := header(r, size)
	if err != nil {
		return nil, err
	}
	w := walker{}
	if err := w.boxes("moov", head.moov, map[string][]byte{}); err != nil {
		return nil, err
	}
	s, err := w.structure(size)
	if err != nil {
		return nil, err
	}
	s.Start = int64(len(head.all))
	want, total, err := Header(s.Format, s.Samples, s.Sound, s.Heard)
	if err != nil {
		return nil, err
	}
	if total != size-s.Start {
		return nil, fmt.Errorf("proof: the samples are %d bytes, the file holds %d", total, size-s.Start)
	}
	if !bytes.Equal(want, head.all) {
		return nil, errors.New("proof: the copy's header holds something that its video does not need")
	}
	return s, nil
}

type head struct {
	all  []byte // everything in front of the samples
	moov []byte
}

// header reads ftyp and moov and the start of mdat, which must be all there is.
func header(r io.ReaderAt, size int64) (head, error) {
	at := int64(0)
	var moov, moovEnd int64
	for _, name := range []string{"ftyp", "moov", "mdat"} {
		var b [16]byte
		if n, _ := r.ReadAt(b[:], at); n < len(b) { // a short read is the finding
			return head{}, fmt.Errorf("proof: the copy ends before its %s box", name)
		}
		if string(b[4:8]) != name {
			return head{}, fmt.Errorf("proof: the box at byte %d is %q, a copy has %s there", at, b[4:8], name)
		}
		n, hdr := int64(binary.BigEndian.Uint32(b[:4])), int64(8)
		if n == 1 && name == "mdat" {
			n, hdr = int64(binary.BigEndian.Uint64(b[8:])&(1<<62-1)), 16
		}
		if n < hdr || at+n > size || name != "mdat" && n > maxHeader {
			return head{}, fmt.Errorf("proof: the %s box says %d bytes of a file of %d", name, n, size)
		}
		switch name {
		case "moov":
			moov, moovEnd = at+8, at+n
		case "mdat":
			if at+n != size {
				return head{}, fmt.Errorf("proof: %d bytes follow the video", size-at-n)
			}
			all := make([]byte, at+hdr)
			if _, err := io.ReadFull(io.NewSectionReader(r, 0, at+hdr), all); err != nil {
				return head{}, fmt.Errorf("proof: %w", err)
			}
			return head{all: all, moov: all[moov:moovEnd]}, nil
		}
		at += n
	}
	return head{}, errors.New("proof: the copy has no video data")
}

type walker struct {
	traks []map[string][]byte // the leaf boxes of each track, by name
}

func (w *walker) boxes(parent string, b []byte, into map[string][]byte) error {
	for len(b) > 0 {
		if len(b) < 8 {
			return fmt.Errorf("proof: %d bytes are left over in %s", len(b), parent)
		}
		n, name := binary.BigEndian.Uint32(b), string(b[4:8])
		if n < 8 || int64(n) > int64(len(b)) {
			return fmt.Errorf("proof: a box in %s says %d bytes, %d are there", parent, n, len(b))
		}
		if !slices.Contains(children[parent], name) {
			return fmt.Errorf("proof: a box %q in %s: a copy has none", name, parent)
		}
		inner := into
		if name == "trak" {
			if len(w.traks) == 2 {
				return errors.New("proof: a third track: a copy has one of video, and one of sound where it was asked for")
			}
			inner = map[string][]byte{}
			w.traks = append(w.traks, inner)
		} else if _, again := into[name]; again {
			return fmt.Errorf("proof: a second box %q in %s: a copy has one", name, parent)
		}
		into[name] = b[8:n]
		if _, more := children[name]; more {
			if err := w.boxes(name, b[8:n], inner); err != nil {
				return err
			}
		}
		b = b[n:]
	}
	return nil
}

// structure reads the tables. Whatever they leave out is found by writing the
// header again.
func (w *walker) structure(size int64) (*Structure, error) {
	if len(w.traks) == 0 {
		return nil, errors.New("proof: the copy has no track")
	}
	s := &Structure{}
	var err error
	if s.Format, err = entry(w.traks[0]["stsd"]); err != nil {
		return nil, err
	}
	if s.Samples, err = samples(w.traks[0], size); err != nil {
		return nil, err
	}
	if err := keys(s.Samples, w.traks[0]); err != nil {
		return nil, err
	}
	if len(w.traks) == 1 {
		return s, nil
	}
	if s.Sound, err = soundEntry(w.traks[1]); err != nil {
		return nil, err
	}
	if s.Heard, err = samples(w.traks[1], size); err != nil {
		return nil, fmt.Errorf("proof: sound: %w", err)
	}
	for i, u := range s.Heard {
		if u.Duration != unitLength || u.Size == 0 || int(u.Size) > unitMost*s.Sound.Channels {
			return nil, fmt.Errorf("proof: unit %d of the sound is %d bytes for %d instants", i, u.Size, u.Duration)
		}
	}
	return s, nil
}

func samples(tables map[string][]byte, size int64) ([]footage.Sample, error) {
	sizes := tables["stsz"]
	if len(sizes) < 12 {
		return nil, errors.New("proof: no table of sample sizes")
	}
	same, n := binary.BigEndian.Uint32(sizes[4:]), binary.BigEndian.Uint32(sizes[8:])
	if n == 0 || n > maxSamples || int64(n) > size || same == 0 && len(sizes) != 12+4*int(n) {
		return nil, fmt.Errorf("proof: %d samples in a table of %d bytes", n, len(sizes))
	}
	s := make([]footage.Sample, n)
	for i := range s {
		s[i].Size = same
		if same == 0 {
			s[i].Size = binary.BigEndian.Uint32(sizes[12+4*i:])
		}
	}
	return s, durations(s, tables["stts"])
}

func durations(s []footage.Sample, b []byte) error {
	if len(b) < 8 || len(b) != 8+8*int(binary.BigEndian.Uint32(b[4:])) {
		return errors.New("proof: no table of times")
	}
	i := 0
	for b = b[8:]; len(b) > 0; b = b[8:] {
		n, d := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
		if int64(n) > int64(len(s)-i) {
			return errors.New("proof: more times than samples")
		}
		for range n {
			s[i].Duration = d
			i++
		}
	}
	if i != len(s) {
		return fmt.Errorf("proof: times of %d samples of %d", i, len(s))
	}
	return nil
}

func keys(s []footage.Sample, tables map[string][]byte) error {
	b, some := tables["stss"]
	if !some {
		for i := range s {
			s[i].Key = true
		}
		return nil
	}
	if len(b) < 8 || len(b) != 8+4*int(binary.BigEndian.Uint32(b[4:])) {
		return errors.New("proof: no table of keyframes")
	}
	for b = b[8:]; len(b) > 0; b = b[4:] {
		k := binary.BigEndian.Uint32(b)
		if k == 0 || int64(k) > int64(len(s)) {
			return fmt.Errorf("proof: keyframe %d of %d samples", k, len(s))
		}
		s[k-1].Key = true
	}
	return nil
}

// entry reads size and parameter sets from the sample description: one avc1
// with one SPS and one PPS (ISO/IEC 14496-15 §5.3.3.1, §5.4.2.1).
func entry(b []byte) (footage.Format, error) {
	bad := errors.New("proof: the copy is described as something else than one H.264 track")
	const fixed = 8 + 8 + 78 // of stsd, the box header of avc1, its fields
	if len(b) < fixed+8+7 || string(b[12:16]) != "avc1" || string(b[fixed+4:fixed+8]) != "avcC" {
		return footage.Format{}, bad
	}
	f := footage.Format{Codec: footage.H264, Width: int(binary.BigEndian.Uint16(b[8+8+24:])), Height: int(binary.BigEndian.Uint16(b[8+8+26:]))}
	c := b[fixed+8:]
	if c[4]&3 != 3 || c[5]&0x1f != 1 {
		return footage.Format{}, bad
	}
	c = c[6:]
	for i := range 2 {
		if i == 1 {
			if len(c) < 1 || c[0] != 1 {
				return footage.Format{}, bad
			}
			c = c[1:]
		}
		if len(c) < 2 || len(c) < 2+int(binary.BigEndian.Uint16(c)) {
			return footage.Format{}, bad
		}
		n := int(binary.BigEndian.Uint16(c))
		f.Params = append(f.Params, c[2:2+n])
		c = c[2+n:]
	}
	return f, nil
}

// soundEntry reads rate and channels of a track of AAC: the time scale, and one
// mp4a (ISO/IEC 14496-14 §5.6). The rest of it follows from these.
func soundEntry(tables map[string][]byte) (footage.AudioFormat, error) {
	b, m := tables["stsd"], tables["mdhd"]
	const fixed = 8 + 8 + 28 // of stsd, the box header of mp4a, its fields
	if len(b) < fixed || string(b[12:16]) != "mp4a" || len(m) < 16 || m[0] != 0 {
		return footage.AudioFormat{}, errors.New("proof: the second track is described as something else than AAC sound: a copy has one video track")
	}
	f, err := SoundFormat(int(binary.BigEndian.Uint32(m[12:])), int(binary.BigEndian.Uint16(b[8+8+16:])))
	if err != nil {
		return footage.AudioFormat{}, err
	}
	if err := mp4.CheckSound(f); err != nil {
		return footage.AudioFormat{}, fmt.Errorf("proof: %w", err)
	}
	return f, nil
}
