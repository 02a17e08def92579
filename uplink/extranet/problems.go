package extranet

import (
	"net/http"

	"veilbox/internal/problem"
)

func p(status int, code, causeDA, causeEN, remedyDA, remedyEN string) *problem.Problem {
	return problem.New(status, code, problem.Text{DA: causeDA, EN: causeEN}, problem.Text{DA: remedyDA, EN: remedyEN})
}

const (
	askOperatorDA = "Kontakt operatøren."
	askOperatorEN = "Call the operator."
	assessAgainDA = "Ret sagen, og få den vurderet på ny."
	assessAgainEN = "Correct the case and have it assessed anew."
)

// Problems of starting.
var (
	ErrClockUnset = p(http.StatusInternalServerError, "extranet.clock-unset", "Maskinens ur er ikke stillet.", "The machine's clock is not set.",
		"Stil uret (timedatectl set-ntp true), og start igen.", "Set the clock (timedatectl set-ntp true) and start again.")
	ErrDir = p(http.StatusInternalServerError, "extranet.dir", "Der kan ikke skrives i ekstranettets mappe.", "The extranet's folder cannot be written to.",
		"Giv tjenestens bruger ejerskab over mappen, eller frigør plads.", "Make the service's user own the folder, or free some space.")
	ErrPort = p(http.StatusInternalServerError, "extranet.port", "Adressen kan ikke bruges; den er optaget, findes ikke her eller kræver rettigheder.", "The address cannot be listened on; it is taken, not this machine's, or needs rights.",
		"Vælg en anden port i opsætningen, eller stop det program, der bruger den (ss -ltnp).", "Choose another port in the configuration, or stop the program that uses it (ss -ltnp).")
)

// Problems of a box's call.
var (
	errNoCert = p(http.StatusUnauthorized, "box.certificate", "Kaldet har intet gyldigt bokscertifikat.", "The call carries no valid box certificate.",
		"Tilmeld boksen.", "Enrol the box.")
	errRevoked = p(http.StatusForbidden, "box.revoked", "Boksen er spærret, eller dens butik er ikke længere tilsluttet.", "The box is revoked, or its shop is no longer connected.",
		askOperatorDA, askOperatorEN)
	errNotFound = p(http.StatusNotFound, "missing", "Det findes ikke, eller I har ikke adgang til det.", "There is no such thing, or it is not for you.",
		"Genindlæs listen.", "Reload the list.")
	errMessage = p(http.StatusBadRequest, "message", "Kaldet følger ikke protokollen.", "The call does not follow the protocol.",
		"Opdatér begge programmer til samme udgave.", "Bring both programs to the same release.")
	errBusy = p(http.StatusTooManyRequests, "busy", "For mange forsøg på kort tid.", "Too many attempts in a short time.",
		"Vent lidt, og prøv igen.", "Wait a little and try again.")

	errCodeBad = p(http.StatusBadRequest, "enrol.bad", "Tilmeldingskoden er ikke gyldig.", "The enrolment code is not valid.",
		"Kopiér hele koden fra operatøren, eller bed om en ny.", "Copy the whole code from the operator, or ask for a new one.")
	errCodeUsed = p(http.StatusConflict, "enrol.used", "Tilmeldingskoden er brugt.", "The enrolment code has been used.",
		"Bed operatøren om en ny kode. Har I ikke selv brugt den, så sig det til operatøren.", "Ask the operator for a new code. If you did not use it yourselves, tell the operator.")
	errCodeExpired = p(http.StatusGone, "enrol.expired", "Tilmeldingskoden er udløbet.", "The enrolment code has run out.",
		"Bed operatøren om en ny kode.", "Ask the operator for a new code.")

	errHead = p(http.StatusConflict, "audit.fork", "Boksens revisionslog fortsætter ikke den, ekstranettet kender.", "The box's audit log does not extend the one the extranet knows.",
		"Loggen kan være ændret. Operatøren har fået en alarm; rør ikke boksen, før den er undersøgt.", "The log may have been changed. The operator has been alarmed; leave the box alone until it has been looked at.")
)

