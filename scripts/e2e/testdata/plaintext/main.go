// Command main is an HTTPS server, and its client, by crypto/tls: "server PORT PEM LOG" and "client PORT CONNECTIONS REQUESTS". Each
// line of the log is: port of the client, number of the request, target.
package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// wrapped hides the TCP connection under another type, as many programs do.
type wrapped struct{ net.Conn }

type listener struct{ net.Listener }

// Accept wraps what it accepts.
func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &wrapped{c}, nil
}

func main() {
	if os.Args[1] == "client" {
		client(os.Args[2], number(os.Args[3]), number(os.Args[4]))
		return
	}
	server(os.Args[2], os.Args[3], os.Args[4])
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		log.Fatal(err)
	}
	return n
}

func client(port string, connections, requests int) {
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections}}
	var all sync.WaitGroup
	for i := range connections {
		all.Go(func() {
			for k := range requests {
				response, err := c.Get(fmt.Sprintf("https://127.0.0.1:%s/c%03d/r%03d", port, i, k))
				if err != nil {
					log.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, response.Body); err != nil {
					log.Fatal(err)
				}
				response.Body.Close()
			}
		})
	}
	all.Wait()
}

func server(port, pem, path string) {
	cert, err := tls.LoadX509KeyPair(pem, pem)
	if err != nil {
		log.Fatal(err)
	}
	out, err := os.Create(path)
	if err != nil {
		log.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		log.Fatal(err)
	}
	var mu sync.Mutex
	seen := map[string]int{}
	fmt.Println("ready")
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen[r.RemoteAddr]++
		n := seen[r.RemoteAddr]
		mu.Unlock()
		time.Sleep(time.Duration(n%3) * time.Millisecond)
		io.WriteString(w, strings.Repeat(r.URL.Path, 40)[:400])
		fmt.Fprintln(out, r.RemoteAddr[strings.LastIndex(r.RemoteAddr, ":")+1:], n, r.URL.Path)
	})}
	log.Fatal(s.Serve(tls.NewListener(listener{l}, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}})))
}
