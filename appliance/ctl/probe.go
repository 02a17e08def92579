package ctl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"veilbox/appliance/casework"
	"veilbox/capture/camera"
	"veilbox/capture/camera/onvif"
	"veilbox/internal/problem"
)

type cameraFindCmd struct {
	Address   string        `arg:"" optional:"" help:"Ask this camera alone: its address, HOST[:PORT] or http(s)://. Only then is a log-in given, and to no other device."`
	Here      bool          `help:"Search from this machine instead of from the box. Needs no box."`
	Interface []string      `help:"With --here: network interfaces to search on (default: those with a private address)." placeholder:"NAME"`
	Wait      time.Duration `help:"With --here: how long to wait for answers." default:"3s"`
	cameraSource
}

const (
	lookMost   = 64 // cameras that are asked what they are
	lookAtOnce = 8
)

func (c *cameraFindCmd) Run(e *env) error {
	if c.Address == "" && (c.User != "" || c.PasswordFile != "") {
		return usage("give the address of the camera that the log-in is for: a search asks every device that answers, and one of them could guess the password from what it gets")
	}
	if !c.Here && len(c.Interface) > 0 {
		return usage("--interface is for --here: the box's own settings say where it searches")
	}
	if err := noPassword(c.Address); err != nil {
		return err
	}
	find := c.overTheBox
	if c.Here {
		find = c.fromHere
	}
	all, err := find(e)
	if err != nil {
		return err
	}
	return e.showFound(all)
}

func (c *cameraFindCmd) overTheBox(e *env) ([]casework.CameraFound, error) {
	cl, err := e.client()
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	if c.Address == "" {
		return cl.FindCameras(e.ctx)
	}
	password, err := c.password(e)
	if err != nil {
		return nil, err
	}
	v, err := cl.LookForStreams(e.ctx, casework.CameraLook{Address: c.Address, Username: c.User, Password: password.Reveal()})
	return []casework.CameraFound{v}, err
}

func (c *cameraFindCmd) fromHere(e *env) ([]casework.CameraFound, error) {
	if c.Address != "" {
		password, err := c.password(e)
		if err != nil {
			return nil, err
		}
		d, err := onvif.Look(e.ctx, c.Address, c.User, password.Reveal(), onvif.Limits{Clock: e.Clock})
		if err != nil && !(d.NeedsUser && c.User == "") {
			return nil, err
		}
		v := casework.FoundAs(onvif.Found{}, d, err)
		v.Address, v.Service = d.Address, c.Address
		return []casework.CameraFound{v}, nil
	}
	found, err := onvif.Discover(e.ctx, onvif.Options{Interfaces: c.Interface, Wait: c.Wait, Clock: e.Clock})
	if err != nil {
		return nil, err
	}
	found = found[:min(len(found), lookMost)]
	all := make([]casework.CameraFound, len(found))
	gate := make(chan struct{}, lookAtOnce)
	var wg sync.WaitGroup
	for i, f := range found {
		wg.Go(func() {
			gate <- struct{}{}
			defer func() { <-gate }()
			d, err := onvif.Look(e.ctx, f.LookAt(), "", "", onvif.Limits{Clock: e.Clock})
			all[i] = casework.FoundAs(f, d, err)
		})
	}
	wg.Wait()
	return all, context.Cause(e.ctx)
}

func (e *env) showFound(all []casework.CameraFound) error {
	if len(all) == 0 {
		e.notice("No camera answered. Cameras answer only where ONVIF is switched on in their settings, and only on the network that is searched.")
	}
	t := table{{"ADDRESS", "MAKER", "MODEL", "FIRMWARE", "PICTURE", "URL"}}
	for _, v := range all {
		url, picture := v.URL, ""
		if url == "" && v.NeedsLogin {
			url = "(wants a log-in: camera find " + v.Service + " --user NAME)"
		}
		for _, s := range v.Streams {
			if s.URL == v.URL && s.URL != "" {
				picture = fmt.Sprintf("%s %dx%d", s.Codec, s.Width, s.Height)
				break
			}
		}
		if v.Camera != "" {
			url = strings.TrimSpace(url + " (is " + string(v.Camera) + ")")
		}
		model := v.Model
		if model == "" {
			model = v.Name
		}
		t = append(t, []string{v.Address, v.Manufacturer, model, v.Firmware, picture, url})
	}
	if err := e.show(all, t); err != nil || e.json {
		return err
	}
	for _, v := range all {
		for _, w := range v.Warnings {
			e.notice("%s: %s", v.Address, printable(w.EN))
		}
	}
	return nil
}