// Problems of a disclosure.
var (
	errMalformed = p(http.StatusUnprocessableEntity, "disclosure.malformed", "Delingen er ikke udfyldt rigtigt.", "The disclosure is not filled in rightly.", assessAgainDA, assessAgainEN)
	errSender    = p(http.StatusForbidden, "disclosure.sender", "Delingen er lavet af en anden boks end den, der sender den.", "The disclosure was made by another box than the one that sends it.",
		"Send den fra den boks, der lavede den.", "Send it from the box that made it.")
	errBoxSignature      = p(http.StatusForbidden, "disclosure.box-signature", "Boksens underskrift holder ikke.", "The box's signature does not hold.", assessAgainDA, assessAgainEN)
	errAssessorSignature = p(http.StatusForbidden, "disclosure.assessor-signature", "Vurdererens underskrift holder ikke (vilkår 9).", "The assessor's signature does not hold (V9).", assessAgainDA, assessAgainEN)
	errAssessorUnknown   = p(http.StatusForbidden, "disclosure.assessor-unknown", "Vurdereren er ikke registreret for butikken (vilkår 9).", "The assessor is not registered for the shop (V9).",
		"Registrér vurdereren, og få sagen vurderet på ny.", "Register the assessor and have the case assessed anew.")
	errAssessorPending = p(http.StatusForbidden, "disclosure.assessor-unconfirmed", "Vurdereren er ikke bekræftet af operatøren (vilkår 9).", "The operator has not confirmed the assessor (V9).",
		"Bed operatøren bekræfte vurdereren, og få sagen vurderet på ny.", "Ask the operator to confirm the assessor, and have the case assessed anew.")
	errAssessorEnded = p(http.StatusForbidden, "disclosure.assessor-ended", "Vurdererens registrering gælder ikke længere (vilkår 9).", "The assessor's registration no longer holds (V9).",
		"Lad en anden vurderer se på sagen.", "Have another assessor look at the case.")
	errOldManifest = p(http.StatusUnprocessableEntity, "disclosure.version", "Delingen er ikke godkendt med vurdererens adgangsnøgle (vilkår 9).", "The disclosure was not approved with the assessor's passkey (V9).",
		"Opdatér boksen, og få sagen vurderet på ny.", "Update the box and have the case assessed anew.")
	errKeyTaken = p(http.StatusConflict, "assessor.taken", "Nøglen er registreret for en anden person.", "The key is registered for another person.",
		"Lav en nøgle, som kun denne person har.", "Make a key that this person alone has.")
	errNotEnded = p(http.StatusConflict, "disclosure.running", "Delingen løber stadig; der er intet at slette endnu.", "The disclosure still runs; there is nothing to delete yet.",
		"Vent, til jeres adgang er ophørt.", "Wait until your access has ended.")
	errCondition = p(http.StatusUnprocessableEntity, "disclosure.condition", "Ikke alle ni vilkår er opfyldt.", "Not all nine conditions are satisfied.", assessAgainDA, assessAgainEN)
	errTooLong   = p(http.StatusUnprocessableEntity, "disclosure.too-long", "En deling varer højst 30 dage (vilkår 8).", "A disclosure lasts 30 days at most (V8).", assessAgainDA, assessAgainEN)
	errOver      = p(http.StatusGone, "disclosure.over", "Delingens tid er udløbet (vilkår 8).", "The disclosure's time has run out (V8).", assessAgainDA, assessAgainEN)
	errReportDue = p(http.StatusUnprocessableEntity, "disclosure.report-due", "Fristen for politianmeldelse er ikke udløbet af delingens dag (vilkår 4).", "The report to the police is not due at the end of the day of the disclosure (V4).", assessAgainDA, assessAgainEN)
	errReport    = p(http.StatusGone, "disclosure.report-missing", "Dagen er gået uden dokumenteret politianmeldelse (vilkår 4).", "The day has ended without a documented report to the police (V4).",
		"Anmeld til politiet, og få sagen vurderet på ny.", "Report to the police and have the case assessed anew.")
	errShows = p(http.StatusUnprocessableEntity, "disclosure.shows", "Kopien er ikke en, der må videregives: den skal vise den mistænkte og ikke andre, og lyd kræver fagpersonens begrundelse (vilkår 5).", "The copy is none that may be disclosed: it must show the suspect and nobody else, and sound needs the assessor's reason (V5).",
		"Lav kopien om på sagens side, og få den vurderet igen.", "Make the copy anew on the case's page and have it assessed again.")
	errTimes = p(http.StatusUnprocessableEntity, "disclosure.clock", "Delingen har en tid, der ikke er kommet endnu.", "The disclosure carries a time that is yet to come.",
		"Stil boksens ur, og få sagen vurderet på ny.", "Set the box's clock and have the case assessed anew.")
	errCircle = p(http.StatusUnprocessableEntity, "disclosure.circle", "Kredsen holder ikke: et medlem findes ikke, er ikke aktivt, eller der er ingen modtagere (vilkår 6).", "The circle does not hold: a member is unknown or not active, or there is nobody to receive (V6).",
		"Ret kredsen efter medlemslisten, og få sagen vurderet på ny.", "Correct the circle by the member list and have the case assessed anew.")
	errRecipients = p(http.StatusUnprocessableEntity, "disclosure.recipients", "Modtagerne svarer ikke til kredsen (vilkår 6).", "The recipients are not those of the circle (V6).", assessAgainDA, assessAgainEN)
	errSize       = p(http.StatusRequestEntityTooLarge, "disclosure.size", "Videoen er større, end ekstranettet tager imod.", "The video is larger than the extranet accepts.",
		"Vælg et kortere klip.", "Choose a shorter clip.")
	errTaken = p(http.StatusConflict, "disclosure.taken", "En anden deling har samme nummer.", "Another disclosure has the same number.", assessAgainDA, assessAgainEN)
	errEnded = p(http.StatusGone, "disclosure.ended", "Delingen er afsluttet og slettet.", "The disclosure has ended and is deleted.",
		"Se årsagen på listen.", "See the reason in the list.")
	errUpload = p(http.StatusServiceUnavailable, "upload.damaged", "Videoen kom ikke helt og rigtigt frem.", "The video did not arrive whole and unchanged.",
		"Boksen sender den selv igen.", "The box sends it again by itself.")
	errUploadShort = p(http.StatusServiceUnavailable, "upload.short", "Videoen er ikke sendt færdig.", "The video has not been sent to its end.",
		"Boksen sender selv resten.", "The box sends the rest by itself.")
	errNoKey = p(http.StatusForbidden, "viewing.key", "Delingen er ikke forseglet til denne boks; den er tilmeldt senere.", "The disclosure is not sealed to this box; it was enrolled later.",
		"Se den på en anden af butikkens bokse.", "View it on another of the shop's boxes.")
	errViewing = p(http.StatusForbidden, "viewing.expired", "Visningen gælder ikke længere.", "The viewing no longer holds.",
		"Åbn videoen igen fra listen.", "Open the video again from the list.")
	errLost = p(http.StatusServiceUnavailable, "disclosure.unreadable", "Videoen kan ikke læses på ekstranettet.", "The video cannot be read on the extranet.", askOperatorDA, askOperatorEN)
)

