// Package documents takes a file that belongs to a case's evidence, such as the
// receipt of the report to the police: it finds out by content what the file is,
// checks its structure and copies it in one pass.
//
// Nothing is decoded or drawn. What is checked:
//
//   - PDF (ISO 32000-2, 7.5): the header "%PDF-1." or "%PDF-2." at the first
//     byte, and at the end "startxref", an offset within the file and "%%EOF",
//     with nothing but white space behind. Scripts, forms and attachments in it
//     are not looked for: a PDF is only ever handed out to be saved.
//   - JPEG (ITU-T T.81, annex B): SOI, segments whose lengths hold, one frame
//     header with a size, at least one scan, EOI.
//   - PNG (ISO/IEC 15948): the signature, chunks whose lengths and CRCs hold,
//     IHDR first with a size, IDAT, IEND.
//
// What stands behind the end of a picture is not kept: telephones put films and
// earlier versions of the picture there, which nobody who looks at it would see.
// Inside of it everything stays, what the camera wrote about place and time
// too: it is evidence.
//
// A file holds 1 byte to MaxSize. Errors that a person can act on are
// *problem.Problem with the codes "document.kind", "document.broken",
// "document.large" and "document.empty"; others are of reading and writing.
package documents

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"net/http"

	"veilbox/appliance/incident"
	"veilbox/capture/footage"
	"veilbox/internal/problem"
)

// MaxSize is the most bytes of a document.
const MaxSize = 10 << 20

var (
	ErrKind = problem.New(http.StatusUnsupportedMediaType, "document.kind",
		problem.Text{DA: "Filen er hverken en PDF, et JPEG-billede eller et PNG-billede.", EN: "The file is neither a PDF, a JPEG picture nor a PNG picture."},
		problem.Text{DA: "Gem kvitteringen som PDF, eller tag et billede af den, og vælg den fil.", EN: "Save the receipt as a PDF, or take a picture of it, and choose that file."})
	ErrBroken = problem.New(http.StatusBadRequest, "document.broken",
		problem.Text{DA: "Filen er beskadiget eller ikke hel.", EN: "The file is damaged or not whole."},
		problem.Text{DA: "Åbn filen på din computer og gem den igen, eller tag et nyt billede.", EN: "Open the file on your computer and save it again, or take a new picture."})
	ErrLarge = problem.New(http.StatusRequestEntityTooLarge, "document.large",
		problem.Text{DA: "Filen er for stor; den må højst fylde 10 MB.", EN: "The file is too large; it may be 10 MB at most."},
		problem.Text{DA: "Gem den i en mindre udgave, eller del den i flere filer.", EN: "Save a smaller version of it, or split it into several files."})
	ErrEmpty = problem.New(http.StatusBadRequest, "document.empty",
		problem.Text{DA: "Filen er tom.", EN: "The file is empty."},
		problem.Text{DA: "Vælg en anden fil.", EN: "Choose another file."})
)

// Found is what a file turned out to be.
type Found struct {
	Media string       // incident.MediaPDF...
	Size  int64        // bytes kept
	Hash  footage.Hash // SHA-256 of what is kept
	Left  int64        // bytes behind the end of a picture, which were not kept
}

