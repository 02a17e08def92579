package camera

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

// A scheme is how a camera wants to be shown the password, the stronger the
// higher.
type scheme uint8

const (
	basic        scheme = iota + 1 // RFC 7617: the password in the clear
	digestMD5                      // RFC 7616, and RFC 2069 without qop
	digestSHA512                   // SHA-512/256
	digestSHA256                   // before SHA-512/256, which cameras get wrong
)

// A challenge is what a camera asks with (RFC 7235 §4.1).
type challenge struct {
	scheme scheme
	realm  string
	nonce  string
	opaque string
	sess   bool // the -sess variant of the algorithm
	alg    string
	qop    bool // "auth" is offered
	stale  bool
	count  uint32 // how often the nonce was used
}

const (
	maxChallenges = 16
	maxChallenge  = 4096 // bytes of a header
)

// best returns the strongest challenge of the headers that can be answered.
func best(headers []string) (challenge, bool) {
	var out challenge
	n := 0
	for _, h := range headers {
		for c := range challenges(h) {
			if n++; n > maxChallenges {
				break
			}
			if c.scheme > out.scheme {
				out = c
			}
		}
	}
	return out, out.scheme != 0
}

// challenges yields those of a header, several of which may stand apart by
// commas, as their parameters do. Those of an unknown scheme or algorithm have
// the scheme 0.
func challenges(h string) func(func(challenge) bool) {
	return func(yield func(challenge) bool) {
		if len(h) > maxChallenge {
			return
		}
		var c challenge
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
				c, begun, digest = challenge{}, true, strings.EqualFold(name, "digest")
				if strings.EqualFold(name, "basic") {
					c.scheme = basic
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

func (c *challenge) set(name, value string) {
	switch name {
	case "realm":
		c.realm = value
	case "nonce":
		c.nonce = value
	case "opaque":
		c.opaque = value
	case "stale":
		c.stale = strings.EqualFold(value, "true")
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
func (c *challenge) digest() {
	name, sess := c.alg, false
	if len(name) > 5 && strings.EqualFold(name[len(name)-5:], "-sess") {
		name, sess = name[:len(name)-5], true
	}
	c.sess = sess
	switch {
	case c.nonce == "":
	case name == "", strings.EqualFold(name, "MD5"):
		c.scheme = digestMD5
	case strings.EqualFold(name, "SHA-256"), strings.EqualFold(name, "SHA256"):
		c.scheme = digestSHA256
	case strings.EqualFold(name, "SHA-512-256"):
		c.scheme = digestSHA512
	}
}

// hash returns the sum of parts with colons between, in hex.
func (c *challenge) hash(parts ...string) string {
	b := []byte(strings.Join(parts, ":"))
	switch c.scheme {
	case digestSHA256:
		s := sha256.Sum256(b)
		return hex.EncodeToString(s[:])
	case digestSHA512:
		s := sha512.Sum512_256(b)
		return hex.EncodeToString(s[:])
	}
	s := md5.Sum(b)
	return hex.EncodeToString(s[:])
}

// answer returns the Authorization header of a request.
func (c *challenge) answer(user string, password Secret, method, uri string) string {
	if c.scheme == basic {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+string(password)))
	}
	c.count++
	var nonce [8]byte
	// The standard library's reader never fails.
	_, _ = rand.Read(nonce[:])
	return c.respond(user, password, method, uri, hex.EncodeToString(nonce[:]))
}

func (c *challenge) respond(user string, password Secret, method, uri, cnonce string) string {
	nc := fmt.Sprintf("%08x", c.count)
	a1 := c.hash(user, c.realm, string(password))
	if c.sess {
		a1 = c.hash(a1, c.nonce, cnonce)
	}
	a2 := c.hash(method, uri)
	response := c.hash(a1, c.nonce, a2)
	if c.qop {
		response = c.hash(a1, c.nonce, nc, cnonce, "auth", a2)
	}
	out := fmt.Sprintf("Digest username=%s, realm=%s, nonce=%s, uri=%s, response=%q",
		quote(user), quote(c.realm), quote(c.nonce), quote(uri), response)
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