// Problems of the operator's calls.
var (
	errLogin = p(http.StatusUnauthorized, "operator.login", "Navn eller adgangskode passer ikke, eller log ind er udløbet.", "The name or password does not fit, or the log-in has run out.",
		"Log ind igen.", "Log in again.")
	errCode = p(http.StatusUnauthorized, "operator.code", "Der mangler en kode fra din kodeapp.", "A code of your authenticator app is missing.",
		"Skriv den kode, appen viser nu, sammen med adgangskoden.", "Write the code that the app shows now, beside the password.")
	errBadCode = p(http.StatusUnauthorized, "operator.bad-code", "Koden passer ikke, eller den er brugt.", "The code does not fit, or it has been used.",
		"Vent på den næste kode, og se, om telefonens ur går rigtigt.", "Wait for the next code, and see whether the phone's clock is right.")
	errUsePasskey = p(http.StatusUnauthorized, "operator.use-passkey", "Kontoen har en adgangsnøgle og ingen kodeapp; adgangskoden alene er ikke nok.", "The account has a passkey and no authenticator app; the password alone is not enough.",
		"Log ind med adgangsnøglen.", "Log in with the passkey.")
	errPasskey = p(http.StatusUnauthorized, "operator.passkey", "Adgangsnøglen passer ikke til nogen konto her.", "The passkey does not fit any account here.",
		"Brug en anden adgangsnøgle, eller log ind med adgangskode og kode.", "Use another passkey, or log in with password and code.")
	errPasskeyCopied = p(http.StatusUnauthorized, "operator.passkey-copied", "Adgangsnøglen tæller ikke, som den skal; der kan være en kopi af den.", "The passkey does not count as it should; there may be a copy of it.",
		"Log ind på en anden måde, fjern adgangsnøglen, og lav en ny.", "Log in another way, remove the passkey and make a new one.")
	errPasskeyMade = p(http.StatusUnprocessableEntity, "operator.passkey-made", "Adgangsnøglen kan ikke bruges her.", "The passkey cannot be used here.",
		"Begynd forfra, eller brug en anden enhed.", "Begin again, or use another device.")
	errNoPasskeys = p(http.StatusConflict, "operator.no-passkeys", "Ekstranettet har intet navn, som adgangsnøgler kan laves til.", "The extranet has no name that passkeys can be made for.",
		"Sæt et værtsnavn først i hostnames i opsætningen, eller brug adgangskode og kodeapp.", "Put a host name first in hostnames in the settings, or use a password and an authenticator app.")
	errNoPasskey = p(http.StatusConflict, "operator.no-passkey", "Kontoen har ingen adgangsnøgle.", "The account has no passkey.",
		"Brug adgangskode og kode.", "Use the password and a code.")
	errQuestion = p(http.StatusConflict, "operator.question", "Spørgsmålet til adgangsnøglen gælder ikke længere.", "The question to the passkey no longer holds.",
		"Prøv igen; svar inden for fem minutter.", "Try again; answer within five minutes.")
	errSetUp = p(http.StatusForbidden, "operator.set-up", "Kontoen er ikke sat op endnu.", "The account has not been set up yet.",
		"Gør det færdigt på siden Konto: navn og en adgangsnøgle, eller egen adgangskode og kodeapp.", "Finish it on the page Account: a name and a passkey, or a password of your own and an authenticator app.")
	errProof = p(http.StatusForbidden, "operator.proof", "Det kræver, at du lige har vist, at det er dig.", "That needs you to have just shown that it is you.",
		"Brug din adgangsnøgle, eller adgangskode og kode, og gør det så igen inden for fem minutter.", "Use your passkey, or password and code, and then do it again within five minutes.")
	errProofWrong = p(http.StatusForbidden, "operator.proof-wrong", "Adgangskoden passer ikke.", "The password does not fit.",
		"Prøv igen, eller brug adgangsnøglen.", "Try again, or use the passkey.")
	errLastFactor = p(http.StatusConflict, "operator.last-factor", "Det er kontoens sidste måde at logge sikkert ind på.", "That is the account's last way to log in securely.",
		"Tilføj en anden adgangsnøgle, eller egen adgangskode og kodeapp, først.", "Add another passkey, or a password of your own and an authenticator app, first.")
	errSelf = p(http.StatusUnprocessableEntity, "operator.self", "Det kan man ikke gøre ved sin egen konto.", "That cannot be done to one's own account.",
		"Bed en anden operatør om det, eller gør det på serveren med veil-extranet.", "Ask another operator, or do it on the server with veil-extranet.")
	errLocal = p(http.StatusForbidden, "operator.local", "Det kan kun root og tjenestens egen bruger.", "Only root and the service's own user may do that.",
		"Kør kommandoen med sudo på serveren.", "Run the command with sudo on the server.")
	errInput = p(http.StatusUnprocessableEntity, "operator.input", "Der mangler noget, eller en værdi er ikke gyldig.", "Something is missing, or a value is not valid.",
		"Ret felterne, og prøv igen.", "Correct the fields and try again.")
	errPassword = p(http.StatusUnprocessableEntity, "operator.password", "Adgangskoden er for kort; 14 tegn er det mindste.", "The password is too short; 14 characters are the least.",
		"Vælg en længere.", "Choose a longer one.")
	errPasswordKnown = p(http.StatusUnprocessableEntity, "operator.password-known", "Adgangskoden er en af dem, der prøves først.", "The password is one of those that are tried first.",
		"Vælg fire eller flere tilfældige ord, eller lad en adgangskodehusker lave den.", "Choose four or more random words, or let a password manager make it.")
	errExists = p(http.StatusConflict, "operator.exists", "Det findes allerede.", "It is there already.",
		"Ret det, der er, eller vælg et andet navn.", "Change the one there is, or choose another name.")
)
