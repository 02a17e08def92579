package config

// An Extranet is the settings of the central server (extranet.toml).
type Extranet struct {
	DataDir        string         `toml:"data_dir"`
	BoxListen      string         `toml:"box_listen"`
	OperatorListen string         `toml:"operator_listen"`
	PublicURL      string         `toml:"public_url"`
	Hostnames      []string       `toml:"hostnames"`
	AllowBoxes     []Prefix       `toml:"allow_boxes"`
	AllowOperators []Prefix       `toml:"allow_operators"`
	MaxDisclosure  Duration       `toml:"max_disclosure"`
	Metrics        string         `toml:"metrics"`
	Limits         ExtranetLimits `toml:"limits"`
	Log            Log            `toml:"log"`
}

// ExtranetLimits bound what one box can ask of the server.
type ExtranetLimits struct {
	Upload            Size `toml:"upload"`              // one sealed copy
	Storage           Size `toml:"storage"`             // all sealed copies
	RequestsPerMinute int  `toml:"requests_per_minute"` // by one box
	UploadsPerDay     int  `toml:"uploads_per_day"`     // by one box
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
		MaxDisclosure:  Duration(MaxDisclosure),
		Metrics:        "127.0.0.1:9091",
		Limits:         ExtranetLimits{Upload: 2 << 30, Storage: 200 << 30, RequestsPerMinute: 600, UploadsPerDay: 200},
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
	c.between("max_disclosure", e.MaxDisclosure, Duration(day), Duration(MaxDisclosure), "a disclosure ends after 30 days at the latest (condition 8)")
	c.metrics("metrics", e.Metrics)
	if e.Limits.Upload < 1<<20 || e.Limits.Upload > 64<<30 {
		c.fault("limits.upload", e.Limits.Upload.String()+" is out of bounds", `write "1MiB" to "64GiB"`)
	}
	if e.Limits.Storage < e.Limits.Upload {
		c.fault("limits.storage", "it is less than limits.upload", "give room for several uploads")
	}
	c.number("limits.requests_per_minute", e.Limits.RequestsPerMinute, 1, 100_000)
	c.number("limits.uploads_per_day", e.Limits.UploadsPerDay, 1, 100_000)
	c.log(e.Log)
}
