package casefile

import "veilbox/internal/problem"

// ActText returns what an act about a case is called to people; ok is false where
// it has no other name than the log's.
func ActText(act string) (t problem.Text, ok bool) {
	t, ok = acts[act]
	return t, ok
}

var acts = map[string]problem.Text{
	"case.create":                 {DA: "Sagen er oprettet", EN: "Case made"},
	"case.change":                 {DA: "Svar ændret", EN: "Answers changed"},
	"case.redact":                 {DA: "Markeret til sløring", EN: "Marked for veiling"},
	"case.redact.done":            {DA: "Kopien er lavet", EN: "Copy made"},
	"case.redact.none":            {DA: "Ingen kopi", EN: "No copy"},
	"case.redact.cancel":          {DA: "Sløring afbrudt", EN: "Veiling stopped"},
	"case.show-more":              {DA: "Mere vises", EN: "More is shown"},
	"case.sound":                  {DA: "Valg om lyd", EN: "Choice of sound"},
	"case.mark":                   {DA: "Person fulgt i klippet", EN: "Person followed"},
	"case.submit":                 {DA: "Sendt til vurdering", EN: "Put to the assessor"},
	"case.refuse":                 {DA: "Afvist", EN: "Refused"},
	"case.approve":                {DA: "Godkendt", EN: "Approved"},
	"case.approve.refused":        {DA: "Godkendelse gik ikke igennem", EN: "Approval did not go through"},
	"case.release.undone":         {DA: "Frigivelse taget tilbage", EN: "Release taken back"},
	"case.report":                 {DA: "Anmeldelse dokumenteret", EN: "Report documented"},
	"case.fact":                   {DA: "Nyt forhold", EN: "New fact"},
	"case.document.add":           {DA: "Dokument lagt i sagen", EN: "Document added"},
	"case.document.view":          {DA: "Dokument hentet", EN: "Document fetched"},
	"case.document.remove":        {DA: "Dokument taget ud", EN: "Document removed"},
	"case.informed":               {DA: "Oplysning til personen", EN: "Person informed"},
	"case.holdings":               {DA: "Oversigt over, hvad I har", EN: "List of what is kept"},
	"case.file":                   {DA: "Sagsmappe dannet", EN: "Case file made"},
	"case.delete":                 {DA: "Sagen er slettet", EN: "Case deleted"},
	"case.deletion.proof":         {DA: "Bevis for sletning udstedt", EN: "Proof of deletion issued"},
	"clip.view":                   {DA: "Original set", EN: "Original viewed"},
	"copy.view":                   {DA: "Kopi set", EN: "Copy viewed"},
	"copy.download":               {DA: "Kopi taget ud", EN: "Copy taken out"},
	"copy.handout":                {DA: "Kopi udleveret til personen", EN: "Copy handed to the person"},
	"sheet.view":                  {DA: "Kontaktark set", EN: "Reveal sheet viewed"},
	"sheet.picture":               {DA: "Billede på kontaktark set", EN: "Picture of the sheet viewed"},
	"preview.view":                {DA: "Kopi set, mens den laves", EN: "Copy seen while it is made"},
	"footage.view":                {DA: "Optagelse set", EN: "Footage viewed"},
	"footage.export":              {DA: "Original taget ud", EN: "Original taken out"},
	"hold.extend":                 {DA: "Optagelse bevaret længere", EN: "Footage kept longer"},
	"hold.release":                {DA: "Optagelse sluppet", EN: "Footage let go"},
	"disclosure.delivered":        {DA: "Gjort tilgængelig", EN: "Made available"},
	"disclosure.rejected":         {DA: "Ikke modtaget", EN: "Not taken"},
	"disclosure.reassess":         {DA: "Revurderet", EN: "Reassessed"},
	"disclosure.narrow":           {DA: "Kreds indsnævret", EN: "Circle narrowed"},
	"disclosure.dropped":          {DA: "Svar fra dem, der gled ud", EN: "Answer of who dropped out"},
	"disclosure.withdraw":         {DA: "Trukket tilbage", EN: "Withdrawn"},
	"disclosure.ended":            {DA: "Afsluttet af systemejeren", EN: "Ended by the operator"},
	"disclosure.expire":           {DA: "Udløbet", EN: "Expired"},
	"disclosure.reassessment-due": {DA: "Påmindelse om revurdering", EN: "Reminder to reassess"},
}

// act is what an act is called, with the log's own name below it.
func (w words) act(id string) string {
	t, ok := acts[id]
	if !ok {
		return id
	}
	return w.text(t) + "\n" + id
}
