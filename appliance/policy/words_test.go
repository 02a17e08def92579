package policy

import (
	"slices"
	"testing"
)

func TestCannotBeExcluded(t *testing.T) {
	for reason, want := range map[string]bool{
		"Det kan ikke udelukkes, at de også rammer butikkerne i Jylland i den nærmeste fremtid":                      true,
		"Alle butikker i hele landet, fordi vi ikke kan udelukke at personen kommer forbi":                           true,
		"Vi kan IKKE\u00a0udelukke, at han dukker op i andre butikker i landet":                                      true,
		"Man kan ikke afvise, at personen rejser til Sjælland og stjæler fra andre butikker":                         true,
		"Det er ikke udelukket at alle kæder i Danmark kan blive ramt af samme gerningsmand":                         true,
		"It cannot be excluded that they will come to every shop of the country some day":                            true,
		"We can't rule out that other shops in other towns are hit by the same person":                               true,
		"We can not rule it out for the shops in Jutland and the other places":                                       true,
		"Det kan ikke udelukkes. Ja. Nej. Ok.":                                                                       true,
		"Det kan ikke udelukkes, at personen har ramt andre butikker i Jylland og på Fyn":                            true,
		"Personen har været i Odense, så det kan ikke udelukkes, at alle i Danmark bliver ramt":                      true,
		"Kan ikke afvises for de øvrige butikker i regionen":                                                         true,
		"Der kan ikke ses bort fra, at de kommer til hele Sjælland en dag":                                           true,
		"Det er ikke usandsynligt, at også kæderne i Jylland bliver ramt på et tidspunkt":                            true,
		"Det er ikke utænkeligt, at de rejser videre til alle dele af landet":                                        true,
		"Det er muligt, at personen også kommer til butikkerne i de andre byer":                                      true,
		"Det kunne tænkes, at personen også kommer til butikkerne i de andre byer":                                   true,
		"Man ved aldrig, hvor sådan en bande dukker op næste gang i Danmark":                                         true,
		"Muligvis bliver andre butikker i hele landet også ramt af de samme":                                         true,
		"Personen kommer muligvis til alle kæder og butikker i hele landet i den nærmeste fremtid":                   true,
		"De kan måske komme til Jylland, Fyn, Sjælland og Bornholm inden for de næste uger":                          true,
		"Alle kæder er taget med for en sikkerheds skyld, så ingen bliver glemt":                                     true,
		"For at være på den sikre side er hele regionen med i kredsen denne gang":                                    true,
		"Hele landet som en forholdsregel mod omrejsende tyve i denne tid":                                           true,
		"All shops of the country just in case they travel around to other towns":                                    true,
		"To be on the safe side every chain of the region is part of the circle":                                     true,
		"Better safe than sorry, so every shop in the whole region is included here":                                 true,
		"You never know where such people turn up next in this country of ours":                                      true,
		"They might come to other towns in the region and to the islands as well":                                    true,
		"It is possible that the other chains of the country will be hit by them too":                                true,
		"It is not unlikely that they travel on to the other regions of the country":                                 true,
		"Perhaps the shops in the rest of the country are exposed to the same persons":                               true,
		"Personen har ramt dagligvarebutikker i tre fynske byer på samme måde":                                       false,
		"Personen har ramt tre butikker i Odense, muligvis flere":                                                    false,
		"Samme bande var i tre butikker i Odense og måske i Nyborg":                                                  false,
		"Samme bande er set i Odense, Svendborg og Nyborg i denne uge. Vejle kan ikke udelukkes.":                    false,
		"The same gang was seen in shops in Odense, Svendborg and Nyborg this week, all by the road.":                false,
		"De har slået til mod fire guldsmede i Vejle og Kolding, og det kan ikke udelukkes, at de fortsætter på Fyn": false,
		"They have hit four jewellers in Vejle, Kolding and Odense, and perhaps a fifth":                             false,
		"Kun butikker med åbent efter 22 er blevet udsat for det":                                                    false,
		"Vi ved fra politiet, at banden kører langs E20 og kun tager parfume":                                        false,
		"Optagelsen gør det muligt at se, at hun går efter dyre cremer, som kun føres i kædens butikker":             false,
		"Han afviste at betale og truede personalet i alle tre forretninger i gaden":                                 false,
		"Ikke alle butikker er med: kun dem med selvbetjent guldafdeling på Fyn":                                     false,
		"Banden kender kædens alarmer og har ikke ramt andre kæder i de fem byer":                                    false,
		"": false,
	} {
		if got := onlyNotExcluded(reason); got != want {
			t.Errorf("%q: %v, want %v", reason, got, want)
		}
		if want {
			c := good()
			c.Evidence.Circle.Reason = reason
			if got := codes(Assess(c, noon, Settings{}).Missing()); !slices.Contains(got, "v6.not-excluded") {
				t.Errorf("%q: %v", reason, got)
			}
		}
	}
}

func TestTold(t *testing.T) {
	for text, want := range map[string]bool{
		"Set fire gange siden januar":                       true,
		"Ikke første gang i denne måned":                    true,
		"Ingen tvivl: samme mand som i maj":                 true,
		"Ingen i april. Samme mand tog parfume tre gange":   true,
		"Not the first theft by the same woman":             true,
		"Ingen kendte tidligere tilfælde":                   false,
		"Der er ingen kendte tilfælde hos os":               false,
		"Vi kender ikke noget til andre":                    false,
		"Nej, det er det ikke":                              false,
		"Ved ikke noget om det":                             false,
		"None that we know of":                              false,
		"There are no earlier cases":                        false,
		"Never seen before in here":                         false,
		"Aldrig set før her":                                false,
		"-":                                                 false,
		"n/a n/a n/a":                                       false,
		"":                                                  false,
		"Ukendt for personalet":                             false,
		"Professionelt udført: foret taske og medhjælper":   true,
		"No doubt organised: three people and a stolen van": true,
	} {
		if got := shortReason.told(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}
