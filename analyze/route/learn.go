// Package route turns request targets into route templates (/users/123 into /users/{id}), so that numbers are kept for a
// bounded number of endpoints.
//
// In this order: a template that the user gave; segments whose form shows that they are values (numbers, UUIDs, hashes, dates,
// addresses, long tokens: segment.go); what is learned: a place in the paths of one authority at which more than a limit of
// different words were seen takes values, all of which become {value}. What was learned holds for the paths before it too:
// their routes are joined, so the result does not depend on the order in which requests come. When there are more routes than
// the limit in all, the new ones are one: "{other}".
package route

import (
	"cmp"
	"strings"
)

// ID names a route of a Learner. 0 is the route of what has none: a request whose target is not known.
type ID uint32

// Limits bound a Learner. Zero fields take the defaults.
type Limits struct {
	Words  int // different words at one place in the paths of an authority, before they are values (64)
	Routes int // places in paths, in all (16,384)
	Hosts  int // authorities that are told apart (1,024)
}

func (l Limits) withDefaults() Limits {
	return Limits{
		Words:  cmp.Or(max(l.Words, 0), 64),
		Routes: cmp.Or(max(l.Routes, 0), 16<<10),
		Hosts:  cmp.Or(max(l.Hosts, 0), 1<<10),
	}
}

const (
	maxSegments = 16 // of a template; the rest of a longer path is {rest}
	maxWord     = 64 // bytes of a word; a longer one is a value
)

// The templates that are not made of a path.
const (
	value = "{value}"
	rest  = "{rest}"
	// Other is the template of what is beyond the limits.
	Other = "{other}"
)

// Learner learns routes. It is not safe for concurrent use.
type Learner struct {
	limits Limits
	given  []Template
	hosts  map[string]*node
	places int
	folded uint64
	routes []learned       // by ID
	fixed  map[string]ID   // of templates that are not learned
	recent [4 << 10]recent // by hash: most targets repeat
}

// learned is what is known of an ID.
type learned struct {
	joined ID // this route is part of that one; itself: not joined
	at     *node
	text   string // if at is nil
}

type recent struct {
	host, target string
	id           ID
}

// node is a place in the paths of an authority.
type node struct {
	parent *node
	word   string
	words  map[string]*node // literal ones
	values map[string]*node // of the forms of segment.go, and {value}
	full   bool             // words are values here
	route  ID               // that ends here; 0 none
}

// New returns a Learner. Requests that match a given template, the first that does, have that route.
func New(l Limits, given []Template) *Learner {
	return &Learner{limits: l.withDefaults(), given: given, hosts: make(map[string]*node), routes: make([]learned, 1), fixed: make(map[string]ID)}
}

// Folded returns how many requests were given the route {other}.
func (l *Learner) Folded() uint64 { return l.folded }

// Route returns the route of a request to an authority (its Host field). The strings are kept.
func (l *Learner) Route(host, target string) ID {
	if target == "" {
		return 0
	}
	slot := &l.recent[hash(host, target)%uint32(len(l.recent))]
	if slot.target == target && slot.host == host && slot.id != 0 {
		if id := l.Resolve(slot.id); l.routes[id].text != Other {
			return id
		}
	}
	id := l.find(host, target)
	*slot = recent{host, target, id}
	return id
}

// Overflow returns the route {other}.
func (l *Learner) Overflow() ID { return l.named(Other) }

// hash is FNV-1a of both strings.
func hash(a, b string) uint32 {
	h := uint32(2166136261)
	for i := range len(a) {
		h = (h ^ uint32(a[i])) * 16777619
	}
	for i := range len(b) {
		h = (h ^ uint32(b[i])) * 16777619
	}
	return h ^ h>>15
}

func (l *Learner) find(host, target string) ID {
	path := pathOf(target)
	if path == "" {
		return l.named(target[:min(len(target), 1)]) // "*" of OPTIONS, or a target that is no path: the authority of CONNECT
	}
	for i := range l.given {
		if l.given[i].match(path) {
			return l.named(l.given[i].text)
		}
	}
	at := l.hosts[host]
	if at == nil {
		if len(l.hosts) >= l.limits.Hosts {
			host = ""
			at = l.hosts[host]
		}
		if at == nil {
			at = new(node)
			l.hosts[strings.Clone(host)] = at
		}
	}
	path = path[1:]
	for n := 0; ; n++ {
		word, after, more := strings.Cut(path, "/")
		if n == maxSegments {
			word, more = rest, false
		}
		if at = l.step(at, word); at == nil {
			l.folded++
			return l.named(Other)
		}
		if !more {
			break
		}
		path = after
	}
	if at.route == 0 {
		at.route = ID(len(l.routes))
		l.routes = append(l.routes, learned{joined: at.route, at: at})
	}
	return l.Resolve(at.route)
}

