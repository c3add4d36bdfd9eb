package keysearch

import "bytes"

// texts is what HTTP/1 messages hold at their beginning, sixteen bytes and more of each. First are the beginnings, which stand in the
// first block of a record; the others stand at any place of a head, and each sixteen bytes of them may be a block.
var texts = struct {
	first  [][blockLen]byte
	inside [][blockLen]byte
}{firstBlocks(), insideBlocks()}

// firstBlocks are those of status lines (the registry of RFC 9110 §16.2), and of requests for the root.
func firstBlocks() (all [][blockLen]byte) {
	for _, version := range []string{"HTTP/1.1 ", "HTTP/1.0 "} {
		for _, line := range []string{
			"200 OK\r\n", "200 \r\nC", "200 \r\nc", "200 \r\nD", "200 \r\nd", "200 \r\nV", "200 \r\nS", "204 No Content", "304 Not Modified", "404 Not Found", "302 Found", "301 Moved", "201 Created", "206 Partial", "400 Bad Request",
			"401 Unauthorized", "403 Forbidden", "500 Internal", "502 Bad Gateway", "503 Service", "504 Gateway", "202 Accepted", "303 See Other", "307 Temporary", "308 Permanent",
			"405 Method", "406 Not Acc", "408 Request", "409 Conflict", "410 Gone\r\n", "411 Length", "412 Precondition", "413 Payload", "413 Content", "413 Request", "414 URI", "414 Request",
			"415 Unsupported", "416 Range", "416 Requested", "417 Expectation", "421 Misdirected", "422 Unprocess", "426 Upgrade", "428 Precondition", "429 Too Many",
			"431 Request", "451 Unavailable", "499 Client", "501 Not Impl", "505 HTTP", "100 Continue", "101 Switching", "103 Early", "203 Non-Auth", "205 Reset",
		} {
			all = append(all, [blockLen]byte([]byte(version+line)))
		}
	}
	for _, method := range []string{"GET / HTTP/1.1\r\n", "HEAD / HTTP/1.1\r", "POST / HTTP/1.1\r", "OPTIONS * HTTP/1", "GET / HTTP/1.0\r\n"} {
		all = append(all, [blockLen]byte([]byte(method)))
	}
	return all
}

func insideBlocks() (all [][blockLen]byte) {
	seen := map[[blockLen]byte]bool{}
	for _, text := range []string{
		" HTTP/1.1\r\nHost: ",
		" HTTP/1.1\r\nHost: localhost",
		" HTTP/1.1\r\nHost: 127.0.0.1",
		" HTTP/1.1\r\nUser-Agent: ",
		" HTTP/1.1\r\nAccept: ",
		" HTTP/1.1\r\nContent-",
		"\r\nUser-Agent: curl/",
		"\r\nUser-Agent: Mozilla/5.0 (",
		"\r\nUser-Agent: Go-http-client/1.1\r\nAccept-Encoding: gzip\r\n\r\n",
		"\r\nUser-Agent: python-requests/",
		"\r\nUser-Agent: Java-http-client/",
		"\r\nUser-Agent: Apache-HttpClient/",
		"\r\nUser-Agent: okhttp/",
		"\r\nAccept: */*\r\n\r\n",
		"\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\n",
		"\r\nAccept-Encoding: gzip, deflate, br",
		"\r\nAccept-Encoding: identity\r\n",
		"\r\nAccept: application/json",
		"\r\nConnection: keep-alive\r\n",
		"\r\nConnection: close\r\n",
		"\r\nconnection: keep-alive\r\n",
		"\r\nContent-Type: application/json",
		"\r\nContent-Type: text/plain",
		"\r\nContent-Type: text/html",
		"\r\nContent-type: text/html",
		"\r\nContent-Type: application/octet-stream\r\n",
		"\r\nContent-Type: application/x-www-form-urlencoded\r\n",
		"\r\ncontent-type: application/json",
		"\r\ncontent-type: text/",
		"\r\nContent-Length: ",
		"\r\nContent-length: ",
		"\r\ncontent-length: ",
		"\r\nTransfer-Encoding: chunked\r\n",
		"\r\ntransfer-encoding: chunked\r\n",
		"\r\nAuthorization: Bearer eyJ",
		"\r\nAuthorization: Basic ",
		"\r\nX-Forwarded-For: ",
		"\r\nx-forwarded-proto: https\r\nx-request-id: ",
		"\r\nx-envoy-expected-rq-timeout-ms: ",
		"\r\nx-envoy-upstream-service-time: ",
		"\r\nserver: envoy\r\n",
		"\r\nServer: nginx/1.",
		"\r\nServer: nginx\r\nDate: ",
		"\r\nLast-Modified: ",
		"\r\nAccept-Ranges: bytes",
		"\r\nCache-Control: no-cache",
		"\r\nCache-Control: max-age=",
		"\r\nVary: Accept-Encoding",
		"\r\nKeep-Alive: timeout=5\r\n",
		"\r\nStrict-Transport-Security: max-age=",
		"\r\ntraceparent: 00-",
		"\r\nIf-None-Match: \"",
		"\r\nIf-Modified-Since: ",
		" GMT\r\nConnection: ",
		" GMT\r\nContent-Type: ",
		" GMT\r\nContent-Length: ",
	} {
		for i := 0; i+blockLen <= len(text); i++ {
			if b := [blockLen]byte([]byte(text[i:])); !seen[b] {
				seen[b] = true
				all = append(all, b)
			}
		}
	}
	return all
}

// beginning is how many bytes a request is told by where no block of it is known.
const beginning = 5

// isRequest reports whether five bytes are the first of a request line whose target is a path.
func isRequest(b []byte) bool {
	for _, m := range []string{"GET /", "POST ", "PUT /", "HEAD ", "DELET", "PATCH", "OPTIO"} {
		if bytes.HasPrefix(b, []byte(m)) {
			return true
		}
	}
	return false
}

// isResponse reports the same of a status line.
func isResponse(b []byte) bool { return bytes.HasPrefix(b, []byte("HTTP/")) }
