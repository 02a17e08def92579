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
		"Vent et minut og prøv igen. Kontoen er ikke spærret.", "Wait a minute and try again. The account is not locked.")
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
		"Vælg mindst én rolle. En revisor kan ikke også være medarbejder eller fagperson.", "Choose at least one role. An auditor cannot be staff or assessor too.")
	ErrNoAccount = newProblem(http.StatusNotFound, "missing",
		"Kontoen findes ikke.", "The account does not exist.",
		"Vælg den på listen over personer.", "Choose it from the list of people.")
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
	ErrNoSigner = newProblem(http.StatusForbidden, "no-signer",
		"Kontoen har ingen underskriftsnøgle.", "The account has no signing key.",
		"Kun en fagperson kan godkende. Er rollen ny, så log ud og ind igen; så laves nøglen.", "Only an assessor can approve. If the role is new, log out and in again; the key is made then.")
	ErrPassword = newProblem(http.StatusForbidden, "reauthenticate",
		"Adgangskoden passer ikke.", "The password is not right.",
		"Skriv din egen adgangskode igen.", "Type your own password again.")
)
