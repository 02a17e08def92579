package ctl

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"veilbox/appliance/casework"
	"veilbox/appliance/config"
	"veilbox/appliance/ctl/client"
	"veilbox/capture/camera"
	"veilbox/capture/camera/simulate"
	"veilbox/capture/footage"
)

type cameraCmd struct {
	Simulate simulateCmd     `cmd:"" help:"Be a camera: send video files in a loop over RTSP, until interrupted."`
	Find     cameraFindCmd   `cmd:"" help:"Search the network for cameras (ONVIF) and suggest the addresses to add."`
	Probe    probeCmd        `cmd:"" help:"Look at a camera directly and say what it sends. Needs no box."`
	Add      cameraAddCmd    `cmd:"" help:"Add a camera to the box, which begins to record it."`
	Change   cameraChangeCmd `cmd:"" help:"Change how a camera is reached, or what is recorded of it."`
	List     cameraListCmd   `cmd:"" help:"List the box's cameras and how they are."`
	Trust    cameraTrustCmd  `cmd:"" help:"Accept that a camera shows another certificate, or other firmware, than before."`
	Remove   cameraRemoveCmd `cmd:"" help:"Stop recording a camera; what is recorded stays until it expires."`
}

type simulateCmd struct {
	Files        []string `arg:"" name:"file" type:"existingfile" help:"Video files, sent one after the other."`
	Listen       string   `default:"127.0.0.1:8554" help:"Address and port."`
	User         string   `default:"demo" help:"User name that it lets in."`
	PasswordFile string   `help:"File with the password that it lets in; - is standard input. Without it one is made and printed." placeholder:"FILE"`
	Size         string   `default:"1280x720" help:"Picture size, or \"found\" for the files' own."`
	FPS          int      `help:"Pictures a second (default: as found)." name:"fps"`
	PrintURL     bool     `help:"Print the stream's address, alone, when it is ready." name:"print-url"`
	FFmpeg       string   `default:"ffmpeg" help:"The ffmpeg to use." name:"ffmpeg"`
}