type probeCmd struct {
	Address string `arg:"" help:"The stream's address, rtsp://HOST[:PORT]/PATH or rtsps://; or the camera's, HOST[:PORT] or http(s)://, which is asked for its streams by ONVIF."`
	cameraSource
	Transport string        `help:"How the video comes: ${enum}." enum:"auto,tcp,udp" default:"auto"`
	Timeout   time.Duration `default:"40s" help:"How long to wait at most."`
}

type probed struct {
	URL       string         `json:"url"`
	SubURL    string         `json:"sub_url,omitempty"`
	Maker     string         `json:"manufacturer,omitempty"`
	Model     string         `json:"model,omitempty"`
	Firmware  string         `json:"firmware,omitempty"`
	Serial    string         `json:"serial,omitempty"`
	Codec     string         `json:"codec"`
	Width     int            `json:"width"`
	Height    int            `json:"height"`
	FPS       float64        `json:"fps"`
	GOP       float64        `json:"gop_seconds"`
	BitRate   float64        `json:"bit_rate"`
	Transport string         `json:"transport"`
	Secure    bool           `json:"secure"`
	Pin       string         `json:"pin,omitempty"`
	Audio     string         `json:"audio,omitempty"`
	Server    string         `json:"server,omitempty"`
	Warnings  []problem.Text `json:"warnings"`
}

func (c *probeCmd) Run(e *env) error {
	if err := noPassword(c.Address); err != nil {
		return err
	}
	password, err := c.password(e)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(e.ctx, c.Timeout)
	defer cancel()
	v := probed{URL: c.Address, Warnings: []problem.Text{}}
	if askedByONVIF(c.Address) {
		d, err := onvif.Look(ctx, c.Address, c.User, password.Reveal(), onvif.Limits{Clock: e.Clock})
		if err != nil {
			return err
		}
		v.URL, v.SubURL = d.Main().URL, d.Sub().URL
		v.Maker, v.Model, v.Firmware, v.Serial = d.Manufacturer, d.Model, d.Firmware, d.Serial
		v.Warnings = append(v.Warnings, d.Warnings...)
		e.notice("The camera names its stream: %s", printable(v.URL))
	}
	d, err := camera.Probe(ctx, camera.Source{URL: v.URL, Username: c.User, Password: camera.Secret(password.Reveal()),
		Transport: camera.Transport(transport(c.Transport))}, camera.Limits{})
	if errors.Is(err, context.DeadlineExceeded) && e.ctx.Err() == nil {
		return camera.ErrUnreachable.With(err)
	}
	if err != nil {
		return err
	}
	v.fill(d)
	return e.show(v, v.table())
}

// fill takes what the stream itself told, which goes before what the camera's
// settings say.
func (v *probed) fill(d camera.Description) {
	v.Codec, v.Width, v.Height, v.FPS, v.GOP, v.BitRate, v.Server = d.Codec.String(), d.Width, d.Height, d.FPS, d.GOP.Seconds(), d.BitRate, d.Server
	v.Transport, v.Secure, v.Pin, v.Audio = string(d.Transport), d.Secure, d.Pin, d.Audio
	warnings := append([]problem.Text{}, d.Warnings...)
	if d.AudioNote.EN != "" {
		warnings = append(warnings, d.AudioNote)
	}
	for _, w := range v.Warnings {
		if !slices.Contains(warnings, w) {
			warnings = append(warnings, w)
		}
	}
	v.Warnings = warnings
}

func (v probed) table() table {
	var t table
	row := func(name, value string) {
		if value != "" {
			t = append(t, []string{name, value})
		}
	}
	row("address", v.URL)
	row("sub stream", v.SubURL)
	row("camera", strings.TrimSpace(v.Maker+" "+v.Model))
	row("firmware", v.Firmware)
	row("serial number", v.Serial)
	row("codec", v.Codec)
	row("size", fmt.Sprintf("%dx%d", v.Width, v.Height))
	row("pictures a second", fmt.Sprintf("%.1f", v.FPS))
	row("keyframe every", fmt.Sprintf("%.1f s", v.GOP))
	row("bit rate", fmt.Sprintf("%.1f Mbit/s", v.BitRate/1e6))
	how := strings.ToUpper(v.Transport)
	if v.Secure {
		how += ", encrypted (TLS)"
	} else {
		how += ", not encrypted"
	}
	row("transport", strings.TrimPrefix(how, ", "))
	row("certificate", v.Pin)
	audio := v.Audio
	if audio == "" {
		audio = "none"
	}
	row("sound", audio)
	row("server", v.Server)
	for _, w := range v.Warnings {
		row("warning", w.EN)
	}
	return t
}

// askedByONVIF reports whether an address is a camera's rather than a stream's.
func askedByONVIF(address string) bool {
	scheme, _, has := strings.Cut(address, "://")
	return !has || scheme == "http" || scheme == "https"
}
