package web

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"veilbox/appliance/account"
	"veilbox/internal/problem"
)

// What a route asks for beside the permissions of account.
const (
	nobody   account.Permission = "nobody"   // no log-in
	own      account.Permission = "own"      // one's own account: even before the set-up is done
	anybody  account.Permission = "anybody"  // any person who is set up
	accepted account.Permission = "accepted" // a page for any person who has accepted the conditions
)

// needs is what each route asks for: the whole surface of a box. A route that is
// added needs a row here.
var needs = map[string]account.Permission{
	"GET /login": nobody, "POST /login": nobody, "POST /language": nobody, "GET /assets/{file...}": nobody, "GET /healthz": nobody,
	"POST /api/v1/session": nobody, "POST /api/v1/session/passkey/options": nobody, "POST /api/v1/session/passkey": nobody,

	"POST /logout": own, "GET /conditions": own, "GET /account": own,
	"GET /api/v1/session": own, "DELETE /api/v1/session": own, "GET /api/v1/session/account": own, "DELETE /api/v1/session/others": own, "DELETE /api/v1/session/others/{sid}": own,
	"POST /api/v1/session/password": own, "POST /api/v1/session/passkeys/options": own, "POST /api/v1/session/passkeys": own, "DELETE /api/v1/session/passkeys/{key}": own,
	"POST /api/v1/session/totp": own, "PUT /api/v1/session/totp": own, "DELETE /api/v1/session/totp": own,
	"POST /api/v1/session/passkeys/{key}/approval/options": account.Assess, "POST /api/v1/session/passkeys/{key}/approval": account.Assess,
	"GET /api/v1/conditions": own, "POST /api/v1/conditions": anybody,
	"GET /{$}": accepted,

	"GET /people": account.ManagePeople, "GET /api/v1/people": account.ManagePeople, "POST /api/v1/people": account.ManagePeople, "PATCH /api/v1/people/{id}": account.ManagePeople,
	"POST /api/v1/people/{id}/password": account.ManagePeople, "GET /api/v1/people/review": account.ManagePeople, "POST /api/v1/people/{id}/review": account.ManagePeople, "GET /api/v1/acceptances": account.ReadAudit,

	"GET /admin": account.ManageCameras, "POST /api/v1/cameras": account.ManageCameras, "POST /api/v1/cameras/probe": account.ManageCameras, "POST /api/v1/cameras/find": account.ManageCameras,
	"POST /api/v1/cameras/look": account.ManageCameras, "PATCH /api/v1/cameras/{cam}": account.ManageCameras, "DELETE /api/v1/cameras/{cam}": account.ManageCameras, "DELETE /api/v1/cameras/{cam}/pin": account.ManageCameras,
	"POST /api/v1/cameras/{cam}/device": account.ManageCameras, "DELETE /api/v1/cameras/{cam}/device": account.ManageCameras, "PUT /api/v1/cameras/{cam}/veiled": account.ManageCameras,
	"POST /api/v1/enrolment": account.ManageCameras,

	"GET /cameras/{cam}": account.ViewHealth, "GET /api/v1/cameras": account.ViewHealth, "GET /api/v1/enrolment": account.ViewHealth, "GET /api/v1/health": anybody,
	"GET /timeline": account.ViewFootage, "GET /api/v1/timeline": account.ViewFootage, "GET /api/v1/cameras/{cam}/timeline": account.ViewFootage, "GET /api/v1/cameras/{cam}/footage.mp4": account.ViewFootage,
	"GET /api/v1/cameras/{cam}/picture.jpg": account.ViewFootage, "GET /api/v1/cameras/{cam}/still.jpg": account.ViewLive, "POST /api/v1/cameras/{cam}/whep": account.ViewLive, "DELETE /api/v1/cameras/{cam}/whep/{session}": account.ViewLive,
	"POST /api/v1/cameras/{cam}/exports": account.ExportFootage, "GET /api/v1/exports/{id}": account.ExportFootage, "GET /api/v1/exports/{id}/clip.mp4": account.ExportFootage, "GET /api/v1/exports/{id}/statement.txt": account.ExportFootage,
	"GET /api/v1/holds": account.KeepFootage, "POST /api/v1/holds/{id}": account.KeepFootage, "POST /api/v1/holds/{id}/release": account.KeepFootage, "POST /api/v1/clock": account.KeepFootage,

	"GET /cases/{id}": account.ViewCases, "GET /api/v1/cases": account.ViewCases, "GET /api/v1/cases/{id}": account.ViewCases, "GET /api/v1/cases/{id}/progress": account.ViewCases, "GET /api/v1/cases/{id}/proof.json": account.ViewCases, "GET /api/v1/members": account.ViewCases,
	"POST /api/v1/circle": account.ViewCases, "GET /api/v1/cases/{id}/suggestions": account.ViewCases,
	"GET /api/v1/cases/{id}/documents/{doc}": account.ViewCases,
	"POST /api/v1/cases":                     account.Tag, "PUT /api/v1/cases/{id}": account.Tag, "PUT /api/v1/cases/{id}/subject": account.Tag, "POST /api/v1/cases/{id}/marking": account.Tag, "GET /api/v1/cases/{id}/marking": account.Tag,
	"PUT /api/v1/cases/{id}/marking": account.Tag, "DELETE /api/v1/cases/{id}/marking": account.Tag, "GET /api/v1/cases/{id}/marking/people": account.Tag, "GET /api/v1/cases/{id}/marking/shapes": account.Tag,
	"DELETE /api/v1/cases/{id}/progress": account.Tag, "POST /api/v1/cases/{id}/report": account.Tag,
	"GET /api/v1/cases/{id}/clip.mp4": account.ViewFootage, "GET /api/v1/cases/{id}/copy.mp4": account.ViewFootage, "GET /api/v1/cases/{id}/copy.jpg": account.ViewFootage, "GET /api/v1/cases/{id}/preview.jpg": account.ViewFootage,
	"GET /api/v1/cases/{id}/sheet": account.ViewFootage, "GET /api/v1/cases/{id}/sheet/{picture}": account.ViewFootage,
	"POST /api/v1/cases/{id}/submit": account.Submit, "POST /api/v1/cases/{id}/assessment": account.Assess, "POST /api/v1/cases/{id}/assessment/options": account.Assess, "PUT /api/v1/cases/{id}/sound": account.Assess, "POST /api/v1/cases/{id}/reassessments": account.Assess,
	"POST /api/v1/cases/{id}/withdrawal": account.Withdraw, "POST /api/v1/cases/{id}/narrowings": account.Narrow, "POST /api/v1/cases/{id}/facts": account.RecordFact,
	"DELETE /api/v1/cases/{id}": account.DeleteCase, "GET /api/v1/cases/{id}/file.json": account.CaseFile, "GET /api/v1/cases/{id}/file.pdf": account.CaseFile,

	"GET /api/v1/cases/{id}/holdings": account.CaseFile, "GET /api/v1/cases/{id}/deletion.txt": account.CaseFile, "POST /api/v1/cases/{id}/informed": account.Tag, "DELETE /api/v1/cases/{id}/documents/{doc}": account.Tag,
	"POST /api/v1/cases/{id}/handout": account.ExportFootage, "POST /api/v1/alerts/{id}/deletion": account.ViewShared,

	"GET /alerts": account.ViewShared, "GET /alerts/{id}": account.ViewShared, "GET /api/v1/alerts": account.ViewShared, "POST /api/v1/alerts/{id}/viewings": account.ViewShared,
	"GET /api/v1/viewings/{vid}/copy.mp4": account.ViewShared, "GET /api/v1/viewings/{vid}/copy.jpg": account.ViewShared,

	"GET /audit": account.ReadAudit, "GET /api/v1/audit": account.ReadAudit, "GET /api/v1/audit/verify": account.ReadAudit, "GET /api/v1/audit/export": account.ReadAudit,
}

