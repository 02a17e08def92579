package codec

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"

	"veilbox/capture/footage"
)

// Bounds of a live transcode.
const (
	LiveWidth = 1280 // pixels at most
	LiveRate  = 15   // pictures a second at most
	liveGOP   = 2    // seconds
	// MaxPicture is the largest picture that Live takes or gives.
	MaxPicture = 16 << 20
)

// A Picture is a picture on its way into or out of Live.
type Picture struct {
	// At is when it is shown, ticks from the first picture; out of Live it is cut
	// to milliseconds.
	At   footage.Ticks
	Key  bool
	Data []byte
}

// A Live turns pictures into H.264 as they come.
type Live struct {
	ctx  context.Context
	cmd  *exec.Cmd
	in   *os.File
	buf  []byte
	said tail
	done chan struct{}
	err  error // of the reading side; read after done
}

// Live starts a transcode of pictures of about w by h: H.264 and H.265 as byte
// streams (annex B) with their parameter sets in front of each keyframe, MJPEG
// as it is. sink is called from another goroutine with each picture of H.264:
// NAL units, parameter sets among them, each behind its length as 4 bytes. No
// picture waits for one after it, but the first, and but where the source itself
// shows pictures in another order than it sends them.
//
// Matroska carries the pictures in, since it tells where each ends and when it
// is shown; FLV carries them out for the same reason (Adobe FLV 10.1, annex E).
func (t Tools) Live(ctx context.Context, e Encoder, c footage.Codec, w, h int, sink func(Picture) error) (*Live, error) {
	if err := e.Check(); err != nil {
		return nil, err
	}
	args := []string{"-v", "error", "-nostdin", "-protocol_whitelist", "pipe", "-max_pixels", strconv.Itoa(1 << 25),
		"-flags", "low_delay", "-probesize", "32", "-analyzeduration", "0", "-fpsprobesize", "0",
		// Threads by frame would each keep a picture back.
		"-thread_type", "slice", "-threads", "2", "-f", "matroska", "-i", "pipe:0",
		"-map", "0:v:0", "-vf", fmt.Sprintf("select='isnan(prev_selected_t)+gte(t-prev_selected_t,%.4f)',scale='min(%d,iw)':-2:flags=fast_bilinear,format=yuv420p",
			1./LiveRate-0.004, LiveWidth),
		"-fps_mode", "passthrough", "-c:v", e.Defaults().Codec, "-bf", "0", "-g", strconv.Itoa(liveGOP * LiveRate),
		"-force_key_frames", fmt.Sprintf("expr:gte(t,n_forced*%d)", liveGOP)}
	if e.Defaults().Codec == "libx264" {
		args = append(args, "-preset", "ultrafast", "-tune", "zerolatency", "-profile:v", "baseline", "-crf", "26", "-threads", "2",
			"-x264-params", "scenecut=0:repeat-headers=1")
	} else {
		args = append(args, "-b:v", "2M")
	}
	args = append(args, "-flags:v", "+bitexact", "-f", "flv", "-flvflags", "no_duration_filesize", "-flush_packets", "1", "pipe:1")
	cmd, cleanup, err := t.command(ctx, t.FFmpeg, args...)
	if err != nil {
		return nil, err
	}
	cleanup() // its standard input is the pictures
	ir, iw, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("codec: %w", err)
	}
	widen(ir)
	or, ow, err := os.Pipe()
	if err != nil {
		ir.Close()
		iw.Close()
		return nil, fmt.Errorf("codec: %w", err)
	}
	l := &Live{ctx: ctx, cmd: cmd, in: iw, done: make(chan struct{})}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = ir, ow, &l.said
	err = cmd.Start()
	ir.Close() // the child has its own
	ow.Close() // likewise
	if err != nil {
		iw.Close()
		or.Close()
		return nil, NoFFmpeg.With(fmt.Errorf("codec: %w", err))
	}
	go func() {
		defer close(l.done)
		defer or.Close()
		l.err = readFLV(or, sink)
		if l.err != nil {
			// Unread output would keep the encoder, and whoever feeds it, waiting.
			_ = cmd.Process.Kill()
		}
	}()
	if _, err := iw.Write(matroskaHead(c, w, h)); err != nil {
		l.Abort()
		return nil, l.failed(err)
	}
	return l, nil
}

