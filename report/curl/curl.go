// Package curl turns a recorded request into the command that sends it again.
package curl

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/ebpf-reel/reel/analyze/facts"
	"github.com/ebpf-reel/reel/format"
)

// left are fields that curl makes itself, or that are about one connection (RFC 9110 §7.6.1).
var left = map[string]bool{"content-length": true, "transfer-encoding": true, "connection": true, "keep-alive": true, "proxy-connection": true,
	"te": true, "trailer": true, "upgrade": true, "expect": true, "http2-settings": true}

// Command returns a command for a POSIX shell, on one line. What it cannot repeat (a body that is not whole, credentials that were
// masked) is said in a comment at its end. It is "" for a request whose method, or whose host, is not known.
func Command(x *facts.Exchange) string {
	url := address(x)
	if x.Method == "" || url == "" || x.Method == "CONNECT" {
		return ""
	}
	var b strings.Builder
	var lacks []string
	b.WriteString("curl")
	body := x.Request.Body
	whole := uint64(len(body)) >= x.Request.BodyBytes
	switch {
	case x.Method == "HEAD":
		b.WriteString(" --head")
	case x.Method == "GET" && len(body) == 0, x.Method == "POST" && len(body) > 0:
	default:
		b.WriteString(" --request " + quote(x.Method))
	}
	b.WriteString(" --globoff --path-as-is")
	if x.Request.Version == "HTTP/1.0" {
		b.WriteString(" --http1.0")
	} else {
		b.WriteString(" --http1.1")
	}
	masked, seen := false, map[string]bool{}
	for _, h := range x.Request.Headers {
		name := strings.ToLower(h.Name)
		if seen[name] = true; left[name] || !isToken(name) || name == "host" && h.Value == x.Host {
			continue
		}
		masked = masked || strings.Contains(h.Value, "***")
		if h.Value == "" {
			b.WriteString(" --header " + quote(h.Name+";")) // how curl is told of an empty value
			continue
		}
		b.WriteString(" --header " + quote(h.Name+": "+h.Value))
	}
	for _, name := range [...]string{"Accept", "User-Agent"} { // that curl adds
		if len(x.Request.Headers) > 0 && !seen[strings.ToLower(name)] {
			b.WriteString(" --header " + quote(name+":"))
		}
	}
	if len(body) > 0 {
		if !seen["content-type"] {
			b.WriteString(" --header 'Content-Type:'")
		}
		b.WriteString(" --data-raw " + quote(string(body)))
		if strings.IndexByte(string(body), 0) >= 0 {
			lacks = append(lacks, "NUL bytes of the body are left out")
		}
	}
	b.WriteString(" " + quote(url))
	if !whole {
		lacks = append(lacks, fmt.Sprintf("only %d bytes of the body's %d were kept", len(body), x.Request.BodyBytes))
	}
	if masked || strings.Contains(x.Target, "***") {
		lacks = append(lacks, "credentials were masked: put yours in place of the asterisks")
	}
	if x.Missing&facts.HeadCut != 0 {
		lacks = append(lacks, "the head was not recorded whole")
	}
	if len(lacks) > 0 {
		b.WriteString(" # " + strings.Join(lacks, "; "))
	}
	return b.String()
}

// isToken reports whether name can be a field name: another one could be an option, or a file, to curl.
func isToken(name string) bool {
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return name != ""
}

// address returns the URL; "" unknown.
func address(x *facts.Exchange) string {
	if lower := strings.ToLower(x.Target[:min(len(x.Target), len("https://"))]); strings.HasPrefix(lower, "http://") || lower == "https://" {
		return x.Target // other schemes, which are hostile here, could name a file
	}
	host := x.Host
	if host == "" {
		server := x.Local
		if x.Role == format.RoleClient {
			server = x.Remote
		}
		if !server.Addr.IsValid() {
			return ""
		}
		host = server.String()
	}
	scheme := "http://"
	if x.Protocol == "https" {
		scheme = "https://"
	}
	target := x.Target
	if !strings.HasPrefix(target, "/") {
		target = "/" // OPTIONS *
	}
	return scheme + host + target
}

// quote writes s as one word of a shell, of bytes that any terminal shows: in single quotes, or in $'…' (POSIX 2024) if it has control
// characters or is no UTF-8.
func quote(s string) string {
	plain := utf8.ValidString(s)
	for _, r := range s {
		plain = plain && r >= ' ' && r != 0x7f && !hidden(r)
	}
	if plain {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	var b strings.Builder
	b.WriteString("$'")
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\'' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case c == 0: // no argument of a program can hold it
		case c < ' ' || c >= 0x7f:
			fmt.Fprintf(&b, `\%03o`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteString("'")
	return b.String()
}

// hidden reports whether r could make a command look like another one: controls, and marks of direction.
func hidden(r rune) bool {
	return r >= 0x80 && r < 0xa0 || r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202e || r >= 0x2060 && r <= 0x206f || r == 0xfeff
}
