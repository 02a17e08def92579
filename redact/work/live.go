//go:build linux

package work

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"veilbox/capture/footage"
	"veilbox/redact/codec"
	"veilbox/redact/sandbox"
)

// EncodeUnit returns the body of the frame that ends a picture: when it is
// shown, int64 in ticks, and 1 or 0 for a keyframe.
func EncodeUnit(at footage.Ticks, key bool) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(at))
	if key {
		return append(b, 1)
	}
	return append(b, 0)
}

// DecodeUnit reads what EncodeUnit wrote.
func DecodeUnit(b []byte) (at footage.Ticks, key bool, err error) {
	if len(b) != 9 || b[8] > 1 {
		return 0, false, fmt.Errorf("work: the end of a picture in %d bytes", len(b))
	}
	return footage.Ticks(binary.BigEndian.Uint64(b)), b[8] == 1, nil
}

// live turns pictures into H.264 until End, or until it is killed.
func (w *worker) live(ctx context.Context) error {
	l, err := w.tools.Live(ctx, w.job.Encoder, w.job.Codec, w.job.Width, w.job.Height, func(p codec.Picture) error {
		if err := w.c.SendAll(TypeCopy, p.Data); err != nil {
			return err
		}
		return w.c.Send(TypeUnit, EncodeUnit(p.At, p.Key))
	})
	if err != nil {
		return err
	}
	defer l.Abort()
	var data []byte
	for {
		t, body, err := w.c.Receive()
		if err != nil {
			return err
		}
		switch t {
		case TypeData:
			if len(data)+len(body) > codec.MaxPicture {
				return fmt.Errorf("work: a picture of over %d bytes", codec.MaxPicture)
			}
			data = append(data, body...)
		case TypeUnit:
			at, key, err := DecodeUnit(body)
			if err != nil {
				return err
			}
			if err := l.Write(codec.Picture{At: at, Key: key, Data: data}); err != nil {
				return err
			}
			data = data[:0]
		case TypeEnd:
			if err := l.Finish(); err != nil {
				return err
			}
			return w.c.SendJSON(TypeResult, Result{Sandbox: w.status})
		default:
			return fmt.Errorf("work: a frame of type %q where a picture is", byte(t))
		}
	}
}

// stills sends the first frames as JPEG, each as a still picture of its own.
func (w *worker) stills(ctx context.Context) error {
	c, err := w.intake()
	if err != nil {
		return err
	}
	defer c.close()
	if err := codec.Whole(c.clip, c.size); err != nil {
		return err
	}
	if w.job.Count < 1 || w.job.Count > MaxStills || w.job.Width < 16 {
		return fmt.Errorf("work: %d stills of %d pixels", w.job.Count, w.job.Width)
	}
	err = w.tools.Stills(ctx, c.clip, w.job.Width, w.job.Count, func(jpg []byte) error {
		if err := w.c.SendAll(TypeCopy, jpg); err != nil {
			return err
		}
		return w.c.Send(TypeUnit, EncodeUnit(0, true))
	})
	if err != nil {
		return err
	}
	return w.c.SendJSON(TypeResult, Result{Clip: c.sum, Sandbox: w.status})
}

// play codes a clip anew as H.264, frame by frame, with nothing veiled.
func (w *worker) play(ctx context.Context) error {
	c, err := w.clip(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	info := c.info
	file, err := sandbox.Memory("playable")
	if err != nil {
		return fmt.Errorf("work: %w", err)
	}
	defer file.Close()
	out := &output{f: file, most: w.job.Limits.Output, format: footage.Format{Codec: footage.H264, Width: info.Width, Height: info.Height}}
	var times []footage.Ticks
	longest := footage.Ticks(w.job.Limits.Picture.Seconds * footage.TicksPerSecond)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	err = w.tools.Plain(ctx, c.intake.clip, w.job.Encoder, info, out.take, func(at footage.Ticks) {
		if len(times) == maxPlay || at > longest {
			cancel(codec.TooLarge.With(fmt.Errorf("work: more than %d frames or %.0f s", maxPlay, w.job.Limits.Picture.Seconds)))
			return
		}
		times = append(times, at)
		w.at("decode", len(times), max(info.Frames, len(times)))
	})
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if err != nil {
		return err
	}
	if len(times) != len(out.samples) || len(times) == 0 {
		return codec.NoEncoder.With(fmt.Errorf("work: %d frames coded, %d times", len(out.samples), len(times)))
	}
	last := footage.Ticks(footage.TicksPerSecond / info.Rate)
	for i := range out.samples {
		if i+1 < len(times) {
			last = times[i+1] - times[i]
		}
		out.samples[i].Duration = uint32(max(1, last))
	}
	n, err := w.deliver(out, io.Discard)
	if err != nil {
		return err
	}
	if n == 0 {
		return errors.New("work: nothing was written")
	}
	return w.c.SendJSON(TypeResult, Result{Clip: c.sum, Size: n, Sandbox: w.status})
}

// maxPlay is how many frames a playable movie has at most.
const maxPlay = 500_000
