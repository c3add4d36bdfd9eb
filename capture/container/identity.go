package container

import "strings"

// Identity is what a cgroup's path says of the container that it belongs to. The zero value: of none.
type Identity struct {
	ID      string // of the container, as the runtime's own commands show it in full; "" none, or only the pod is known
	PodUID  string // of Kubernetes, with dashes; of podman, the pod's id; "" none
	Runtime string // "docker", "containerd", "cri-o", "podman", "lxc", "nspawn"; "" the path does not tell
}

// scopes are what runtimes put before the id in the name of a systemd scope, or of a directory of the cgroupfs driver.
var scopes = []struct{ prefix, runtime string }{
	{"docker-", "docker"},
	{"cri-containerd-", "containerd"},
	{"nerdctl-", "containerd"},
	{"crio-", "cri-o"},
	{"libpod-", "podman"},
	{"cri-dockerd-", "docker"},
}

// parents are directories below which a runtime's containers are named by their id alone.
var parents = map[string]string{
	"docker": "docker", "libpod_parent": "podman", "k8s.io": "containerd", "default": "containerd", "moby": "docker",
}

// FromCgroup finds the container and the pod that a cgroup belongs to by its path in any hierarchy, v1 or v2, with the systemd
// or the cgroupfs driver. The innermost container counts: one in another (kind, docker in docker) is its own; what systemd or a
// runtime makes below a container's cgroup belongs to that; and the innermost pod around it. A path relative to a cgroup namespace ("/../../x") will do.
func FromCgroup(path string) Identity {
	var id Identity
	for rest := strings.TrimRight(path, "/"); rest != ""; {
		cut := strings.LastIndexByte(rest, '/')
		part := rest[cut+1:]
		rest = rest[:max(cut, 0)]
		if id.ID == "" {
			id.ID, id.Runtime = containerOf(part, rest[strings.LastIndexByte(rest, '/')+1:])
		}
		if pod := podOf(part); pod != "" {
			id.PodUID = pod
			break
		}
	}
	return id
}

// containerOf reads a part of a path; parent is the part before it.
func containerOf(part, parent string) (id, runtime string) {
	name := strings.TrimSuffix(part, ".scope")
	// runc's name for a container of the systemd driver, which cgroupfs takes as it is: "kubepods-x.slice:cri-containerd:ID".
	if i := strings.LastIndexByte(name, ':'); i >= 0 && isID(name[i+1:]) {
		before := name[:i]
		return name[i+1:], runtimeOf(before[strings.LastIndexByte(before, ':')+1:] + "-")
	}
	if isID(name) {
		return name, parents[parent]
	}
	for _, s := range scopes {
		if rest, ok := strings.CutPrefix(name, s.prefix); ok && isID(rest) {
			return rest, s.runtime
		}
	}
	if isTaskID(name) {
		return name, ""
	}
	switch {
	case parent == "lxc" && isName(part):
		return part, "lxc"
	case strings.HasPrefix(part, "lxc.payload.") && isName(part[len("lxc.payload."):]):
		return part[len("lxc.payload."):], "lxc"
	case parent == "machine.slice" && strings.HasPrefix(part, "systemd-nspawn@") && strings.HasSuffix(part, ".service"):
		if name := part[len("systemd-nspawn@") : len(part)-len(".service")]; isName(name) {
			return name, "nspawn"
		}
	}
	return "", ""
}

func runtimeOf(prefix string) string {
	for _, s := range scopes {
		if s.prefix == prefix {
			return s.runtime
		}
	}
	return ""
}

// podOf reads the pod that a part of a path names: "pod<uid>" of the cgroupfs driver, "kubepods-burstable-pod<uid>.slice" of
// systemd, where dashes are underscores, both with or without a prefix, and podman's "machine-libpod_pod_<id>.slice".
func podOf(part string) string {
	name, _, _ := strings.Cut(part, ":")
	name = strings.TrimSuffix(name, ".slice")
	if i := strings.LastIndex(name, "libpod_pod_"); i >= 0 && isID(name[i+len("libpod_pod_"):]) {
		return name[i+len("libpod_pod_"):]
	}
	i := strings.LastIndex(name, "-pod")
	switch {
	case strings.HasPrefix(name, "pod"):
		name = name[len("pod"):]
	case i >= 0 && strings.Contains(name[:i], "kubepods"):
		name = name[i+len("-pod"):]
	default:
		return ""
	}
	if uid := strings.ReplaceAll(name, "_", "-"); isUID(uid) {
		return uid
	}
	return ""
}

// isID reports whether s is a container id: 64 hexadecimal digits.
func isID(s string) bool { return len(s) == 64 && isHex(s) }

// isTaskID recognises a container of AWS Fargate: 32 hexadecimal digits, a dash, a number.
func isTaskID(s string) bool {
	if len(s) < 34 || len(s) > 52 || !isHex(s[:32]) || s[32] != '-' {
		return false
	}
	for _, c := range []byte(s[33:]) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

func isHex(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return s != ""
}

// isUID reports whether s is a UUID with dashes, or, as static pods have, a hash of 32 hexadecimal digits.
func isUID(s string) bool {
	if len(s) == 32 {
		return isHex(s)
	}
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(s) {
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash != (c == '-') || !dash && !isHex(s[i:i+1]) {
			return false
		}
	}
	return true
}

// isName reports whether s can be the name of a container that its owner chose.
func isName(s string) bool {
	for _, c := range []byte(s) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return s != "" && len(s) <= 64
}
