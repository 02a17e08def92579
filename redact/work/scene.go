//go:build linux

package work

import (
	"context"
	"errors"
	"fmt"
	"io"

	"veilbox/capture/footage"
	"veilbox/redact/codec"
	"veilbox/redact/scene"
	"veilbox/redact/shape"
	"veilbox/redact/subject"
	"veilbox/redact/veil"
)

// A backdrop is the still scene of a camera, of which something is proven.
type backdrop = scene.Scene

// learn learns the still scene from the movie that came with the job. It is nil
// where none was asked for; where nothing of it is proven it is nil too, all is
// veiled, and the copy gets a notice.
func (w *worker) learn(ctx context.Context, in *intake, info codec.Info) (*backdrop, error) {
	if w.job.Kind == KindRedact && w.job.Choice.Mode != subject.StillScene {
		return nil, nil
	}
	if in.scene == nil {
		w.note(NoticeNoScene)
		return nil, nil
	}
	l := scene.NewLearner(gridOf(info))
	for _, take := range []func(*veil.Frame, footage.Ticks) error{l.Add, l.Verify} {
		if err := w.samples(ctx, in, info, take); err != nil {
			return nil, err
		}
	}
	s, err := l.Scene()
	if err != nil {
		return nil, fmt.Errorf("work: %w", err)
	}
	if s.Still.Empty() {
		w.note(NoticeNoScene)
		return nil, nil
	}
	return s, nil
}

// samples decodes the movie of a scene in the size of the clip.
func (w *worker) samples(ctx context.Context, in *intake, info codec.Info, take func(*veil.Frame, footage.Ticks) error) error {
	st, err := w.tools.Timed(ctx, in.scene, info.Width, info.Height, "")
	if err != nil {
		return err
	}
	defer st.Close()
	b := make([]byte, st.Size)
	for i := 0; ; i++ {
		at, err := st.Next(b)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if times := w.job.SceneTimes; len(times) > 0 {
			if i >= len(times) {
				return codec.NotVideo.With(fmt.Errorf("work: the scene has more than %d frames, whose times are given", len(times)))
			}
			at = times[i]
		}
		if i == scene.MaxSamples {
			return codec.TooLarge.With(fmt.Errorf("work: a scene of more than %d frames", i))
		}
		f := frameOf(b, info.Width, info.Height)
		if err := take(&f, at); err != nil {
			return fmt.Errorf("work: %w", err)
		}
		w.at("decode", i+1, max(i+1, len(w.job.SceneTimes)))
	}
}

func gridOf(i codec.Info) shape.Grid { return shape.For(i.Width, i.Height) }
