// Package tracecontext turns the fields of a request into the trace that it belongs to: B3 (single and multiple fields), W3C Trace
// Context, SkyWalking sw8 and Jaeger's uber-trace-id. What is there and not valid is named.
package tracecontext
