package casework

import (
	"bytes"
	"slices"
	"time"

	"github.com/pquerna/otp/totp"

	"veilbox/appliance/account"
	"veilbox/appliance/incident"
	"veilbox/internal/passkey/softkey"
)

func acts() []act {
	return slices.Concat(actsOfCases(), actsOfRunning(), actsOfPeople(), actsOfRights())
}

// Acts that another permission opens as well, and that need another beside.
var (
	orNeeds  = map[string]account.Permission{"AddDocument": account.Assess}
	andNeeds = map[string]account.Permission{"FindCases": account.ViewCases}
	// Acts that all but an auditor need a formal authorisation for, although the
	// permission itself asks for none (V7).
	butAuditors = []string{"CaseFile", "CaseFilePDF", "Holdings"}
)

// secondKey gives a person one more passkey, and returns its name.
func (b *box) secondKey(who string) string {
	b.t.Helper()
	c, err := b.accounts.NewPasskey(b.t.Context(), b.people[who].Session)
	if err != nil {
		b.t.Fatal(err)
	}
	response, err := softkey.New("kun til prøven her").Create(c.Options)
	if err != nil {
		b.t.Fatal(err)
	}
	k, err := b.accounts.AddPasskey(b.t.Context(), b.people[who].Session, c.ID, "nr. 2", response, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return k.ID
}

// totp sets an authenticator app up, and returns its code.
func (b *box) totp(a Actor) (string, error) {
	x, err := b.NewTOTP(b.t.Context(), a)
	if err != nil {
		return "", err
	}
	return totp.GenerateCode(x.Secret, b.clock.Now())
}

// firstKey is the name of a person's first passkey.
func (b *box) firstKey(who string) string {
	b.t.Helper()
	p, err := b.accounts.Person(b.t.Context(), b.people[who].Session.Person.ID)
	if err != nil || len(p.Passkeys) == 0 {
		b.t.Fatalf("%d passkeys, %v", len(p.Passkeys), err)
	}
	return p.Passkeys[0].ID
}

func actsOfRunning() []act {
	return []act{
		{"PrepareApproval", account.Assess, "", "assessor", func(b *box) CaseView { return b.submitted() }, func(b *box, a Actor, v CaseView) (any, error) {
			return none(b.PrepareApproval(b.t.Context(), a, v.ID, b.verdict(v, "assessor")))
		}},
		{"SetFact", account.RecordFact, "case.fact", "staff", func(b *box) CaseView { return b.disclosed() }, func(b *box, a Actor, v CaseView) (any, error) {
			return none(b.SetFact(b.t.Context(), a, v.ID, NewFact{Version: v.Version, What: incident.FactCharged, Words: "Politiet ringede i dag."}))
		}},
		{"Reassess", account.Assess, "disclosure.reassess", "assessor", func(b *box) CaseView { return b.disclosed() }, func(b *box, a Actor, v CaseView) (any, error) {
			return none(b.Reassess(b.t.Context(), a, v.ID, Reassess{Version: v.Version, Reasons: "Han er set igen i gaden i dag.", Next: start.Add(10 * day)}))
		}},
		{"Narrow", account.Narrow, "disclosure.narrow", "manager", func(b *box) CaseView { return b.disclosed(wide) }, func(b *box, a Actor, v CaseView) (any, error) {
			return none(b.Narrow(b.t.Context(), a, v.ID, Narrow{Version: v.Version, Drop: []incident.MemberID{"butik-c"}, Reason: "De sælger kun sko nu."}))
		}},
		{"DeleteCase", account.DeleteCase, "case.delete", "manager", redacted, func(b *box, a Actor, v CaseView) (any, error) {
			return nil, b.DeleteCase(b.t.Context(), a, v.ID, "oprettet ved en fejl")
		}},
		{"DeletedCases", account.CaseFile, "", "auditor", (*box).deleted, func(b *box, a Actor, _ CaseView) (any, error) {
			return none(b.DeletedCases(b.t.Context(), a))
		}},
		{"Suggest", account.ViewCases, "", "staff", (*box).newCase, func(b *box, a Actor, v CaseView) (any, error) { return none(b.Suggest(b.t.Context(), a, v.ID)) }},
		{"CircleCount", account.ViewCases, "", "assessor", nil, func(b *box, a Actor, _ CaseView) (any, error) {
			return none(b.CircleCount(b.t.Context(), a, incident.Circle{Area: "country"}))
		}},
		{"ResolveCircle", account.ViewCases, "", "manager", nil, func(b *box, a Actor, _ CaseView) (any, error) {
			return none(b.ResolveCircle(b.t.Context(), a, incident.Circle{Area: "country"}))
		}},
		{"DeletedHere", account.ViewShared, "alert.deleted", "staff", nil, func(b *box, a Actor, _ CaseView) (any, error) {
			return nil, b.DeletedHere(b.t.Context(), a, "SHARED", "Vi havde intet gemt.")
		}},
	}
}

func actsOfPeople() []act {
	return []act{
		{"Acceptances", account.ReadAudit, "", "auditor", nil, func(b *box, a Actor, _ CaseView) (any, error) { return none(b.Acceptances(b.t.Context(), a)) }},
		{"Account", "", "", "staff", nil, func(b *box, a Actor, _ CaseView) (any, error) { return none(b.Account(b.t.Context(), a)) }},
		{"NewPasskey", "", "", "staff", nil, func(b *box, a Actor, _ CaseView) (any, error) { return none(b.NewPasskey(b.t.Context(), a)) }},
		{"AddPasskey", "", "passkey.add", "staff", nil, func(b *box, a Actor, _ CaseView) (any, error) {
			c, err := b.NewPasskey(b.t.Context(), a)
			if err != nil {
				return nil, err
			}
			response, err := softkey.New("kun til prøven her").Create(c.Options)
			if err != nil {
				return nil, err
			}
			return none(b.AddPasskey(b.t.Context(), a, c.ID, "min", response))
		}},
		{"RemovePasskey", "", "passkey.remove", "assessor", func(b *box) CaseView { b.secondKey("assessor"); return CaseView{} }, func(b *box, a Actor, _ CaseView) (any, error) {
			return nil, b.RemovePasskey(b.t.Context(), a, b.firstKey("assessor"))
		}},
		{"NewTOTP", "", "", "staff", nil, func(b *box, a Actor, _ CaseView) (any, error) { return none(b.NewTOTP(b.t.Context(), a)) }},
		{"ConfirmTOTP", "", "totp.set", "staff", nil, func(b *box, a Actor, _ CaseView) (any, error) {
			code, err := b.totp(a)
			if err != nil {
				return nil, err
			}
			return nil, b.ConfirmTOTP(b.t.Context(), a, code)
		}},
		{"RemoveTOTP", "", "totp.remove", "staff", func(b *box) CaseView {
			code, err := b.totp(b.people["staff"])
			if err == nil {
				err = b.ConfirmTOTP(b.t.Context(), b.people["staff"], code)
			}
			if err == nil {
				err = b.ChangePassword(b.t.Context(), b.people["staff"], b.secrets["staff"], "blå hest kører tog 77")
			}
			if err != nil {
				b.t.Fatal(err)
			}
			b.secondKey("staff")
			return CaseView{}
		}, func(b *box, a Actor, _ CaseView) (any, error) {
			return nil, b.RemoveTOTP(b.t.Context(), a, "blå hest kører tog 77")
		}},
		{"Sessions", "", "", "staff", nil, func(b *box, a Actor, _ CaseView) (any, error) { return none(b.Sessions(b.t.Context(), a)) }},
		{"EndSession", "", "session.end", "assessor", func(b *box) CaseView { _, _ = b.again("assessor"); return CaseView{} }, func(b *box, a Actor, _ CaseView) (any, error) {
			all, err := b.Sessions(b.t.Context(), a)
			if err != nil {
				return nil, err
			}
			i := slices.IndexFunc(all, func(s account.SessionInfo) bool { return !s.Current })
			return nil, b.EndSession(b.t.Context(), a, all[i].ID)
		}},
		{"EndOthers", "", "session.end-others", "staff", nil, func(b *box, a Actor, _ CaseView) (any, error) { return nil, b.EndOthers(b.t.Context(), a) }},
		{"SetPassword", "", "password.change", "assessor", nil, func(b *box, a Actor, _ CaseView) (any, error) {
			return nil, b.SetPassword(b.t.Context(), a, "blå hest kører tog 77")
		}},
		{"ApprovalKey", account.Assess, "", "assessor", nil, func(b *box, a Actor, _ CaseView) (any, error) {
			return none(b.ApprovalKey(b.t.Context(), a, b.firstKey("assessor")))
		}},
		{"RegisterApprovalKey", account.Assess, "passkey.register", "assessor", nil, func(b *box, a Actor, _ CaseView) (any, error) {
			c, err := b.ApprovalKey(b.t.Context(), a, b.firstKey("assessor"))
			if err != nil {
				return nil, err
			}
			response, err := b.keys["assessor"].Get(c.Options)
			if err != nil {
				return nil, err
			}
			return none(b.RegisterApprovalKey(b.t.Context(), a, b.firstKey("assessor"), c.ID, response))
		}},
		{"ReviewPeople", account.ManagePeople, "", "manager", nil, func(b *box, a Actor, _ CaseView) (any, error) { return none(b.ReviewPeople(b.t.Context(), a)) }},
		{"ConfirmAuthorisation", account.ManagePeople, "person.review", "manager", nil, func(b *box, a Actor, _ CaseView) (any, error) {
			return none(b.ConfirmAuthorisation(b.t.Context(), a, b.people["staff"].Session.Person.ID, nil))
		}},
	}
}

func actsOfRights() []act {
	withDocument := func(b *box) CaseView {
		v, err := b.document(b.newCase(), "staff", 1)
		return b.must(v, err)
	}
	doc := func(v CaseView) incident.DocumentID {
		if len(v.Documents) == 0 {
			return "NONE"
		}
		return v.Documents[0].ID
	}
	return []act{
		{"AddDocument", account.Tag, "case.document.add", "staff", (*box).newCase, func(b *box, a Actor, v CaseView) (any, error) {
			return none(b.AddDocument(b.t.Context(), a, v.ID, NewDocument{Kind: incident.DocumentReceipt, Name: "kvittering.pdf"}, bytes.NewReader(receipt(1))))
		}},
		{"Document", account.ViewCases, "case.document.view", "assessor", withDocument, func(b *box, a Actor, v CaseView) (any, error) {
			_, m, err := b.Document(b.t.Context(), a, v.ID, doc(v))
			return media(m, err)
		}},
		{"RemoveDocument", account.Tag, "case.document.remove", "staff", withDocument, func(b *box, a Actor, v CaseView) (any, error) {
			return none(b.RemoveDocument(b.t.Context(), a, v.ID, doc(v), DocumentRemoval{Reason: "det var en anden sags"}))
		}},
		{"CaseFile", account.CaseFile, "case.file", "auditor", redacted, func(b *box, a Actor, v CaseView) (any, error) { return none(b.CaseFile(b.t.Context(), a, v.ID)) }},
		{"CaseFilePDF", account.CaseFile, "case.file", "manager", redacted, func(b *box, a Actor, v CaseView) (any, error) {
			var out bytes.Buffer
			err := b.CaseFilePDF(b.t.Context(), a, v.ID, "da", &out)
			return jpeg(out.Bytes(), err)
		}},
		{"Holdings", account.CaseFile, "case.holdings", "manager", redacted, func(b *box, a Actor, v CaseView) (any, error) { return none(b.Holdings(b.t.Context(), a, v.ID)) }},
		{"Inform", account.Tag, "case.informed", "staff", (*box).newCase, func(b *box, a Actor, v CaseView) (any, error) {
			return none(b.Inform(b.t.Context(), a, v.ID, NewInformed{How: InformedSign}))
		}},
		{"SubjectCopy", account.ExportFootage, "copy.handout", "manager", redacted, func(b *box, a Actor, v CaseView) (any, error) {
			return media(b.SubjectCopy(b.t.Context(), a, v.ID, Handout{To: "ham selv, med pas", Understood: true}))
		}},
		{"DeletionProof", account.CaseFile, "case.deletion.proof", "auditor", (*box).deleted, func(b *box, a Actor, v CaseView) (any, error) {
			return jpeg(b.DeletionProof(b.t.Context(), a, v.ID))
		}},
		{"FindCases", account.CaseFile, "rights.find", "manager", (*box).newCase, func(b *box, a Actor, v CaseView) (any, error) {
			return none(b.FindCases(b.t.Context(), a, FindQuery{From: start.Add(-time.Hour), To: start, Why: "henvendelse 7"}))
		}},
	}
}
