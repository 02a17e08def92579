package camera

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"veilbox/capture/footage"
	"veilbox/internal/clock"
	"veilbox/internal/problem"
)

// A Description is what a look at a camera told. Strings from the camera are
// at most 64 printable characters.
type Description struct {
	Codec         footage.Codec
	Width, Height int
	FPS           float64       // counted, 0 if too few pictures came
	GOP           time.Duration // 0 if no second keyframe came
	BitRate       float64       // bit/s as counted
	Server        string
	Transport     Transport // the one that worked
	Secure        bool      // over TLS
	Pin           string    // of the certificate, for Source.Pin; "" without TLS
	Audio         string    // the sound's coding, "" where there is none or none that can be recorded
	AudioNote     Text      // why there is none to be had; empty where there is, or the camera offers none
	Warnings      []Text
}

// A Text is a sentence in Danish and English.
type Text = text

const (
	probeFor  = 6 * time.Second
	longGOP   = 4 * time.Second
	slowFPS   = 8
	maxGOPs   = 16
	smallSide = 720
)

var errSeen = errors.New("camera: enough was seen")

// Probe looks at src.URL for up to six seconds from its first keyframe, less
// if its third keyframe comes sooner. Without src.Transport it finds the one that
// works.
func Probe(ctx context.Context, src Source, lim Limits) (Description, error) {
	return probe(ctx, src, Options{Limits: lim})
}

func probe(ctx context.Context, src Source, opt Options) (Description, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	opt = opt.orDefault()
	p := &prober{cancel: cancel, keyed: make(chan struct{})}
	go func() {
		select {
		case <-ctx.Done():
		case <-p.keyed:
			if clock.Sleep(ctx, opt.Clock, probeFor) == nil {
				cancel(errSeen)
			}
		}
	}()
	s, err := newSession(src, opt, p)
	if err != nil {
		return Description{}, err
	}
	if err := s.run(ctx); !errors.Is(err, errSeen) {
		return Description{}, err
	}
	return p.description(s), nil
}

type prober struct {
	cancel context.CancelCauseFunc
	keyed  chan struct{}
	format footage.Format
	first  int64
	key    int64 // the last keyframe
	last   int64
	gops   []int64
	units  int
	bytes  int
	back   bool
}

func (p *prober) Format(f footage.Format) { p.format = f }

func (p *prober) AccessUnit(au footage.AccessUnit) {
	if p.units == 0 {
		p.first, p.key = au.DTS, au.DTS
		close(p.keyed)
	} else if au.Key && len(p.gops) < maxGOPs {
		p.gops, p.key = append(p.gops, au.DTS-p.key), au.DTS
	}
	p.last = au.DTS
	p.units++
	p.back = p.back || au.PTS > au.DTS+footage.TicksPerSecond/200
	if len(p.gops) >= 2 && p.last-p.first >= footage.TicksPerSecond {
		p.cancel(errSeen)
		return
	}
	for _, n := range au.NALUs {
		p.bytes += len(n)
	}
}

// irregular reports whether the keyframes come as the camera likes.
func (p *prober) irregular() bool {
	if len(p.gops) < 2 {
		return false
	}
	least, most := slices.Min(p.gops), slices.Max(p.gops)
	return most > least*3/2+footage.TicksPerSecond/5
}

