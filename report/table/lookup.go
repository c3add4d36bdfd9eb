package table

import "github.com/ebpf-reel/reel/analyze/facts"

type lookupRow struct {
	ID            uint64   `parquet:"id,delta" json:"id" doc:"number of the lookup, from 1"`
	Connection    uint64   `parquet:"connection_id" json:"connection_id" doc:"id in the table connections"`
	Role          string   `parquet:"role,dict" json:"role" doc:"client: the process asked; server: it answered"`
	PID           uint32   `parquet:"pid,dict" json:"pid" doc:"process that moved the query, or else the response"`
	TID           uint32   `parquet:"tid,dict" json:"tid" doc:"its thread"`
	LocalAddress  string   `parquet:"local_address,dict" json:"local_address" doc:"empty: unknown"`
	LocalPort     uint16   `parquet:"local_port" json:"local_port" doc:""`
	RemoteAddress string   `parquet:"remote_address,dict" json:"remote_address" doc:"empty: unknown"`
	RemotePort    uint16   `parquet:"remote_port" json:"remote_port" doc:""`
	Transaction   uint16   `parquet:"transaction" json:"transaction" doc:"id in both messages"`
	Name          string   `parquet:"name,dict" json:"name" doc:"that was asked for, in lower case, without the last dot; other bytes than printable ASCII as \\DDD"`
	Type          string   `parquet:"type,dict" json:"type" doc:"of records: A, AAAA, TYPE65280"`
	Code          string   `parquet:"code,dict" json:"code" doc:"of the response: NOERROR, NXDOMAIN, SERVFAIL; empty: no response"`
	Answers       uint32   `parquet:"answers" json:"answers" doc:"records in the answer section"`
	Addresses     []string `parquet:"addresses,list" json:"addresses" doc:"of its A and AAAA records, 16 at most"`
	Truncated     bool     `parquet:"truncated" json:"truncated" doc:"the response says that not all fitted (TC)"`
	Queries       uint32   `parquet:"queries" json:"queries" doc:"the query and its repetitions"`
	QueryBytes    uint64   `parquet:"query_bytes" json:"query_bytes" doc:"of the last query"`
	ResponseBytes uint64   `parquet:"response_bytes" json:"response_bytes" doc:"0: no response"`
	StartWall     *Wall    `parquet:"start_time,optional,timestamp(nanosecond)" json:"start_time" doc:"UTC; null: the reel has no clock"`
	Start         int64    `parquet:"start_ns,delta" json:"start_ns" doc:"ns, CLOCK_MONOTONIC of the recorded node"`
	Duration      *int64   `parquet:"duration_ns,optional" json:"duration_ns" doc:"ns; client: first query's call begins to response read; server: query read to response written; null: unknown"`
	Complete      bool     `parquet:"complete" json:"complete" doc:"missing is empty"`
	Missing       []string `parquet:"missing,list" json:"missing" doc:"as in exchanges"`
}

// Lookup adds a row. l is not used after the call.
func (w *Writer) Lookup(l *facts.Lookup) error {
	b := w.lookups.batch
	r := lookupRow{
		ID: uint64(l.ID), Connection: uint64(l.Conn), Role: l.Role.String(), PID: uint32(l.PID), TID: uint32(l.TID),
		LocalAddress: w.addresses.string(l.Local), LocalPort: l.Local.Port, RemoteAddress: w.addresses.string(l.Remote), RemotePort: l.Remote.Port,
		Transaction: l.Transaction, Name: l.Name, Type: l.Type, Code: l.Code, Answers: uint32(l.Answers), Addresses: noStrings, Truncated: l.Truncated,
		Queries: uint32(l.Queries), QueryBytes: l.Sent, ResponseBytes: l.Received,
		StartWall: b.wall(l.StartWall), Start: int64(l.Start), Duration: b.unless(int64(l.Duration), -1),
		Complete: l.Missing == 0, Missing: w.missing.list(l.Missing),
	}
	for _, a := range l.Addresses {
		r.Addresses = append(r.Addresses, a.String())
	}
	b.rows = append(b.rows, r)
	return w.lookups.added()
}
