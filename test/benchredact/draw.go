package main

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"veilbox/redact/mask"
)

// The colours of a drawn frame.
var (
	ofSubject = color.RGBA{255, 255, 0, 255}
	ofOther   = color.RGBA{255, 80, 255, 255}
	ofFront   = color.RGBA{255, 0, 0, 255}
)

// draw writes the frames of a clip in which something is wrong into dir, or
// all, as PNG: what is veiled is darkened, the truth is drawn over it. The name
// of a file says what the rules said of it.
func draw(ctx context.Context, dir, clip string, t *Truth, r Round, all bool) (err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("benchredact: %w", err)
	}
	c := exec.CommandContext(ctx, "ffmpeg", "-v", "error", "-nostdin", "-i", clip, "-f", "rawvideo", "-pix_fmt", "rgba", "-")
	out, err := c.StdoutPipe()
	if err != nil {
		return fmt.Errorf("benchredact: %w", err)
	}
	if err := c.Start(); err != nil {
		return fmt.Errorf("benchredact: ffmpeg: %w", err)
	}
	img := image.NewRGBA(image.Rect(0, 0, t.Width, t.Height))
	b := newBoard(r.Mask.Grid)
	for i, f := range r.Frames {
		if _, err := io.ReadFull(out, img.Pix); err != nil {
			return fmt.Errorf("benchredact: ffmpeg: frame %d: %w", i, err)
		}
		if !all && !f.leaks() && f.Shown == f.Counts {
			continue
		}
		b.set(r.Mask.Frames[i].Subjects[0].Shape)
		for y := range t.Height {
			for x := range t.Width {
				if !b.shown(x, y) {
					p := img.Pix[img.PixOffset(x, y):]
					p[0], p[1], p[2] = p[0]/3, p[1]/3, p[2]/3
				}
			}
		}
		at := t.At(f.At)
		outline(img, at.Box, ofSubject)
		for _, o := range at.Others {
			col := ofOther
			if o.Front {
				col = ofFront
			}
			outline(img, o.Box.rect(), col)
		}
		if err := save(filepath.Join(dir, f.name(t, r.Mask.Frames[i].Subjects[0])), img); err != nil {
			return err
		}
	}
	if err := c.Wait(); err != nil {
		return fmt.Errorf("benchredact: ffmpeg: %w", err)
	}
	return nil
}

// name returns what a drawn frame is called.
func (f Frame) name(t *Truth, s mask.Seen) string {
	words := []string{t.Name, fmt.Sprintf("%03d", f.At), s.State.String()}
	if s.State == mask.Shown {
		words = append(words, s.Flags.Names()...)
	}
	if f.Counts && !f.Shown {
		words = append(words, fmt.Sprintf("MISSED%.0f", 100*f.Share))
	}
	if len(f.Others) > 0 {
		words = append(words, "SHOWS", strings.Join(f.Others, "+"))
	}
	if f.Beside {
		words = append(words, "BESIDE")
	}
	return strings.ReplaceAll(strings.Join(words, "-"), "/", "_") + ".png"
}

func outline(img *image.RGBA, r image.Rectangle, c color.RGBA) {
	for x := r.Min.X; x < r.Max.X; x++ {
		img.SetRGBA(x, r.Min.Y, c)
		img.SetRGBA(x, r.Max.Y-1, c)
	}
	for y := r.Min.Y; y < r.Max.Y; y++ {
		img.SetRGBA(r.Min.X, y, c)
		img.SetRGBA(r.Max.X-1, y, c)
	}
}

func save(path string, img image.Image) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("benchredact: %w", err)
	}
	if err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(f, img); err != nil {
		_ = f.Close() // the first error is the one to tell of
		return fmt.Errorf("benchredact: %s: %w", path, err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("benchredact: %w", err)
	}
	return nil
}
