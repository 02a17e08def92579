package policy

import (
	"testing"
	"time"

	"veilbox/appliance/incident"
)

var v1Cases = []change{
	{"an attempt passes", ev(func(e *incident.Evidence) { e.Attempt = true }), ""},
	{"brugstyveri passes", offence(incident.VehicleUse), ""},
	{"trick theft passes", offence(incident.TrickTheft), ""},
	{"embezzlement passes", offence(incident.Embezzlement), ""},
	{"extortion passes", offence(incident.Extortion), ""},
	{"fraud passes", offence(incident.Fraud), ""},
	{"violence", offence(incident.Violence), "v1.violence"},
	{"vandalism", offence(incident.Vandalism), "v1.vandalism"},
	{"handling", offence(incident.Handling), "v1.handling"},
	{"other", offence(incident.OtherOffence), "v1.other"},
	{"an offence nobody knows", offence("piracy"), "v1.other"},
	{"no offence", offence(""), "v1.offence"},
	{"no basis", ev(func(e *incident.Evidence) { e.Basis = "" }), "v1.basis"},
	{"a witness in words", ev(func(e *incident.Evidence) {
		e.Basis, e.BasisWords = incident.BasisCircumstances, "Kassedamen så ham stikke flaskerne ned i tasken"
	}), ""},
	{"a witness without words", ev(func(e *incident.Evidence) { e.Basis = incident.BasisCircumstances }), "v1.basis-words"},
	{"a witness in no words", ev(func(e *incident.Evidence) { e.Basis, e.BasisWords = incident.BasisCircumstances, "xxx ... 123" }), "v1.basis-words"},
	{"certainty lost", ev(func(e *incident.Evidence) { e.CertaintyLost = at(0) }), "v1.certainty-lost"},
	{"in the future", func(c *incident.Case) { c.HappenedAt = noon.Add(time.Hour) }, "v1.future"},
	{"a theft", offence(incident.Theft), ""},
	{"a card fraud", offence(incident.CardFraud), ""},
	{"clearly seen on the recording", ev(func(e *incident.Evidence) { e.Basis, e.BasisWords = incident.BasisRecording, "" }), ""},
	{"a robbery", offence(incident.Robbery), ""},
	{"it might be him", ev(func(e *incident.Evidence) {
		e.Basis, e.BasisWords = incident.BasisCircumstances, "Det kan ikke udelukkes, at det er den samme mand"
	}), "v1.uncertain"},
	{"a witness who guesses", ev(func(e *incident.Evidence) {
		e.Basis, e.BasisWords = incident.BasisCircumstances, "Måske er det manden i den blå jakke"
		e.Statements = []incident.Statement{{Witness: "kasseassistent", Words: "Det er muligvis ham i den blå jakke"}}
	}), "v1.uncertain"},
	{"a witness's statement", ev(func(e *incident.Evidence) {
		e.Basis = incident.BasisCircumstances
		e.Statements = []incident.Statement{{Witness: "kasseassistent", Words: "Jeg så ham stikke flaskerne i tasken og gå", At: noon.Add(-time.Hour)}}
	}), ""},
	{"a witness without a function", ev(func(e *incident.Evidence) {
		e.Basis = incident.BasisCircumstances
		e.Statements = []incident.Statement{{Witness: " ", Words: "Jeg så ham stikke flaskerne i tasken og gå"}}
	}), "v1.basis-words"},
	{"a witness who says nothing", ev(func(e *incident.Evidence) {
		e.Basis = incident.BasisCircumstances
		e.Statements = []incident.Statement{{Witness: "kasseassistent", Words: "ja"}}
	}), "v1.basis-words"},
	{"a witness of tomorrow", ev(func(e *incident.Evidence) {
		e.Basis = incident.BasisCircumstances
		e.Statements = []incident.Statement{{Witness: "kasseassistent", Words: "Jeg så ham stikke flaskerne i tasken og gå", At: noon.Add(day)}}
	}), "v1.basis-words"},
	{"certainty lost, as a fact", fact(incident.FactCertaintyLost, noon), "v1.certainty-lost"},
}

func TestV1(t *testing.T) { runCases(t, V1, v1Cases) }
