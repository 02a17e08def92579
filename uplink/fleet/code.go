package fleet

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"veilbox/capture/footage"
	"veilbox/internal/problem"
	"veilbox/uplink/wire"
)

// ErrCode says that a code was mistyped or cut.
var ErrCode = problem.New(http.StatusBadRequest, "enrol.bad",
	problem.Text{DA: "Tilmeldingskoden er ikke gyldig.", EN: "The enrolment code is not valid."},
	problem.Text{DA: "Kopiér hele koden fra operatøren; den begynder med veilbox1.", EN: "Copy the whole code from the operator; it begins with veilbox1."})

// A Code is what the operator hands to a member.
type Code struct {
	URL    string       `json:"u"`
	CA     footage.Hash `json:"f"` // SHA-256 of the CA certificate, DER
	Secret string       `json:"s"`
}

const codePrefix = "veilbox1."

// String returns the code as it is handed over. It is a secret.
func (c Code) String() string {
	b, err := json.Marshal(c)
	if err != nil {
		panic("fleet: " + err.Error()) // a struct of strings always encodes
	}
	return codePrefix + base64.RawURLEncoding.EncodeToString(b)
}

// ParseCode reads a code. Spaces and line breaks from copying do not matter.
func ParseCode(s string) (Code, error) {
	s = strings.Join(strings.Fields(s), "")
	rest, ok := strings.CutPrefix(s, codePrefix)
	if !ok || len(s) > 2000 {
		return Code{}, ErrCode
	}
	b, err := base64.RawURLEncoding.DecodeString(rest)
	if err != nil {
		return Code{}, ErrCode.With(err)
	}
	var c Code
	if err := wire.DecodeBytes(b, &c); err != nil {
		return Code{}, ErrCode.With(err)
	}
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return Code{}, ErrCode
	}
	if c.CA.IsZero() || len(c.Secret) < 16 || len(c.Secret) > 100 {
		return Code{}, ErrCode
	}
	return c, nil
}

// host returns the name or address in a code that ParseCode accepted.
func (c Code) host() string {
	u, err := url.Parse(c.URL)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
