package casefile

import (
	"strconv"
	"strings"
	"time"

	"veilbox/appliance/incident"
	"veilbox/internal/clock"
	"veilbox/internal/problem"
)

// words are the texts of a PDF in one language.
type words struct{ lang string }

func (w words) text(t problem.Text) string {
	if w.lang == "en" {
		return t.EN
	}
	return t.DA
}

// t returns the text called key.
func (w words) t(key string) string {
	t, ok := texts[key]
	if !ok {
		panic("casefile: there is no text " + key) // a test writes every one
	}
	return w.text(t)
}

// name returns what id is called; what has no name stays as it is.
func (w words) name(prefix, id string) string {
	if t, ok := texts[prefix+id]; ok {
		return w.text(t)
	}
	return id
}

var months = [...]string{"januar", "februar", "marts", "april", "maj", "juni", "juli", "august", "september", "oktober", "november", "december"}

func (w words) date(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	t = t.In(clock.Copenhagen)
	if w.lang == "en" {
		return t.Format("2 January 2006")
	}
	return strconv.Itoa(t.Day()) + ". " + months[t.Month()-1] + " " + strconv.Itoa(t.Year())
}

// at is a time of the day in Copenhagen.
func (w words) at(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	if w.lang == "en" {
		return w.date(t) + t.In(clock.Copenhagen).Format(" 15:04:05")
	}
	return w.date(t) + t.In(clock.Copenhagen).Format(" kl. 15.04.05")
}

// short is at in the form of a table.
func (w words) short(t time.Time) string {
	if w.lang == "en" {
		return t.In(clock.Copenhagen).Format("2006-01-02 15:04:05")
	}
	return t.In(clock.Copenhagen).Format("02.01.2006 15.04.05")
}

func (w words) maybe(t *time.Time) string {
	if t == nil {
		return "–"
	}
	return w.at(*t)
}

func (w words) number(v float64) string {
	s := strconv.FormatFloat(v, 'f', 2, 64)
	if w.lang == "en" {
		return s
	}
	return strings.Replace(s, ".", ",", 1)
}

// person is a name with the formal authorisation.
func (w words) person(p incident.Person) string {
	s := p.Name
	a := p.Authorisation
	if a.Function != "" {
		s += ", " + a.Function
	}
	if a.By != "" {
		s += " (" + w.t("authorised") + " " + a.By + ", " + w.date(a.From) + " – " + w.date(a.To) + ")"
	}
	return s
}

