package account

import (
	"net/http"

	"veilbox/internal/problem"
)

func newProblem(status int, code, causeDA, causeEN, remedyDA, remedyEN string) *problem.Problem {
	return problem.New(status, "account."+code, problem.Text{DA: causeDA, EN: causeEN}, problem.Text{DA: remedyDA, EN: remedyEN})
}

// What a person can act on. One message stands for an unknown name, a wrong
// password and a closed account, so that names cannot be tried out.
var (
	ErrLogin = newProblem(http.StatusUnauthorized, "login",
		"Brugernavn eller adgangskode passer ikke.", "The user name or the password is not right.",
		"Prøv igen. Har du glemt adgangskoden, kan butikschefen give dig en ny.", "Try again. If you forgot the password, the shop manager can give you a new one.")
	ErrSlow = newProblem(http.StatusTooManyRequests, "slow",
		"Der er for mange mislykkede forsøg herfra lige nu.", "There have been too many failed attempts from here just now.",
		"Vent et minut og prøv igen. Kontoen er ikke spærret, og en adgangsnøgle virker stadig.", "Wait a minute and try again. The account is not locked, and a passkey still works.")
	ErrSession = newProblem(http.StatusUnauthorized, "session",
		"Du er ikke logget ind, eller din session er udløbet.", "You are not logged in, or your session has run out.",
		"Log ind igen.", "Log in again.")
	ErrPermission = newProblem(http.StatusForbidden, "permission",
		"Din rolle giver ikke adgang til dette.", "Your role does not allow this.",
		"Bed en, der har rollen, eller tal med butikschefen.", "Ask someone who has the role, or talk to the shop manager.")
	ErrAuthorisation = newProblem(http.StatusForbidden, "authorisation",
		"Du har ingen gyldig autorisation til at se optagelser (vilkår 7).", "You have no valid authorisation to see footage (condition 7).",
		"Bed butikschefen om at give eller forny den.", "Ask the shop manager to give or renew it.")
	ErrWeakPassword = newProblem(http.StatusUnprocessableEntity, "password",
		"Adgangskoden er for let at gætte.", "The password is too easy to guess.",
		"Brug mindst 12 tegn, som ikke er et kendt mønster, for eksempel fire tilfældige ord.", "Use at least 12 characters that are no known pattern, such as four random words.")
	ErrLongPassword = newProblem(http.StatusUnprocessableEntity, "password-long",
		"Adgangskoden er over 256 byte.", "The password is over 256 bytes.",
		"Vælg en kortere.", "Choose a shorter one.")
	ErrSamePassword = newProblem(http.StatusUnprocessableEntity, "password-same",
		"Den nye adgangskode er den samme som den gamle.", "The new password is the old one.",
		"Vælg en anden.", "Choose another.")
	ErrLoginName = newProblem(http.StatusUnprocessableEntity, "login-name",
		"Brugernavnet kan ikke bruges.", "The user name cannot be used.",
		"Brug 2 til 64 tegn: bogstaver, tal, punktum, bindestreg, understreg eller @.", "Use 2 to 64 characters: letters, digits, full stop, hyphen, underscore or @.")
	ErrLoginTaken = newProblem(http.StatusConflict, "login-taken",
		"Brugernavnet er allerede i brug.", "The user name is already in use.",
		"Vælg et andet.", "Choose another.")
	ErrName = newProblem(http.StatusUnprocessableEntity, "name",
		"En konto er personlig og skal have personens eget for- og efternavn.", "An account is personal and needs the person's own first and last name.",
		"Skriv navnet på den person, som kontoen tilhører; fælles konti er ikke tilladt.", "Write the name of the person whom the account belongs to; shared accounts are not allowed.")
	ErrRoles = newProblem(http.StatusUnprocessableEntity, "roles",
		"Rollerne kan ikke bruges sammen, eller de findes ikke.", "The roles cannot be combined, or do not exist.",
		"Vælg mindst én rolle. En revisor kan ikke også være medarbejder, leder eller fagperson.", "Choose at least one role. An auditor cannot be staff, manager or assessor too.")
	ErrNoAccount = newProblem(http.StatusNotFound, "missing",
		"Kontoen findes ikke.", "The account does not exist.",
		"Vælg den på listen over personer.", "Choose it from the list of people.")
	ErrRecover = newProblem(http.StatusNotFound, "recover",
		"Filen nævner ikke én aktiv leder.", "The file does not name one active manager.",
		"Skriv en aktiv leders brugernavn i filen, eller lad den være tom, hvis der kun er én leder, og start boksen igen.", "Write an active manager's user name in the file, or leave it empty where there is one manager only, and start the box again.")
	ErrConflict = newProblem(http.StatusConflict, "conflict",
		"En anden har ændret kontoen samtidig.", "Someone else has changed the account at the same time.",
		"Hent siden igen og prøv igen.", "Load the page again and try again.")
	ErrLastManager = newProblem(http.StatusConflict, "last-manager",
		"Det er den sidste aktive leder, og boksen skal have en.", "This is the last active manager, and the box needs one.",
		"Gør en anden til leder først.", "Make someone else a manager first.")
	ErrAuthorisationText = newProblem(http.StatusUnprocessableEntity, "authorisation-text",
		"En autorisation skal sige, hvem der giver den, til hvilken funktion, hvorfor der er behov, og hvor længe (højst tre år).", "An authorisation must say who gives it, for what function, why it is needed, and for how long (three years at most).",
		"Udfyld funktion, behov og periode.", "Fill in function, need and period.")
	ErrQualification = newProblem(http.StatusUnprocessableEntity, "qualification",
		"En fagpersons kvalifikation er ikke udfyldt rigtigt (vilkår 9).", "An assessor's qualification is not filled in properly (condition 9).",
		"Angiv uddannelse, erfaring med berigelseskriminalitet, mindst én af kompetencerne jura, sikkerhed og berigelseskriminalitet, og en periode.", "Give education, experience with property crime, at least one of the competences law, security and property crime, and a period.")
	ErrCode = problem.New(http.StatusUnauthorized, "login.code",
		problem.Text{DA: "Der mangler en kode fra din kode-app.", EN: "A code from your authenticator app is missing."},
		problem.Text{DA: "Skriv de seks cifre, som appen viser lige nu.", EN: "Type the six digits that the app shows just now."})
	ErrBadCode = problem.New(http.StatusUnauthorized, "login.code-wrong",
		problem.Text{DA: "Koden passer ikke, eller den er brugt.", EN: "The code is not right, or has been used."},
		problem.Text{DA: "Vent på den næste kode i appen. Bliver det ved, så kontrollér, at telefonens ur går rigtigt.", EN: "Wait for the next code in the app. If it goes on, check that the phone's clock is right."})
	ErrUsePasskey = newProblem(http.StatusUnauthorized, "use-passkey",
		"Adgangskoden er ikke nok til at logge ind med.", "The password is not enough to log in with.",
		"Log ind med din adgangsnøgle. Har du mistet den, kan butikschefen nulstille din konto.", "Log in with your passkey. If you lost it, the shop manager can reset your account.")
	ErrPasskey = newProblem(http.StatusUnauthorized, "passkey",
		"Adgangsnøglen kan ikke bruges her.", "The passkey cannot be used here.",
		"Prøv igen med en adgangsnøgle, som du har tilføjet til din konto på denne boks, eller brug adgangskode og kode.", "Try again with a passkey that you added to your account on this box, or use password and code.")
	ErrPasskeyCopied = newProblem(http.StatusUnauthorized, "passkey-copied",
		"Adgangsnøglen kan være kopieret: dens tæller er gået baglæns.", "The passkey may have been copied: its counter went backwards.",
		"Brug en anden adgangsnøgle, fjern denne, og fortæl butikschefen det.", "Use another passkey, remove this one, and tell the shop manager.")
	ErrPasskeyMade = newProblem(http.StatusUnprocessableEntity, "passkey-made",
		"Adgangsnøglen kunne ikke tilføjes.", "The passkey could not be added.",
		"Åbn siden under boksens eget navn, prøv igen, og bekræft med fingeraftryk, ansigt eller pinkode.", "Open the page under the box's own name, try again, and confirm with finger, face or PIN.")
	ErrPasskeyName = newProblem(http.StatusUnprocessableEntity, "passkey-name",
		"Adgangsnøglen skal have et navn på højst 60 tegn.", "The passkey needs a name of at most 60 characters.",
		"Skriv, hvor den er, for eksempel Mettes telefon.", "Write where it is, such as Mette's phone.")
	ErrManyPasskeys = newProblem(http.StatusConflict, "passkeys-many",
		"Kontoen har 20 adgangsnøgler.", "The account has 20 passkeys.",
		"Fjern en, der ikke bruges mere.", "Remove one that is no longer used.")
	ErrNoPasskey = newProblem(http.StatusNotFound, "passkey-missing",
		"Adgangsnøglen findes ikke på din konto.", "The passkey is not on your account.",
		"Hent siden igen, og vælg en på listen.", "Load the page again and choose one from the list.")
	ErrNoPasskeys = newProblem(http.StatusConflict, "passkeys-off",
		"Boksen har intet værtsnavn, og uden det kan der ikke laves adgangsnøgler.", "The box has no host name, and without one no passkeys can be made.",
		"Brug adgangskode og kode-app, eller få driften til at give boksen et navn (web.hostnames).", "Use password and authenticator app, or have the operator give the box a name (web.hostnames).")
	ErrLastFactor = newProblem(http.StatusConflict, "last-factor",
		"Det er det sidste, du kan logge ind med.", "This is the last thing that you can log in with.",
		"Tilføj en anden adgangsnøgle, eller adgangskode og kode-app, først.", "Add another passkey, or password and authenticator app, first.")
	ErrCeremony = newProblem(http.StatusUnauthorized, "ceremony",
		"Der gik for lang tid, eller svaret er brugt før.", "It took too long, or the answer was used before.",
		"Begynd forfra.", "Begin again.")
	ErrFresh = newProblem(http.StatusForbidden, "fresh",
		"Det er over et kvarter siden, du loggede ind.", "It is more than a quarter of an hour since you logged in.",
		"Log ind igen, og ændr så, hvordan du logger ind.", "Log in again, and then change how you log in.")
	ErrSelf = newProblem(http.StatusForbidden, "self",
		"Ingen giver sig selv rettigheder.", "Nobody gives himself rights.",
		"Bed en anden leder om at gøre det.", "Ask another manager to do it.")
	ErrPassword = newProblem(http.StatusForbidden, "reauthenticate",
		"Adgangskoden passer ikke.", "The password is not right.",
		"Skriv din egen adgangskode igen.", "Type your own password again.")
)
