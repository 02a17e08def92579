package camera

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"

	"veilbox/capture/footage"
)

const (
	maxAudioUnit   = 8 << 10 // bytes, more than any of the codecs makes
	maxAudioConfig = 64      // bytes
	maxAudioAUs    = 64      // in a packet
)

// An audioTrack is what the session description says of a sound track.
type audioTrack struct {
	name     string // rtpmap's encoding name in capitals
	rate     int    // of the RTP clock
	channels int
	fmtp     string // its parameters, after the payload type
}

// staticAudio returns the track of a payload type that needs no rtpmap (RFC
// 3551 §6).
func staticAudio(pt uint8) (audioTrack, bool) {
	switch pt {
	case 0:
		return audioTrack{name: "PCMU", rate: 8000, channels: 1}, true
	case 8:
		return audioTrack{name: "PCMA", rate: 8000, channels: 1}, true
	}
	return audioTrack{}, false
}

// parseAudioMap reads what follows the payload type in an rtpmap attribute:
// name/rate[/channels].
func parseAudioMap(s string) (audioTrack, bool) {
	f := strings.Split(strings.TrimSpace(s), "/")
	if len(f) < 2 || len(f) > 3 {
		return audioTrack{}, false
	}
	t := audioTrack{name: strings.ToUpper(f[0]), channels: 1}
	var err error
	if t.rate, err = strconv.Atoi(strings.TrimSpace(f[1])); err != nil {
		return audioTrack{}, false
	}
	if len(f) == 3 {
		if t.channels, err = strconv.Atoi(strings.TrimSpace(f[2])); err != nil {
			return audioTrack{}, false
		}
	}
	return t, t.known() && t.rate >= 8000 && t.rate <= 96000 && t.channels >= 1 && t.channels <= 8
}

func (t audioTrack) known() bool {
	switch t.name {
	case "MPEG4-GENERIC", "MP4A-LATM", "PCMA", "PCMU", "OPUS":
		return true
	}
	return false
}

var errAudio = errors.New("camera: sound")

// An audio turns the RTP packets of a sound track into access units on the
// pictures' time line. What goes wrong in it is counted and costs the picture
// nothing.
type audio struct {
	track audioTrack
	stats *Stats
	// when returns what time of the session an arrival is, false until the first
	// keyframe.
	when func(arrived time.Time) (int64, bool)
	to   AudioHandler

	format footage.AudioFormat // its Rate is 0 until known
	told   bool
	line   audioLine
	step   int64 // RTP time that an access unit of AAC lasts

	sizeLen, indexLen, deltaLen int // of MPEG4-GENERIC
	mux                         latmMux
	inBand                      bool   // the configuration of LATM
	aligned                     []byte // units of LATM that do not begin with a byte

	buf   []byte // a fragmented unit
	skip  bool   // until its end
	begun bool
	seq   uint16
	ts    uint32
	units [][]byte
}

// newAudio returns the reader of a track, or an error where that cannot be
// recorded.
func newAudio(t audioTrack, stats *Stats, when func(arrived time.Time) (int64, bool), to AudioHandler) (a *audio, err error) {
	defer func() {
		if r := recover(); r != nil {
			a, err = nil, fmt.Errorf("%w: the parser failed: %s", errAudio, bounded(fmt.Sprint(r), maxTold))
		}
	}()
	if t.rate < 8000 || t.rate > 96000 {
		return nil, fmt.Errorf("%w: a clock of %d Hz", errAudio, t.rate)
	}
	a = &audio{track: t, stats: stats, when: when, to: to, line: audioLine{rate: int64(t.rate)}}
	p := parameters(t.fmtp)
	switch t.name {
	case "PCMA":
		a.format = footage.AudioFormat{Codec: footage.PCMA, Rate: t.rate, Channels: t.channels}
	case "PCMU":
		a.format = footage.AudioFormat{Codec: footage.PCMU, Rate: t.rate, Channels: t.channels}
	case "OPUS":
		if t.rate != 48000 {
			return nil, fmt.Errorf("%w: Opus with a clock of %d Hz", errAudio, t.rate)
		}
		a.format = footage.AudioFormat{Codec: footage.Opus, Rate: 48000, Channels: 2}
		if p["sprop-stereo"] == "0" {
			a.format.Channels = 1
		}
	case "MPEG4-GENERIC":
		err = a.generic(p)
	case "MP4A-LATM":
		err = a.latm(p)
	default:
		err = fmt.Errorf("%w: it is coded as %s", errAudio, bounded(t.name, maxText))
	}
	if err == nil && a.format.Rate != 0 {
		err = plausible(a.format)
	}
	if err != nil {
		return nil, err
	}
	return a, nil
}

func plausible(f footage.AudioFormat) error {
	if f.Rate < 8000 || f.Rate > 96000 || f.Channels < 1 || f.Channels > 2 {
		return fmt.Errorf("%w: %d channels of %d Hz", errAudio, f.Channels, f.Rate)
	}
	return nil
}

func parameters(fmtp string) map[string]string {
	out := map[string]string{}
	for kv := range strings.SplitSeq(fmtp, ";") {
		if k, v, ok := strings.Cut(strings.TrimSpace(kv), "="); ok && len(out) < 32 {
			out[strings.ToLower(strings.TrimSpace(k))] = strings.Trim(strings.TrimSpace(v), `"`)
		}
	}
	return out
}

