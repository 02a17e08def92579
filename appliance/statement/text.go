package statement

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"veilbox/capture/footage"
	"veilbox/internal/clock"
)

const (
	title = "ERKLÆRING OM UDLEVERET OPTAGELSE (veilbox statement v1)"
	about = `Videofilen er taget ud af boksen, som kameraet sendte den: billedet er ikke
kodet om, sløret, beskåret eller rettet. Den kan begynde lidt før det ønskede
tidspunkt, ved det nærmeste hele billede (nøglebillede). Tiderne er boksens ur.
Udleveringen står i boksens log under det nummer, der er nævnt herunder.`
	closing = `Underskriften herunder er boksens. Den og filens SHA-256 kontrolleres uden
forbindelse til boksen med: veilctl clip verify VIDEOFIL ERKLÆRING --key NØGLE
Nøglen er den, boksen skriver i filen audit.pub. Den, der modtager filen,
svarer for den videre brug efter de almindelige regler om databeskyttelse.`

	timeLayout = "2006-01-02 15:04:05.000 -07:00"
	none       = "-" // a value that is empty
)

// The names of the lines.
const (
	nBox, nCamera, nCameraName     = "Boks", "Kamera", "Kameraets navn"
	nAskedFrom, nAskedTo           = "Ønsket fra", "Ønsket til"
	nFrom, nTo                     = "Filen viser fra", "Filen viser til"
	nGaps, nGap, nMoreGaps         = "Huller i optagelsen", "Hul", "Huller, der ikke er nævnt"
	nClock                         = "Om boksens ur"
	nCodec, nPicture, nFrames      = "Kodning", "Billede", "Antal billeder"
	nAudio, nSize, nHash           = "Lyd", "Filens længde", "SHA-256"
	nPurpose, nPerson, nMade, nLog = "Formål", "Udleveret af", "Udleveret", "Nummer i loggen"
)

func stamp(t time.Time) string { return t.In(clock.Copenhagen).Format(timeLayout) }

// text renders s, which is tidy and checked.
func (s Statement) text() string {
	var b strings.Builder
	put := func(name, value string) {
		if value == "" {
			value = none
		}
		fmt.Fprintf(&b, "%s: %s\n", name, value)
	}
	b.WriteString(title + "\n\n" + about + "\n\n")
	put(nBox, s.Box)
	put(nCamera, string(s.Camera))
	put(nCameraName, s.CameraName)
	put(nAskedFrom, stamp(s.Asked.From))
	put(nAskedTo, stamp(s.Asked.To))
	put(nFrom, stamp(s.Contained.From))
	put(nTo, stamp(s.Contained.To))
	put(nGaps, strconv.Itoa(len(s.Gaps)))
	for _, g := range s.Gaps {
		put(nGap, stamp(g.From)+" til "+stamp(g.To))
	}
	put(nMoreGaps, strconv.FormatInt(s.MoreGaps, 10))
	put(nClock, s.ClockNote)
	put(nCodec, s.Codec)
	put(nPicture, fmt.Sprintf("%dx%d", s.Width, s.Height))
	put(nFrames, strconv.FormatInt(s.Frames, 10))
	put(nAudio, s.Audio)
	put(nSize, strconv.FormatInt(s.Size, 10)+" byte")
	put(nHash, s.SHA256.String())
	put(nPurpose, s.Purpose)
	put(nPerson, s.Person)
	put(nMade, stamp(s.Made))
	put(nLog, strconv.FormatInt(s.AuditEntry, 10))
	b.WriteString("\n" + closing + "\n")
	return b.String()
}

// A reader takes the lines one after the other and keeps the first error.
type reader struct {
	lines []string
	err   error
}

func (r *reader) get(name string) string {
	if r.err != nil {
		return ""
	}
	if len(r.lines) == 0 {
		r.err = fmt.Errorf("it ends before %q", name)
		return ""
	}
	v, ok := strings.CutPrefix(r.lines[0], name+": ")
	if !ok {
		r.err = fmt.Errorf("%.60q stands where %q should", r.lines[0], name)
		return ""
	}
	r.lines = r.lines[1:]
	if v == none {
		return ""
	}
	return v
}

func (r *reader) number(name, unit string) int64 {
	v := r.get(name)
	n, err := strconv.ParseInt(strings.TrimSuffix(v, unit), 10, 64)
	r.fail(name, err)
	return n
}

func (r *reader) fail(name string, err error) {
	if r.err == nil && err != nil {
		r.err = fmt.Errorf("%s: %w", name, err)
	}
}

func (r *reader) when(name, v string) time.Time {
	t, err := time.Parse(timeLayout, v)
	r.fail(name, err)
	return t.UTC()
}

// parse reads what text renders. That it is spelt just so, the caller checks by
// rendering it again.
func parse(text string) (s Statement, err error) {
	head, rest, ok := strings.Cut(text, "\n\n"+about+"\n\n")
	body, tail, okTail := strings.Cut(rest, "\n\n")
	if !ok || !okTail || head != title || tail != closing+"\n" {
		return Statement{}, errors.New("it is no statement of version 1")
	}
	r := &reader{lines: strings.Split(body, "\n")}
	s.Box, s.Camera, s.CameraName = r.get(nBox), footage.CameraID(r.get(nCamera)), r.get(nCameraName)
	s.Asked = Span{r.when(nAskedFrom, r.get(nAskedFrom)), r.when(nAskedTo, r.get(nAskedTo))}
	s.Contained = Span{r.when(nFrom, r.get(nFrom)), r.when(nTo, r.get(nTo))}
	gaps := r.number(nGaps, "")
	if gaps < 0 || gaps > MaxGaps {
		return Statement{}, fmt.Errorf("%s: %d", nGaps, gaps)
	}
	for range gaps {
		from, to, _ := strings.Cut(r.get(nGap), " til ")
		s.Gaps = append(s.Gaps, Span{r.when(nGap, from), r.when(nGap, to)})
	}
	s.MoreGaps = r.number(nMoreGaps, "")
	s.ClockNote, s.Codec = r.get(nClock), r.get(nCodec)
	w, h, _ := strings.Cut(r.get(nPicture), "x")
	for _, side := range []struct {
		to   *int
		text string
	}{{&s.Width, w}, {&s.Height, h}} {
		n, err := strconv.Atoi(side.text)
		r.fail(nPicture, err)
		*side.to = n
	}
	s.Frames, s.Audio, s.Size = r.number(nFrames, ""), r.get(nAudio), r.number(nSize, " byte")
	r.fail(nHash, s.SHA256.UnmarshalText([]byte(r.get(nHash))))
	s.Purpose, s.Person = r.get(nPurpose), r.get(nPerson)
	s.Made, s.AuditEntry = r.when(nMade, r.get(nMade)), r.number(nLog, "")
	if r.err == nil && len(r.lines) > 0 {
		r.err = fmt.Errorf("%.60q is one line too many", r.lines[0])
	}
	return s, r.err
}
