package camera

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"

	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/liberrors"

	"veilbox/internal/problem"
)

type text = problem.Text

// What can be wrong with a camera, told apart because each has another remedy.
var (
	ErrURL = problem.New(http.StatusBadRequest, "camera.url",
		text{DA: "Kameraets adresse kan ikke bruges.", EN: "The camera's address cannot be used."},
		text{DA: "Skriv den som rtsp://vært/sti (eller rtsps:// for en krypteret forbindelse), som den står i kameraets egne indstillinger, og kontrollér værtens navn.", EN: "Write it as rtsp://host/path (or rtsps:// for an encrypted connection), as the camera's own settings show it, and check the host's name."})
	ErrUnreachable = problem.New(http.StatusBadGateway, "camera.unreachable",
		text{DA: "Kameraet svarer ikke.", EN: "The camera does not answer."},
		text{DA: "Kontrollér strøm, netkabel, IP-adresse og port (som regel 554), og at RTSP er slået til i kameraet.", EN: "Check power, network cable, IP address and port (554 as a rule), and that RTSP is switched on in the camera."})
	ErrAuth = problem.New(http.StatusBadGateway, "camera.auth",
		text{DA: "Kameraet afviser brugernavn eller adgangskode.", EN: "The camera refuses the user name or password."},
		text{DA: "Ret brugernavn og adgangskode. Efter flere forsøg kan kameraet låse i nogle minutter.", EN: "Correct the user name and password. After several attempts the camera may lock for some minutes."})
	ErrNotFound = problem.New(http.StatusBadGateway, "camera.notfound",
		text{DA: "Kameraet har ingen videostrøm på den sti.", EN: "The camera has no video stream at that path."},
		text{DA: "Slå stien (det efter værtens navn) op i kameraets indstillinger eller vejledning.", EN: "Look up the path (what follows the host's name) in the camera's settings or manual."})
	ErrNotVideo = problem.New(http.StatusBadGateway, "camera.notvideo",
		text{DA: "Det, der svarer på adressen, er ikke en videostrøm (RTSP).", EN: "What answers at the address is not a video stream (RTSP)."},
		text{DA: "Brug kameraets RTSP-port (som regel 554), ikke porten til dets webside.", EN: "Use the camera's RTSP port (554 as a rule), not that of its web page."})
	ErrNoTrack = problem.New(http.StatusBadGateway, "camera.notrack",
		text{DA: "Kameraet sender ikke video i H.264, H.265 eller MJPEG.", EN: "The camera sends no video in H.264, H.265 or MJPEG."},
		text{DA: "Vælg H.264 for strømmen i kameraets indstillinger.", EN: "Choose H.264 for the stream in the camera's settings."})
	ErrStall = problem.New(http.StatusBadGateway, "camera.stall",
		text{DA: "Kameraet er holdt op med at sende billeder.", EN: "The camera has stopped sending pictures."},
		text{DA: "Boksen forbinder igen af sig selv. Sker det tit, så kontrollér netværket, og genstart kameraet.", EN: "The box connects again by itself. If it happens often, check the network and restart the camera."})
	ErrNoKeyframe = problem.New(http.StatusBadGateway, "camera.nokeyframe",
		text{DA: "Kameraet sender ingen nøglebilleder, så optagelsen kan ikke begynde.", EN: "The camera sends no keyframes, so recording cannot begin."},
		text{DA: "Sæt nøglebilledintervallet (I-frame, GOP) til 1-2 sekunder i kameraet, og slå smart codec og intra refresh fra.", EN: "Set the keyframe interval (I-frame, GOP) to 1-2 seconds in the camera, and switch smart codec and intra refresh off."})
	ErrRefused = problem.New(http.StatusBadGateway, "camera.refused",
		text{DA: "Kameraet afviser at sende video.", EN: "The camera refuses to send video."},
		text{DA: "Luk andre, der ser med (kameraer tåler kun få ad gangen), eller genstart kameraet.", EN: "Close others who are watching (cameras bear only a few at a time), or restart the camera."})
	ErrLost = problem.New(http.StatusBadGateway, "camera.lost",
		text{DA: "Forbindelsen til kameraet blev afbrudt.", EN: "The connection to the camera was cut."},
		text{DA: "Boksen forbinder igen af sig selv. Sker det tit, så kontrollér strøm og netværk.", EN: "The box connects again by itself. If it happens often, check power and network."})
	ErrPin = problem.New(http.StatusBadGateway, "camera.pin",
		text{DA: "Kameraet viser et andet certifikat end før. Intet er sendt til det, heller ikke adgangskoden.", EN: "The camera shows another certificate than before. Nothing was sent to it, not even the password."},
		text{DA: "Kameraet er udskiftet, nulstillet eller opdateret, eller også sidder nogen imellem. Undersøg kameraet, og godkend så det nye certifikat.", EN: "The camera was replaced, reset or updated, or someone sits between. Check the camera, then accept the new certificate."})
	ErrFlood = problem.New(http.StatusBadGateway, "camera.flood",
		text{DA: "Kameraet sender langt mere, end et kamera skal, og er koblet fra for de andres skyld.", EN: "The camera sends far more than a camera should, and was cut off for the sake of the others."},
		text{DA: "Sæt bithastigheden ned i kameraet. Er den ikke høj, så genstart kameraet; fortsætter det, kan det være overtaget: tag det af nettet.", EN: "Lower the bit rate in the camera. If it is not high, restart the camera; if it goes on, the camera may be taken over: take it off the network."})
	ErrPictureSize = problem.New(http.StatusBadGateway, "camera.picturesize",
		text{DA: "Kameraet sender MJPEG i en størrelse, som det ikke fortæller; det sker over 2040 billedpunkter på en led.", EN: "The camera sends MJPEG of a size that it does not tell; this happens above 2040 pixels on a side."},
		text{DA: "Vælg H.264 for strømmen i kameraets indstillinger, eller en opløsning på højst 1920 x 1080.", EN: "Choose H.264 for the stream in the camera's settings, or a resolution of 1920 x 1080 at most."})
	ErrUnsteady = problem.New(http.StatusBadGateway, "camera.unsteady",
		text{DA: "Kameraet skifter hele tiden billedformat.", EN: "The camera keeps changing its picture format."},
		text{DA: "Sæt en fast opløsning i kameraet, slå automatisk tilpasning fra, og kontrollér, at ikke andre ændrer strømmen.", EN: "Set a fixed resolution in the camera, switch automatic adaptation off, and check that no one else changes the stream."})
)

