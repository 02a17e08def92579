package onviftest

import (
	"encoding/xml"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
)

// A Responder answers WS-Discovery probes.
type Responder struct {
	XAddrs   string
	Endpoint string
	Types    string // "dn:NetworkVideoTransmitter tds:Device" if empty
	Scopes   string // those of a camera if empty
	// Answers makes the datagrams that answer a probe, instead of the one
	// ProbeMatches; it gets that.
	Answers func(usual string, relates string) []string
}

// ProbeMatches is the answer to the message called relates.
func (r Responder) ProbeMatches(relates string) string {
	types, scopes := r.Types, r.Scopes
	if types == "" {
		types = "dn:NetworkVideoTransmitter tds:Device"
	}
	if scopes == "" {
		scopes = "onvif://www.onvif.org/type/video_encoder onvif://www.onvif.org/name/Scripted%201 onvif://www.onvif.org/hardware/hw1 onvif://www.onvif.org/location/till onvif://www.onvif.org/Profile/Streaming"
	}
	return `<?xml version="1.0" encoding="UTF-8"?><e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope" xmlns:w="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" xmlns:dn="http://www.onvif.org/ver10/network/wsdl" xmlns:tds="http://www.onvif.org/ver10/device/wsdl">` +
		`<e:Header><w:MessageID>urn:uuid:11111111-2222-4333-8444-555555555555</w:MessageID><w:RelatesTo>` + relates + `</w:RelatesTo><w:To>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</w:To><w:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/ProbeMatches</w:Action></e:Header>` +
		`<e:Body><d:ProbeMatches><d:ProbeMatch><w:EndpointReference><w:Address>` + r.Endpoint + `</w:Address></w:EndpointReference><d:Types>` + types + `</d:Types><d:Scopes>` + scopes + `</d:Scopes><d:XAddrs>` + r.XAddrs + `</d:XAddrs><d:MetadataVersion>1</d:MetadataVersion></d:ProbeMatch></d:ProbeMatches></e:Body></e:Envelope>`
}

// Serve answers probes at addr until the test ends and returns where: by unicast,
// or by multicast where addr is a group, which it joins on the interface.
func (r Responder) Serve(t testing.TB, addr netip.AddrPort, iface string) netip.AddrPort {
	t.Helper()
	var conn *net.UDPConn
	var err error
	if addr.Addr().IsMulticast() {
		i, errIface := net.InterfaceByName(iface)
		if errIface != nil {
			t.Fatal(errIface)
		}
		conn, err = net.ListenMulticastUDP("udp4", i, net.UDPAddrFromAddrPort(addr))
	} else {
		conn, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(addr))
	}
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 64<<10)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			var e envelope
			if xml.Unmarshal(b[:n], &e) != nil || !strings.Contains(string(e.Body.Inner), "Probe") || !strings.Contains(string(e.Body.Inner), "Types") {
				continue
			}
			relates := strings.TrimSpace(e.Header.MessageID)
			answers := []string{r.ProbeMatches(relates)}
			if r.Answers != nil {
				answers = r.Answers(answers[0], relates)
			}
			for _, a := range answers {
				if _, err := conn.WriteToUDPAddrPort([]byte(a), from); err != nil {
					fmt.Fprintf(t.Output(), "responder: %v\n", err)
				}
			}
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close() // ends the reader
		<-done
	})
	a := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
