// Command catalog is the shop's list of products: quick look-ups, a slow search, and a recommendation that burns CPU.
package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ebpf-reel/reel/testdata/shop/web"
)

type product struct {
	ID    int    `json:"id"`
	Name  string `json:"name"`
	Cents int    `json:"cents"`
	Text  string `json:"text"`
}

var products = makeProducts(120)

func makeProducts(n int) []product {
	adjectives := []string{"blue", "quiet", "heavy", "folding", "spare", "plain"}
	nouns := []string{"lamp", "kettle", "chair", "reel", "clock"}
	all := make([]product, n)
	for i := range all {
		name := adjectives[i%len(adjectives)] + " " + nouns[i%len(nouns)]
		all[i] = product{i + 1, name, 500 + 37*i, strings.Repeat("A "+name+" that lasts. ", 4)}
	}
	return all
}

func main() {
	addr := web.AddrFlag()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /items", listItems)
	mux.HandleFunc("GET /items/{id}", oneItem)
	mux.HandleFunc("GET /search", search)
	mux.HandleFunc("GET /recommend", recommend)
	web.Serve(addr, mux)
}

// listItems streams the list: no Content-Length, so the answer is chunked.
func listItems(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	enc := json.NewEncoder(w)
	for i, p := range products {
		if enc.Encode(p) != nil {
			return
		}
		if i%40 == 39 {
			if http.NewResponseController(w).Flush() != nil {
				return // the customer left
			}
		}
	}
}

func oneItem(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil || id < 1 || id > len(products) {
		web.JSON(w, http.StatusNotFound, map[string]string{"error": "no such product"})
		return
	}
	web.JSON(w, http.StatusOK, products[id-1])
}

// search stands for a query to a slow disk: it waits, and uses no CPU.
func search(w http.ResponseWriter, r *http.Request) {
	time.Sleep(90 * time.Millisecond)
	var found []product
	for _, p := range products {
		if strings.Contains(p.Name, r.URL.Query().Get("q")) {
			found = append(found, p)
		}
	}
	web.JSON(w, http.StatusOK, found)
}

func recommend(w http.ResponseWriter, r *http.Request) {
	web.JSON(w, http.StatusOK, burnRanking(r.URL.Query().Get("user"), 25*time.Millisecond)[:5])
}

// burnRanking orders the products by a taste that is computed, over and over, for the time given: the hot function of this
// shop's flame graph.
//
//go:noinline
func burnRanking(user string, atLeast time.Duration) []product {
	ranked := slices.Clone(products)
	score := make(map[int]uint64, len(ranked))
	for start, round := time.Now(), 0; time.Since(start) < atLeast; round++ {
		for _, p := range ranked {
			sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d/%d", user, p.ID, round))
			score[p.ID] += binary.LittleEndian.Uint64(sum[:]) >> 16
		}
	}
	slices.SortFunc(ranked, func(a, b product) int {
		switch {
		case score[a.ID] > score[b.ID]:
			return -1
		case score[a.ID] < score[b.ID]:
			return 1
		}
		return a.ID - b.ID
	})
	return ranked
}
