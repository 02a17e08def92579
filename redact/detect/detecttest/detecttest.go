// Package detecttest is what tests of detection need: the program, built, and a
// model and a cascade made by hand that see nothing but brightness.
package detecttest

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Build builds veil-detect into dir and returns its path.
func Build(dir string) (string, error) {
	path := filepath.Join(dir, "veil-detect")
	c := exec.Command("go", "build", "-tags", "opencv", "-o", path, "veilbox/cmd/veil-detect")
	c.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build veil-detect: %w: %s\nrun make setup: it installs the headers of OpenCV from Debian", err, out)
	}
	return path, nil
}

// Cell is the side of the squares in which Model sees, in samples of its input.
const Cell = 8

// A Model is made by Bytes. Its input is Side samples each way; each Cell of it
// is a candidate of class 0, scored by its mean brightness.
type Model struct {
	Planes int  // 3
	Side   int  // 64, a multiple of Cell; the same is declared
	Open   bool // the sides are left open in the file
	Rows   bool // 1 x N x 6 in place of 1 x 5 x N
	// What is wrong with it.
	Gain    float32 // of the score; 1
	Shift   float32 // of coordinates, in samples
	Width   float32 // of every box; Cell
	Outputs int     // 1
	Square  bool    // as many values as candidates
	Flat    bool    // no first dimension
	Elem    uint64  // type of the input; 1, float32
}

// Bytes returns the model as an ONNX file.
func (m Model) Bytes() []byte {
	or(&m.Planes, 3)
	or(&m.Side, 64)
	or(&m.Gain, 1)
	or(&m.Width, Cell)
	or(&m.Outputs, 1)
	or(&m.Elem, 1)
	grid := m.Side / Cell
	n := grid * grid
	weights := make([]float32, m.Planes*Cell*Cell)
	for i := range weights {
		weights[i] = m.Gain / float32(len(weights))
	}
	coords := make([]float32, 4*n)
	put := func(i, v int, x float32) {
		if m.Rows {
			coords[4*i+v] = x
		} else {
			coords[v*n+i] = x
		}
	}
	for i := range n {
		put(i, 0, float32(i%grid*Cell+Cell/2)+m.Shift)
		put(i, 1, float32(i/grid*Cell+Cell/2)+m.Shift)
		put(i, 2, m.Width)
		put(i, 3, m.Width)
	}
	ones := make([]float32, n)
	for i := range ones {
		ones[i] = 1
	}
	var graph message
	node := func(op string, in []string, out string, attributes ...message) {
		var b message
		for _, s := range in {
			b.text(1, s)
		}
		b.text(2, out)
		b.text(4, op)
		for _, a := range attributes {
			b.bytes(5, a)
		}
		graph.bytes(1, b)
	}
	axis, shape, coordShape, parts := int64(1), []int64{1, 1, int64(n)}, []int64{1, 4, int64(n)}, []string{"coords", "score"}
	if m.Rows {
		axis, shape, coordShape, parts = 2, []int64{1, int64(n), 1}, []int64{1, int64(n), 4}, []string{"coords", "score", "ones"}
	}
	if m.Square {
		for len(parts)+3 < n {
			parts = append(parts, "score")
		}
	}
	node("Conv", []string{"images", "weights"}, "cells", ints("kernel_shape", Cell, Cell), ints("strides", Cell, Cell))
	node("Reshape", []string{"cells", "shape"}, "score")
	node("Concat", parts, "output", integer("axis", axis))
	if m.Flat {
		node("Reshape", []string{"output", "flat"}, "flattened")
	}
	graph.text(2, "brightness")
	graph.bytes(5, floats("weights", weights, 1, int64(m.Planes), Cell, Cell))
	graph.bytes(5, floats("coords", coords, coordShape...))
	graph.bytes(5, numbers("shape", shape...))
	if m.Rows {
		graph.bytes(5, floats("ones", ones, shape...))
	}
	if m.Flat {
		graph.bytes(5, numbers("flat", -1, 1))
	}
	side := int64(m.Side)
	if m.Open {
		side = 0
	}
	graph.bytes(11, value("images", m.Elem, 1, int64(m.Planes), side, side))
	names := []string{"output", "score"}
	if m.Flat {
		names[0] = "flattened"
	}
	for _, name := range names[:m.Outputs] {
		graph.bytes(12, value(name, 1, 1, 0, 0))
	}
	var opset, out message
	opset.number(2, 11)
	out.number(1, 6) // IR version
	out.bytes(8, opset)
	out.bytes(7, graph)
	return out
}

func or[T int | float32 | uint64](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

// A message is a protobuf message as it is written.
type message []byte

func (m *message) number(field int, v uint64) {
	*m = binary.AppendUvarint(binary.AppendUvarint(*m, uint64(field)<<3), v)
}

func (m *message) bytes(field int, b []byte) {
	*m = binary.AppendUvarint(binary.AppendUvarint(*m, uint64(field)<<3|2), uint64(len(b)))
	*m = append(*m, b...)
}

func (m *message) text(field int, s string) { m.bytes(field, []byte(s)) }

func ints(name string, v ...uint64) (m message) {
	m.text(1, name)
	for _, x := range v {
		m.number(8, x)
	}
	m.number(20, 7)
	return m
}

func integer(name string, v int64) (m message) {
	m.text(1, name)
	m.number(3, uint64(v))
	m.number(20, 2)
	return m
}

func tensor(name string, kind uint64, raw []byte, dims ...int64) (m message) {
	for _, d := range dims {
		m.number(1, uint64(d))
	}
	m.number(2, kind)
	m.text(8, name)
	m.bytes(9, raw)
	return m
}

func floats(name string, v []float32, dims ...int64) message {
	var raw []byte
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
	}
	return tensor(name, 1, raw, dims...)
}

func numbers(name string, v ...int64) message {
	var raw []byte
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(x))
	}
	return tensor(name, 7, raw, int64(len(v)))
}

// value describes an input or output; a side of 0 is open.
func value(name string, elem uint64, dims ...int64) (m message) {
	var shape, kind, outer message
	for _, d := range dims {
		var dim message
		if d == 0 {
			dim.text(2, "side")
		} else {
			dim.number(1, uint64(d))
		}
		shape.bytes(1, dim)
	}
	kind.number(1, elem)
	if len(dims) > 0 {
		kind.bytes(2, shape)
	}
	outer.bytes(1, kind)
	m.text(1, name)
	m.bytes(2, outer)
	return m
}

// Cascade returns a cascade of one feature that takes for a face what is bright
// in its upper half and dark in its lower.
func Cascade() []byte {
	return []byte(strings.TrimSpace(`
<?xml version="1.0"?>
<opencv_storage>
<cascade type_id="opencv-cascade-classifier">
  <stageType>BOOST</stageType>
  <featureType>HAAR</featureType>
  <height>20</height>
  <width>20</width>
  <stageParams><maxWeakCount>1</maxWeakCount></stageParams>
  <featureParams><maxCatCount>0</maxCatCount></featureParams>
  <stageNum>1</stageNum>
  <stages>
    <_>
      <maxWeakCount>1</maxWeakCount>
      <stageThreshold>0.5</stageThreshold>
      <weakClassifiers>
        <_><internalNodes>0 -1 0 0.8</internalNodes><leafValues>0. 1.</leafValues></_>
      </weakClassifiers>
    </_>
  </stages>
  <features>
    <_><rects><_>0 0 20 20 -1.</_><_>0 0 20 10 2.</_></rects></_>
  </features>
</cascade>
</opencv_storage>
`) + "\n")
}
