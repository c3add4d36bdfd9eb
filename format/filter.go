package format

// Filter rewrites rows on their way into a sealed segment, and on their way out of an unsealed tail: it masks credentials
// and drops what the payload policy does not keep (DESIGN D15). It is built from analyze and handed in by cmd, since
// format and capture hold no protocol knowledge.
//
// A Filter sees every row of a reel once, in the order of the journal (per CPU in time order; one connection's rows in the
// order of their calls, but for rows of several CPUs that lie within one drain of the rings). It may keep state per
// connection, bounded. It must not keep rows or payloads after Apply returns.
type Filter interface {
	// Name and version of the rules, for the manifest ("mask/1 heads").
	Version() string
	// Apply changes row in place. It may overwrite payload bytes and shorten IO.Payload (setting Cut to CutPolicy); it
	// must not change IO.Ret, IO.Captured or any length that analysis relies on.
	Apply(row Row)
}

// NoFilter keeps rows as they are (--keep-secrets --payload full).
type NoFilter struct{}

// Version returns "none".
func (NoFilter) Version() string { return "none" }

// Apply does nothing.
func (NoFilter) Apply(Row) {}
