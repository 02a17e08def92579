package casework

import (
	"context"
	"errors"
	"slices"
	"time"

	"veilbox/appliance/incident"
	"veilbox/appliance/policy"
	"veilbox/appliance/store"
)

// Bounds of what the form holds, beside those of its texts.
const (
	maxStatements = 20
	maxLinks      = 20
	maxChoices    = 500 // trades, and chains
)

// checkEvidence returns what the form cannot hold. Whether it is enough is the
// gate's to say.
func checkEvidence(e incident.Evidence) error {
	k := e.Circle
	type text struct {
		field, s string
		most     int
	}
	texts := []text{
		{"basis_words", e.BasisWords, maxWords}, {"repetition", e.Repetition, maxWords}, {"professional", e.Professional, maxWords},
		{"repeat_reasons", e.RepeatReasons, maxWords}, {"circle.reason", k.Reason, maxWords}, {"circle.area_reason", k.AreaReason, maxWords},
		{"circle.trades_reason", k.TradesReason, maxWords}, {"circle.chains_reason", k.ChainsReason, maxWords},
		{"circle.area", k.Area, maxName}, {"circle.place", k.Place, maxName}, {"offence", string(e.Offence), maxName}, {"basis", string(e.Basis), maxName},
	}
	if e.Report != nil {
		texts = append(texts, text{"report.number", e.Report.Number, maxName})
	}
	if len(k.Trades) > maxChoices || len(k.Chains) > maxChoices {
		return badInput("input.circle", "Kredsen har for mange brancher eller kæder.", "The circle has too many trades or chains.")
	}
	for _, s := range slices.Concat(k.Trades, k.Chains) {
		texts = append(texts, text{"circle", s, maxName})
	}
	if len(k.Members) > policy.MaxMembers {
		return badInput("input.circle", "Kredsen er for stor.", "The circle is too large.")
	}
	for _, m := range k.Members {
		texts = append(texts, text{"circle.members", string(m), maxName})
	}
	if len(e.Statements) > maxStatements {
		return badInput("input.statements", "Der er for mange vidneudsagn (højst 20).", "There are too many statements (at most 20).")
	}
	for _, st := range e.Statements {
		texts = append(texts, text{"statement.witness", st.Witness, maxName}, text{"statement.words", st.Words, maxWords})
	}
	if len(e.Links) > maxLinks {
		return badInput("input.links", "Der er henvist til for mange sager (højst 20).", "Too many cases are linked (at most 20).")
	}
	for i, l := range e.Links {
		texts = append(texts, text{"link.case", string(l.Case), maxName}, text{"link.why", l.Why, maxWords})
		if slices.ContainsFunc(e.Links[:i], func(x incident.Link) bool { return x.Case == l.Case }) {
			return badInput("input.link", "Den samme sag er henvist til to gange.", "The same case is linked twice.")
		}
	}
	for _, t := range texts {
		if err := checkWords(t.field, t.s, t.most); err != nil {
			return err
		}
	}
	if e.ValueDKK != nil && (*e.ValueDKK < 0 || *e.ValueDKK > maxValue) {
		return badInput("input.value", "Værdien skal være et beløb i hele kroner.", "The value must be an amount in whole kroner.")
	}
	for _, at := range times(e) {
		if at.Year() < 2000 || at.Year() > 2200 {
			return badInput("input.time", "En af datoerne kan ikke være rigtig.", "One of the dates cannot be right.")
		}
	}
	return nil
}

// times is every date of the form that is filled in.
func times(e incident.Evidence) []time.Time {
	var out []time.Time
	for _, p := range []*time.Time{e.CertaintyLost, e.Charged, e.NextReassessment} {
		if p != nil {
			out = append(out, *p)
		}
	}
	if r := e.Report; r != nil && !r.At.IsZero() {
		out = append(out, r.At)
	}
	for _, s := range e.Statements {
		if !s.At.IsZero() {
			out = append(out, s.At)
		}
	}
	return out
}

// checkLinks returns what is wrong with new links of c: each is to another case
// of this box. One that was made before may have been deleted since.
func (s *Service) checkLinks(ctx context.Context, c incident.Case, links []incident.Link) error {
	for _, l := range links {
		if slices.ContainsFunc(c.Evidence.Links, func(x incident.Link) bool { return x.Case == l.Case }) {
			continue
		}
		other, err := s.o.Store.Case(ctx, l.Case)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err != nil || other.State == incident.Deleted || l.Case == c.ID {
			return badInput("input.link", "Den sag, der er henvist til, findes ikke på denne boks.", "The linked case is not on this box.")
		}
	}
	return nil
}
