package format

// Filter rewrites rows on their way into a sealed segment, and on their way out of an unsealed tail: it masks credentials
// and drops what the payload policy does not keep (DESIGN D15). It is built from analyze and handed in by cmd, since
// format and capture hold no protocol knowledge.
//
// A Filter sees every row once, segment by segment, within one in the order of SPEC.md §6: by time, so that one
// connection's rows come in the order of their calls, but for those that the rings delivered across the end of a segment.
// It may keep state per connection, bounded. It must not keep rows or payloads after Apply returns.
type Filter interface {
	// Name and version of the rules, for the manifest ("mask/1 heads").
	Version() string
	// Apply changes row in place. It may overwrite payload bytes and shorten IO.Payload (setting Cut to CutPolicy); it
	// must not change IO.Ret, IO.Captured or any length that analysis relies on.
	Apply(row Row)
	// Fresh returns a filter of the same rules that has seen nothing: a reader starts each pass over a tail with one.
	Fresh() Filter
}

// NoFilter keeps rows as they are (--keep-secrets --payload full).
type NoFilter struct{}

// Version returns "none".
func (NoFilter) Version() string { return "none" }

// Apply does nothing.
func (NoFilter) Apply(Row) {}

// Fresh returns the same.
func (NoFilter) Fresh() Filter { return NoFilter{} }
