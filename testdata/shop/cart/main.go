// Command cart keeps the shop's carts: a checkout waits for the lock that stock-taking holds, and some payments fail.
package main

import (
	"encoding/json"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ebpf-reel/reel/testdata/shop/web"
)

type cart struct {
	Items []int `json:"items"`
}

type shop struct {
	mu    sync.Mutex // guards carts
	carts map[string]*cart

	stock    sync.Mutex // held by stock-taking; a checkout needs it
	payments atomic.Int64
}

func main() {
	addr := web.AddrFlag()
	s := &shop{carts: map[string]*cart{}}
	go s.takeStock()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /carts/{user}", s.show)
	mux.HandleFunc("POST /carts/{user}/items", s.add)
	mux.HandleFunc("DELETE /carts/{user}", s.empty)
	mux.HandleFunc("POST /carts/{user}/checkout", s.checkout)
	web.Serve(addr, mux)
}

func (s *shop) of(user string) *cart {
	if s.carts[user] == nil {
		s.carts[user] = &cart{Items: []int{}}
	}
	return s.carts[user]
}

func (s *shop) show(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	web.JSON(w, http.StatusOK, s.of(r.PathValue("user")))
}

func (s *shop) add(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Item int    `json:"item"`
		Note string `json:"note"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&in); err != nil {
		web.JSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.of(r.PathValue("user"))
	c.Items = append(c.Items, in.Item)
	web.JSON(w, http.StatusCreated, c)
}

// empty answers 204: no body at all.
func (s *shop) empty(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.carts, r.PathValue("user"))
	w.WriteHeader(http.StatusNoContent)
}

// takeStock holds the stock lock for 120 ms of every 400 ms.
func (s *shop) takeStock() {
	for {
		s.stock.Lock()
		time.Sleep(120 * time.Millisecond)
		s.stock.Unlock()
		time.Sleep(280 * time.Millisecond)
	}
}

func (s *shop) checkout(w http.ResponseWriter, r *http.Request) {
	s.waitForStock()
	if s.payments.Add(1)%7 == 0 {
		web.JSON(w, http.StatusInternalServerError, map[string]string{"error": "the bank did not answer"})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.of(r.PathValue("user"))
	n := len(c.Items)
	c.Items = []int{}
	web.JSON(w, http.StatusOK, map[string]int{"sold": n})
}

// waitForStock blocks while stock is taken: the lock of this shop's off-CPU graph.
//
//go:noinline
func (s *shop) waitForStock() {
	s.stock.Lock()
	defer s.stock.Unlock()
}
