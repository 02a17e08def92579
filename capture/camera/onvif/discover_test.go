package onvif

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"veilbox/capture/camera/onvif/onviftest"
)

var loop = netip.MustParseAddrPort("127.0.0.1:0")

func unicast(t *testing.T, at ...netip.AddrPort) []Found {
	t.Helper()
	got, err := Discover(t.Context(), Options{Interfaces: []string{}, Addrs: at, Wait: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestDiscoverByUnicast(t *testing.T) {
	r := onviftest.Responder{Endpoint: "urn:uuid:aaaa", XAddrs: "http://[fe80::1]/onvif/device_service http://127.0.0.1:8000/onvif/device_service"}
	got := unicast(t, r.Serve(t, loop, ""))
	want := Found{Address: loop.Addr(), Endpoint: "urn:uuid:aaaa", XAddr: "http://127.0.0.1:8000/onvif/device_service", Name: "Scripted 1", Hardware: "hw1", Location: "till"}
	if len(got) != 1 || got[0] != want {
		t.Fatalf("%+v\nwant %+v", got, want)
	}
	if got[0].LookAt() != want.XAddr {
		t.Errorf("look at %q", got[0].LookAt())
	}
}

func TestDiscoverBelievesOnlyWhomItAsked(t *testing.T) {
	hello := func(change func(usual, relates string) []string) onviftest.Responder {
		return onviftest.Responder{Endpoint: "urn:uuid:bbbb", XAddrs: "http://127.0.0.1/x", Answers: change}
	}
	for name, c := range map[string]struct {
		r    onviftest.Responder
		want []string // endpoint and XAddr
	}{
		"another's address": {onviftest.Responder{Endpoint: "e", XAddrs: "http://127.0.0.2/x http://127.0.0.1.example/x https://u@127.0.0.1/x rtsp://127.0.0.1/x http://127.0.0.1/x?y"}, []string{"e "}},
		"another question":  {hello(func(u, id string) []string { return []string{strings.Replace(u, id, "urn:uuid:"+uuid(), 1)} }), nil},
		"unasked":           {hello(func(u, id string) []string { return []string{strings.Replace(u, id, "", 1)} }), nil},
		"plain uuid": {hello(func(u, id string) []string {
			return []string{strings.Replace(u, id, strings.TrimPrefix(id, "urn:"), 1)}
		}), []string{"urn:uuid:bbbb http://127.0.0.1/x"}},
		"printer":       {onviftest.Responder{Endpoint: "e", Types: "wsdp:Device wprt:PrintDeviceType", Scopes: "ldap:///x"}, nil},
		"rubbish first": {hello(func(u, _ string) []string { return []string{"", "\x00", "<a", laughs(), u} }), []string{"urn:uuid:bbbb http://127.0.0.1/x"}},
		"too long": {hello(func(u, _ string) []string {
			return []string{strings.Replace(u, "<d:Types>", "<d:Types>"+strings.Repeat(" ", maxDatagram), 1)}
		}), nil},
		"control characters": {onviftest.Responder{Endpoint: "a&#x9b;31m\u202eb", XAddrs: ""}, []string{"a 31m b "}},
		"twice": {hello(func(u, _ string) []string {
			return []string{strings.Replace(u, "http://127.0.0.1/x", "", 1), u, strings.Replace(u, "/x", "/y", 1)}
		}), []string{"urn:uuid:bbbb http://127.0.0.1/x"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, f := range unicast(t, c.r.Serve(t, loop, "")) {
				got = append(got, f.Endpoint+" "+f.XAddr)
			}
			if strings.Join(got, "|") != strings.Join(c.want, "|") {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestDiscoverIsBounded(t *testing.T) {
	many := onviftest.Responder{XAddrs: "http://127.0.0.1/x", Answers: func(usual, _ string) []string {
		var all []string
		for i := range 1000 {
			all = append(all, strings.Replace(usual, "<w:Address></w:Address>", fmt.Sprintf("<w:Address>e%d</w:Address>", i), 1))
		}
		return all
	}}
	if got := unicast(t, many.Serve(t, loop, "")); len(got) != maxPerSender {
		t.Errorf("%d devices at one address", len(got))
	}
	c := &collector{found: map[string]Found{}, senders: map[netip.Addr]int{}}
	a := netip.MustParseAddr("10.0.0.1")
	for range 1000 {
		c.add(Found{Address: a})
		a = a.Next()
	}
	if got := c.list(); len(got) != maxFound {
		t.Errorf("%d devices in all", len(got))
	}
}

func TestDiscoverEndsWithItsContext(t *testing.T) {
	why := errors.New("the page was closed")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(50*time.Millisecond, func() { cancel(why) })
	r := onviftest.Responder{Endpoint: "e"}
	got, err := Discover(ctx, Options{Interfaces: []string{}, Addrs: []netip.AddrPort{r.Serve(t, loop, "")}, Wait: time.Hour})
	if !errors.Is(err, why) || len(got) != 1 {
		t.Errorf("%v, %+v", err, got)
	}
	if _, err := Discover(t.Context(), Options{Interfaces: []string{"no-such"}}); !errors.Is(err, ErrNetwork) {
		t.Errorf("no interface: %v", err)
	}
	if _, err := Discover(t.Context(), Options{Interfaces: []string{}}); !errors.Is(err, ErrNetwork) {
		t.Errorf("nobody to ask: %v", err)
	}
}
