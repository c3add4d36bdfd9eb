package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// ask asks a server at a fixed rate over keep-alive connections and prints how many answers came and how long they took. A request is
// due at a time that does not depend on the answers before it, and its latency counts from then: a server that stalls is asked no less
// often for it.
func ask(args []string) error {
	flags := flag.NewFlagSet("ask", flag.ContinueOnError)
	rate := flags.Int("rate", 5000, "requests per second")
	lasts := flags.Duration("d", 3*time.Second, "for how long")
	conns := flags.Int("c", 16, "connections")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("want the address of a server")
	}
	var mu sync.Mutex
	var took []time.Duration
	var failed error
	var all sync.WaitGroup
	begin := time.Now().Add(50 * time.Millisecond)
	for n := range *conns {
		all.Go(func() {
			one, err := askOn(flags.Arg(0), begin.Add(time.Duration(n)*time.Second/time.Duration(*rate)), time.Second*time.Duration(*conns)/time.Duration(*rate), *lasts)
			mu.Lock()
			defer mu.Unlock()
			took = append(took, one...)
			failed = errors.Join(failed, err)
		})
	}
	all.Wait()
	if failed != nil {
		return failed
	}
	if len(took) == 0 {
		return errors.New("no answer")
	}
	slices.Sort(took)
	fmt.Println(len(took), took[len(took)/2].Nanoseconds(), took[len(took)*99/100].Nanoseconds())
	return nil
}

// askOn asks at each interval from begin on, on one connection.
func askOn(addr string, begin time.Time, every, lasts time.Duration) ([]time.Duration, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	answers := bufio.NewReader(c)
	request := []byte("GET /page HTTP/1.1\r\nHost: " + addr + "\r\n\r\n")
	took := make([]time.Duration, 0, int(lasts/every)+1)
	for due := begin; due.Sub(begin) < lasts; due = due.Add(every) {
		time.Sleep(time.Until(due))
		if _, err := c.Write(request); err != nil {
			return nil, err
		}
		resp, err := http.ReadResponse(answers, nil)
		if err != nil {
			return nil, err
		}
		if _, err := answers.Discard(int(resp.ContentLength)); err != nil || resp.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("status %d: %w", resp.StatusCode, err)
		}
		took = append(took, time.Since(due))
	}
	return took, nil
}
