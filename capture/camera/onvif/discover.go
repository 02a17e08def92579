package onvif

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"veilbox/internal/clock"
)

// Options say where Discover asks.
type Options struct {
	// Interfaces are the names of those that a multicast probe goes out of. Nil:
	// all that are up and have a private or link-local IPv4 address. Empty: none.
	Interfaces []string
	// Addrs are asked directly, where multicast does not come through. A port of
	// 0 is 3702.
	Addrs []netip.AddrPort
	Wait  time.Duration // for answers; 3 s
	Clock clock.Clock   // the system's if nil
}

// A Found is a device that answered a probe. Nothing in it is more than what the
// device says of itself, other than Address and Interface.
type Found struct {
	Address   netip.Addr // that the answer came from
	Interface string     // that it came in by; empty for one that was asked directly
	Endpoint  string     // the device's own identity, such as urn:uuid:...
	// XAddr is its device service, at Address; empty where it named only others',
	// which are refused.
	XAddr    string
	Name     string // these three from its scopes; empty: not told
	Hardware string
	Location string
}

// LookAt returns what to give Look.
func (f Found) LookAt() string {
	if f.XAddr != "" {
		return f.XAddr
	}
	return f.Address.String()
}

const (
	discoveryPort = 3702
	maxFound      = 256
	maxPerSender  = 8
	maxDatagrams  = 4096 // read, of whatever content, by one Discover
	maxDatagram   = 16 << 10
	maxInterfaces = 16
	maxAddrs      = 256
	maxScopes     = 64
	repeatAfter   = 400 * time.Millisecond // UDP gets lost
	repeats       = 2
)

var group = netip.AddrPortFrom(netip.AddrFrom4([4]byte{239, 255, 255, 250}), discoveryPort)

// types are what cameras are known as; each is asked for by itself, as some
// answer only to the one or the other.
var types = []string{
	`<d:Types xmlns:n="http://www.onvif.org/ver10/network/wsdl">n:NetworkVideoTransmitter</d:Types>`,
	`<d:Types xmlns:n="http://www.onvif.org/ver10/device/wsdl">n:Device</d:Types>`,
}

func probe(id, types string) []byte {
	return []byte(`<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery">` +
		`<s:Header><a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</a:Action><a:MessageID>urn:uuid:` + id + `</a:MessageID>` +
		`<a:ReplyTo><a:Address>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address></a:ReplyTo>` +
		`<a:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To></s:Header><s:Body><d:Probe>` + types + `</d:Probe></s:Body></s:Envelope>`)
}

// Discover asks the network for cameras by WS-Discovery and returns those that
// answered within Wait, by address. Only answers to its own question are taken,
// by multicast only from the interface's own network, else only from the address
// that was asked. Several devices may answer from one address, and one device
// from several: they are not taken for one another by what they say of
// themselves, as a device could hide another so.
func Discover(ctx context.Context, o Options) ([]Found, error) {
	return discover(ctx, o, types, true)
}

