package casework

import (
	"veilbox/capture"
	"veilbox/internal/problem"
)

// counted says in plain words what each counter of a recorder means.
var counted = []struct {
	code         string
	of           func(capture.Counters) uint64
	text, remedy problem.Text
}{
	{"dropped", func(c capture.Counters) uint64 { return c.DroppedGOPs },
		problem.Text{DA: "gange er et stykke optagelse tabt, fordi disken ikke fulgte med", EN: "times a piece of the recording was lost because the disk could not keep up"},
		problem.Text{DA: "Kontrollér, om disken er fuld eller ved at være slidt op. Skift den, hvis det fortsætter.", EN: "Check whether the disk is full or wearing out. Replace it if it goes on."}},
	{"dropped-parts", func(c capture.Counters) uint64 { return c.DroppedParts },
		problem.Text{DA: "stykker optagelse er tabt, fordi disken ikke tog imod i 30 sekunder", EN: "pieces of the recording were lost because the disk took nothing for 30 seconds"},
		problem.Text{DA: "Kontrollér, om disken er fuld eller fejler. Skift den, hvis det sker igen.", EN: "Check whether the disk is full or failing. Replace it if it happens again."}},
	{"unstored", func(c capture.Counters) uint64 { return c.UnstoredUnits },
		problem.Text{DA: "billeder blev modtaget og ikke gemt", EN: "pictures were received and not stored"},
		problem.Text{DA: "Tallet hører til de andre linjer her; følg rådene ved dem.", EN: "The number belongs to the other lines here; follow their advice."}},
	{"refused", func(c capture.Counters) uint64 { return c.RefusedParts },
		problem.Text{DA: "stykker optagelse afviste lageret for altid", EN: "pieces of the recording were refused by the store for good"},
		problem.Text{DA: "Kontrollér boksens ur, og genstart kameraet.", EN: "Check the box's clock and restart the camera."}},
	{"storage", func(c capture.Counters) uint64 { return c.StorageErrors },
		problem.Text{DA: "gange kunne der ikke gemmes i første forsøg", EN: "times storing failed at the first attempt"},
		problem.Text{DA: "Sker det igen og igen, så kontrollér disken.", EN: "If it happens again and again, check the disk."}},
	{"lost", func(c capture.Counters) uint64 { return c.LostPackets },
		problem.Text{DA: "pakker fra kameraet gik tabt på vejen", EN: "packets of the camera were lost on the way"},
		problem.Text{DA: "Kontrollér netværkskablet og switchen, eller vælg TCP i kameraets opsætning her.", EN: "Check the network cable and switch, or choose TCP in the camera's set-up here."}},
	{"damaged", func(c capture.Counters) uint64 { return c.DroppedUnits },
		problem.Text{DA: "billeder kom beskadiget eller for store og er udeladt", EN: "pictures came damaged or too large and were left out"},
		problem.Text{DA: "Kontrollér netværket. Bliver det ved, så sænk kameraets billedkvalitet eller opdater dets firmware.", EN: "Check the network. If it goes on, lower the camera's quality or update its firmware."}},
	{"malformed", func(c capture.Counters) uint64 { return c.Malformed },
		problem.Text{DA: "dele af strømmen gav ingen mening", EN: "pieces of the stream made no sense"},
		problem.Text{DA: "Genstart kameraet. Bliver det ved, så opdater eller skift det.", EN: "Restart the camera. If it goes on, update or replace it."}},
	{"rogue", func(c capture.Counters) uint64 { return c.RogueTimes },
		problem.Text{DA: "tidsstempler fra kameraet var forkerte; boksens ur er brugt i stedet", EN: "time stamps of the camera were wrong; the box's clock was used instead"},
		problem.Text{DA: "Intet er tabt. Sæt kameraets ur til at følge boksen (NTP).", EN: "Nothing is lost. Let the camera's clock follow the box (NTP)."}},
	{"drift", func(c capture.Counters) uint64 { return c.Drifts },
		problem.Text{DA: "gange er kameraets ur rettet ind, fordi det løb skævt", EN: "times the camera's clock was corrected because it ran askew"},
		problem.Text{DA: "Intet er tabt. Sæt kameraets ur til at følge boksen (NTP).", EN: "Nothing is lost. Let the camera's clock follow the box (NTP)."}},
	{"steps", func(c capture.Counters) uint64 { return c.ClockSteps },
		problem.Text{DA: "gange sprang boksens eget ur", EN: "times the box's own clock stepped"},
		problem.Text{DA: "Kontrollér, at boksen kan nå en tidsserver.", EN: "Check that the box reaches a time server."}},
	{"formats", func(c capture.Counters) uint64 { return c.FormatChanges },
		problem.Text{DA: "gange skiftede kameraet billedformat midt i optagelsen", EN: "times the camera changed its picture format while it was recorded"},
		problem.Text{DA: "Har ingen ændret kameraets indstillinger, så slå automatisk kvalitet fra i kameraet.", EN: "If nobody changed the camera's settings, switch automatic quality off in the camera."}},
	{"audio", func(c capture.Counters) uint64 { return c.AudioDropped },
		problem.Text{DA: "stykker lyd kom beskadiget eller blev ikke gemt", EN: "pieces of sound came damaged or were not stored"},
		problem.Text{DA: "Billederne er ikke berørt.", EN: "The pictures are not affected."}},
	{"audio-off", func(c capture.Counters) uint64 { return c.AudioReanchored },
		problem.Text{DA: "gange var lyden ude af takt med billederne og er rettet ind", EN: "times the sound was out of step with the pictures and was set right"},
		problem.Text{DA: "Billederne er ikke berørt. Bliver det ved, så genstart kameraet.", EN: "The pictures are not affected. If it goes on, restart the camera."}},
	{"gaps", func(c capture.Counters) uint64 { return c.Gaps },
		problem.Text{DA: "huller på over 5 sekunder", EN: "gaps of more than 5 seconds"},
		problem.Text{DA: "Se på tidslinjen hvornår. Kontrollér kameraets strøm og netværk.", EN: "The time line shows when. Check the camera's power and network."}},
}

// countsOf lists what has gone wrong; nothing where all is well.
func countsOf(c capture.Counters) []CameraCount {
	var all []CameraCount
	for _, x := range counted {
		if n := x.of(c); n > 0 {
			all = append(all, CameraCount{Code: x.code, Count: n, Text: x.text, Remedy: x.remedy})
		}
	}
	return all
}
