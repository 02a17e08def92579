package track

import "math"

// What the background is learnt from.
const (
	bgSamples = 41 // frames a model, odd
	bgSure    = 10 // seconds: in shorter clips people who move little become background
	bgWindow  = 90 // seconds a model: light changes over longer times
)

// The share of a box up to which foreground says nothing of a body in it, in a
// long clip, and the shorter the clip is, the more.
const (
	hazyLong  = 0.25
	hazyShort = 0.45
)

// A background is what each pixel looks like with nobody before it: the median
// over time, and how much it varies.
type background struct {
	models []model
	window int // frames a model
	hazy   float64
}

type model struct {
	mid    []byte // median
	thresh []byte // a difference from it up to here is noise
}

// learn takes the models from the whole clip.
func (b *background) learn(e *engine) error {
	b.window = e.total
	span := e.src.Time(e.total-1) - e.src.Time(0)
	b.hazy = hazyLong + (hazyShort-hazyLong)*(1-math.Min(1, span/bgSure))
	if span > bgWindow {
		b.window = max(bgSamples, int(float64(e.total)*bgWindow/span))
	}
	for from := 0; from < e.total; from += b.window {
		to := min(from+b.window, e.total)
		// A short rest says little: what it would hold is in the model before it.
		if from > 0 && to-from < b.window/2 {
			break
		}
		m, err := learnModel(e, from, to)
		if err != nil {
			return err
		}
		b.models = append(b.models, m)
	}
	return nil
}

func (b *background) at(frame int) model {
	return b.models[min(frame/b.window, len(b.models)-1)]
}

func learnModel(e *engine, from, to int) (model, error) {
	n := min(bgSamples, to-from)
	planes := make([][]byte, n)
	for i := range planes {
		p, err := e.plane(from + (to-from-1)*i/max(1, n-1))
		if err != nil {
			return model{}, err
		}
		planes[i] = p
	}
	m := model{make([]byte, e.w*e.h), make([]byte, e.w*e.h)}
	var v [bgSamples]byte
	for i := range m.mid {
		if i%e.w == 0 && i/e.w%32 == 0 {
			if err := e.ctx.Err(); err != nil {
				return model{}, err
			}
		}
		for j, p := range planes {
			v[j] = p[i]
		}
		mid := median(v[:n])
		for j := range n {
			v[j] = diff(v[j], mid)
		}
		m.mid[i] = mid
		// Three times the median deviation is two standard deviations of noise.
		m.thresh[i] = byte(min(60, 6+3*int(median(v[:n]))))
	}
	return m, nil
}

// median returns the middle of v, which it leaves alone: the high half of the
// byte is counted first, then the low half of those that share it.
func median(v []byte) byte {
	var n [16]uint8
	for _, x := range v {
		n[x>>4]++
	}
	left := uint8(len(v) / 2)
	hi := byte(0)
	for ; left >= n[hi]; hi++ {
		left -= n[hi]
	}
	n = [16]uint8{}
	for _, x := range v {
		if x>>4 == hi {
			n[x&15]++
		}
	}
	lo := byte(0)
	for ; left >= n[lo]; lo++ {
		left -= n[lo]
	}
	return hi<<4 | lo
}

func diff(a, b byte) byte {
	if a > b {
		return a - b
	}
	return b - a
}
