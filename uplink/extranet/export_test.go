package extranet

import (
	"maps"
	"slices"
)

// BoxRoutes returns the pattern of every call of the box API.
func BoxRoutes() []string {
	s := new(Server)
	return slices.Sorted(maps.Keys(s.boxRoutes()))
}

// BoxStreams returns the patterns of those that are no JSON, and of enrolment.
func BoxStreams() []string {
	s := new(Server)
	return slices.Sorted(maps.Keys(s.boxStreams()))
}

// OperatorRoutes returns the pattern of every call of an operator.
func OperatorRoutes() []string {
	s := new(Server)
	return slices.Sorted(maps.Keys(s.operatorRoutes()))
}

// OperatorPages returns the operator's pages.
func OperatorPages() []string { return nav }