// generic reads the parameters of RFC 3640 §4.1.
func (a *audio) generic(p map[string]string) error {
	width := func(name string, usual int) (int, error) {
		v, ok := p[name]
		if !ok {
			return usual, nil
		}
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 || n > 32 {
			return 0, fmt.Errorf("%w: %s is no number of bits", errAudio, name)
		}
		return n, nil
	}
	size, index := 13, 3
	if strings.EqualFold(p["mode"], "AAC-lbr") {
		size, index = 6, 2
	}
	var e1, e2, e3 error
	a.sizeLen, e1 = width("sizelength", size)
	a.indexLen, e2 = width("indexlength", index)
	a.deltaLen, e3 = width("indexdeltalength", index)
	if err := errors.Join(e1, e2, e3); err != nil {
		return err
	}
	if a.sizeLen == 0 {
		return fmt.Errorf("%w: units of a size that is not told", errAudio)
	}
	raw, err := hex.DecodeString(p["config"])
	if err != nil || len(raw) == 0 || len(raw) > maxAudioConfig {
		return fmt.Errorf("%w: its configuration cannot be read", errAudio)
	}
	var c mpeg4audio.AudioSpecificConfig
	if err := c.Unmarshal(raw); err != nil {
		return fmt.Errorf("%w: configuration: %w", errAudio, err)
	}
	return a.configure(raw, &c)
}

// configure takes the configuration of AAC.
func (a *audio) configure(raw []byte, c *mpeg4audio.AudioSpecificConfig) error {
	f := footage.AudioFormat{Codec: footage.AAC, Rate: c.SampleRate, Channels: c.ChannelCount, Config: raw}
	if err := plausible(f); err != nil {
		return err
	}
	samples := int64(1024)
	if c.FrameLengthFlag {
		samples = 960
	}
	a.step = samples * int64(a.track.rate) / int64(f.Rate)
	if !f.Equal(a.format) {
		a.format, a.told = f, false
	}
	return nil
}

// push takes the next packet.
func (a *audio) push(seq uint16, ts uint32, mark bool, p []byte, arrived time.Time) {
	defer func() {
		if r := recover(); r != nil {
			a.bad()
			a.buf, a.skip = a.buf[:0], false
		}
	}()
	lost := false
	if a.begun {
		switch n := seq - a.seq; {
		case n == 0 || n > 1<<15 && n > 65535-64:
			a.stats.AudioDropped.Add(1) // again, or too late
			return
		case n > 1:
			lost = true
		}
	}
	a.begun, a.seq = true, seq
	if len(a.buf) > 0 && (lost || ts != a.ts) {
		a.stats.AudioDropped.Add(1)
		a.buf = a.buf[:0]
	}
	if lost || ts != a.ts {
		a.skip = false
	}
	a.ts = ts
	a.units = a.units[:0]
	switch a.track.name {
	case "MPEG4-GENERIC":
		a.unpack(mark, p)
	case "MP4A-LATM":
		a.element(mark, p)
	default:
		if len(p) == 0 || len(p) > maxAudioUnit {
			a.bad()
			return
		}
		a.units = append(a.units, p)
	}
	if len(a.units) > 0 {
		a.give(ts, arrived)
	}
}

func (a *audio) bad() {
	a.stats.Malformed.Add(1)
	a.stats.AudioDropped.Add(1)
}

// lasts returns how much RTP time a unit lasts, 0 if it makes no sense.
func (a *audio) lasts(unit []byte) int64 {
	switch a.format.Codec {
	case footage.Opus:
		return opusSamples(unit)
	case footage.AAC:
		return a.step
	}
	return int64(len(unit) / a.format.Channels)
}

// give hands the units of a packet on.
func (a *audio) give(ts uint32, arrived time.Time) {
	now, playing := a.when(arrived)
	if !playing {
		return // there is no picture yet that the sound would belong to
	}
	if a.format.Rate == 0 {
		a.stats.AudioDropped.Add(uint64(len(a.units)))
		return // of LATM before its configuration
	}
	anchored := a.line.begin(ts, now)
	if anchored {
		a.stats.AudioReanchored.Add(1)
	}
	for _, u := range a.units {
		n := a.lasts(u)
		if n <= 0 || len(u) == 0 {
			a.bad()
			continue
		}
		pts, ticks, ok := a.line.next(n)
		if !ok {
			a.stats.AudioDropped.Add(1)
			continue
		}
		if !a.told {
			a.told = true
			f := a.format
			f.Config = append([]byte(nil), f.Config...)
			a.to.AudioFormat(f)
		}
		a.stats.AudioUnits.Add(1)
		a.to.AudioUnit(footage.AudioUnit{Arrived: arrived, PTS: pts, Duration: ticks, Data: u})
	}
}

// opusSamples returns how long an Opus packet lasts in samples of 48 kHz, 0 if
// it makes no sense (RFC 6716 §3.1, §3.2.5).
func opusSamples(p []byte) int64 {
	if len(p) == 0 {
		return 0
	}
	var frame int64
	switch c := p[0] >> 3; {
	case c < 12: // SILK: 10, 20, 40, 60 ms
		frame = [...]int64{480, 960, 1920, 2880}[c&3]
	case c < 16: // hybrid: 10, 20 ms
		frame = 480 << (c & 1)
	default: // CELT: 2.5, 5, 10, 20 ms
		frame = 120 << (c & 3)
	}
	n := int64(2)
	switch p[0] & 3 {
	case 0:
		n = 1
	case 3:
		if len(p) < 2 {
			return 0
		}
		n = int64(p[1] & 0x3f)
	}
	if n*frame > 5760 {
		return 0
	}
	return n * frame
}
