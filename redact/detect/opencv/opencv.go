//go:build opencv && cgo

package opencv

// #cgo CXXFLAGS: -std=c++17 -O2 -Wall -Wextra -I/usr/include/opencv4
// #cgo LDFLAGS: -lopencv_dnn -lopencv_objdetect -lopencv_imgproc -lopencv_core
// #include "shim.h"
import "C"

import (
	"errors"
	"fmt"
	"unsafe"

	"veilbox/redact/detect"
	"veilbox/redact/detect/serve"
	"veilbox/redact/subject"
)

type engine struct {
	c             *C.vd_detector
	width, height float64
	boxes         [detect.MaxBoxes]C.vd_box
	text          [C.VD_TEXT]C.char
}

// New is a serve.Maker.
func New(h detect.Header, model, cascade []byte, in serve.Input) (serve.Engine, string, error) {
	version := "OpenCV " + C.GoString(C.vd_version())
	e := &engine{width: float64(h.Width), height: float64(h.Height)}
	var o C.vd_options
	o.width, o.height = C.int(h.Width), C.int(h.Height)
	o.threshold, o.detail, o.threads = C.float(h.Threshold), C.int(h.Detail), C.int(h.Threads)
	o.planes, o.in_width, o.in_height = C.int(in.Planes), C.int(in.Width), C.int(in.Height)
	for _, c := range h.Persons {
		e.class(&o, c, detect.Person)
	}
	for _, c := range h.Faces {
		e.class(&o, c, detect.Face)
	}
	e.c = C.vd_new(&o, bytes(model), C.size_t(len(model)), bytes(cascade), C.size_t(len(cascade)), &e.text[0])
	if e.c == nil {
		err := errors.New(C.GoString(&e.text[0]))
		if model != nil {
			err = fmt.Errorf("%w: %w", serve.ErrModel, err)
		}
		return nil, "", err
	}
	return e, version, nil
}

func (e *engine) class(o *C.vd_options, class int, k detect.Kind) {
	o.class_index[o.classes], o.class_kind[o.classes] = C.int(class), C.int(k)
	o.classes++
}

// bytes returns where b lies: in a mapping, out of the collector's reach.
func bytes(b []byte) *C.uchar {
	return (*C.uchar)(unsafe.Pointer(unsafe.SliceData(b)))
}

// Frame is of serve.Engine.
func (e *engine) Frame(luma []byte, boxes []detect.Box) ([]detect.Box, error) {
	n := C.vd_frame(e.c, bytes(luma), &e.boxes[0], C.int(len(e.boxes)), &e.text[0])
	if n < 0 {
		return boxes, errors.New(C.GoString(&e.text[0]))
	}
	for _, b := range e.boxes[:n] {
		boxes = append(boxes, detect.Box{Kind: detect.Kind(b.kind), Score: float32(b.score), Rect: subject.Rect{
			X: float64(b.x) / e.width, Y: float64(b.y) / e.height, W: float64(b.w) / e.width, H: float64(b.h) / e.height}})
	}
	return boxes, nil
}
