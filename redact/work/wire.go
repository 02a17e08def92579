//go:build linux

// Package work is the inside of veil-redact: the program that veils one clip,
// judges one copy, takes stills, codes a clip anew for a browser or turns a live
// stream into H.264, shut in by redact/sandbox, and the words it speaks with the
// outside.
//
// The wire. Both ways it is frames: one byte of type, the length of the body as
// 4 bytes (big endian), the body of at most MaxBody bytes. In: one Job (JSON);
// in pieces, each where the job announces it, the mask (its canonical form), the
// model and the movie of the scene, in this order; the input in pieces; End. For
// a live stream, instead, pieces of a picture and a Unit that ends it, over and
// over. Out: Progress (JSON), pieces of the copy, pieces of the mask, Pictures,
// Previews where the job asks for them, and at the end either one Result or one
// Failure (both JSON). Stills, and the pictures of a live stream, are pieces of a
// copy with a Unit after each. Nothing goes by files, names or the environment.
//
// In a session Asks (JSON) follow the End, one by one, and each is answered by
// what it asks for and an Answer (JSON). An ask that fails ends nothing. A Result
// follows the ask to end; a session whose input ends says nothing more.
//
// Both ends treat each other as hostile: every length has a bound, and the
// outside takes from a Failure only the code of a problem it knows and a short
// text for the log.
package work

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"veilbox/capture/footage"
	"veilbox/redact/codec"
	"veilbox/redact/sandbox"
	"veilbox/redact/subject"
)

// MaxBody is the largest body of a frame.
const MaxBody = 1 << 20

// A Type is what a frame holds.
type Type byte

const (
	TypeJob      Type = 'J'
	TypeData     Type = 'D'
	TypeEnd      Type = 'E'
	TypeMask     Type = 'M'
	TypeProgress Type = 'P'
	TypeCopy     Type = 'C'
	TypePicture  Type = 'I'
	TypeUnit     Type = 'U'
	TypeScene    Type = 'S' // of the movie of a still scene
	TypeModel    Type = 'N' // of an operator's model
	TypePreview  Type = 'V' // a JPEG of a veiled frame, in one piece
	TypeAsk      Type = 'Q' // of a session, JSON
	TypeAnswer   Type = 'W' // likewise
	TypeResult   Type = 'R'
	TypeFailure  Type = 'X'
)

// Kinds of a Job.
const (
	KindRedact = "redact"
	KindProof  = "proof"
	KindStill  = "still"
	KindCheck  = "check"
	KindStills = "stills"
	KindPlay   = "play"
	KindLive   = "live"
	// KindSession decodes a clip small, keeps it, and answers.
	KindSession = "session"
)

// MaxStills is how many stills are taken in one run.
const MaxStills = 1000

// A Job is what is asked for.
type Job struct {
	Kind     string            `json:"kind"`
	Clip     footage.ClipHash  `json:"clip"`
	Subjects []subject.Subject `json:"subjects"`
	Choice   subject.Choice    `json:"choice"`
	Veiled   []subject.Rect    `json:"veiled"`
	// Scene announces hours of the same camera in front of the clip, for
	// subject.StillScene; SceneTimes are when its frames were, in ticks from any
	// origin, where the movie's own times do not say it.
	Scene      bool            `json:"scene"`
	SceneTimes []footage.Ticks `json:"scene_times"`
	// Known announces the mask of an earlier run with the same clip, subjects
	// and regions in front of the clip: it is not tracked again.
	Known bool `json:"known"`
	// Previews asks for a veiled frame now and then, as TypePreview.
	Previews bool          `json:"previews"`
	Detect   Detect        `json:"detect"`
	Encoder  codec.Encoder `json:"encoder"`
	Veil     Veil          `json:"veil"`
	Limits   Limits        `json:"limits"`
	At       float64       `json:"at"`        // of a still, seconds
	Width    int           `json:"max_width"` // of a still, pixels; of a live stream as it comes
	Height   int           `json:"height"`    // of a live stream as it comes
	Codec    footage.Codec `json:"codec"`     // likewise
	Count    int           `json:"count"`     // of stills, at most
	Port     int           `json:"port"`      // of a check, see sandbox.Confirm
}

// Detect says how persons and faces are looked for; the zero value: not at all.
type Detect struct {
	On bool `json:"on"`
	// Model announces an ONNX model in front of the clip, of this many bytes and
	// this hash; 0: the default detector.
	Model int64        `json:"model"`
	Hash  footage.Hash `json:"hash"`
}

// What a session is asked.
const (
	AskTrack   = "track"   // the mask of subjects and regions, in pieces of TypeMask
	AskPicture = "picture" // a JPEG of the frame nearest At, of at most Width pixels, as TypePreview
	AskPeople  = "people"  // persons and faces in that frame
	AskEnd     = "end"
)

// An Ask is one question to a session. Questions are answered one by one.
type Ask struct {
	What     string            `json:"what"`
	Subjects []subject.Subject `json:"subjects"` // of a track; of a picture, what is shown of it
	Veiled   []subject.Rect    `json:"veiled"`
	At       float64           `json:"at"` // seconds
	Width    int               `json:"width"`
	Plain    bool              `json:"plain"` // a picture without a veil
}

