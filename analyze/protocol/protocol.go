// Package protocol turns the first bytes of one direction of a connection into the name of the protocol that is spoken, and who
// speaks: the client or the server.
//
// Each recogniser checks what no other protocol begins with: magic bytes, or lengths that agree with each other and with what
// is there. A few bytes that would fit many (a number, a word) are no evidence. HTTP/1 and TLS have parsers of their own.
package protocol

import (
	"bytes"
	"encoding/binary"
)

// Name is a protocol.
type Name uint8

// The protocols.
const (
	Unknown Name = iota
	AMQP
	Cassandra
	DNS
	FastCGI
	GRPC
	Kafka
	LDAP
	Memcached
	MongoDB
	MQTT
	MySQL
	NATS
	PostgreSQL
	Redis
	SMTP
	SSH
	STOMP
)

var names = [...]string{"", "amqp", "cassandra", "dns", "fastcgi", "grpc", "kafka", "ldap", "memcached", "mongodb", "mqtt", "mysql", "nats", "postgresql", "redis", "smtp", "ssh", "stomp"}

// String returns the name that tables and reports show; "" of Unknown.
func (n Name) String() string { return names[min(int(n), len(names)-1)] }

// Speaker is who sends the bytes.
type Speaker uint8

// The speakers.
const (
	Either Speaker = 0 // both begin like this, or it is not known
	Client Speaker = 1
	Server Speaker = 2
)

type recogniser struct {
	name Name
	by   Speaker
	is   func(b []byte) bool
}

// recognisers in order: what is surest comes first.
var recognisers = [...]recogniser{
	{AMQP, Client, amqp},
	{SSH, Either, ssh},
	{MQTT, Client, mqtt},
	{PostgreSQL, Client, postgresStartup},
	{PostgreSQL, Server, postgresAuth},
	{MySQL, Server, mysqlGreeting},
	{MongoDB, Client, mongoRequest},
	{MongoDB, Server, mongoReply},
	{Redis, Client, redisCommand},
	{Redis, Server, redisReply},
	{NATS, Server, func(b []byte) bool {
		return bytes.HasPrefix(b, []byte("INFO {")) && bytes.Contains(b, []byte(`"server_id"`))
	}},
	{NATS, Client, func(b []byte) bool { return bytes.HasPrefix(b, []byte("CONNECT {")) }},
	{STOMP, Client, stomp},
	{FastCGI, Client, fastCGI},
	{Memcached, Client, memcachedCommand},
	{Memcached, Server, memcachedReply},
	{SMTP, Server, smtpGreeting},
	{SMTP, Client, func(b []byte) bool { return bytes.HasPrefix(b, []byte("EHLO ")) || bytes.HasPrefix(b, []byte("HELO ")) }},
	{Cassandra, Client, cassandraRequest},
	{LDAP, Client, ldapBind},
	{Kafka, Client, kafkaRequest},
	{DNS, Either, dnsOverTCP},
}

// Detect returns the protocol that b, the first bytes of a direction, shows, and who sends it.
func Detect(b []byte) (Name, Speaker) {
	if len(b) < 4 {
		return Unknown, Either
	}
	for i := range recognisers {
		if r := &recognisers[i]; r.is(b) {
			return r.name, r.by
		}
	}
	return Unknown, Either
}

// SpeaksGRPC reports whether bytes of an HTTP/2 connection hold the content type of gRPC: plain, or in Huffman code (RFC 7541, appendix B).
func SpeaksGRPC(b []byte) bool {
	return bytes.Contains(b, []byte("application/grpc")) || bytes.Contains(b, []byte("\x1d\x75\xd0\x62\x0d\x26\x3d\x4c\x4d\x65\x64"))
}

// amqp: the protocol header (AMQP 0-9-1 §4.2.2, AMQP 1.0 §2.2).
func amqp(b []byte) bool { return bytes.HasPrefix(b, []byte("AMQP")) && len(b) >= 8 && b[4] <= 3 }

// ssh: the identification string (RFC 4253 §4.2).
func ssh(b []byte) bool {
	return bytes.HasPrefix(b, []byte("SSH-2.0-")) || bytes.HasPrefix(b, []byte("SSH-1.99-"))
}

// mqtt: CONNECT (MQTT 3.1.1 §3.1): the name of the protocol after a remaining length of one or two bytes.
func mqtt(b []byte) bool {
	if b[0] != 0x10 {
		return false
	}
	n := 2
	if b[1]&0x80 != 0 {
		n = 3
	}
	return len(b) > n && (bytes.HasPrefix(b[n:], []byte("\x00\x04MQTT")) || bytes.HasPrefix(b[n:], []byte("\x00\x06MQIsdp")))
}

