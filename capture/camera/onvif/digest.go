package onvif

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"
)

// A challenge is what a camera asks for by HTTP digest (RFC 7616 §3.3).
type challenge struct {
	realm, nonce, opaque, algorithm string
	qop                             bool
}

const (
	maxChallenge  = 1024 // bytes of a header line
	maxChallenges = 8
)

// challengeOf chooses the strongest digest of a WWW-Authenticate header.
func challengeOf(header []string) (challenge, bool) {
	var best challenge
	ok := false
	for i, line := range header {
		if i == maxChallenges {
			break
		}
		if c, fits := parseChallenge(line); fits && (!ok || strings.HasPrefix(c.algorithm, "SHA-256") && !strings.HasPrefix(best.algorithm, "SHA-256")) {
			best, ok = c, true
		}
	}
	return best, ok
}

// parseChallenge reads one "Digest name=value, ..." line.
func parseChallenge(line string) (c challenge, ok bool) {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	if len(line) > maxChallenge || !strings.EqualFold(scheme, "Digest") {
		return challenge{}, false
	}
	for len(rest) > 0 {
		rest = strings.TrimLeft(rest, " \t,")
		name, after, found := strings.Cut(rest, "=")
		if !found {
			break
		}
		var value string
		value, rest = param(strings.TrimLeft(after, " \t"))
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "realm":
			c.realm = value
		case "nonce":
			c.nonce = value
		case "opaque":
			c.opaque = value
		case "algorithm":
			c.algorithm = strings.ToUpper(value)
		case "qop":
			for _, q := range strings.Split(value, ",") {
				c.qop = c.qop || strings.EqualFold(strings.TrimSpace(q), "auth")
			}
		}
	}
	switch c.algorithm {
	case "", "MD5", "MD5-SESS", "SHA-256", "SHA-256-SESS":
	default:
		return challenge{}, false
	}
	for _, v := range []string{c.realm, c.nonce, c.opaque} {
		if strings.ContainsAny(v, "\"\\\r\n\x00") {
			return challenge{}, false // it would have to be quoted again
		}
	}
	return c, c.nonce != ""
}

// param takes one value, quoted or not, off s.
func param(s string) (value, rest string) {
	if !strings.HasPrefix(s, `"`) {
		value, rest, _ = strings.Cut(s, ",")
		return strings.TrimSpace(value), rest
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			if i++; i < len(s) {
				b.WriteByte(s[i])
			}
		case '"':
			return b.String(), s[i+1:]
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), ""
}

// answer is the Authorization header for one request. Each has a client nonce of
// its own and so the count 1.
func (c challenge) answer(user, password, method, uri, cnonce string) string {
	sum := func(h hash.Hash, s string) string {
		h.Write([]byte(s))
		return hex.EncodeToString(h.Sum(nil))
	}
	hashed := func(s string) string { return sum(md5.New(), s) }
	if strings.HasPrefix(c.algorithm, "SHA-256") {
		hashed = func(s string) string { return sum(sha256.New(), s) }
	}
	ha1 := hashed(user + ":" + c.realm + ":" + password)
	if strings.HasSuffix(c.algorithm, "-SESS") {
		ha1 = hashed(ha1 + ":" + c.nonce + ":" + cnonce)
	}
	ha2 := hashed(method + ":" + uri)
	const count = "00000001"
	response := hashed(ha1 + ":" + c.nonce + ":" + ha2)
	if c.qop {
		response = hashed(ha1 + ":" + c.nonce + ":" + count + ":" + cnonce + ":auth:" + ha2)
	}
	var b strings.Builder
	quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	fmt.Fprintf(&b, `Digest username="%s", realm="%s", nonce="%s", uri="%s", response="%s"`, quoted.Replace(user), c.realm, c.nonce, uri, response)
	if c.algorithm != "" {
		fmt.Fprintf(&b, ", algorithm=%s", strings.Replace(c.algorithm, "-SESS", "-sess", 1))
	}
	if c.opaque != "" {
		fmt.Fprintf(&b, `, opaque="%s"`, c.opaque)
	}
	if c.qop || strings.HasSuffix(c.algorithm, "-SESS") {
		fmt.Fprintf(&b, `, cnonce="%s"`, cnonce)
	}
	if c.qop {
		fmt.Fprintf(&b, ", qop=auth, nc=%s", count)
	}
	return b.String()
}

func newNonce() []byte {
	b := make([]byte, 16)
	rand.Read(b) // it never fails (crypto/rand)
	return b
}
