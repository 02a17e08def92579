// Package archtest holds the import rules of docs/architecture.md, and the
// bounds on the length of files, as tests over the module's own import graph.
// Only code that goes into a program counts; test files may import what they
// need.
package archtest
