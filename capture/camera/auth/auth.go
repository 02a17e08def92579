// Package auth answers what a camera asks for a password with, over RTSP and
// HTTP alike: the Basic scheme (RFC 7617) and Digest with MD5, SHA-256 and
// SHA-512/256 (RFC 7616, and RFC 2069 where no qop is offered).
//
// Headers come from a camera: at most 16 challenges of at most 4 KiB are read,
// and no byte of them breaks out of the header that answers.
package auth

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// A Scheme is how a camera wants to be shown the password, the stronger the
// higher.
type Scheme uint8

const (
	Basic        Scheme = iota + 1 // RFC 7617: the password in the clear
	DigestMD5                      // RFC 7616, and RFC 2069 without qop
	DigestSHA512                   // SHA-512/256
	DigestSHA256                   // before SHA-512/256, which cameras get wrong
)

// A Challenge is what a camera asks with (RFC 7235 §4.1).
type Challenge struct {
	Scheme Scheme
	Realm  string
	Nonce  string
	opaque string
	sess   bool // the -sess variant of the algorithm
	alg    string
	qop    bool   // "auth" is offered
	Stale  bool   // only the nonce was old
	count  uint32 // how often the nonce was used
}

const (
	maxChallenges = 16
	maxChallenge  = 4096 // bytes of a header
)

// Best returns the strongest challenge of the headers that can be answered.
func Best(headers []string) (Challenge, bool) { return best(headers, Basic) }

func best(headers []string, least Scheme) (Challenge, bool) {
	var out Challenge
	n := 0
	for _, h := range headers {
		for c := range parse(h) {
			if n++; n > maxChallenges {
				break
			}
			if c.Scheme >= least && c.Scheme > out.Scheme {
				out = c
			}
		}
	}
	return out, out.Scheme != 0
}

// Digest is Best without Basic, which shows the password itself.
func Digest(headers []string) (Challenge, bool) {
	return best(headers, DigestMD5)
}

// parse yields those of a header, several of which may stand apart by
// commas, as their parameters do. Those of an unknown scheme or algorithm have
// the scheme 0.
func parse(h string) func(func(Challenge) bool) {
	return func(yield func(Challenge) bool) {
		if len(h) > maxChallenge {
			return
		}
		var c Challenge
		var digest, begun bool
		end := func() bool {
			if !begun {
				return true
			}
			if digest {
				c.digest()
			}
			return yield(c)
		}
		for h != "" {
			h = strings.TrimLeft(h, ", \t")
			name, rest := word(h)
			if name == "" {
				if h == "" {
					break
				}
				h = h[1:] // no sense
				continue
			}
			after := strings.TrimLeft(rest, " \t")
			if !strings.HasPrefix(after, "=") {
				// A word that no value follows begins the next challenge.
				if !end() {
					return
				}
				c, begun, digest = Challenge{}, true, strings.EqualFold(name, "digest")
				if strings.EqualFold(name, "basic") {
					c.Scheme = Basic
				}
				h = after
				continue
			}
			var value string
			value, h = valueOf(strings.TrimLeft(after[1:], " \t"))
			if begun {
				c.set(strings.ToLower(name), value)
			}
		}
		end()
	}
}

// word cuts a token (RFC 7230 §3.2.6) off the beginning of s.
func word(s string) (string, string) {
	i := 0
	for i < len(s) && s[i] > ' ' && s[i] < 0x7f && !strings.ContainsRune(`"(),/:;<=>?@[\]{}`, rune(s[i])) {
		i++
	}
	return s[:i], s[i:]
}

// valueOf cuts a token or quoted string off the beginning of s. What some cameras
// send without quotes goes to the comma.
func valueOf(s string) (string, string) {
	if !strings.HasPrefix(s, `"`) {
		v, rest, _ := strings.Cut(s, ",")
		return strings.TrimSpace(v), rest
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:]
		case '\\':
			if i++; i == len(s) {
				return b.String(), ""
			}
		}
		b.WriteByte(s[i])
	}
	return b.String(), ""
}

func (c *Challenge) set(name, value string) {
	switch name {
	case "realm":
		c.Realm = value
	case "nonce":
		c.Nonce = value
	case "opaque":
		c.opaque = value
	case "stale":
		c.Stale = strings.EqualFold(value, "true")
	case "algorithm":
		c.alg = value
	case "qop":
		for v := range strings.SplitSeq(value, ",") {
			c.qop = c.qop || strings.EqualFold(strings.TrimSpace(v), "auth")
		}
		if !c.qop {
			c.alg = "unknown" // auth-int alone: of bodies that there are none of
		}
	}
}

// digest tells the scheme from the algorithm.
func (c *Challenge) digest() {
	name, sess := c.alg, false
	if len(name) > 5 && strings.EqualFold(name[len(name)-5:], "-sess") {
		name, sess = name[:len(name)-5], true
	}
	c.sess = sess
	switch {
	case c.Nonce == "":
	case name == "", strings.EqualFold(name, "MD5"):
		c.Scheme = DigestMD5
	case strings.EqualFold(name, "SHA-256"), strings.EqualFold(name, "SHA256"):
		c.Scheme = DigestSHA256
	case strings.EqualFold(name, "SHA-512-256"):
		c.Scheme = DigestSHA512
	}
}

// hash returns the sum of parts with colons between, in hex.
func (c *Challenge) hash(parts ...string) string {
	b := []byte(strings.Join(parts, ":"))
	switch c.Scheme {
	case DigestSHA256:
		s := sha256.Sum256(b)
		return hex.EncodeToString(s[:])
	case DigestSHA512:
		s := sha512.Sum512_256(b)
		return hex.EncodeToString(s[:])
	}
	s := md5.Sum(b)
	return hex.EncodeToString(s[:])
}

// Answer returns the Authorization header of a request for uri. Each has a
// client nonce of its own.
func (c *Challenge) Answer(user, password, method, uri string) string {
	if c.Scheme == Basic {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	}
	c.count++
	var nonce [8]byte
	// The standard library's reader never fails.
	_, _ = rand.Read(nonce[:])
	return c.respond(user, password, method, uri, hex.EncodeToString(nonce[:]))
}

func (c *Challenge) respond(user, password, method, uri, cnonce string) string {
	nc := fmt.Sprintf("%08x", c.count)
	a1 := c.hash(user, c.Realm, password)
	if c.sess {
		a1 = c.hash(a1, c.Nonce, cnonce)
	}
	a2 := c.hash(method, uri)
	response := c.hash(a1, c.Nonce, a2)
	if c.qop {
		response = c.hash(a1, c.Nonce, nc, cnonce, "auth", a2)
	}
	out := fmt.Sprintf("Digest username=%s, realm=%s, nonce=%s, uri=%s, response=%q",
		quote(user), quote(c.Realm), quote(c.Nonce), quote(uri), response)
	if c.alg != "" {
		out += ", algorithm=" + c.alg
	}
	if c.opaque != "" {
		out += ", opaque=" + quote(c.opaque)
	}
	if c.qop {
		out += ", qop=auth, nc=" + nc
	}
	if c.qop || c.sess {
		out += ", cnonce=" + quote(cnonce)
	}
	return out
}

// quote returns s as a quoted string that no byte of s can break out of.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c == 0x7f:
			b.WriteByte('?')
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
