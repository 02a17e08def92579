// Package place says where a caller is, for counting: an IPv4 address, or the /64
// network of an IPv6 address, which is one customer's and holds more addresses
// than anybody could be counted by.
package place

import (
	"net/netip"
	"strings"
)

// maxOther is the longest text, in bytes, of what is no address.
const maxOther = 64

// Of returns the place of an address, with or without a port. What is no address,
// such as a pipe's, is a place of its own, cut to 64 bytes.
func Of(address string) string {
	address = strings.ToValidUTF8(address[:min(len(address), maxOther)], "")
	if ap, err := netip.ParseAddrPort(address); err == nil {
		address = ap.Addr().String()
	}
	a, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	a = a.Unmap().WithZone("")
	if p, err := a.Prefix(64); err == nil && a.Is6() {
		return p.String()
	}
	return a.String()
}
