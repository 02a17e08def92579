package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"time"

	"veilbox/appliance/casework"
)

//go:embed assets
var assetFiles embed.FS

//go:embed openapi.json
var openAPI []byte

type asset struct {
	bytes []byte
	kind  string // content type
	etag  string
}

var kinds = map[string]string{
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
	".json": "application/json",
}

func newAsset(name string, b []byte) (asset, error) {
	kind, known := kinds[path.Ext(name)]
	if !known {
		return asset{}, fmt.Errorf("web: asset %s has an ending without a content type", name)
	}
	sum := sha256.Sum256(b)
	return asset{b, kind, `"` + hex.EncodeToString(sum[:12]) + `"`}, nil
}

// loadAssets returns what lies below /assets/: the embedded files, the texts
// for the scripts, and the description of the API.
func loadAssets() (map[string]asset, error) {
	all := map[string]asset{}
	put := func(name string, b []byte) error {
		a, err := newAsset(name, b)
		all[name] = a
		return err
	}
	files, err := fs.Glob(assetFiles, "assets/*")
	if err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	for _, f := range files {
		b, err := assetFiles.ReadFile(f)
		if err != nil {
			return nil, fmt.Errorf("web: %w", err)
		}
		if err := put(path.Base(f), b); err != nil {
			return nil, err
		}
	}
	texts, err := loadTexts()
	if err != nil {
		return nil, err
	}
	for lang, c := range texts {
		b, err := json.Marshal(c)
		if err != nil {
			return nil, fmt.Errorf("web: %w", err)
		}
		if err := put("text."+lang+".json", b); err != nil {
			return nil, err
		}
	}
	return all, put("openapi.json", openAPI)
}

// assetFile serves a file that is the same for everyone. Browsers may keep it
// but ask each time whether it is still the same.
func (s *server) assetFile(w http.ResponseWriter, r *http.Request, _ casework.Actor) error {
	a, found := s.files[r.PathValue("file")]
	if !found {
		return errNotFound
	}
	h := w.Header()
	h.Set("Content-Type", a.kind)
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", a.etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.bytes))
	return nil
}
