package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// A Duration is written as Go writes it, "90s" or "720h", or in days, "30d".
type Duration time.Duration

// D returns d as the standard library's type.
func (d Duration) D() time.Duration { return time.Duration(d) }

const day = 24 * time.Hour

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(b []byte) error {
	s := string(b)
	if n, ok := strings.CutSuffix(s, "d"); ok {
		v, err := strconv.ParseUint(n, 10, 16)
		if err != nil {
			return fmt.Errorf(`%.40q is no duration, such as "12h" or "30d"`, s)
		}
		*d = Duration(time.Duration(v) * day)
		return nil
	}
	v, err := time.ParseDuration(s)
	if err != nil || v < 0 {
		return fmt.Errorf(`%.40q is no duration, such as "12h" or "30d"`, s)
	}
	*d = Duration(v)
	return nil
}

func (d Duration) String() string {
	if d > 0 && time.Duration(d)%day == 0 {
		return fmt.Sprintf("%dd", time.Duration(d)/day)
	}
	return time.Duration(d).String()
}

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// A Size is a number of bytes, written "500GiB" or "64MiB".
type Size int64

var units = []struct {
	name string
	size int64
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1}}

// UnmarshalText implements encoding.TextUnmarshaler.
func (z *Size) UnmarshalText(b []byte) error {
	s := strings.TrimSpace(string(b))
	for _, u := range units {
		n, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		v, err := strconv.ParseInt(strings.TrimSpace(n), 10, 64)
		if err != nil || v < 0 || v > (1<<62)/u.size {
			break
		}
		*z = Size(v * u.size)
		return nil
	}
	return fmt.Errorf(`%.40q is no size, such as "500GiB" or "64MiB"`, s)
}

func (z Size) String() string {
	for _, u := range units[:4] {
		if z > 0 && int64(z)%u.size == 0 {
			return fmt.Sprintf("%d%s", int64(z)/u.size, u.name)
		}
	}
	return fmt.Sprintf("%dB", int64(z))
}

// MarshalText implements encoding.TextMarshaler.
func (z Size) MarshalText() ([]byte, error) { return []byte(z.String()), nil }

// A Secret is a value that never prints. It comes from a file or a prompt, not
// from a flag or a settings file.
type Secret struct{ s string }

// NewSecret returns s as a Secret.
func NewSecret(s string) Secret { return Secret{s} }

// Reveal returns the value, for the one place that needs it.
func (s Secret) Reveal() string { return s.s }

// IsZero reports whether there is none.
func (s Secret) IsZero() bool { return s.s == "" }

func (s Secret) String() string       { return "***" }
func (s Secret) GoString() string     { return "config.Secret(***)" }
func (s Secret) LogValue() slog.Value { return slog.StringValue("***") }
func (s Secret) Format(f fmt.State, _ rune) {
	// fmt gives no way to report that the writer failed.
	_, _ = f.Write([]byte("***"))
}

// MarshalText implements encoding.TextMarshaler: it refuses.
func (s Secret) MarshalText() ([]byte, error) {
	return nil, errors.New("config: a secret is never marshalled")
}

// UnmarshalText implements encoding.TextUnmarshaler: it refuses.
func (s *Secret) UnmarshalText([]byte) error {
	return errors.New("a secret does not belong in the settings: put it in a file or a systemd credential")
}

// A Prefix is a network such as "192.0.2.0/24", or one address.
type Prefix struct{ netip.Prefix }

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Prefix) UnmarshalText(b []byte) error {
	s := string(b)
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		p.Prefix = netip.PrefixFrom(a, a.BitLen())
		return nil
	}
	v, err := netip.ParsePrefix(s)
	if err != nil {
		return fmt.Errorf(`%.60q is no network, such as "192.0.2.0/24" or "2001:db8::/32"`, s)
	}
	if v != v.Masked() {
		return fmt.Errorf("%s has bits set after the mask: write %s", v, v.Masked())
	}
	p.Prefix = v
	return nil
}

// MarshalText implements encoding.TextMarshaler.
func (p Prefix) MarshalText() ([]byte, error) { return p.Prefix.MarshalText() }

// Allowed reports whether a is in one of ps.
func Allowed(ps []Prefix, a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, p := range ps {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
