"""Holds sockets in every state in which a capture may find them, in the network namespace that it was started in.

Each line on stdin is an order; its answer is a line on stdout.
"""
import ctypes
import os
import resource
import socket
import sys
import threading

HERE = "127.0.0.1"
held = []


def many(count, port):
    """Holds both ends of count / 2 connections, and who listens."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    listener = socket.create_server((HERE, port), backlog=512)
    held.append(listener)
    for _ in range(count // 2):
        client = socket.create_connection((HERE, port))
        server, _ = listener.accept()
        held.extend((client, server))


def states():
    """Established, listening, waiting in the accept queue, half closed in both directions, SYN sent, and in a thread's own table."""
    listener = socket.create_server((HERE, 7000), backlog=64)
    client = socket.create_connection((HERE, 7000))
    server, _ = listener.accept()
    half = socket.create_connection((HERE, 7000))
    half_server, _ = listener.accept()
    half.shutdown(socket.SHUT_WR)
    queued = [socket.create_connection((HERE, 7000)) for _ in range(20)]
    queued[0].shutdown(socket.SHUT_WR)
    asked = socket.socket()
    asked.setblocking(False)
    asked.connect_ex(("10.77.0.2", 7002))  # whose firewall drops it
    held.extend((listener, client, server, half, half_server, queued, asked))

    ready = threading.Event()

    def alone():
        if ctypes.CDLL(None, use_errno=True).unshare(0x400):  # CLONE_FILES
            sys.exit("unshare: " + os.strerror(ctypes.get_errno()))
        own = socket.create_server((HERE, 7001))
        held.append(own)
        ready.set()
        threading.Event().wait()

    threading.Thread(target=alone, daemon=True).start()
    ready.wait()


def talk(rounds):
    """A connection that moves messages of many sizes both ways, and leaves a byte unread at each end."""
    listener = socket.create_server((HERE, 7200))
    client = socket.create_connection((HERE, 7200))
    server, _ = listener.accept()
    for i in range(rounds):
        for sender, receiver in ((client, server), (server, client)):
            left = 1 + i * 997 % 20000
            sender.sendall(b"x" * left)
            while left:
                left -= len(receiver.recv(left))
    client.send(b"c")
    server.send(b"s")
    held.extend((listener, client, server))
    talkers[:] = client, server


def peek():
    """Reads the byte of each end, and leaves it there: the row of that call has the round trip time of now."""
    for end in talkers:
        end.recv(1, socket.MSG_PEEK)


talkers = []
print("ready", flush=True)
for line in sys.stdin:
    name, *args = line.split()
    {"many": many, "states": states, "talk": talk, "peek": peek}[name](*map(int, args))
    print("done", flush=True)
