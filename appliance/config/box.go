package config

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"time"
)

// A Box is the settings of a box (veilbox.toml).
type Box struct {
	DataDir   string   `toml:"data_dir"`
	Listen    string   `toml:"listen"`
	Hostnames []string `toml:"hostnames"`
	Metrics   string   `toml:"metrics"`
	Cameras   Cameras  `toml:"cameras"`
	Ring      Ring     `toml:"ring"`
	Redact    Redact   `toml:"redact"`
	Gate      Gate     `toml:"gate"`
	People    People   `toml:"people"`
	Keep      Keep     `toml:"keep"`
	Log       Log      `toml:"log"`
}

// Cameras is where the box looks for cameras.
type Cameras struct {
	Interfaces []string `toml:"interfaces"` // empty: all with a private address
	// Addresses are asked one by one, for cameras behind a router, where the
	// search itself does not come through: IP, or IP:PORT.
	Addresses []string `toml:"addresses"`
}

// Asked returns the addresses; a port of 0 is the usual one.
func (c Cameras) Asked() ([]netip.AddrPort, error) {
	var out []netip.AddrPort
	for _, s := range c.Addresses {
		a, err := netip.ParseAddr(s)
		at := netip.AddrPortFrom(a, 0)
		if err != nil {
			if at, err = netip.ParseAddrPort(s); err != nil {
				return nil, fmt.Errorf("config: %w", err)
			}
		}
		out = append(out, at)
	}
	return out, nil
}

// Ring is how much of the cameras is kept.
type Ring struct {
	Quota     Size     `toml:"quota"`     // 0: what the disk has, less a reserve
	Retention Duration `toml:"retention"` // 30 days at most (§ 4 c)
}

// Redact is how veiled copies are made.
type Redact struct {
	Worker               string   `toml:"worker"` // empty: beside the executable, else /usr/libexec/veilbox
	FFmpeg               string   `toml:"ffmpeg"`
	Encoder              string   `toml:"encoder"`
	Preset               string   `toml:"preset"`
	CRF                  int      `toml:"crf"`
	AllowDegradedSandbox bool     `toml:"allow_degraded_sandbox"`
	MaxClip              Duration `toml:"max_clip"`
	Detect               bool     `toml:"detect"`
	Detector             string   `toml:"detector"`     // of veil-detect; empty: as worker
	Model                string   `toml:"model"`        // an ONNX file of the operator's own; empty: the default detector
	ModelSHA256          string   `toml:"model_sha256"` // that it must have
}

// Gate is what the shop asks beyond the law's least.
type Gate struct {
	TwoPersons    bool     `toml:"two_persons"`
	MaxDisclosure Duration `toml:"max_disclosure"`
}

// People is how people prove who they are.
type People struct {
	// Breached is a file of passwords that are known to have leaked, looked up
	// beside the list that is built in; empty: none.
	Breached string `toml:"breached"`
}

// Keep is how long records are kept.
type Keep struct {
	Audit Duration `toml:"audit"` // entries of the audit log, a year at least (S6)
	Cases Duration `toml:"cases"` // a case after it has ended
}

// RPID is the host name that passkeys are made for: the first of Hostnames that
// is no address.
func (b Box) RPID() string {
	for _, h := range b.Hostnames {
		if net.ParseIP(h) == nil {
			return h
		}
	}
	return ""
}

// Log is how much is logged and in which form.
type Log struct {
	Level  string `toml:"level"`
	Format string `toml:"format"`
}

var sha256Hex = regexp.MustCompile(`^[0-9a-f]{64}$`)

// model checks that a model is named with what it must be: a file that is
// changed later is not used.
func (c *checker) model(r Redact) {
	switch {
	case r.Model == "" && r.ModelSHA256 == "":
	case r.Model == "":
		c.fault("redact.model_sha256", "it is the hash of no model", "write the path of the ONNX file as redact.model, or empty both")
	case !sha256Hex.MatchString(r.ModelSHA256):
		c.fault("redact.model", "redact.model_sha256 is not its SHA-256", "write there the 64 digits, lower case, that sha256sum says of the file")
	default:
		c.dir("redact.model", r.Model)
	}
}

