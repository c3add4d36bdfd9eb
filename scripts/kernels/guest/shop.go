//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
)

// plan is what one client does to each server. Its connections are made, and each has sent one request, before it says "ready";
// at each line of its standard input it sends the next round.
type plan struct {
	Keep     int    // connections that are kept
	Requests int    // of a round, on each of them
	Short    int    // of a round, each on a connection of its own
	Rounds   int    // 0: one, without waiting for a line
	Out      string // file of what was sent: one JSON object a line
}

// Sent is the client's own account of one exchange. (The matrix reads it.)
type sent struct {
	Server int // port
	Port   int // of the client
	N      int // on its connection, from 1
	Method string
	Target string
	Status int
	Ask    int // content bytes of the request
	Answer int // of the response
	Round  int // 0: before the capture
}

type customer struct {
	conn net.Conn
	in   *bufio.Reader
	log  []sent
}

func dialShop(port int) (*customer, error) {
	conn, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err != nil {
		return nil, err
	}
	return &customer{conn: conn, in: bufio.NewReader(conn)}, nil
}

// ask sends one request and reads its answer.
func (c *customer) ask(method string, answer, body, round int) error {
	target := "/" + strconv.Itoa(answer)
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: shop\r\n", method, target)
	if body > 0 {
		head += fmt.Sprintf("Content-Length: %d\r\n", body)
	}
	if _, err := c.conn.Write(append([]byte(head+"\r\n"), bytes.Repeat([]byte{'q'}, body)...)); err != nil {
		return err
	}
	r, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return err
	}
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		return err
	}
	c.log = append(c.log, sent{
		Server: c.conn.RemoteAddr().(*net.TCPAddr).Port, Port: c.conn.LocalAddr().(*net.TCPAddr).Port, N: len(c.log) + 1,
		Method: method, Target: target, Status: r.StatusCode, Ask: body, Answer: int(n), Round: round,
	})
	return nil
}

// sizes of bodies: none, within the byte budget of a message, across it, many records.
var sizes = []int{0, 1, 100, 3000, 4096, 9000, 70000}

func (c *customer) round(requests, round int) error {
	for i := range requests {
		var err error
		if answer := sizes[i%len(sizes)]; i%3 == 2 {
			err = c.ask("POST", answer, max(1, sizes[(i*5)%len(sizes)]), round)
		} else {
			err = c.ask("GET", answer, 0, round)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// shop is the client: shop-client PLAN.
func shop(args []string) error {
	var p plan
	if len(args) != 1 {
		return fmt.Errorf("a client needs a plan")
	}
	if err := json.Unmarshal([]byte(args[0]), &p); err != nil {
		return err
	}
	var kept []*customer
	for _, port := range []int{pollPort, vecPort} {
		for range p.Keep {
			c, err := dialShop(port)
			if err != nil {
				return err
			}
			kept = append(kept, c)
			if p.Rounds == 0 {
				continue
			}
			if err := c.ask("GET", 10, 0, 0); err != nil {
				return err
			}
		}
	}
	fmt.Println("ready")
	lines := bufio.NewScanner(os.Stdin)
	var log []sent
	for round := range max(1, p.Rounds) {
		if p.Rounds > 0 && !lines.Scan() {
			return fmt.Errorf("no line for round %d", round)
		}
		short, err := p.round(kept, round+1)
		if err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		log = append(log, short...)
		fmt.Println("done")
	}
	for _, c := range kept {
		c.conn.Close()
		log = append(log, c.log...)
	}
	return writeLog(p.Out, log)
}

func (p *plan) round(kept []*customer, round int) (short []sent, err error) {
	errs := make(chan error, len(kept)) // one each
	var wg sync.WaitGroup
	for _, c := range kept {
		wg.Go(func() { errs <- c.round(p.Requests, round) })
	}
	for i := range p.Short {
		c, err := dialShop([]int{pollPort, vecPort}[i%2])
		if err != nil {
			return nil, err
		}
		if err := c.ask("GET", sizes[i%len(sizes)], 0, round); err != nil {
			return nil, err
		}
		c.conn.Close()
		short = append(short, c.log...)
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return short, nil
}

func writeLog(path string, log []sent) error {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	for _, s := range log {
		if err := enc.Encode(s); err != nil {
			return err
		}
	}
	return os.WriteFile(path, out.Bytes(), 0o644)
}
