package names

import (
	"net/netip"
	"strings"
	"testing"
)

const cluster = `{"apiVersion":"v1","kind":"List","items":[
 {"apiVersion":"v1","kind":"Pod","metadata":{"name":"web-7d9f","namespace":"shop"},"spec":{"hostNetwork":false},"status":{"podIP":"10.244.0.7","podIPs":[{"ip":"10.244.0.7"},{"ip":"fd00::7"}]}},
 {"apiVersion":"v1","kind":"Pod","metadata":{"name":"kube-proxy-x","namespace":"kube-system"},"spec":{"hostNetwork":true},"status":{"podIP":"192.168.0.1"}},
 {"apiVersion":"v1","kind":"Pod","metadata":{"name":"pending","namespace":"shop"},"spec":{},"status":{"phase":"Pending"}},
 {"apiVersion":"v1","kind":"Service","metadata":{"name":"web","namespace":"shop"},"spec":{"clusterIP":"10.96.0.10","clusterIPs":["10.96.0.10"]},"status":{"loadBalancer":{"ingress":[{"ip":"203.0.113.9"}]}}},
 {"apiVersion":"v1","kind":"Service","metadata":{"name":"headless","namespace":"shop"},"spec":{"clusterIP":"None","clusterIPs":["None"]},"status":{"loadBalancer":{}}}]}`

func TestParse(t *testing.T) {
	for _, c := range []struct {
		text string
		want map[string]string
	}{
		{cluster, map[string]string{"10.244.0.7": "pod shop/web-7d9f", "fd00::7": "pod shop/web-7d9f", "10.96.0.10": "service shop/web", "203.0.113.9": "service shop/web",
			"192.168.0.1": ""}},
		{"# hosts\n127.0.0.1 localhost\n10.0.0.5\tdb.internal db # the old one\n::1 ip6-localhost\nfe80::1%eth0 router\n10.0.0.5 again\n\n",
			map[string]string{"10.0.0.5": "db.internal", "::1": "ip6-localhost", "::ffff:10.0.0.5": "db.internal", "fe80::1": "router", "10.0.0.6": ""}},
		{"", map[string]string{"10.0.0.5": ""}},
	} {
		table, err := Parse([]byte(c.text))
		if err != nil {
			t.Fatal(err)
		}
		for addr, want := range c.want {
			if got, ok := table.Of(netip.MustParseAddr(addr)); got.Name != want || ok != (want != "") {
				t.Errorf("%s is %q, want %q", addr, got.Name, want)
			}
		}
	}
	var none *Table
	if _, ok := none.Of(netip.MustParseAddr("::1")); ok {
		t.Error("no table knows a name")
	}
}

func TestParseSaysWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		"127.0.0.1 a\nhello world\n": "line 2", "10.0.0.1\n": "has no name", "{\"items\":7}": "kubectl get pods,svc", "{": "kubectl get pods,svc",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(cluster))
	f.Add([]byte("10.0.0.5 db\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if table, err := Parse(b); err == nil && table == nil {
			t.Error("neither names nor an error")
		}
	})
}
