package policy

import (
	"slices"
	"testing"

	"veilbox/appliance/incident"
)

var v6Cases = []change{
	{"no area", ev(func(e *incident.Evidence) { e.Circle.Area = "" }), "v6.area"},
	{"an odd area", ev(func(e *incident.Evidence) { e.Circle.Area = "world" }), "v6.area"},
	{"a town without a name", ev(func(e *incident.Evidence) { e.Circle.Area, e.Circle.Place = "town", " " }), "v6.place"},
	{"the country needs no place", ev(func(e *incident.Evidence) { e.Circle.Area, e.Circle.Place = "country", "" }), ""},
	{"no members", ev(func(e *incident.Evidence) { e.Circle.Members = nil }), "v6.members"},
	{"only the own member", ev(func(e *incident.Evidence) { e.Circle.Members = []incident.MemberID{"butik-a"} }), "v6.members"},
	{"a member without a name", ev(func(e *incident.Evidence) { e.Circle.Members = append(e.Circle.Members, "") }), "v6.nameless"},
	{"too many members", ev(func(e *incident.Evidence) {
		e.Circle.Members = slices.Repeat([]incident.MemberID{"butik-b"}, MaxMembers+1)
	}), "v6.many"},
	{"no reason", ev(func(e *incident.Evidence) { e.Circle.Reason = "" }), "v6.reason"},
	{"a town", ev(func(e *incident.Evidence) { e.Circle.Area, e.Circle.Place = "town", "Odense" }), ""},
	{"only that it cannot be excluded", ev(func(e *incident.Evidence) {
		e.Circle.Reason = "Det kan ikke udelukkes, at de også rammer butikkerne i Jylland"
	}), "v6.not-excluded"},
	{"each choice with its reason", own(areaWhy, tradesWhy, chainsWhy), ""},
	{"no reason for the area", own("", tradesWhy, chainsWhy), "v6.reason"},
	{"no reason for the trades", own(areaWhy, "", chainsWhy), "v6.trades-reason"},
	{"no reason for the chains", own(areaWhy, tradesWhy, ""), "v6.chains-reason"},
	{"a chain because it cannot be excluded", own(areaWhy, tradesWhy, "Man kan ikke afvise, at kæden også bliver ramt"), "v6.not-excluded"},
	{"a trade just in case", own(areaWhy, "All trades just in case, to be on the safe side of it", chainsWhy), "v6.not-excluded"},
	{"the area for safety's sake", own("Hele regionen er taget med for en sikkerheds skyld", tradesWhy, chainsWhy), "v6.not-excluded"},
	{"own reasons, beside one that is none", func(c *incident.Case) {
		own(areaWhy, tradesWhy, chainsWhy)(c)
		c.Evidence.Circle.Reason = "Det kan ikke udelukkes, at andre bliver ramt"
	}, "v6.not-excluded"},
	{"no trades and chains, no reasons for them", func(c *incident.Case) {
		own(areaWhy, "", "")(c)
		c.Evidence.Circle.Trades, c.Evidence.Circle.Chains = nil, nil
	}, ""},
	{"an own reason beside the old one", func(c *incident.Case) {
		own("", tradesWhy, "")(c)
		c.Evidence.Circle.Reason = areaWhy
	}, "v6.chains-reason"},
	{"the whole country, no group and no trait", ev(func(e *incident.Evidence) { e.Circle.Area, e.Circle.Trades = "country", nil }), "v6.country"},
	{"the whole country, organised", ev(func(e *incident.Evidence) {
		e.Circle.Area, e.Circle.Trades, e.Professional = "country", nil, "Omrejsende bande med fast rollefordeling"
	}), ""},
	{"the whole country in few words", ev(func(e *incident.Evidence) { e.Circle.Area, e.Circle.Reason = "country", "Banden kører rundt omkring" }), "v6.country"},
	{"trick thefts in one trade in several towns", func(c *incident.Case) {
		offence(incident.TrickTheft)(c)
		c.Evidence.Circle = incident.Circle{Area: "region", Place: "Syddanmark", Trades: []string{"guldsmede"}, Members: []incident.MemberID{"butik-b"},
			AreaReason:   "Samme to kvinder har lavet tricktyverier i Kolding, Vejle og Odense",
			TradesReason: "Alle fem tricktyverier ramte guldsmede og ingen andre"}
	}, ""},
	{"wider than released", func(c *incident.Case) {
		disclosed(c)
		c.Evidence.Circle.Members = append(c.Evidence.Circle.Members, "butik-c")
	}, "v6.wider"},
	{"as released", disclosed, ""},
	{"smaller than released", func(c *incident.Case) {
		c.Evidence.Circle.Members = []incident.MemberID{"butik-a", "butik-b", "butik-c"}
		disclosed(c)
		narrow(c, "butik-c")
	}, ""},
	{"back after it was taken out", func(c *incident.Case) {
		disclosed(c)
		c.Narrowings = []incident.Narrowing{{At: noon, Dropped: []incident.Dropped{{Member: "butik-b"}}}}
	}, "v6.dropped"},
}

func TestV6(t *testing.T) { runCases(t, V6, v6Cases) }

const (
	areaWhy   = "Personen har ramt butikker i tre fynske byer"
	tradesWhy = "Kun dagligvarebutikker er blevet ramt indtil nu"
	chainsWhy = "Alle tyverierne skete i kædens egne butikker"
)

// own gives the area, a trade and a chain their own reasons, and none together.
func own(area, trades, chains string) func(*incident.Case) {
	return ev(func(e *incident.Evidence) {
		e.Circle.Chains, e.Circle.Reason = []string{"Kæde A"}, ""
		e.Circle.AreaReason, e.Circle.TradesReason, e.Circle.ChainsReason = area, trades, chains
	})
}
