package onvif

import (
	"net/http"

	"veilbox/internal/problem"
)

// What can be wrong, told apart because each has another remedy.
var (
	ErrAddress = problem.New(http.StatusBadRequest, "onvif.address",
		Text{DA: "Adressen kan ikke bruges.", EN: "The address cannot be used."},
		Text{DA: "Skriv kameraets IP-adresse, evt. med port, fx 192.168.1.64 eller 192.168.1.64:8000, uden navn og adgangskode.", EN: "Write the camera's IP address, with a port where it has its own, such as 192.168.1.64 or 192.168.1.64:8000, without name and password."})
	ErrUnreachable = problem.New(http.StatusBadGateway, "onvif.unreachable",
		Text{DA: "Kameraet svarer ikke på ONVIF.", EN: "The camera does not answer by ONVIF."},
		Text{DA: "Kontrollér strøm, netkabel og IP-adresse, og slå ONVIF til i kameraets indstillinger. Ellers skriv strømmens rtsp-adresse selv.", EN: "Check power, network cable and IP address, and switch ONVIF on in the camera's settings. Or write the stream's rtsp address yourself."})
	ErrSlow = problem.New(http.StatusBadGateway, "onvif.slow",
		Text{DA: "Kameraet svarer for langsomt på ONVIF.", EN: "The camera answers too slowly by ONVIF."},
		Text{DA: "Genstart kameraet, og kontrollér netværket. Ellers skriv strømmens rtsp-adresse selv.", EN: "Restart the camera and check the network. Or write the stream's rtsp address yourself."})
	ErrNotONVIF = problem.New(http.StatusBadGateway, "onvif.notonvif",
		Text{DA: "Det, der svarer på adressen, taler ikke ONVIF.", EN: "What answers at the address does not speak ONVIF."},
		Text{DA: "Slå ONVIF til i kameraets indstillinger, og kontrollér porten. Ellers skriv strømmens rtsp-adresse selv.", EN: "Switch ONVIF on in the camera's settings and check the port. Or write the stream's rtsp address yourself."})
	ErrHostile = problem.New(http.StatusBadGateway, "onvif.hostile",
		Text{DA: "Kameraets svar er større eller anderledes, end noget kamera har brug for, og blev afvist.", EN: "The camera's answer is larger or other than any camera needs, and was refused."},
		Text{DA: "Kontrollér, at adressen er et kameras. Er den det, så opdatér dets firmware, eller brug et andet kamera.", EN: "Check that the address is a camera's. If it is, update its firmware or use another camera."})
	ErrElsewhere = problem.New(http.StatusBadGateway, "onvif.elsewhere",
		Text{DA: "Kameraet viser videre til en anden adresse; det følger boksen ikke.", EN: "The camera points to another address, which the box does not follow."},
		Text{DA: "Kræver kameraet https, så skriv adressen med https:// foran.", EN: "If the camera wants https, write the address with https:// before it."})
	ErrLogin = problem.New(http.StatusBadGateway, "onvif.login",
		Text{DA: "Kameraet vil have brugernavn og adgangskode.", EN: "The camera wants a user name and password."},
		Text{DA: "Angiv en ONVIF-bruger fra kameraets indstillinger. Nogle kameraer har egne brugere til ONVIF.", EN: "Give an ONVIF user from the camera's settings. Some cameras have separate users for ONVIF."})
	ErrAuth = problem.New(http.StatusBadGateway, "onvif.auth",
		Text{DA: "Kameraet afviser brugernavn eller adgangskode.", EN: "The camera refuses the user name or password."},
		Text{DA: "Ret dem, og opret om nødvendigt en ONVIF-bruger i kameraet. Efter flere forsøg kan kameraet låse i nogle minutter. Går kameraets ur forkert, så stil det.", EN: "Correct them, and make an ONVIF user in the camera where it needs one. After several attempts the camera may lock for some minutes. If its clock is wrong, set it."})
	ErrNoVideo = problem.New(http.StatusBadGateway, "onvif.novideo",
		Text{DA: "Kameraet nævner ingen videostrøm.", EN: "The camera names no video stream."},
		Text{DA: "Slå strømmen til i kameraets indstillinger, eller skriv dens rtsp-adresse selv.", EN: "Switch the stream on in the camera's settings, or write its rtsp address yourself."})
	ErrNetwork = problem.New(http.StatusServiceUnavailable, "onvif.network",
		Text{DA: "Boksen kan ikke søge efter kameraer på netværket.", EN: "The box cannot search the network for cameras."},
		Text{DA: "Kontrollér, at boksens netkort til kameraerne er tilsluttet og har en privat IPv4-adresse. Ellers skriv kameraets adresse selv.", EN: "Check that the box's camera port is connected and has a private IPv4 address. Or write the camera's address yourself."})
)
