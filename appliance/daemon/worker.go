package daemon

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"veilbox/appliance/config"
	"veilbox/redact"
)

// installed is where a package puts the worker.
const installed = "/usr/libexec/veilbox/veil-redact"

// worker returns what starts veil-redact as the settings say. A missing program
// is told by its first use and on the health page: recording goes on without.
func worker(c config.Redact, log *slog.Logger) (*redact.Worker, error) {
	path := c.Worker
	if path == "" {
		exe, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("daemon: %w", err)
		}
		path = filepath.Join(filepath.Dir(exe), "veil-redact")
		if _, err := os.Stat(path); err != nil {
			path = installed
		}
	}
	ffmpeg := c.FFmpeg
	if ffmpeg == "ffmpeg" {
		ffmpeg = "" // the system's
	}
	return &redact.Worker{
		Path: path, FFmpeg: ffmpeg, Log: log,
		Detect:  redact.Detect{On: c.Detect, Path: c.Detector, Model: c.Model, SHA256: c.ModelSHA256},
		Encoder: redact.Encoder{Codec: c.Encoder, Preset: c.Preset, Quality: c.CRF},
		Limits:  redact.Limits{Length: time.Duration(c.MaxClip) + time.Minute},
		Sandbox: redact.Policy{AllowDegraded: c.AllowDegradedSandbox},
	}, nil
}
