// Package trigger turns the rules of --trigger and one reading of each metric a second into firings.
//
// It is pure: no clock, no files, no kernel. [Parse] reads a rule and [Rule.String] prints it in the same words; an [Engine]
// holds rules against readings that its caller takes ([Engine.Second]) and events that its caller sees ([Engine.Event]);
// an [Overlay] says which snaplen holds while several firings ask for more. docs/triggers.md has the grammar.
package trigger
