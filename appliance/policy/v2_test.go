package policy

import (
	"testing"

	"veilbox/appliance/incident"
)

var v2Cases = []change{
	{"sweets and a soda", ev(func(e *incident.Evidence) { e.ValueDKK = kr(62) }), "v2.trivial"},
	{"500 kroner", ev(func(e *incident.Evidence) { e.ValueDKK = kr(500) }), "v2.trivial"},
	{"501 kroner", ev(func(e *incident.Evidence) { e.ValueDKK = kr(501) }), ""},
	{"an attempt at 500", ev(func(e *incident.Evidence) { e.ValueDKK, e.Attempt = kr(500), true }), "v2.trivial"},
	{"negative", ev(func(e *incident.Evidence) { e.ValueDKK = kr(-1) }), "v2.value"},
	{"no value", ev(func(e *incident.Evidence) { e.ValueDKK = nil }), "v2.unknown"},
	{"card fraud of any value", ev(func(e *incident.Evidence) { e.Offence, e.ValueDKK = incident.CardFraud, kr(20) }), ""},
	{"robbery without a value", ev(func(e *incident.Evidence) { e.Offence, e.ValueDKK = incident.Robbery, nil }), ""},
	{"kassedyk of any value", ev(func(e *incident.Evidence) { e.Offence, e.ValueDKK = incident.TillSnatch, kr(100) }), ""},
	{"repeated", ev(func(e *incident.Evidence) { e.ValueDKK, e.Repetition = kr(100), "Set fire gange siden januar" }), ""},
	{"professional", ev(func(e *incident.Evidence) { e.ValueDKK, e.Professional = kr(100), "Foret taske og to medhjælpere" }), ""},
	{"repeated, one word", ev(func(e *incident.Evidence) { e.ValueDKK, e.Repetition = kr(100), "ja" }), "v2.trivial"},
	{"repeated, one word many times", ev(func(e *incident.Evidence) { e.ValueDKK, e.Repetition = kr(100), "ja ja ja ja ja ja ja ja" }), "v2.trivial"},
	{"an attempt at 501", ev(func(e *incident.Evidence) { e.ValueDKK, e.Attempt = kr(501), true }), ""},
	{"repeated, by a linked case", ev(func(e *incident.Evidence) {
		e.ValueDKK, e.Links = kr(100), []incident.Link{{Case: "EARLIER", Why: "Samme mand i samme jakke"}}
	}), ""},
	{"linked to itself", ev(func(e *incident.Evidence) {
		e.ValueDKK, e.Links = kr(100), []incident.Link{{Case: "CASE", Why: "Samme mand i samme jakke"}}
	}), "v2.trivial"},
	{"linked without words", ev(func(e *incident.Evidence) { e.ValueDKK, e.Links = kr(100), []incident.Link{{Case: "EARLIER"}} }), "v2.trivial"},
	{"linked to nothing", ev(func(e *incident.Evidence) {
		e.ValueDKK, e.Links = kr(100), []incident.Link{{Why: "Samme mand i samme jakke"}}
	}), "v2.trivial"},
	{"organised", ev(func(e *incident.Evidence) {
		e.ValueDKK, e.Professional = kr(100), "Tre personer arbejdede sammen efter en plan"
	}), ""},
	{"not repeated, in words", ev(func(e *incident.Evidence) { e.ValueDKK, e.Repetition = kr(100), "Ingen kendte tidligere tilfælde" }), "v2.trivial"},
	{"not professional, in words", ev(func(e *incident.Evidence) { e.ValueDKK, e.Professional = kr(100), "Not professional as far as known" }), "v2.trivial"},
	{"not the first time", ev(func(e *incident.Evidence) { e.ValueDKK, e.Repetition = kr(100), "Ikke første gang: han var her i maj" }), ""},
	{"no value, but repeated", ev(func(e *incident.Evidence) { e.ValueDKK, e.Repetition = nil, "Set fire gange siden januar" }), ""},
}

func TestV2(t *testing.T) { runCases(t, V2, v2Cases) }
