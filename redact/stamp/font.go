package stamp

import (
	"errors"
	"fmt"
	"image"
	"image/draw"
	"math"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

var errFont = errors.New("stamp: the font of this program is damaged: install it again")

// A typeface is the font at one size.
type typeface struct {
	face            font.Face
	width           int // of every character, pixels
	ascent, descent int // pixels
}

// load returns the font at size pixels.
func load(size int) (*typeface, error) {
	f, err := opentype.Parse(gomono.TTF)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errFont, err)
	}
	// At 72 dots an inch a point is a pixel.
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: float64(size), DPI: 72, Hinting: font.HintingNone})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errFont, err)
	}
	advance, ok := face.GlyphAdvance('0')
	if !ok || advance <= 0 {
		return nil, errFont
	}
	m := face.Metrics()
	return &typeface{face: face, width: int(math.Ceil(float64(advance) / 64)), ascent: m.Ascent.Ceil(), descent: m.Descent.Ceil()}, nil
}

// draw returns r in a field of the font's width and height. What the font does
// not have is a box.
func (t *typeface) draw(r rune) *image.Alpha {
	a := image.NewAlpha(image.Rect(0, 0, t.width, t.ascent+t.descent))
	if _, ok := t.face.GlyphAdvance(r); !ok {
		r = '\uFFFD'
	}
	dot := fixed.P(0, t.ascent)
	if at, mask, from, _, ok := t.face.Glyph(dot, r); ok {
		draw.DrawMask(a, at, image.Opaque, image.Point{}, mask, from, draw.Over)
	}
	return a
}
