package casework

import (
	"time"

	"veilbox/appliance/incident"
	"veilbox/appliance/store"
	"veilbox/capture/footage"
	"veilbox/internal/problem"
	"veilbox/redact/subject"
)

// A NewCamera is what is asked to add a camera.
type NewCamera struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	URL       string `json:"url"`               // rtsp:// or rtsps://host[:port]/path, main stream
	SubURL    string `json:"sub_url,omitempty"` // sub stream, optional
	Username  string `json:"username,omitempty"`
	Password  string `json:"password,omitempty"`
	Transport string `json:"transport,omitempty"` // "" (the box chooses), "tcp", "udp"
	Audio     bool   `json:"audio,omitempty"`     // record the sound too; needs a legal ground of its own
}

// A CameraChange changes what is given; absent fields stay as they are. An empty
// password is none given, unless the user name is taken away too.
type CameraChange struct {
	Name      *string `json:"name,omitempty"`
	URL       *string `json:"url,omitempty"`
	SubURL    *string `json:"sub_url,omitempty"`
	Username  *string `json:"username,omitempty"`
	Password  *string `json:"password,omitempty"`
	Transport *string `json:"transport,omitempty"`
	Audio     *bool   `json:"audio,omitempty"`
}

// A CameraDescription is what a probe found.
type CameraDescription struct {
	Codec    string         `json:"codec"`
	Width    int            `json:"width"`
	Height   int            `json:"height"`
	FPS      float64        `json:"fps"`
	Server   string         `json:"server,omitempty"`
	Warnings []problem.Text `json:"warnings,omitempty"`
}

// A CameraLook asks one camera for its streams.
type CameraLook struct {
	Address  string `json:"address"` // a CameraFound's service, or HOST[:PORT], or its http(s) URL
	Username string `json:"username,omitempty"`
	Password string `json:"password,omitempty"`
}

// A CameraFound is a camera that answered on the network.
type CameraFound struct {
	Address string `json:"address"`           // host, or host:port
	Service string `json:"service,omitempty"` // what a CameraLook asks it by
	Name    string `json:"name,omitempty"`
	Device
	Streams    []CameraStream   `json:"streams,omitempty"`
	URL        string           `json:"url,omitempty"`     // suggested for recording
	SubURL     string           `json:"sub_url,omitempty"` // suggested for the small stream
	NeedsLogin bool             `json:"needs_login"`       // it tells its streams to nobody without one
	Warnings   []problem.Text   `json:"warnings,omitempty"`
	Camera     footage.CameraID `json:"camera,omitempty"` // it is on this box already
}

// A CameraStream is one rendition that a camera offers.
type CameraStream struct {
	Name   string  `json:"name,omitempty"`
	Codec  string  `json:"codec,omitempty"`
	Width  int     `json:"width,omitempty"`
	Height int     `json:"height,omitempty"`
	FPS    float64 `json:"fps,omitempty"`
	URL    string  `json:"url,omitempty"`
}

// A Device is what a camera says of itself.
type Device = store.Device

// A CameraView is a camera as the page shows it; never its password.
type CameraView struct {
	ID           footage.CameraID `json:"id"`
	Name         string           `json:"name"`
	URL          string           `json:"url"`                // without user and password
	SubURL       string           `json:"sub_url,omitempty"`  // this and the next two for who may change them
	Username     string           `json:"username,omitempty"` //
	Pin          string           `json:"pin,omitempty"`      // the trusted certificate
	Transport    string           `json:"transport,omitempty"`
	Audio        bool             `json:"audio"`
	Device       *Device          `json:"device,omitempty"`
	State        string           `json:"state"`
	Since        time.Time        `json:"since"`
	Problem      *ProblemView     `json:"problem,omitempty"`
	Alarms       []CameraAlarm    `json:"alarms,omitempty"`
	Counts       []CameraCount    `json:"counts,omitempty"`
	LastPart     *time.Time       `json:"last_part,omitempty"` // when something was last stored
	LastKeyframe *time.Time       `json:"last_keyframe,omitempty"`
	Viewers      int              `json:"viewers"`
	Codec        string           `json:"codec,omitempty"`
	Width        int              `json:"width,omitempty"`
	Height       int              `json:"height,omitempty"`
	Veiled       []subject.Rect   `json:"veiled"` // never shown in a copy
	Live         bool             `json:"live"`   // pictures come, so that a live view can be asked for
}

