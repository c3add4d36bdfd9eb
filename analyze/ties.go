package analyze

import (
	"context"

	"github.com/ebpf-reel/reel/analyze/ledger"
	"github.com/ebpf-reel/reel/analyze/order"
	"github.com/ebpf-reel/reel/analyze/tie"
	"github.com/ebpf-reel/reel/format"
)

// push gives a row to the window, of plaintext with its socket; what has none is counted. What is there once more is left out.
func (o *output) push(window *order.Window, ties *tie.Ties, row format.Row) error {
	r, ok := row.(*format.TLS)
	if !ok {
		return window.Push(row)
	}
	if r = ties.Tied(r); r.Socket == 0 {
		o.coverage.Untied(r, o.ground.processes.At(r.PID, r.Time))
	}
	if ties.Twice(r) {
		return nil
	}
	return window.Push(r)
}

// tieUp finds the sockets of recorded plaintext. A reel without any is not read for it, and one whose sessions all made system
// calls of their own is read for that table alone.
func tieUp(ctx context.Context, src Source, tally *ledger.Tally) (*tie.Ties, error) {
	b := tie.NewBuilder(tally)
	pass := func(take func(format.Row), opts format.RowsOptions) error {
		n := 0
		for row, err := range src.Rows(opts) {
			if n++; n%1024 == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			if err == nil { // else it is told when the rows are read again
				take(row)
			}
		}
		return nil
	}
	err := pass(func(row format.Row) { b.Call(row.(*format.TLS)) }, format.RowsOptions{Tables: []format.TableID{format.TableTLS}, NoPayload: true})
	if err == nil && b.Loose() {
		err = pass(b.Row, format.RowsOptions{Tables: []format.TableID{format.TableSocket, format.TableIO, format.TableTLS}})
	}
	return b.Ties(), err
}
