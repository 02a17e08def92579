package codec

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Whole returns Truncated where a file of size bytes says that it is longer
// than that. It knows MP4 (ISO/IEC 14496-12), AVI (RIFF) and Matroska; of
// other files it says nothing, as they say nothing themselves.
func Whole(r io.ReaderAt, size int64) error {
	var h [12]byte
	if n, err := r.ReadAt(h[:], 0); n < len(h) {
		return NotVideo.With(fmt.Errorf("codec: a file of %d bytes: %w", size, err))
	}
	switch {
	case string(h[4:8]) == "ftyp":
		return wholeMP4(r, size)
	case string(h[:4]) == "RIFF" && string(h[8:12]) == "AVI ":
		// Recorders that could not go back leave the length at 0 or all ones.
		if n := int64(binary.LittleEndian.Uint32(h[4:8])); n != 0 && n != 0xffff_ffff && n+8 > size {
			return Truncated.With(fmt.Errorf("codec: an AVI file of %d bytes, %d are there", n+8, size))
		}
	case binary.BigEndian.Uint32(h[:4]) == 0x1a45_dfa3:
		return wholeMatroska(r, size)
	}
	return nil
}

func wholeMP4(r io.ReaderAt, size int64) error {
	const most = 1 << 20 // boxes at the top, of fragmented files
	seen := false
	at := int64(0)
	for n := 0; at < size && n < most; n++ {
		var h [16]byte
		if k, _ := r.ReadAt(h[:], at); k < 8 { // a short read is the finding
			return Truncated.With(fmt.Errorf("codec: an MP4 file ends within a box at byte %d", at))
		}
		seen = seen || string(h[4:8]) == "moov"
		box := int64(binary.BigEndian.Uint32(h[:4]))
		switch box {
		case 0: // to the end of the file
			box = size - at
		case 1:
			box = int64(binary.BigEndian.Uint64(h[8:]) & (1<<62 - 1))
		}
		if box < 8 {
			return NotVideo.With(fmt.Errorf("codec: an MP4 box of %d bytes at %d", box, at))
		}
		if at+box > size {
			return Truncated.With(fmt.Errorf("codec: the MP4 box at byte %d is %d bytes, %d are there", at, box, size-at))
		}
		at += box
	}
	if !seen {
		return Truncated.With(fmt.Errorf("codec: an MP4 file of %d bytes without its index", size))
	}
	return nil
}

// wholeMatroska reads the lengths of the EBML header and the segment, RFC 8794
// §4 and RFC 9559.
func wholeMatroska(r io.ReaderAt, size int64) error {
	at := int64(4)
	n, w, ok := vint(r, at)
	if !ok {
		return nil
	}
	at += w + n + 4 // over the header and the segment's ID
	n, w, ok = vint(r, at)
	if ok && at+w+n > size {
		return Truncated.With(fmt.Errorf("codec: a Matroska file of %d bytes, %d are there", at+w+n, size))
	}
	return nil
}

// vint reads a length; ok is false where it is unknown or not there.
func vint(r io.ReaderAt, at int64) (v, width int64, ok bool) {
	var b [8]byte
	n, _ := r.ReadAt(b[:], at) // a short read is a length that is not there
	if n == 0 || b[0] == 0 {
		return 0, 0, false
	}
	width = 1
	for mask := byte(0x80); b[0]&mask == 0; mask >>= 1 {
		width++
	}
	if int64(n) < width {
		return 0, 0, false
	}
	v = int64(b[0]) & (1<<(8-width) - 1)
	for _, c := range b[1:width] {
		v = v<<8 | int64(c)
	}
	return v, width, v != 1<<(7*width)-1 && v < 1<<50
}

// Seekable reports whether the file is of a kind that says where its frames are:
// MP4, AVI or Matroska.
func Seekable(r io.ReaderAt) bool {
	var h [12]byte
	if n, _ := r.ReadAt(h[:], 0); n < len(h) { // a short read is the finding
		return false
	}
	return string(h[4:8]) == "ftyp" || string(h[:4]) == "RIFF" || binary.BigEndian.Uint32(h[:4]) == 0x1a45_dfa3
}
