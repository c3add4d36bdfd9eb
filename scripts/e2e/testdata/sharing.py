"""A server whose connections go through the hands of several processes. Each line on stdin is a turn, each turn one connection:

pass     the first request is answered by a worker that gets the connection by SCM_RIGHTS; the worker goes on with it
inherit  a child that inherits the connection runs another program (this file, with "answer"), which answers, as inetd does
"""
import os
import socket
import subprocess
import sys

EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def head(conn):
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        more = conn.recv(4096)
        if not more:
            return None
        data += more
    return data


def answer_all(conn):
    while head(conn):
        conn.sendall(EMPTY)


def work(channel):
    """The worker: takes connections of which one request was read."""
    while True:
        _, fds, _, _ = socket.recv_fds(channel, 1, 1)
        if not fds:
            return
        conn = socket.socket(fileno=fds[0])
        conn.sendall(EMPTY)
        answer_all(conn)
        conn.close()


if sys.argv[1:] == ["answer"]:
    answer_all(socket.socket(fileno=0))
    sys.exit()

listener = socket.create_server(("127.0.0.1", 0))
here, there = socket.socketpair()
worker = os.fork()
if worker == 0:
    here.close()
    listener.close()
    work(there)
    os._exit(0)
there.close()
print("ready", listener.getsockname()[1], worker, flush=True)
for line in sys.stdin:
    conn, _ = listener.accept()
    if line.strip() == "pass":
        head(conn)
        socket.send_fds(here, [b"x"], [conn.fileno()])
        conn.close()
        continue
    child = subprocess.Popen([sys.executable, __file__, "answer"], stdin=conn.fileno(), close_fds=False)
    conn.close()
    print("child", child.pid, flush=True)
    child.wait()
