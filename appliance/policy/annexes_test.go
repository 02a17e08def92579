package policy

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A statement is what annex 1 or 2 says of a condition, in its own words, and the
// cases that hold the rule to it: of its table, of the tables of endings
// ("ends: ") and of reassessments ("again: "), or a test by name, with its folder
// where that is another.
type statement struct {
	of    ConditionID
	words string
	cases []string
}

// statements is every statement of the annexes that a program can hold a case to.
var statements = []statement{
	{V1, "har eller formodes at have begået eller forsøgt at begå en eller flere berigelsesforbrydelser eller lignende", []string{"a theft", "an attempt passes", "violence", "vandalism", "handling", "no offence", "other", "an offence nobody knows"}},
	{V1, "med betydelig sikkerhed kunne antages at være de rette gerningspersoner", []string{"no basis", "it might be him", "a witness who guesses", "certainty lost"}},
	{V1, "hvis selve lovovertrædelsen klart fremgår af optagelserne", []string{"clearly seen on the recording"}},
	{V1, "kan andre omstændigheder, som for eksempel butiksansattes udsagn, inddrages", []string{"a witness in words", "a witness's statement", "a witness without words", "a witness without a function", "a witness who says nothing", "a witness of tomorrow"}},
	{V1, "straffelovens §§ 276-289 a, herunder tyveri, svindel med betalingskort og røveri", []string{"a theft", "a card fraud", "a robbery", "trick theft passes", "embezzlement passes", "extortion passes", "fraud passes"}},
	{V1, "nært beslægtet med berigelsesforbrydelser, som for eksempel brugstyveri", []string{"brugstyveri passes"}},
	{V1, "Lovovertrædelsen behøver ikke være fuldbyrdet. Et forsøg ... vil være tilstrækkeligt", []string{"an attempt passes"}},

	{V2, "et simpelt butikstyveri af et par poser slik og en sodavand", []string{"sweets and a soda"}},
	{V2, "Butikstyveri eller forsøg herpå for en værdi på over 500 kr.", []string{"501 kroner", "500 kroner", "an attempt at 501", "an attempt at 500"}},
	{V2, "svindel med betalingskort", []string{"card fraud of any value"}},
	{V2, "røveri", []string{"robbery without a value"}},
	{V2, "kassedyk, hvor gerningspersonen udnytter uopmærksomhed fra en kassemedarbejder", []string{"kassedyk of any value"}},
	{V2, "om der er tale om gentagelsestilfælde", []string{"repeated", "repeated, by a linked case", "linked without words", "not repeated, in words"}},
	{V2, "professionel eller organiseret karakter", []string{"professional", "organised", "not professional, in words"}},

	{V3, "konkrete grunde til at tro, at de formodede gerningspersoner i fremtiden igen vil begå kriminalitet", []string{"no reasons", "blank reasons", "reasons of dots"}},
	{V3, "en vis kvalificeret risiko for gentagelse", []string{"only that it cannot be excluded", "only a guess"}},
	{V3, "hvordan lovovertrædelsen er udført", []string{"the method"}},
	{V3, "grovheden af lovovertrædelsen", []string{"the gravity"}},
	{V3, "eventuelle tidligere, lignende tilfælde", []string{"few words and a linked case"}},
	{V3, "øvrige forhold, som tyder på, at der er risiko for, at andre erhvervsdrivende vil blive udsat", []string{"other circumstances"}},
	{V3, "Begrundelsen for den vurdering, som den kvalificerede fagperson har foretaget ... skal kunne dokumenteres", []string{"no reasons", "TestV9/approval without reasons"}},

	{V4, "senest samme døgn som videregivelsen være anmeldt til politiet", []string{"no report", "reported after the day of the disclosure", "not reported on the day of the disclosure", "ends: promised, midnight", "ends: reported the next day", "TestSameDayOverSummerTime"}},
	{V4, "bør så vidt muligt ske inden eller i umiddelbar forlængelse af videregivelsen", []string{"reported the minute before", "report promised", "TestPromiseHasADeadline"}},
	{V4, "Det skal kunne dokumenteres, at politianmeldelsen er indsendt", []string{"report without a number", "report without a time", "ends: reported in time, entered the next day"}},
	{V4, "i form af en kvittering for politianmeldelsen", []string{"no number, but the receipt itself", "no number, another document"}},

	{V5, "må ikke være direkte identificerbare på de videregivne optagelser", []string{"no copy", "proof failed", "no proof", "copy of another clip", "the camera's regions changed"}},
	{V5, "inden videregivelsen gennemgås for andre personer", []string{"nobody has looked", "sheet not looked at", "flags not looked at", "fewer flags looked at", "appliance/casework/TestACopyMadeAnewMustBeSeenAnew"}},
	{V5, "slettes, sløres eller på anden måde gøres ikke umiddelbart identificerbare", []string{"proof failed", "copy changed after approval", "appliance/casework/TestRedactMakesAProvedSealedCopy", "appliance/casework/TestADamagedCopyIsNotReleased"}},

	{V6, "den kreds af erhvervsdrivende, som er vurderet omfattet af risikoen for ligeartet kriminalitet", []string{"no members", "no reason", "wider than released"}},
	{V6, "hvilket geografisk område (by, region, hele landet)", []string{"no area", "an odd area", "a town", "a town without a name", "no reason for the area", "the whole country, no group and no trait", "the whole country in few words"}},
	{V6, "hvilke grupper af erhvervsdrivende (brancher, butikskæder el. lign.)", []string{"each choice with its reason", "no reason for the trades", "no reason for the chains"}},
	{V6, "tricktyverier eller forsøg herpå mod en række butikker inden for en bestemt branche i flere byer", []string{"trick thefts in one trade in several towns"}},
	{V6, "ikke være tilstrækkeligt, at det blot ikke kan udelukkes", []string{"only that it cannot be excluded", "a chain because it cannot be excluded", "a trade just in case", "TestCannotBeExcluded"}},
	{V6, "Hvis det senere viser sig, at risikoen er mindre omfattende end først antaget", []string{"smaller than released", "back after it was taken out", "ends: narrowed", "ends: one that was taken out is back"}},
	{V6, "hurtigst muligt underrettes herom samt om, at de uden unødigt ophold skal slette", []string{"appliance/casework/TestNarrow", "appliance/casework/TestWhoDroppedOutIsToldAndDeletes", "uplink/extranet/TestNarrowedAndDeleted"}},

	{V7, "kun ske til et begrænset antal autoriserede personer", []string{"nobody submitted", "no assessor", "tagger without an account", "tagger nameless"}},
	{V7, "en formel autorisationsordning", []string{"authorisation by nobody", "tagger's authorisation over", "tagger's authorisation not begun", "submitter's authorisation over", "appliance/account/TestAuthorisationEndsByItself"}},
	{V7, "som følge af deres funktion og arbejdsopgaver har behov for", []string{"authorisation for no need", "appliance/account/TestReview"}},
	{V7, "ikke en forudsætning, at der er ansat personer, der udelukkende beskæftiger sig med systemet", []string{"somebody who does other work too"}},
	{V7, "omfatte de fagligt kvalificerede personer", []string{"assessor's authorisation over", "again: no authorisation"}},
	{V7, "Det skal kunne dokumenteres, for eksempel ved logning af systemets brug, hvem der har tilgået optagelserne", []string{"appliance/casework/TestAViewingIsOnePersonsAndEnds", "uplink/extranet/TestDisclosure"}},

	{V8, "så snart ét eller flere af ovenstående vilkår ikke længere er opfyldt", []string{"ends: worth less than thought", "ends: another copy", "ends: nobody left in the circle"}},
	{V8, "senest efter 30 dage fra videregivelsens iværksættelse", []string{"disclosed 30 days ago", "ends: day 30", "ends: day 30, a later end stored", "TestNoTimeIsGained"}},
	{V8, "de videregivne optagelser eller billeder slettes i systemet", []string{"uplink/extranet/TestThirtyDays", "uplink/extranet/TestPurgeIsTriedAgain"}},
	{V8, "Det skal løbende vurderes, hvorvidt betingelserne for videregivelsen fortsat er opfyldt", []string{"no next assessment", "next assessment on day 30", "ends: reassessment missed", "again: all hold", "again: too late", "TestRemindAt", "appliance/casework/TestReassessAsksAllNine"}},
	{V8, "ikke længere med betydelig sikkerhed kan antages at være gerningspersonerne", []string{"ends: no longer certain", "ends: certainty lost, as a fact", "again: no longer certain"}},
	{V8, "hvis politianmeldelsen trækkes tilbage", []string{"ends: withdrawn", "ends: withdrawn, as a fact", "again: report withdrawn"}},
	{V8, "hvis politiet finder politianmeldelsen grundløs", []string{"ends: groundless", "ends: groundless, as a fact"}},
	{V8, "fordi der er passeret lang tid uden gentagelse af lovovertrædelsen", []string{"ends: a long time without repetition"}},
	{V8, "fordi politiet har tiltalt gerningspersonerne", []string{"ends: charged", "ends: charged, as a fact", "again: charged", "appliance/casework/TestAFactEndsADisclosureAtOnce"}},

	{V9, "en eller flere fagpersoner med relevant uddannelsesbaggrund, herunder efteruddannelse, og relevant erfaring", []string{"no qualification", "no education", "no experience", "a competence that is none", "qualification over"}},
	{V9, "ved hver enkelt videregivelse skal inddrages, inden videregivelsen finder sted", []string{"appliance/casework/TestTheGateIsAskedAgainWhenItIsSigned", "uplink/extranet/TestABoxTakenOverCannotApprove", "not assessed", "refused", "approval of another copy", "approval in the future"}},
	{V9, "ikke et krav, at hver erhvervsdrivende ... skal ansætte kvalificerede fagpersoner", []string{"a professional of another shop"}},
	{V9, "flere fagpersoner med forskellige kompetencer inden for f.eks. jura, sikkerhed og sager om berigelseskriminalitet, der tilsammen", []string{"doubtful, two assessors together", "doubtful, two assessors with a refusal between", "TestOnlyWholeApprovalsAddUp"}},
	{V9, "større krav til de kompetencer, der skal inddrages første gang", []string{"first of its kind, one competence", "first of its kind, two competences"}},
	{V9, "større krav til kompetencerne i tvivlstilfælde", []string{"doubtful, one competence", "doubtful, two competences", "doubtful, the same competence twice"}},
	{V9, "de helt oplagte situationer, som f.eks. kan fremgå af konkrete retningslinjer", []string{"a clear case after a guideline", "a doubtful case after a guideline", "the first of its kind after a guideline"}},
}

