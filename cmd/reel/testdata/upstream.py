# A server for tests of triggers. GET /err is answered by 503, its status line cut in two across the elements of a vector; /slow after
# half a second; /bytes/N with a body of N bytes; POST with the number of bytes received; all else by 200. One thread a connection.
import re, socket, sys, threading, time


def answer(conn, target, received):
    body = b"ok"
    if target.startswith("/err"):
        head = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\n"
        conn.sendmsg([b"", head[:6], head[6:], body])
        return
    if target.startswith("/slow"):
        time.sleep(0.5)
    if target.startswith("/bytes/"):
        n = int(target[len("/bytes/"):])
        body = bytes((i * 7919 >> 3) & 0xFF | 1 for i in range(n))
    if received:
        body = str(received).encode()
    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def serve(conn):
    data = b""
    while True:
        while b"\r\n\r\n" not in data:
            more = conn.recv(65536)
            if not more:
                return
            data += more
        head, data = data.split(b"\r\n\r\n", 1)
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        received = int(length.group(1)) if length else 0
        while len(data) < received:
            data += conn.recv(65536)
        data = data[received:]
        answer(conn, head.split(b" ")[1].decode(), received)


listener = socket.create_server((sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1", 0))
print("port", listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
