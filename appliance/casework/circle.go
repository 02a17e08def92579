package casework

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/incident"
	"veilbox/appliance/policy"
	"veilbox/internal/clock"
	"veilbox/internal/problem"
)

// What a circle's area is.
const (
	areaTown    = "town"
	areaRegion  = "region"
	areaCountry = "country"
)

// inCircle reports whether k's area, trades and chains name m. Who belongs to the
// circle is decided here alone, for the page, for veilctl and for the gate.
func inCircle(k incident.Circle, m Member) bool {
	switch k.Area {
	case areaTown:
		if k.Place == "" || m.Town != k.Place {
			return false
		}
	case areaRegion:
		if k.Place == "" || m.Region != k.Place {
			return false
		}
	case areaCountry:
	default:
		return false
	}
	return (len(k.Trades) == 0 || slices.Contains(k.Trades, m.Trade)) && (len(k.Chains) == 0 || slices.Contains(k.Chains, m.Chain))
}

// resolve returns the members that k names and that can receive, but the own.
func resolve(k incident.Circle, all []Member) []Member {
	out := []Member{}
	for _, m := range all {
		if !m.Own && m.Boxes > 0 && inCircle(k, m) {
			out = append(out, m)
		}
	}
	slices.SortFunc(out, func(a, b Member) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return out
}

func countOf(list []Member) CircleCount {
	n := CircleCount{Members: len(list)}
	for _, m := range list {
		n.Shops += m.Boxes
		n.People += m.People
	}
	return n
}

// ResolveCircle returns the members that an area with its trades and chains is.
func (s *Service) ResolveCircle(ctx context.Context, a Actor, k incident.Circle) ([]Member, error) {
	if err := s.allow(a, account.ViewCases); err != nil {
		return nil, err
	}
	if err := checkEvidence(incident.Evidence{Circle: k}); err != nil {
		return nil, err
	}
	all, err := s.o.Uplink.Members(ctx)
	if err != nil {
		return nil, err
	}
	return resolve(k, all), nil
}

// CircleCount says how many a circle is: those of k.Members that it names, or all
// that it names where k.Members is empty.
func (s *Service) CircleCount(ctx context.Context, a Actor, k incident.Circle) (CircleCount, error) {
	list, err := s.ResolveCircle(ctx, a, k)
	if err != nil {
		return CircleCount{}, err
	}
	if len(k.Members) > 0 {
		list = slices.DeleteFunc(list, func(m Member) bool { return !slices.Contains(k.Members, m.ID) })
	}
	return countOf(list), nil
}

// fitCircle is nil where every member of k is one that k's area, trades and
// chains name: a member beside them has no reason in the case (V6).
func fitCircle(k incident.Circle, all []Member) error {
	var beside []string
	for _, id := range k.Members {
		i := slices.IndexFunc(all, func(m Member) bool { return m.ID == id })
		if i >= 0 && (all[i].Own || inCircle(k, all[i])) {
			continue
		}
		name := string(id)
		if i >= 0 {
			name = all[i].Name
		}
		if beside = append(beside, name); len(beside) == 5 {
			break
		}
	}
	if len(beside) == 0 {
		return nil
	}
	names := strings.Join(beside, ", ")
	return problem.New(409, "circle.beside",
		problem.Text{DA: fmt.Sprintf("Kredsen har medlemmer, som område, brancher og kæder ikke omfatter, eller som ikke er tilsluttet længere: %s (vilkår 6).", names),
			EN: fmt.Sprintf("The circle has members that its area, trades and chains do not name, or that are connected no longer: %s (condition 6).", names)},
		problem.Text{DA: "Vælg kredsen igen.", EN: "Choose the circle again."})
}

const (
	// reassessAfter is when a reassessment is suggested for: halfway.
	reassessAfter = 14 * 24 * time.Hour
	maxSuggested  = 10
)

// Suggest returns what the box knows that the form of a case asks for.
func (s *Service) Suggest(ctx context.Context, a Actor, id incident.CaseID) (Suggestions, error) {
	if err := s.allow(a, account.ViewCases); err != nil {
		return Suggestions{}, err
	}
	c, err := s.load(ctx, id)
	if err != nil {
		return Suggestions{}, err
	}
	out := Suggestions{
		Version: c.Version, Circle: incident.Circle{Trades: []string{}, Chains: []string{}, Members: []incident.MemberID{}},
		NextReassessment: s.suggestNext(c), ReportToday: c.Evidence.Report == nil, Links: []LinkSuggestion{},
	}
	// Where the extranet cannot be asked the form is filled in by hand.
	all, err := s.o.Uplink.Members(ctx)
	if err != nil {
		s.o.Log.Info("the list of members could not be had for a form", "error", err)
		all = nil
	}
	if i := slices.IndexFunc(all, func(m Member) bool { return m.Own }); i >= 0 {
		own := all[i]
		out.Town, out.Region, out.Country, out.Trade, out.Chain = own.Town, own.Region, own.Country, own.Trade, own.Chain
		out.Circle, out.CircleCount = narrowest(own, all)
	}
	cases, err := s.o.Store.Cases(ctx)
	if err != nil {
		return Suggestions{}, err
	}
	out.FirstOfKind = !slices.ContainsFunc(cases, func(x incident.Case) bool {
		return x.ID != c.ID && x.Disclosure != nil && x.Evidence.Offence == c.Evidence.Offence
	})
	out.Links = suggestLinks(c, cases)
	return out, nil
}

// suggestNext is 14 days ahead at noon in Copenhagen, where the disclosure lasts
// as long; else halfway.
func (s *Service) suggestNext(c incident.Case) time.Time {
	now, most := s.deadlineNow(), policy.MaxDisclosure
	if m := s.o.Settings.MaxDisclosure; m > 0 && m < most {
		most = m
	}
	end := now.Add(most)
	if c.Disclosure != nil {
		end = c.Disclosure.NotAfter
	}
	day := now.Add(reassessAfter).In(clock.Copenhagen)
	at := time.Date(day.Year(), day.Month(), day.Day(), 12, 0, 0, 0, clock.Copenhagen)
	if !at.Before(end) {
		at = now.Add(end.Sub(now) / 2)
	}
	return at.UTC()
}

// narrowest is the smallest circle of the shop's own trade with anybody in it.
func narrowest(own Member, all []Member) (incident.Circle, CircleCount) {
	k := incident.Circle{Trades: []string{}, Chains: []string{}, Members: []incident.MemberID{}}
	if own.Trade != "" {
		k.Trades = []string{own.Trade}
	}
	for _, x := range []struct{ area, place string }{{areaTown, own.Town}, {areaRegion, own.Region}} {
		k.Area, k.Place = x.area, x.place
		if list := resolve(k, all); len(list) > 0 {
			for _, m := range list {
				k.Members = append(k.Members, m.ID)
			}
			return k, countOf(list)
		}
	}
	k.Area, k.Place = areaTown, own.Town
	return k, CircleCount{}
}

// suggestLinks are the earlier cases that may be of the same person: of the same
// camera or kind of offence, both first, then the latest.
func suggestLinks(c incident.Case, cases []incident.Case) []LinkSuggestion {
	out := []LinkSuggestion{}
	for _, x := range cases {
		if x.ID == c.ID || x.State == incident.Deleted || x.HappenedAt.After(c.HappenedAt) ||
			slices.ContainsFunc(c.Evidence.Links, func(l incident.Link) bool { return l.Case == x.ID }) {
			continue
		}
		l := LinkSuggestion{
			Case: x.ID, What: x.What, HappenedAt: x.HappenedAt, Offence: x.Evidence.Offence, State: x.State,
			SameCamera: x.Clip.Camera == c.Clip.Camera, SameKind: x.Evidence.Offence == c.Evidence.Offence,
		}
		if l.SameCamera || l.SameKind {
			out = append(out, l)
		}
	}
	both := func(l LinkSuggestion) bool { return l.SameCamera && l.SameKind }
	slices.SortStableFunc(out, func(a, b LinkSuggestion) int {
		if both(a) != both(b) {
			if both(a) {
				return -1
			}
			return 1
		}
		return b.HappenedAt.Compare(a.HappenedAt)
	})
	return out[:min(len(out), maxSuggested)]
}
