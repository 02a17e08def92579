package proof

import (
	"errors"
	"fmt"

	"veilbox/capture/footage"
	"veilbox/internal/rbsp"
)

// Most that parameter sets of a copy may be, bytes. Ours are below 40 and 10.
const (
	maxSPS = 64
	maxPPS = 16
)

// params is what of the parameter sets the slices are held against.
type params struct {
	pps    uint64
	blocks int // macroblocks of a picture
	crop   cropping
}

// parameters reads both parameter sets to their last bit (ITU-T H.264
// §7.3.2.1, §7.3.2.2) and refuses what can hold something else than a picture
// needs: tables of scaling or of offsets, field pictures, redundant pictures,
// groups of slices, extensions, more cropping than of whole macroblocks, anything
// behind the last field. What is left that a decoder does not need are the
// usability fields (aspect, colours, timing, buffer sizes), within 64 bytes.
func parameters(f footage.Format) (*params, error) {
	if len(f.Params) != 2 {
		return nil, fmt.Errorf("proof: %d parameter sets", len(f.Params))
	}
	p := &params{}
	sps, pps := f.Params[0], f.Params[1]
	if len(sps) < 5 || len(sps) > maxSPS || len(pps) < 2 || len(pps) > maxPPS || sps[0]&0x9f != 7 || pps[0]&0x9f != 8 {
		return nil, fmt.Errorf("proof: an SPS of %d and a PPS of %d bytes, at most %d and %d", len(sps), len(pps), maxSPS, maxPPS)
	}
	if err := p.sps(sps, f.Width, f.Height); err != nil {
		return nil, fmt.Errorf("proof: SPS: %w", err)
	}
	if err := p.readPPS(pps); err != nil {
		return nil, fmt.Errorf("proof: PPS: %w", err)
	}
	return p, nil
}

func (p *params) sps(b []byte, width, height int) error {
	if err := escaped(b); err != nil {
		return err
	}
	profile := b[1]
	r := rbsp.New(b[4:])
	id := r.Golomb()
	switch profile {
	case 66, 77, 88:
	case 100:
		chroma, luma, depth, bypass, scaling := r.Golomb(), r.Golomb(), r.Golomb(), r.Bits(1), r.Bits(1)
		if chroma != 1 || luma != 0 || depth != 0 || bypass != 0 || scaling != 0 {
			return errors.New("it is not 4:2:0 of 8 bits without tables of scaling")
		}
	default:
		return fmt.Errorf("profile %d: code the copy in Baseline, Main or High", profile)
	}
	r.Golomb() // log2_max_frame_num_minus4
	switch kind := r.Golomb(); kind {
	case 0:
		r.Golomb() // log2_max_pic_order_cnt_lsb_minus4
	case 2:
	default:
		return fmt.Errorf("a picture order count of type %d", kind)
	}
	refs, gaps := r.Golomb(), r.Bits(1)
	w, h := int(r.Golomb()), int(r.Golomb())
	frames := r.Bits(1)
	r.Bits(1) // direct_8x8_inference_flag
	if id > 31 || refs > 16 || gaps != 0 || frames != 1 || w > 1023 || h > 1023 {
		return errors.New("its pictures are not whole frames, each of which is coded")
	}
	p.blocks = (w + 1) * (h + 1)
	cropped := [4]uint64{}
	if r.Bits(1) == 1 {
		for i := range cropped {
			cropped[i] = r.Golomb()
		}
	}
	right, bottom := int(cropped[1])*2, int(cropped[3])*2
	if cropped[0] != 0 || cropped[2] != 0 || right > 15 || bottom > 15 || 16*(w+1)-right != width || 16*(h+1)-bottom != height {
		return fmt.Errorf("it crops %v of a picture of %dx%d blocks to %dx%d", cropped, w+1, h+1, width, height)
	}
	p.crop = cropping{w: width, h: height, cw: 16 * (w + 1), ch: 16 * (h + 1)}
	if r.Bits(1) == 1 {
		vui(r)
	}
	return r.Trailing()
}

// vui passes over the usability fields, H.264 annex E.1.1.
func vui(r *rbsp.Reader) {
	if r.Bits(1) == 1 && r.Bits(8) == 255 {
		r.Bits(32)
	}
	if r.Bits(1) == 1 { // overscan
		r.Bits(1)
	}
	if r.Bits(1) == 1 { // video signal
		r.Bits(4)
		if r.Bits(1) == 1 {
			r.Bits(24)
		}
	}
	if r.Bits(1) == 1 { // chroma location
		r.Golomb()
		r.Golomb()
	}
	if r.Bits(1) == 1 { // timing
		r.Bits(32)
		r.Bits(33)
	}
	nal := r.Bits(1) == 1
	if nal {
		hrd(r)
	}
	vcl := r.Bits(1) == 1
	if vcl {
		hrd(r)
	}
	if nal || vcl {
		r.Bits(1)
	}
	r.Bits(1) // pic_struct_present_flag
	if r.Bits(1) == 1 {
		r.Bits(1)
		for range 6 {
			r.Golomb()
		}
	}
}

// hrd passes over the buffer's description, annex E.1.2.
func hrd(r *rbsp.Reader) {
	n := r.Golomb()
	r.Bits(8)
	for i := uint64(0); i <= n && !r.Short; i++ {
		r.Golomb()
		r.Golomb()
		r.Bits(1)
	}
	r.Bits(20)
}

func (p *params) readPPS(b []byte) error {
	if err := escaped(b); err != nil {
		return err
	}
	r := rbsp.New(b[1:])
	p.pps = r.Golomb()
	r.Golomb() // seq_parameter_set_id: there is one
	r.Bits(2)  // entropy_coding_mode_flag, bottom_field_pic_order_in_frame_present_flag
	if r.Golomb() != 0 {
		return errors.New("it has groups of slices")
	}
	r.Golomb()
	r.Golomb()
	r.Bits(3) // weighted prediction
	for range 3 {
		r.Golomb()
	}
	r.Bits(2) // deblocking_filter_control_present_flag, constrained_intra_pred_flag
	if r.Bits(1) != 0 {
		return errors.New("it has redundant pictures")
	}
	if r.More() {
		r.Bits(1) // transform_8x8_mode_flag
		if r.Bits(1) != 0 {
			return errors.New("it has tables of scaling")
		}
		r.Golomb()
	}
	return r.Trailing()
}
