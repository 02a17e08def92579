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
// not enough.
var v6 = rule{
	id: V6, source: "Vilkår 6, bilag 1 og 2",
	title: problem.Text{DA: "Kun dem, der er udsat for det samme", EN: "Only those exposed to the same"},
	asks: problem.Text{
		DA: "Vælg de butikker, der er udsat for ligeartet kriminalitet: område (by, region, hele landet), brancher og kæder, og skriv hvorfor netop de. At det ikke kan udelukkes, er ikke en grund.",
		EN: "Choose the shops that are exposed to the same kind of crime: area (town, region, the whole country), trades and chains, and write why just these. That it cannot be excluded is not a reason."},
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
		switch {
		case onlyNotExcluded(k.Reason):
			out = append(out, refuse("v6.not-excluded", "At det ikke kan udelukkes, er ikke en grund. Skriv, hvad der konkret gør netop disse butikker udsatte.", "That it cannot be excluded is not a reason. Write what concretely exposes just these shops."))
		case !fullReason.says(k.Reason):
			out = append(out, refuse("v6.reason", "Skriv, hvorfor netop disse butikker er udsat for ligeartet kriminalitet.", "Write why just these shops are exposed to the same kind of crime."))
		}
		return out, nil
	},
}