// either are the routes that one of several permissions opens.
var either = map[string][]account.Permission{
	"POST /api/v1/cases/{id}/documents": {account.Tag, account.Assess},
}

// both are the routes that ask for several permissions at once.
var both = map[string][]account.Permission{
	"GET /rights": {account.CaseFile, account.ViewCases}, "POST /api/v1/rights/find": {account.CaseFile, account.ViewCases},
}

func TestEveryRouteHasARow(t *testing.T) {
	var names []string
	for _, rt := range newTestServer(t).routes() {
		name := rt.method + " " + rt.path
		names = append(names, name)
		if needs[name] == "" && either[name] == nil && both[name] == nil {
			t.Errorf("%s has no row: say in the table who may", name)
		}
	}
	for _, name := range slices.Concat(slices.Collect(maps.Keys(needs)), slices.Collect(maps.Keys(either)), slices.Collect(maps.Keys(both))) {
		if !slices.Contains(names, name) {
			t.Errorf("a row for %s, which is not served", name)
		}
	}
}

// open says whether a person of that role comes to a route, by its row.
func open(name string, who visitor) bool {
	may := func(p account.Permission) bool {
		switch p {
		case nobody:
			return true
		case own:
			return who.role != ""
		case anybody, accepted:
			return who.role != "" && !who.fresh
		}
		return who.role != "" && !who.fresh && account.Can(who.role, p) && (!who.unauthorised || !account.NeedsAuthorisation(p))
	}
	// A case file names the person: but for auditors it asks for an authorisation.
	if file := strings.HasSuffix(name, "/holdings") || strings.Contains(name, "/file."); file && who.role != account.Auditor {
		return may(account.CaseFile) && may(account.ViewCases)
	}
	if all := both[name]; all != nil {
		return !slices.ContainsFunc(all, func(p account.Permission) bool { return !may(p) })
	}
	if some := either[name]; some != nil {
		return slices.ContainsFunc(some, may)
	}
	return may(needs[name])
}

