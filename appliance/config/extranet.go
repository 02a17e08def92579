package config

import "time"

// An Extranet is the settings of the central server (extranet.toml).
type Extranet struct {
	DataDir        string         `toml:"data_dir"`
	BoxListen      string         `toml:"box_listen"`
	OperatorListen string         `toml:"operator_listen"`
	PublicURL      string         `toml:"public_url"`
	Hostnames      []string       `toml:"hostnames"`
	AllowBoxes     []Prefix       `toml:"allow_boxes"`
	AllowOperators []Prefix       `toml:"allow_operators"`
	Limits         ExtranetLimits `toml:"limits"`
	Duties         ExtranetDuties `toml:"duties"`
	Log            Log            `toml:"log"`
}

// ExtranetLimits bound what the server takes and how long it trusts.
type ExtranetLimits struct {
	Upload      Size     `toml:"upload"`       // one sealed copy
	CodeLife    Duration `toml:"code_life"`    // of an enrolment code
	ViewingLife Duration `toml:"viewing_life"` // of one viewing's permission
}

// ExtranetDuties are the operator's clocks.
type ExtranetDuties struct {
	KeepAccess   Duration `toml:"keep_access"`   // S6
	PentestEvery Duration `toml:"pentest_every"` // S3
}

// DefaultExtranet returns the settings of an extranet where nothing is set.
func DefaultExtranet() Extranet {
	loopback := []Prefix{mustPrefix("127.0.0.0/8"), mustPrefix("::1/128")}
	return Extranet{
		DataDir:        "/var/lib/veil-extranet",
		BoxListen:      ":9443",
		OperatorListen: "127.0.0.1:9444",
		PublicURL:      "https://localhost:9443",
		Hostnames:      []string{"localhost"},
		AllowBoxes:     loopback,
		AllowOperators: loopback,
		Limits:         ExtranetLimits{Upload: 2 << 30, CodeLife: Duration(time.Hour), ViewingLife: Duration(30 * time.Minute)},
		Duties:         ExtranetDuties{KeepAccess: Duration(400 * day), PentestEvery: Duration(182 * day)},
		Log:            Log{Level: "info", Format: "text"},
	}
}

func mustPrefix(s string) Prefix {
	var p Prefix
	if err := p.UnmarshalText([]byte(s)); err != nil {
		panic("config: " + err.Error()) // only for literals above
	}
	return p
}

func (e *Extranet) check(c *checker) {
	c.dir("data_dir", e.DataDir)
	c.address("box_listen", e.BoxListen)
	c.address("operator_listen", e.OperatorListen)
	if e.BoxListen == e.OperatorListen && e.BoxListen != "" {
		c.fault("operator_listen", "it is the same as box_listen", "boxes and operators need an address each: change one of the ports")
	}
	c.httpsURL("public_url", e.PublicURL)
	c.hostnames("hostnames", e.Hostnames)
	c.networks("allow_boxes", e.AllowBoxes)
	c.networks("allow_operators", e.AllowOperators)
	if e.Limits.Upload < 1<<20 || e.Limits.Upload > 16<<30 {
		c.fault("limits.upload", e.Limits.Upload.String()+" is out of bounds", `write "1MiB" to "16GiB"`)
	}
	c.between("limits.code_life", e.Limits.CodeLife, Duration(time.Minute), Duration(7*day), "a code that lies about can be used by whoever finds it")
	c.between("limits.viewing_life", e.Limits.ViewingLife, Duration(time.Minute), Duration(12*time.Hour), "a viewing is for one sitting")
	c.between("duties.keep_access", e.Duties.KeepAccess, Duration(366*day), Duration(3660*day), "the access log is kept a year at least (system condition S6)")
	c.between("duties.pentest_every", e.Duties.PentestEvery, Duration(day), Duration(184*day), "two penetration tests a year are asked for (system condition S3)")
	c.log(e.Log)
}
