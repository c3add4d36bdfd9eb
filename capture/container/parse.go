package container

import (
	"cmp"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"
)

// maxName bounds what is kept of a name: Kubernetes allows 253 bytes, images may have more.
const maxName = 512

// clean makes a name of what a file says: valid UTF-8, bounded.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= maxName {
		return s
	}
	for cut := maxName; ; cut-- {
		if utf8.RuneStart(s[cut]) {
			return s[:cut]
		}
	}
}

func (n *Names) clean() {
	for _, s := range []*string{&n.Name, &n.Pod, &n.Namespace, &n.PodUID, &n.Image} {
		*s = clean(*s)
	}
}

// parseDocker reads config.v2.json of a container of docker.
func parseDocker(data []byte, id string) (Names, error) {
	var file struct {
		ID     string
		Name   string
		Config struct {
			Image  string
			Labels map[string]string
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return Names{}, err
	}
	if file.ID != id {
		return Names{}, errors.New("it is of another container")
	}
	labels := file.Config.Labels
	n := Names{
		Runtime: "docker", Name: strings.TrimPrefix(file.Name, "/"), Image: file.Config.Image,
		Pod: labels["io.kubernetes.pod.name"], Namespace: labels["io.kubernetes.pod.namespace"], PodUID: labels["io.kubernetes.pod.uid"],
	}
	if n.Pod != "" { // by cri-dockerd: docker's own name is made up of all these
		n.Name = labels["io.kubernetes.container.name"]
		if labels["io.kubernetes.docker.type"] == "podsandbox" {
			n.Name = ""
		}
	}
	n.clean()
	return n, nil
}

// parseBundle reads config.json of an OCI bundle: containerd, CRI-O and nerdctl put names among its annotations.
func parseBundle(data []byte) (Names, error) {
	var file struct {
		Version     string `json:"ociVersion"`
		Annotations map[string]string
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return Names{}, err
	}
	if file.Version == "" {
		return Names{}, errors.New("it is no bundle of OCI: there is no ociVersion")
	}
	a := file.Annotations
	n := Names{
		Name:      cmp.Or(a["io.kubernetes.cri.container-name"], a["io.kubernetes.container.name"], a["nerdctl/name"]),
		Pod:       cmp.Or(a["io.kubernetes.cri.sandbox-name"], a["io.kubernetes.pod.name"]),
		Namespace: cmp.Or(a["io.kubernetes.cri.sandbox-namespace"], a["io.kubernetes.pod.namespace"]),
		PodUID:    cmp.Or(a["io.kubernetes.cri.sandbox-uid"], a["io.kubernetes.pod.uid"]),
		Image:     cmp.Or(a["io.kubernetes.cri.image-name"], a["io.kubernetes.cri-o.ImageName"], a["org.opencontainers.image.ref.name"]),
	}
	switch a["io.container.manager"] {
	case "cri-o":
		n.Runtime = "cri-o"
	case "libpod":
		n.Runtime = "podman"
	}
	if a["io.kubernetes.cri.container-type"] == "sandbox" || a["io.kubernetes.cri-o.ContainerType"] == "sandbox" {
		n.Name = ""
	}
	n.clean()
	return n, nil
}

// parseList reads containers.json of containers/storage: podman's names.
func parseList(data []byte, id string) (Names, error) {
	var list []struct {
		ID       string
		Names    []string
		Metadata string
	}
	if err := json.Unmarshal(data, &list); err != nil {
		return Names{}, err
	}
	for _, c := range list {
		if c.ID != id {
			continue
		}
		var meta struct {
			Name  string `json:"name"`
			Image string `json:"image-name"`
		}
		_ = json.Unmarshal([]byte(c.Metadata), &meta) // another owner's metadata has no names for us
		n := Names{Name: meta.Name, Image: meta.Image}
		if n.Name == "" && len(c.Names) > 0 {
			n.Name = c.Names[0]
		}
		n.clean()
		return n, nil
	}
	return Names{}, errors.New("it does not list the container")
}
