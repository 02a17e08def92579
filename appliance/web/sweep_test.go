package web

import (
	"encoding/json"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"veilbox/appliance/audit"
	"veilbox/appliance/casework"
	"veilbox/appliance/incident"
)

// examples are a body for each route that takes one.
var examples = map[string]string{
	"POST /api/v1/session":                         `{"login":"manager","password":"hemmelig-kode"}`,
	"POST /api/v1/session/passkey":                 `{"ceremony":"C1","response":{"id":"AAAA"}}`,
	"POST /api/v1/session/passkeys":                `{"ceremony":"C1","name":"Min telefon","response":{"id":"AAAA"}}`,
	"POST /api/v1/session/passkeys/{key}/approval": `{"ceremony":"C1","response":{"id":"AAAA"}}`,
	"PUT /api/v1/session/totp":                     `{"code":"123456"}`,
	"DELETE /api/v1/session/totp":                  `{"password":"hemmelig-kode"}`,
	"POST /api/v1/people/{id}/review":              `{}`,
	"POST /api/v1/session/password":                `{"old":"hemmelig-kode","new":"kaffe rugbrød cykel"}`,
	"POST /api/v1/people":                          `{"login":"anna","name":"Anna","roles":["staff"],"function":"assistent","need":"finder hændelser"}`,
	"PATCH /api/v1/people/{id}":                    `{"active":false}`,
	"POST /api/v1/conditions":                      `{"version":"` + casework.ConditionsVersion + `"}`,
	"POST /api/v1/cameras":                         `{"id":"kasse-2","name":"Kasse 2","url":"rtsp://192.0.2.1/a"}`,
	"POST /api/v1/cameras/probe":                   `{"id":"kasse-2","name":"Kasse 2","url":"rtsp://192.0.2.1/a"}`,
	"POST /api/v1/cameras/look":                    `{"address":"192.168.8.21","username":"admin","password":"x"}`,
	"POST /api/v1/holds/{id}":                      `{"review":"2027-02-01T12:00:00Z","reason":"retssagen kører"}`,
	"PATCH /api/v1/cameras/{cam}":                  `{"name":"Kasse 1","password":"","audio":false}`,
	"POST /api/v1/cameras/{cam}/exports":           `{"from":"2026-11-22T12:00:00Z","to":"2026-11-22T12:01:00Z","purpose":"0700-12345-00001-26","keep":true}`,
	"POST /api/v1/holds/{id}/release":              `{"reason":"frafaldet"}`,
	"POST /api/v1/cases":                           `{"camera":"kasse-1","from":"2026-11-22T12:00:00Z","to":"2026-11-22T12:01:00Z","what":"Tyveri","happened_at":"2026-11-22T12:00:00Z","offence":"theft","attempt":false}`,
	"PUT /api/v1/cases/{id}":                       `{"version":3,"what":"Tyveri","happened_at":"2026-11-22T12:00:00Z","evidence":{}}`,
	"PUT /api/v1/cases/{id}/subject":               `{"version":3,"choice":{"mode":"still-scene","still":{"at":1},"stamp":{"place":"Kasse 1","start":"2026-11-22T12:00:00Z"}},"show_more":true,"subjects":[{"version":1,"keyframes":[{"at":1,"rect":{"x":0.1,"y":0.1,"w":0.1,"h":0.3}}]}]}`,
	"PUT /api/v1/cases/{id}/marking":               `{"subjects":[{"version":1,"keyframes":[{"at":1,"rect":{"x":0.1,"y":0.1,"w":0.1,"h":0.3}}]}]}`,
	"PUT /api/v1/cases/{id}/sound":                 `{"version":3,"keep":true,"reason":"Han truer ekspedienten højt"}`,
	"PUT /api/v1/cameras/{cam}/veiled":             `{"veiled":[{"x":0.1,"y":0.1,"w":0.2,"h":0.1}]}`,
	"POST /api/v1/cases/{id}/submit":               `{"version":3}`,
	"POST /api/v1/cases/{id}/assessment":           `{"version":3,"decision":"refuse","reasons":"Ikke tydeligt","copy":"` + strings.Repeat("0", 64) + `","sheet":"` + strings.Repeat("0", 64) + `"}`,
	"POST /api/v1/cases/{id}/assessment/options":   `{"version":3,"decision":"approve","reasons":"Alt er opfyldt","copy":"` + strings.Repeat("0", 64) + `","sheet":"` + strings.Repeat("0", 64) + `"}`,
	"POST /api/v1/circle":                          `{"area":"town","place":"Odense","members":["netto-odense"]}`,
	"DELETE /api/v1/cases/{id}":                    `{"reason":"Sagen er slut"}`,
	"POST /api/v1/cases/{id}/documents":            "%PDF-1.7",
	"DELETE /api/v1/cases/{id}/documents/{doc}":    `{"reason":"forkert fil"}`,
	"POST /api/v1/cases/{id}/facts":                `{"version":3,"what":"charged","at":"2026-11-22T12:00:00Z","words":"brev fra politiet"}`,
	"POST /api/v1/cases/{id}/reassessments":        `{"version":3,"reasons":"Stadig set i byen","next":"2026-12-02T12:00:00Z"}`,
	"POST /api/v1/cases/{id}/narrowings":           `{"version":3,"drop":["netto-odense"],"reason":"butikken er lukket"}`,
	"POST /api/v1/cases/{id}/informed":             `{"version":3,"at":"2026-11-22T12:00:00Z","how":"sign","words":"skilt ved døren"}`,
	"POST /api/v1/cases/{id}/handout":              `{"to":"Den registrerede, legitimation vist","understood":true}`,
	"POST /api/v1/rights/find":                     `{"from":"2026-11-22T00:00:00Z","to":"2026-11-23T00:00:00Z","why":"indsigt 7/2026"}`,
	"POST /api/v1/alerts/{id}/deletion":            `{"words":"intet"}`,
	"POST /api/v1/cases/{id}/report":               `{"version":3,"number":"5100","at":"2026-11-22T12:00:00Z"}`,
	"POST /api/v1/cases/{id}/withdrawal":           `{"reason":"sigtet"}`,
	"POST /api/v1/alerts/{id}/viewings":            `{"purpose":"vagt i dag"}`,
	"POST /api/v1/enrolment":                       `{"code":" ABC "}`,
	"POST /api/v1/cameras/{cam}/whep":              "v=0",
}

