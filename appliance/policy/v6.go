package policy

import (
	"slices"
	"strings"
	"time"

	"veilbox/appliance/incident"
	"veilbox/internal/problem"
)

// MaxMembers bounds a circle.
const MaxMembers = 10_000

// Condition 6, annexes 1 and 2: only those retailers who are assessed to be
// exposed to the same kind of crime: which area (town, region, the country) and
// which groups (trades, chains). That it "cannot be excluded" that they are is
// not enough. The whole country needs more than a town: a fuller reason, and either
// a group of shops or a repeated, professional or organised trait, for the
// guidance's own example of a wide circle is a series of thefts against shops of
// one trade in several towns. While the disclosure runs the circle may only
// shrink, and who was taken out does not come back.
var v6 = rule{
	id: V6, source: "Vilkår 6, bilag 1 og 2",
	title: problem.Text{DA: "Kun dem, der er udsat for det samme", EN: "Only those exposed to the same"},
	asks: problem.Text{
		DA: "Vælg de butikker, der er udsat for ligeartet kriminalitet: område (by, region, hele landet), brancher og kæder, og skriv for hvert valg, hvorfor netop de. At det ikke kan udelukkes, er ikke en grund.",
		EN: "Choose the shops that are exposed to the same kind of crime: area (town, region, the whole country), trades and chains, and write for each choice why just these. That it cannot be excluded is not a reason."},
	why: problem.Text{
		DA: "Kun den, der selv kan blive ramt, har brug for at se optagelsen. Jo flere der ser den, jo større er indgrebet.",
		EN: "Only those who may be hit themselves need to see the recording. The more who see it, the graver the interference."},
	check: func(q question) ([]Refusal, *time.Time) {
		k := q.c.Evidence.Circle
		var out []Refusal
		switch k.Area {
		case "town", "region":
			if strings.TrimSpace(k.Place) == "" {
				out = append(out, refuse("v6.place", "Angiv, hvilken by eller region det drejer sig om.", "Say which town or region it is."))
			}
		case "country":
		default:
			out = append(out, refuse("v6.area", "Vælg området: by, region eller hele landet.", "Choose the area: town, region or the whole country."))
		}
		others := slices.ContainsFunc(k.Members, func(m incident.MemberID) bool { return m != "" && m != q.c.Member })
		switch {
		case !others:
			out = append(out, refuse("v6.members", "Kredsen er tom: der er ingen andre medlemmer i den. Vælg, hvem der skal modtage.", "The circle is empty: it holds no other member. Choose who is to receive."))
		case slices.Contains(k.Members, ""):
			out = append(out, refuse("v6.nameless", "Et af kredsens medlemmer har intet navn. Vælg kredsen igen.", "One of the circle's members has no name. Choose the circle again."))
		case len(k.Members) > MaxMembers:
			out = append(out, refuse("v6.many", "Kredsen er for stor. Afgræns den.", "The circle is too large. Narrow it."))
		}
		if d := q.c.Disclosure; d != nil && len(d.Members) > 0 && slices.ContainsFunc(k.Members, func(m incident.MemberID) bool { return !slices.Contains(d.Members, m) }) {
			out = append(out, refuse("v6.wider", "Kredsen er blevet større end den, der blev godkendt. Den kan kun gøres mindre; opret en ny sag for de andre.", "The circle has become larger than the one that was approved. It can only be made smaller; make a new case for the others."))
		}
		if slices.ContainsFunc(k.Members, q.dropped) {
			out = append(out, refuse("v6.dropped", "Kredsen indeholder et medlem, som er taget ud og har fået besked på at slette. Det kan ikke komme tilbage.", "The circle holds a member that was taken out and told to delete. It cannot come back."))
		}
		return append(out, reasons(q)...), nil
	},
}

// dropped reports whether m was taken out of the circle.
func (q question) dropped(m incident.MemberID) bool {
	for _, n := range q.c.Narrowings {
		if slices.ContainsFunc(n.Dropped, func(d incident.Dropped) bool { return d.Member == m }) {
			return true
		}
	}
	return false
}

// reasons asks that each choice of the circle has its own reason: the area, the
// trades where there are any, the chains where there are any. A case from before
// each had its own has Reason alone, which then stands for all three; beside an
// own reason it stands for the area only. Reason may be left out. None may rest
// on "cannot be excluded".
func reasons(q question) []Refusal {
	k := q.c.Evidence.Circle
	blank := func(s string) bool { return strings.TrimSpace(s) == "" }
	area, trades, chains := k.AreaReason, k.TradesReason, k.ChainsReason
	if blank(trades) && blank(chains) && blank(area) {
		trades, chains = k.Reason, k.Reason
	}
	if blank(area) {
		area = k.Reason
	}
	var out []Refusal
	given := []string{k.Reason, area, trades, chains}
	slices.Sort(given)
	if slices.ContainsFunc(slices.Compact(given), onlyNotExcluded) {
		out = append(out, refuse("v6.not-excluded", "At det ikke kan udelukkes, er ikke en grund. Skriv, hvad der konkret gør netop disse butikker udsatte.", "That it cannot be excluded is not a reason. Write what concretely exposes just these shops."))
	}
	if !fullReason.says(area) {
		out = append(out, refuse("v6.reason", "Skriv, hvorfor netop disse butikker i området er udsat for ligeartet kriminalitet.", "Write why just these shops in the area are exposed to the same kind of crime."))
	}
	if len(k.Trades) > 0 && !fullReason.says(trades) {
		out = append(out, refuse("v6.trades-reason", "Skriv, hvorfor netop de valgte brancher er udsat for ligeartet kriminalitet.", "Write why just the trades chosen are exposed to the same kind of crime."))
	}
	if len(k.Chains) > 0 && !fullReason.says(chains) {
		out = append(out, refuse("v6.chains-reason", "Skriv, hvorfor netop de valgte kæder er udsat for ligeartet kriminalitet. En kæde hører kun med, hvis den selv er udsat.", "Write why just the chains chosen are exposed to the same kind of crime. A chain belongs in the circle only if it is exposed itself."))
	}
	if k.Area == "country" {
		spread := len(k.Trades) > 0 || len(k.Chains) > 0 || repeated(q) || shortReason.told(q.c.Evidence.Professional)
		if !strongReason.says(area) || !spread {
			out = append(out, refuse("v6.country", "Hele landet kræver mere: skriv udførligt, hvorfor butikker i alle dele af landet er udsat, og afgræns til brancher eller kæder, eller beskriv, at det er gentaget, professionelt eller organiseret.", "The whole country needs more: write at length why shops in every part of it are exposed, and limit it to trades or chains, or describe that it is repeated, professional or organised."))
		}
	}
	return out
}
