package casework

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"veilbox/appliance/account"
	"veilbox/appliance/incident"
	"veilbox/appliance/store"
	"veilbox/capture/clip"
	"veilbox/capture/footage"
	"veilbox/internal/problem"
	"veilbox/redact/subject"
)

var (
	errSubjects = problem.New(400, "subject.bad",
		problem.Text{DA: "Markeringen af personen kan ikke bruges.", EN: "The marking of the person cannot be used."},
		problem.Text{DA: "Tegn en boks om personen i mindst ét billede.", EN: "Draw a box around the person in at least one picture."})
	errChoice = problem.New(400, "choice.bad",
		problem.Text{DA: "Et af valgene for kopien kan ikke bruges.", EN: "One of the choices for the copy cannot be used."},
		problem.Text{DA: "Se valgene efter: visning, stillbillede, tid og sted.", EN: "Look at the choices again: what is shown, still picture, time and place."})
	errMore = problem.New(409, "choice.more",
		problem.Text{DA: "Kopien vil vise mere end den ene mistænkte.", EN: "The copy will show more than the one suspect."},
		problem.Text{DA: "Sæt kryds ved, at det er nødvendigt, eller vælg »Kun den mistænkte« og én person.", EN: "Tick that it is necessary, or choose “Only the suspect” and one person."})
	errSoundChoice = problem.New(403, "choice.sound",
		problem.Text{DA: "Kun fagpersonen kan vælge at bevare lyden, og kun med en begrundelse.", EN: "Only the assessor can choose to keep the sound, and only with a reason."},
		problem.Text{DA: "Lav kopien uden lyd. Fagpersonen kan vælge lyden til ved vurderingen.", EN: "Make the copy without the sound. The assessor can choose to keep it at the assessment."})
)

// checkChoice returns what is wrong with what the staff asked a copy of c to be.
// The stamp's time is the box's to say.
func checkChoice(c *incident.Case, ch *SubjectChange) error {
	if ch.Choice.Sound != "" {
		return errSoundChoice
	}
	if st := ch.Choice.Stamp; st != nil {
		st.Place, st.Start = strings.TrimSpace(st.Place), c.Clip.Span.From.Time().UTC()
	}
	if err := ch.Choice.Check(); err != nil {
		return errChoice.With(err)
	}
	if st := ch.Choice.Still; st != nil && st.At > c.Clip.Span.Duration().Seconds() {
		return errChoice.With(fmt.Errorf("casework: a still at %g s of a clip of %v", st.At, c.Clip.Span.Duration()))
	}
	all := ch.Subjects
	if ch.Choice.Mode == subject.BlurEverything {
		if len(all) == 0 {
			return nil
		}
	} else if len(all) == 0 {
		return errSubjects
	}
	if err := subject.CheckAll(all); err != nil {
		return errSubjects.With(err)
	}
	return nil
}

// widenings are what ch shows beyond the least.
func (ch SubjectChange) widenings() []incident.Widening {
	var out []incident.Widening
	if ch.Choice.Mode == subject.StillScene {
		out = append(out, incident.Widening{What: incident.WidenScene})
	}
	if n := len(ch.Subjects); n > 1 && ch.Choice.Mode != subject.BlurEverything {
		out = append(out, incident.Widening{What: incident.WidenSubjects, Count: n})
	}
	return out
}

// maxWidened bounds what is kept of them; the audit log keeps all.
const maxWidened = 50

// widen puts on record that a person chose to show more, before it is done.
func (s *Service) widen(ctx context.Context, a Actor, c *incident.Case, more []incident.Widening) error {
	for _, w := range more {
		about := caseAbout(*c)
		about["shows"] = w.What
		if w.Count > 0 {
			about["subjects"] = fmt.Sprint(w.Count)
		}
		if err := s.record(ctx, a, "case.show-more", w.Reason, about); err != nil {
			return err
		}
		s.widened(a, c, w)
	}
	return nil
}

