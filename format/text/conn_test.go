package text

import (
	"bytes"
	"strings"
	"testing"
)

func canonical(t *testing.T, text string) string {
	t.Helper()
	m, rows, err := Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Write(&out, m, rows); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestConnectionLinesExpand(t *testing.T) {
	got := canonical(t, `reel-text 1
conn c1 fd=5 netns=7
conn s1 peer=c1 sock=0xaa

process +0 snapshot pid=100 comm="client" target
c1 connect dur=1ms
s1 accept
c1 > "GET / HTTP/1.1\r\n"
     "Host: a\r\n\r\n"        # one write
s1 +10us < "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
s1 > "HTTP/1.1 200 OK\r\nContent-Length: 1010\r\n\r\n" "x"*10 hole=1000
lost c1 recvfrom "HTTP/1.1 200 OK\r\nContent-Length: 1010\r\n\r\n"
c1 2.5 < hole=1010
s1 sendfile hole=5
c1 < flags=PEEK "abc"
c1 < ret=-104
c1 <
c1 close
`)
	want := `reel-text 1
process 1.000000000 snapshot pid=100 comm="client" target
socket 1.001000000 connect pid=100 fd=5 sock=0x1001 inode=1001 netns=7 client local=10.0.0.1:40001 remote=10.0.0.2:80 dur=1ms snd=1000 rcv=5000
socket 1.002000000 accept pid=200 fd=5 sock=0xaa inode=1002 netns=7 server local=10.0.0.2:80 remote=10.0.0.1:40001 ret=5 snd=5000 rcv=1000
io 1.003000000 > write pid=100 fd=5 sock=0x1001 inode=1001 lport=40001 rport=80 flags=MSG_START seq=1000 ret=27 "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
io 1.003010000 < read pid=200 fd=5 sock=0xaa inode=1002 lport=80 rport=40001 flags=MSG_START seq=1000 ret=27 "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
io 1.004010000 > write pid=200 fd=5 sock=0xaa inode=1002 lport=80 rport=40001 flags=MSG_START seq=5000 ret=1051 cut=budget hole=1000 "HTTP/1.1 200 OK\r\nContent-Length: 1010\r\n\r\nxxxxxxxxxx"
io 2.500000000 < read pid=100 fd=5 sock=0x1001 inode=1001 lport=40001 rport=80 seq=5041 ret=1010 cut=budget hole=1010
io 2.501000000 > sendfile pid=200 fd=5 sock=0xaa inode=1002 lport=80 rport=40001 seq=6051 ret=5 cut=no_copy hole=5
io 2.502000000 < read pid=100 fd=5 sock=0x1001 inode=1001 lport=40001 rport=80 flags=PEEK seq=6051 ret=3 "abc"
io 2.503000000 < read pid=100 fd=5 sock=0x1001 inode=1001 lport=40001 rport=80 seq=6051 ret=-104
io 2.504000000 < read pid=100 fd=5 sock=0x1001 inode=1001 lport=40001 rport=80 flags=EOF seq=6051 ret=0
socket 2.505000000 close pid=100 fd=5 sock=0x1001 inode=1001 netns=7 client local=10.0.0.1:40001 remote=10.0.0.2:80 snd=1027 rcv=6051
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	checkCanonical(t, []byte(got))
}
