// Package deploy turns the files of docs/deploy into verdicts of those who will read them: the Kubernetes types, and systemd.
//
// It is a module of its own, so that reel does not depend on Kubernetes.
package deploy

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

const dir = "../../docs/deploy"

// What a recorder needs, as docs/deploy.md says (without the prefix CAP_).
var capabilities = []string{"BPF", "CHECKPOINT_RESTORE", "DAC_READ_SEARCH", "PERFMON", "SYSLOG", "SYS_PTRACE"}

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// strict decodes into a type of Kubernetes: a field that it does not have is an error.
func strict(t *testing.T, data []byte, into any) {
	t.Helper()
	if err := yaml.UnmarshalStrict(data, into); err != nil {
		t.Errorf("%T: %v", into, err)
	}
}

func checkSecurity(t *testing.T, c *core.SecurityContext) {
	t.Helper()
	if c == nil || c.Capabilities == nil || c.Privileged == nil || *c.Privileged || c.AllowPrivilegeEscalation == nil || *c.AllowPrivilegeEscalation {
		t.Fatalf("the container may do more than it needs: %+v", c)
	}
	var added []string
	for _, a := range c.Capabilities.Add {
		added = append(added, string(a))
	}
	slices.Sort(added)
	if !slices.Equal(added, capabilities) || len(c.Capabilities.Drop) != 1 || c.Capabilities.Drop[0] != "ALL" {
		t.Errorf("capabilities: %+v", c.Capabilities)
	}
}

func TestDaemonSet(t *testing.T) {
	documents := bytes.Split(read(t, "daemonset.yaml"), []byte("\n---\n"))
	if len(documents) != 2 {
		t.Fatalf("%d documents", len(documents))
	}
	var namespace core.Namespace
	strict(t, documents[0], &namespace)
	var set apps.DaemonSet
	strict(t, documents[1], &set)
	if namespace.Kind != "Namespace" || set.Kind != "DaemonSet" || set.APIVersion != "apps/v1" || set.Namespace != namespace.Name {
		t.Errorf("%s, %s %s in %s", namespace.Kind, set.APIVersion, set.Kind, set.Namespace)
	}
	for k, v := range set.Spec.Selector.MatchLabels {
		if set.Spec.Template.Labels[k] != v {
			t.Errorf("the selector does not select the pods: %s=%s", k, v)
		}
	}
	spec := &set.Spec.Template.Spec
	if !spec.HostPID || len(spec.Containers) != 1 {
		t.Fatalf("%+v", spec)
	}
	c := &spec.Containers[0]
	checkSecurity(t, c.SecurityContext)
	for _, m := range c.VolumeMounts {
		if !slices.ContainsFunc(spec.Volumes, func(v core.Volume) bool { return v.Name == m.Name }) {
			t.Errorf("no volume is called %s", m.Name)
		}
	}
	checkArguments(t, append(c.Command[1:], c.Args...))
}

func TestDebugProfile(t *testing.T) {
	var c core.Container
	strict(t, read(t, "debug-profile.yaml"), &c)
	checkSecurity(t, c.SecurityContext)
	if c.Name != "" || c.Image != "" || len(c.Command) > 0 {
		t.Error("kubectl debug refuses a custom profile that names container, image or command")
	}
}

// checkArguments has the binary itself look at a command line: what it refuses must be that no such process runs.
func checkArguments(t *testing.T, args []string) {
	t.Helper()
	reel := filepath.Join(t.TempDir(), "reel")
	build := exec.Command("go", "build", "-o", reel, "./cmd/reel")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for i, a := range args {
		args[i] = strings.ReplaceAll(a, "nginx", "no-such-comm")
	}
	cmd := exec.Command(reel, args...)
	cmd.Dir = t.TempDir()
	out, _ := cmd.CombinedOutput()
	if !strings.Contains(string(out), "names no process that runs now") {
		t.Errorf("reel %v: %s", args, out)
	}
}

func TestUnit(t *testing.T) {
	unit := string(read(t, "reel-capture@.service"))
	start := regexp.MustCompile(`(?m)^ExecStart=(\S+) (.*)$`).FindStringSubmatch(unit)
	if start == nil {
		t.Fatal("no ExecStart")
	}
	checkArguments(t, strings.Fields(strings.NewReplacer("%i", "nginx", "%%", "%").Replace(start[2])))
	for _, set := range []string{"AmbientCapabilities", "CapabilityBoundingSet"} {
		m := regexp.MustCompile(`(?m)^` + set + `=(.*)$`).FindStringSubmatch(unit)
		names := strings.Fields(strings.ReplaceAll(m[1], "CAP_", ""))
		slices.Sort(names)
		if !slices.Equal(names, capabilities) {
			t.Errorf("%s: %v", set, names)
		}
	}

	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		if os.Getenv("REEL_ALLOW_SKIP") == "1" {
			t.Skip("systemd-analyze is not installed")
		}
		t.Fatal("systemd-analyze is not installed: apt-get install systemd (make test does it); REEL_ALLOW_SKIP=1 skips this test")
	}
	// verify looks for the program too.
	path := filepath.Join(t.TempDir(), "reel-capture@nginx.service")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(unit, start[1], "/bin/true")), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(analyze, "verify", path).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	out, err := exec.Command(analyze, "security", "--offline=true", path).CombinedOutput()
	m := regexp.MustCompile(`exposure level for \S+: ([0-9.]+)`).FindSubmatch(out)
	if err != nil || m == nil {
		t.Fatalf("systemd-analyze security: %v\n%s", err, out)
	}
	// 0 is locked up, 10 is a service without any setting.
	if level, err := strconv.ParseFloat(string(m[1]), 64); err != nil || level > 3 {
		t.Errorf("exposure level %s (%v)", m[1], err)
	}
}
