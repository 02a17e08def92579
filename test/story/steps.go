package story

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"image/jpeg"
	"io"
	"time"

	"veilbox/appliance/casework"
	"veilbox/appliance/ctl/client"
	"veilbox/appliance/incident"
	"veilbox/internal/problem"
	"veilbox/redact/subject"
)

// runs is what the steps hand on.
type runs struct {
	from, to time.Time
	id       incident.CaseID
	copy     []byte
}

// Case returns the case that the story works on.
func (w *World) Case() incident.CaseID { return w.runs.id }

// until asks again until f says true, or an error.
func until(ctx context.Context, what string, limit time.Duration, f func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		ok, err := f()
		if err != nil || ok {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("story: %s: not within %v", what, limit)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// refused checks that err is a problem with one of the codes.
func refused(what string, err error, codes ...string) error {
	if err == nil {
		return fmt.Errorf("story: %s was allowed", what)
	}
	p := problem.Of(err)
	for _, c := range codes {
		if p.Code == c {
			return nil
		}
	}
	return fmt.Errorf("story: %s: want %q, got %s: %w", what, codes, p.Code, err)
}

// Record waits until the camera's pictures are in the ring, and checks that none
// of them lies on the disk in the clear.
func (w *World) Record(ctx context.Context) error {
	c, err := w.A.As(ctx, w.A.Manager)
	if err != nil {
		return err
	}
	w.runs.from, w.runs.to = w.clipSpan()
	limit := time.Until(w.runs.to) + 30*time.Second
	err = until(ctx, "the clip is recorded", limit, func() (bool, error) {
		t, err := c.Timeline(ctx, CameraID, w.runs.from.Add(-time.Hour), w.runs.to.Add(time.Hour))
		if err != nil {
			return false, err
		}
		for _, r := range t.Recorded {
			if !r.From.After(w.runs.from) && !r.To.Before(w.runs.to) {
				return true, nil
			}
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	m, err := c.Footage(ctx, CameraID, w.runs.from, w.runs.to, false, "")
	if err != nil {
		return err
	}
	b, err := io.ReadAll(m)
	if err := errors.Join(err, m.Close()); err != nil {
		return err
	}
	return nothingInTheClear(w.A.Dir, b)
}

// Look is a member of staff who sees the camera and plays a recorded span.
func (w *World) Look(ctx context.Context) error {
	c, err := w.A.As(ctx, w.A.Staff)
	if err != nil {
		return err
	}
	cams, err := c.Cameras(ctx)
	if err != nil {
		return err
	}
	if len(cams) != 1 || cams[0].State != "recording" || !cams[0].Live {
		return fmt.Errorf("story: the cameras are %+v", cams)
	}
	var last []byte
	begin := time.Now()
	for n := 0; n < 3; {
		b, err := c.Still(ctx, CameraID)
		if err != nil {
			return err
		}
		if _, err := jpeg.Decode(bytes.NewReader(b)); err != nil {
			return fmt.Errorf("story: the still: %w", err)
		}
		if !bytes.Equal(b, last) {
			n++
		}
		last = b
		if time.Since(begin) > 10*time.Second {
			return errors.New("story: the camera's picture does not move")
		}
	}
	m, err := c.Footage(ctx, CameraID, w.runs.from, w.runs.to, false, "")
	if err != nil {
		return err
	}
	info, err := w.probe(ctx, m)
	if err := errors.Join(err, m.Close()); err != nil {
		return err
	}
	if want := w.runs.to.Sub(w.runs.from).Seconds(); info.duration < want-0.5 || info.duration > want+0.5 {
		return fmt.Errorf("story: %g s of recording play, want %g", info.duration, want)
	}
	_, err = c.Footage(ctx, CameraID, w.runs.from, w.runs.to, true, "nysgerrighed")
	return refused("an export by staff", err, "account.permission", "person.permission")
}

// Tag creates the incident.
func (w *World) Tag(ctx context.Context) error {
	c, err := w.A.As(ctx, w.A.Staff)
	if err != nil {
		return err
	}
	value := 4200
	v, err := c.NewCase(ctx, casework.NewCase{
		Camera: CameraID, From: w.runs.from, To: w.runs.to, What: "En mand tog to høretelefoner fra hylden og gik uden at betale.",
		ValueDKK: &value, HappenedAt: w.runs.from, Offence: incident.Theft,
	})
	if err != nil {
		return err
	}
	w.runs.id = v.ID
	m, err := c.CaseClip(ctx, v.ID)
	if err != nil {
		return err
	}
	b, err := io.ReadAll(m)
	if err := errors.Join(err, m.Close()); err != nil {
		return err
	}
	if sum := sha256.Sum256(b); sum != v.Clip.Hash.Hash {
		return errors.New("story: the clip is not the one that the case names")
	}
	return nil
}

// Subject is the subject of the story's clip, which begins lead before the span
// that was asked for.
func Subject(lead time.Duration) subject.Subject {
	r := subjectRect
	return subject.Subject{Version: subject.Version, Keyframes: []subject.Keyframe{{At: lead.Seconds() + subjectAt - subjectFrom, Rect: &r}}}
}

// Veil marks the subject, waits for the copy, and looks at copy and sheet.
func (w *World) Veil(ctx context.Context) error {
	c, err := w.A.As(ctx, w.A.Staff)
	if err != nil {
		return err
	}
	v, err := c.Case(ctx, w.runs.id)
	if err != nil {
		return err
	}
	if _, err := c.Redact(ctx, v.ID, casework.SubjectChange{Version: v.Version, Subjects: []subject.Subject{Subject(w.runs.from.Sub(v.ClipFrom))}}); err != nil {
		return err
	}
	moved := false
	err = until(ctx, "the copy is made", 2*time.Minute, func() (bool, error) {
		p, err := c.CaseProgress(ctx, v.ID)
		if err != nil {
			return false, err
		}
		moved = moved || p.Running && p.Total > 0
		if p.Stage == "failed" {
			return false, fmt.Errorf("story: no copy: %s", p.Problem.Cause.EN)
		}
		return p.Stage == "done", nil
	})
	if err != nil {
		return err
	}
	if !moved {
		return errors.New("story: no progress was shown")
	}
	return w.checkCopy(ctx, c)
}

func (w *World) checkCopy(ctx context.Context, c *client.Client) error {
	m, err := c.CaseCopy(ctx, w.runs.id)
	if err != nil {
		return err
	}
	w.runs.copy, err = io.ReadAll(m)
	if err := errors.Join(err, m.Close()); err != nil {
		return err
	}
	info, err := w.probe(ctx, bytes.NewReader(w.runs.copy))
	if err != nil {
		return err
	}
	if info.streams != 1 || info.codec != "h264" || len(info.tags) > 0 {
		return fmt.Errorf("story: the copy has %d streams, codec %s, tags %v", info.streams, info.codec, info.tags)
	}
	if moov, mdat := bytes.Index(w.runs.copy, []byte("moov")), bytes.Index(w.runs.copy, []byte("mdat")); moov < 0 || mdat < moov {
		return errors.New("story: the copy does not start fast")
	}
	sheet, err := c.Sheet(ctx, w.runs.id)
	if err != nil {
		return err
	}
	if sheet.Shown < 2 || len(sheet.Pictures) < int(sheet.Shown) {
		return fmt.Errorf("story: the subject is shown for %.1f s on %d pictures", sheet.Shown, len(sheet.Pictures))
	}
	for i := range sheet.Pictures {
		b, err := c.SheetPicture(ctx, w.runs.id, i)
		if err != nil {
			return err
		}
		if _, err := jpeg.Decode(bytes.NewReader(b)); err != nil {
			return fmt.Errorf("story: picture %d of the sheet: %w", i, err)
		}
	}
	return nil
}

// Ask fills in the form; what is missing is named with its condition. Reported
// says whether the police have the report already.
func (w *World) Ask(ctx context.Context, reported bool) error {
	c, err := w.A.As(ctx, w.A.Staff)
	if err != nil {
		return err
	}
	v, err := c.Case(ctx, w.runs.id)
	if err != nil {
		return err
	}
	if err := c.AcceptConditions(ctx, casework.ConditionsVersion); err != nil {
		return err
	}
	_, err = c.Submit(ctx, v.ID, v.Version)
	if err := refused("a submission with conditions missing", err, "gate.missing"); err != nil {
		return err
	}
	missing := map[string]bool{}
	for _, m := range v.Missing {
		missing[string(m.Condition)] = true
	}
	for _, id := range []string{"V1", "V3", "V4", "V6", "V8", "V9"} {
		if !missing[id] {
			return fmt.Errorf("story: %s is not named as missing: %v", id, v.Missing)
		}
	}
	now := w.now()
	e := v.Evidence
	e.Basis = incident.BasisRecording
	e.Repetition = "Samme mand er set i to andre butikker i kæden i denne måned."
	e.Professional = "Han havde en taske foret med folie."
	e.RepeatReasons = "Han har gjort det tre gange på to uger med samme fremgangsmåde og vil efter alt at dømme gøre det igen."
	e.ReportToday = !reported
	if reported {
		e.Report = &incident.Report{Number: "0700-12345-00001-26", At: now.Add(-time.Minute)}
	}
	e.Circle = incident.Circle{
		Area: "region", Place: "Syddanmark", Trades: []string{"Elektronik"},
		Members: []incident.MemberID{MemberB}, Reason: "Han går efter dyre høretelefoner og er set i elektronikbutikker i regionen.",
	}
	next := now.AddDate(0, 0, 14)
	e.NextReassessment = &next
	if v, err = c.ChangeCase(ctx, v.ID, casework.Change{Version: v.Version, What: v.What, HappenedAt: v.HappenedAt, Evidence: e}); err != nil {
		return err
	}
	_, err = c.ChangeCase(ctx, v.ID, casework.Change{Version: v.Version - 1, What: v.What, HappenedAt: v.HappenedAt, Evidence: e})
	if err := refused("a change over another's", err, "case.conflict", "store.conflict"); err != nil {
		return err
	}
	_, err = c.Submit(ctx, v.ID, v.Version)
	return err
}

// Approve has staff refused, then the assessor refuse and approve with reasons.
func (w *World) Approve(ctx context.Context) error {
	staff, err := w.A.As(ctx, w.A.Staff)
	if err != nil {
		return err
	}
	v, err := staff.Case(ctx, w.runs.id)
	if err != nil {
		return err
	}
	verdict := casework.Verdict{
		Version: v.Version, Decision: incident.Approve, Reasons: "Alle ni vilkår er opfyldt; gerningen ses på optagelsen.",
		Copy: v.Copy.Hash, Sheet: v.Copy.Sheet, SawFlagged: v.Copy.Flagged.Spans,
	}
	_, err = staff.Approve(ctx, v.ID, verdict, w.A.Staff.Key)
	if err := refused("an approval by staff", err, "account.permission", "person.permission"); err != nil {
		return err
	}
	c, err := w.A.As(ctx, w.A.Assessor)
	if err != nil {
		return err
	}
	if err := c.AcceptConditions(ctx, casework.ConditionsVersion); err != nil {
		return err
	}
	_, err = c.Approve(ctx, v.ID, verdict, w.B.Assessor.Key)
	if err == nil {
		return errors.New("story: an approval signed by another shop's assessor was allowed")
	}
	_, err = c.Assess(ctx, v.ID, verdict)
	if err == nil {
		return errors.New("story: an approval without a signature was allowed")
	}
	verdict.Decision, verdict.Reasons = incident.Refuse, "Jeg vil se kopien igen i morgen."
	if v, err = c.Assess(ctx, v.ID, verdict); err != nil {
		return err
	}
	if v.State != incident.Refused {
		return fmt.Errorf("story: a refused case is %s", v.State)
	}
	if v, err = staff.Submit(ctx, v.ID, v.Version); err != nil {
		return err
	}
	verdict.Version, verdict.Decision, verdict.Reasons = v.Version, incident.Approve, "Alle ni vilkår er opfyldt; gerningen ses på optagelsen."
	if v, err = c.Approve(ctx, v.ID, verdict, w.A.Assessor.Key); err != nil {
		return err
	}
	if v.State != incident.Released && v.State != incident.Disclosed || v.Disclosure == nil {
		return fmt.Errorf("story: an approved case is %s", v.State)
	}
	return nil
}

// Arrive waits until the extranet has the copy.
func (w *World) Arrive(ctx context.Context) error {
	c, err := w.A.As(ctx, w.A.Staff)
	if err != nil {
		return err
	}
	return until(ctx, "the extranet has the copy", time.Minute, func() (bool, error) {
		v, err := c.Case(ctx, w.runs.id)
		if err != nil {
			return false, err
		}
		if v.Sending != nil && v.Sending.State == "refused" && v.State != incident.Disclosed {
			return false, fmt.Errorf("story: the extranet refused: %+v", v.Sending.Problem)
		}
		return v.State == incident.Disclosed, nil
	})
}
