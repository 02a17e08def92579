package serve

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Input is what a model takes: planes of Width by Height.
type Input struct {
	Planes        int // 1 or 3
	Width, Height int
}

// What a side of a model that leaves it open is taken to be.
const openSide = 640

// Field numbers of ONNX (onnx.proto3 of the ONNX project) on the way from a
// model to the size of its input.
const (
	modelGraph       = 7
	graphInitializer = 5
	graphInput       = 11
	tensorName       = 8
	valueName        = 1
	valueType        = 2
	typeTensor       = 1
	tensorElem       = 1
	tensorShape      = 2
	shapeDim         = 1
	dimValue         = 1
	elemFloat        = 1
)

var errProtobuf = errors.New("it is no ONNX file, or is cut short")

// ReadInput returns what the model in b takes. It reads no more of the file than
// that; OpenCV, which reads the rest, does not tell it.
func ReadInput(b []byte) (Input, error) {
	var graph []byte
	if err := fields(b, func(n int, _ uint64, body []byte) {
		if n == modelGraph && body != nil {
			graph = body
		}
	}); err != nil {
		return Input{}, err
	}
	if graph == nil {
		return Input{}, errProtobuf
	}
	// Older files list their weights among the inputs too.
	weights := map[string]bool{}
	var inputs [][]byte
	var inner error
	err := fields(graph, func(n int, _ uint64, body []byte) {
		switch {
		case n == graphInitializer && len(weights) < 100_000:
			name, err := sub(body, tensorName)
			inner = errors.Join(inner, err)
			weights[string(name)] = true
		case n == graphInput && len(inputs) < 100_000:
			inputs = append(inputs, body)
		}
	})
	if err = errors.Join(err, inner); err != nil {
		return Input{}, err
	}
	var found []byte
	for _, in := range inputs {
		name, err := sub(in, valueName)
		if err != nil {
			return Input{}, err
		}
		if weights[string(name)] {
			continue
		}
		if found != nil {
			return Input{}, errors.New("it has more than one input")
		}
		found = in
	}
	if found == nil {
		return Input{}, errors.New("it has no input")
	}
	return shape(found)
}

func shape(value []byte) (Input, error) {
	tensor, err := sub(value, valueType, typeTensor)
	if err != nil {
		return Input{}, err
	}
	var dims []int64
	elem := uint64(0)
	var inner error
	err = fields(tensor, func(n int, v uint64, body []byte) {
		switch n {
		case tensorElem:
			elem = v
		case tensorShape:
			inner = fields(body, func(n int, _ uint64, body []byte) {
				if n != shapeDim || len(dims) > 8 {
					return
				}
				d := int64(-1) // open
				inner = errors.Join(inner, fields(body, func(n int, v uint64, _ []byte) {
					if n == dimValue {
						d = int64(v)
					}
				}))
				dims = append(dims, d)
			})
		}
	})
	if err = errors.Join(err, inner); err != nil {
		return Input{}, err
	}
	if elem != elemFloat {
		return Input{}, fmt.Errorf("its input is of type %d of ONNX, not float32: export it in full precision", elem)
	}
	if len(dims) != 4 || dims[0] > 1 || dims[1] != 1 && dims[1] != 3 {
		return Input{}, fmt.Errorf("its input has the shape %v, not 1 x 3 x H x W or 1 x 1 x H x W", dims)
	}
	in := Input{Planes: int(dims[1]), Height: openSide, Width: openSide}
	for i, side := range []*int{&in.Height, &in.Width} {
		switch d := dims[2+i]; {
		case d <= 0: // open
		case d < 32 || d > 2048:
			return Input{}, fmt.Errorf("its input has the shape %v: sides are from 32 to 2048", dims)
		default:
			*side = int(d)
		}
	}
	return in, nil
}

// sub returns the last field of that path of numbers, nil where there is none.
func sub(b []byte, path ...int) ([]byte, error) {
	for _, want := range path {
		var got []byte
		if err := fields(b, func(n int, _ uint64, body []byte) {
			if n == want && body != nil {
				got = body
			}
		}); err != nil {
			return nil, err
		}
		b = got
	}
	return b, nil
}

// fields calls f for each field of a protobuf message: v of a number, body, not
// nil, of one that has a length. Groups are refused, ONNX has none.
func fields(b []byte, f func(n int, v uint64, body []byte)) error {
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		if n <= 0 || tag>>3 == 0 || tag>>3 > 1<<29-1 {
			return errProtobuf
		}
		b = b[n:]
		switch field := int(tag >> 3); tag & 7 {
		case 0:
			v, n := binary.Uvarint(b)
			if n <= 0 {
				return errProtobuf
			}
			f(field, v, nil)
			b = b[n:]
		case 1, 5:
			size := 4
			if tag&7 == 1 {
				size = 8
			}
			if len(b) < size {
				return errProtobuf
			}
			b = b[size:]
		case 2:
			size, n := binary.Uvarint(b)
			if n <= 0 || size > uint64(len(b)-n) {
				return errProtobuf
			}
			f(field, 0, b[n:n+int(size):n+int(size)])
			b = b[n+int(size):]
		default:
			return errProtobuf
		}
	}
	return nil
}