// widened keeps w with the case.
func (s *Service) widened(a Actor, c *incident.Case, w incident.Widening) {
	w.By, w.Name, w.At = a.Session.Person.ID, a.Session.Person.Name, s.o.Clock.Now().UTC()
	if n := len(c.Widened); n >= maxWidened {
		c.Widened = c.Widened[n-maxWidened+1:]
	}
	c.Widened = append(slices.Clone(c.Widened), w)
}

// veiledOf returns what is always veiled of a camera. A camera that is gone has
// what the case was made with.
func (s *Service) veiledOf(ctx context.Context, c incident.Case) ([]subject.Rect, error) {
	cams, err := s.o.Store.Cameras(ctx)
	if err != nil {
		return nil, fmt.Errorf("casework: %w", err)
	}
	for _, cam := range cams {
		if cam.ID == c.Clip.Camera {
			return cam.Veiled, nil
		}
	}
	return c.Veiled, nil
}

// hold finds out whether c's copy still fits what is always veiled of its
// camera. What is approved stays as it was approved.
func (s *Service) hold(ctx context.Context, c *incident.Case) error {
	if c.Copy == nil {
		return nil
	}
	c.Copy.Outdated = false
	if changeable(c) != nil && c.State != incident.Submitted {
		return nil
	}
	now, err := s.veiledOf(ctx, *c)
	if err != nil {
		return err
	}
	c.Copy.Outdated = !slices.Equal(now, c.Copy.Veiled)
	return nil
}

var (
	errNoSound = problem.New(409, "sound.none",
		problem.Text{DA: "Der er ingen lyd i klippet.", EN: "There is no sound in the clip."},
		problem.Text{DA: "Vurdér kopien, som den er. Kameraet optager kun lyd, hvis det er slået til.", EN: "Assess the copy as it is. The camera records sound only where that is turned on."})
	errSoundStill = wrongState("Et stillbillede har ingen lyd.", "A still picture has no sound.")
)

// KeepSound is the assessor's choice to keep the sound, with a reason, or to
// have it removed again, without one. The copy is made anew: what was approved
// of the one before does not count for it.
func (s *Service) KeepSound(ctx context.Context, a Actor, id incident.CaseID, ch SoundChange) (CaseView, error) {
	if err := s.allow(a, account.Assess); err != nil {
		return CaseView{}, err
	}
	ch.Reason = strings.Join(strings.Fields(ch.Reason), " ")
	if ch.Keep && len(ch.Reason) < 10 {
		return CaseView{}, badInput("sound.reason", "Skriv med ord, hvorfor lyden skal med; det står i sagen og følger med kopien.", "Write in words why the sound is needed; it is kept with the case and goes with the copy.")
	}
	if !ch.Keep {
		ch.Reason = ""
	}
	c, err := s.load(ctx, id)
	if err != nil {
		return CaseView{}, err
	}
	opt := clip.Options{OneFormat: true}
	if ch.Keep {
		opt.Audio = clip.All
	}
	movie, err := clip.OpenWith(ctx, s.o.Ring, c.Clip.Camera, c.Clip.Span, opt)
	if err != nil {
		return CaseView{}, err
	}
	if ch.Keep && movie.About().Audio.Units == 0 {
		return CaseView{}, errNoSound
	}
	hash, err := movie.Hash(ctx)
	if err != nil {
		return CaseView{}, err
	}
	v, err := s.change(ctx, a, id, ch.Version, "case.sound", ch.Reason, func(c *incident.Case) error {
		switch {
		case c.State != incident.Submitted || c.Copy == nil:
			return wrongState("Lyden vælges, mens sagen ligger hos fagpersonen.", "The sound is chosen while the case is with the assessor.")
		case c.Choice.Still != nil:
			return errSoundStill
		case ch.Keep == (c.Choice.Sound != "") && ch.Reason == c.Choice.Sound:
			return wrongState("Lyden er allerede valgt sådan.", "The sound is chosen like that already.")
		}
		c.Choice.Sound = ch.Reason
		if err := c.Choice.Check(); err != nil {
			return errChoice.With(err)
		}
		if ch.Keep {
			s.widened(a, c, incident.Widening{What: incident.WidenSound, Reason: ch.Reason})
		}
		c.Clip.Hash, c.Clip.Audio = hash, ch.Keep
		c.Copy, c.Assessing = nil, true
		return s.move(c, a, incident.ActMark)
	})
	if err != nil {
		return v, err
	}
	return s.begin(ctx, id, v), nil
}

