package dns

import (
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/ebpf-reel/reel/analyze/facts"
)

// message is what a lookup needs of a DNS message.
type message struct {
	id        uint16
	response  bool
	truncated bool
	asks      bool // it has a question
	name, typ string
	code      string
	answers   int
	addresses []netip.Addr
	cut       bool // answers could not all be read
}

// parse reads a message as far as its bytes go: whole is false when only its beginning was captured. ok is false when there is not even
// the header and the question.
func parse(b []byte, whole bool) (m message, ok bool) {
	var p dnsmessage.Parser
	h, err := p.Start(b)
	if err != nil {
		return m, false
	}
	m.id, m.response, m.truncated = h.ID, h.Response, h.Truncated
	q, err := p.Question()
	switch {
	case err == dnsmessage.ErrSectionDone: //nolint:errorlint // the library's own sentinel, never wrapped
	case err != nil:
		return m, false
	default:
		m.asks, m.name, m.typ = true, text(q.Name), typeName(q.Type)
	}
	if !m.response {
		return m, m.asks
	}
	m.code = codeName(h.RCode)
	if err := p.SkipAllQuestions(); err != nil {
		return m, !whole
	}
	m.cut = !m.read(&p)
	return m, whole || m.asks
}

// read takes the answer section. It reports whether all of it was there.
func (m *message) read(p *dnsmessage.Parser) bool {
	for {
		h, err := p.AnswerHeader()
		if err != nil {
			return err == dnsmessage.ErrSectionDone //nolint:errorlint // the library's own sentinel, never wrapped
		}
		var addr netip.Addr
		switch h.Type {
		case dnsmessage.TypeA:
			var r dnsmessage.AResource
			r, err = p.AResource()
			addr = netip.AddrFrom4(r.A)
		case dnsmessage.TypeAAAA:
			var r dnsmessage.AAAAResource
			r, err = p.AAAAResource()
			addr = netip.AddrFrom16(r.AAAA)
		default:
			err = p.SkipAnswer()
		}
		if err != nil {
			return false
		}
		m.answers++
		if addr.IsValid() && len(m.addresses) < facts.MaxAddresses {
			m.addresses = append(m.addresses, addr)
		}
	}
}

// text writes a name as facts.Lookup has it.
func text(n dnsmessage.Name) string {
	b := n.Data[:n.Length]
	if len(b) > 1 {
		b = b[:len(b)-1] // the last dot
	}
	var out strings.Builder
	for _, c := range b {
		switch {
		case 'A' <= c && c <= 'Z':
			out.WriteByte(c + 'a' - 'A')
		case c <= ' ' || c > '~' || c == '\\':
			fmt.Fprintf(&out, `\%03d`, c)
		default:
			out.WriteByte(c)
		}
	}
	return out.String()
}

// Types and codes that the library has no names for, by the registries of IANA.
var (
	typeNames = map[dnsmessage.Type]string{35: "NAPTR", 39: "DNAME", 43: "DS", 46: "RRSIG", 47: "NSEC", 48: "DNSKEY", 52: "TLSA", 64: "SVCB", 65: "HTTPS",
		251: "IXFR", 252: "AXFR", 255: "ANY", 257: "CAA"}
	codeNames = [...]string{"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH", "NOTZONE"}
)

func typeName(t dnsmessage.Type) string {
	if name := typeNames[t]; name != "" {
		return name
	}
	if name, known := strings.CutPrefix(t.String(), "Type"); known {
		return name
	}
	return fmt.Sprintf("TYPE%d", uint16(t))
}

func codeName(c dnsmessage.RCode) string {
	if int(c) < len(codeNames) {
		return codeNames[c]
	}
	return fmt.Sprintf("RCODE%d", uint16(c))
}
