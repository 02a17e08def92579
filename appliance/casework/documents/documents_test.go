package documents

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"veilbox/appliance/incident"
	"veilbox/internal/problem"
)

func picture() image.Image {
	m := image.NewRGBA(image.Rect(0, 0, 37, 23))
	for i := range 37 * 23 {
		m.Set(i%37, i/37, color.RGBA{uint8(i * 7), uint8(i * 13), uint8(i), 255})
	}
	return m
}

func jpgBytes(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, picture(), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func pngBytes(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, picture()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func pdf(end string) []byte {
	body := "%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< /Type /Catalog >>\nendobj\n"
	return []byte(fmt.Sprintf("%sxref\n0 2\ntrailer\n<< /Size 2 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF%s", body, len(body), end))
}

func chunk(name string, data []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	b = append(append(b, name...), data...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

// progressive has a restart marker, fill bytes, two scans and an EXIF segment.
func progressive() []byte {
	seg := func(m byte, data string) string {
		return "\xff" + string([]byte{m}) + string(binary.BigEndian.AppendUint16(nil, uint16(len(data)+2))) + data
	}
	frame := "\x08\x00\x10\x00\x10\x01\x01\x11\x00"
	return []byte("\xff\xd8" + seg(0xe1, "Exif\x00\x00 hvor og hvornår \xff\xd9") + "\xff\xff" + seg(0xdb, strings.Repeat("\x01", 65))[1:] + seg(0xc2, frame) +
		seg(0xda, "\x01\x01\x00\x00\x00\x00") + "abc\xff\x00def\xff\xd0ghi" + seg(0xc4, "\x00") + seg(0xda, "\x01\x01\x00\x01\x3f\x00") + "jkl\xff\xff\xd9")
}

func TestCopyKeepsWhatItIs(t *testing.T) {
	j, p := jpgBytes(t), pngBytes(t)
	text := chunk("tEXt", []byte("Comment\x00taget i butikken"))
	noted := slices.Concat(p[:33], text, p[33:])
	for name, c := range map[string]struct {
		in    []byte
		media string
		kept  int
	}{
		"jpeg":                          {j, incident.MediaJPEG, len(j)},
		"jpeg with more scans":          {progressive(), incident.MediaJPEG, len(progressive())},
		"jpeg with a film behind it":    {append(bytes.Clone(j), "ftypmp42 film"...), incident.MediaJPEG, len(j)},
		"png":                           {p, incident.MediaPNG, len(p)},
		"png with a note":               {noted, incident.MediaPNG, len(noted)},
		"png with what was cut from it": {append(bytes.Clone(p), p[40:]...), incident.MediaPNG, len(p)},
		"pdf":                           {pdf(""), incident.MediaPDF, len(pdf(""))},
		"pdf with an end of line":       {pdf("\r\n"), incident.MediaPDF, len(pdf("\r\n"))},
		"pdf that was padded":           {pdf("\x00\x00\x00"), incident.MediaPDF, len(pdf("\x00\x00\x00"))},
		"pdf that was saved a 2nd time": {append(pdf("\n"), pdf("\n")[9:]...), incident.MediaPDF, 2*len(pdf("\n")) - 9},
	} {
		t.Run(name, func(t *testing.T) {
			for how, r := range map[string]io.Reader{"whole": bytes.NewReader(c.in), "byte by byte": iotest.OneByteReader(bytes.NewReader(c.in)), "with the end": iotest.DataErrReader(bytes.NewReader(c.in))} {
				var out bytes.Buffer
				f, err := Copy(&out, r)
				if err != nil {
					t.Fatal(how, err)
				}
				if f.Media != c.media || f.Size != int64(c.kept) || f.Left != int64(len(c.in)-c.kept) || f.Hash != sha256.Sum256(c.in[:c.kept]) || !bytes.Equal(out.Bytes(), c.in[:c.kept]) {
					t.Errorf("%s: %+v, %d bytes written, want %s of %d", how, f, out.Len(), c.media, c.kept)
				}
			}
		})
	}
}

func TestCopyRefuses(t *testing.T) {
	j, p := jpgBytes(t), pngBytes(t)
	badCRC := bytes.Clone(p)
	badCRC[len(p)-20] ^= 1
	noPicture := slices.Concat(p[:33], chunk("IEND", nil))
	noSize := slices.Concat(p[:8], chunk("IHDR", make([]byte, 13)), p[33:])
	huge := slices.Concat(p[:33], []byte{0x7f, 0xff, 0xff, 0xff}, []byte("IDAT"))
	sof := bytes.Index(j, []byte{0xff, 0xc0})
	flat := bytes.Clone(j)
	flat[sof+5], flat[sof+6] = 0, 0
	twice := slices.Concat(j[:sof], j[sof:sof+19], j[sof:])
	for name, c := range map[string]struct {
		in   []byte
		want *problem.Problem
	}{
		"nothing":                      {nil, ErrEmpty},
		"text":                         {[]byte("kvittering nummer 1"), ErrKind},
		"a page":                       {[]byte("<html><script>"), ErrKind},
		"svg":                          {[]byte("<svg xmlns='x'/>"), ErrKind},
		"gif":                          {[]byte("GIF89a\x01\x00\x01\x00"), ErrKind},
		"a program":                    {[]byte("MZ\x90\x00\x03\x00\x00\x00"), ErrKind},
		"a page that turns into a pdf": {append([]byte("<script>"), pdf("")...), ErrKind},
		"an old pdf":                   {[]byte("%PDF-0.9"), ErrKind},
		"three bytes":                  {j[:3], ErrBroken},
		"half a jpeg":                  {j[:len(j)/2], ErrBroken},
		"a jpeg without its end":       {j[:len(j)-2], ErrBroken},
		"a jpeg without a picture":     {[]byte{0xff, 0xd8, 0xff, 0xd9}, ErrBroken},
		"a jpeg of no lines":           {flat, ErrBroken},
		"a jpeg of two frames":         {twice, ErrBroken},
		"a jpeg with a short segment":  {[]byte{0xff, 0xd8, 0xff, 0xe0, 0, 1, 0xff, 0xd9}, ErrBroken},
		"a jpeg with a stray byte":     {[]byte{0xff, 0xd8, 0xff, 0xe0, 0, 2, 7}, ErrBroken},
		"a jpeg in a jpeg":             {[]byte{0xff, 0xd8, 0xff, 0xd8}, ErrBroken},
		"half a png":                   {p[:len(p)/2], ErrBroken},
		"a png with a flipped bit":     {badCRC, ErrBroken},
		"a png without a picture":      {noPicture, ErrBroken},
		"a png of no size":             {noSize, ErrBroken},
		"a png with a huge chunk":      {huge, ErrBroken},
		"a png that begins otherwise":  {slices.Concat(p[:8], chunk("IDAT", []byte{1}), p[8:]), ErrBroken},
		"half a pdf":                   {pdf("")[:40], ErrBroken},
		"a pdf with a page behind it":  {pdf("\n<script>alert(1)</script>"), ErrBroken},
		"a pdf that points outside":    {[]byte("%PDF-1.4\nstartxref\n99999\n%%EOF"), ErrBroken},
		"a pdf that points nowhere":    {[]byte("%PDF-1.4\nstartxref\n\n%%EOF"), ErrBroken},
		"a pdf that points at a word":  {[]byte("%PDF-1.4\nstartxref\nabc\n%%EOF"), ErrBroken},
		"a pdf without a table":        {[]byte("%PDF-1.4\n%%EOF"), ErrBroken},
		"too large":                    {append(pdf("\n"), bytes.Repeat([]byte{' '}, MaxSize)...), ErrLarge},
		"a picture with too much":      {append(bytes.Clone(j), make([]byte, MaxSize)...), ErrLarge},
	} {
		if _, err := Copy(io.Discard, bytes.NewReader(c.in)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want.Code)
		}
	}
}

func TestCopyTakesAFileOfTheMostBytes(t *testing.T) {
	b := pdf("")
	at := bytes.Index(b, []byte("startxref"))
	b = slices.Concat(b[:at], bytes.Repeat([]byte{'\n'}, MaxSize-len(b)), b[at:])
	if f, err := Copy(io.Discard, bytes.NewReader(b)); err != nil || f.Size != MaxSize {
		t.Errorf("%+v %v", f, err)
	}
}

// What fails outside of the file is not said to be wrong with it.
func TestCopyTellsOtherFailuresApart(t *testing.T) {
	fails := errors.New("the line is down")
	for name, in := range map[string][]byte{"jpeg": jpgBytes(t), "png": pngBytes(t), "pdf": pdf("")} {
		r := io.MultiReader(bytes.NewReader(in[:len(in)/2]), iotest.ErrReader(fails))
		if _, err := Copy(io.Discard, r); !errors.Is(err, fails) || errors.Is(err, ErrBroken) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := Copy(full{}, bytes.NewReader(in)); !errors.Is(err, errFull) || errors.Is(err, ErrBroken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Copy(io.Discard, iotest.ErrReader(fails)); !errors.Is(err, fails) {
		t.Error(err)
	}
}

var errFull = errors.New("no room")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

// Whatever comes: what is kept is the beginning of it, within the bounds, and is
// taken in the same way when it comes again.
func FuzzCopy(f *testing.F) {
	for _, b := range [][]byte{jpgBytes(f), pngBytes(f), pdf("\n"), progressive(), nil, []byte("\xff\xd8\xff\xda\x00\x02"), []byte("%PDF-2.0 startxref 1 %%EOF")} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var out bytes.Buffer
		found, err := Copy(&out, bytes.NewReader(in))
		if err != nil {
			if p := problem.Of(err); p.Status == 500 {
				t.Fatalf("a file is refused without words: %v", err)
			}
			return
		}
		if !bytes.HasPrefix(in, out.Bytes()) || found.Size != int64(out.Len()) || found.Size+found.Left != int64(len(in)) || found.Size < 1 || found.Size > MaxSize {
			t.Fatalf("%+v of %d bytes, %d written", found, len(in), out.Len())
		}
		again, err := Copy(io.Discard, bytes.NewReader(out.Bytes()))
		if err != nil || again.Hash != found.Hash || again.Media != found.Media || again.Left != 0 {
			t.Fatalf("what was kept is taken otherwise: %+v %v", again, err)
		}
	})
}