// MaxRetention is the longest that recordings may be kept without a hold (§ 4 c).
const MaxRetention = 30 * day

// MinKeepAudit is the least that entries of the audit log are kept (S6), with a
// day to spare for a leap year.
const MinKeepAudit = 366 * day

// MaxDisclosure is the longest that a disclosure may last (V8).
const MaxDisclosure = 30 * day

// DefaultBox returns the settings of a box where nothing is set.
func DefaultBox() Box {
	return Box{
		DataDir:   "/var/lib/veilbox",
		Listen:    ":8443",
		Hostnames: []string{"veilbox.local"},
		Metrics:   "127.0.0.1:9090",
		Cameras:   Cameras{Interfaces: []string{}, Addresses: []string{}},
		Ring:      Ring{Retention: Duration(MaxRetention)},
		Redact:    Redact{FFmpeg: "ffmpeg", Encoder: "libx264", Preset: "veryfast", CRF: 20, MaxClip: Duration(15 * time.Minute), Detect: true},
		Gate:      Gate{TwoPersons: true, MaxDisclosure: Duration(MaxDisclosure)},
		Keep:      Keep{Audit: Duration(400 * day), Cases: Duration(365 * day)},
		Log:       Log{Level: "info", Format: "text"},
	}
}

func (b *Box) check(c *checker) {
	c.dir("data_dir", b.DataDir)
	c.address("listen", b.Listen)
	c.hostnames("hostnames", b.Hostnames)
	if len(b.Hostnames) > 0 && b.RPID() == "" {
		c.fault("hostnames", "there is no name among them", `give a name such as "veilbox.local": passkeys are made for a name, never for an address`)
	}
	c.metrics("metrics", b.Metrics)
	c.interfaces("cameras.interfaces", b.Cameras.Interfaces)
	if _, err := b.Cameras.Asked(); err != nil || len(b.Cameras.Addresses) > 64 {
		c.fault("cameras.addresses", "it is no list of up to 64 addresses", `write them as "192.168.7.20", or "192.168.7.20:3702" with a port of its own`)
	}
	if b.Ring.Quota != 0 && b.Ring.Quota < 1<<30 {
		c.fault("ring.quota", b.Ring.Quota.String()+" is too little to record in", `give at least "1GiB", or "0B" for what the disk has`)
	}
	c.between("ring.retention", b.Ring.Retention, Duration(time.Hour), Duration(MaxRetention), "recordings are deleted after 30 days at the latest (tv-overvågningsloven § 4 c)")
	if b.Redact.Worker != "" {
		c.dir("redact.worker", b.Redact.Worker)
	}
	if b.Redact.FFmpeg == "" {
		c.fault("redact.ffmpeg", "it is empty", `write "ffmpeg", or the program's path`)
	}
	c.word("redact.encoder", b.Redact.Encoder, "libx264")
	if b.Redact.Preset != "" {
		c.word("redact.preset", b.Redact.Preset, "veryfast")
	}
	if b.Redact.CRF < 1 || b.Redact.CRF > 26 {
		c.fault("redact.crf", "it is out of bounds", "write 1 (best, largest) to 26; 20 is usual, and coarser coding would fail the proof")
	}
	if b.Redact.Detector != "" {
		c.dir("redact.detector", b.Redact.Detector)
	}
	c.model(b.Redact)
	c.between("redact.max_clip", b.Redact.MaxClip, Duration(10*time.Second), Duration(2*time.Hour), "a clip shows one incident")
	c.between("gate.max_disclosure", b.Gate.MaxDisclosure, Duration(day), Duration(MaxDisclosure), "a disclosure ends after 30 days at the latest (condition 8)")
	if b.People.Breached != "" {
		c.dir("people.breached", b.People.Breached)
	}
	c.between("keep.audit", b.Keep.Audit, Duration(MinKeepAudit), Duration(3660*day), "the log of accesses is kept for a year at least (the operator's condition 6)")
	c.between("keep.cases", b.Keep.Cases, Duration(30*day), Duration(1830*day), "an ended case is kept as long as somebody may ask about it, and no longer")
	c.log(b.Log)
}
