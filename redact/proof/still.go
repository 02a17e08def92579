package proof

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"veilbox/redact/sheet"
	"veilbox/redact/veil"
)

const maxStill = 64 << 20 // bytes

// StillTolerance is Tolerance for a JPEG of sheet.StillQuality. Its blocks of 8
// by 8, of 16 by 16 in colour, ring where neither the veil's cells nor what is
// shown end with them: beside a subject of white noise a deviation of 13 was seen,
// an energy of 24 and of 22 in the ring.
var StillTolerance = veil.Tolerance{Deviation: 16, Energy: 32, Ring: 100}.Filled()

// still judges a copy that is a picture.
func (r *run) still() error {
	r.p.Media = Picture
	r.bounds(StillTolerance)
	if r.in.Size > maxStill {
		return fmt.Errorf("proof: a still of %d bytes", r.in.Size)
	}
	jpg := make([]byte, r.in.Size)
	if _, err := io.ReadFull(io.NewSectionReader(r.in.File, 0, r.in.Size), jpg); err != nil {
		return fmt.Errorf("proof: %w", err)
	}
	g := r.m.Grid
	w, h, err := sheet.Structure(jpg)
	if err != nil {
		return fmt.Errorf("proof: %w", err)
	}
	if w != g.W || h != g.H {
		return fmt.Errorf("proof: the copy is %dx%d, its mask %dx%d", w, h, g.W, g.H)
	}
	frame := make([]byte, w*h*3/2)
	if err := sheet.Decode(jpg, frame, w, h); err != nil {
		return fmt.Errorf("proof: %w", err)
	}
	// Written again, everything but the coded data is the same.
	again, err := sheet.Encode(frame, w, h, sheet.StillQuality)
	if err != nil {
		return fmt.Errorf("%w: %w", errMachine, err)
	}
	n := sheet.HeaderSize(again)
	if len(jpg) < n || !bytes.Equal(jpg[:n], again[:n]) {
		return errors.New("proof: the still's tables are not those that we write")
	}
	c, err := r.checker(StillTolerance)
	if err != nil {
		return err
	}
	found := &found{p: r.p}
	found.take(0, 0, c.check(picture{0, frame}))
	found.report()
	if found.err != nil {
		return found.err
	}
	return r.large(sheet.Picture{Subject: -1, Kind: sheet.Still, Flags: r.m.Flags(0)}, frame)
}
