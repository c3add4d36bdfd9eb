package protocol

import (
	"bufio"
	"encoding/hex"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

// firstBytes are what real clients and servers sent first: testdata/README.md says which.
func firstBytes(t testing.TB) map[string][]byte {
	f, err := os.Open("testdata/first_bytes.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out := make(map[string][]byte)
	for s := bufio.NewScanner(f); s.Scan(); {
		name, digits, _ := strings.Cut(s.Text(), " ")
		b, err := hex.DecodeString(digits)
		if err != nil || len(b) == 0 {
			t.Fatalf("%s: %v", name, err)
		}
		out[name] = b
	}
	return out
}

var programs = map[string]struct {
	name Name
	by   Speaker
}{
	"amqp_client": {AMQP, Client}, "dns_tcp_client": {DNS, Either}, "kafka_client": {Kafka, Client}, "ldap_client": {LDAP, Client},
	"memcached_client": {Memcached, Client}, "memcached_server": {Memcached, Server}, "mongo_client": {MongoDB, Client}, "mqtt_client": {MQTT, Client},
	"mysql_server": {MySQL, Server}, "postgres_ssl": {PostgreSQL, Client}, "postgres_startup": {PostgreSQL, Client}, "redis_client": {Redis, Client},
	"redis_hello_server": {Redis, Server}, "redis_server": {Redis, Server}, "stomp_client": {STOMP, Client},
	"mysql_client": {Unknown, Either}, "grpc_client": {Unknown, Either}, // the one speaks second, the other is HTTP/2
}

// What real programs send first is recognised.
func TestRealFirstBytes(t *testing.T) {
	all := firstBytes(t)
	for name, want := range programs {
		b, ok := all[name]
		if !ok {
			t.Errorf("no bytes of %s", name)
			continue
		}
		if got, by := Detect(b); got != want.name || by != want.by {
			t.Errorf("%s: %q by %d, want %q by %d", name, got, by, want.name, want.by)
		}
	}
	if len(all) != len(programs) {
		t.Errorf("bytes of %d programs, %d expectations", len(all), len(programs))
	}
	if !SpeaksGRPC(all["grpc_client"]) || SpeaksGRPC(all["mysql_server"]) {
		t.Error("gRPC is told by its content type")
	}
}

// What their specifications show is recognised too, where no program was at hand.
func TestFirstBytesOfSpecifications(t *testing.T) {
	for _, c := range []struct {
		name Name
		by   Speaker
		b    string
	}{
		{SSH, Either, "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"},
		{SMTP, Server, "220 mx.example ESMTP Postfix\r\n"},
		{SMTP, Client, "EHLO client.example\r\n"},
		{NATS, Server, `INFO {"server_id":"NA2","version":"2.10.0"}` + "\r\n"},
		{NATS, Client, `CONNECT {"verbose":false}` + "\r\nPING\r\n"},
		{Cassandra, Client, "\x04\x00\x00\x00\x05\x00\x00\x00\x00"},
		{Cassandra, Client, "\x04\x00\x00\x01\x01\x00\x00\x00\x16\x00\x01\x00\x0bCQL_VERSION\x00\x053.0.0"},
		{FastCGI, Client, "\x01\x01\x00\x01\x00\x08\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00"},
		{PostgreSQL, Server, "R\x00\x00\x00\x17\x00\x00\x00\x0aSCRAM-SHA-256\x00\x00"},
		{MongoDB, Server, "\x26\x00\x00\x00\x01\x00\x00\x00\x07\x00\x00\x00\xdd\x07\x00\x00\x00\x00\x00\x00\x00"},
		{Memcached, Client, "set key 0 60 5\r\nhello\r\n"},
		{AMQP, Client, "AMQP\x03\x01\x00\x00"},
	} {
		if got, by := Detect([]byte(c.b)); got != c.name || by != c.by {
			t.Errorf("%q: %q by %d, want %q by %d", c.b, got, by, c.name, c.by)
		}
	}
}

// What is none of them is not called one.
func TestNoFalseNames(t *testing.T) {
	for _, s := range []string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"get lost, said the cat\n", "220 ftp.example FTP server ready\r\n", "*hello world*\r\n", "hello\r\n", "\x00\x00\x00\x00\x00\x00\x00\x00", "1234", "{\"a\":1}",
	} {
		if got, _ := Detect([]byte(s)); got != Unknown {
			t.Errorf("%q is called %s", s, got)
		}
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	named := 0
	for range 200_000 {
		b := make([]byte, 4+rnd.IntN(60))
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		if got, _ := Detect(b); got != Unknown {
			named++
		}
	}
	if named > 2 {
		t.Errorf("%d of 200,000 random beginnings have a name", named)
	}
}

func FuzzDetect(f *testing.F) {
	for _, b := range firstBytes(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		name, by := Detect(b)
		if name == Unknown && by != Either {
			t.Errorf("%q: nothing, by %d", b, by)
		}
		SpeaksGRPC(b)
	})
}
