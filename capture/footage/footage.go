// Package footage holds the leaf types of recorded video and its time base.
//
// Time base: Ticks are 1/90000 s since 1970-01-01T00:00:00 UTC on the box's
// clock at arrival. Durations within a stream are in the same unit, the clock
// rate of RTP video (RFC 3551 §5). A span is half open: From is in, To is not.
package footage

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"time"
)

// TicksPerSecond is the time base.
const TicksPerSecond = 90_000

// Ticks is an instant, or where said so a duration, in 1/90000 s.
type Ticks int64

// TicksOf returns t in ticks, cut to the tick before.
func TicksOf(t time.Time) Ticks {
	return Ticks(t.Unix()*TicksPerSecond + int64(t.Nanosecond())*9/100_000)
}

// TicksIn returns d as a number of ticks.
func TicksIn(d time.Duration) Ticks {
	return Ticks(int64(d/time.Second)*TicksPerSecond + int64(d%time.Second)*9/100_000)
}

// Time returns the instant t in UTC.
func (t Ticks) Time() time.Time {
	s, r := int64(t)/TicksPerSecond, int64(t)%TicksPerSecond
	return time.Unix(s, r*100_000/9).UTC()
}

// Duration returns t, taken as a duration.
func (t Ticks) Duration() time.Duration {
	s, r := int64(t)/TicksPerSecond, int64(t)%TicksPerSecond
	return time.Duration(s)*time.Second + time.Duration(r*100_000/9)
}

// A Span is the time from From until just before To.
type Span struct {
	From Ticks `json:"from"`
	To   Ticks `json:"to"`
}

// SpanOf returns the span between two instants.
func SpanOf(from, to time.Time) Span { return Span{TicksOf(from), TicksOf(to)} }

// Duration returns how long s is.
func (s Span) Duration() time.Duration { return (s.To - s.From).Duration() }

// Empty reports whether s holds no instant.
func (s Span) Empty() bool { return s.To <= s.From }

// Overlaps reports whether s and o share an instant.
func (s Span) Overlaps(o Span) bool { return s.From < o.To && o.From < s.To }

// A CameraID names a camera within its box: 1 to 31 of a-z, 0-9 and "-",
// beginning with a letter or digit. It is safe in a path and in a label.
type CameraID string

var cameraID = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,30}$`)

// ErrCameraID is the error of ParseCameraID.
var ErrCameraID = errors.New("a camera's name in the system is 1 to 31 of a-z, 0-9 and -, such as till-1")

// ParseCameraID returns s as a CameraID.
func ParseCameraID(s string) (CameraID, error) {
	if !cameraID.MatchString(s) {
		return "", fmt.Errorf("%q: %w", s, ErrCameraID)
	}
	return CameraID(s), nil
}

// A Codec is how a video stream is coded. Its values are on disk.
type Codec uint8

const (
	H264  Codec = 1
	H265  Codec = 2
	MJPEG Codec = 3 // every picture a JPEG of its own (ISO/IEC 10918-1), and so a keyframe
)

func (c Codec) String() string {
	switch c {
	case H264:
		return "H.264"
	case H265:
		return "H.265"
	case MJPEG:
		return "MJPEG"
	}
	return fmt.Sprintf("codec %d", uint8(c))
}

// A Format is what a decoder must know before the first access unit.
type Format struct {
	Codec         Codec
	Width, Height int // pixels, after cropping
	// Params are the parameter sets without start codes: SPS, PPS for H.264;
	// VPS, SPS, PPS for H.265; none for MJPEG.
	Params [][]byte
}

// AppendSample appends the bytes of the access unit that units make up to b, as
// a part and an MP4 hold them: each NAL unit behind its length as 4 bytes, big
// endian (ISO/IEC 14496-15); the JPEG of MJPEG as it is.
func (c Codec) AppendSample(b []byte, units [][]byte) []byte {
	for _, u := range units {
		if c != MJPEG {
			b = binary.BigEndian.AppendUint32(b, uint32(len(u)))
		}
		b = append(b, u...)
	}
	return b
}

// SampleSize returns how many bytes AppendSample appends.
func (c Codec) SampleSize(units [][]byte) int {
	n := 0
	for _, u := range units {
		n += len(u)
	}
	if c != MJPEG {
		n += 4 * len(units)
	}
	return n
}

// Equal reports whether f and g are the same, byte by byte.
func (f Format) Equal(g Format) bool {
	if f.Codec != g.Codec || f.Width != g.Width || f.Height != g.Height || len(f.Params) != len(g.Params) {
		return false
	}
	for i := range f.Params {
		if string(f.Params[i]) != string(g.Params[i]) {
			return false
		}
	}
	return true
}

// A Sample says where one access unit lies within a part, in decode order.
type Sample struct {
	Size     uint32 // bytes
	Duration uint32 // ticks until the next sample's decode time
	Offset   int32  // presentation time less decode time, ticks
	Key      bool   // an IDR (or IRAP) picture: decoding can begin here
}

// A Part is a run of access units, the unit of sealing. It begins with a
// keyframe, unless Continues is set: then it goes on where the part before it
// in the same GOP ended.
type Part struct {
	Camera    CameraID
	Start     Ticks // decode time of the first sample
	Continues bool
	Format    Format
	Samples   []Sample
	// Data is the samples one after the other as Codec.AppendSample writes them,
	// without parameter sets.
	Data []byte
	// Audio is what was heard meanwhile; its zero value where there is none.
	Audio Audio
}

// Duration returns the sum of the samples' durations, in ticks.
func (p *Part) Duration() Ticks {
	var d Ticks
	for i := range p.Samples {
		d += Ticks(p.Samples[i].Duration)
	}
	return d
}

// Span returns the time p covers.
func (p *Part) Span() Span { return Span{p.Start, p.Start + p.Duration()} }

// An AccessUnit is one coded picture as a camera sent it.
type AccessUnit struct {
	Arrived time.Time // wall clock of the box
	DTS     int64     // decode time within the session, ticks, never falls
	PTS     int64     // presentation time within the session, ticks
	Key     bool
	NALUs   [][]byte // without start codes and without parameter sets; of MJPEG the one JPEG
}

// A Hash is a SHA-256 sum. The types below keep apart what was hashed.
type Hash [32]byte

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// IsZero reports whether h was never set.
func (h Hash) IsZero() bool { return h == Hash{} }

func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

func (h *Hash) UnmarshalText(b []byte) error {
	var n Hash
	if len(b) != hex.EncodedLen(len(n)) {
		return fmt.Errorf("footage: a hash is %d hexadecimal digits, got %d", hex.EncodedLen(len(n)), len(b))
	}
	if _, err := hex.Decode(n[:], b); err != nil {
		return fmt.Errorf("footage: hash: %w", err)
	}
	*h = n
	return nil
}

type (
	// ClipHash is the hash of a clip's MP4, as clip.Movie gives it.
	ClipHash struct{ Hash }
	// CopyHash is the hash of a veiled copy's MP4.
	CopyHash struct{ Hash }
	// ProofHash is the hash of a proof's JSON.
	ProofHash struct{ Hash }
	// SheetHash is the hash of a reveal sheet.
	SheetHash struct{ Hash }
)
