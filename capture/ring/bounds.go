package ring

import (
	"errors"
	"fmt"

	"veilbox/capture/footage"
)

// Bounds of a part. A camera is hostile until shown otherwise.
const (
	// MaxPartSize is the most bytes a part's data may have, the sound included.
	MaxPartSize = 32 << 20
	// MaxSamples is the most access units a part may have.
	MaxSamples = 10_000
	// MaxAudioSamples is the most access units of sound a part may have.
	MaxAudioSamples = 30_000
	// MaxPartDuration is the longest a part may be, in ticks.
	MaxPartDuration = 10 * 60 * footage.TicksPerSecond

	maxParams      = 16
	maxParamSize   = 4096
	maxSide        = 16384
	maxAudioConfig = 256
	maxTable       = 1 << 20
)

const maxTicks = 230 * 365 * 24 * 3600 * footage.TicksPerSecond

// checkPart says what is wrong with p, before anything is written.
func checkPart(p *footage.Part) error {
	if _, err := footage.ParseCameraID(string(p.Camera)); err != nil {
		return err
	}
	if err := checkFormat(p.Format); err != nil {
		return err
	}
	if n := len(p.Samples); n == 0 || n > MaxSamples {
		return fmt.Errorf("%d samples, want 1 to %d", n, MaxSamples)
	}
	if n := len(p.Data) + len(p.Audio.Data); len(p.Data) == 0 || n > MaxPartSize {
		return fmt.Errorf("%d bytes, want 1 to %d", n, MaxPartSize)
	}
	var sum int64
	for i := range p.Samples {
		s := &p.Samples[i]
		if s.Duration > MaxPartDuration {
			return fmt.Errorf("sample %d lasts %d ticks", i, s.Duration)
		}
		sum += int64(s.Size)
	}
	if sum != int64(len(p.Data)) {
		return fmt.Errorf("samples of %d bytes together, data of %d", sum, len(p.Data))
	}
	if d := p.Duration(); d <= 0 || d > MaxPartDuration {
		return fmt.Errorf("%d ticks long, want 1 to %d", d, MaxPartDuration)
	}
	if p.Start <= 0 || p.Start > maxTicks {
		return fmt.Errorf("starts at tick %d, outside the years 1970 to 2200", p.Start)
	}
	if !p.Continues && !p.Samples[0].Key {
		return errors.New("neither begins with a keyframe nor continues")
	}
	return checkAudio(&p.Audio, p.Start)
}

// checkAudio says what is wrong with the sound of a part that starts at start.
func checkAudio(a *footage.Audio, start footage.Ticks) error {
	if len(a.Samples) == 0 {
		if len(a.Data) != 0 {
			return errors.New("sound without samples")
		}
		return nil
	}
	if err := checkAudioFormat(a.Format); err != nil {
		return err
	}
	if n := len(a.Samples); n > MaxAudioSamples {
		return fmt.Errorf("%d samples of sound, want at most %d", n, MaxAudioSamples)
	}
	if d := a.Start - start; d < -MaxPartDuration || d > MaxPartDuration || a.Start <= 0 {
		return fmt.Errorf("the sound starts %v from the pictures", d.Duration())
	}
	var sum int64
	var length footage.Ticks
	for i := range a.Samples {
		s := &a.Samples[i]
		if s.Duration > MaxPartDuration {
			return fmt.Errorf("sample %d of the sound lasts %d ticks", i, s.Duration)
		}
		sum += int64(s.Size)
		length += footage.Ticks(s.Duration)
	}
	if sum != int64(len(a.Data)) {
		return fmt.Errorf("samples of sound of %d bytes together, data of %d", sum, len(a.Data))
	}
	if length > 2*MaxPartDuration {
		return fmt.Errorf("%v of sound", length.Duration())
	}
	return nil
}

func checkAudioFormat(f footage.AudioFormat) error {
	switch f.Codec {
	case footage.AAC:
		if len(f.Config) == 0 || len(f.Config) > maxAudioConfig {
			return fmt.Errorf("an AudioSpecificConfig of %d bytes", len(f.Config))
		}
	case footage.PCMA, footage.PCMU, footage.Opus:
		if len(f.Config) != 0 {
			return fmt.Errorf("%v with a configuration", f.Codec)
		}
	default:
		return fmt.Errorf("%v is not recorded", f.Codec)
	}
	if f.Rate < 8000 || f.Rate > 96_000 || f.Channels < 1 || f.Channels > 2 {
		return fmt.Errorf("sound of %d channels at %d Hz", f.Channels, f.Rate)
	}
	return nil
}
