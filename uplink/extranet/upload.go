package extranet

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/tus/tusd/v2/pkg/filestore"
	tusd "github.com/tus/tusd/v2/pkg/handler"
	"github.com/tus/tusd/v2/pkg/memorylocker"
	expslog "golang.org/x/exp/slog"

	"veilbox/appliance/incident"
	"veilbox/internal/durable"
	"veilbox/internal/sqlitedb"
	"veilbox/uplink/wire"
)

// newTus returns the handler of the protocol's HEAD and PATCH. Uploads are made
// by submit alone, so that there is none without a judged disclosure.
func (s *Server) newTus() (*tusd.UnroutedHandler, error) {
	c := tusd.NewStoreComposer()
	c.UseCore(filestore.New(s.uploads()))
	memorylocker.New().UseIn(c)
	h, err := tusd.NewUnroutedHandler(tusd.Config{
		StoreComposer: c, MaxSize: s.o.MaxContent, BasePath: "/v1/uploads/",
		DisableDownload: true, DisableTermination: true, Cors: &tusd.CorsConfig{Disable: true},
		NetworkTimeout: 30 * time.Second, GracefulRequestCompletionTimeout: 5 * time.Second,
		Logger: expslog.New(expslog.NewTextHandler(io.Discard, nil)), // it logs through another slog; what matters is in the answer
	})
	if err != nil {
		return nil, fmt.Errorf("extranet: upload handler: %w", err)
	}
	return h, nil
}

func (s *Server) uploadPath(id incident.DisclosureID) string {
	return filepath.Join(s.uploads(), string(id))
}
func (s *Server) blobPath(id incident.DisclosureID) string {
	return filepath.Join(s.blobs(), string(id))
}

// openUpload makes the upload where it is not there.
func (s *Server) openUpload(ctx context.Context, id incident.DisclosureID, size int64) error {
	store := filestore.New(s.uploads())
	_, err := store.GetUpload(ctx, string(id))
	if err == nil {
		return nil
	}
	if _, e := os.Stat(s.blobPath(id)); e == nil {
		return nil // moved, but not yet written down: complete goes on from there
	}
	if _, err = store.NewUpload(ctx, tusd.FileInfo{ID: string(id), Size: size}); err != nil {
		return fmt.Errorf("extranet: make the upload: %w", err)
	}
	return nil
}

