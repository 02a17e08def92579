package incident

import "slices"

// Clone returns a copy of c that shares no memory with it, so that what was
// approved stays as it was while the case goes on.
func (c Case) Clone() Case {
	c.Tagged = c.Tagged.Clone()
	c.Subject.Keyframes = slices.Clone(c.Subject.Keyframes)
	for i, k := range c.Subject.Keyframes {
		c.Subject.Keyframes[i].Rect = ptr(k.Rect)
	}
	c.Copy = ptr(c.Copy)
	c.Evidence = c.Evidence.Clone()
	if c.SubmittedBy != nil {
		p := c.SubmittedBy.Clone()
		c.SubmittedBy = &p
	}
	c.Assessments = slices.Clone(c.Assessments)
	for i := range c.Assessments {
		c.Assessments[i].Assessor = c.Assessments[i].Assessor.Clone()
	}
	if c.Disclosure != nil {
		d := *c.Disclosure
		d.Disclosed, d.Ended = ptr(d.Disclosed), ptr(d.Ended)
		c.Disclosure = &d
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
