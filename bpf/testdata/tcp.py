"""The ends of TCP connections that get into trouble: run as `tcp.py server` and `tcp.py client`, each in a network namespace.

Each step is a line on stdin; its answer is a line on stdout.
"""
import socket
import struct
import sys

SERVER = "10.77.0.2"


def receive_all(conn):
    total = 0
    while data := conn.recv(1 << 16):
        total += len(data)
    return total


class Server:
    def __init__(self):
        self.listener = socket.create_server((SERVER, 7000), backlog=8)
        self.conn = None

    def transfer(self):
        """Takes what a connection sends and answers how much it was."""
        conn, _ = self.listener.accept()
        conn.sendall(str(receive_all(conn)).encode())
        conn.close()

    def accept(self):
        self.conn, _ = self.listener.accept()

    def read(self):
        try:
            receive_all(self.conn)
        except ConnectionResetError:
            pass
        self.conn.close()


class Client:
    def __init__(self):
        self.conn = None

    def transfer(self):
        conn = socket.create_connection((SERVER, 7000))
        conn.sendall(b"x" * 3_000_000)
        conn.shutdown(socket.SHUT_WR)
        answer = conn.recv(100)
        conn.close()
        return answer.decode()

    def refused(self):
        """Connects without waiting to a port that nobody listens on."""
        conn = socket.socket()
        conn.setblocking(False)
        conn.connect_ex((SERVER, 7999))
        conn.setblocking(True)
        while not conn.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            pass
        conn.close()

    def abort(self):
        conn = socket.create_connection((SERVER, 7000))
        conn.sendall(b"x")
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        conn.close()

    def fill(self):
        """Sends more than the peer takes, which does not read."""
        self.conn = socket.create_connection((SERVER, 7000))
        # Room for more than the peer's window: else this end may be full before that one.
        self.conn.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self.conn.setblocking(False)
        sent = 0
        try:
            while True:
                sent += self.conn.send(b"x" * 65536)
        except BlockingIOError:
            pass
        return str(sent)

    def finish(self):
        self.conn.setblocking(True)
        self.conn.sendall(b"x" * 1_000_000)
        self.conn.close()


def main():
    end = Server() if sys.argv[1] == "server" else Client()
    print("ready", flush=True)
    for line in sys.stdin:
        print(getattr(end, line.strip())() or "done", flush=True)


main()