func (c *simulateCmd) Run(e *env) error {
	o := simulate.Options{Files: c.Files, Listen: c.Listen, Username: c.User, FPS: c.FPS, FFmpeg: c.FFmpeg, Clock: e.Clock, Log: e.log}
	switch c.Size {
	case "found":
		o.AsFound = true
	default:
		var w, h int
		if n, err := fmt.Sscanf(c.Size, "%dx%d", &w, &h); n != 2 || err != nil || fmt.Sprintf("%dx%d", w, h) != c.Size || min(w, h) < 64 || max(w, h) > 4096 {
			return usage("--size %q: write it as 1280x720, or \"found\"", c.Size)
		}
		o.Size = simulate.Size{Width: w, Height: h}
	}
	made := c.PasswordFile == ""
	if made {
		o.Password = rand.Text()
	} else {
		s, err := e.secret(c.PasswordFile, "camera's password")
		if err != nil {
			return err
		}
		o.Password = s.Reveal()
	}
	cam, err := simulate.New(e.ctx, o)
	if err != nil {
		return err
	}
	if made {
		e.notice("User %s, password %s", cam.Username(), o.Password)
	}
	switch {
	case e.json:
		err = e.show(map[string]string{"url": cam.URL(), "sub_url": cam.SubURL(), "username": cam.Username()}, nil)
	case c.PrintURL:
		_, err = fmt.Fprintln(e.Out, cam.URL())
	default:
		err = e.show(nil, table{{"main", cam.URL()}, {"sub", cam.SubURL()}})
	}
	if err != nil {
		return err
	}
	e.notice("Sending; Ctrl-C stops.")
	if err := cam.Run(e.ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// A cameraSource is the flags that say where a camera is.
type cameraSource struct {
	User         string `help:"The camera's user name." placeholder:"NAME"`
	PasswordFile string `help:"File with the camera's password; - is standard input. Without it you are asked, where there is a user name." placeholder:"FILE"`
}

func (c *cameraSource) password(e *env) (config.Secret, error) {
	if c.User == "" && c.PasswordFile == "" {
		return config.Secret{}, nil
	}
	return e.secret(c.PasswordFile, "camera's password")
}

// noPassword refuses a URL with a password: it would be in the process list and
// in the shell's history.
func noPassword(raw string) error {
	if !strings.Contains(raw, "://") {
		raw = "//" + raw // a bare host
	}
	u, err := url.Parse(raw)
	if err != nil {
		return camera.ErrURL // url's own error shows the whole address
	}
	if _, has := u.User.Password(); has {
		return usage("take the password out of the address: other people on this machine can see it there. Give --user and --password-file")
	}
	return nil
}

type cameraAddCmd struct {
	ID        string `arg:"" help:"The camera's name in the system: a-z, 0-9 and -, such as till-1."`
	URL       string `arg:"" help:"Its main stream, rtsp://HOST[:PORT]/PATH or rtsps://."`
	Name      string `help:"What people call it (default: the ID)."`
	SubURL    string `help:"Its sub stream, for the live view." name:"sub-url" placeholder:"URL"`
	Transport string `help:"How the video comes: ${enum}." enum:"auto,tcp,udp" default:"auto"`
	Audio     bool   `help:"Record the sound as well. ${sound}"`
	cameraSource
}

// sound is the law's remark on microphones.
const sound = "What people say is more than their picture in law: it needs a ground of its own (GDPR art. 6 and 25; straffeloven § 263)."

func (c *cameraAddCmd) Run(e *env) error {
	for _, u := range []string{c.URL, c.SubURL} {
		if err := noPassword(u); err != nil {
			return err
		}
	}
	if _, err := footage.ParseCameraID(c.ID); err != nil {
		return usage("%v", err)
	}
	cl, err := e.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	password, err := c.password(e)
	if err != nil {
		return err
	}
	n := casework.NewCamera{ID: c.ID, Name: c.Name, URL: c.URL, SubURL: c.SubURL, Username: c.User, Password: password.Reveal(),
		Transport: transport(c.Transport), Audio: c.Audio}
	if n.Name == "" {
		n.Name = n.ID
	}
	v, err := cl.AddCamera(e.ctx, n)
	if err != nil {
		return err
	}
	if c.Audio {
		e.notice("The sound is recorded. %s", sound)
	}
	return e.show(v, cameraTable(v))
}

// transport is what the API calls it.
func transport(s string) string {
	if s == "auto" {
		return ""
	}
	return s
}

type cameraChangeCmd struct {
	ID        string  `arg:"" help:"The camera's name in the system."`
	Name      *string `help:"What people call it."`
	URL       *string `help:"Its main stream." placeholder:"URL" name:"url"`
	SubURL    *string `help:"Its sub stream; empty for none." name:"sub-url" placeholder:"URL"`
	Transport string  `help:"How the video comes: auto, tcp or udp." enum:",auto,tcp,udp" default:"" placeholder:"HOW"`
	Audio     *bool   `help:"Whether the sound is recorded as well. ${sound}" negatable:""`
	cameraSource
}

func (c *cameraChangeCmd) Run(e *env) error {
	cam, err := footage.ParseCameraID(c.ID)
	if err != nil {
		return usage("%v", err)
	}
	ch := casework.CameraChange{Name: c.Name, URL: c.URL, SubURL: c.SubURL, Audio: c.Audio}
	for _, u := range []*string{c.URL, c.SubURL} {
		if u == nil {
			continue
		}
		if err := noPassword(*u); err != nil {
			return err
		}
	}
	if c.Transport != "" {
		t := transport(c.Transport)
		ch.Transport = &t
	}
	if c.User == "" && c.PasswordFile == "" && ch == (casework.CameraChange{}) {
		return usage("nothing to change: give at least one of --name, --url, --sub-url, --transport, --audio, --user, --password-file")
	}
	cl, err := e.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	password, err := c.password(e)
	if err != nil {
		return err
	}
	if c.User != "" {
		ch.Username = &c.User
	}
	if p := password.Reveal(); p != "" {
		ch.Password = &p
	}
	v, err := cl.ChangeCamera(e.ctx, cam, ch)
	if err != nil {
		return err
	}
	if c.Audio != nil && *c.Audio {
		e.notice("The sound is recorded. %s", sound)
	}
	return e.show(v, cameraTable(v))
}

type cameraTrustCmd struct {
	ID     string `arg:"" help:"The camera's name in the system."`
	Device bool   `help:"Accept another maker, model, serial number or firmware instead of another certificate."`
}

func (c *cameraTrustCmd) Run(e *env) error {
	return e.withCamera(c.ID, func(cl *client.Client, cam footage.CameraID) error {
		accept, now := cl.TrustCamera, "The certificate that %s shows next is trusted from then on."
		if c.Device {
			accept, now = cl.AcceptDevice, "What %s now says it is, is what it is known as."
		}
		if err := accept(e.ctx, cam); err != nil {
			return err
		}
		e.notice(now+" The act is in the audit log, under your name.", cam)
		return nil
	})
}

// withCamera calls f with the box that is logged in to and the camera called id.
func (e *env) withCamera(id string, f func(*client.Client, footage.CameraID) error) error {
	cam, err := footage.ParseCameraID(id)
	if err != nil {
		return usage("%v", err)
	}
	return e.withBox(func(cl *client.Client) error { return f(cl, cam) })
}

func cameraTable(all ...casework.CameraView) table {
	t := table{{"ID", "NAME", "STATE", "SINCE", "PICTURE", "PROBLEM"}}
	for _, v := range all {
		picture, trouble := "", ""
		if v.Width > 0 {
			picture = fmt.Sprintf("%s %dx%d", v.Codec, v.Width, v.Height)
		}
		var all []string
		if v.Problem != nil {
			all = append(all, v.Problem.Cause.EN+" "+v.Problem.Remedy.EN)
		}
		for _, a := range v.Alarms {
			all = append(all, a.Cause.EN+" "+a.Remedy.EN)
		}
		trouble = strings.Join(all, " ")
		t = append(t, []string{string(v.ID), v.Name, v.State, local(v.Since), picture, trouble})
	}
	return t
}

type cameraListCmd struct{}

func (*cameraListCmd) Run(e *env) error {
	return e.withBox(func(cl *client.Client) error {
		v, err := cl.Cameras(e.ctx)
		if err != nil {
			return err
		}
		return e.show(v, cameraTable(v...))
	})
}

type cameraRemoveCmd struct {
	ID string `arg:"" help:"The camera's name in the system."`
}

func (c *cameraRemoveCmd) Run(e *env) error {
	return e.withCamera(c.ID, func(cl *client.Client, cam footage.CameraID) error { return cl.RemoveCamera(e.ctx, cam) })
}
