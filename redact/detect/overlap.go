package detect

import "veilbox/redact/subject"

// Bounds of Judge.
const (
	ownIoU     = 0.25 // below that, nobody detected is the subject
	otherShare = 0.05 // of the smaller of box and region, to count as an overlap
	headPart   = 0.4  // of a person's height, from the top, that a face lies in
)

// A Judgement says whose the boxes of a frame are, as indices of them.
type Judgement struct {
	Own     int   // the subject's person, -1 where nobody detected is the subject
	OwnFace int   // the subject's face, -1 likewise
	Others  []int // everybody else whose box overlaps the region
}

// Judge sorts out the boxes of one frame against region, the bounds of what is
// to be shown of the subject. The subject is the person that covers it best;
// whoever else overlaps is somebody else, and so is every face but one in the
// upper part of the subject. Where in doubt it is somebody else: a flag too many
// costs a look.
func Judge(boxes []Box, region subject.Rect) Judgement {
	j := Judgement{Own: -1, OwnFace: -1}
	best := ownIoU
	for i, b := range boxes {
		if v := IoU(b.Rect, region); b.Kind == Person && v > best {
			best, j.Own = v, i
		}
	}
	body := region
	if j.Own >= 0 {
		body = boxes[j.Own].Rect
	}
	head := subject.Rect{X: body.X, Y: body.Y, W: body.W, H: body.H * headPart}
	for i, b := range boxes {
		cx, cy := b.Rect.X+b.Rect.W/2, b.Rect.Y+b.Rect.H/2
		in := cx >= head.X && cx <= head.X+head.W && cy >= head.Y && cy <= head.Y+head.H
		if b.Kind == Face && in && (j.OwnFace < 0 || b.Score > boxes[j.OwnFace].Score) {
			j.OwnFace = i
		}
	}
	for i, b := range boxes {
		if i == j.Own || i == j.OwnFace {
			continue
		}
		if least := min(area(b.Rect), area(region)); least > 0 && common(b.Rect, region) > otherShare*least {
			j.Others = append(j.Others, i)
		}
	}
	return j
}

// IoU returns the intersection of a and b over their union, 0 to 1.
func IoU(a, b subject.Rect) float64 {
	c := common(a, b)
	if u := area(a) + area(b) - c; u > 0 {
		return c / u
	}
	return 0
}

func area(r subject.Rect) float64 { return r.W * r.H }

func common(a, b subject.Rect) float64 {
	w := min(a.X+a.W, b.X+b.W) - max(a.X, b.X)
	h := min(a.Y+a.H, b.Y+b.H) - max(a.Y, b.Y)
	if w <= 0 || h <= 0 {
		return 0
	}
	return w * h
}
