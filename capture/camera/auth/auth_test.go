package auth

import (
	"crypto/md5"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/headers"
)

func FuzzAuth(f *testing.F) {
	for _, h := range []string{`Digest realm="IP Camera(1)", nonce="n"`, `Digest realm="r", qop="auth,auth-int", nonce="n", opaque="o=p,q", algorithm=MD5`, `Digest realm="r", nonce="n", algorithm="SHA-256"`, `digest Realm=r , nonce="n" ,algorithm=SHA-256-sess, qop=auth`, `Basic realm="r"`, `Digest realm="r", nonce="x", algorithm=ROT13`, `Basic realm="r", Digest realm="r", qop="auth,auth-int", nonce="n", opaque="o=p,q", algorithm=MD5`, `Digest realm="a\"b, c", nonce=x`, "Digest nonce=\"", ",,=,", "Digest algorithm=-sess, nonce=1"} {
		f.Add(h, "u\"s\\er\r\n", "hunter2")
	}
	f.Fuzz(func(t *testing.T, h, user, password string) {
		c, ok := Best([]string{h, h})
		if !ok {
			return
		}
		out := c.Answer(user, password, "DESCRIBE", "rtsp://h/x")
		if len(out) > 8*(len(h)+len(user)+len(password))+1024 {
			t.Fatalf("%d bytes", len(out))
		}
		for i := range len(out) {
			if out[i] < ' ' || out[i] == 0x7f {
				t.Fatalf("a control character in %q", out)
			}
		}
		// The library of the other side reads it.
		var a headers.Authorization
		if err := a.Unmarshal(base.HeaderValue{out}); err != nil && c.alg == "" && user == "u" {
			t.Fatalf("%q: %v", out, err)
		}
	})
}

// The examples of RFC 7616 §3.9.1 and RFC 2069 §2.4 as its errata mend it.
func TestDigest(t *testing.T) {
	for _, tc := range []struct{ header, user, password, uri, cnonce, want string }{
		{`Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`,
			"Mufasa", "Circle of Life", "/dir/index.html", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"},
		{`Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=MD5, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`,
			"Mufasa", "Circle of Life", "/dir/index.html", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "8ca523f5e9506fed4657c9700eebdbec"},
		{`Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"`,
			"Mufasa", "CircleOfLife", "/dir/index.html", "", "1949323746fe6a43ef61f9606e7febea"},
	} {
		c, ok := Best([]string{tc.header})
		if !ok {
			t.Fatal(tc.header)
		}
		c.count = 1
		if out := c.respond(tc.user, tc.password, "GET", tc.uri, tc.cnonce); !strings.Contains(out, `response="`+tc.want+`"`) {
			t.Errorf("%s\nwant %s", out, tc.want)
		}
	}
	if sum := md5.Sum(nil); hex.EncodeToString(sum[:]) != (&Challenge{Scheme: DigestMD5}).hash("") {
		t.Error("the sum of nothing")
	}
}

func TestChallenges(t *testing.T) {
	for _, tc := range []struct {
		header string
		want   Challenge
		ok     bool
	}{
		{`Digest realm="a, \"b\"=c", nonce="d"`, Challenge{Scheme: DigestMD5, Realm: `a, "b"=c`, Nonce: "d"}, true},
		{`Basic realm="x", Digest realm=y,nonce=z,qop="auth-int"`, Challenge{Scheme: Basic, Realm: "x"}, true},
		{`Digest nonce="1", algorithm=MD5, Digest nonce="2", algorithm=sha-256-SESS, stale=True`, Challenge{Scheme: DigestSHA256, Nonce: "2", alg: "sha-256-SESS", sess: true, Stale: true}, true},
		{`Negotiate abc==, Digest nonce="1", algorithm="SHA-512-256"`, Challenge{Scheme: DigestSHA512, Nonce: "1", alg: "SHA-512-256"}, true},
		{`Digest realm="no nonce"`, Challenge{}, false},
		{`nonce="1"`, Challenge{}, false},
		{``, Challenge{}, false},
	} {
		got, ok := Best([]string{tc.header})
		if ok != tc.ok || ok && got != tc.want {
			t.Errorf("%s: %+v, %v", tc.header, got, ok)
		}
	}
}

func TestDigestAlone(t *testing.T) {
	if _, ok := Digest([]string{`Basic realm="x"`}); ok {
		t.Error("the password would be shown")
	}
	if c, ok := Digest([]string{`Basic realm="x"`, `Digest nonce="n"`}); !ok || c.Scheme != DigestMD5 {
		t.Errorf("%+v", c)
	}
}