// discover asks for types and keeps what calls itself a camera, or all.
func discover(ctx context.Context, o Options, types []string, cameras bool) ([]Found, error) {
	if o.Wait <= 0 {
		o.Wait = 3 * time.Second
	}
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	c := &collector{cameras: cameras, found: map[string]Found{}, senders: map[netip.Addr]int{}, left: maxDatagrams}
	for _, t := range types {
		id := uuid()
		c.ids = append(c.ids, id)
		c.probes = append(c.probes, probe(id, t))
	}
	asks, err := o.asks()
	defer func() {
		for _, a := range asks {
			a.close()
		}
	}()
	if err != nil {
		return nil, ErrNetwork.With(err)
	}
	if len(asks) == 0 {
		return nil, ErrNetwork.With(errors.New("onvif: there is no interface with a private IPv4 address"))
	}
	var reading sync.WaitGroup
	for _, a := range asks {
		reading.Go(func() { c.read(a) })
	}
	done := o.Clock.After(o.Wait)
	var failed error
	sent := false
	for n := range repeats {
		for _, a := range asks {
			for _, p := range c.probes {
				if _, err := a.conn.WriteToUDPAddrPort(p, a.to); err != nil {
					failed = errors.Join(failed, fmt.Errorf("onvif: probe to %v: %w", a.to, err))
				} else {
					sent = true
				}
			}
		}
		if n == repeats-1 {
			break
		}
		if err := clock.Sleep(ctx, o.Clock, min(repeatAfter, o.Wait/2)); err != nil {
			break // below
		}
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
	for _, a := range asks {
		a.close() // ends its reader
	}
	reading.Wait()
	if ctx.Err() != nil {
		return c.list(), context.Cause(ctx)
	}
	if !sent {
		return nil, ErrNetwork.With(failed)
	}
	return c.list(), nil // an interface that failed has no cameras to be found
}

// An ask is one socket and whom it believes.
type ask struct {
	conn  *net.UDPConn
	to    netip.AddrPort
	from  netip.Prefix
	iface string
	once  sync.Once
}

func (a *ask) close() {
	a.once.Do(func() { _ = a.conn.Close() }) // a UDP socket has nothing that could be lost
}

func (o Options) asks() ([]*ask, error) {
	var asks []*ask
	ifaces, err := o.interfaces()
	if err != nil {
		return nil, err
	}
	for _, i := range ifaces {
		addrs, err := i.Addrs()
		if err != nil {
			return asks, fmt.Errorf("onvif: interface %s: %w", i.Name, err)
		}
		for _, a := range addrs {
			n, ok := a.(*net.IPNet)
			if !ok {
				continue
			}
			ip, ok := netip.AddrFromSlice(n.IP)
			if ip = ip.Unmap(); !ok || !ip.Is4() || o.Interfaces == nil && !ip.IsPrivate() && !ip.IsLinkLocalUnicast() {
				continue
			}
			bits, _ := n.Mask.Size()
			conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(ip, 0)))
			if err != nil {
				return asks, fmt.Errorf("onvif: interface %s: %w", i.Name, err)
			}
			asks = append(asks, &ask{conn: conn, to: group, from: netip.PrefixFrom(ip, bits).Masked(), iface: i.Name})
			if err := sendBy(conn, i.Index); err != nil {
				return asks, fmt.Errorf("onvif: interface %s: %w", i.Name, err)
			}
		}
	}
	for i, to := range o.Addrs {
		if i == maxAddrs {
			return asks, fmt.Errorf("onvif: more than %d addresses to ask", maxAddrs)
		}
		if to.Port() == 0 {
			to = netip.AddrPortFrom(to.Addr(), discoveryPort)
		}
		conn, err := net.ListenUDP("udp", nil)
		if err != nil {
			return asks, fmt.Errorf("onvif: %w", err)
		}
		asks = append(asks, &ask{conn: conn, to: to, from: netip.PrefixFrom(to.Addr().Unmap(), to.Addr().Unmap().BitLen())})
	}
	return asks, nil
}

func (o Options) interfaces() ([]net.Interface, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("onvif: %w", err)
	}
	var chosen []net.Interface
	for _, i := range all {
		wanted := slices.Contains(o.Interfaces, i.Name)
		usual := o.Interfaces == nil && i.Flags&net.FlagMulticast != 0 && i.Flags&net.FlagLoopback == 0
		if i.Flags&net.FlagUp != 0 && (wanted || usual) && len(chosen) < maxInterfaces {
			chosen = append(chosen, i)
		}
	}
	for _, name := range o.Interfaces {
		if !slices.ContainsFunc(chosen, func(i net.Interface) bool { return i.Name == name }) {
			return nil, fmt.Errorf("onvif: there is no interface %.20q that is up", name)
		}
	}
	return chosen, nil
}

// sendBy makes conn's multicast go out of one interface, and no further than its
// network.
func sendBy(conn *net.UDPConn, index int) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var set error
	err = raw.Control(func(fd uintptr) {
		set = errors.Join(
			unix.SetsockoptIPMreqn(int(fd), unix.IPPROTO_IP, unix.IP_MULTICAST_IF, &unix.IPMreqn{Ifindex: int32(index)}),
			unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MULTICAST_TTL, 1))
	})
	return errors.Join(err, set)
}

