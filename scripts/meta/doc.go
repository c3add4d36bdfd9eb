// Package meta turns the rules that this repository keeps into tests: documentation of packages, names, sizes of files,
// links, and what must never be committed. What a linter can hold stands in .golangci.yml instead.
package meta
