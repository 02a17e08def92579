package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"veilbox/appliance/casework"
	"veilbox/capture/footage"
)

// Cameras returns the box's cameras.
func (c *Client) Cameras(ctx context.Context) ([]casework.CameraView, error) {
	var v []casework.CameraView
	return v, c.ask(ctx, http.MethodGet, path("cameras"), nil, nil, &v)
}

// ProbeCamera asks the box to try a camera without adding it.
func (c *Client) ProbeCamera(ctx context.Context, n casework.NewCamera) (casework.CameraDescription, error) {
	var v casework.CameraDescription
	return v, c.ask(ctx, http.MethodPost, path("cameras", "probe"), nil, n, &v)
}

// AddCamera adds a camera; the box begins to record it.
func (c *Client) AddCamera(ctx context.Context, n casework.NewCamera) (casework.CameraView, error) {
	var v casework.CameraView
	return v, c.ask(ctx, http.MethodPost, path("cameras"), nil, n, &v)
}

// FindCameras asks the box to search its network for cameras.
func (c *Client) FindCameras(ctx context.Context) ([]casework.CameraFound, error) {
	var v []casework.CameraFound
	return v, c.ask(ctx, http.MethodPost, path("cameras", "find"), nil, nil, &v)
}

// LookForStreams asks the box to ask one camera for its streams, with a log-in
// for it or without.
func (c *Client) LookForStreams(ctx context.Context, l casework.CameraLook) (casework.CameraFound, error) {
	var v casework.CameraFound
	return v, c.ask(ctx, http.MethodPost, path("cameras", "look"), nil, l, &v)
}

// ChangeCamera changes how a camera is reached or what is recorded of it.
func (c *Client) ChangeCamera(ctx context.Context, cam footage.CameraID, ch casework.CameraChange) (casework.CameraView, error) {
	var v casework.CameraView
	return v, c.ask(ctx, http.MethodPatch, path("cameras", string(cam)), nil, ch, &v)
}

// TrustCamera accepts the certificate that a camera shows next.
func (c *Client) TrustCamera(ctx context.Context, cam footage.CameraID) error {
	return c.ask(ctx, http.MethodDelete, path("cameras", string(cam), "pin"), nil, nil, nil)
}

// AcceptDevice accepts a camera that says it is another, or has other firmware.
func (c *Client) AcceptDevice(ctx context.Context, cam footage.CameraID) error {
	return c.ask(ctx, http.MethodDelete, path("cameras", string(cam), "device"), nil, nil, nil)
}

// RemoveCamera ends the recording of a camera; what is recorded stays until it
// expires.
func (c *Client) RemoveCamera(ctx context.Context, cam footage.CameraID) error {
	return c.ask(ctx, http.MethodDelete, path("cameras", string(cam)), nil, nil, nil)
}

// Timeline returns what is recorded between two times.
func (c *Client) Timeline(ctx context.Context, cam footage.CameraID, from, to time.Time) (casework.Timeline, error) {
	var v casework.Timeline
	return v, c.ask(ctx, http.MethodGet, path("cameras", string(cam), "timeline"), span(from, to), nil, &v)
}

// Footage returns recorded video, as MP4. With export it is for use outside the
// system, and the purpose is kept in the audit log.
func (c *Client) Footage(ctx context.Context, cam footage.CameraID, from, to time.Time, export bool, purpose string) (*Media, error) {
	q := span(from, to)
	if export {
		q.Set("export", "1")
	}
	if purpose != "" {
		q.Set("purpose", purpose)
	}
	return c.Media(ctx, path("cameras", string(cam), "footage.mp4"), q)
}

// Still returns the newest picture, as JPEG.
func (c *Client) Still(ctx context.Context, cam footage.CameraID) ([]byte, error) {
	return c.fetch(ctx, path("cameras", string(cam), "still.jpg"))
}