// Write gives one picture.
func (l *Live) Write(p Picture) error {
	if len(p.Data) > MaxPicture {
		return NotVideo.With(fmt.Errorf("codec: a picture of %d bytes", len(p.Data)))
	}
	l.buf = appendCluster(l.buf[:0], p)
	for _, b := range [][]byte{l.buf, p.Data} {
		if _, err := l.in.Write(b); err != nil {
			if l.ctx.Err() != nil {
				return l.ctx.Err()
			}
			<-l.done
			return l.failed(err)
		}
	}
	return nil
}

func (l *Live) failed(err error) error {
	if l.err != nil {
		err = l.err
	}
	return NotVideo.With(fmt.Errorf("codec: live: %w: %s", err, l.said.clean()))
}

// Finish ends the input and waits until sink has had everything.
func (l *Live) Finish() error {
	err := l.in.Close()
	<-l.done
	werr := l.cmd.Wait()
	switch {
	case l.ctx.Err() != nil:
		return l.ctx.Err()
	case l.err != nil || werr != nil:
		return l.failed(werr)
	}
	return err
}

// Abort ends it at once. It may follow Finish.
func (l *Live) Abort() {
	// Each of these fails where it has ended already.
	_ = l.cmd.Process.Kill()
	_ = l.in.Close()
	<-l.done
	_ = l.cmd.Wait()
}

// element appends a Matroska element (RFC 8794 §4): its ID, its length in 8
// bytes, its body.
func element(b []byte, id uint32, body ...byte) []byte {
	b = elementID(b, id)
	b = binary.BigEndian.AppendUint64(b, 1<<56|uint64(len(body)))
	return append(b, body...)
}

func elementID(b []byte, id uint32) []byte {
	switch {
	case id > 0xffffff:
		b = append(b, byte(id>>24))
		fallthrough
	case id > 0xffff:
		b = append(b, byte(id>>16))
		fallthrough
	case id > 0xff:
		b = append(b, byte(id>>8))
	}
	return append(b, byte(id))
}

// IDs of RFC 9559.
const (
	idEBML = 0x1A45DFA3
	idDocType, idSegment, idInfo, idTimestampScale, idTracks, idTrackEntry,
	idTrackNumber, idTrackUID, idTrackType, idCodecID, idVideo, idWidth, idHeight,
	idCluster, idTimestamp, idSimpleBlock = 0x4282, 0x18538067, 0x1549A966, 0x2AD7B1, 0x1654AE6B, 0xAE,
		0xD7, 0x73C5, 0x83, 0x86, 0xE0, 0xB0, 0xBA,
		0x1F43B675, 0xE7, 0xA3
	// matroskaTick is the unit of its times, in nanoseconds.
	matroskaTick = 100_000
)

func matroskaHead(c footage.Codec, w, h int) []byte {
	name := map[footage.Codec]string{footage.H264: "V_MPEG4/ISO/AVC", footage.H265: "V_MPEGH/ISO/HEVC", footage.MJPEG: "V_MJPEG"}[c]
	number := func(v int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(v)) }
	b := element(nil, idEBML, element(nil, idDocType, []byte("matroska")...)...)
	b = append(elementID(b, idSegment), 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff) // of unknown length
	b = element(b, idInfo, element(nil, idTimestampScale, number(matroskaTick)...)...)
	video := element(element(nil, idWidth, number(w)...), idHeight, number(h)...)
	track := element(nil, idTrackNumber, 1)
	track = element(track, idTrackUID, 1)
	track = element(track, idTrackType, 1)
	track = element(track, idCodecID, []byte(name)...)
	track = element(track, idVideo, video...)
	return element(b, idTracks, element(nil, idTrackEntry, track...)...)
}

