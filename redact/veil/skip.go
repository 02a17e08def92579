package veil

// Skip passes over a frame that shows and paints nothing and for which no cells
// are due: it is the one before it again, and need not be veiled to be had.
func (v *Veil) Skip() { v.age, v.given = v.age+1, false }
