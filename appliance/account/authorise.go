package account

import (
	"context"
	"slices"
	"strings"
	"time"

	"veilbox/appliance/incident"
)

// Nobody authorises himself: a formal authorisation (V7) is given by another. The
// one exception is where there is no other: the first manager, whom the shop
// names by handing over the first log-in, and later a manager who is the only
// active one. The record then shows that giver and receiver are the same, and
// the review lists it.

// self returns ErrSelf where giver changes giver's own rights and someone else
// could do it.
func (a *Accounts) self(ctx context.Context, giver *record, id incident.PersonID) error {
	if giver.ID != id {
		return nil
	}
	if err := a.otherManager(ctx, id); err == nil {
		return ErrSelf
	} else if err != ErrLastManager {
		return err
	}
	return nil
}

func (a *Accounts) authorisation(giver *record, name, function, need string, until *time.Time) (incident.Authorisation, error) {
	now := a.now()
	au := incident.Authorisation{By: giver.Name, Function: strings.TrimSpace(function), Need: strings.TrimSpace(need), From: now, To: DefaultAuthorisation(now)}
	if until != nil {
		au.To = until.UTC()
	}
	if giver.Name == provisional || name == provisional {
		return au, ErrName
	}
	if !words(au.Function) || !words(au.Need) || !au.To.After(now) || au.To.Sub(now) > maxAuthorised {
		return au, ErrAuthorisationText
	}
	return au, nil
}

// reauthorise changes r's authorisation as c says and reports whether r lost
// some of it.
func (a *Accounts) reauthorise(giver, r *record, c Change) (lost bool, err error) {
	old, now := r.Authorisation, a.now()
	if c.Until != nil && !c.Until.After(now) {
		if lost = old.To.After(now); lost {
			r.Authorisation.To = now
		}
		return lost, nil
	}
	function, need, until := old.Function, old.Need, c.Until
	if c.Function != nil {
		function = *c.Function
	}
	if c.Need != nil {
		need = *c.Need
	}
	if until == nil && old.Valid(now) {
		until = &old.To
	}
	au, err := a.authorisation(giver, r.Name, function, need, until)
	if err != nil {
		return false, err
	}
	r.Authorisation = au
	return old.Valid(now) && au.To.Before(old.To), nil
}

// ReviewEvery is how often a manager goes through everyone's rights, and
// endsSoon how long before its end an authorisation is on the list.
const (
	ReviewEvery = 365 * 24 * time.Hour
	endsSoon    = 30 * 24 * time.Hour
	idleFor     = 90 * 24 * time.Hour
)

// Why a person is due for review.
const (
	DueReview    = "review"     // not gone through for a year
	DueEnds      = "ends"       // the authorisation ends within 30 days
	DueEnded     = "ended"      // it has ended, or there is none, and the role asks for one
	DueQualified = "qualified"  // the qualification ends within 30 days, or has ended
	DueIdle      = "idle"       // not logged in for 90 days
	DueSelfGiven = "self-given" // given by the person, as there was no other manager
	DueSetUp     = "set-up"     // logs in without a second factor yet
)

// A ReviewItem is one line of the yearly list.
type ReviewItem struct {
	Person Person
	// Since is the last time that the rights were decided upon: a review, or an
	// authorisation given.
	Since time.Time
	Due   []string // why the line needs a manager; empty: it does not
}

// Review returns every active person, those that are due first.
func (a *Accounts) Review(ctx context.Context) ([]ReviewItem, error) {
	all, err := a.People(ctx)
	if err != nil {
		return nil, err
	}
	now := a.now()
	var out []ReviewItem
	for _, p := range all {
		if p.Active {
			out = append(out, reviewOf(p, now))
		}
	}
	slices.SortStableFunc(out, func(x, y ReviewItem) int { return min(len(y.Due), 1) - min(len(x.Due), 1) })
	return out, nil
}

func reviewOf(p Person, now time.Time) ReviewItem {
	i := ReviewItem{Person: p, Since: p.Created}
	if p.Authorisation.From.After(i.Since) {
		i.Since = p.Authorisation.From
	}
	if p.Reviewed != nil && p.Reviewed.At.After(i.Since) {
		i.Since = p.Reviewed.At
	}
	if now.Sub(i.Since) >= ReviewEvery {
		i.Due = append(i.Due, DueReview)
	}
	if slices.ContainsFunc(Permissions, func(x Permission) bool { return NeedsAuthorisation(x) && p.Can(x) }) {
		switch au := p.Authorisation; {
		case !au.Valid(now):
			i.Due = append(i.Due, DueEnded)
		case !au.To.After(now.Add(endsSoon)):
			i.Due = append(i.Due, DueEnds)
		}
		if p.Authorisation.By == p.Name {
			i.Due = append(i.Due, DueSelfGiven)
		}
	}
	if p.Has(Assessor) && (p.Qualification == nil || !p.Qualification.To.After(now.Add(endsSoon))) {
		i.Due = append(i.Due, DueQualified)
	}
	last := p.Created
	if p.LastLogin != nil {
		last = *p.LastLogin
	}
	if now.Sub(last) >= idleFor {
		i.Due = append(i.Due, DueIdle)
	}
	if slices.Contains(p.Must(), NeedFactor) {
		i.Due = append(i.Due, DueSetUp)
	}
	return i
}

// ConfirmAuthorisation records that by went through id's rights and that they
// are still needed. An authorisation is given anew, with its function and need,
// until until or for a year; who has none is only marked as reviewed.
func (a *Accounts) ConfirmAuthorisation(ctx context.Context, by, id incident.PersonID, until *time.Time) (Person, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	giver, err := a.manager(ctx, by)
	if err != nil {
		return Person{}, err
	}
	if err := a.self(ctx, giver, id); err != nil {
		return Person{}, err
	}
	r, err := a.load(ctx, id)
	if err != nil {
		return Person{}, err
	}
	if !r.Active {
		return Person{}, ErrNoAccount
	}
	now := a.now()
	shorter := false
	if old := r.Authorisation; old.By != "" || until != nil {
		au, err := a.authorisation(giver, r.Name, old.Function, old.Need, until)
		if err != nil {
			return Person{}, err
		}
		shorter = old.Valid(now) && au.To.Before(old.To)
		r.Authorisation = au
	}
	r.Reviewed = &Reviewed{At: now, By: giver.ID, Name: giver.Name}
	if err := a.save(ctx, r); err != nil {
		return Person{}, err
	}
	if shorter {
		if err := a.o.Store.DeleteSessions(ctx, id); err != nil {
			return Person{}, err
		}
	}
	return r.public(), nil
}