// Copy reads src to its end, at most MaxSize, and writes to dst what is kept of it.
// Where it returns an error, what dst got is to be thrown away.
func Copy(dst io.Writer, src io.Reader) (Found, error) {
	limited := &io.LimitedReader{R: src, N: MaxSize + 1}
	w := &walker{in: bufio.NewReaderSize(limited, 32<<10), out: dst, sum: sha256.New()}
	head, err := w.in.Peek(8)
	if err != nil && !errors.Is(err, io.EOF) {
		return Found{}, fmt.Errorf("documents: read the file: %w", err)
	}
	var f Found
	switch {
	case len(head) == 0:
		return f, ErrEmpty
	case bytes.HasPrefix(head, []byte("%PDF-1.")), bytes.HasPrefix(head, []byte("%PDF-2.")):
		f.Media, err = incident.MediaPDF, w.pdf()
	case bytes.HasPrefix(head, []byte{0xff, 0xd8, 0xff}):
		f.Media, err = incident.MediaJPEG, w.jpeg()
	case bytes.Equal(head, pngMagic):
		f.Media, err = incident.MediaPNG, w.png()
	default:
		return f, ErrKind
	}
	if err == nil {
		f.Left, err = io.Copy(io.Discard, w.in)
	}
	// A file that is too large is cut by the limit, and so looks broken.
	if limited.N == 0 {
		return Found{}, ErrLarge
	}
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return Found{}, ErrBroken.With(errors.New("documents: the file ends too early"))
	case err != nil:
		return Found{}, fmt.Errorf("documents: %w", err)
	}
	f.Size = w.n
	w.sum.Sum(f.Hash[:0])
	return f, nil
}

func broken(format string, args ...any) error {
	return ErrBroken.With(fmt.Errorf(format, args...))
}

// A walker reads a file and writes on what it has read.
type walker struct {
	in  *bufio.Reader
	out io.Writer
	sum hash.Hash
	n   int64
	buf [4096]byte
}

func (w *walker) emit(b []byte) error {
	w.n += int64(len(b))
	w.sum.Write(b)
	_, err := w.out.Write(b)
	return err
}

// take reads len(b) bytes.
func (w *walker) take(b []byte) error {
	if _, err := io.ReadFull(w.in, b); err != nil {
		return err
	}
	return w.emit(b)
}

// pass reads n bytes and shows them to look, which may be nil.
func (w *walker) pass(n int64, look func([]byte)) error {
	for n > 0 {
		b := w.buf[:min(n, int64(len(w.buf)))]
		if err := w.take(b); err != nil {
			return err
		}
		if look != nil {
			look(b)
		}
		n -= int64(len(b))
	}
	return nil
}

var pngMagic = []byte("\x89PNG\r\n\x1a\n")

func (w *walker) png() error {
	if err := w.take(make([]byte, len(pngMagic))); err != nil {
		return err
	}
	var head [8]byte
	var tail [4]byte
	pixels := false
	for first := true; ; first = false {
		if err := w.take(head[:]); err != nil {
			return err
		}
		n, name := int64(binary.BigEndian.Uint32(head[:])), string(head[4:])
		for _, c := range head[4:] {
			if (c|0x20) < 'a' || (c|0x20) > 'z' {
				return broken("a PNG chunk has no name")
			}
		}
		if n > MaxSize || first != (name == "IHDR") || name == "IHDR" && n != 13 || name == "IEND" && n != 0 {
			return broken("a PNG chunk %s of %d bytes stands in the wrong place", name, n)
		}
		crc := crc32.ChecksumIEEE(head[4:])
		var size []byte
		err := w.pass(n, func(b []byte) {
			if first {
				size = append(size, b...)
			}
			crc = crc32.Update(crc, crc32.IEEETable, b)
		})
		if err == nil {
			err = w.take(tail[:])
		}
		switch {
		case err != nil:
			return err
		case binary.BigEndian.Uint32(tail[:]) != crc:
			return broken("the PNG chunk %s does not have its checksum", name)
		case first && (binary.BigEndian.Uint32(size) == 0 || binary.BigEndian.Uint32(size[4:]) == 0):
			return broken("the PNG has no size")
		case name == "IDAT":
			pixels = pixels || n > 0
		case name == "IEND" && !pixels:
			return broken("the PNG has no picture")
		case name == "IEND":
			return nil
		}
	}
}

// Markers of a JPEG (T.81, table B.1).
const (
	soi = 0xd8
	eoi = 0xd9
	sos = 0xda
	dht = 0xc4
	jpg = 0xc8
	dac = 0xcc
	tem = 0x01
)

