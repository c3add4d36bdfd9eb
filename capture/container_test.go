//go:build linux && (amd64 || arm64)

package capture

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ebpf-reel/reel/format"
)

// ociContainer is a container of a real runtime, in a bundle as containerd makes it for a pod.
type ociContainer struct {
	runtime, root, id string
	host              string // below it the bundle lies as containerd keeps it
}

const testPodUID = "0f0e0d0c-0b0a-4908-8706-050403020100"

// newContainer makes a bundle whose root file system is this machine's /usr, read-only. args is what it runs.
func newContainer(t *testing.T, args ...string) *ociContainer {
	t.Helper()
	needRoot(t)
	runtime, err := exec.LookPath("runc")
	if errors.Is(err, exec.ErrNotFound) {
		runtime, err = exec.LookPath("crun")
	}
	if err != nil {
		t.Fatalf("no runc and no crun here (apt-get install runc): %v", err)
	}
	var raw [32]byte
	_, _ = rand.Read(raw[:])
	c := &ociContainer{runtime: runtime, root: t.TempDir(), host: t.TempDir(), id: hex.EncodeToString(raw[:])}
	bundle := filepath.Join(c.host, "run/containerd/io.containerd.runtime.v2.task/k8s.io", c.id)
	for _, dir := range []string{"usr", "proc", "dev", "tmp"} {
		if err := os.MkdirAll(filepath.Join(bundle, "rootfs", dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, link := range []string{"bin", "sbin", "lib", "lib64"} {
		if err := os.Symlink("usr/"+link, filepath.Join(bundle, "rootfs", link)); err != nil {
			t.Fatal(err)
		}
	}
	caps := []string{"CAP_KILL"}
	spec := map[string]any{
		"ociVersion": "1.0.2",
		"process": map[string]any{"user": map[string]int{"uid": 0, "gid": 0}, "args": args, "env": []string{"PATH=/usr/sbin:/usr/bin"}, "cwd": "/",
			"capabilities": map[string]any{"bounding": caps, "effective": caps, "permitted": caps}},
		"root":     map[string]any{"path": "rootfs"},
		"hostname": "web-7d9f8",
		"mounts": []map[string]any{
			{"destination": "/proc", "type": "proc", "source": "proc"},
			{"destination": "/usr", "type": "bind", "source": "/usr", "options": []string{"rbind", "ro"}},
			{"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": []string{"nosuid", "mode=755"}},
		},
		"linux": map[string]any{
			"cgroupsPath": "/kubepods/burstable/pod" + testPodUID + "/" + c.id,
			"namespaces":  []map[string]string{{"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}},
		},
		"annotations": map[string]string{
			"io.kubernetes.cri.container-type": "container", "io.kubernetes.cri.container-name": "web", "io.kubernetes.cri.image-name": "docker.io/library/web:1.27",
			"io.kubernetes.cri.sandbox-name": "web-7d9f8", "io.kubernetes.cri.sandbox-namespace": "shop-" + c.id[:8], "io.kubernetes.cri.sandbox-uid": testPodUID,
		},
	}
	data, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bundle, "config.json"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	c.command(t, "run", "-d", "--bundle", bundle, c.id)
	t.Cleanup(func() { c.command(t, "delete", "-f", c.id) })
	return c
}

// command runs the runtime. Its output goes to a file: what it leaves behind must not hold a pipe open.
func (c *ociContainer) command(t *testing.T, args ...string) {
	t.Helper()
	out, err := os.CreateTemp(c.root, "out")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command(c.runtime, append([]string{"--root", filepath.Join(c.root, "state")}, args...)...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		text, _ := os.ReadFile(out.Name())
		t.Fatalf("%s %s: %v\n%s", c.runtime, strings.Join(args, " "), err, text)
	}
}

// pid is the container's first process, as the host sees it.
func (c *ociContainer) pid(t *testing.T) format.PID {
	t.Helper()
	out, err := exec.Command(c.runtime, "--root", filepath.Join(c.root, "state"), "state", c.id).Output()
	if err != nil {
		t.Fatal(err)
	}
	var state struct{ Pid uint32 }
	if err := json.Unmarshal(out, &state); err != nil {
		t.Fatal(err)
	}
	return format.PID(state.Pid)
}

// A container in pid, network and mount namespaces of its own is recorded from the host by the name of its pod: a server that
// runs there, and a client that is started there meanwhile, from its exec on; with the names that its runtime's files have.
func TestRecordsAContainer(t *testing.T) {
	c := newContainer(t, "/usr/bin/python3", "-m", "http.server", "--bind", "127.0.0.1", "--directory", "/usr/share/doc", "8000")
	for name, cfg := range map[string]Config{
		"id":        {Containers: []string{c.id[:12]}},
		"namespace": {Containers: []string{"shop-" + c.id[:8] + "/web-7d9f8/web"}},
		"cgroup":    {Cgroups: []string{"/sys/fs/cgroup/memory/kubepods/burstable/pod" + testPodUID}},
	} {
		t.Run(name, func(t *testing.T) {
			server := c.pid(t)
			all := config(t)
			all.Containers, all.Cgroups, all.HostRoots = cfg.Containers, cfg.Cgroups, []string{c.host}
			r := begin(t, all)
			c.command(t, "exec", c.id, "/usr/bin/curl", "-sS", "--retry", "50", "--retry-connrefused", "--retry-delay", "1", "-o", "/dev/null", "http://127.0.0.1:8000/")
			got := r.end(t)

			snapshots := got.of(format.ProcSnapshot, func(p *format.Process) bool { return p.PID == server })
			if len(snapshots) != 2 {
				t.Fatalf("%d snapshots of the server", len(snapshots))
			}
			if p := snapshots[0]; p.ContainerID != c.id || p.PodUID != testPodUID || p.NSPID != 1 || !strings.HasPrefix(p.Exe, "/usr/bin/python3") {
				t.Errorf("the server is %+v", p)
			}
			clients := got.of(format.ProcExec, func(p *format.Process) bool { return p.Comm == "curl" })
			if len(clients) != 1 {
				t.Fatalf("%d clients", len(clients))
			}
			client := clients[0]
			if client.ContainerID != c.id || client.PodUID != testPodUID || client.NSPID == client.PID || client.NSPID == 0 || client.Exe != "/usr/bin/curl" ||
				client.PidNS != snapshots[0].PidNS || client.NetNS != snapshots[0].NetNS || client.MntNS != snapshots[0].MntNS {
				t.Errorf("the client is %+v, the server %+v", client, snapshots[0])
			}
			for _, pid := range []format.PID{server, client.PID} {
				if sent := got.moved(pid, format.Write); len(sent) == 0 {
					t.Errorf("nothing that process %d sent was recorded", pid)
				}
			}
			if sent := string(got.moved(client.PID, format.Write)); !strings.HasPrefix(sent, "GET / HTTP/1.1\r\n") {
				t.Errorf("the client's first request is %.40q", sent)
			}
			want := format.Container{ID: c.id, PodUID: testPodUID, Runtime: "containerd", Name: "web", Pod: "web-7d9f8", Namespace: "shop-" + c.id[:8],
				Image: "docker.io/library/web:1.27"}
			if len(got.containers) != 1 {
				t.Fatalf("%d containers: %+v", len(got.containers), got.containers)
			}
			row := got.containers[0]
			row.Time, row.Cgroup = 0, ""
			if row != want {
				t.Errorf("the container is %+v, want %+v", row, want)
			}
		})
	}
}

// Words that name no container are refused, each with what to do.
func TestRefusesContainersThatAreNotThere(t *testing.T) {
	needRoot(t)
	for word, want := range map[string]string{
		"no-such-container": "--container no-such-container names",
		"ab":                "--container ab is no name of a container that runs now: of an id, give 4 digits and more",
	} {
		cfg := config(t)
		cfg.Containers, cfg.HostRoots = []string{word}, []string{}
		_, err := Record(t.Context(), cfg)
		if _, ok := as[*TargetError](err); !ok || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", word, err, want)
		}
	}
	cfg := config(t)
	cfg.Cgroups = []string{"/no/such/cgroup"}
	_, err := Record(t.Context(), cfg)
	if _, ok := as[*TargetError](err); !ok || !strings.HasPrefix(err.Error(), "--cgroup /no/such/cgroup holds no process that runs now") {
		t.Errorf("an unknown cgroup: %v", err)
	}
}