// appendCluster appends a cluster with p alone, but for p's data.
func appendCluster(b []byte, p Picture) []byte {
	at := uint64(max(0, p.At)) * (1e9 / matroskaTick) / footage.TicksPerSecond
	stamp := element(nil, idTimestamp, binary.BigEndian.AppendUint64(nil, at)...)
	head := []byte{0x81, 0, 0, 0} // track 1, no time of its own
	if p.Key {
		head[3] = 0x80
	}
	block := binary.BigEndian.AppendUint64(elementID(nil, idSimpleBlock), 1<<56|uint64(len(head)+len(p.Data)))
	block = append(block, head...)
	b = binary.BigEndian.AppendUint64(elementID(b, idCluster), 1<<56|uint64(len(stamp)+len(block)+len(p.Data)))
	return append(append(b, stamp...), block...)
}

// readFLV reads the video tags of an FLV file and calls sink with each picture,
// whose data is good until sink returns. The parameter sets of the sequence
// header go in front of each keyframe that has none.
func readFLV(r io.Reader, sink func(Picture) error) error {
	in := bufio.NewReaderSize(r, 64<<10)
	var head [13]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		if errors.Is(err, io.EOF) {
			return nil // it ended before its first picture; its exit code says why
		}
		return fmt.Errorf("codec: the encoder's output: %w", err)
	}
	if !bytes.HasPrefix(head[:], []byte("FLV\x01")) {
		return errors.New("codec: the encoder's output is no FLV")
	}
	var params, body, out []byte
	for {
		var tag [11]byte
		if _, err := io.ReadFull(in, tag[:]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("codec: the encoder's output: %w", err)
		}
		size := int(tag[1])<<16 | int(tag[2])<<8 | int(tag[3])
		ms := int64(tag[7])<<24 | int64(tag[4])<<16 | int64(tag[5])<<8 | int64(tag[6])
		if cap(body) < size+4 {
			body = make([]byte, size+4, 2*(size+4))
		}
		body = body[:size+4] // with the length that follows each tag
		if _, err := io.ReadFull(in, body); err != nil {
			return fmt.Errorf("codec: the encoder's output: %w", err)
		}
		const video, avc = 9, 7
		if tag[0]&0x1f != video || size < 5 || body[0]&0x0f != avc {
			continue
		}
		b := body[5:size]
		switch body[1] {
		case 0:
			var err error
			if params, err = avcParams(b); err != nil {
				return err
			}
		case 1:
			key := body[0]>>4 == 1
			out = out[:0]
			if key {
				out = append(out, params...)
			}
			out = append(out, b...)
			if err := sink(Picture{At: footage.Ticks(ms * footage.TicksPerSecond / 1000), Key: key, Data: out}); err != nil {
				return err
			}
		}
	}
}

// avcParams returns the parameter sets of an AVCDecoderConfigurationRecord
// (ISO/IEC 14496-15 §5.3.3.1), each behind its length as 4 bytes.
func avcParams(b []byte) ([]byte, error) {
	bad := errors.New("codec: the encoder's parameter sets cannot be read")
	if len(b) < 6 || b[4]&3 != 3 {
		return nil, bad
	}
	var out []byte
	n, rest := int(b[5]&0x1f), b[6:]
	for pass := range 2 {
		if pass == 1 {
			if len(rest) < 1 {
				return nil, bad
			}
			n, rest = int(rest[0]), rest[1:]
		}
		for range n {
			if len(rest) < 2 {
				return nil, bad
			}
			size := int(binary.BigEndian.Uint16(rest))
			if size == 0 || size > len(rest)-2 {
				return nil, bad
			}
			out = binary.BigEndian.AppendUint32(out, uint32(size))
			out = append(out, rest[2:2+size]...)
			rest = rest[2+size:]
		}
	}
	return out, nil
}