func restart(m byte) bool { return m >= 0xd0 && m <= 0xd7 }

func (w *walker) jpeg() error {
	var b [2]byte
	if err := w.take(b[:]); err != nil {
		return err
	}
	frames, scans := 0, 0
	m, err := w.marker()
	for ; err == nil; m, err = w.marker() {
	again:
		switch {
		case m == eoi && (frames != 1 || scans == 0):
			return broken("the JPEG has no picture")
		case m == eoi:
			return nil
		case m == soi || m == 0 || m == tem || restart(m):
			return broken("the JPEG has a marker %x in the wrong place", m)
		}
		if err := w.take(b[:]); err != nil {
			return err
		}
		n := int64(binary.BigEndian.Uint16(b[:])) - 2
		if n < 0 {
			return broken("a JPEG segment is shorter than its length")
		}
		frame := m >= 0xc0 && m <= 0xcf && m != dht && m != jpg && m != dac
		if frame {
			var size [5]byte // precision, lines, samples a line
			if n < 6 {
				return broken("the JPEG's frame header is cut")
			}
			if err := w.take(size[:]); err != nil {
				return err
			}
			if binary.BigEndian.Uint16(size[1:]) == 0 || binary.BigEndian.Uint16(size[3:]) == 0 {
				return broken("the JPEG has no size")
			}
			n -= int64(len(size))
			frames++
		}
		if err := w.pass(n, nil); err != nil {
			return err
		}
		if m == sos {
			if frames != 1 {
				return broken("the JPEG has a scan without its frame")
			}
			scans++
			if m, err = w.scan(); err != nil {
				return err
			}
			goto again
		}
	}
	return err
}

// marker reads the next marker and the fill bytes in front of it.
func (w *walker) marker() (byte, error) {
	var b [1]byte
	if err := w.take(b[:]); err != nil {
		return 0, err
	}
	if b[0] != 0xff {
		return 0, broken("the JPEG has a byte %x where a marker should be", b[0])
	}
	for b[0] == 0xff {
		if err := w.take(b[:]); err != nil {
			return 0, err
		}
	}
	return b[0], nil
}

// scan reads entropy-coded data and the marker behind it.
func (w *walker) scan() (byte, error) {
	for {
		b, err := w.in.ReadSlice(0xff)
		if e := w.emit(b); e != nil {
			return 0, e
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			return 0, err
		}
		m := [1]byte{0xff}
		for m[0] == 0xff {
			if err := w.take(m[:]); err != nil {
				return 0, err
			}
		}
		if m[0] != 0 && !restart(m[0]) {
			return m[0], nil
		}
	}
}

// pdfTail is how much of a PDF's end is looked at.
const pdfTail = 2048

func (w *walker) pdf() error {
	var tail []byte
	for {
		n, err := w.in.Read(w.buf[:])
		if e := w.emit(w.buf[:n]); e != nil {
			return e
		}
		tail = append(tail, w.buf[:n]...)
		tail = append(tail[:0], tail[max(0, len(tail)-pdfTail):]...)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	const space = "\x00\t\n\f\r "
	body, ok := bytes.CutSuffix(bytes.TrimRight(tail, space), []byte("%%EOF"))
	if !ok {
		return broken("the PDF does not end with %%%%EOF")
	}
	at := bytes.LastIndex(body, []byte("startxref"))
	if at < 0 {
		return broken("the PDF has no startxref at its end")
	}
	digits := bytes.Trim(body[at+len("startxref"):], space)
	offset := int64(0)
	for _, c := range digits {
		if c < '0' || c > '9' || len(digits) > 10 {
			return broken("the PDF's startxref is no number")
		}
		offset = offset*10 + int64(c-'0')
	}
	if len(digits) == 0 || offset <= 0 || offset >= w.n {
		return broken("the PDF's startxref points outside of it")
	}
	return nil
}
