package route

import (
	"fmt"
	"strings"
)

// Template is a route that the user gave: /users/{id}/orders, where {…} stands for one segment and {…...}, at the end, for
// any number of them.
type Template struct {
	text     string
	segments []segment
	open     bool // it ends in {…...}
}

type segment struct {
	word string
	any  bool
}

// ParseTemplate reads a template.
func ParseTemplate(s string) (Template, error) {
	t := Template{text: s}
	if !strings.HasPrefix(s, "/") {
		return t, fmt.Errorf("the route %q does not begin with '/'", s)
	}
	segments := strings.Split(s[1:], "/")
	for i, seg := range segments {
		name, braced := strings.CutPrefix(seg, "{")
		if braced {
			name, braced = strings.CutSuffix(name, "}")
		}
		switch {
		case !braced && strings.ContainsAny(seg, "{}"):
			return t, fmt.Errorf("the segment %q of the route %q is neither a word nor a name in braces", seg, s)
		case !braced:
			t.segments = append(t.segments, segment{word: seg})
		case name == "" || strings.ContainsAny(name, "{}"):
			return t, fmt.Errorf("the segment %q of the route %q has no name between its braces", seg, s)
		case strings.HasSuffix(name, "..."):
			if i != len(segments)-1 {
				return t, fmt.Errorf("the route %q goes on behind %q, which stands for all that follows", s, seg)
			}
			t.open = true
		default:
			t.segments = append(t.segments, segment{any: true})
		}
	}
	return t, nil
}

// String returns the template as it was given.
func (t Template) String() string { return t.text }

func (t *Template) match(path string) bool {
	path = path[1:]
	for i, want := range t.segments {
		word, after, more := strings.Cut(path, "/")
		if want.any && word == "" || !want.any && want.word != word {
			return false
		}
		if i == len(t.segments)-1 {
			return !more || t.open
		}
		if !more {
			return false
		}
		path = after
	}
	return t.open
}
