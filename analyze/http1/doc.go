// Package http1 turns the bytes of one direction of a connection, holes included, into HTTP/1.x messages (RFC 9110,
// RFC 9112).
//
// A [Parser] is fed what the system calls of that direction moved, in stream order: [Parser.Data] for bytes that the reel
// holds, [Parser.Hole] for bytes that it does not, [Parser.End] when the direction ends. It calls its [Handler] as messages
// take shape. It never waits, never looks at a clock, keeps at most [Limits] bytes, and allocates nothing per message.
//
// Where a message starts is either known (the message before it ended there, or the connection began there) or has to be
// proved again after a hole: only the first byte of a system call can prove it, and only when a whole start line stands
// there. Bytes inside a call never do, since a body may look like a message. [Message.Found] and [Message.Ended] say how the
// two ends were found.
//
// Use:
//
//	p := http1.NewParser(http1.Response, http1.Limits{Body: 4096}, handler)
//	p.Begin(sawStart)                 // false: the recording began when the connection was open already
//	p.Data(row.Payload, stamp)        // stamp.Call differs for each system call, stamp.Turn after bytes of the other direction
//	p.Hole(n, http1.Cut, stamp)       // the rest of that call; Lost for calls that are missing, n = -1 if nobody knows how much
//	p.Settle()                        // the other direction proves that a message of unknown end is over
//	p.Tunnel("websocket")             // the other direction's parser gave Message.Upgrade
//	p.End(http1.EndFIN, stamp)
//	p.Protocol(), p.Account()
//
// Every byte of the stream is counted exactly once: in a message ([Message.WireBytes]), in a [Handler.Skip] with the name
// of the reason, or as opaque (after CONNECT, Upgrade, or when the stream is not HTTP/1.x). [Parser.Account] has the sums.
package http1
