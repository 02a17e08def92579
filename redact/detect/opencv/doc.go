// Package opencv is the engine of veil-detect: OpenCV 4.6 to 4.10 (Debian 12 and
// 13), its modules core, imgproc, objdetect and dnn alone, behind a few C
// functions. It is in builds with cgo and the tag opencv only, so that the rest
// of the tree needs no header of OpenCV:
//
//	CGO_ENABLED=1 go build -tags opencv ./cmd/veil-detect
//
// The C++ side catches what OpenCV throws; an error is a text. What it cannot
// catch ends the process, which is there for that. See redact/detect for what is
// detected, in which units.
package opencv
