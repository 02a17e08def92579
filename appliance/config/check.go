package config

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// A checker gathers faults.
type checker struct {
	text   []byte
	faults []Fault
}

func (c *checker) fault(key, cause, remedy string) {
	c.faults = append(c.faults, Fault{Line: lineOf(c.text, key), Key: key, Cause: cause, Remedy: remedy})
}

const maxText = 4096 // bytes of a path or a URL

func (c *checker) dir(key, v string) {
	if !filepath.IsAbs(v) || filepath.Clean(v) != v || len(v) > maxText {
		c.fault(key, fmt.Sprintf("%.80q is no absolute path", v), "write the whole path from /, without .. and without a slash at the end")
	}
}

func (c *checker) address(key, v string) {
	if cause := badAddress(v); cause != "" {
		c.fault(key, cause, `write "ADDRESS:PORT", or ":PORT" for every address of the machine`)
	}
}

func badAddress(v string) string {
	host, port, err := net.SplitHostPort(v)
	if err != nil {
		return fmt.Sprintf("%.80q is no address with a port", v)
	}
	// Port 0 asks the system for a free one, which tests and trials use.
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		return fmt.Sprintf("%.20q is no port", port)
	}
	if host != "" && host != "localhost" && net.ParseIP(host) == nil {
		return fmt.Sprintf("%.80q is no IP address", host)
	}
	return ""
}

// metrics are for the machine itself: they tell who records what and when.
func (c *checker) metrics(key, v string) {
	if v == "" {
		return // switched off
	}
	if cause := badAddress(v); cause != "" {
		c.fault(key, cause, `write "127.0.0.1:PORT", or "" to switch it off`)
		return
	}
	host, _, _ := net.SplitHostPort(v) // badAddress has split it
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		c.fault(key, "it can be reached from the network, and has no log-in", `write "127.0.0.1:PORT" and let an agent on this machine collect it`)
	}
}

var hostname = regexp.MustCompile(`^(?i:[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.(?i:[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?))*$`)

func (c *checker) hostnames(key string, v []string) {
	if len(v) == 0 || len(v) > 16 {
		c.fault(key, fmt.Sprintf("%d names", len(v)), "give 1 to 16 names or addresses by which browsers reach it; the certificate is made for them")
	}
	for _, h := range v[:min(len(v), 16)] {
		if net.ParseIP(h) == nil && (len(h) > 253 || !hostname.MatchString(h)) {
			c.fault(key, fmt.Sprintf("%.80q is no host name or address", h), `write a name such as "veilbox.local", without port or https://`)
		}
	}
}

// A Linux interface's name has at most 15 bytes (IFNAMSIZ).
var networkInterface = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,14}$`)

func (c *checker) interfaces(key string, v []string) {
	if len(v) > 16 {
		c.fault(key, fmt.Sprintf("%d interfaces", len(v)), "name at most 16; [] is all with a private address")
	}
	for _, n := range v[:min(len(v), 16)] {
		if !networkInterface.MatchString(n) {
			c.fault(key, fmt.Sprintf("%.80q is no network interface", n), `write a name such as "eth1"; "ip -br link" lists what the machine has`)
		}
	}
}

func (c *checker) httpsURL(key, v string) {
	u, err := url.Parse(v)
	if err != nil || len(v) > maxText || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		c.fault(key, "it is no plain https address", `write "https://HOST:PORT"`)
	}
}

func (c *checker) networks(key string, v []Prefix) {
	if len(v) == 0 || len(v) > 4096 {
		c.fault(key, fmt.Sprintf("%d networks", len(v)), "give 1 to 4096 networks that may connect (system condition S4); everybody else is turned away")
	}
	for _, p := range v {
		if p.IsValid() && p.Bits() == 0 {
			c.fault(key, p.String()+" is everybody", "name the networks that may connect (system condition S4)")
		}
	}
}

func (c *checker) between(key string, v, low, high Duration, why string) {
	if v < low || v > high {
		c.fault(key, fmt.Sprintf("%s is out of bounds; %s", v, why), fmt.Sprintf("write %q to %q", low, high))
	}
}

var word = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,31}$`)

// word guards what becomes an argument of ffmpeg.
func (c *checker) word(key, v, example string) {
	if !word.MatchString(v) {
		c.fault(key, fmt.Sprintf("%.40q is no name that ffmpeg knows", v), fmt.Sprintf("write a name such as %q; \"ffmpeg -encoders\" lists what the machine has", example))
	}
}

func (c *checker) log(l Log) {
	if levels := []string{"debug", "info", "warn", "error"}; !slices.Contains(levels, l.Level) {
		c.fault("log.level", fmt.Sprintf("%.40q is no level", l.Level), fmt.Sprintf("write one of %q", levels))
	}
	if formats := []string{"text", "json"}; !slices.Contains(formats, l.Format) {
		c.fault("log.format", fmt.Sprintf("%.40q is no format", l.Format), fmt.Sprintf("write one of %q", formats))
	}
}