var (
	errNotRTSP   = errors.New("camera: the first bytes are not an RTSP answer")
	errHandshake = errors.New("camera: the answers before the video are too long")
	errElsewhere = errors.New("camera: it redirects to another host or too often")
)

// told is an error whose words may be the camera's.
type told struct{ err error }

func (t told) Error() string { return "camera: session: " + bounded(t.err.Error(), maxTold) }
func (t told) Unwrap() error { return t.err }

// classify says what err, which ended a session, means to a person.
func classify(err error, playing bool) error {
	if err == nil {
		err = io.EOF
	}
	var p *problem.Problem
	if errors.As(err, &p) {
		return p
	}
	var wrapped error = told{err}
	var status liberrors.ErrClientBadStatusCode
	var dns *net.DNSError
	var timeout net.Error
	is := func(targets ...any) bool {
		for _, t := range targets {
			if errors.As(err, t) {
				return true
			}
		}
		return false
	}
	switch {
	case errors.As(err, &status):
		wrapped = fmt.Errorf("camera: the answer was %d %s", status.Code, bounded(status.Message, maxText))
		switch status.Code {
		case base.StatusUnauthorized, base.StatusForbidden:
			return ErrAuth.With(wrapped)
		case base.StatusNotFound:
			return ErrNotFound.With(wrapped)
		}
		return ErrRefused.With(wrapped)
	case is(new(liberrors.ErrClientAuthSetup)):
		return ErrAuth.With(wrapped)
	case errors.Is(err, errNotRTSP), errors.Is(err, errHandshake),
		is(new(liberrors.ErrClientSDPInvalid), new(liberrors.ErrClientContentTypeMissing), new(liberrors.ErrClientContentTypeUnsupported)):
		return ErrNotVideo.With(wrapped)
	case errors.Is(err, errTLS):
		return ErrNotVideo.With(wrapped)
	case errors.Is(err, errElsewhere), isTransport(err):
		return ErrRefused.With(wrapped)
	case is(new(liberrors.ErrClientTCPTimeout), new(liberrors.ErrClientUDPTimeout)):
		return ErrStall.With(wrapped)
	case playing:
		return ErrLost.With(wrapped)
	case errors.As(err, &dns) && dns.IsNotFound:
		return ErrURL.With(wrapped)
	case is(new(liberrors.ErrClientRequestTimedOut)), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH),
		errors.As(err, &dns), errors.As(err, &timeout) && timeout.Timeout(), is(new(*net.OpError)):
		return ErrUnreachable.With(wrapped)
	}
	// Something listens there, closes or sends what RTSP does not know.
	return ErrNotVideo.With(wrapped)
}

// isTransport reports whether a camera answered how it will not send.
func isTransport(err error) bool {
	for _, t := range []any{
		new(liberrors.ErrClientServerRequestedTCP), new(liberrors.ErrClientServerRequestedUDP),
		new(liberrors.ErrClientTransportHeaderInvalid), new(liberrors.ErrClientTransportHeaderInvalidDelivery),
		new(liberrors.ErrClientTransportHeaderNoInterleavedIDs), new(liberrors.ErrClientTransportHeaderInvalidInterleavedIDs),
		new(liberrors.ErrClientServerPortsNotProvided),
	} {
		if errors.As(err, t) {
			return true
		}
	}
	return false
}
