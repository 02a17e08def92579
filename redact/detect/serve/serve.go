// Package serve is the child's end of redact/detect: it reads the header, makes
// an engine of it, and answers frame after frame until its input ends.
package serve

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"veilbox/redact/detect"
)

// An Engine detects. It is OpenCV's (redact/detect/opencv) in veil-detect.
type Engine interface {
	// Frame appends what is in a frame to boxes.
	Frame(luma []byte, boxes []detect.Box) ([]detect.Box, error)
}

// A Maker makes an engine. model and cascade are nil where the header has none;
// they are good for as long as the program runs. in is the model's input.
// version names the library. An error that wraps ErrModel is the model's fault.
type Maker func(h detect.Header, model, cascade []byte, in Input) (e Engine, version string, err error)

// ErrModel is the error of a model that cannot be used.
var ErrModel = errors.New("the model cannot be used")

// Main is the program. It returns its exit code.
func Main(args []string, in io.Reader, out, errs io.Writer, makes Maker) int {
	if len(args) != 1 || args[0] != "run" {
		// Nobody is left to tell if standard error is closed.
		_, _ = io.WriteString(errs, "veil-detect is started by veil-redact; it is not used by itself.\n")
		return 2
	}
	if err := run(bufio.NewReaderSize(in, 64<<10), out, makes); err != nil {
		_, _ = fmt.Fprintln(errs, err) // as above
		return 1
	}
	return 0
}

func run(in io.Reader, out io.Writer, makes Maker) error {
	if err := detect.WriteGreeting(out); err != nil {
		return err
	}
	h, err := detect.ReadHeader(in)
	if err != nil {
		return err
	}
	engine, version, err := start(h, makes)
	if werr := detect.WriteHello(out, version, err, errors.Is(err, ErrModel)); err != nil || werr != nil {
		return errors.Join(err, werr)
	}
	luma := make([]byte, h.Width*h.Height)
	var boxes []detect.Box
	for {
		switch err := detect.ReadFrame(in, luma); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		var err error
		boxes, err = engine.Frame(luma, boxes[:0])
		if werr := detect.WriteReply(out, boxes, err); err != nil || werr != nil {
			return errors.Join(err, werr)
		}
	}
}

func start(h detect.Header, makes Maker) (Engine, string, error) {
	fd := 3
	var model, cascade []byte
	var in Input
	var err error
	if h.Model {
		if model, err = mapped(fd, detect.MaxModel); err != nil {
			return nil, "", fmt.Errorf("%w: %w", ErrModel, err)
		}
		if in, err = ReadInput(model); err != nil {
			return nil, "", fmt.Errorf("%w: %w", ErrModel, err)
		}
		fd++
	}
	if h.Cascade {
		if cascade, err = mapped(fd, detect.MaxCascade); err != nil {
			return nil, "", err
		}
	}
	return makes(h, model, cascade, in)
}

// mapped returns the bytes of a sealed file without a copy of them.
func mapped(fd int, limit int64) ([]byte, error) {
	f := os.NewFile(uintptr(fd), "passed")
	if f == nil {
		return nil, fmt.Errorf("file %d was not passed", fd)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if n := info.Size(); n < 1 || n > limit {
		return nil, fmt.Errorf("a file of %d bytes was passed", n)
	}
	return syscall.Mmap(fd, 0, int(info.Size()), syscall.PROT_READ, syscall.MAP_PRIVATE)
}
