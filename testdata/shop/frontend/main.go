// Command frontend is what the shop's customers talk to; it asks catalog and cart for everything.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/ebpf-reel/reel/testdata/shop/web"
)

var (
	catalog = flag.String("catalog", "", "`address` of catalog")
	cart    = flag.String("cart", "", "`address` of cart")
)

func main() {
	addr := web.AddrFlag()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", home)
	mux.HandleFunc("GET /products", products)
	mux.HandleFunc("GET /product/{id}", product)
	mux.HandleFunc("GET /search", search)
	mux.HandleFunc("GET /cart", showCart)
	mux.HandleFunc("POST /cart", addToCart)
	mux.HandleFunc("DELETE /cart", emptyCart)
	mux.HandleFunc("POST /checkout", checkout)
	web.Serve(addr, mux)
}

// user is the customer's name from the session cookie.
func user(r *http.Request) string {
	if c, err := r.Cookie("session"); err == nil {
		return url.PathEscape(c.Value)
	}
	return "nobody"
}

func home(w http.ResponseWriter, r *http.Request) {
	var top []json.RawMessage
	err := web.Call(r.Context(), "GET", "http://"+*catalog+"/recommend?user="+url.QueryEscape(user(r)), nil, &top)
	if err != nil {
		web.Fail(w, err)
		return
	}
	web.JSON(w, http.StatusOK, map[string]any{"welcome": user(r), "top": top})
}

// products asks for ten products one by one: the pattern that every tracer's manual warns of.
func products(w http.ResponseWriter, r *http.Request) {
	list := make([]json.RawMessage, 10)
	for i := range list {
		if err := web.Call(r.Context(), "GET", fmt.Sprintf("http://%s/items/%d", *catalog, i+1), nil, &list[i]); err != nil {
			web.Fail(w, err)
			return
		}
	}
	web.JSON(w, http.StatusOK, list)
}

func product(w http.ResponseWriter, r *http.Request) {
	pass(w, r, "GET", *catalog, "/items/"+url.PathEscape(r.PathValue("id")))
}

func search(w http.ResponseWriter, r *http.Request) {
	pass(w, r, "GET", *catalog, "/search?q="+url.QueryEscape(r.URL.Query().Get("q")))
}

func showCart(w http.ResponseWriter, r *http.Request) { pass(w, r, "GET", *cart, "/carts/"+user(r)) }

func addToCart(w http.ResponseWriter, r *http.Request) {
	pass(w, r, "POST", *cart, "/carts/"+user(r)+"/items")
}

func emptyCart(w http.ResponseWriter, r *http.Request) {
	if err := web.Call(r.Context(), "DELETE", "http://"+*cart+"/carts/"+user(r), nil, nil); err != nil {
		web.Fail(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func checkout(w http.ResponseWriter, r *http.Request) {
	pass(w, r, "POST", *cart, "/carts/"+user(r)+"/checkout")
}

// pass hands a request to another service, and its answer to the customer.
func pass(w http.ResponseWriter, r *http.Request, method, service, path string) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		web.JSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	var out json.RawMessage
	if err := web.Call(r.Context(), method, "http://"+service+path, bytes.NewReader(body), &out); err != nil {
		web.Fail(w, err)
		return
	}
	web.JSON(w, http.StatusOK, out)
}
