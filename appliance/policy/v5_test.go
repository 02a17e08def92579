package policy

import (
	"testing"

	"veilbox/appliance/incident"
	"veilbox/capture/footage"
	"veilbox/redact/subject"
)

var v5Cases = []change{
	{"no copy", func(c *incident.Case) { c.Copy = nil }, "v5.copy"},
	{"proof failed", func(c *incident.Case) { c.Copy.Passed = false }, "v5.proof"},
	{"no proof", func(c *incident.Case) { c.Copy.Proof = footage.ProofHash{} }, "v5.proof"},
	{"no sheet", func(c *incident.Case) {
		c.Copy.Sheet = footage.SheetHash{}
		c.Assessments[0].SawSheet = footage.SheetHash{}
	}, "v5.sheet"},
	{"copy of another clip", func(c *incident.Case) { c.Copy.Clip = footage.ClipHash{Hash: hash(9)} }, "v5.clip"},
	{"clip changed", func(c *incident.Case) { c.Clip.Hash = footage.ClipHash{Hash: hash(9)} }, "v5.clip"},
	{"no hash of the clip", func(c *incident.Case) { c.Clip.Hash, c.Copy.Clip = footage.ClipHash{}, footage.ClipHash{} }, "v5.clip"},
	{"copy changed after approval", func(c *incident.Case) { c.Copy.Hash = footage.CopyHash{Hash: hash(9)} }, "v5.copy-changed"},
	{"sheet not looked at", func(c *incident.Case) { c.Assessments[0].SawSheet = footage.SheetHash{} }, "v5.not-seen"},
	{"nobody has looked", func(c *incident.Case) { c.Assessments = nil }, "v5.look"},
	{"sheet changed", func(c *incident.Case) { c.Copy.Sheet = footage.SheetHash{Hash: hash(9)} }, "v5.not-seen"},
	{"everybody veiled", func(c *incident.Case) { c.Copy.Mode = subject.BlurEverything }, "v5.training"},
	{"the scene shown", func(c *incident.Case) { c.Copy.Mode, c.Copy.Scene = subject.StillScene, true }, ""},
	{"the camera's regions changed", func(c *incident.Case) { c.Copy.Outdated = true }, "v5.veiled-changed"},
	{"sound without a reason", func(c *incident.Case) { c.Copy.Sound = &incident.Sound{Reason: "xxx"} }, "v5.sound"},
	{"sound with a reason", func(c *incident.Case) {
		c.Copy.Sound = &incident.Sound{Reason: "Han truer ekspedienten højt, og det skal høres."}
	}, ""},
	{"flags not looked at", func(c *incident.Case) { c.Copy.Flagged.Spans = 2 }, "v5.flagged"},
	{"fewer flags looked at", func(c *incident.Case) { c.Copy.Flagged.Spans, c.Assessments[0].SawFlagged = 2, 1 }, "v5.flagged"},
	{"all flags looked at", func(c *incident.Case) { c.Copy.Flagged.Spans, c.Assessments[0].SawFlagged = 2, 2 }, ""},
}

func TestV5(t *testing.T) { runCases(t, V5, v5Cases) }