// pathOf returns the path of a target in origin or absolute form (RFC 9112 §3.2); "" of the others.
func pathOf(target string) string {
	target, _, _ = strings.Cut(target, "?")
	target, _, _ = strings.Cut(target, "#")
	if strings.HasPrefix(target, "/") {
		return target
	}
	if _, after, ok := strings.Cut(target, "://"); ok {
		if i := strings.IndexByte(after, '/'); i >= 0 {
			return after[i:]
		}
		return "/"
	}
	return ""
}

// Shape returns the path of a target with what stands for values by their form: the route that it has as long as nothing is
// learned.
func Shape(target string) string {
	path := pathOf(target)
	if path == "" {
		return ""
	}
	segments := strings.Split(path[1:], "/")
	for i, s := range segments {
		segments[i], _ = form(s)
	}
	return "/" + strings.Join(segments, "/")
}

// named returns the route of a template that is not learned.
func (l *Learner) named(text string) ID {
	if text != "*" && !strings.HasPrefix(text, "/") && text != Other {
		text = "{authority}"
	}
	id, ok := l.fixed[text]
	if !ok {
		id = ID(len(l.routes))
		l.routes = append(l.routes, learned{joined: id, text: text})
		l.fixed[text] = id
	}
	return id
}

// step goes on by one segment; nil when there are too many places.
func (l *Learner) step(at *node, segment string) *node {
	word, isValue := form(segment)
	if !isValue && at.full {
		word, isValue = value, true
	}
	children := &at.words
	if isValue {
		children = &at.values
	}
	if next := (*children)[word]; next != nil {
		return next
	}
	if l.places >= l.limits.Routes {
		return nil
	}
	l.places++
	word = strings.Clone(word) // not the whole target
	next := &node{parent: at, word: word}
	if *children == nil {
		*children = make(map[string]*node)
	}
	(*children)[word] = next
	if !isValue && len(at.words) > l.limits.Words {
		return l.fill(at)
	}
	return next
}

// fill turns the words at a place into values: all that was told apart below them is joined.
func (l *Learner) fill(at *node) *node {
	at.full = true
	if at.values == nil {
		at.values = make(map[string]*node)
	}
	to := at.values[value]
	if to == nil {
		to = &node{parent: at, word: value}
		at.values[value] = to
		l.places++
	}
	for _, from := range sorted(at.words) {
		l.join(to, from)
	}
	at.words = nil
	return to
}

// join moves what is below one place to another.
func (l *Learner) join(to, from *node) {
	l.places--
	if from.route != 0 {
		if to.route == 0 {
			to.route = l.Resolve(from.route)
			l.routes[to.route].at = to
		} else {
			l.union(to.route, from.route)
		}
	}
	for _, child := range sorted(from.values) {
		l.adopt(&to.values, to, child)
	}
	for _, child := range sorted(from.words) {
		if to.full {
			l.join(to.values[value], child)
			continue
		}
		l.adopt(&to.words, to, child)
		if len(to.words) > l.limits.Words {
			l.fill(to)
		}
	}
	if from.full && !to.full {
		l.fill(to)
	}
}

// adopt puts a place among others, or joins it to the one of the same word.
func (l *Learner) adopt(children *map[string]*node, parent, child *node) {
	if *children == nil {
		*children = make(map[string]*node)
	}
	if same := (*children)[child.word]; same != nil {
		l.join(same, child)
		return
	}
	child.parent = parent
	(*children)[child.word] = child
}

// union makes b part of a.
func (l *Learner) union(a, b ID) {
	a, b = l.Resolve(a), l.Resolve(b)
	if a == b {
		return
	}
	if b < a {
		a, b = b, a
		l.routes[a].at = l.routes[b].at
	}
	l.routes[b].joined = a
	l.routes[b].at = nil
}

// Resolve returns the route that id is part of now.
func (l *Learner) Resolve(id ID) ID {
	for l.routes[id].joined != id {
		up := l.routes[id].joined
		l.routes[id].joined = l.routes[up].joined // the path gets shorter each time
		id = up
	}
	return id
}

// Template returns the text of a route: "/users/{id}"; "" of ID 0.
func (l *Learner) Template(id ID) string {
	r := &l.routes[l.Resolve(id)]
	if r.at == nil {
		return r.text
	}
	var words []string
	for n := r.at; n.parent != nil; n = n.parent {
		words = append(words, n.word)
	}
	var b strings.Builder
	for i := len(words) - 1; i >= 0; i-- {
		b.WriteByte('/')
		b.WriteString(words[i])
	}
	return b.String()
}
