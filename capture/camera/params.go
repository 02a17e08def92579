package camera

import (
	"bytes"
	"errors"
	"fmt"
	"math"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"

	"veilbox/capture/footage"
)

// A unitKind is what a session does with a NAL unit.
type unitKind uint8

const (
	other unitKind = iota // kept: SEI and the like
	picture
	keyframe
	leading // depends on what came before its keyframe (RASL)
	vps
	sps
	pps
	useless // delimiters and filler, which a container replaces
)

func kindOf(c footage.Codec, nalu []byte) unitKind {
	if c == footage.H265 {
		if len(nalu) < 2 {
			return useless
		}
		switch t := nalu[0] >> 1 & 0x3f; {
		case t == 8 || t == 9:
			return leading
		case t >= 16 && t <= 21:
			return keyframe
		case t < 32:
			return picture
		case t == 32:
			return vps
		case t == 33:
			return sps
		case t == 34:
			return pps
		case t >= 35 && t <= 38:
			return useless
		}
		return other
	}
	if len(nalu) == 0 {
		return useless
	}
	switch t := nalu[0] & 0x1f; {
	case t == 5:
		return keyframe
	case t >= 1 && t <= 4:
		return picture
	case t == 7:
		return sps
	case t == 8:
		return pps
	case t >= 9 && t <= 12 || t == 0:
		return useless
	}
	return other
}

// A sequence is what a sequence parameter set says.
type sequence struct {
	width, height int
	fps           float64 // 0 where it is not said
	reorder       int     // pictures sent before one that is shown earlier; of H.265
}

const maxSide = 16384

var errSequence = errors.New("camera: sequence parameter set")

// parseSPS reads a sequence parameter set. The parser is another's: should
// bytes exist that make it panic, they are an error here.
func parseSPS(c footage.Codec, b []byte) (q sequence, err error) {
	defer func() {
		if r := recover(); r != nil {
			q, err = sequence{}, fmt.Errorf("%w: the parser failed: %s", errSequence, bounded(fmt.Sprint(r), maxTold))
		}
	}()
	switch c {
	case footage.H265:
		var s h265.SPS
		if err := s.Unmarshal(b); err != nil {
			return sequence{}, fmt.Errorf("%w: %w", errSequence, err)
		}
		q = sequence{width: s.Width(), height: s.Height(), fps: s.FPS()}
		if n := len(s.MaxNumReorderPics); n > 0 {
			q.reorder = int(min(s.MaxNumReorderPics[n-1], maxReorder))
		}
	default:
		var s h264.SPS
		if err := s.Unmarshal(b); err != nil {
			return sequence{}, fmt.Errorf("%w: %w", errSequence, err)
		}
		q = sequence{width: s.Width(), height: s.Height(), fps: s.FPS()}
	}
	if q.width < 16 || q.height < 16 || q.width > maxSide || q.height > maxSide {
		return sequence{}, fmt.Errorf("%w: a picture of %d x %d", errSequence, q.width, q.height)
	}
	if math.IsNaN(q.fps) || q.fps < 0 || q.fps > 1000 {
		q.fps = 0
	}
	return q, nil
}

const maxPPS = 8

// paramSets holds the parameter sets in force: one VPS (H.265), one SPS, and
// the PPS by their identifier.
type paramSets struct {
	codec   footage.Codec
	limit   int
	vps     []byte
	sps     []byte
	pps     [maxPPS][]byte
	changed bool
	reorder int // as the sequence says
}

// put takes a copy of a parameter set and reports whether it is plausible.
func (s *paramSets) put(k unitKind, b []byte) bool {
	if len(b) > s.limit || len(b) < 3 {
		return false
	}
	at := &s.sps
	switch k {
	case vps:
		at = &s.vps
	case pps:
		id, ok := ppsID(s.codec, b)
		if !ok || id >= maxPPS {
			return false
		}
		at = &s.pps[id]
	}
	if !bytes.Equal(*at, b) {
		*at, s.changed = bytes.Clone(b), true
	}
	return true
}

// format returns the format that the sets describe.
func (s *paramSets) format() (footage.Format, error) {
	f := footage.Format{Codec: s.codec}
	if s.codec == footage.H265 {
		if s.vps == nil {
			return f, fmt.Errorf("%w: the video parameter set is missing", errSequence)
		}
		f.Params = append(f.Params, s.vps)
	}
	if s.sps == nil {
		return f, fmt.Errorf("%w: it is missing", errSequence)
	}
	f.Params = append(f.Params, s.sps)
	n := len(f.Params)
	for _, p := range s.pps {
		if p != nil {
			f.Params = append(f.Params, p)
		}
	}
	if len(f.Params) == n {
		return f, fmt.Errorf("%w: the picture parameter set is missing", errSequence)
	}
	q, err := parseSPS(s.codec, s.sps)
	if err != nil {
		return f, err
	}
	f.Width, f.Height, s.reorder = q.width, q.height, q.reorder
	return f, nil
}

// ppsID reads pic_parameter_set_id, an Exp-Golomb code (H.264 §9.1) at the
// beginning of the payload.
func ppsID(c footage.Codec, b []byte) (int, bool) {
	if c == footage.H265 {
		b = b[min(2, len(b)):]
	} else {
		b = b[min(1, len(b)):]
	}
	bit := func(i int) byte { return b[i/8] >> (7 - i%8) & 1 }
	n, zeros := len(b)*8, 0
	for zeros < n && bit(zeros) == 0 {
		zeros++
	}
	if zeros > 8 || 2*zeros+1 > n {
		return 0, false
	}
	v := 0
	for i := zeros; i <= 2*zeros; i++ {
		v = v<<1 | int(bit(i))
	}
	return v - 1, true
}
