package casework

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"veilbox/appliance/audit"
	"veilbox/appliance/incident"
)

// droppedEvery is how often the extranet is asked what the members that were
// taken out of a circle have recorded.
const droppedEvery = 5 * time.Minute

// polled is when it was asked last, by the case.
type polled struct {
	mu sync.Mutex
	m  map[incident.CaseID]time.Time
}

func (p *polled) due(id incident.CaseID, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if last, ok := p.m[id]; ok && now.Sub(last) < droppedEvery && !now.Before(last) {
		return false
	}
	if p.m == nil {
		p.m = map[incident.CaseID]time.Time{}
	}
	p.m[id] = now
	return true
}

func (p *polled) done(id incident.CaseID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.m, id)
}

// waitsForDropped reports whether somebody who was dropped from c's circle has
// not been told or has not recorded the deletion.
func waitsForDropped(c incident.Case) bool {
	return c.State != incident.Deleted && c.Disclosure != nil && slices.ContainsFunc(c.Narrowings, func(n incident.Narrowing) bool {
		return slices.ContainsFunc(n.Dropped, func(d incident.Dropped) bool { return d.Told == nil || d.Deleted == nil })
	})
}

// pollDropped keeps what the extranet says of those who were dropped. An absent
// extranet is asked again later and holds nothing else up.
func (s *Service) pollDropped(ctx context.Context, cases []incident.Case) error {
	for _, c := range cases {
		if !waitsForDropped(c) {
			s.polled.done(c.ID)
			continue
		}
		if !s.polled.due(c.ID, s.o.Clock.Now()) {
			continue
		}
		said, err := s.o.Uplink.Deletions(ctx, c.Disclosure.ID)
		if err != nil {
			s.o.Log.Info("the extranet could not be asked what dropped members have deleted; it is asked again", "case", c.ID, "error", err)
			continue
		}
		if err := s.keepDropped(ctx, c.ID, said); err != nil {
			return err
		}
	}
	return nil
}

// maxNamed bounds how many members one entry of the audit log names.
const maxNamed = 20

func (s *Service) keepDropped(ctx context.Context, id incident.CaseID, said []incident.Dropped) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.load(ctx, id)
	if err != nil {
		return err
	}
	if s.releasing[id] || !waitsForDropped(c) {
		return nil
	}
	c = c.Clone()
	news := map[string][]incident.MemberID{}
	for i := range c.Narrowings {
		for j := range c.Narrowings[i].Dropped {
			d := &c.Narrowings[i].Dropped[j]
			for _, x := range said {
				if x.Member != d.Member {
					continue
				}
				if d.Told == nil && x.Told != nil {
					d.Told = utc(x.Told)
					news["told"] = append(news["told"], d.Member)
				}
				if d.Deleted == nil && x.Deleted != nil {
					d.Deleted = utc(x.Deleted)
					news["deleted"] = append(news["deleted"], d.Member)
				}
			}
		}
	}
	if len(news) == 0 {
		return nil
	}
	about := caseAbout(c)
	for what, list := range news {
		about[what] = named(list)
	}
	if err := s.recordAs(ctx, extranetWho, "", "disclosure.dropped", "medlemmer, der er taget ud af kredsen", about); err != nil {
		return err
	}
	_, err = s.save(ctx, c)
	return err
}

// named lists members for the log; how many there are beside them is said.
func named(list []incident.MemberID) string {
	list = slices.Sorted(slices.Values(list))
	var b strings.Builder
	for i, m := range list {
		if i == maxNamed || b.Len()+len(m) > audit.MaxValue-20 {
			fmt.Fprintf(&b, " +%d", len(list)-i)
			break
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(string(m))
	}
	return b.String()
}

func utc(t *time.Time) *time.Time {
	u := t.UTC()
	return &u
}
