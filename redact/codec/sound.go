package codec

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"veilbox/capture/footage"
)

// Sound of a copy: AAC-LC of one or two channels.
const (
	SoundRate  = 48_000 // instants a second
	SoundFrame = 1024   // instants of an access unit
	maxADTS    = 1 << 13
)

// Sound decodes the first sound track of in and codes it anew as AAC-LC of
// channels channels, 1 or 2. It begins at start from the start of the file and
// lasts for length: what is before or after is cut, what is missing is silence,
// within the track as well. sink gets each access unit, without a header, good
// until sink returns.
func (t Tools) Sound(ctx context.Context, in *os.File, channels int, start, length footage.Ticks, sink func([]byte) error) error {
	if channels < 1 || channels > 2 || length < 1 {
		return fmt.Errorf("codec: sound of %d channels for %d ticks", channels, length)
	}
	seconds := func(v footage.Ticks) string {
		return strconv.FormatFloat(float64(v)/footage.TicksPerSecond, 'f', 6, 64)
	}
	layout, rate := "mono", "64k"
	if channels == 2 {
		layout, rate = "stereo", "96k"
	}
	// What is after the end of the track is silence: apad.
	graph := fmt.Sprintf("aresample=%d:async=1:first_pts=0,aformat=channel_layouts=%s,atrim=start=%s,asetpts=PTS-STARTPTS,apad,atrim=end=%s",
		SoundRate, layout, seconds(max(0, start)), seconds(length))
	s := &Stream{}
	_, err := s.startSound(ctx, t, in, []string{"-map", "0:a:0", "-af", graph, "-c:a", "aac", "-profile:a", "aac_low", "-b:a", rate,
		"-flags:a", "+bitexact", "-fflags", "+bitexact", "-map_metadata", "-1", "-f", "adts", "pipe:1"})
	if err != nil {
		return err
	}
	defer s.Close()
	if err := adts(s.out, channels, func(b []byte) error { s.n++; return sink(b) }); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return NoEncoder.With(fmt.Errorf("codec: sound: %w: %s", err, s.said.clean()))
	}
	if err := s.end(); !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// SoundConfig returns the AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1) of the
// sound that Sound gives.
func SoundConfig(channels int) []byte {
	const object, index = 2, 3 // AAC-LC, 48 kHz
	v := uint16(object<<11 | index<<7 | channels<<3)
	return []byte{byte(v >> 8), byte(v)}
}

// adts reads an ADTS stream (ISO/IEC 13818-7 §6.2) of one raw block a frame and
// calls sink with each. A frame of another coding, rate or channels than Sound
// asked for is an error.
func adts(r io.Reader, channels int, sink func([]byte) error) error {
	in := bufio.NewReaderSize(r, 64<<10)
	body := make([]byte, maxADTS)
	for {
		var h [9]byte
		if _, err := io.ReadFull(in, h[:7]); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		profile, index, ch := h[2]>>6, h[2]>>2&15, int(h[2]&1)<<2|int(h[3]>>6)
		switch {
		case h[0] != 0xff || h[1]&0xf6 != 0xf0:
			return errors.New("an ADTS frame without its sync word")
		case profile != 1 || index != 3 || ch != channels || h[6]&3 != 0:
			return fmt.Errorf("an ADTS frame of profile %d, rate %d, %d channels", profile, index, ch)
		}
		size := int(h[3]&3)<<11 | int(h[4])<<3 | int(h[5]>>5)
		head := 7
		if h[1]&1 == 0 { // a checksum follows
			head = 9
			if _, err := io.ReadFull(in, h[7:9]); err != nil {
				return errors.Join(err, io.ErrUnexpectedEOF)
			}
		}
		if size <= head {
			return fmt.Errorf("an ADTS frame of %d bytes", size)
		}
		b := body[:size-head]
		if _, err := io.ReadFull(in, b); err != nil {
			return errors.Join(err, io.ErrUnexpectedEOF)
		}
		if err := sink(b); err != nil {
			return err
		}
	}
}