// Every route answers what the description says that it does: status, media
// type, and no key that the schema doesn't have.
func TestAnswersAreAsDescribed(t *testing.T) {
	d := readDescription(t)
	for _, rt := range newTestServer(t).apiRoutes() {
		s := newSite(t)
		c := testCase(incident.Disclosed)
		c.Disclosure = &incident.Disclosure{ID: "DISC1"}
		s.box.cases["CASE1"] = c
		s.box.alerts = []casework.Alert{{ID: "D1"}}
		s.box.people = []casework.PersonView{{ID: "mette"}}
		s.box.found = []casework.CameraFound{{Address: "192.168.8.21"}}
		s.box.holds = []casework.HoldView{{ID: "CASE1"}}
		s.box.entries = []audit.Entry{{Seq: 1}}
		name := rt.method + " " + rt.path
		q := req{method: rt.method, path: filled(rt.path), as: "manager", body: examples[name]}
		switch {
		case strings.HasSuffix(rt.path, "/whep"):
			q.kind = "application/sdp"
		case strings.HasSuffix(rt.path, "/documents"):
			q.kind, q.path = "application/pdf", q.path+"?kind=receipt&name=kvittering.pdf"
		case strings.HasSuffix(rt.path, "/picture.jpg"):
			q.path += "?at=2026-11-22T12:00:00Z&width=160"
		case strings.HasSuffix(rt.path, "/people") && strings.Contains(rt.path, "marking"):
			q.path += "?at=1.5"
		case strings.HasSuffix(rt.path, "/shapes"):
			q.path += "?from=0&to=5"
		case strings.HasSuffix(rt.path, "/copy.jpg"):
			s.box.video = s.box.pictures[0]
		case strings.HasPrefix(rt.path, "/api/v1/exports/"):
			s.box.export = &casework.ExportView{ID: "CASE1"}
		case strings.HasSuffix(rt.path, "/timeline"), strings.HasSuffix(rt.path, "/footage.mp4"):
			q.path += "?from=2026-11-22T12:00:00Z&to=2026-11-22T12:01:00Z"
		}
		resp, body := s.do(t, q)
		op := d.Paths[inDescription(rt.path)][strings.ToLower(rt.method)]
		answers, _ := op["responses"].(map[string]any)
		answer, described := answers[strconv.Itoa(resp.StatusCode)].(map[string]any)
		if resp.StatusCode >= 300 || !described {
			t.Errorf("%s answers %d, which is not described: %s", name, resp.StatusCode, body)
			continue
		}
		content, _ := answer["content"].(map[string]any)
		if strings.HasSuffix(rt.path, "/whep") || len(content) == 0 {
			continue // the live view's answer is the WHEP handler's own
		}
		kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
		form, found := content[kind].(map[string]any)
		if err != nil || !found {
			t.Errorf("%s answers %q, described is %v", name, resp.Header.Get("Content-Type"), content)
			continue
		}
		if kind == "application/json" && !strings.HasSuffix(rt.path, "proof.json") {
			checkKeys(t, d, name, form["schema"], body)
		}
	}
}

// checkKeys holds the top-level keys of an answer against its schema.
func checkKeys(t *testing.T, d description, name string, schema any, body string) {
	t.Helper()
	m, _ := schema.(map[string]any)
	var object map[string]any
	if m["type"] == "array" {
		var l []map[string]any
		if err := json.Unmarshal([]byte(body), &l); err != nil || len(l) == 0 {
			t.Errorf("%s: a list with something in it is expected: %s", name, body)
			return
		}
		object, m = l[0], m["items"].(map[string]any)
	} else if err := json.Unmarshal([]byte(body), &object); err != nil {
		t.Errorf("%s: %v: %s", name, err, body)
		return
	}
	ref, _ := m["$ref"].(string)
	props, _ := d.Components.Schemas[strings.TrimPrefix(ref, "#/components/schemas/")]["properties"].(map[string]any)
	for k := range object {
		if props[k] == nil {
			t.Errorf("%s answers the key %q, which %s has not", name, k, ref)
		}
	}
	required, _ := d.Components.Schemas[strings.TrimPrefix(ref, "#/components/schemas/")]["required"].([]any)
	for _, k := range required {
		if _, found := object[k.(string)]; !found {
			t.Errorf("%s lacks the key %q", name, k)
		}
	}
}

func TestExamplesBelongToRoutes(t *testing.T) {
	var names []string
	for _, rt := range newTestServer(t).apiRoutes() {
		names = append(names, rt.method+" "+rt.path)
	}
	for name := range examples {
		if !slices.Contains(names, name) {
			t.Errorf("an example for %s, which is not served", name)
		}
	}
	for _, name := range names {
		if m, _, _ := strings.Cut(name, " "); (m == http.MethodPut || m == http.MethodPatch) && examples[name] == "" {
			t.Errorf("no example for %s", name)
		}
	}
}