// caseNames returns the names by which a statement may name a case of id.
func caseNames(t *testing.T, id ConditionID) map[string]bool {
	names := map[string]bool{}
	for i, table := range tables {
		for _, ch := range table {
			if Conditions[i] == id {
				names[ch.name] = true
			}
			names[fmt.Sprintf("TestV%d/%s", i+1, ch.name)] = true
		}
	}
	for _, c := range endCases {
		names["ends: "+c.name] = true
	}
	for _, c := range reassessCases {
		names["again: "+c.name] = true
	}
	for _, f := range testFuncs(t, ".") {
		names[f.name] = true
	}
	return names
}

// TestEveryStatementHasACase: what the annexes say is what the tables hold the
// rules to.
func TestEveryStatementHasACase(t *testing.T) {
	have := map[ConditionID]int{}
	for _, s := range statements {
		have[s.of]++
		names := caseNames(t, s.of)
		if len(s.cases) == 0 || strings.TrimSpace(s.words) == "" {
			t.Errorf("%s: %q has no case", s.of, s.words)
		}
		for _, c := range s.cases {
			if dir, name := path.Split(c); strings.HasPrefix(c, "uplink/") || strings.HasPrefix(c, "appliance/") {
				if !slices.ContainsFunc(testFuncs(t, filepath.Join(root, dir)), func(f testFunc) bool { return f.name == name }) {
					t.Errorf("%s: there is no test %s in %s", s.of, name, dir)
				}
				continue
			}
			if !names[c] {
				t.Errorf("%s: %q names the case %q, which is not there", s.of, s.words, c)
			}
		}
	}
	for _, id := range Conditions {
		if have[id] < 3 {
			t.Errorf("%s has %d statements", id, have[id])
		}
	}
	for i, table := range tables {
		seen := map[string]bool{}
		for _, ch := range table {
			if seen[ch.name] {
				t.Errorf("two cases of %s are called %q", Conditions[i], ch.name)
			}
			seen[ch.name] = true
		}
	}
}
