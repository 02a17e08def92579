// Package sheet is the reveal sheet: pictures of everything in a finished copy
// that is not veiled, at least two a second, and the spans in which the track
// was unsure. Approving a disclosure is approving this sheet.
//
// Pictures are crops of exactly what is shown, in time order, as JPEG without
// EXIF, at most MaxSide pixels each way. Times are ticks of 1/90000 s from the
// copy's first frame; rectangles are fractions of the frame.
//
// The hash is the SHA-256 of, all numbers big endian:
//
//	"veilbox sheet 1\n"
//	pictures uint32
//	per picture: at int64, x y w h float64 (IEEE 754), size uint32, JPEG
//	spans uint32
//	per span: from, to int64
package sheet

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"math"

	"veilbox/capture/footage"
	"veilbox/redact/subject"
)

// Bounds of a sheet.
const (
	MaxSide     = 320 // pixels
	MaxPictures = 20_000
	MaxPicture  = 256 << 10 // bytes
	MaxSize     = 192 << 20 // bytes of all pictures
	quality     = 80
)

// Interval is the most between two pictures of a run of shown frames.
const Interval footage.Ticks = footage.TicksPerSecond / 2

// A Picture is a crop of one frame of the copy.
type Picture struct {
	At   footage.Ticks `json:"at"`
	Rect subject.Rect  `json:"rect"`
	JPEG []byte        `json:"jpeg"`
}

// A Sheet is all that a copy reveals.
type Sheet struct {
	Pictures []Picture      `json:"pictures"`
	Unsure   []footage.Span `json:"unsure"` // flagged: the track was not sure
}

// ErrTooLarge says that a copy reveals more than a person can look through.
var ErrTooLarge = errors.New("sheet: the copy reveals too much for one sheet: choose a shorter span")

// Hash returns the hash of s.
func (s *Sheet) Hash() footage.SheetHash {
	h := sha256.New()
	var b []byte
	b = append(b, "veilbox sheet 1\n"...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(s.Pictures)))
	for _, p := range s.Pictures {
		b = binary.BigEndian.AppendUint64(b, uint64(p.At))
		for _, v := range []float64{p.Rect.X, p.Rect.Y, p.Rect.W, p.Rect.H} {
			b = binary.BigEndian.AppendUint64(b, math.Float64bits(v))
		}
		b = binary.BigEndian.AppendUint32(b, uint32(len(p.JPEG)))
		h.Write(b)
		h.Write(p.JPEG)
		b = b[:0]
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(s.Unsure)))
	for _, u := range s.Unsure {
		b = binary.BigEndian.AppendUint64(b, uint64(u.From))
		b = binary.BigEndian.AppendUint64(b, uint64(u.To))
	}
	h.Write(b)
	var out footage.SheetHash
	h.Sum(out.Hash[:0])
	return out
}

// Check returns what is wrong with s.
func (s *Sheet) Check() error {
	if len(s.Pictures) > MaxPictures {
		return ErrTooLarge
	}
	total := 0
	for i, p := range s.Pictures {
		c, err := jpeg.DecodeConfig(bytes.NewReader(p.JPEG))
		if err != nil || c.Width > MaxSide || c.Height > MaxSide || len(p.JPEG) > MaxPicture {
			return fmt.Errorf("sheet: picture %d is no JPEG of at most %d pixels: %w", i, MaxSide, errors.Join(err))
		}
		if i > 0 && p.At < s.Pictures[i-1].At {
			return fmt.Errorf("sheet: picture %d is out of order", i)
		}
		total += len(p.JPEG)
	}
	if total > MaxSize {
		return ErrTooLarge
	}
	return nil
}

// A Picker decides which frames have a picture: the first of every run of shown
// frames, and then one each Interval at least.
type Picker struct {
	last  footage.Ticks
	shown bool
}

// Pick reports whether the frame at at has one. next is the time of the frame
// after it: a picture is taken early rather than late.
func (p *Picker) Pick(at, next footage.Ticks, shown bool) bool {
	first := shown && !p.shown
	p.shown = shown
	if !shown || !first && next-p.last <= Interval {
		return false
	}
	p.last = at
	return true
}

// Crop returns part px of a yuv420p frame of w by h, even numbers, as a JPEG of
// at most side pixels each way. A larger part is made smaller by whole steps,
// each pixel the mean of a block. Video holds luma of 16 to 235 (ITU-R BT.601);
// JPEG has 0 to 255.
func Crop(frame []byte, w, h int, px image.Rectangle, side int) ([]byte, error) {
	cw := w / 2
	img := &image.YCbCr{Y: frame[:w*h], Cb: frame[w*h : w*h+cw*(h/2)], Cr: frame[w*h+cw*(h/2):],
		YStride: w, CStride: cw, SubsampleRatio: image.YCbCrSubsampleRatio420, Rect: image.Rect(0, 0, w, h)}
	step := max(1, (px.Dx()+side-1)/side, (px.Dy()+side-1)/side)
	out := image.NewYCbCr(image.Rect(0, 0, max(1, px.Dx()/step), max(1, px.Dy()/step)), image.YCbCrSubsampleRatio420)
	shrink(out.Y, out.YStride, out.Rect.Dx(), out.Rect.Dy(), img.Y, img.YStride, px.Min.X, px.Min.Y, step)
	cw, ch := (out.Rect.Dx()+1)/2, (out.Rect.Dy()+1)/2
	// A block of chroma that would pass the crop's edge is cut to what lies within.
	x, y := px.Min.X/2, px.Min.Y/2
	xe, ye := (px.Max.X-1)/2, (px.Max.Y-1)/2
	for _, c := range []struct{ to, from []byte }{{out.Cb, img.Cb}, {out.Cr, img.Cr}} {
		shrinkTo(c.to, out.CStride, cw, ch, c.from, img.CStride, x, y, xe, ye, step)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, out, &jpeg.Options{Quality: quality}); err != nil {
		return nil, fmt.Errorf("sheet: %w", err)
	}
	return b.Bytes(), nil
}

func shrink(to []byte, ts, w, h int, from []byte, fs, x0, y0, step int) {
	for y := range h {
		for x := range w {
			sum := 0
			for dy := range step {
				row := from[(y0+y*step+dy)*fs+x0+x*step:]
				for _, v := range row[:step] {
					sum += int(v)
				}
			}
			to[y*ts+x] = clamp((sum - 16*step*step) * 255 / (219 * step * step))
		}
	}
}

func shrinkTo(to []byte, ts, w, h int, from []byte, fs, x0, y0, xe, ye, step int) {
	for y := range h {
		for x := range w {
			sum, n := 0, 0
			for dy := range step {
				yy := min(y0+y*step+dy, ye)
				for dx := range step {
					sum += int(from[yy*fs+min(x0+x*step+dx, xe)])
					n++
				}
			}
			to[y*ts+x] = clamp(128 + (sum-128*n)*255/(224*n))
		}
	}
}

func clamp(v int) byte { return byte(min(255, max(0, v))) }
