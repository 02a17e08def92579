//go:build linux

package work

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"veilbox/capture/footage"
	"veilbox/capture/mp4"
	"veilbox/redact/codec"
	"veilbox/redact/mask"
	"veilbox/redact/proof"
	"veilbox/redact/sheet"
	"veilbox/redact/veil"
)

// redact makes the copy: the clip is decoded small and tracked, decoded again
// in full and veiled, and coded anew.
func (w *worker) redact(ctx context.Context) error {
	if err := w.job.people(); err != nil {
		return BadSubject.With(err)
	}
	if err := w.job.Encoder.Check(); err != nil {
		return err
	}
	asked := w.version(ctx)
	f, _, sum, size, err := w.input()
	v := <-asked
	if err = errors.Join(v.err, err); err != nil {
		return err
	}
	defer f.Close()
	if err := codec.Whole(f, size); err != nil {
		return err
	}
	info, err := w.tools.Probe(ctx, f, w.job.Limits.Picture)
	if err != nil {
		return err
	}
	p, err := w.load(ctx, f, info)
	if err != nil {
		return err
	}
	// Its programs start, and the first frames are decoded, while one core
	// tracks.
	s, err := w.begin(ctx, f, info, p.rate(info))
	if err != nil {
		return err
	}
	defer s.abort()
	m, err := w.follow(ctx, p, info)
	if err != nil {
		return err
	}
	p.pix, p.spare = nil, nil // the second pass needs the memory
	out, err := w.veil(s, info, m)
	if err != nil {
		return err
	}
	if err := w.c.SendAll(TypeMask, m.Encode()); err != nil {
		return err
	}
	h := sha256.New()
	n, err := w.deliver(out, h)
	if err != nil {
		return err
	}
	r := Result{Clip: sum, Size: n, Tool: v.v, Sandbox: w.status}
	h.Sum(r.Copy[:0])
	return w.c.SendJSON(TypeResult, r)
}

type version struct {
	v   string
	err error
}

// version asks ffmpeg for its version while the input arrives.
func (w *worker) version(ctx context.Context) <-chan version {
	asked := make(chan version, 1)
	go func() {
		v, err := w.tools.Version(ctx)
		asked <- version{v, err}
	}()
	return asked
}

// A track being written: samples in memory, in their order, and their table.
type output struct {
	f       *os.File
	format  footage.Format
	samples []footage.Sample
	size    int64
	most    int64
}

// take is the encoder's sink.
func (o *output) take(u *codec.Unit) error {
	for i, p := range [][]byte{u.SPS, u.PPS} {
		switch {
		case p == nil:
		case len(o.format.Params) == i:
			o.format.Params = append(o.format.Params, bytes.Clone(p))
		case !bytes.Equal(o.format.Params[i], p):
			return codec.NoEncoder.With(errors.New("work: the encoder changed its parameters on the way"))
		}
	}
	if len(o.samples) == 0 && (!u.Key || len(o.format.Params) != 2) {
		return codec.NoEncoder.With(errors.New("work: the encoder did not begin with a keyframe and its parameters"))
	}
	o.size += int64(len(u.Data))
	if o.size > o.most {
		return codec.TooLarge.With(fmt.Errorf("work: a copy of over %d bytes", o.most))
	}
	if _, err := o.f.Write(u.Data); err != nil {
		return fmt.Errorf("work: keep the copy: %w", err)
	}
	o.samples = append(o.samples, footage.Sample{Size: uint32(len(u.Data)), Key: u.Key})
	return nil
}

// apply veils what is decoded. A frame that the mask does not know ends it: the
// two passes must see the same clip.
func (w *worker) apply(m *mask.Mask, v *veil.Veil, decoded, veiled chan []byte) error {
	y := m.Grid.W * m.Grid.H
	f := veil.Frame{W: m.Grid.W, H: m.Grid.H}
	var seen veil.Seen
	i := 0
	for b := range decoded {
		if i == len(m.Frames) {
			return codec.NotVideo.With(fmt.Errorf("work: the second pass found more than %d frames", i))
		}
		f.Y, f.U, f.V = b[:y], b[y:y+y/4], b[y+y/4:]
		seen.Shown, seen.Painted = m.Shown(seen.Shown[:0], i), m.Frames[i].Painted
		if err := v.Apply(&f, seen); err != nil {
			return fmt.Errorf("work: %w", err)
		}
		veiled <- b
		i++
		w.at("veil", i, len(m.Frames))
	}
	if i != len(m.Frames) {
		return codec.NotVideo.With(fmt.Errorf("work: the second pass found %d frames of %d", i, len(m.Frames)))
	}
	return nil
}

// deliver sends the file: header, then samples.
func (w *worker) deliver(o *output, h io.Writer) (int64, error) {
	head, data, err := mp4.Header(o.format, proof.Chunks(o.samples), mp4.Options{})
	if err != nil {
		return 0, fmt.Errorf("work: %w", err)
	}
	if data != o.size {
		return 0, fmt.Errorf("work: the header says %d bytes of video, %d are there", data, o.size)
	}
	_, _ = h.Write(head) // a hash takes everything
	if err := w.c.SendAll(TypeCopy, head); err != nil {
		return 0, err
	}
	if _, err := o.f.Seek(0, io.SeekStart); err != nil {
		return 0, fmt.Errorf("work: %w", err)
	}
	buf := make([]byte, 256<<10)
	for left := data; left > 0; {
		n, err := io.ReadFull(o.f, buf[:min(left, int64(len(buf)))])
		if err != nil {
			return 0, fmt.Errorf("work: read the copy: %w", err)
		}
		_, _ = h.Write(buf[:n]) // as above
		if err := w.c.Send(TypeCopy, buf[:n]); err != nil {
			return 0, err
		}
		left -= int64(n)
		w.at("write", int((data-left)>>10), int(data>>10))
	}
	return int64(len(head)) + data, nil
}

// proof judges a finished copy against its mask.
func (w *worker) proof(ctx context.Context) error {
	asked := w.version(ctx)
	f, in, sum, size, err := w.input()
	v := <-asked
	if err = errors.Join(v.err, err); err != nil {
		return err
	}
	defer f.Close()
	m, err := mask.Decode(in.mask)
	if err != nil {
		return fmt.Errorf("work: %w", err)
	}
	p, sh, err := proof.Run(ctx, w.tools, f, size, m, func(done, total int) { w.at("prove", done, total) })
	if errors.Is(err, sheet.ErrTooLarge) {
		return TooMuch.With(err)
	}
	if err != nil {
		return err
	}
	p.Clip, p.Copy, p.Mask = w.job.Clip, footage.CopyHash{Hash: sum}, mask.Hash(in.mask)
	p.Tools = proof.Tools{FFmpeg: v.v, Encoder: w.job.Encoder.Defaults(), Mask: 2}
	for _, pic := range sh.Pictures {
		if err := w.c.Send(TypePicture, EncodePicture(pic)); err != nil {
			return err
		}
	}
	b, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("work: %w", err)
	}
	return w.c.SendJSON(TypeResult, Result{Copy: sum, Size: size, Tool: v.v, Proof: b, Sandbox: w.status})
}
