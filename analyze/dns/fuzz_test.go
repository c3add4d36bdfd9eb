package dns

import (
	"testing"
	"unicode/utf8"

	"golang.org/x/net/dns/dnsmessage"
)

// FuzzParse feeds datagrams of strangers: whatever comes is a message whose texts can be printed, or none.
func FuzzParse(f *testing.F) {
	name := dnsmessage.MustNewName("Shop.Example.com.")
	for _, m := range []dnsmessage.Message{
		{Header: dnsmessage.Header{ID: 7}, Questions: []dnsmessage.Question{{Name: name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}},
		{
			Header:    dnsmessage.Header{ID: 7, Response: true, RCode: dnsmessage.RCodeSuccess},
			Questions: []dnsmessage.Question{{Name: name, Type: dnsmessage.TypeAAAA, Class: dnsmessage.ClassINET}},
			Answers: []dnsmessage.Resource{
				{Header: dnsmessage.ResourceHeader{Name: name, Class: dnsmessage.ClassINET}, Body: &dnsmessage.CNAMEResource{CNAME: name}},
				{Header: dnsmessage.ResourceHeader{Name: name, Class: dnsmessage.ClassINET}, Body: &dnsmessage.AAAAResource{AAAA: [16]byte{0x20, 1}}},
			},
		},
	} {
		b, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, true)
		f.Add(b[:len(b)-5], false)
	}
	f.Add([]byte("\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x0c\x00\x01\x00\x01"), true) // a name that points at itself
	f.Fuzz(func(t *testing.T, b []byte, whole bool) {
		m, ok := parse(b, whole)
		if !ok {
			return
		}
		if len(b) < 12 || !m.response && !m.asks || m.asks && (m.name == "" || m.typ == "") || m.response == (m.code == "") {
			t.Errorf("%x: %+v", b, m)
		}
		if !utf8.ValidString(m.name) || len(m.name) > 4*255 || m.answers > len(b)/11 {
			t.Errorf("%x: %+v", b, m)
		}
		// The same bytes with less at the end say no more.
		if shorter, ok := parse(b[:len(b)/2], false); ok && (shorter.id != m.id || shorter.asks && m.asks && shorter.name != m.name || shorter.answers > m.answers) {
			t.Errorf("%x: %+v, and its first half %+v", b, m, shorter)
		}
	})
}