// A visitor is one column of the matrix.
type visitor struct {
	name         string
	role         account.Role // empty: nobody is logged in
	fresh        bool         // has not set the account up
	unauthorised bool         // has no formal authorisation in force
}

func visitors() []visitor {
	all := []visitor{{name: "nobody"}, {name: "forged"}}
	for _, r := range account.Roles {
		all = append(all, visitor{name: string(r), role: r}, visitor{name: "fresh-" + string(r), role: r, fresh: true})
		if r != account.Manager {
			all = append(all, visitor{name: "idle-" + string(r), role: r, unauthorised: true})
		}
	}
	return all
}

// closed says whether an answer keeps somebody out, and not for another reason.
func closed(resp *http.Response, body string) bool {
	switch resp.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		if !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/problem") {
			return true
		}
		return slices.Contains([]string{errNoSession.Code, account.ErrSession.Code, account.ErrPermission.Code, account.ErrAuthorisation.Code, errSetUp.Code}, problem.Decode(resp.StatusCode, []byte(body)).Code)
	case http.StatusSeeOther:
		to := resp.Header.Get("Location")
		return strings.HasPrefix(to, "/login") || to == "/account" || to == "/conditions"
	}
	return false
}

// Every route for every role, over the real box: open to whom its row opens it,
// and to nobody else.
func TestWhoMayWhat(t *testing.T) {
	b := newRealBox(t)
	n := 0
	for _, rt := range newTestServer(t).routes() {
		name := rt.method + " " + rt.path
		if name == "POST /logout" || name == "DELETE /api/v1/session" || name == "DELETE /api/v1/session/others" {
			continue // they end the sessions that the others need; see TestLogoutEndsTheSession
		}
		for _, who := range visitors() {
			resp, body := b.do(t, req{method: rt.method, path: b.filled(rt), as: b.tokens[who.name], body: examples[name], kind: kindOf(rt)})
			got := !closed(resp, body)
			if needs[name] == nobody {
				got = resp.StatusCode != http.StatusForbidden // a wrong log-in is 401
			}
			if want := open(name, who); got != want {
				t.Errorf("%s as %s: open %v, want %v (%d %.160s)", name, who.name, got, want, resp.StatusCode, body)
			}
			n++
		}
	}
	if n < 1000 {
		t.Errorf("%d cells only", n)
	}
	if b.panics != 0 {
		t.Logf("%d acts reached what this assembly does not have", b.panics)
	}
}
