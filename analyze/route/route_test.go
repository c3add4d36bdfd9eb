package route

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func template(l *Learner, host, target string) string { return l.Template(l.Route(host, target)) }

func TestFormsOfValues(t *testing.T) {
	for target, want := range map[string]string{
		"/":                          "/",
		"/users/123":                 "/users/{id}",
		"/users/123/orders/7?x=1#a":  "/users/{id}/orders/{id}",
		"/users/-1":                  "/users/{id}",
		"/v2/users":                  "/v2/users",
		"/s3/bucket":                 "/s3/bucket",
		"/carts/customer-2/checkout": "/carts/customer-{id}/checkout",
		"/img/17.png":                "/img/{id}.png",
		"/static/app.js":             "/static/app.js",
		"/static/app.3f2a9c1d.js":    "/static/app.3f2a9c1d.js",
		"/o/3f2a9c1d":                "/o/{hex}",
		"/o/deadbeef":                "/o/deadbeef",
		"/o/123e4567-e89b-12d3-a456-426614174000": "/o/{uuid}",
		"/days/2026-11-24":                        "/days/{date}",
		"/at/2026-11-24T10:00:00Z":                "/at/{date}",
		"/mail/a@b.example":                       "/mail/{email}",
		"/s/eyJhbGciOiJIUzI1NiIsInR5cCI6":         "/s/{token}",
		"/how-to-write-good-tests-for-go":         "/how-to-write-good-tests-for-go",
		"http://shop.example/users/9":             "/users/{id}",
		"http://shop.example":                     "/",
		"*":                                       "*",
		"shop.example:443":                        "{authority}",
		"/a//b/":                                  "/a//b/",
		"/" + strings.Repeat("x", 200):            "/{value}",
		"/" + strings.Repeat("a/", 40):            "/" + strings.Repeat("a/", 16) + "{rest}",
		"/%2e%2e/etc/passwd":                      "/%2e%2e/etc/passwd",
	} {
		if got := template(New(Limits{}, nil), "h", target); got != want {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
}

// Many words at one place are values, also those that came before that was known; what is below them is joined.
func TestManyWordsAreValues(t *testing.T) {
	l := New(Limits{Words: 5}, nil)
	first := l.Route("h", "/users/anna/orders")
	for i := range 10 {
		l.Route("h", fmt.Sprintf("/users/%c%c%c/orders", 'a'+i, 'b'+i, 'c'+i))
		l.Route("h", fmt.Sprintf("/users/%c%c%c", 'a'+i, 'b'+i, 'c'+i))
	}
	if got := l.Template(first); got != "/users/{value}/orders" {
		t.Errorf("the first is %s", got)
	}
	if a, b := l.Resolve(first), l.Route("h", "/users/zoe/orders"); a != b {
		t.Errorf("routes %d and %d of one template", a, b)
	}
	if got := template(l, "other host", "/users/anna/orders"); got != "/users/anna/orders" {
		t.Errorf("at another authority, it is %s", got)
	}
}

// The order of requests does not change what they are counted under.
func TestOrderDoesNotMatter(t *testing.T) {
	var targets []string
	rnd := rand.New(rand.NewPCG(1, 1))
	word := func() string { return string([]byte{byte('a' + rnd.IntN(9)), byte('a' + rnd.IntN(3))}) }
	for range 600 {
		target := ""
		for range 1 + rnd.IntN(4) {
			target += "/" + word()
		}
		targets = append(targets, target)
	}
	count := func() map[string]int {
		l := New(Limits{Words: 8}, nil)
		ids := make(map[ID]int)
		for _, target := range targets {
			ids[l.Route("h", target)]++
		}
		out := make(map[string]int)
		for id, n := range ids {
			out[l.Template(id)] += n
		}
		return out
	}
	want := fmt.Sprint(count())
	for range 20 {
		rnd.Shuffle(len(targets), func(i, j int) { targets[i], targets[j] = targets[j], targets[i] })
		if got := fmt.Sprint(count()); got != want {
			t.Fatalf("in another order: %s, want %s", got, want)
		}
	}
}

// Whatever is asked for, the number of routes is bounded, and the rest is counted.
func TestLimits(t *testing.T) {
	l := New(Limits{Words: 1 << 20, Routes: 100, Hosts: 3}, nil)
	for i := range 1000 {
		l.Route(fmt.Sprint("host", i%10), fmt.Sprintf("/%c%c%c/x", 'a'+i%26, 'a'+i/26%26, 'a'+i/676))
	}
	if len(l.hosts) > 4 || l.places > 100 || l.Folded() == 0 || template(l, "host1", "/never/seen") != Other {
		t.Errorf("%d authorities, %d places, %d folded", len(l.hosts), l.places, l.Folded())
	}
}

func TestGivenTemplates(t *testing.T) {
	var given []Template
	for _, s := range []string{"/api/{resource}/{id}", "/files/{path...}", "/", "/exact"} {
		tpl, err := ParseTemplate(s)
		if err != nil {
			t.Fatal(err)
		}
		given = append(given, tpl)
	}
	l := New(Limits{}, given)
	for target, want := range map[string]string{
		"/api/users/anna?x": "/api/{resource}/{id}", "/api/users": "/api/users", "/api/users/": "/api/users/", "/api/a/b/c": "/api/a/b/c",
		"/files/a/b/c": "/files/{path...}", "/": "/", "/exact": "/exact", "/exact/more": "/exact/more",
	} {
		if got := template(l, "h", target); got != want {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
	for _, s := range []string{"", "users", "/a{b}", "/{}", "/{a...}/b", "/{a{b}}"} {
		if _, err := ParseTemplate(s); err == nil {
			t.Errorf("%q is no template", s)
		}
	}
}

// FuzzRoute feeds any target, twice and among others: its route is the same, and templates are templates.
func FuzzRoute(f *testing.F) {
	for _, s := range []string{"/users/123", "*", "h:1", "http://a/b", "/a//", "/%00", "//", "/{value}", "/{id}/x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, target string) {
		l := New(Limits{Words: 2, Routes: 50}, nil)
		a := l.Route("h", target)
		for _, other := range slices.Repeat([]string{"/a/b", "/b/a", "/c/d", "/d", target + "/x", "/e" + target}, 2) {
			l.Route("h", other)
		}
		if b := l.Route("h", target); target != "" && l.Template(a) != l.Template(b) && l.Template(a) != Other {
			t.Errorf("%q: %s, then %s", target, l.Template(a), l.Template(b))
		}
	})
}

func BenchmarkRoute(b *testing.B) {
	l := New(Limits{}, nil)
	var targets []string
	for i := range 20_000 {
		targets = append(targets, fmt.Sprintf("/api/v1/items/%d?page=2", i))
	}
	for i := 0; b.Loop(); i++ {
		l.Route("shop.example.test", targets[i%len(targets)])
	}
}
