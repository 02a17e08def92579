// Package veil destroys what must not be seen in a frame.
package veil