// An Answer ends what follows an Ask.
type Answer struct {
	Failure *Failure `json:"failure"` // instead of all others
	People  []Person `json:"people"`
	Walked  int      `json:"walked"` // frames that were tracked anew
	At      float64  `json:"at"`     // of the frame that a picture or people are of, seconds
	Frames  int      `json:"frames"`
	Length  float64  `json:"length"` // of the clip, seconds
}

// A Person is what a detector found.
type Person struct {
	Kind  string       `json:"kind"` // "person" or "face"
	Rect  subject.Rect `json:"rect"`
	Score float32      `json:"score"` // 0 to 1
}

// people returns what is wrong with whom, and what, a job says to show.
func (j *Job) people() error {
	if err := j.Choice.Check(); err != nil {
		return err
	}
	if err := subject.CheckVeiled(j.Veiled); err != nil {
		return err
	}
	if j.Choice.Mode == subject.BlurEverything {
		if len(j.Subjects) > 0 {
			return errors.New("work: a subject where everything is veiled: leave the subjects out, or choose another mode")
		}
		return nil
	}
	return subject.CheckAll(j.Subjects)
}

// Veil is how the veil is made; zero values are the defaults of redact/veil.
type Veil struct {
	Cell   int  `json:"cell,omitempty"`
	Levels int  `json:"levels,omitempty"`
	Hold   int  `json:"hold,omitempty"`
	Solid  bool `json:"solid,omitempty"`
}

// Limits bound a job inside; those of the process are in sandbox.Limits.
type Limits struct {
	Input   int64        `json:"input"`  // bytes of the clip
	Output  int64        `json:"output"` // bytes of the copy
	Planes  int64        `json:"planes"` // bytes of small planes kept for the tracker
	Picture codec.Limits `json:"picture"`
}

// Progress says how far a job is.
type Progress struct {
	Stage string `json:"stage"`
	Done  int    `json:"done"`
	Total int    `json:"total"`
}

// A Result ends a job that was done.
type Result struct {
	Clip    footage.Hash    `json:"clip"` // of the input as it arrived
	Copy    footage.Hash    `json:"copy"`
	Size    int64           `json:"size"` // of the copy
	Tool    string          `json:"ffmpeg"`
	Proof   json.RawMessage `json:"proof,omitempty"`
	Sandbox sandbox.Status  `json:"sandbox"`
	Notices []Notice        `json:"notices,omitempty"`
}

// A Notice is what went otherwise than was asked and is no failure.
type Notice string

// Notices. The outside takes no others.
const (
	NoticeSoftware   Notice = "software-encoder" // the encoder that is configured failed, libx264 coded the copy
	NoticeNoDetector Notice = "no-detector"      // nobody was detected: veil-detect is missing or failed
	NoticeNoScene    Notice = "no-scene"         // nothing of the scene was proven to be still
	NoticeNoSound    Notice = "no-sound"         // sound was to be kept, and the clip has none
)

// Notices are all of them.
var Notices = []Notice{NoticeSoftware, NoticeNoDetector, NoticeNoScene, NoticeNoSound}

// A Failure ends a job that was not.
type Failure struct {
	Code   string `json:"code"`   // of a problem, "" where there is none
	Detail string `json:"detail"` // for the log
}

// A Conn sends frames and receives them. Sending may be done by several
// goroutines.
type Conn struct {
	R  io.Reader
	W  io.Writer
	mu sync.Mutex
	h  [5]byte
	b  []byte
}

// Send writes one frame.
func (c *Conn) Send(t Type, body []byte) error {
	if len(body) > MaxBody {
		return fmt.Errorf("work: a frame of %d bytes, at most %d", len(body), MaxBody)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	h := [5]byte{byte(t)}
	binary.BigEndian.PutUint32(h[1:], uint32(len(body)))
	if _, err := c.W.Write(h[:]); err != nil {
		return fmt.Errorf("work: send: %w", err)
	}
	if _, err := c.W.Write(body); err != nil {
		return fmt.Errorf("work: send: %w", err)
	}
	return nil
}

// SendJSON writes v as one frame.
func (c *Conn) SendJSON(t Type, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("work: %w", err)
	}
	return c.Send(t, b)
}

// SendAll writes b in as many frames as it needs.
func (c *Conn) SendAll(t Type, b []byte) error {
	for len(b) > 0 {
		n := min(len(b), MaxBody)
		if err := c.Send(t, b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// Receive reads one frame. Its body is good until the next call.
func (c *Conn) Receive() (Type, []byte, error) {
	if _, err := io.ReadFull(c.R, c.h[:]); err != nil {
		return 0, nil, fmt.Errorf("work: receive: %w", err)
	}
	n := binary.BigEndian.Uint32(c.h[1:])
	if n > MaxBody {
		return 0, nil, fmt.Errorf("work: a frame of %d bytes, at most %d", n, MaxBody)
	}
	if cap(c.b) < int(n) {
		c.b = make([]byte, n, max(int(n), 64<<10))
	}
	if _, err := io.ReadFull(c.R, c.b[:n]); err != nil {
		return 0, nil, fmt.Errorf("work: receive: %w", err)
	}
	return Type(c.h[0]), c.b[:n], nil
}