// Live sends a WebRTC offer (SDP) by WHEP (RFC 9725) and returns the answer and
// the session's path, for EndLive.
func (c *Client) Live(ctx context.Context, cam footage.CameraID, offer string) (answer, session string, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	resp, err := c.do(ctx, http.MethodPost, path("cameras", string(cam), "whep"), nil,
		http.Header{"Content-Type": {"application/sdp"}}, []byte(offer))
	if err != nil {
		return "", "", err
	}
	b, err := readAll(resp, 1<<20)
	if err != nil {
		return "", "", err
	}
	loc, err := resp.Location()
	if err != nil || loc.Host != c.base.Host {
		return "", "", errors.New("client: the box's WHEP answer names no session of its own")
	}
	return string(b), loc.Path, nil
}

// EndLive ends a session that Live began.
func (c *Client) EndLive(ctx context.Context, session string) error {
	return c.ask(ctx, http.MethodDelete, session, nil, nil, nil)
}

func span(from, to time.Time) url.Values {
	return url.Values{"from": {from.UTC().Format(time.RFC3339Nano)}, "to": {to.UTC().Format(time.RFC3339Nano)}}
}

// A Media is a video on the box, read with byte ranges. It implements
// io.ReadSeekCloser; reading goes on from where Seek put it. It is not safe for
// several goroutines.
type Media struct {
	c      *Client
	ctx    context.Context
	path   string
	query  url.Values
	size   int64
	off    int64
	body   io.ReadCloser
	bodyAt int64
	cut    int64 // where the transfer was last cut, -1 for nowhere
}

// Media opens a video by its path on the box.
func (c *Client) Media(ctx context.Context, path string, query url.Values) (*Media, error) {
	m := &Media{c: c, ctx: ctx, path: path, query: query, size: -1, cut: -1}
	return m, m.open()
}

// Size returns the length in bytes.
func (m *Media) Size() int64 { return m.size }

func (m *Media) open() error {
	resp, err := m.c.do(m.ctx, http.MethodGet, m.path, m.query, http.Header{"Range": {fmt.Sprintf("bytes=%d-", m.off)}}, nil)
	if err != nil {
		return err
	}
	var first, last, size int64
	switch {
	case resp.StatusCode == http.StatusPartialContent:
		_, err = fmt.Sscanf(resp.Header.Get("Content-Range"), "bytes %d-%d/%d", &first, &last, &size)
		if err == nil && (first != m.off || last != size-1) {
			err = fmt.Errorf("asked from %d, got %q", m.off, resp.Header.Get("Content-Range"))
		}
	case m.off == 0 && resp.ContentLength >= 0:
		size = resp.ContentLength
	default:
		err = fmt.Errorf("status %d without a length or range", resp.StatusCode)
	}
	if err == nil && m.size >= 0 && size != m.size {
		err = fmt.Errorf("the video changed its length from %d to %d while it was read", m.size, size)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("client: %s: %w", m.path, err), resp.Body.Close())
	}
	m.size, m.body, m.bodyAt = size, resp.Body, m.off
	return nil
}

// Read implements io.Reader. Where the box cuts the transfer it is asked again
// from there, once: what it cannot read it then says, as a problem.
func (m *Media) Read(p []byte) (int, error) {
	if m.off >= m.size {
		return 0, io.EOF
	}
	if m.body != nil && m.bodyAt != m.off {
		if err := m.Close(); err != nil {
			return 0, err
		}
	}
	if m.body == nil {
		if err := m.open(); err != nil {
			return 0, err
		}
	}
	n, err := m.body.Read(p)
	m.off += int64(n)
	m.bodyAt = m.off
	if m.off == m.size || !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return n, err
	}
	if m.cut == m.off {
		return n, io.ErrUnexpectedEOF
	}
	m.cut = m.off
	if err := m.Close(); err != nil || n > 0 {
		return n, err
	}
	return m.Read(p)
}

// Seek implements io.Seeker.
func (m *Media) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += m.off
	case io.SeekEnd:
		offset += m.size
	}
	if offset < 0 {
		return 0, fmt.Errorf("client: seek to %d", offset)
	}
	m.off = offset
	return offset, nil
}

// Close ends the transfer.
func (m *Media) Close() error {
	if m.body == nil {
		return nil
	}
	err := m.body.Close()
	m.body = nil
	return err
}
