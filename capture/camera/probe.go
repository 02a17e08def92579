package camera

import (
	"context"
	"errors"
	"fmt"
	"time"

	"veilbox/capture/footage"
	"veilbox/internal/clock"
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
	Warnings      []Text
}

// A Text is a sentence in Danish and English.
type Text = text

const (
	probeFor  = 6 * time.Second
	longGOP   = 4 * time.Second
	slowFPS   = 8
	smallSide = 720
)

var errSeen = errors.New("camera: enough was seen")

// Probe looks at src.URL for up to six seconds from its first keyframe, less
// if its second keyframe comes sooner.
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
	last   int64
	gop    int64
	units  int
	bytes  int
	back   bool
}

func (p *prober) Format(f footage.Format) { p.format = f }

func (p *prober) AccessUnit(au footage.AccessUnit) {
	if p.units == 0 {
		p.first = au.DTS
		close(p.keyed)
	} else if au.Key && p.gop == 0 {
		p.gop = au.DTS - p.first
	}
	p.last = au.DTS
	p.units++
	p.back = p.back || au.PTS > au.DTS+footage.TicksPerSecond/200
	if p.gop > 0 && p.last-p.first >= footage.TicksPerSecond {
		p.cancel(errSeen)
		return
	}
	for _, n := range au.NALUs {
		p.bytes += len(n)
	}
}

func (p *prober) description(s *session) Description {
	d := Description{Codec: p.format.Codec, Width: p.format.Width, Height: p.format.Height, Server: s.server}
	if took := footage.Ticks(p.last - p.first).Duration(); p.units > 1 && took > 0 {
		d.FPS = float64(p.units-1) / took.Seconds()
		d.BitRate = float64(p.bytes) * 8 / took.Seconds()
	}
	d.GOP = footage.Ticks(p.gop).Duration()
	warn := func(da, en string) { d.Warnings = append(d.Warnings, Text{DA: da, EN: en}) }
	if d.Codec == footage.H265 {
		warn("Kameraet sender H.265, som de fleste browsere ikke kan vise direkte. Vælg H.264, eller angiv en understrøm i H.264.",
			"The camera sends H.265, which most browsers cannot show live. Choose H.264, or name a sub stream in H.264.")
	}
	if d.GOP == 0 || d.GOP > longGOP {
		warn("Der er langt mellem nøglebillederne; klip kan kun begynde dér. Sæt intervallet til 1-2 sekunder.",
			"Keyframes are far apart, and clips can begin only there. Set the interval to 1-2 seconds.")
	}
	if d.FPS > 0 && d.FPS < slowFPS {
		warn(fmt.Sprintf("Kameraet sender kun %.1f billeder i sekundet.", d.FPS), fmt.Sprintf("The camera sends only %.1f pictures a second.", d.FPS))
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
