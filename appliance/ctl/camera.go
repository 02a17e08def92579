package ctl

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"time"

	"veilbox/appliance/casework"
	"veilbox/appliance/config"
	"veilbox/capture/camera"
	"veilbox/capture/camera/simulate"
	"veilbox/capture/footage"
	"veilbox/internal/problem"
)

type cameraCmd struct {
	Simulate simulateCmd     `cmd:"" help:"Be a camera: send video files in a loop over RTSP, until interrupted."`
	Probe    probeCmd        `cmd:"" help:"Look at a camera directly and say what it sends. Needs no box."`
	Add      cameraAddCmd    `cmd:"" help:"Add a camera to the box, which begins to record it."`
	List     cameraListCmd   `cmd:"" help:"List the box's cameras and how they are."`
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
	u, err := url.Parse(raw)
	if err != nil {
		return camera.ErrURL // url's own error shows the whole address
	}
	if _, has := u.User.Password(); has {
		return usage("take the password out of the address: other people on this machine can see it there. Give --user and --password-file")
	}
	return nil
}

type probeCmd struct {
	URL string `arg:"" help:"The camera's address, rtsp://HOST[:PORT]/PATH."`
	cameraSource
	Timeout time.Duration `default:"40s" help:"How long to wait at most."`
}

type probed struct {
	Codec    string         `json:"codec"`
	Width    int            `json:"width"`
	Height   int            `json:"height"`
	FPS      float64        `json:"fps"`
	GOP      float64        `json:"gop_seconds"`
	BitRate  float64        `json:"bit_rate"`
	Server   string         `json:"server,omitempty"`
	Warnings []problem.Text `json:"warnings"`
}

func (c *probeCmd) Run(e *env) error {
	if err := noPassword(c.URL); err != nil {
		return err
	}
	password, err := c.password(e)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(e.ctx, c.Timeout)
	defer cancel()
	d, err := camera.Probe(ctx, camera.Source{URL: c.URL, Username: c.User, Password: camera.Secret(password.Reveal())}, camera.Limits{})
	if errors.Is(err, context.DeadlineExceeded) {
		return camera.ErrUnreachable.With(err)
	}
	if err != nil {
		return err
	}
	v := probed{d.Codec.String(), d.Width, d.Height, d.FPS, d.GOP.Seconds(), d.BitRate, d.Server, append([]problem.Text{}, d.Warnings...)}
	rows := table{{"codec", v.Codec}, {"size", fmt.Sprintf("%dx%d", v.Width, v.Height)}, {"pictures a second", fmt.Sprintf("%.1f", v.FPS)},
		{"keyframe every", fmt.Sprintf("%.1f s", v.GOP)}, {"bit rate", fmt.Sprintf("%.1f Mbit/s", v.BitRate/1e6)}, {"server", v.Server}}
	for _, w := range v.Warnings {
		rows = append(rows, []string{"warning", w.EN})
	}
	return e.show(v, rows)
}

type cameraAddCmd struct {
	ID     string `arg:"" help:"The camera's name in the system: a-z, 0-9 and -, such as till-1."`
	URL    string `arg:"" help:"Its main stream, rtsp://HOST[:PORT]/PATH."`
	Name   string `help:"What people call it (default: the ID)."`
	SubURL string `help:"Its sub stream, for the live view." name:"sub-url" placeholder:"URL"`
	cameraSource
}

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
	n := casework.NewCamera{ID: c.ID, Name: c.Name, URL: c.URL, SubURL: c.SubURL, Username: c.User, Password: password.Reveal()}
	if n.Name == "" {
		n.Name = n.ID
	}
	v, err := cl.AddCamera(e.ctx, n)
	if err != nil {
		return err
	}
	return e.show(v, cameraTable(v))
}

func cameraTable(all ...casework.CameraView) table {
	t := table{{"ID", "NAME", "STATE", "SINCE", "PICTURE", "PROBLEM"}}
	for _, v := range all {
		picture, trouble := "", ""
		if v.Width > 0 {
			picture = fmt.Sprintf("%s %dx%d", v.Codec, v.Width, v.Height)
		}
		if v.Problem != nil {
			trouble = v.Problem.Cause.EN + " " + v.Problem.Remedy.EN
		}
		t = append(t, []string{string(v.ID), v.Name, v.State, local(v.Since), picture, trouble})
	}
	return t
}

type cameraListCmd struct{}

func (*cameraListCmd) Run(e *env) error {
	cl, err := e.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	v, err := cl.Cameras(e.ctx)
	if err != nil {
		return err
	}
	return e.show(v, cameraTable(v...))
}

type cameraRemoveCmd struct {
	ID string `arg:"" help:"The camera's name in the system."`
}

func (c *cameraRemoveCmd) Run(e *env) error {
	cam, err := footage.ParseCameraID(c.ID)
	if err != nil {
		return usage("%v", err)
	}
	cl, err := e.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	return cl.RemoveCamera(e.ctx, cam)
}
