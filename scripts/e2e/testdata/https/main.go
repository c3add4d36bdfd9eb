// Command https is a server and a client of HTTPS by Go's own TLS.
//
//	https serve ADDR CERT       prints the path of each request
//	https get VERSION URL...    each on a connection of its own; sessions are resumed
package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"time"
)

func main() {
	log.SetFlags(0)
	if os.Args[1] == "serve" {
		serve(os.Args[2], os.Args[3])
	}
	// The recorder looks at a program when it begins: a client of a millisecond may be over before.
	time.Sleep(time.Second)
	get(map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}[os.Args[2]], os.Args[3:])
}

func serve(addr, cert string) {
	server := http.Server{Addr: addr, TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}}
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Printf("served %s\n", r.URL)
		fmt.Fprintf(w, "this is %s\n", r.URL)
	})
	log.Fatal(server.ListenAndServeTLS(cert, cert))
}

func get(version uint16, urls []string) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{
		InsecureSkipVerify: true, MaxVersion: version, ClientSessionCache: tls.NewLRUClientSessionCache(8)}}}
	for _, url := range urls {
		r, err := client.Get(url)
		if err != nil {
			log.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			log.Fatal(err)
		}
		r.Body.Close()
	}
}
