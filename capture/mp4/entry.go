package mp4

import (
	"fmt"

	"github.com/Eyevinn/mp4ff/avc"
	"github.com/Eyevinn/mp4ff/hevc"
	"github.com/Eyevinn/mp4ff/mp4"

	"veilbox/capture/footage"
	"veilbox/internal/rbsp"
)

const (
	maxParams    = 16
	maxParamSize = 4096
	maxSide      = 16384
)

func sampleEntry(f footage.Format) (*mp4.VisualSampleEntryBox, error) {
	if f.Width <= 0 || f.Height <= 0 || f.Width > maxSide || f.Height > maxSide {
		return nil, fmt.Errorf("mp4: a picture of %d x %d: %w", f.Width, f.Height, ErrInput)
	}
	if f.Codec == footage.MJPEG {
		if len(f.Params) != 0 {
			return nil, fmt.Errorf("mp4: %d parameter sets with MJPEG: %w", len(f.Params), ErrInput)
		}
		e := mp4.CreateVisualSampleEntryBox("mp4v", uint16(f.Width), uint16(f.Height), &raw{esds(objectJPEG, streamVisual, nil)})
		e.CompressorName = ""
		return e, nil
	}
	if len(f.Params) == 0 || len(f.Params) > maxParams {
		return nil, fmt.Errorf("mp4: %d parameter sets: %w", len(f.Params), ErrInput)
	}
	for _, p := range f.Params {
		if len(p) < 3 || len(p) > maxParamSize {
			return nil, fmt.Errorf("mp4: a parameter set of %d bytes: %w", len(p), ErrInput)
		}
	}
	var e *mp4.VisualSampleEntryBox
	switch f.Codec {
	case footage.H264:
		c, err := avcConfig(f.Params)
		if err != nil {
			return nil, err
		}
		e = mp4.CreateVisualSampleEntryBox("avc1", uint16(f.Width), uint16(f.Height), c)
	case footage.H265:
		c, err := hevcConfig(f.Params)
		if err != nil {
			return nil, err
		}
		e = mp4.CreateVisualSampleEntryBox("hvc1", uint16(f.Width), uint16(f.Height), c)
	default:
		return nil, fmt.Errorf("mp4: %v: %w", f.Codec, ErrInput)
	}
	e.CompressorName = ""
	return e, nil
}

// avcConfig fills an AVCDecoderConfigurationRecord, ISO/IEC 14496-15 §5.3.3.1.
func avcConfig(params [][]byte) (*mp4.AvcCBox, error) {
	c := &mp4.AvcCBox{DecConfRec: avc.DecConfRec{ChromaFormat: 1, NoTrailingInfo: true}}
	for _, p := range params {
		switch p[0] & 0x1f {
		case 7:
			c.SPSnalus = append(c.SPSnalus, p)
		case 8:
			c.PPSnalus = append(c.PPSnalus, p)
		default:
			return nil, fmt.Errorf("mp4: NAL unit type %d is no H.264 parameter set: %w", p[0]&0x1f, ErrInput)
		}
	}
	if len(c.SPSnalus) == 0 || len(c.PPSnalus) == 0 {
		return nil, fmt.Errorf("mp4: H.264 without both an SPS and a PPS: %w", ErrInput)
	}
	sps := c.SPSnalus[0]
	if len(sps) < 5 {
		return nil, fmt.Errorf("mp4: an SPS of %d bytes: %w", len(sps), ErrInput)
	}
	c.AVCProfileIndication, c.ProfileCompatibility, c.AVCLevelIndication = sps[1], sps[2], sps[3]
	switch sps[1] {
	case 100, 110, 122, 144: // the profiles for which the record goes on, ibid.
		r := rbsp.New(sps[4:])
		r.Golomb() // seq_parameter_set_id
		chroma := r.Golomb()
		if chroma == 3 {
			r.Bits(1)
		}
		luma, chromaDepth := r.Golomb(), r.Golomb()
		if r.Short || chroma > 3 || luma > 6 || chromaDepth > 6 {
			return nil, fmt.Errorf("mp4: the SPS does not read (H.264 §7.3.2.1.1): %w", ErrInput)
		}
		c.NoTrailingInfo = false
		c.ChromaFormat = byte(chroma)
		c.BitDepthLumaMinus1, c.BitDepthChromaMinus1 = byte(luma), byte(chromaDepth) // the library writes them as "minus 8"
	}
	return c, nil
}

