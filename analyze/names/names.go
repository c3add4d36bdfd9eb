// Package names turns a hosts file, or what `kubectl get pods,svc -A -o json` prints, into names for remote addresses.
package names

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
)

// Name is what an address is called.
type Name struct {
	Name  string // "db.internal"; of Kubernetes: "pod shop/web-7d9f", "service shop/web"
	Group string // namespace; "" none
}

// Table holds the names of addresses. The zero value knows none.
type Table struct {
	byAddr map[netip.Addr]Name
}

// MaxBytes is the largest input that is read: a cluster of ten thousand pods takes some 200 MB.
const MaxBytes = 512 << 20

// Of returns the name of an address; false: it has none.
func (t *Table) Of(a netip.Addr) (Name, bool) {
	if t == nil {
		return Name{}, false
	}
	n, ok := t.byAddr[a.Unmap()]
	return n, ok
}

// Len returns how many addresses have names.
func (t *Table) Len() int { return len(t.byAddr) }

// add keeps the first name of an address.
func (t *Table) add(a netip.Addr, n Name) {
	if _, named := t.byAddr[a.Unmap()]; !named {
		t.byAddr[a.Unmap()] = n
	}
}

// Parse reads either form: JSON begins with a brace.
func Parse(b []byte) (*Table, error) {
	t := &Table{byAddr: make(map[netip.Addr]Name)}
	if trimmed := bytes.TrimSpace(b); len(trimmed) > 0 && trimmed[0] == '{' {
		return t, t.kubernetes(trimmed)
	}
	return t, t.hosts(b)
}

// hosts reads hosts(5): an address and its names; the first is used.
func (t *Table) hosts(b []byte) error {
	n := 0
	for line := range bytes.Lines(b) {
		n++
		text, _, _ := bytes.Cut(line, []byte{'#'})
		fields := strings.Fields(string(text))
		if len(fields) == 0 {
			continue
		}
		a, err := netip.ParseAddr(fields[0])
		if err != nil {
			return fmt.Errorf("line %d: %q is no address", n, fields[0])
		}
		if len(fields) < 2 {
			return fmt.Errorf("line %d: %s has no name", n, fields[0])
		}
		t.add(a.WithZone(""), Name{Name: fields[1]})
	}
	return nil
}

// kubernetes reads a list of pods and services.
func (t *Table) kubernetes(b []byte) error {
	type object struct {
		Kind     string
		Metadata struct{ Name, Namespace string }
		Spec     struct {
			HostNetwork bool
			ClusterIP   string
			ClusterIPs  []string
			ExternalIPs []string
		}
		Status struct {
			PodIP        string
			PodIPs       []struct{ IP string }
			LoadBalancer struct{ Ingress []struct{ IP string } }
		}
	}
	var list struct {
		object
		Items []object
	}
	if err := json.Unmarshal(b, &list); err != nil {
		return fmt.Errorf("it is not what `kubectl get pods,svc -A -o json` prints: %w", err)
	}
	if list.Kind == "Pod" || list.Kind == "Service" {
		list.Items = append(list.Items, list.object)
	}
	for _, o := range list.Items {
		var addrs []string
		var kind string
		switch o.Kind {
		case "Pod":
			if o.Spec.HostNetwork {
				continue // its address is the node's, which many share
			}
			kind = "pod"
			addrs = append(addrs, o.Status.PodIP)
			for _, ip := range o.Status.PodIPs {
				addrs = append(addrs, ip.IP)
			}
		case "Service":
			kind = "service"
			addrs = append(append(append(addrs, o.Spec.ClusterIP), o.Spec.ClusterIPs...), o.Spec.ExternalIPs...)
			for _, ip := range o.Status.LoadBalancer.Ingress {
				addrs = append(addrs, ip.IP)
			}
		default:
			continue
		}
		for _, s := range addrs {
			if a, err := netip.ParseAddr(s); err == nil { // "None", "" and the like have none
				t.add(a, Name{Name: kind + " " + o.Metadata.Namespace + "/" + o.Metadata.Name, Group: o.Metadata.Namespace})
			}
		}
	}
	return nil
}
