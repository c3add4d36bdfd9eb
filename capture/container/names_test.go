//go:build linux

package container

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const testID = "aaefb9d8feed2d453b543f6d928cede7a4dbefa6a0ae7c9b990dd234c56e93b9"

// host makes a file system of these files.
func host(t *testing.T, files map[string]string) *Host {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h, err := OpenHost(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// What the files of each runtime say, by members that they have in the wild.
var bundles = map[string]struct {
	files map[string]string
	want  Names
}{
	"docker": {
		map[string]string{"var/lib/docker/containers/" + testID + "/config.v2.json": `{"ID":"` + testID + `","Name":"/web","State":{"Running":true},"Config":{"Image":"nginx:1.27","Labels":{"com.docker.compose.project":"shop"}}}`},
		Names{Runtime: "docker", Name: "web", Image: "nginx:1.27"},
	},
	"cri-dockerd": {
		map[string]string{"var/lib/docker/containers/" + testID + "/config.v2.json": `{"ID":"` + testID + `","Name":"/k8s_web_web-7d9f_shop_uid_0","Config":{"Image":"sha256:1","Labels":{"io.kubernetes.container.name":"web","io.kubernetes.pod.name":"web-7d9f","io.kubernetes.pod.namespace":"shop","io.kubernetes.pod.uid":"2fc932ce-fdcc-454b-97bd-aadfdeb4c340"}}}`},
		Names{Runtime: "docker", Name: "web", Pod: "web-7d9f", Namespace: "shop", PodUID: "2fc932ce-fdcc-454b-97bd-aadfdeb4c340", Image: "sha256:1"},
	},
	"containerd": {
		map[string]string{"run/containerd/io.containerd.runtime.v2.task/k8s.io/" + testID + "/config.json": `{"ociVersion":"1.1.0","annotations":{"io.kubernetes.cri.container-type":"container","io.kubernetes.cri.container-name":"web","io.kubernetes.cri.sandbox-name":"web-7d9f","io.kubernetes.cri.sandbox-namespace":"shop","io.kubernetes.cri.sandbox-uid":"2fc932ce-fdcc-454b-97bd-aadfdeb4c340","io.kubernetes.cri.image-name":"docker.io/library/nginx:1.27"}}`},
		Names{Runtime: "containerd", Name: "web", Pod: "web-7d9f", Namespace: "shop", PodUID: "2fc932ce-fdcc-454b-97bd-aadfdeb4c340", Image: "docker.io/library/nginx:1.27"},
	},
	"k3s sandbox": {
		map[string]string{"run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/" + testID + "/config.json": `{"ociVersion":"1.1.0","annotations":{"io.kubernetes.cri.container-type":"sandbox","io.kubernetes.cri.sandbox-name":"web-7d9f","io.kubernetes.cri.sandbox-namespace":"shop"}}`},
		Names{Runtime: "containerd", Pod: "web-7d9f", Namespace: "shop"},
	},
	"nerdctl": {
		map[string]string{"run/containerd/io.containerd.runtime.v2.task/default/" + testID + "/config.json": `{"ociVersion":"1.1.0","annotations":{"nerdctl/name":"web","nerdctl/namespace":"default"}}`},
		Names{Runtime: "containerd", Name: "web"},
	},
	"cri-o": {
		map[string]string{"run/containers/storage/overlay-containers/" + testID + "/userdata/config.json": `{"ociVersion":"1.1.0","annotations":{"io.container.manager":"cri-o","io.kubernetes.container.name":"web","io.kubernetes.pod.name":"web-7d9f","io.kubernetes.pod.namespace":"shop","io.kubernetes.pod.uid":"2fc932ce-fdcc-454b-97bd-aadfdeb4c340","io.kubernetes.cri-o.ImageName":"quay.io/web:1","io.kubernetes.cri-o.ContainerType":"container"}}`},
		Names{Runtime: "cri-o", Name: "web", Pod: "web-7d9f", Namespace: "shop", PodUID: "2fc932ce-fdcc-454b-97bd-aadfdeb4c340", Image: "quay.io/web:1"},
	},
	"podman": {
		map[string]string{
			"run/containers/storage/overlay-containers/" + testID + "/userdata/config.json": `{"ociVersion":"1.0.2","annotations":{"io.container.manager":"libpod"}}`,
			"var/lib/containers/storage/overlay-containers/containers.json":                 `[{"id":"x","names":["other"]},{"id":"` + testID + `","names":["web"],"metadata":"{\"image-name\":\"docker.io/library/nginx:1.27\",\"name\":\"web\"}"}]`,
		},
		Names{Runtime: "podman", Name: "web", Image: "docker.io/library/nginx:1.27"},
	},
}

func TestLookup(t *testing.T) {
	for name, b := range bundles {
		t.Run(name, func(t *testing.T) {
			got, err := host(t, b.files).Lookup(Identity{ID: testID}, 0)
			if err != nil || got != b.want {
				t.Errorf("got %+v, want %+v: %v", got, b.want, err)
			}
		})
	}
	if _, err := host(t, nil).Lookup(Identity{ID: testID}, 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no files: %v", err)
	}
	if _, err := host(t, nil).Lookup(Identity{ID: "../../../../etc"}, 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an id that is a path: %v", err)
	}
}

// Files that are not what they should be are refused by name, and links do not lead out of the file system.
func TestLookupOfHostileFiles(t *testing.T) {
	name := "var/lib/docker/containers/" + testID + "/config.v2.json"
	for what, text := range map[string]string{
		"no JSON": "{", "a list": "[]", "of another": `{"ID":"b"}`, "numbers": `{"ID":1}`, "empty": "", "deep": strings.Repeat("[", 1<<20), "long": strings.Repeat(" ", maxFile+1),
	} {
		var bad *FileError
		if names, err := host(t, map[string]string{name: text}).Lookup(Identity{ID: testID}, 0); !errors.As(err, &bad) || names != (Names{}) {
			t.Errorf("%s: %+v, %v", what, names, err)
		}
	}
	h := host(t, map[string]string{"elsewhere": `{"ID":"` + testID + `","Name":"/inside"}`, filepath.Dir(name) + "/x": ""})
	outside := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(outside, []byte(`{"ID":"`+testID+`","Name":"/outside"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	link := func(to string) (Names, error) {
		path := filepath.Join(h.root, name)
		_ = os.Remove(path)
		if err := os.Symlink(to, path); err != nil {
			t.Fatal(err)
		}
		return h.Lookup(Identity{ID: testID}, 0)
	}
	if n, err := link(outside); err == nil {
		t.Errorf("a link that leads out was followed: %+v", n)
	}
	if n, err := link("../../../../../../../../../../" + outside); err == nil {
		t.Errorf("a relative link that leads out was followed: %+v", n)
	}
	if n, err := link("/elsewhere"); err != nil || n.Name != "inside" {
		t.Errorf("an absolute link inside: %+v, %v", n, err)
	}
	path := filepath.Join(h.root, name)
	_ = os.Remove(path)
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	var bad *FileError
	if _, err := h.Lookup(Identity{ID: testID}, 0); !errors.As(err, &bad) { // and it does not wait for a writer
		t.Errorf("a pipe: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, b := range bundles {
		for _, text := range b.files {
			f.Add([]byte(text))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for name, parse := range map[string]func() (Names, error){
			"docker": func() (Names, error) { return parseDocker(data, testID) },
			"bundle": func() (Names, error) { return parseBundle(data) },
			"list":   func() (Names, error) { return parseList(data, testID) },
		} {
			n, err := parse()
			if err != nil && n != (Names{}) {
				t.Errorf("%s: names in spite of %v", name, err)
			}
			for _, s := range []string{n.Name, n.Pod, n.Namespace, n.PodUID, n.Image} {
				if len(s) > maxName {
					t.Errorf("%s: a name of %d bytes", name, len(s))
				}
			}
		}
	})
}
