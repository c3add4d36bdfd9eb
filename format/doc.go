// Package format turns rows of facts into a reel on disk and a reel into rows: journal, Parquet segments, manifest,
// recovery. SPEC.md is normative. It imports no other package of reel; everything else meets here.
package format
