package web

import (
	"net/http"
	"strconv"

	"veilbox/internal/problem"
)

var (
	errNoSession = problem.New(http.StatusUnauthorized, "session.none",
		problem.Text{DA: "Du er ikke logget ind.", EN: "You are not logged in."},
		problem.Text{DA: "Log ind og prøv igen.", EN: "Log in and try again."})
	errSetUp = problem.New(http.StatusForbidden, "session.set-up",
		problem.Text{DA: "Din konto er ikke sat op endnu.", EN: "Your account is not set up yet."},
		problem.Text{DA: "Vælg på »Min konto«, hvordan du vil logge ind: med adgangsnøgle, eller med egen adgangskode og engangskode.", EN: "Choose on “My account” how you will log in: with a passkey, or with your own password and a one-time code."})
	errCrossOrigin = problem.New(http.StatusForbidden, "request.origin",
		problem.Text{DA: "Anmodningen kom fra en anden hjemmeside.", EN: "The request came from another web site."},
		problem.Text{DA: "Åbn boksens egen side og gør det derfra.", EN: "Open this box's own page and do it from there."})
	errNotFound = problem.New(http.StatusNotFound, "request.not-found",
		problem.Text{DA: "Siden findes ikke.", EN: "There is no such page."},
		problem.Text{DA: "Gå til forsiden og find den derfra.", EN: "Go to the start page and find it from there."})
	errMethod = problem.New(http.StatusMethodNotAllowed, "request.method",
		problem.Text{DA: "Adressen kan ikke bruges på den måde.", EN: "The address cannot be used that way."},
		problem.Text{DA: "Se i API-beskrivelsen, hvilke metoder den har.", EN: "See the API description for its methods."})
	errHost = problem.New(http.StatusMisdirectedRequest, "request.host",
		problem.Text{DA: "Boksen hedder ikke det navn, som siden blev åbnet under.", EN: "The box does not have the name that the page was opened by."},
		problem.Text{DA: "Brug boksens eget navn eller dens adresse i netværket. Skal den også svare på et andet navn, så skriv det under hostnames i indstillingerne.", EN: "Use the box's own name or its address on the network. If it is to answer to another name too, write it under hostnames in the settings."})
	errTooMany = problem.New(http.StatusTooManyRequests, "request.too-many",
		problem.Text{DA: "Der kommer for mange forespørgsler herfra lige nu.", EN: "There are too many requests from here just now."},
		problem.Text{DA: "Vent et øjeblik og prøv igen.", EN: "Wait a moment and try again."})
	errSlowBody = problem.New(http.StatusRequestTimeout, "request.slow",
		problem.Text{DA: "Det, du sendte, var for længe undervejs.", EN: "What you sent took too long to arrive."},
		problem.Text{DA: "Kontrollér forbindelsen og prøv igen.", EN: "Check the connection and try again."})
	errMediaType = problem.New(http.StatusUnsupportedMediaType, "request.media-type",
		problem.Text{DA: "Anmodningen er ikke i det ventede format.", EN: "The request is not in the expected format."},
		problem.Text{DA: "Send JSON med Content-Type: application/json.", EN: "Send JSON with Content-Type: application/json."})
	errNoWHEP = problem.New(http.StatusNotFound, "live.off",
		problem.Text{DA: "Levende video er ikke slået til i boksen.", EN: "Live video is not switched on in this box."},
		problem.Text{DA: "Brug stillbillederne.", EN: "Use the still pictures."})
)

// tooLarge says how much may be sent.
func tooLarge(most int64) *problem.Problem {
	mib := strconv.FormatInt(most>>20, 10)
	return problem.New(http.StatusRequestEntityTooLarge, "request.too-large",
		problem.Text{DA: "Det, der blev sendt, er for stort.", EN: "What was sent is too large."},
		problem.Text{DA: "Send højst " + mib + " MiB.", EN: "Send at most " + mib + " MiB."})
}

// badJSON names what is wrong with a body, in words of the decoder.
func badJSON(err error) *problem.Problem {
	return problem.New(http.StatusBadRequest, "request.json",
		problem.Text{DA: "Anmodningen kan ikke læses: " + err.Error() + ".", EN: "The request cannot be read: " + err.Error() + "."},
		problem.Text{DA: "Ret den efter API-beskrivelsen.", EN: "Correct it by the API description."})
}

// badField names a value in a query or address that cannot be used.
func badField(name, da, en string) *problem.Problem {
	return problem.New(http.StatusBadRequest, "request.value",
		problem.Text{DA: "Værdien af " + name + " kan ikke bruges.", EN: "The value of " + name + " cannot be used."},
		problem.Text{DA: da, EN: en})
}
