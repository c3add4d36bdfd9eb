// Package e2e turns real servers and clients into verdicts on reel: it starts them, records them with the built binary,
// analyzes the reel elsewhere and compares the result with what the servers logged themselves.
//
// Everything here is a test. The programs run on loopback or in network namespaces that a test made, for a bounded time,
// and only processes that a test started are recorded.
package e2e
