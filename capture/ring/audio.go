package ring

import (
	"encoding/binary"

	"veilbox/capture/footage"
)

// encodeAudio writes all of a's but its data, nil where there is none; start is
// the part's:
//
//	1 byte   codec
//	uvarint  rate, uvarint channels
//	uvarint  size of the configuration, and it
//	varint   start of the sound less start of the part, ticks
//	uvarint  number of samples
//	runs of  uvarint length, uvarint duration   until all have one
//	runs of  uvarint length, uvarint size       until all have one
func encodeAudio(a *footage.Audio, start footage.Ticks) []byte {
	if len(a.Samples) == 0 {
		return nil
	}
	b := make([]byte, 0, 32+len(a.Format.Config)+3*len(a.Samples))
	b = append(b, byte(a.Format.Codec))
	b = binary.AppendUvarint(b, uint64(a.Format.Rate))
	b = binary.AppendUvarint(b, uint64(a.Format.Channels))
	b = binary.AppendUvarint(b, uint64(len(a.Format.Config)))
	b = append(b, a.Format.Config...)
	b = binary.AppendVarint(b, int64(a.Start-start))
	b = binary.AppendUvarint(b, uint64(len(a.Samples)))
	b = appendRuns(b, a.Samples, func(s *footage.AudioSample) uint32 { return s.Duration })
	return appendRuns(b, a.Samples, func(s *footage.AudioSample) uint32 { return s.Size })
}

func appendRuns(b []byte, ss []footage.AudioSample, of func(*footage.AudioSample) uint32) []byte {
	for i := 0; i < len(ss); {
		v, j := of(&ss[i]), i+1
		for j < len(ss) && of(&ss[j]) == v {
			j++
		}
		b = binary.AppendUvarint(b, uint64(j-i))
		b = binary.AppendUvarint(b, uint64(v))
		i = j
	}
	return b
}

// decodeAudio returns what encodeAudio wrote, and the sum of the sizes.
func decodeAudio(b []byte, start footage.Ticks) (a footage.Audio, sum int64, err error) {
	if len(b) == 0 {
		return a, 0, errTable
	}
	d := decoder{b: b[1:]}
	a.Format.Codec = footage.AudioCodec(b[0])
	a.Format.Rate, a.Format.Channels = int(d.uvarint(1<<20)), int(d.uvarint(255))
	if n := int(d.uvarint(maxAudioConfig)); n > len(d.b) {
		return a, 0, errTable
	} else if n > 0 {
		a.Format.Config, d.b = append([]byte(nil), d.b[:n]...), d.b[n:]
	}
	a.Start = start + footage.Ticks(d.varint())
	n := int(d.uvarint(MaxAudioSamples))
	if d.bad || n == 0 || checkAudioFormat(a.Format) != nil {
		return footage.Audio{}, 0, errTable
	}
	a.Samples = make([]footage.AudioSample, n)
	d.runs(n, MaxPartDuration, func(i int, v uint32) { a.Samples[i].Duration = v })
	d.runs(n, MaxPartSize, func(i int, v uint32) { a.Samples[i].Size, sum = v, sum+int64(v) })
	if d.bad || len(d.b) != 0 || sum > MaxPartSize {
		return footage.Audio{}, 0, errTable
	}
	return a, sum, nil
}

func (d *decoder) runs(n int, limit uint64, set func(int, uint32)) {
	for i := 0; i < n && !d.bad; {
		run, v := int(d.uvarint(uint64(n-i))), uint32(d.uvarint(limit))
		d.bad = d.bad || run == 0
		for range run {
			set(i, v)
			i++
		}
	}
}