// A collector takes answers from all sockets.
type collector struct {
	ids     []string
	probes  [][]byte
	cameras bool // only these

	mu      sync.Mutex
	left    int
	found   map[string]Found
	senders map[netip.Addr]int
}

// read takes answers until the socket closes or there have been enough.
func (c *collector) read(a *ask) {
	b := make([]byte, maxDatagram+1)
	for {
		n, from, err := a.conn.ReadFromUDPAddrPort(b)
		if err != nil {
			return // closed
		}
		c.mu.Lock()
		c.left--
		enough := c.left <= 0 || len(c.found) >= maxFound
		c.mu.Unlock()
		if enough {
			return
		}
		sender := from.Addr().Unmap().WithZone("")
		if n > maxDatagram || !a.from.Contains(sender) {
			continue
		}
		for _, f := range matches(b[:n], sender, c.ids, c.cameras) {
			f.Interface = a.iface
			c.add(f)
		}
	}
}

func (c *collector) add(f Found) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := f.Address.String() + " " + f.Endpoint
	old, known := c.found[key]
	switch {
	case known && (old.XAddr != "" || f.XAddr == ""):
		return
	case !known && (len(c.found) >= maxFound || c.senders[f.Address] >= maxPerSender):
		return
	case !known:
		c.senders[f.Address]++
	}
	c.found[key] = f
}

func (c *collector) list() []Found {
	all := make([]Found, 0, len(c.found))
	for _, f := range c.found {
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b Found) int {
		if n := a.Address.Compare(b.Address); n != 0 {
			return n
		}
		return strings.Compare(a.Endpoint, b.Endpoint)
	})
	return all
}

// matches reads a ProbeMatches message from sender that answers one of ids: the
// cameras in it, or all.
func matches(b []byte, sender netip.Addr, ids []string, cameras bool) []Found {
	root, err := parse(b)
	if err != nil {
		return nil // anybody may send anything here
	}
	relates := strings.ToLower(root.str("Header", "RelatesTo"))
	if !slices.ContainsFunc(ids, func(id string) bool { return strings.HasSuffix(relates, id) }) {
		return nil
	}
	var all []Found
	for _, m := range root.at("Body", "ProbeMatches").all("ProbeMatch") {
		if len(all) == maxPerSender {
			break
		}
		f := Found{Address: sender, Endpoint: bounded(m.str("EndpointReference", "Address")), XAddr: ownXAddr(m.str("XAddrs"), sender)}
		camera := false
		for _, t := range strings.Fields(m.str("Types")) {
			_, local, cut := strings.Cut(t, ":")
			if !cut {
				local = t
			}
			camera = camera || local == "NetworkVideoTransmitter"
		}
		for i, s := range strings.Fields(m.str("Scopes")) {
			rest, ok := strings.CutPrefix(s, "onvif://www.onvif.org/")
			if i == maxScopes {
				break
			}
			if !ok {
				continue
			}
			camera = true
			kind, value, _ := strings.Cut(rest, "/")
			if plain, err := url.PathUnescape(value); err == nil {
				value = plain
			}
			for name, to := range map[string]*string{"name": &f.Name, "hardware": &f.Hardware, "location": &f.Location} {
				if strings.EqualFold(kind, name) && *to == "" {
					*to = bounded(value)
				}
			}
		}
		if camera || !cameras {
			all = append(all, f)
		}
	}
	return all
}

// ownXAddr returns the first address of a device service that is the sender's.
func ownXAddr(list string, sender netip.Addr) string {
	for i, x := range strings.Fields(list) {
		if i == maxPerSender {
			break
		}
		u, err := url.Parse(x)
		if err != nil || len(x) > maxURL || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			continue
		}
		if ip, err := netip.ParseAddr(u.Hostname()); err == nil && ip.Unmap() == sender {
			return u.String()
		}
	}
	return ""
}

// uuid makes a random one (RFC 9562 §5.4).
func uuid() string {
	b := make([]byte, 16)
	rand.Read(b) // it never fails (crypto/rand)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
