package simulate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strconv"
	"time"
)

// An identity is a certificate as cameras have it: made by itself, for no name
// that anybody would ask for.
type identity struct {
	config *tls.Config
	pin    string
}

func newIdentity() (*identity, error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	// A camera's clock says nothing, and its certificate is valid whenever.
	t := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "camera"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Date(2049, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, k.Public(), k)
	if err != nil {
		return nil, err
	}
	spki, err := x509.MarshalPKIXPublicKey(k.Public())
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(spki)
	return &identity{
		config: &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: k}}, MinVersion: tls.VersionTLS12},
		pin:    hex.EncodeToString(sum[:]),
	}, nil
}

// ports are two UDP ports in a row, the first even (RFC 3550 §11).
type ports struct {
	rtp, rtcp string
	conns     map[string]net.PacketConn
}

func newPorts() (*ports, error) {
	for range 100 {
		a, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		n := a.LocalAddr().(*net.UDPAddr).Port
		if n%2 == 0 && n < 65535 {
			if b, err := net.ListenPacket("udp4", "127.0.0.1:"+strconv.Itoa(n+1)); err == nil {
				p := &ports{rtp: "127.0.0.1:" + strconv.Itoa(n), rtcp: "127.0.0.1:" + strconv.Itoa(n+1)}
				p.conns = map[string]net.PacketConn{p.rtp: a, p.rtcp: b}
				return p, nil
			}
		}
		if err := a.Close(); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("no two free ports in a row")
}

func (p *ports) listen(_, address string) (net.PacketConn, error) {
	if c := p.conns[address]; c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("simulate: no port was taken at %s", address)
}

func (p *ports) close() {
	for _, c := range p.conns {
		// The server may have closed it before.
		_ = c.Close()
	}
}
