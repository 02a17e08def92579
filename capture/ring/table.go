package ring

import (
	"encoding/binary"
	"errors"
	"fmt"

	"veilbox/capture/footage"
)

var errTable = errors.New("the sample table does not read")

// encodeSamples writes a sample table in a few bytes a sample:
//
//	uvarint  number of samples
//	runs of  uvarint length, uvarint duration   until all have one
//	runs of  uvarint length, varint offset      until all have one
//	runs of  uvarint length                     not key, key, not key, ...
//	uvarint  size                               of each sample
func encodeSamples(ss []footage.Sample) []byte {
	b := make([]byte, 0, 16+3*len(ss))
	b = binary.AppendUvarint(b, uint64(len(ss)))
	for i := 0; i < len(ss); {
		j := i
		for j < len(ss) && ss[j].Duration == ss[i].Duration {
			j++
		}
		b = binary.AppendUvarint(b, uint64(j-i))
		b = binary.AppendUvarint(b, uint64(ss[i].Duration))
		i = j
	}
	for i := 0; i < len(ss); {
		j := i
		for j < len(ss) && ss[j].Offset == ss[i].Offset {
			j++
		}
		b = binary.AppendUvarint(b, uint64(j-i))
		b = binary.AppendVarint(b, int64(ss[i].Offset))
		i = j
	}
	key := false
	for i := 0; i < len(ss); {
		j := i
		for j < len(ss) && ss[j].Key == key {
			j++
		}
		b = binary.AppendUvarint(b, uint64(j-i))
		key = !key
		i = j
	}
	for i := range ss {
		b = binary.AppendUvarint(b, uint64(ss[i].Size))
	}
	return b
}

// decodeSamples appends the table that b holds to dst and returns also the sum
// of the sizes.
func decodeSamples(dst []footage.Sample, b []byte) ([]footage.Sample, int64, error) {
	d := decoder{b: b}
	n := int(d.uvarint(MaxSamples))
	if d.bad || n == 0 {
		return nil, 0, errTable
	}
	first := len(dst)
	dst = append(dst, make([]footage.Sample, n)...)
	ss := dst[first:]
	for i := 0; i < n && !d.bad; {
		run, v := int(d.uvarint(uint64(n-i))), uint32(d.uvarint(MaxPartDuration))
		d.bad = d.bad || run == 0
		for range run {
			ss[i].Duration = v
			i++
		}
	}
	for i := 0; i < n && !d.bad; {
		run, v := int(d.uvarint(uint64(n-i))), int32(d.varint())
		d.bad = d.bad || run == 0
		for range run {
			ss[i].Offset = v
			i++
		}
	}
	key := false
	for i := 0; i < n && !d.bad; {
		run := int(d.uvarint(uint64(n - i)))
		d.bad = d.bad || run == 0 && i > 0
		for range run {
			ss[i].Key = key
			i++
		}
		key = !key
	}
	var sum int64
	for i := range ss {
		ss[i].Size = uint32(d.uvarint(MaxPartSize))
		sum += int64(ss[i].Size)
	}
	if d.bad || len(d.b) != 0 || sum > MaxPartSize {
		return nil, 0, errTable
	}
	return dst, sum, nil
}

// encodeFormat writes a format: codec 1 byte; width, height uvarint; then for
// each parameter set uvarint length and bytes.
func encodeFormat(f footage.Format) []byte {
	b := []byte{byte(f.Codec)}
	b = binary.AppendUvarint(b, uint64(f.Width))
	b = binary.AppendUvarint(b, uint64(f.Height))
	for _, p := range f.Params {
		b = binary.AppendUvarint(b, uint64(len(p)))
		b = append(b, p...)
	}
	return b
}

func decodeFormat(b []byte) (footage.Format, error) {
	if len(b) == 0 {
		return footage.Format{}, errTable
	}
	f := footage.Format{Codec: footage.Codec(b[0])}
	d := decoder{b: b[1:]}
	f.Width, f.Height = int(d.uvarint(maxSide)), int(d.uvarint(maxSide))
	for len(d.b) > 0 && !d.bad {
		n := int(d.uvarint(maxParamSize))
		if n > len(d.b) {
			return footage.Format{}, errTable
		}
		f.Params = append(f.Params, append([]byte(nil), d.b[:n]...))
		d.b = d.b[n:]
	}
	if d.bad {
		return footage.Format{}, errTable
	}
	return f, checkFormat(f)
}

func checkFormat(f footage.Format) error {
	if f.Codec != footage.H264 && f.Codec != footage.H265 && f.Codec != footage.MJPEG {
		return fmt.Errorf("%v is not recorded", f.Codec)
	}
	if f.Width <= 0 || f.Height <= 0 || f.Width > maxSide || f.Height > maxSide {
		return fmt.Errorf("a picture of %d x %d", f.Width, f.Height)
	}
	if (len(f.Params) == 0) != (f.Codec == footage.MJPEG) || len(f.Params) > maxParams {
		return fmt.Errorf("%d parameter sets", len(f.Params))
	}
	for _, p := range f.Params {
		if len(p) == 0 || len(p) > maxParamSize {
			return fmt.Errorf("a parameter set of %d bytes", len(p))
		}
	}
	return nil
}

type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) uvarint(limit uint64) uint64 {
	v, n := binary.Uvarint(d.b)
	if d.bad || n <= 0 || v > limit {
		d.bad = true
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	if d.bad || n <= 0 || v != int64(int32(v)) {
		d.bad = true
		return 0
	}
	d.b = d.b[n:]
	return v
}
