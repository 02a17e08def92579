package incident

import (
	"slices"

	"veilbox/redact/subject"
)

// Clone returns a copy of c that shares no memory with it, so that what was
// approved stays as it was while the case goes on.
func (c Case) Clone() Case {
	c.Tagged, c.ChangedBy = c.Tagged.Clone(), ptr(c.ChangedBy)
	c.Subjects = CloneSubjects(c.Subjects)
	c.Choice = CloneChoice(c.Choice)
	c.Veiled, c.Widened = slices.Clone(c.Veiled), slices.Clone(c.Widened)
	if c.Copy = ptr(c.Copy); c.Copy != nil {
		c.Copy.Sound = ptr(c.Copy.Sound)
		c.Copy.Veiled, c.Copy.Notices = slices.Clone(c.Copy.Veiled), slices.Clone(c.Copy.Notices)
	}
	c.Evidence = c.Evidence.Clone()
	if c.SubmittedBy != nil {
		p := c.SubmittedBy.Clone()
		c.SubmittedBy = &p
	}
	c.Assessments = slices.Clone(c.Assessments)
	for i := range c.Assessments {
		c.Assessments[i].Assessor = c.Assessments[i].Assessor.Clone()
		c.Assessments[i].Signed = c.Assessments[i].Signed.clone()
	}
	c.Documents, c.Facts, c.Informed = slices.Clone(c.Documents), slices.Clone(c.Facts), slices.Clone(c.Informed)
	c.Reassessments = slices.Clone(c.Reassessments)
	for i := range c.Reassessments {
		c.Reassessments[i].By = c.Reassessments[i].By.Clone()
	}
	c.Narrowings = slices.Clone(c.Narrowings)
	for i, n := range c.Narrowings {
		c.Narrowings[i].By, c.Narrowings[i].Dropped = n.By.Clone(), slices.Clone(n.Dropped)
		for j, d := range n.Dropped {
			c.Narrowings[i].Dropped[j].Told, c.Narrowings[i].Dropped[j].Deleted = ptr(d.Told), ptr(d.Deleted)
		}
	}
	if c.Deletion = ptr(c.Deletion); c.Deletion != nil {
		c.Deletion.What = slices.Clone(c.Deletion.What)
	}
	if c.Disclosure != nil {
		d := *c.Disclosure
		d.Disclosed, d.Ended = ptr(d.Disclosed), ptr(d.Ended)
		d.Members = slices.Clone(d.Members)
		c.Disclosure = &d
	}
	return c
}

func (s *Signed) clone() *Signed {
	if s == nil {
		return nil
	}
	c := *s
	c.Statement = slices.Clone(s.Statement)
	c.Key.ID, c.Key.Public = slices.Clone(s.Key.ID), slices.Clone(s.Key.Public)
	a := &c.Assertion
	a.Credential, a.ClientData = slices.Clone(a.Credential), slices.Clone(a.ClientData)
	a.AuthData, a.Signature = slices.Clone(a.AuthData), slices.Clone(a.Signature)
	return &c
}

// CloneSubjects returns a copy of all that shares no memory with it.
func CloneSubjects(all []subject.Subject) []subject.Subject {
	all = slices.Clone(all)
	for i := range all {
		all[i].Keyframes = slices.Clone(all[i].Keyframes)
		for j, k := range all[i].Keyframes {
			all[i].Keyframes[j].Rect = ptr(k.Rect)
		}
	}
	return all
}

// CloneChoice returns a copy of c that shares no memory with it.
func CloneChoice(c subject.Choice) subject.Choice {
	c.Stamp = ptr(c.Stamp)
	if c.Still = ptr(c.Still); c.Still != nil {
		c.Still.Crop = ptr(c.Still.Crop)
	}
	return c
}

// Clone returns a copy of p that shares no memory with it.
func (p Person) Clone() Person {
	if p.Qualification != nil {
		q := *p.Qualification
		q.Competences = slices.Clone(q.Competences)
		p.Qualification = &q
	}
	return p
}

// Clone returns a copy of e that shares no memory with it.
func (e Evidence) Clone() Evidence {
	e.CertaintyLost, e.Charged, e.NextReassessment = ptr(e.CertaintyLost), ptr(e.Charged), ptr(e.NextReassessment)
	e.ValueDKK = ptr(e.ValueDKK)
	if e.Report != nil {
		r := *e.Report
		r.Withdrawn, r.Groundless = ptr(r.Withdrawn), ptr(r.Groundless)
		e.Report = &r
	}
	e.Statements, e.Links = slices.Clone(e.Statements), slices.Clone(e.Links)
	e.Circle = e.Circle.Clone()
	return e
}

// Clone returns a copy of c that shares no memory with it.
func (c Circle) Clone() Circle {
	c.Trades, c.Chains, c.Members = slices.Clone(c.Trades), slices.Clone(c.Chains), slices.Clone(c.Members)
	return c
}

func ptr[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}
