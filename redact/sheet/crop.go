package sheet

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
)

const quality = 80 // of the sheet's pictures

// Crop returns part px of a yuv420p frame of w by h, even numbers, as a JPEG of
// at most side pixels each way. A larger part is made smaller by whole steps,
// each pixel the mean of a block. Video holds luma of 16 to 235 (ITU-R BT.601);
// JPEG has 0 to 255.
func Crop(frame []byte, w, h int, px image.Rectangle, side int) ([]byte, error) {
	return crop(frame, w, h, px, side, quality)
}

// Encode returns a yuv420p frame of w by h, even numbers, as a JPEG of that
// size: the copy, where it is a still.
func Encode(frame []byte, w, h, quality int) ([]byte, error) {
	return crop(frame, w, h, image.Rect(0, 0, w, h), max(w, h), quality)
}

func crop(frame []byte, w, h int, px image.Rectangle, side, quality int) ([]byte, error) {
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

// Decode reads a JPEG that Encode made of a frame of w by h back into one.
func Decode(b, frame []byte, w, h int) error {
	img, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		return fmt.Errorf("sheet: %w", err)
	}
	p, ok := img.(*image.YCbCr)
	if !ok || p.SubsampleRatio != image.YCbCrSubsampleRatio420 || p.Rect != image.Rect(0, 0, w, h) || len(frame) != w*h*3/2 {
		return fmt.Errorf("sheet: a JPEG of %v for a frame of %dx%d with chroma of half the size", img.Bounds(), w, h)
	}
	for y := range h {
		row := frame[y*w : (y+1)*w]
		for x, v := range p.Y[y*p.YStride : y*p.YStride+w] {
			row[x] = byte(16 + (int(v)*219+127)/255)
		}
	}
	at := w * h
	for _, c := range [][]byte{p.Cb, p.Cr} {
		for y := range h / 2 {
			row := frame[at+y*w/2 : at+(y+1)*w/2]
			for x, v := range c[y*p.CStride : y*p.CStride+w/2] {
				row[x] = byte((128*255 + (int(v)-128)*224 + 127) / 255)
			}
		}
		at += w * h / 4
	}
	return nil
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

// StillQuality is the quality of a copy that is a still.
const StillQuality = 92

// HeaderSize returns how many bytes of a JPEG lie in front of its coded data, 0
// where it has none.
func HeaderSize(b []byte) int {
	at := 2
	for at+4 <= len(b) && b[at] == 0xff {
		kind := b[at+1]
		at += 2 + int(b[at+2])<<8 + int(b[at+3])
		if kind == sos {
			return min(at, len(b))
		}
	}
	return 0
}
