package web

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// hostOf is the host that a request names, without its port and in lower case.
func hostOf(r *http.Request) string {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// knows reports whether the box answers to a host. A foreign name that was made
// to lead here (DNS rebinding) would let another site's script read the box;
// an address cannot be made to lead elsewhere.
func (s *server) knows(host string) bool {
	if host == "localhost" || slices.ContainsFunc(s.Hosts, func(h string) bool { return strings.EqualFold(h, host) }) {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Zone() == ""
}

// hosts refuses requests for names that are not the box's.
func (s *server) hosts(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.knows(hostOf(r)) {
			s.fail(w, r, errHost)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// passkeysAt is the address at which passkeys work, where the page was not
// opened there: they are made for one host name. Empty: they work here.
func (s *server) passkeysAt(r *http.Request) string {
	if s.RPID == "" || strings.EqualFold(hostOf(r), s.RPID) {
		return ""
	}
	if _, port, err := net.SplitHostPort(r.Host); err == nil && port != "443" {
		return "https://" + net.JoinHostPort(s.RPID, port)
	}
	return "https://" + s.RPID
}