// openClip opens the clip of a case as its copy is made of it.
func (s *Service) openClip(ctx context.Context, c incident.Case) (*clip.Movie, error) {
	if !c.Clip.Audio {
		return clip.Open(ctx, s.o.Ring, c.Clip.Camera, c.Clip.Span)
	}
	return clip.OpenWith(ctx, s.o.Ring, c.Clip.Camera, c.Clip.Span, clip.Options{OneFormat: true, Audio: clip.All})
}

// silent gives a case the clip without its sound again.
func (s *Service) silent(ctx context.Context, c *incident.Case) error {
	if c.Choice.Sound = ""; !c.Clip.Audio {
		return nil
	}
	c.Clip.Audio = false
	m, err := s.openClip(ctx, *c)
	if err != nil {
		return err
	}
	c.Clip.Hash, err = m.Hash(ctx)
	return err
}

// equalSubjects reports whether a and b ask for the same track.
func equalSubjects(a, b []subject.Subject) bool { return reflect.DeepEqual(a, b) }

// copyOf is what a case says of the copy that was made for it.
func copyOf(c incident.Case, m finished, notices []string) *incident.Copy {
	cp := m.copy
	out := &incident.Copy{Hash: cp.Hash(), Clip: cp.Clip(), Proof: cp.ProofHash(), Sheet: cp.SheetHash(), Passed: true, Made: m.at,
		Media: cp.Media(), Mode: cp.Mode(), Veiled: slices.Clone(m.mask.Veiled), Scene: !m.mask.Scene.IsZero(), Notices: notices}
	if cp.Mode() != subject.BlurEverything {
		out.Subjects = m.mask.Subjects
	}
	out.Flagged.Spans = len(cp.Flagged())
	for i := range m.mask.Frames {
		if m.mask.Flags(i) != 0 {
			out.Flagged.Frames++
		}
	}
	if cp.Sound() {
		out.Sound = &incident.Sound{Reason: c.Choice.Sound}
		for _, w := range c.Widened {
			if w.What == incident.WidenSound {
				out.Sound.By, out.Sound.Name = w.By, w.Name
			}
		}
	}
	return out
}

// SetVeiled says which parts of a camera's picture are always veiled. Copies
// that are not approved yet must be made anew where that changes them.
func (s *Service) SetVeiled(ctx context.Context, a Actor, id footage.CameraID, ch VeiledChange) (CameraView, error) {
	if err := s.allow(a, account.ManageCameras); err != nil {
		return CameraView{}, err
	}
	if err := subject.CheckVeiled(ch.Veiled); err != nil {
		return CameraView{}, problem.New(400, "camera.veiled",
			problem.Text{DA: fmt.Sprintf("De slørede områder kan ikke bruges (højst %d).", subject.MaxVeiled), EN: fmt.Sprintf("The veiled regions cannot be used (at most %d).", subject.MaxVeiled)},
			problem.Text{DA: "Tegn dem igen på billedet.", EN: "Draw them again on the picture."}).With(err)
	}
	if _, err := s.o.Store.Camera(ctx, id); err != nil {
		return CameraView{}, errNoCamera.With(err)
	}
	about := map[string]string{"camera": string(id), "regions": fmt.Sprint(len(ch.Veiled))}
	for i, r := range ch.Veiled {
		about[fmt.Sprintf("region%d", i+1)] = fmt.Sprintf("%.3f %.3f %.3f %.3f", r.X, r.Y, r.W, r.H)
	}
	if err := s.record(ctx, a, "camera.veiled", "", about); err != nil {
		return CameraView{}, err
	}
	c, err := s.changeRow(ctx, id, func(c *store.Camera) error { c.Veiled = slices.Clone(ch.Veiled); return nil })
	if err != nil {
		return CameraView{}, err
	}
	return s.cameraView(c), nil
}
