// Package field holds the tests of the recorder as a shop runs it: the real
// programs, real sockets and real disks, with cameras and disks that behave as
// badly as they do in the field. Nothing here may end in a gap that the time line
// does not show, in footage that does not play, or in a page that says nothing.
package field
