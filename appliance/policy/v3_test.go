package policy

import (
	"strings"
	"testing"

	"veilbox/appliance/incident"
)

var v3Cases = []change{
	{"no reasons", ev(func(e *incident.Evidence) { e.RepeatReasons = "" }), "v3.reasons"},
	{"blank reasons", ev(func(e *incident.Evidence) { e.RepeatReasons = "   \n\t" }), "v3.reasons"},
	{"reasons of dots", ev(func(e *incident.Evidence) { e.RepeatReasons = strings.Repeat(". ", 50) }), "v3.reasons"},
	{"reasons of one letter", ev(func(e *incident.Evidence) { e.RepeatReasons = strings.Repeat("x", 90) }), "v3.reasons"},
	{"charged", ev(func(e *incident.Evidence) { e.Charged = at(0) }), "v3.charged"},
	{"the method", ev(func(e *incident.Evidence) {
		e.RepeatReasons = "Folieforet taske og afledning af personalet som ved et øvet tyveri"
	}), ""},
	{"the gravity", ev(func(e *incident.Evidence) {
		e.RepeatReasons = "Varer for 40.000 kr. på én gang, læsset i en ventende bil"
	}), ""},
	{"other circumstances", ev(func(e *incident.Evidence) { e.RepeatReasons = "Hun spurgte en ansat, hvornår nabobutikken lukker" }), ""},
	{"few words and a linked case", ev(func(e *incident.Evidence) {
		e.RepeatReasons, e.Links = "Anden gang", []incident.Link{{Case: "EARLIER", Why: "Samme mand i samme jakke"}}
	}), ""},
	{"only that it cannot be excluded", ev(func(e *incident.Evidence) { e.RepeatReasons = "Det kan ikke udelukkes, at han gør det igen en dag" }), "v3.not-excluded"},
	{"only a guess", ev(func(e *incident.Evidence) { e.RepeatReasons = "Maybe he will come back and do it again some day" }), "v3.not-excluded"},
	{"a long time ago", func(c *incident.Case) { c.HappenedAt = noon.Add(-LongTime - 1) }, "v3.long-ago"},
	{"just not a long time ago", func(c *incident.Case) { c.HappenedAt = noon.Add(-LongTime) }, ""},
	{"a long time ago, and repeated since", func(c *incident.Case) {
		c.HappenedAt = noon.Add(-LongTime - day)
		c.Evidence.Repetition = "Samme person tog parfume igen i sidste uge"
	}, ""},
	{"a long time ago, not repeated in words", func(c *incident.Case) {
		c.HappenedAt = noon.Add(-LongTime - day)
		c.Evidence.Repetition = "Der er ingen senere tilfælde"
	}, "v3.long-ago"},
	{"charged, as a fact", fact(incident.FactCharged, noon), "v3.charged"},
}

func TestV3(t *testing.T) { runCases(t, V3, v3Cases) }
