package casework

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"veilbox/appliance/account"
	"veilbox/appliance/incident"
	"veilbox/appliance/store"
	"veilbox/capture/clip"
	"veilbox/capture/seal"
	"veilbox/internal/durable"
	"veilbox/internal/keys"
	"veilbox/internal/problem"
	"veilbox/redact"
	"veilbox/redact/subject"
)

// copyFiles keeps one case's copy as a sealed file.
type copyFiles struct {
	path    string
	key     keys.Key
	context string
}

func (s *Service) copyFiles(id incident.CaseID) copyFiles {
	return copyFiles{
		path: filepath.Join(s.o.Dir, "copies", string(id)+".sealed"),
		key:  s.copyKey, context: "copy/" + string(id),
	}
}

const unfinished = ".tmp-"

// dropUnfinished removes what a stop left of copies that were being written.
func (s *Service) dropUnfinished() error {
	left, err := filepath.Glob(filepath.Join(s.o.Dir, "copies", unfinished+"*"))
	if err != nil {
		return fmt.Errorf("casework: %w", err)
	}
	for _, path := range left {
		if err := durable.Remove(path); err != nil {
			return fmt.Errorf("casework: %w", err)
		}
	}
	return nil
}

// pending is a sealed file on its way; Close makes it last.
type pending struct {
	f    *os.File
	w    io.WriteCloser
	path string
}

func (c copyFiles) Create() (io.WriteCloser, error) {
	f, err := os.CreateTemp(filepath.Dir(c.path), unfinished+"*")
	if err != nil {
		return nil, fmt.Errorf("casework: make the copy's file: %w", err)
	}
	w, err := seal.NewWriter(f, c.key, c.context)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("casework: %w", err), f.Close(), os.Remove(f.Name()))
	}
	return &pending{f: f, w: w, path: c.path}, nil
}

func (p *pending) Write(b []byte) (int, error) { return p.w.Write(b) }

func (p *pending) Close() error {
	err := p.w.Close()
	if err == nil {
		err = p.f.Sync()
	}
	err = errors.Join(err, p.f.Close())
	if err == nil {
		err = os.Rename(p.f.Name(), p.path)
	}
	if err != nil {
		return fmt.Errorf("casework: keep the copy: %w", errors.Join(err, os.Remove(p.f.Name())))
	}
	return durable.SyncDir(filepath.Dir(p.path))
}

func (c copyFiles) Remove() error { return durable.Remove(c.path) }

func (c copyFiles) Open() (io.ReadCloser, error) { return c.open() }

// A sealedMedia is a sealed file that can be sought in.
type sealedMedia struct {
	*io.SectionReader
	f *os.File
}

func (m *sealedMedia) Close() error { return m.f.Close() }