// postgresStartup: StartupMessage, SSLRequest, GSSENCRequest, CancelRequest (PostgreSQL, "Message Formats").
func postgresStartup(b []byte) bool {
	if len(b) < 8 {
		return false
	}
	n, code := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
	switch code {
	case 80877103, 80877104: // SSL, GSSAPI
		return n == 8
	case 80877102:
		return n == 16
	case 3 << 16, 3<<16 | 2:
		return n > 8 && n <= 10_000 && uint32(len(b)) <= n && (len(b) < 13 || bytes.Contains(b[8:], []byte("user\x00")))
	}
	return false
}

// postgresAuth: AuthenticationRequest, the first message of a server.
func postgresAuth(b []byte) bool {
	if b[0] != 'R' || len(b) < 9 {
		return false
	}
	n, code := binary.BigEndian.Uint32(b[1:]), binary.BigEndian.Uint32(b[5:])
	return n >= 8 && n < 1000 && code <= 12
}

// mysqlGreeting: the handshake of protocol 10, in a packet of number 0 (MySQL, "Connection Phase").
func mysqlGreeting(b []byte) bool {
	if len(b) < 12 || b[3] != 0 || b[4] != 10 {
		return false
	}
	n := int(b[0]) | int(b[1])<<8 | int(b[2])<<16
	version, _, ended := bytes.Cut(b[5:min(len(b), 5+64)], []byte{0})
	return n >= 40 && n < 1000 && ended && len(version) >= 3 && version[0] >= '0' && version[0] <= '9' && printable(version)
}

// mongo reads a message header: length, id, the id that it answers, and the kind (MongoDB Wire Protocol).
func mongo(b []byte) (answers uint32, ok bool) {
	if len(b) < 16 {
		return 0, false
	}
	n, kind := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[12:])
	switch kind {
	case 1, 2004, 2012, 2013: // OP_REPLY, OP_QUERY, OP_COMPRESSED, OP_MSG
		return binary.LittleEndian.Uint32(b[8:]), n > 16 && n <= 48<<20
	}
	return 0, false
}

func mongoRequest(b []byte) bool {
	answers, ok := mongo(b)
	return ok && answers == 0
}

func mongoReply(b []byte) bool {
	answers, ok := mongo(b)
	return ok && answers != 0
}

// redisCommand: an array of bulk strings (RESP).
func redisCommand(b []byte) bool {
	if b[0] != '*' {
		return false
	}
	n, rest, ok := respNumber(b[1:])
	if !ok || n < 1 || n > 1<<20 || len(rest) == 0 || rest[0] != '$' {
		return false
	}
	size, rest, ok := respNumber(rest[1:])
	if !ok || size < 1 || size > 64 {
		return false
	}
	for _, c := range rest[:min(len(rest), size)] {
		if (c|0x20 < 'a' || c|0x20 > 'z') && c != '.' && c != '_' && (c < '0' || c > '9') {
			return false // no command has such a name
		}
	}
	return true
}

// redisReply: the replies to what clients send first: PING, HELLO, AUTH, SELECT, COMMAND.
func redisReply(b []byte) bool {
	for _, s := range []string{"+OK\r\n", "+PONG\r\n", "-NOAUTH ", "-ERR ", "-WRONGPASS ", "-LOADING ", "-MOVED "} {
		if bytes.HasPrefix(b, []byte(s)) {
			return true
		}
	}
	if b[0] != '%' {
		return false
	}
	n, rest, ok := respNumber(b[1:]) // the map of HELLO 3
	return ok && n > 0 && n < 100 && bytes.HasPrefix(rest, []byte("$6\r\nserver\r\n"))
}

// respNumber reads a decimal number up to CRLF.
func respNumber(b []byte) (n int, rest []byte, ok bool) {
	for i, c := range b {
		switch {
		case c >= '0' && c <= '9' && i < 9:
			n = n*10 + int(c-'0')
		case c == '\r' && i > 0 && i+1 < len(b) && b[i+1] == '\n':
			return n, b[i+2:], true
		default:
			return 0, nil, false
		}
	}
	return 0, nil, false
}

// stomp: the frames that open a session (STOMP 1.2).
func stomp(b []byte) bool {
	return bytes.HasPrefix(b, []byte("CONNECT\n")) || bytes.HasPrefix(b, []byte("STOMP\n")) || bytes.HasPrefix(b, []byte("CONNECT\r\n"))
}

