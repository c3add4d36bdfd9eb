// Package web turns the shop's handlers into servers on free loopback ports and their calls into traced calls.
package web

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// Trace is the B3 context of one span.
type Trace struct{ TraceID, SpanID, ParentID, Sampled string }

type traceKey struct{}

func newID(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// traced reads the caller's B3 headers, or begins a trace, and hands the span to the handler.
func traced(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t := Trace{r.Header.Get("X-B3-TraceId"), r.Header.Get("X-B3-SpanId"), r.Header.Get("X-B3-ParentSpanId"), r.Header.Get("X-B3-Sampled")}
		if t.TraceID == "" {
			t = Trace{TraceID: newID(16), SpanID: newID(8), Sampled: "1"}
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), traceKey{}, t)))
	})
}

var client = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 16}}

// StatusError is an answer of another service that is not 2xx.
type StatusError struct {
	URL    string
	Status int
}

func (e *StatusError) Error() string { return fmt.Sprintf("%s answered %d", e.URL, e.Status) }

// Call sends a request to another service as a child span of ctx's and decodes its JSON answer into out (nil: dropped).
func Call(ctx context.Context, method, url string, body io.Reader, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return err
	}
	if t, ok := ctx.Value(traceKey{}).(Trace); ok {
		req.Header.Set("X-B3-TraceId", t.TraceID)
		req.Header.Set("X-B3-ParentSpanId", t.SpanID)
		req.Header.Set("X-B3-SpanId", newID(8))
		req.Header.Set("X-B3-Sampled", t.Sampled)
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		_, err = io.Copy(io.Discard, resp.Body) // the connection is used again
		return errors.Join(&StatusError{url, resp.StatusCode}, err)
	}
	if out == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

// JSON answers with v.
func JSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // fails only when the customer left
}

// Fail answers with the status of err: that of the service that failed, else 502.
func Fail(w http.ResponseWriter, err error) {
	status := http.StatusBadGateway
	if s, ok := errors.AsType[*StatusError](err); ok {
		status = s.Status
	}
	JSON(w, status, map[string]string{"error": err.Error()})
}

// Serve serves h on a free loopback port until SIGTERM. The address is written to the file named by -addr, whole or not at
// all, so that whoever waits for the file can connect.
func Serve(addrFile *string, h http.Handler) {
	if !flag.Parsed() {
		flag.Parse()
	}
	if err := serve(*addrFile, h); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", filepath.Base(os.Args[0]), err)
		os.Exit(1)
	}
}

// AddrFlag declares -addr.
func AddrFlag() *string { return flag.String("addr", "", "`file` to write the listening address to") }

func serve(addrFile string, h http.Handler) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	tmp := addrFile + ".tmp"
	if err := os.WriteFile(tmp, []byte(l.Addr().String()), 0o644); err != nil {
		return err
	}
	if err := os.Rename(tmp, addrFile); err != nil {
		return err
	}
	srv := &http.Server{Handler: traced(h), ReadHeaderTimeout: 5 * time.Second}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	go func() {
		<-ctx.Done()
		_ = srv.Close() // the process ends
	}()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