func (c copyFiles) open() (*sealedMedia, error) {
	f, err := os.Open(c.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errCopyDamaged.With(err)
	}
	if err != nil {
		return nil, fmt.Errorf("casework: open the copy: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("casework: %w", err), f.Close())
	}
	r, err := seal.OpenAt(f, info.Size(), c.key, c.context)
	if err != nil {
		return nil, errors.Join(errCopyDamaged.With(err), f.Close())
	}
	return &sealedMedia{io.NewSectionReader(told{r}, 0, r.Size()), f}, nil
}

var errCopyDamaged = problem.New(500, "copy.damaged",
	problem.Text{DA: "Kopien på boksen er beskadiget.", EN: "The copy on the box is damaged."},
	problem.Text{DA: "Lav sløringen igen; klippet er der stadig.", EN: "Make the veiled copy again; the clip is still there."})

// told reads a sealed file and says to a person what is wrong with it.
type told struct{ io.ReaderAt }

func (t told) ReadAt(p []byte, off int64) (int, error) {
	n, err := t.ReaderAt.ReadAt(p, off)
	if errors.Is(err, seal.ErrDamaged) {
		err = errCopyDamaged.With(err)
	}
	return n, err
}

func (s *Service) saveRecord(ctx context.Context, id incident.CaseID, cp redact.Copy) error {
	b, err := json.Marshal(cp.Record())
	if err != nil {
		return fmt.Errorf("casework: %w", err)
	}
	if err := s.o.Store.SetRedaction(ctx, id, b); err != nil {
		return fmt.Errorf("casework: keep the proof: %w", err)
	}
	return nil
}

// copyRecord returns what is stored of a case's copy without reading the video.
func (s *Service) copyRecord(ctx context.Context, id incident.CaseID) (redact.Record, error) {
	var r redact.Record
	b, err := s.o.Store.Redaction(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return r, problem.New(404, "copy.missing",
			problem.Text{DA: "Sagen har ingen sløret kopi endnu.", EN: "The case has no veiled copy yet."},
			problem.Text{DA: "Markér personen og start sløringen.", EN: "Mark the person and start the veiling."})
	}
	if err != nil {
		return r, fmt.Errorf("casework: %w", err)
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("casework: the record of the copy: %w", err)
	}
	return r, nil
}

// dropCopy removes the copy and its record for good.
func (s *Service) dropCopy(ctx context.Context, id incident.CaseID) error {
	return errors.Join(s.o.Store.DeleteRedaction(ctx, id), s.copyFiles(id).Remove())
}

// CaseClip opens the original of a case for somebody who may see footage; as is
// "h264" for a browser that cannot play what the camera sends.
func (s *Service) CaseClip(ctx context.Context, a Actor, id incident.CaseID, as string) (Media, error) {
	if err := s.allow(a, account.ViewFootage); err != nil {
		return nil, err
	}
	if as != "" && as != asH264 {
		return nil, errAs
	}
	c, err := s.load(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := s.recordView(ctx, a, "clip.view", "", caseAbout(c)); err != nil {
		return nil, err
	}
	open := func(ctx context.Context) (*clip.Movie, error) {
		return clip.Open(ctx, s.o.Ring, c.Clip.Camera, c.Clip.Span)
	}
	m, err := open(ctx)
	if err != nil {
		return nil, err
	}
	if as == asH264 {
		return s.playable(c.Clip.Camera, m.Span(), open)
	}
	return nopCloser{m}, nil
}

// CaseCopy opens the veiled copy of a case, to look at. A copy for training, in
// which everything is veiled, a manager may take out.
func (s *Service) CaseCopy(ctx context.Context, a Actor, id incident.CaseID, download bool) (Media, error) {
	perm, act := account.ViewFootage, "copy.view"
	if download {
		perm, act = account.ExportFootage, "copy.download"
	}
	if err := s.allow(a, perm); err != nil {
		return nil, err
	}
	c, err := s.load(ctx, id)
	if err != nil {
		return nil, err
	}
	if _, err := s.copyRecord(ctx, id); err != nil {
		return nil, err
	}
	if download && !training(c) {
		return nil, errNotTraining
	}
	if err := s.recordView(ctx, a, act, "", caseAbout(c)); err != nil {
		return nil, err
	}
	return s.copyFiles(id).open()
}

// training reports whether c's copy shows nobody and nothing.
func training(c incident.Case) bool {
	return c.Copy != nil && c.Copy.Mode == subject.BlurEverything
}

var errNotTraining = problem.New(409, "copy.download",
	problem.Text{DA: "Kun en kopi, hvor alle er slørede, kan hentes ud til undervisning.", EN: "Only a copy in which everybody is veiled can be taken out for training."},
	problem.Text{DA: "Vælg »Slør alt« og lav kopien igen, eller del sagen gennem vurderingen.", EN: "Choose “Veil everything” and make the copy again, or share the case through the assessment."})

// Sheet returns the reveal sheet of a case's copy.
func (s *Service) Sheet(ctx context.Context, a Actor, id incident.CaseID) (SheetView, error) {
	if err := s.allow(a, account.ViewFootage); err != nil {
		return SheetView{}, err
	}
	r, err := s.copyRecord(ctx, id)
	if err != nil {
		return SheetView{}, err
	}
	return sheetView(id, r)
}

// SheetPicture returns one picture of the sheet, a JPEG.
func (s *Service) SheetPicture(ctx context.Context, a Actor, id incident.CaseID, n int) ([]byte, error) {
	if err := s.allow(a, account.ViewFootage); err != nil {
		return nil, err
	}
	c, err := s.load(ctx, id)
	if err != nil {
		return nil, err
	}
	r, err := s.copyRecord(ctx, id)
	if err != nil {
		return nil, err
	}
	jpeg, ok := sheetPicture(r, n)
	if !ok {
		return nil, problem.New(404, "sheet.picture",
			problem.Text{DA: "Billedet findes ikke på kontaktarket.", EN: "The picture is not on the reveal sheet."},
			problem.Text{DA: "Hent siden igen.", EN: "Load the page again."})
	}
	if err := s.recordView(ctx, a, "sheet.view", "", caseAbout(c)); err != nil {
		return nil, err
	}
	return jpeg, nil
}

// Proof returns the proof of a case's copy, JSON.
func (s *Service) Proof(ctx context.Context, a Actor, id incident.CaseID) ([]byte, error) {
	if err := s.allow(a, account.ViewCases); err != nil {
		return nil, err
	}
	r, err := s.copyRecord(ctx, id)
	if err != nil {
		return nil, err
	}
	return r.Proof, nil
}