// fastCGI: BEGIN_REQUEST of version 1, with a body of 8 bytes and a known role (FastCGI §5.1).
func fastCGI(b []byte) bool {
	return len(b) >= 11 && b[0] == 1 && b[1] == 1 && b[4] == 0 && b[5] == 8 && b[8] == 0 && b[9] >= 1 && b[9] <= 3
}

// memcachedCommand: a text command with a key, or the header of a binary request (memcached, protocol.txt).
func memcachedCommand(b []byte) bool {
	if b[0] == 0x80 && len(b) >= 24 {
		key, extras, body := binary.BigEndian.Uint16(b[2:]), b[4], binary.BigEndian.Uint32(b[8:])
		return b[1] <= 0x40 && b[5] == 0 && uint32(key)+uint32(extras) <= body && body < 64<<20
	}
	line, _, whole := bytes.Cut(b[:min(len(b), 512)], []byte("\r\n"))
	if !whole {
		return false
	}
	words := bytes.Fields(line)
	if len(words) == 0 {
		return false
	}
	switch string(words[0]) {
	case "get", "gets", "gat", "gats", "mg", "delete", "incr", "decr", "touch":
		return len(words) >= 2
	case "set", "add", "replace", "append", "prepend", "cas":
		return len(words) >= 5 && len(words) <= 7 && number(words[2]) && number(words[3]) && number(words[4])
	}
	return false
}

func memcachedReply(b []byte) bool {
	for _, s := range []string{"STORED\r\n", "NOT_STORED\r\n", "END\r\n", "VERSION "} {
		if bytes.HasPrefix(b, []byte(s)) {
			return true
		}
	}
	return bytes.HasPrefix(b, []byte("VALUE ")) && bytes.Contains(b, []byte("\r\n"))
}

// smtpGreeting: 220 and the word that tells it from FTP (RFC 5321 §4.2).
func smtpGreeting(b []byte) bool {
	line, _, _ := bytes.Cut(b, []byte("\r\n"))
	return bytes.HasPrefix(line, []byte("220")) && bytes.Contains(line, []byte("SMTP"))
}

// cassandraRequest: STARTUP or OPTIONS of version 3 to 5 (CQL binary protocol §2).
func cassandraRequest(b []byte) bool {
	if len(b) < 9 || b[0] < 3 || b[0] > 5 || b[1] > 0x1f {
		return false
	}
	n := binary.BigEndian.Uint32(b[5:])
	switch b[4] {
	case 5:
		return n == 0 && len(b) == 9
	case 1:
		return n < 4096 && bytes.Contains(b, []byte("CQL_VERSION"))
	}
	return false
}

// ldapBind: a BindRequest of version 3, in BER with short lengths (RFC 4511 §4.2).
func ldapBind(b []byte) bool {
	return len(b) >= 12 && b[0] == 0x30 && int(b[1]) <= 0x7f && int(b[1])+2 >= len(b) && b[2] == 2 && b[3] == 1 && b[5] == 0x60 && b[7] == 2 && b[8] == 1 && b[9] == 3
}

// kafkaRequest: a request header whose length is that of what is there, with a client id that can be read (Kafka protocol guide).
func kafkaRequest(b []byte) bool {
	if len(b) < 14 {
		return false
	}
	n, api, version := binary.BigEndian.Uint32(b), binary.BigEndian.Uint16(b[4:]), binary.BigEndian.Uint16(b[6:])
	if n < 10 || n > 100<<20 || uint32(len(b)) > n+4 || api > 92 || version > 20 {
		return false
	}
	id := int(int16(binary.BigEndian.Uint16(b[12:])))
	if id < 1 || id > 200 || 14+id > len(b) {
		return false
	}
	return printable(b[14 : 14+id])
}

// dnsOverTCP: a length that is that of what is there, and a header that asks one question or answers it (RFC 1035 §4).
func dnsOverTCP(b []byte) bool {
	if len(b) < 14+5 || int(binary.BigEndian.Uint16(b)) != len(b)-2 {
		return false
	}
	h := b[2:]
	if h[2]&0x78 != 0 && h[2]&0x78 != 0x20 || binary.BigEndian.Uint16(h[4:]) != 1 || binary.BigEndian.Uint16(h[6:]) > 500 {
		return false
	}
	for at := 12; at < len(h); {
		n := int(h[at])
		if n == 0 {
			return at+5 <= len(h)
		}
		if n > 63 {
			return false
		}
		at += n + 1
	}
	return false
}

func printable(b []byte) bool {
	for _, c := range b {
		if c < 0x20 || c > 0x7e {
			return false
		}
	}
	return true
}

func number(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}
