package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"veilbox/capture/footage"
	"veilbox/redact/subject"
)

// A Camera is how a camera is reached. It holds a password and never prints it.
type Camera struct {
	ID       footage.CameraID `json:"id"`
	Name     string           `json:"name"` // for people, such as "Kasse 1"
	URL      string           `json:"url"`  // rtsp://, without user and password
	SubURL   string           `json:"sub_url,omitempty"`
	Username string           `json:"username,omitempty"`
	Password string           `json:"password,omitempty"`
	// Transport is how the packets travel: "" (the box chooses), "tcp", "udp".
	Transport string `json:"transport,omitempty"`
	// Pin is the certificate of the camera that is trusted, "" before the first
	// is seen: the SHA-256 of its public key, in hex.
	Pin string `json:"pin,omitempty"`
	// Audio is whether the sound is recorded; a person chose it.
	Audio bool `json:"audio,omitempty"`
	// Device is what the camera says that it is. Was is what it said before,
	// where that differs and nobody has accepted it; Changed is when it was seen.
	Device  Device    `json:"device,omitzero"`
	Was     Device    `json:"was,omitzero"`
	Changed time.Time `json:"changed,omitzero"`
	Added   time.Time `json:"added"`
	// Veiled are the parts of the picture that no copy ever shows: a till's
	// screen, a keypad, the door to the staff room.
	Veiled []subject.Rect `json:"veiled,omitempty"`
}

// A Device is what a camera says of itself by ONVIF; empty where it says nothing.
type Device struct {
	Manufacturer string `json:"manufacturer,omitempty"`
	Model        string `json:"model,omitempty"`
	Firmware     string `json:"firmware,omitempty"`
	Serial       string `json:"serial,omitempty"`
}

// IsZero reports whether nothing is known.
func (d Device) IsZero() bool { return d == Device{} }

func (c Camera) String() string             { return "camera " + string(c.ID) }
func (c Camera) GoString() string           { return c.String() }
func (c Camera) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(c.String())) }
func (c Camera) LogValue() slog.Value       { return slog.StringValue(string(c.ID)) }

// PutCamera keeps a camera, new or changed. A zero Added becomes the time of now.
func (s *Store) PutCamera(ctx context.Context, c Camera) error {
	if _, err := footage.ParseCameraID(string(c.ID)); err != nil {
		return fmt.Errorf("store: camera: %w", err)
	}
	if c.Added.IsZero() {
		c.Added = s.clock.Now().UTC()
	}
	body, err := s.sealJSON("cameras", string(c.ID), c)
	if err != nil {
		return err
	}
	return s.exec(ctx, "INSERT INTO cameras (id, added, body) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET added = excluded.added, body = excluded.body",
		c.ID, micro(c.Added), body)
}

// Camera returns the camera called id, or ErrNotFound.
func (s *Store) Camera(ctx context.Context, id footage.CameraID) (Camera, error) {
	all, err := s.cameras(ctx, true, "WHERE id = ?", id)
	if err != nil {
		return Camera{}, err
	}
	if len(all) == 0 {
		return Camera{}, ErrNotFound
	}
	return all[0], nil
}

// Cameras returns all cameras in the order they were added.
func (s *Store) Cameras(ctx context.Context) ([]Camera, error) {
	return s.cameras(ctx, false, "ORDER BY added, id")
}

func (s *Store) cameras(ctx context.Context, single bool, rest string, args ...any) (_ []Camera, err error) {
	rows, err := s.db.QueryContext(ctx, "SELECT id, body FROM cameras "+rest, args...)
	if err != nil {
		return nil, fmt.Errorf("store: cameras: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var out []Camera
	var broken []error
	for rows.Next() {
		var id string
		var body []byte
		if err := rows.Scan(&id, &body); err != nil {
			return nil, fmt.Errorf("store: cameras: %w", err)
		}
		var c Camera
		if err := s.openJSON("cameras", id, body, &c); err != nil {
			broken = append(broken, err)
			continue
		}
		out = append(out, c)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: cameras: %w", err)
	}
	return readable(out, broken, single)
}

// DeleteCamera forgets a camera, its password among it.
func (s *Store) DeleteCamera(ctx context.Context, id footage.CameraID) error {
	return s.execOne(ctx, ErrNotFound, "DELETE FROM cameras WHERE id = ?", id)
}