func (s *Server) upload(w http.ResponseWriter, r *http.Request) {
	b, err := s.caller(r)
	var d disclosure
	if err == nil {
		d, err = s.own(r.Context(), b, r)
	}
	switch {
	case err != nil:
	case d.Box != b.ID:
		err = errNotFound
	case d.State == wire.StateEnded:
		err = errEnded
	}
	if err == nil && d.State == wire.StateAvailable || err == nil && exists(s.blobPath(d.ID)) {
		// All of it is here.
		w.Header().Set("Tus-Resumable", "1.0.0")
		w.Header().Set("Upload-Offset", fmt.Sprint(d.Size))
		w.Header().Set("Upload-Length", fmt.Sprint(d.Size))
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if err != nil {
		s.answer(w, r, nil, err)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, wire.ChunkSize)
	h := s.tus.HeadFile
	if r.Method == http.MethodPatch {
		h = s.tus.PatchFile
	}
	http.StripPrefix("/v1/uploads/", s.tus.Middleware(http.HandlerFunc(h))).ServeHTTP(w, r)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// complete checks the ciphertext against the manifest and makes the disclosure
// available. Repeated, it gives the same receipt.
func (s *Server) complete(ctx context.Context, b box, r *http.Request) (any, error) {
	d, err := s.own(ctx, b, r)
	if err != nil {
		return nil, err
	}
	switch {
	case d.Box != b.ID:
		return nil, errNotFound
	case d.State == wire.StateEnded:
		return nil, errEnded
	case d.State == wire.StateAvailable:
		return wire.CompleteResponse{Disclosure: d.ID, State: d.State, Available: *d.Available, Ends: d.Ends}, nil
	}
	if err := s.settleUpload(ctx, d); err != nil {
		return nil, err
	}
	now := s.now()
	if err := s.makeAvailable(ctx, d.ID, now); err != nil {
		return nil, err
	}
	return wire.CompleteResponse{Disclosure: d.ID, State: wire.StateAvailable, Available: fromMS(ms(now)), Ends: d.Ends},
		s.note(ctx, "disclosure.available", byBox(b), map[string]string{"member": string(d.Member), "disclosure": string(d.ID)}, "")
}

// settleUpload verifies the whole ciphertext, and lets it last.
func (s *Server) settleUpload(ctx context.Context, d disclosure) error {
	path := s.uploadPath(d.ID)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		path = s.blobPath(d.ID)
		f, err = os.Open(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return errUploadShort
	}
	if err != nil {
		return fmt.Errorf("extranet: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("extranet: %w", err)
	}
	if info.Size() < d.Size && path == s.uploadPath(d.ID) {
		return errUploadShort
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return fmt.Errorf("extranet: read the upload: %w", err)
	}
	if info.Size() != d.Size || hex.EncodeToString(h.Sum(nil)) != d.Hash {
		s.o.Log.Warn("upload is not what the manifest says; it begins anew", "disclosure", d.ID)
		if err := s.removeFiles(d.ID); err != nil {
			return err
		}
		if err := s.openUpload(ctx, d.ID, d.Size); err != nil {
			return err
		}
		return errUpload
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("extranet: %w", err)
	}
	return nil
}

func (s *Server) makeAvailable(ctx context.Context, id incident.DisclosureID, now time.Time) error {
	s.life.Lock()
	defer s.life.Unlock()
	d, err := s.find(ctx, id)
	if err != nil {
		return err
	}
	if d.State == wire.StateEnded {
		return errEnded
	}
	if !exists(s.blobPath(id)) {
		if err := os.Rename(s.uploadPath(id), s.blobPath(id)); err != nil {
			return fmt.Errorf("extranet: keep the upload: %w", err)
		}
	}
	if err := durable.SyncDir(s.blobs()); err != nil {
		return fmt.Errorf("extranet: %w", err)
	}
	err = sqlitedb.Tx(ctx, s.db, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE disclosure SET state = 'available', available = ? WHERE id = ? AND state = 'uploading'", ms(now), id)
		return err
	})
	if err != nil {
		return fmt.Errorf("extranet: %w", err)
	}
	if err := durable.Remove(s.uploadPath(id) + ".info"); err != nil {
		return fmt.Errorf("extranet: %w", err)
	}
	return nil
}

// removeFiles removes every byte of a disclosure's ciphertext.
func (s *Server) removeFiles(id incident.DisclosureID) error {
	var errs []error
	for _, path := range []string{s.blobPath(id), s.uploadPath(id), s.uploadPath(id) + ".info"} {
		errs = append(errs, durable.Remove(path))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("extranet: remove the ciphertext of %s: %w", id, err)
	}
	return nil
}

// checkBlobs ends, at start, what says it is available but whose ciphertext is
// gone: nobody shall be told of a video that cannot be shown.
func (s *Server) checkBlobs(ctx context.Context) error {
	var lost []incident.DisclosureID
	err := s.each(ctx, "SELECT id, size FROM disclosure WHERE state = 'available'", func(scan scanner) error {
		var id incident.DisclosureID
		var size int64
		if err := scan(&id, &size); err != nil {
			return err
		}
		if info, err := os.Stat(s.blobPath(id)); err != nil && errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() != size {
			lost = append(lost, id)
		} else if err != nil {
			return err
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range lost {
		s.o.Log.Error("the ciphertext of a disclosure is gone or cut; it is ended", "disclosure", id)
		if err := s.end(ctx, id, wire.Ending{At: s.now(), Code: wire.EndLost, Reason: "the ciphertext was lost", By: "extranet"}, byClock()); err != nil {
			return err
		}
	}
	return nil
}
