package container

import (
	"bufio"
	"os"
	"strings"
	"testing"
)

// paths reads testdata/paths.txt: paths as they were published, and what they say.
func paths(t testing.TB) map[string]Identity {
	t.Helper()
	file, err := os.Open("testdata/paths.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	out := map[string]Identity{}
	for scan := bufio.NewScanner(file); scan.Scan(); {
		line := scan.Text()
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Fields(line)
		if len(f) != 4 {
			t.Fatalf("%q has not 4 fields", line)
		}
		for i, s := range f {
			if s == "-" {
				f[i] = ""
			}
		}
		out[f[0]] = Identity{ID: f[1], PodUID: f[2], Runtime: f[3]}
	}
	return out
}

func TestFromCgroup(t *testing.T) {
	all := paths(t)
	if len(all) < 30 {
		t.Fatalf("only %d paths", len(all))
	}
	for path, want := range all {
		if got := FromCgroup(path); got != want {
			t.Errorf("%s:\n got %+v\nwant %+v", path, got, want)
		}
		// What systemd or a runtime makes inside of a container is part of it.
		if want.ID == "" {
			continue
		}
		for _, below := range []string{"/init.scope", "/system.slice/nginx.service", "/container", "/"} {
			if got := FromCgroup(path + below); got != want {
				t.Errorf("%s%s:\n got %+v\nwant %+v", path, below, got, want)
			}
		}
		if got := FromCgroup("/../../.." + path); got != want {
			t.Errorf("/../../..%s:\n got %+v\nwant %+v", path, got, want)
		}
	}
}

// The innermost container counts, in the pod that is nearest around it.
func TestNestedContainers(t *testing.T) {
	all := paths(t)
	for outer, o := range all {
		for inner, want := range all {
			if o.ID == "" || want.ID == "" || strings.Count(inner, "/") < 2 && want.Runtime == "" {
				continue
			}
			if want.PodUID == "" {
				want.PodUID = o.PodUID
			}
			if got := FromCgroup(outer + inner); got != want {
				t.Errorf("%s in %s:\n got %+v\nwant %+v", inner, outer, got, want)
			}
		}
	}
}

func FuzzFromCgroup(f *testing.F) {
	for path := range paths(f) {
		f.Add(path)
	}
	f.Add(strings.Repeat("/pod", 1000)) // pods of nothing
	f.Add(":::/-pod_.slice:\x00/docker-.scope")
	f.Fuzz(func(t *testing.T, path string) {
		id := FromCgroup(path)
		if !strings.Contains(path, id.ID) {
			t.Errorf("the id %q is not in %q", id.ID, path)
		}
		if !strings.Contains(strings.ReplaceAll(path, "_", "-"), id.PodUID) {
			t.Errorf("the pod %q is not in %q", id.PodUID, path)
		}
		if id.Runtime != "" && id.ID == "" {
			t.Errorf("%q: runtime %q without a container", path, id.Runtime)
		}
		for _, s := range []string{id.ID, id.PodUID} {
			if len(s) > 64 || strings.ContainsAny(s, "/:\x00 ") {
				t.Errorf("%q: %q is no id", path, s)
			}
		}
	})
}