// hevcConfig fills an HEVCDecoderConfigurationRecord, ISO/IEC 14496-15 §8.3.3.1.
func hevcConfig(params [][]byte) (*mp4.HvcCBox, error) {
	var vps, sps, pps [][]byte
	for _, p := range params {
		switch t := p[0] >> 1 & 0x3f; t {
		case 32:
			vps = append(vps, p)
		case 33:
			sps = append(sps, p)
		case 34:
			pps = append(pps, p)
		default:
			return nil, fmt.Errorf("mp4: NAL unit type %d is no H.265 parameter set: %w", t, ErrInput)
		}
	}
	if len(vps) == 0 || len(sps) == 0 || len(pps) == 0 {
		return nil, fmt.Errorf("mp4: H.265 without VPS, SPS and PPS: %w", ErrInput)
	}
	r := rbsp.New(sps[0][2:])
	r.Bits(4) // sps_video_parameter_set_id
	sub := r.Bits(3)
	c := hevc.DecConfRec{ConfigurationVersion: 1, LengthSizeMinusOne: 3, NumTemporalLayers: byte(sub + 1), TemporalIDNested: byte(r.Bits(1))}
	c.GeneralProfileSpace = byte(r.Bits(2))
	c.GeneralTierFlag = r.Bits(1) == 1
	c.GeneralProfileIDC = byte(r.Bits(5))
	c.GeneralProfileCompatibilityFlags = uint32(r.Bits(32))
	c.GeneralConstraintIndicatorFlags = r.Bits(48)
	c.GeneralLevelIDC = byte(r.Bits(8))
	if err := skipSubLayers(r, int(sub)); err != nil {
		return nil, err
	}
	r.Golomb() // sps_seq_parameter_set_id
	chroma := r.Golomb()
	if chroma == 3 {
		r.Bits(1)
	}
	r.Golomb() // width and height: the caller knows them cropped
	r.Golomb()
	if r.Bits(1) == 1 { // conformance window
		for range 4 {
			r.Golomb()
		}
	}
	luma, chromaDepth := r.Golomb(), r.Golomb()
	if r.Short || chroma > 3 || luma > 7 || chromaDepth > 7 {
		return nil, fmt.Errorf("mp4: the SPS does not read (H.265 §7.3.2.2): %w", ErrInput)
	}
	c.ChromaFormatIDC, c.BitDepthLumaMinus8, c.BitDepthChromaMinus8 = byte(chroma), byte(luma), byte(chromaDepth)
	c.NaluArrays = []hevc.NaluArray{
		hevc.NewNaluArray(true, hevc.NALU_VPS, vps),
		hevc.NewNaluArray(true, hevc.NALU_SPS, sps),
		hevc.NewNaluArray(true, hevc.NALU_PPS, pps),
	}
	return &mp4.HvcCBox{DecConfRec: c}, nil
}

// skipSubLayers passes over the sub-layers of profile_tier_level, H.265 §7.3.3.
func skipSubLayers(r *rbsp.Reader, n int) error {
	if n > 6 {
		return fmt.Errorf("mp4: %d sub-layers in the SPS: %w", n, ErrInput)
	}
	var profile, level [6]bool
	for i := range n {
		profile[i], level[i] = r.Bits(1) == 1, r.Bits(1) == 1
	}
	if n > 0 {
		r.Bits(2 * (8 - n))
	}
	for i := range n {
		if profile[i] {
			r.Bits(44)
			r.Bits(44)
		}
		if level[i] {
			r.Bits(8)
		}
	}
	return nil
}
