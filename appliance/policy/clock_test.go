package policy

import (
	"math/rand/v2"
	"testing"
	"time"

	"veilbox/appliance/incident"
)

// future are the changes after which the evidence is dated after what the clock
// says: a later now may bring them back, which is why an ending is written down.
var future = map[string]bool{
	"in the future": true, "report in the future": true, "report in the future, promised": true, "a witness of tomorrow": true,
}

// TestOnceEndedStaysEnded: whatever the clock says, in whatever order, what has
// ended by the latest time seen does not go on; and where the case has recorded a
// time, a clock behind it changes nothing.
func TestOnceEndedStaysEnded(t *testing.T) {
	t.Logf("seed %d (-seed)", *modelSeed)
	rnd := rand.New(rand.NewPCG(*modelSeed, 3))
	ended, went := 0, 0
	for range 600 {
		c := running()
		ch := changes[rnd.IntN(len(changes))]
		if future[ch.name] {
			continue
		}
		ch.do(&c)
		if c.Disclosure == nil || c.Disclosure.Ended != nil {
			continue
		}
		if rnd.IntN(2) == 0 {
			reassessed(9*day, time.Duration(10+rnd.IntN(25))*day)(&c)
		}
		now, high, over := noon, noon, false
		for range 40 {
			now = now.Add(time.Duration(rnd.Int64N(int64(7*day))) - 3*day)
			if now.After(high) {
				high = now
			}
			e, ends := Ends(c, high)
			if over && !ends {
				t.Fatalf("%s: goes on at %v", ch.name, high)
			}
			if ends && !over {
				ended++
			}
			over = ends
			if ends != (e.By != "") || !over && high.Sub(c.Disclosure.Released) >= MaxDisclosure {
				t.Fatalf("%s: %+v at %v", ch.name, e, high)
			}
		}
		if !over {
			went++
		}
		// A clock behind what the case records is as the clock at that time.
		known := latest(c, noon.Add(-99*day))
		a, x := Ends(c, known)
		b, y := Ends(c, noon.Add(-99*day))
		if x != y || a != b {
			t.Fatalf("%s: a clock set back answers %+v, not %+v", ch.name, b, a)
		}
	}
	if ended < 120 || went < 25 {
		t.Errorf("%d ended and %d went on: the test says little", ended, went)
	}
}

// TestNoTimeIsGained: neither a later date in the evidence nor one in the
// disclosure, nor a reassessment, makes a disclosure last longer than it was
// released for.
func TestNoTimeIsGained(t *testing.T) {
	for name, do := range map[string]func(*incident.Case){
		"a later end stored":      func(c *incident.Case) { c.Disclosure.NotAfter = noon.Add(90 * day) },
		"a later report day":      func(c *incident.Case) { c.Disclosure.ReportDue = noon.Add(90 * day) },
		"reassessed to day 29":    reassessed(28*day, 29*day),
		"reassessed past day 30":  reassessed(28*day, 60*day),
		"disclosed again by hand": func(c *incident.Case) { c.Disclosure.Disclosed = at(20 * day) },
	} {
		c := running()
		c.Evidence.NextReassessment = at(29 * day)
		do(&c)
		if _, ends := Ends(c, noon.Add(30*day)); !ends {
			t.Errorf("%s: goes on after 30 days", name)
		}
		if v := Reassess(c, incident.Reassessment{By: person("p3", "Eva Friis", "law"), At: noon.Add(30 * day), Reasons: saysYes, Next: noon.Add(31 * day)}, noon.Add(30*day), Settings{}); v.Satisfied() {
			t.Errorf("%s: reassessed after 30 days", name)
		}
	}
}
