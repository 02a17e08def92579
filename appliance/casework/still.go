package casework

import (
	"encoding/binary"
	"fmt"
	"slices"

	"veilbox/capture/footage"
	"veilbox/capture/mp4"
)

// stillDuration is how long the one picture of a still lasts, in ticks.
const stillDuration = footage.TicksPerSecond / 25

// oneFrame returns an MP4 of one keyframe, for a decoder that asks for a file.
func oneFrame(f footage.Format, au footage.AccessUnit) ([]byte, error) {
	var data []byte
	for _, n := range au.NALUs {
		data = binary.BigEndian.AppendUint32(data, uint32(len(n)))
		data = append(data, n...)
	}
	samples := [][]footage.Sample{{{Size: uint32(len(data)), Duration: stillDuration, Key: true}}}
	header, _, err := mp4.Header(f, slices.Values(samples), mp4.Options{})
	if err != nil {
		return nil, fmt.Errorf("casework: the camera's picture: %w", err)
	}
	return append(header, data...), nil
}
