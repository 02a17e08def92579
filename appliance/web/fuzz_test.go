package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Where the log-in leads to is always a page of this box.
func FuzzNext(f *testing.F) {
	for _, s := range []string{"/", "/audit?act=case.", "//evil.example", "/\\evil.example", "https://evil.example", "/login", "/a//b", "/%2f%2fevil.example", "\t//evil.example", "/\r\nSet-Cookie: x=y", "?x", "#x", "javascript:alert(1)", ""} {
		f.Add(s)
	}
	base := &url.URL{Scheme: "https", Host: "veilbox.local", Path: "/login"}
	f.Fuzz(func(t *testing.T, next string) {
		to := safeNext(next)
		u, err := base.Parse(to)
		if err != nil || u.Scheme != "https" || u.Host != "veilbox.local" || u.User != nil || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n\t") {
			t.Errorf("%q leads to %q (%v)", next, to, u)
		}
	})
}

// A host is known only where it is, without its port, an address or a name of
// the box.
func FuzzHost(f *testing.F) {
	for _, s := range []string{"veilbox.local", "veilbox.local:8443", "[::1]:8443", "127.0.0.1", "evil.example", "veilbox.local@evil.example", "[veilbox.local]", "localhost.", ":", "[", "127.0.0.1:x"} {
		f.Add(s)
	}
	s := &server{Options: Options{Hosts: []string{"veilbox.local"}}}
	f.Fuzz(func(t *testing.T, host string) {
		h := hostOf(&http.Request{Host: host})
		if s.knows(h) && strings.ContainsAny(h, "/@ \\?#%") {
			t.Errorf("%q is known as %q", host, h)
		}
	})
}