// describeSound says whether the sound can be recorded.
func (d *Description) describeSound(s *session) {
	switch a := s.desc.audio; {
	case a != nil:
		if _, err := newAudio(*a, s.opt.Stats, nil, nil); err != nil {
			d.AudioNote = Text{
				DA: fmt.Sprintf("Lyden (%s) kan ikke optages, som kameraet beskriver den.", bounded(a.name, maxText)),
				EN: fmt.Sprintf("The sound (%s) cannot be recorded as the camera describes it.", bounded(a.name, maxText))}
			return
		}
		d.Audio = map[string]string{"MPEG4-GENERIC": "AAC", "MP4A-LATM": "AAC", "OPUS": "Opus", "PCMA": "G.711 A-law", "PCMU": "G.711 mu-law"}[a.name]
		if s.audioNote != nil {
			d.AudioNote = Text{DA: "Kameraet tilbyder lyd, men nægter at sende den.", EN: "The camera offers sound, but refuses to send it."}
		}
	case s.desc.sound != "":
		d.AudioNote = Text{
			DA: fmt.Sprintf("Lyden er kodet som %s, som ikke optages. Vælg AAC eller G.711 i kameraet.", s.desc.sound),
			EN: fmt.Sprintf("The sound is coded as %s, which is not recorded. Choose AAC or G.711 in the camera.", s.desc.sound)}
	}
}

func (p *prober) description(s *session) Description {
	d := Description{Codec: p.format.Codec, Width: p.format.Width, Height: p.format.Height, Server: s.server,
		Transport: s.transport(), Secure: s.tls(), Pin: s.pin}
	d.describeSound(s)
	if took := footage.Ticks(p.last - p.first).Duration(); p.units > 1 && took > 0 {
		d.FPS = float64(p.units-1) / took.Seconds()
		d.BitRate = float64(p.bytes) * 8 / took.Seconds()
	}
	if len(p.gops) > 0 {
		d.GOP = footage.Ticks(slices.Max(p.gops)).Duration()
	}
	warn := func(da, en string) { d.Warnings = append(d.Warnings, Text{DA: da, EN: en}) }
	if d.Codec == footage.H265 {
		warn("Kameraet sender H.265, som de fleste browsere ikke kan vise direkte. Vælg H.264, eller angiv en understrøm i H.264.",
			"The camera sends H.265, which most browsers cannot show live. Choose H.264, or name a sub stream in H.264.")
	}
	if d.Codec == footage.MJPEG {
		warn("Kameraet sender MJPEG, som fylder mange gange mere end H.264 og ikke kan vises direkte. Vælg H.264.",
			"The camera sends MJPEG, which takes many times the space of H.264 and cannot be shown live. Choose H.264.")
	} else if d.GOP == 0 || d.GOP > longGOP {
		warn("Der er langt mellem nøglebillederne; klip kan kun begynde dér. Sæt intervallet til 1-2 sekunder, og slå smart codec (H.264+, H.265+, Zipstream og lignende) fra.",
			"Keyframes are far apart, and clips can begin only there. Set the interval to 1-2 seconds, and switch smart codec (H.264+, H.265+, Zipstream and the like) off.")
	} else if p.irregular() {
		warn("Nøglebillederne kommer uregelmæssigt, som med smart codec (H.264+, H.265+, Zipstream og lignende); i ro kan der gå længe mellem dem. Slå det fra.",
			"Keyframes come irregularly, as with smart codec (H.264+, H.265+, Zipstream and the like); in a quiet scene they may be far apart. Switch it off.")
	}
	if d.FPS > 0 && d.FPS < slowFPS {
		n := problem.Numbers(d.FPS)
		warn("Kameraet sender kun "+n.DA+" billeder i sekundet.", "The camera sends only "+n.EN+" pictures a second.")
	}
	if min(d.Width, d.Height) < smallSide {
		warn(fmt.Sprintf("Billedet er kun %d x %d; en person kan være svær at genkende.", d.Width, d.Height),
			fmt.Sprintf("The picture is only %d x %d; a person may be hard to recognise.", d.Width, d.Height))
	}
	if p.back {
		warn("Kameraet bruger B-billeder, som forsinker og vanskeliggør direkte visning. Slå dem fra.",
			"The camera uses B-frames, which delay and hamper the live view. Switch them off.")
	}
	if s.basicOnly {
		warn("Kameraet får adgangskoden i klar tekst (Basic). Vælg Digest i kameraet.",
			"The camera is sent its password in the clear (Basic). Choose Digest in the camera.")
	}
	return d
}