var texts = map[string]problem.Text{
	"title":    {DA: "Sagsmappe", EN: "Case file"},
	"attached": {DA: "Sagens oplysninger som JSON", EN: "The case as JSON"},
	"page":     {DA: "Side", EN: "Page"},
	"intro": {DA: "Mappen samler det, der er registreret i sagen, og det, hvert af de ni videregivelsesvilkår bygger på. Den har ingen optagelser og ingen billeder. De samme oplysninger er vedhæftet denne PDF som JSON; filens kontroltal står nederst på hver side. Tider er dansk tid.",
		EN: "This file has what is on record about the case, and what each of the nine conditions of the disclosure rests on. It has no footage and no pictures. The same is attached to this PDF as JSON; the hash of that file is at the foot of every page. Times are Danish time."},

	"state": {DA: "Status", EN: "State"}, "offence": {DA: "Lovovertrædelse", EN: "Offence"}, "happened": {DA: "Hændelsen", EN: "Happened"},
	"made": {DA: "Mappen dannet", EN: "File made"}, "made-by": {DA: "Dannet af", EN: "Made by"}, "box": {DA: "Boks", EN: "Box"}, "member": {DA: "Medlem", EN: "Member"},
	"met": {DA: "Opfyldt", EN: "Met"}, "unmet": {DA: "Ikke opfyldt", EN: "Not met"}, "met-short": {DA: "opfyldt", EN: "met"}, "unmet-short": {DA: "mangler", EN: "not met"},

	"facts": {DA: "Hændelsen", EN: "What happened"}, "what": {DA: "Hvad skete der", EN: "What happened"}, "camera": {DA: "Kamera", EN: "Camera"},
	"clip": {DA: "Optagelsen", EN: "The recording"}, "created": {DA: "Oprettet", EN: "Created"}, "submitted": {DA: "Sendt til vurdering af", EN: "Submitted by"},
	"changed": {DA: "Sidst ændret", EN: "Last changed"}, "revision": {DA: "udgave", EN: "revision"}, "deleted": {DA: "Slettet", EN: "Deleted"},
	"attempt": {DA: "forsøg", EN: "attempted"}, "authorised": {DA: "autoriseret af", EN: "authorised by"},

	"conditions": {DA: "De ni vilkår", EN: "The nine conditions"}, "conditions-when": {DA: "Sådan står sagen", EN: "As the case stands on"},
	"conditions-none": {DA: "Sagen er slettet; vilkårene kan ikke længere vurderes.", EN: "The case is deleted; the conditions can no longer be assessed."},
	"due":             {DA: "Gælder kun til", EN: "Holds only until"}, "lacks": {DA: "Mangler", EN: "Missing"},

	"evidence": {DA: "Grundlaget", EN: "The evidence"}, "basis": {DA: "Grundlag for mistanken", EN: "Basis of the suspicion"}, "value": {DA: "Værdi", EN: "Value"},
	"repetition": {DA: "Gentagelse", EN: "Repetition"}, "professional": {DA: "Professionelt præg", EN: "Professional trait"}, "repeat": {DA: "Risiko for gentagelse", EN: "Risk of repetition"},
	"link": {DA: "Tidligere sag", EN: "Earlier case"}, "statement": {DA: "Forklaring", EN: "Statement"}, "report": {DA: "Politianmeldelse", EN: "Police report"},
	"report-today": {DA: "Anmeldes senest samme dag som videregivelsen; endnu ikke dokumenteret.", EN: "To be reported on the day of the disclosure at the latest; not yet documented."},
	"withdrawn":    {DA: "Anmeldelsen trukket", EN: "Report withdrawn"}, "groundless": {DA: "Fundet grundløs", EN: "Found groundless"}, "charged": {DA: "Tiltale rejst", EN: "Charged"},
	"certainty-lost": {DA: "Mistanken svækket", EN: "Certainty lost"}, "next": {DA: "Næste revurdering", EN: "Next reassessment"}, "doubtful": {DA: "Tvivlsom sag", EN: "Doubtful case"},
	"first-of-kind": {DA: "Første af sin art", EN: "First of its kind"}, "yes": {DA: "Ja", EN: "Yes"}, "none": {DA: "Ingen.", EN: "None."},
	"documents": {DA: "Dokumenter", EN: "Documents"}, "documents-none": {DA: "Der er ingen dokumenter i sagen.", EN: "The case has no documents."},
	"kind": {DA: "Art", EN: "Kind"}, "name": {DA: "Navn", EN: "Name"}, "added": {DA: "Tilføjet", EN: "Added"}, "sha256": {DA: "SHA-256", EN: "SHA-256"},

	"copy": {DA: "Den slørede kopi og dens bevis", EN: "The veiled copy and its proof"}, "copy-none": {DA: "Der er ingen sløret kopi.", EN: "There is no veiled copy."},
	"made-at": {DA: "Dannet", EN: "Made"}, "mode": {DA: "Hvad der ses", EN: "What is seen"}, "subjects": {DA: "Viste personer", EN: "People shown"}, "sound": {DA: "Lyd", EN: "Sound"},
	"sound-removed": {DA: "Fjernet", EN: "Removed"}, "widened": {DA: "Valgt at vise mere", EN: "Chosen to show more"},
	"proof-gone": {DA: "Kopien og dens bevis er slettet fra boksen; kontroltallene står sidst i mappen.", EN: "The copy and its proof are deleted from the box; their hashes are at the end of the file."},
	"proof":      {DA: "Kontrol af kopien", EN: "Check of the copy"}, "passed": {DA: "Bestået: den færdige fil er afkodet igen og holdt op mod maskerne.", EN: "Passed: the finished file was decoded again and held against the masks."},
	"failed": {DA: "Ikke bestået", EN: "Failed"}, "frames": {DA: "Billeder i kopien", EN: "Frames of the copy"}, "frames-shown": {DA: "Billeder med person", EN: "Frames with a subject"},
	"unsure": {DA: "sløret af usikkerhed:", EN: "veiled for want of certainty:"}, "flagged": {DA: "set efter to gange:", EN: "looked at twice:"}, "cell": {DA: "Sløringens felter", EN: "Cells of the veil"},
	"deviation": {DA: "Største afvigelse", EN: "Largest deviation"}, "energy": {DA: "Største energi", EN: "Largest energy"}, "ring": {DA: "Største kantstøj", EN: "Largest ringing"}, "most": {DA: "højst", EN: "at most"},

	"assessments": {DA: "Vurderinger", EN: "Assessments"}, "assessor": {DA: "Fagperson", EN: "Assessor"}, "education": {DA: "Uddannelse", EN: "Education"},
	"experience": {DA: "Erfaring", EN: "Experience"}, "competences": {DA: "Kompetencer", EN: "Competences"}, "qualified": {DA: "Gælder", EN: "Valid"}, "reasons": {DA: "Begrundelse", EN: "Reasons"},
	"guideline": {DA: "Skriftlig retningslinje", EN: "Written guideline"}, "signature": {DA: "Underskrift", EN: "Signature"}, "key": {DA: "Adgangsnøgle", EN: "Passkey"}, "rp": {DA: "Nøglens sted", EN: "Host of the key"},
	"signed-hash": {DA: "SHA-256 af det underskrevne", EN: "SHA-256 of what was signed"}, "unsigned": {DA: "Ingen; et afslag kræver ingen.", EN: "None; a refusal needs none."},
	"verifies": {DA: "Efterprøvet: underskriften passer til nøglen", EN: "Verified: the signature fits the key"}, "verifies-not": {DA: "Underskriften kan ikke efterprøves:", EN: "The signature does not verify:"},

	"disclosure": {DA: "Videregivelsen", EN: "The disclosure"}, "disclosure-none": {DA: "Sagen er ikke videregivet.", EN: "The case is not disclosed."},
	"circle": {DA: "Kreds", EN: "Circle"}, "why": {DA: "Begrundelse", EN: "Reason"}, "trades": {DA: "Brancher", EN: "Trades"}, "chains": {DA: "Kæder", EN: "Chains"},
	"circle-reason": {DA: "Hvorfor netop dem", EN: "Why these"}, "members": {DA: "Modtagere", EN: "Recipients"}, "disclosure-id": {DA: "Videregivelsens nummer", EN: "Disclosure"},
	"released": {DA: "Frigivet", EN: "Released"}, "disclosed": {DA: "Gjort tilgængelig", EN: "Made available"}, "report-due": {DA: "Frist for anmeldelse", EN: "Report due"},
	"not-after": {DA: "Ophører senest", EN: "Ends at the latest"}, "ended": {DA: "Ophørt", EN: "Ended"},

	"after": {DA: "Efter videregivelsen", EN: "After the disclosure"}, "reassessed": {DA: "Revurdering", EN: "Reassessment"}, "narrowed": {DA: "Indsnævring af kredsen", EN: "Narrowing of the circle"},
	"by": {DA: "Af", EN: "By"}, "told": {DA: "Underrettet", EN: "Told"}, "member-deleted": {DA: "Har slettet", EN: "Has deleted"}, "words": {DA: "Med ord", EN: "In words"},
	"informed": {DA: "Oplysning til personen", EN: "Information to the person"}, "how": {DA: "Hvordan", EN: "How"},

	"accesses": {DA: "Modtagernes adgang til kopien", EN: "The recipients' access to the copy"}, "accesses-none": {DA: "Ingen modtager har set kopien.", EN: "No recipient has viewed the copy."},
	"accesses-unknown": {DA: "Systemejerens server svarede ikke, da mappen blev dannet; dan den igen for at få adgangene med.", EN: "The operator's server did not answer when the file was made; make it again to have the accesses."},
	"when":             {DA: "Tidspunkt", EN: "Time"}, "person": {DA: "Person", EN: "Person"}, "purpose": {DA: "Formål", EN: "Purpose"}, "more": {DA: "Ældre poster, der ikke er med:", EN: "Older entries that are not listed:"},

	"log": {DA: "Boksens log over sagen", EN: "The box's log of the case"}, "log-note": {DA: "At hver post står i boksens log, viser den vedhæftede fil: veilctl verify case.json --key BOKSENS-NØGLE.", EN: "The attached file shows that each entry is in the box's log: veilctl verify case.json --key THE-BOX'S-KEY."},
	"no": {DA: "Nr.", EN: "No."}, "who": {DA: "Hvem", EN: "Who"}, "act": {DA: "Handling", EN: "Act"},

	"hashes": {DA: "Kontroltal", EN: "Hashes"}, "of": {DA: "Af", EN: "Of"}, "audit-head": {DA: "Loggens hoved", EN: "Head of the log"},
	"audit-note": {DA: "Underskrevet af boksen, da mappen blev dannet. Loggen udleveres særskilt og kontrolleres mod dette hoved med veilctl audit verify.", EN: "Signed by the box when the file was made. The log is handed out by itself and checked against this head with veilctl audit verify."},
	"origin":     {DA: "Log", EN: "Log"}, "size": {DA: "Poster", EN: "Entries"}, "root": {DA: "Rod", EN: "Root"}, "note": {DA: "Underskrevet hoved", EN: "Signed head"}, "verifier": {DA: "Nøgle til kontrol", EN: "Verifier key"},

	"state.draft": {DA: "Kladde", EN: "Draft"}, "state.tagged": {DA: "Markeret", EN: "Tagged"}, "state.redacted": {DA: "Sløret", EN: "Veiled"}, "state.submitted": {DA: "Til vurdering", EN: "Submitted"},
	"state.refused": {DA: "Afvist", EN: "Refused"}, "state.released": {DA: "Frigivet", EN: "Released"}, "state.disclosed": {DA: "Videregivet", EN: "Disclosed"},
	"state.reassessment-due": {DA: "Skal revurderes", EN: "Reassessment due"}, "state.narrowed": {DA: "Videregivet, indsnævret", EN: "Disclosed, narrowed"},
	"state.withdrawn": {DA: "Trukket tilbage", EN: "Withdrawn"}, "state.expired": {DA: "Udløbet", EN: "Expired"}, "state.deleted": {DA: "Slettet", EN: "Deleted"},

	"offence.theft": {DA: "Tyveri (straffelovens § 276)", EN: "Theft (criminal code § 276)"}, "offence.trick-theft": {DA: "Tricktyveri (§ 276)", EN: "Theft by trick (§ 276)"},
	"offence.till-snatch": {DA: "Kassedyk (§ 276)", EN: "Till snatching (§ 276)"}, "offence.card-fraud": {DA: "Misbrug af betalingskort (§§ 279 og 279 a)", EN: "Card fraud (§§ 279, 279 a)"},
	"offence.fraud": {DA: "Bedrageri (§ 279)", EN: "Fraud (§ 279)"}, "offence.embezzlement": {DA: "Underslæb (§ 278)", EN: "Embezzlement (§ 278)"}, "offence.robbery": {DA: "Røveri (§ 288)", EN: "Robbery (§ 288)"},
	"offence.extortion": {DA: "Afpresning (§ 281)", EN: "Extortion (§ 281)"}, "offence.handling": {DA: "Hæleri (§ 290)", EN: "Handling stolen goods (§ 290)"}, "offence.vehicle-use": {DA: "Brugstyveri (§ 293 a)", EN: "Taking a vehicle (§ 293 a)"},
	"offence.vandalism": {DA: "Hærværk (§ 291)", EN: "Vandalism (§ 291)"}, "offence.violence": {DA: "Vold (§ 244)", EN: "Violence (§ 244)"}, "offence.other": {DA: "Andet", EN: "Other"},

	"basis.recording": {DA: "Ses tydeligt på optagelsen.", EN: "Clearly seen on the recording."}, "basis.circumstances": {DA: "Øvrige omstændigheder.", EN: "Other circumstances."},
	"document.receipt": {DA: "Kvittering", EN: "Receipt"}, "document.statement": {DA: "Forklaring", EN: "Statement"}, "document.other": {DA: "Andet", EN: "Other"},
	"mode.0": {DA: "Kun den mistænkte", EN: "The subject alone"}, "mode.1": {DA: "Den mistænkte foran et stillestående billede af rummet", EN: "The subject before a still picture of the scene"}, "mode.2": {DA: "Ingen: alt er sløret", EN: "Nobody: everything is veiled"},
	"widen.still-scene": {DA: "Det stillestående rum", EN: "The still scene"}, "widen.subjects": {DA: "Flere personer", EN: "Several people"}, "widen.sound": {DA: "Lyden", EN: "The sound"},
	"decision.approve": {DA: "Godkendt", EN: "Approved"}, "decision.refuse": {DA: "Afvist", EN: "Refused"},
	"competence.law": {DA: "jura", EN: "law"}, "competence.security": {DA: "sikkerhed", EN: "security"}, "competence.property-crime": {DA: "berigelseskriminalitet", EN: "property crime"},
	"signed.approval": {DA: "godkendelse", EN: "approval"}, "signed.opinion": {DA: "medvurdering", EN: "opinion"},
	"area.town": {DA: "By:", EN: "Town:"}, "area.region": {DA: "Region:", EN: "Region:"}, "area.country": {DA: "Hele landet", EN: "The whole country"},
	"fact.certainty-lost": {DA: "Mistanken er svækket", EN: "Certainty lost"}, "fact.charged": {DA: "Personen er tiltalt", EN: "The police have charged the person"},
	"fact.report-withdrawn": {DA: "Anmeldelsen er trukket", EN: "The report is withdrawn"}, "fact.report-groundless": {DA: "Politiet fandt anmeldelsen grundløs", EN: "The police found the report groundless"},
	"informed.sign": {DA: "Ved skiltning", EN: "By signs"}, "informed.letter": {DA: "Skriftligt", EN: "In writing"}, "informed.in-person": {DA: "Mundtligt", EN: "In person"}, "informed.exempt": {DA: "Undladt", EN: "Left out"},
	"role.staff": {DA: "medarbejder", EN: "staff"}, "role.manager": {DA: "butikschef", EN: "manager"}, "role.assessor": {DA: "fagperson", EN: "assessor"}, "role.auditor": {DA: "revisor", EN: "auditor"},
	"role.operator": {DA: "drift", EN: "operator"}, "role.system": {DA: "automatisk", EN: "automatic"},
	"hash.clip": {DA: "Optagelsen", EN: "Recording"}, "hash.copy": {DA: "Den slørede kopi", EN: "Veiled copy"}, "hash.proof": {DA: "Beviset", EN: "Proof"}, "hash.sheet": {DA: "Kontaktarket", EN: "Reveal sheet"},
	"hash.mask": {DA: "Masken", EN: "Mask"}, "hash.document": {DA: "Dokument", EN: "Document"}, "hash.statement": {DA: "Det underskrevne", EN: "Signed statement"}, "hash.answers": {DA: "Svarene i sagen", EN: "The answers"},
}