// A CameraAlarm is a change of a camera that nobody has accepted yet. Code is
// "pin" or "device".
type CameraAlarm struct {
	Code   string       `json:"code"`
	Since  time.Time    `json:"since"`
	Cause  problem.Text `json:"cause"`
	Remedy problem.Text `json:"remedy"`
}

// A CameraCount is something that went wrong since the camera was started, how
// often, and what to do about it.
type CameraCount struct {
	Code   string       `json:"code"`
	Count  uint64       `json:"count"`
	Text   problem.Text `json:"text"`
	Remedy problem.Text `json:"remedy"`
}

// A Timeline is what is recorded of a camera, with gaps between the spans.
type Timeline struct {
	Camera   footage.CameraID `json:"camera"`
	Name     string           `json:"name,omitempty"` // only where several cameras are asked for
	Recorded []TimeSpan       `json:"recorded"`
	Gaps     int              `json:"gaps"` // between the first and last recorded moment, before pixels merge them
	Cases    []TimelineCase   `json:"cases"`
}

// A TimelineCase marks a case on a time line.
type TimelineCase struct {
	ID   incident.CaseID `json:"id"`
	Span TimeSpan        `json:"span"`
}

// A HoldView is a span that is kept beyond its time.
type HoldView struct {
	ID     string           `json:"id"`
	Camera footage.CameraID `json:"camera"`
	Name   string           `json:"name,omitempty"` // of the camera, if the box still has it
	Span   TimeSpan         `json:"span"`
	Case   incident.CaseID  `json:"case,omitempty"`
	What   string           `json:"what"` // the case's words, or the export's purpose
	Review time.Time        `json:"review"`
	Due    bool             `json:"due"` // somebody must look whether it is still needed
	// Release says whether this person may end it now; a case that runs keeps it.
	Release bool `json:"release"`
}

// A HoldChange gives a hold another review date.
type HoldChange struct {
	Review time.Time `json:"review"` // within a year
	Reason string    `json:"reason"` // why the footage is still needed; it is on record
}

// A NewExport asks for the original of a span, for the police.
type NewExport struct {
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Purpose string    `json:"purpose"`
	// Keep holds the span beyond its 30 days until Review, when a person looks
	// again; absent, in 90 days.
	Keep   bool       `json:"keep,omitempty"`
	Review *time.Time `json:"review,omitempty"`
}

// An ExportView is an original that is taken out, with what is signed about it.
type ExportView struct {
	ID        string           `json:"id"`
	Camera    footage.CameraID `json:"camera"`
	From      time.Time        `json:"from"` // what the video really shows
	To        time.Time        `json:"to"`
	Made      time.Time        `json:"made"`
	By        string           `json:"by"`
	Purpose   string           `json:"purpose"`
	State     string           `json:"state"` // "hashing", "ready", "failed"
	Done      int64            `json:"done"`  // bytes
	Size      int64            `json:"size"`  // bytes
	SHA256    string           `json:"sha256,omitempty"`
	Frames    int64            `json:"frames,omitempty"`
	Gaps      []TimeSpan       `json:"gaps"`
	Statement string           `json:"statement,omitempty"`
	// VerifierKey is what the statement's signature is checked with: the box's
	// audit.pub, to be compared with that by another way.
	VerifierKey string       `json:"verifier_key"`
	Kept        bool         `json:"kept"` // held beyond its 30 days
	Problem     *ProblemView `json:"problem,omitempty"`
}
