package casework

import (
	"bytes"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/audit"
	"veilbox/appliance/incident"
	"veilbox/internal/problem"
	"veilbox/redact/subject"
)

// An act is one exported method that takes an Actor.
type act struct {
	name string
	perm account.Permission // "" where everybody who is logged in may
	// records is what is in the audit log before the act takes effect; "" where
	// it changes nothing and hands out no footage.
	records string
	who     string              // may do it
	begin   func(*box) CaseView // what it is done on
	// do returns what is handed out, nil where that is nothing.
	do func(*box, Actor, CaseView) (any, error)
}

func redacted(b *box) CaseView { return b.veiled(b.answer(b.newCase(), evidence())) }

func none[T any](_ T, err error) (any, error) { return nil, err }

// media returns a nil interface for what is no media.
func media(m Media, err error) (any, error) {
	if m == nil {
		return nil, err
	}
	return m, err
}

func jpeg(b []byte, err error) (any, error) {
	if b == nil {
		return nil, err
	}
	return b, err
}

func actsOfCases() []act {
	from, to := span()
	later := start.Add(-time.Minute)
	name := "Ida Marie Juhl"
	return []act{
		{"Cameras", account.ViewHealth, "", "staff", nil, func(b *box, a Actor, _ CaseView) (any, error) { return none(b.Cameras(b.t.Context(), a)) }},
		{"ProbeCamera", account.ManageCameras, "", "operator", nil, func(b *box, a Actor, _ CaseView) (any, error) {
			return none(b.ProbeCamera(b.t.Context(), a, NewCamera{URL: "rtsp://192.0.2.9/main"}))
		}},
		{"AddCamera", account.ManageCameras, "camera.add", "operator", nil, func(b *box, a Actor, _ CaseView) (any, error) {
			return none(b.AddCamera(b.t.Context(), a, NewCamera{ID: "door-1", URL: "rtsp://192.0.2.9/main"}))
		}},
		{"RemoveCamera", account.ManageCameras, "camera.remove", "operator", nil, func(b *box, a Actor, _ CaseView) (any, error) {
			return nil, b.RemoveCamera(b.t.Context(), a, till)
		}},
		{"ChangeCamera", account.ManageCameras, "camera.change", "operator", nil, func(b *box, a Actor, _ CaseView) (any, error) {
			return none(b.ChangeCamera(b.t.Context(), a, till, CameraChange{Name: &name}))
		}},
		{"FindCameras", account.ManageCameras, "", "operator", nil, func(b *box, a Actor, _ CaseView) (any, error) {
			return none(b.FindCameras(b.t.Context(), a))
		}},
		{"LookForStreams", account.ManageCameras, "", "operator", nil, func(b *box, a Actor, _ CaseView) (any, error) {
			return none(b.LookForStreams(b.t.Context(), a, CameraLook{Address: "192.0.2.9"}))
		}},
		{"TrustCamera", account.ManageCameras, "camera.trust", "manager", func(b *box) CaseView { b.pinned(); return CaseView{} }, func(b *box, a Actor, _ CaseView) (any, error) {
			return nil, b.TrustCamera(b.t.Context(), a, till)
		}},
		{"LookAtCamera", account.ManageCameras, "", "manager", nil, func(b *box, a Actor, _ CaseView) (any, error) {
			return none(b.LookAtCamera(b.t.Context(), a, till))
		}},
		{"AcceptDevice", account.ManageCameras, "camera.accept", "manager", nil, func(b *box, a Actor, _ CaseView) (any, error) {
			return nil, b.AcceptDevice(b.t.Context(), a, till)
		}},
		{"Timelines", account.ViewFootage, "", "staff", nil, func(b *box, a Actor, _ CaseView) (any, error) {
			return none(b.Timelines(b.t.Context(), a, from, to, 100))
		}},
		{"CameraPicture", account.ViewFootage, "footage.view", "staff", nil, func(b *box, a Actor, _ CaseView) (any, error) {
			p, err := b.CameraPicture(b.t.Context(), a, till, from, 160)
			return jpeg(p.JPEG, err)
		}},
		{"NewExport", account.ExportFootage, "footage.export", "manager", nil, func(b *box, a Actor, _ CaseView) (any, error) {
			return none(b.NewExport(b.t.Context(), a, till, NewExport{From: from, To: to, Purpose: "0700-1"}, true))
		}},
		{"Export", account.ExportFootage, "", "manager", exported, func(b *box, a Actor, _ CaseView) (any, error) {
			return none(b.Export(b.t.Context(), a, b.export))
		}},
		{"ExportClip", account.ExportFootage, "export.fetch", "manager", exported, func(b *box, a Actor, _ CaseView) (any, error) {
			m, _, err := b.ExportClip(b.t.Context(), a, b.export)
			return media(m, err)
		}},
		{"ExportStatement", account.ExportFootage, "", "manager", exported, func(b *box, a Actor, _ CaseView) (any, error) {
			return jpeg(b.ExportStatement(b.t.Context(), a, b.export))
		}},
		{"Holds", account.KeepFootage, "", "manager", nil, func(b *box, a Actor, _ CaseView) (any, error) { return none(b.Holds(b.t.Context(), a)) }},
		{"ExtendHold", account.KeepFootage, "hold.extend", "manager", (*box).newCase, func(b *box, a Actor, v CaseView) (any, error) {
			return none(b.ExtendHold(b.t.Context(), a, string(v.ID), HoldChange{Review: start.Add(keepFor), Reason: "retssagen kører"}))
		}},
		{"ReleaseHold", account.KeepFootage, "hold.release", "manager", (*box).newCase, func(b *box, a Actor, v CaseView) (any, error) {
			return nil, b.ReleaseHold(b.t.Context(), a, string(v.ID), "frafaldet")
		}},
		{"ConfirmClock", account.KeepFootage, "clock.confirm", "manager", nil, func(b *box, a Actor, _ CaseView) (any, error) { return nil, b.ConfirmClock(b.t.Context(), a) }},
		{"Timeline", account.ViewFootage, "", "staff", nil, func(b *box, a Actor, _ CaseView) (any, error) {
			return none(b.Timeline(b.t.Context(), a, till, from, to, 0))
		}},
		{"Footage", account.ViewFootage, "footage.view", "staff", nil, func(b *box, a Actor, _ CaseView) (any, error) {
			return media(b.Footage(b.t.Context(), a, till, Wanted{From: from, To: to}))
		}},
		{"Footage", account.ExportFootage, "footage.export", "manager", nil, func(b *box, a Actor, _ CaseView) (any, error) {
			return media(b.Footage(b.t.Context(), a, till, Wanted{From: from, To: to, Export: true, Purpose: "politiet, 1234"}))
		}},
		{"Still", account.ViewLive, "camera.live", "staff", func(b *box) CaseView { b.rec.key = recording(b.t)[0]; return CaseView{} }, func(b *box, a Actor, _ CaseView) (any, error) {
			return jpeg(b.Still(b.t.Context(), a, till))
		}},
		{"Live", account.ViewLive, "camera.live", "staff", nil, func(b *box, a Actor, _ CaseView) (any, error) { return nil, b.Live(b.t.Context(), a, till) }},
		{"NewCase", account.Tag, "case.create", "staff", nil, func(b *box, a Actor, _ CaseView) (any, error) { return none(b.NewCase(b.t.Context(), a, theft())) }},
		{"Cases", account.ViewCases, "", "staff", nil, func(b *box, a Actor, _ CaseView) (any, error) { return none(b.Cases(b.t.Context(), a)) }},
		{"Case", account.ViewCases, "", "staff", (*box).newCase, func(b *box, a Actor, v CaseView) (any, error) { return none(b.Case(b.t.Context(), a, v.ID)) }},
		{"ChangeCase", account.Tag, "case.change", "staff", (*box).newCase, func(b *box, a Actor, v CaseView) (any, error) {
			return none(b.ChangeCase(b.t.Context(), a, v.ID, Change{Version: v.Version, What: "andet", HappenedAt: v.HappenedAt, Evidence: evidence()}))
		}},
		{"Redact", account.Tag, "case.redact", "staff", (*box).newCase, func(b *box, a Actor, v CaseView) (any, error) {
			return none(b.Redact(b.t.Context(), a, v.ID, SubjectChange{Version: v.Version, Subjects: []subject.Subject{somebody()}}))
		}},
		{"OpenMarking", account.Tag, "case.mark", "staff", (*box).newCase, func(b *box, a Actor, v CaseView) (any, error) {
			return none(b.OpenMarking(b.t.Context(), a, v.ID))
		}},
		{"Marking", account.Tag, "", "staff", (*box).marked, func(b *box, a Actor, v CaseView) (any, error) { return none(b.Marking(b.t.Context(), a, v.ID)) }},
		{"Follow", account.Tag, "", "staff", (*box).marked, func(b *box, a Actor, v CaseView) (any, error) {
			return none(b.Follow(b.t.Context(), a, v.ID, []subject.Subject{somebody()}))
		}},
		{"PeopleAt", account.Tag, "", "staff", (*box).marked, func(b *box, a Actor, v CaseView) (any, error) {
			return none(b.PeopleAt(b.t.Context(), a, v.ID, 0.5))
		}},
		{"Shapes", account.Tag, "", "staff", (*box).marked, func(b *box, a Actor, v CaseView) (any, error) {
			return none(b.Shapes(b.t.Context(), a, v.ID, 0, 2))
		}},
		{"CloseMarking", account.Tag, "", "staff", (*box).marked, func(b *box, a Actor, v CaseView) (any, error) {
			return nil, b.CloseMarking(b.t.Context(), a, v.ID)
		}},
		{"Preview", account.ViewFootage, "preview.view", "assessor", func(b *box) CaseView {
			v := b.newCase()
			b.jobs.mu.Lock()
			b.jobs.running, b.jobs.seen = v.ID, []byte{0xff, 0xd8}
			b.jobs.mu.Unlock()
			return v
		}, func(b *box, a Actor, v CaseView) (any, error) { return jpeg(b.Preview(b.t.Context(), a, v.ID)) }},
		{"KeepSound", account.Assess, "case.sound", "assessor", (*box).heard, func(b *box, a Actor, v CaseView) (any, error) {
			return none(b.KeepSound(b.t.Context(), a, v.ID, SoundChange{Version: v.Version, Keep: true, Reason: "Han truer ekspedienten højt."}))
		}},
		{"SetVeiled", account.ManageCameras, "camera.veiled", "manager", nil, func(b *box, a Actor, _ CaseView) (any, error) {
			return none(b.SetVeiled(b.t.Context(), a, till, VeiledChange{Veiled: []subject.Rect{{X: 0.1, Y: 0.1, W: 0.2, H: 0.1}}}))
		}},
		{"CaseProgress", account.ViewCases, "", "staff", (*box).newCase, func(b *box, a Actor, v CaseView) (any, error) {
			return none(b.CaseProgress(b.t.Context(), a, v.ID))
		}},
		{"CancelRedaction", account.Tag, "case.redact.cancel", "staff", func(b *box) CaseView {
			v := b.newCase()
			v, err := b.Redact(b.t.Context(), b.people["staff"], v.ID, SubjectChange{Subjects: []subject.Subject{somebody()}})
			return b.must(v, err)
		}, func(b *box, a Actor, v CaseView) (any, error) { return nil, b.CancelRedaction(b.t.Context(), a, v.ID) }},
		{"CaseClip", account.ViewFootage, "clip.view", "assessor", (*box).newCase, func(b *box, a Actor, v CaseView) (any, error) {
			return media(b.CaseClip(b.t.Context(), a, v.ID, ""))
		}},
		{"CaseCopy", account.ViewFootage, "copy.view", "assessor", redacted, func(b *box, a Actor, v CaseView) (any, error) {
			return media(b.CaseCopy(b.t.Context(), a, v.ID, false))
		}},
		{"CaseCopy", account.ExportFootage, "copy.download", "manager", (*box).trained, func(b *box, a Actor, v CaseView) (any, error) {
			return media(b.CaseCopy(b.t.Context(), a, v.ID, true))
		}},
		{"Sheet", account.ViewFootage, "", "assessor", redacted, func(b *box, a Actor, v CaseView) (any, error) { return none(b.Sheet(b.t.Context(), a, v.ID)) }},
		{"SheetPicture", account.ViewFootage, "sheet.view", "assessor", redacted, func(b *box, a Actor, v CaseView) (any, error) {
			return jpeg(b.SheetPicture(b.t.Context(), a, v.ID, 0))
		}},
		{"Proof", account.ViewCases, "", "assessor", redacted, func(b *box, a Actor, v CaseView) (any, error) { return none(b.Proof(b.t.Context(), a, v.ID)) }},
		{"Submit", account.Submit, "case.submit", "staff", redacted, func(b *box, a Actor, v CaseView) (any, error) {
			return none(b.Submit(b.t.Context(), a, v.ID, v.Version))
		}},
		{"Assess", account.Assess, "case.approve", "assessor", func(b *box) CaseView { return b.submitted() }, func(b *box, a Actor, v CaseView) (any, error) {
			w := b.verdict(v, "assessor")
			if a.Session.Person.ID == b.people["assessor"].Session.Person.ID && a.Session.Allow(account.Assess, b.clock.Now()) == nil {
				var err error
				if w, err = b.sign(v, "assessor", w); err != nil {
					return nil, err
				}
			}
			return none(b.Assess(b.t.Context(), a, v.ID, w))
		}},
		{"Assess", account.Assess, "case.refuse", "assessor", func(b *box) CaseView { return b.submitted() }, func(b *box, a Actor, v CaseView) (any, error) {
			no := b.verdict(v, "assessor")
			no.Decision = incident.Refuse
			return none(b.Assess(b.t.Context(), a, v.ID, no))
		}},
		{"Report", account.Tag, "case.report", "staff", func(b *box) CaseView { return b.released() }, func(b *box, a Actor, v CaseView) (any, error) {
			return none(b.Report(b.t.Context(), a, v.ID, PoliceReport{Version: v.Version, Number: "1234", At: later}))
		}},
		{"Withdraw", account.Withdraw, "disclosure.withdraw", "manager", func(b *box) CaseView { return b.released() }, func(b *box, a Actor, v CaseView) (any, error) {
			return none(b.Withdraw(b.t.Context(), a, v.ID, "forkert person"))
		}},
		{"Alerts", account.ViewShared, "", "staff", func(b *box) CaseView { b.accept("staff"); return CaseView{} }, func(b *box, a Actor, _ CaseView) (any, error) { return none(b.Alerts(b.t.Context(), a)) }},
		{"View", account.ViewShared, "disclosure.view", "staff", func(b *box) CaseView { b.accept("staff"); return CaseView{} }, func(b *box, a Actor, _ CaseView) (any, error) {
			return none(b.View(b.t.Context(), a, "SHARED", "genkende"))
		}},
		{"ViewingMedia", account.ViewShared, "", "staff", nil, func(b *box, a Actor, _ CaseView) (any, error) {
			m, err := b.ViewingMedia(b.t.Context(), a, "none")
			if problem.Of(err).Code == "viewing.over" {
				err = nil
			}
			return media(m, err)
		}},
		{"Members", account.ViewCases, "", "staff", nil, func(b *box, a Actor, _ CaseView) (any, error) { return none(b.Members(b.t.Context(), a)) }},
		{"AcceptedConditions", "", "", "auditor", nil, func(b *box, a Actor, _ CaseView) (any, error) {
			return none(b.AcceptedConditions(b.t.Context(), a))
		}},
		{"AcceptConditions", "", "conditions.accept", "staff", nil, func(b *box, a Actor, _ CaseView) (any, error) {
			return nil, b.AcceptConditions(b.t.Context(), a, ConditionsVersion)
		}},
		{"Enrolment", account.ViewHealth, "", "operator", nil, func(b *box, a Actor, _ CaseView) (any, error) { return none(b.Enrolment(b.t.Context(), a)) }},
		{"Enrol", account.ManageCameras, "box.enrol", "operator", nil, func(b *box, a Actor, _ CaseView) (any, error) { return none(b.Enrol(b.t.Context(), a, "code")) }},
		{"Audit", account.ReadAudit, "audit.read", "auditor", nil, func(b *box, a Actor, _ CaseView) (any, error) {
			return none(b.Audit(b.t.Context(), a, audit.Filter{}))
		}},
		{"ExportAudit", account.ReadAudit, "audit.export", "auditor", nil, func(b *box, a Actor, _ CaseView) (any, error) {
			var out bytes.Buffer
			err := b.ExportAudit(b.t.Context(), a, &out, audit.CSV, audit.Filter{})
			return jpeg(out.Bytes(), err)
		}},
		{"VerifyAudit", account.ReadAudit, "audit.verify", "auditor", nil, func(b *box, a Actor, _ CaseView) (any, error) { return none(b.VerifyAudit(b.t.Context(), a)) }},
		{"People", account.ManagePeople, "", "manager", nil, func(b *box, a Actor, _ CaseView) (any, error) { return none(b.People(b.t.Context(), a)) }},
		{"AddPerson", account.ManagePeople, "person.add", "manager", nil, func(b *box, a Actor, _ CaseView) (any, error) {
			return none(b.AddPerson(b.t.Context(), a, NewPerson{Login: "nynne", Name: "Nynne Toft", Roles: []account.Role{account.Staff}}))
		}},
		{"ChangePerson", account.ManagePeople, "person.change", "manager", nil, func(b *box, a Actor, _ CaseView) (any, error) {
			return none(b.ChangePerson(b.t.Context(), a, b.people["idle"].Session.Person.ID, PersonChange{Name: &name}))
		}},
		{"ResetPassword", account.ManagePeople, "person.password", "manager", nil, func(b *box, a Actor, _ CaseView) (any, error) {
			return none(b.ResetPassword(b.t.Context(), a, b.people["idle"].Session.Person.ID))
		}},
		{"ChangePassword", "", "password.change", "staff", nil, func(b *box, a Actor, _ CaseView) (any, error) {
			return nil, b.ChangePassword(b.t.Context(), a, b.secrets["staff"], "blå hest kører tog 77")
		}},
		{"Logout", "", "logout", "staff", nil, func(b *box, a Actor, _ CaseView) (any, error) { return nil, b.Logout(b.t.Context(), a) }},
	}
}
